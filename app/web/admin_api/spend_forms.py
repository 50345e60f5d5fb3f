"""What spend routes are asked: dates as the peer names them, and filters.

A filter that a route does not have is refused by its name: its answer would be taken for what was asked for.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from app.core.errors import InvalidField
from app.core.report_messages import MOST_COUNTED, RowsQuery
from app.web.admin_api.fields import MOST_PAGES, Text
from app.web.admin_api.wire_model import WireModel

_MOST_ROWS = 5000
_MOST_LISTED = 1000
Status = Literal["success", "failure"]
_OF_KEY, _OF_END_USER = "api_key of /key/spend/report or /spend/logs", "end_user of /spend/logs"
_OF_TEAM, _OF_USER = "team_id of /team/spend/report", "user_id of /user/spend/report"
_OF_CALLS = "the filters of /spend/logs"
_INSTEAD = {
    "api_key": _OF_KEY,
    "key": _OF_KEY,
    "key_alias": _OF_KEY,
    "key_hash": _OF_KEY,
    "customer_id": _OF_END_USER,
    "end_user": _OF_END_USER,
    "end_user_id": _OF_END_USER,
    "team": _OF_TEAM,
    "team_id": _OF_TEAM,
    "organization_id": _OF_TEAM,
    "internal_user_id": _OF_USER,
    "user": _OF_USER,
    "user_id": _OF_USER,
    "tag": "tags of /global/spend/tags",
    "tags": "tags of /global/spend/tags",
    "error_code": _OF_CALLS,
    "keyword": _OF_CALLS,
    "max_spend": _OF_CALLS,
    "min_spend": _OF_CALLS,
    "model": _OF_CALLS,
    "model_id": _OF_CALLS,
    "request_id": _OF_CALLS,
    "status": _OF_CALLS,
}


class DatesAsked(WireModel):
    """Days of UTC, both included: YYYY-MM-DD."""

    start_date: Text | None = None
    end_date: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_other_filter(cls, sent: Any) -> Any:
        for name in sent if isinstance(sent, dict) else ():
            if name in _INSTEAD and name not in cls.model_fields and sent[name] not in (None, "", []):
                raise InvalidField(
                    f"{name} does not narrow what this route answers: leave it out. Instead: {_INSTEAD[name]}.", name
                )
        return sent


class TopAsked(DatesAsked):
    """The dearest; the last 30 days without dates."""

    limit: Annotated[int, Field(ge=1, le=_MOST_LISTED)] = 100


class _Filters(DatesAsked):
    """Which calls. `api_key`: a key's text, token or id."""

    api_key: Text | None = None
    user_id: Text | None = None
    request_id: Text | None = None
    team_id: Text | None = None
    end_user: Text | None = None
    model: Annotated[str | None, Field(max_length=2048)] = None
    status: Status | None = None

    def filters(self) -> dict[str, Any]:
        """For RowsQuery, but for the key."""
        names = ("user_id", "request_id", "team_id", "end_user", "model", "status")
        return {name: getattr(self, name) for name in names}


class LogsAsked(_Filters):
    """Which calls, newest first, at most `limit`; with dates, what each day cost unless `summarize` is false."""

    summarize: bool = True
    limit: Annotated[int, Field(ge=1, le=_MOST_ROWS)] = 1000

    def query(self) -> RowsQuery:
        return RowsQuery(**self.filters(), limit=self.limit)


class LogPageAsked(_Filters):
    """A page of the calls between two moments, which may have a time of day: YYYY-MM-DD HH:MM:SS."""

    status_filter: Status | None = None
    page: Annotated[int, Field(ge=1, le=MOST_PAGES)] = 1
    page_size: Annotated[int, Field(ge=1, le=1000)] = 50

    def query(self) -> RowsQuery:
        filters = self.filters()
        filters["status"] = self.status or self.status_filter
        skip = min((self.page - 1) * self.page_size, MOST_COUNTED)
        return RowsQuery(**filters, limit=self.page_size, skip=skip)


class KeysBySpendAsked(WireModel):
    """The keys that have spent most of their budgets' windows."""

    limit: Annotated[int, Field(ge=1, le=_MOST_LISTED)] = 100


class UsersBySpendAsked(KeysBySpendAsked):
    """The users that have; `user_id`: only this one."""

    user_id: Text | None = None


class TagsAsked(TopAsked):
    """Which tags; `tags`: only these, parted by commas."""

    tags: Text | None = None

    def named(self) -> frozenset[str] | None:
        return frozenset(one.strip() for one in self.tags.split(",")) if self.tags else None


class KeyDaysAsked(DatesAsked):
    """What each day cost; `api_key`: by this key."""

    api_key: Text | None = None


class EndUsersAsked(TopAsked):
    """The dearest end users; `api_key`: by this key. The peer writes startTime and endTime for the dates."""

    api_key: Text | None = None
    startTime: Text | None = None  # noqa: N815  # the peer's name
    endTime: Text | None = None  # noqa: N815  # the peer's name

    def dates(self) -> tuple[str | None, str | None]:
        return self.start_date or self.startTime, self.end_date or self.endTime


class OverallAsked(DatesAsked):
    """A report of all that was spent, and of the dearest of a kind."""

    group_by: Literal["team", "customer", "api_key", "user", "model", "tag", "day"] = "team"


class KeyReportAsked(DatesAsked):
    """A report of one key, by its text, token or id; else of all that the caller may see."""

    api_key: Text | None = None


class TeamReportAsked(DatesAsked):
    """A report of one team, else of all that the caller may see."""

    team_id: Text | None = None


class UserReportAsked(DatesAsked):
    """A report of one user, else of all."""

    user_id: Text | None = None
