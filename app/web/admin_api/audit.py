"""GET /audit: who changed what, when, from where, before and after."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.core.accounts import AuditEntry
from app.core.registry_messages import AuditQuery
from app.gateway.audit_trail import AuditTrail
from app.web.admin_api.fields import MOST_PAGES, Moment, Text
from app.web.admin_api.key_answers import OffsetMoment
from app.web.admin_api.key_results import pages
from app.web.admin_api.routes import AdminCall, Nothing, Route
from app.web.admin_api.wire_model import WireModel


class EntriesAsked(WireModel):
    """Which entries, newest first. Times are [start, end); without a zone they are UTC."""

    object_id: Text | None = None
    table_name: Literal["key", "team", "user", "customer", "budget", "member"] | None = None
    action: Literal["created", "updated", "deleted", "blocked", "unblocked", "rotated"] | None = None
    changed_by: Text | None = None
    start: Moment | None = None
    end: Moment | None = None
    page: Annotated[int, Field(ge=1, le=MOST_PAGES)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 50


class Entry(WireModel):
    """One change. A member's object_id is its team's and its user's, with a slash between."""

    id: str
    updated_at: OffsetMoment
    changed_by: str
    changed_by_api_key: Annotated[str | None, Field(description="The SHA-256 of the key that did it.")]
    action: str
    table_name: str
    object_id: str
    before_value: dict[str, Any] | None
    updated_values: dict[str, Any] | None
    address: str | None

    @classmethod
    def of(cls, entry: AuditEntry) -> "Entry":
        return cls(
            id=entry.id,
            updated_at=entry.at,
            changed_by=entry.by,
            changed_by_api_key=entry.by_token,
            action=entry.action,
            table_name=entry.kind,
            object_id=entry.object_id,
            before_value=dict(entry.before) if entry.before is not None else None,
            updated_values=dict(entry.after) if entry.after is not None else None,
            address=entry.address,
        )


class EntryPage(WireModel):
    """Some of the entries."""

    audit_logs: list[Entry]
    total: int
    page: int
    page_size: int
    total_pages: int


def routes(trail: AuditTrail) -> list[Route[Any, Any]]:
    """The one route of the audit log."""

    def page(call: AdminCall[EntriesAsked, Nothing]) -> EntryPage:
        asked = call.query
        found = trail.page(
            call.actor,
            AuditQuery(
                kind=asked.table_name,
                object_id=asked.object_id,
                action=asked.action,
                by=asked.changed_by,
                since=asked.start,
                until=asked.end,
                page=asked.page,
                size=asked.page_size,
            ),
        )
        return EntryPage(
            audit_logs=[Entry.of(entry) for entry in found.items],
            total=found.total,
            page=asked.page,
            page_size=asked.page_size,
            total_pages=pages(found.total, asked.page_size),
        )

    return [
        Route("GET", "/audit", "Who changed what", "administrator", EntriesAsked, Nothing, EntryPage, page),
    ]
