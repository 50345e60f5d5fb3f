"""What the key routes answer around the keys themselves: pages, and what became of changes."""

from typing import Any

from app.core.accounts import VirtualKey
from app.core.errors import CallerError
from app.gateway.key_desk import SpendReset
from app.gateway.standings import KeyStanding
from app.web.admin_api.account_forms import Dollars, gently
from app.web.admin_api.key_answers import KeyDetails, KeyRow, OffsetMoment
from app.web.admin_api.remaining import KeyRemaining
from app.web.admin_api.wire_model import WireModel


class KeyNow(KeyDetails):
    """A key, and what it has left."""

    remaining: KeyRemaining


class KeyInfo(WireModel):
    """A key, by what it was asked for."""

    key: str
    info: KeyNow

    @classmethod
    def of(cls, reference: str, details: KeyDetails, standing: KeyStanding) -> "KeyInfo":
        told = details.model_dump() | {"remaining": KeyRemaining.of_key(standing)}
        return cls(key=reference, info=KeyNow.model_validate(told))


class KeyInfos(WireModel):
    """Keys, by what they were asked for."""

    key: list[str]
    info: list[KeyDetails]


class KeyPage(WireModel):
    """Some of the keys: their tokens, or all that is known of them."""

    keys: list[str] | list[KeyDetails]
    total_count: int
    current_page: int
    total_pages: int


class AliasPage(WireModel):
    """Some of the aliases."""

    aliases: list[str]
    total_count: int
    current_page: int
    total_pages: int
    size: int


class DeletedKeys(WireModel):
    """What was deleted, by what it was named."""

    deleted_keys: list[str]


class KeyHealth(WireModel):
    """The key that asks works."""

    key: str = "healthy"
    logging_callbacks: dict[str, Any] | None = None


class UpdatedKey(WireModel):
    """One of several keys that were changed."""

    key: str
    key_info: KeyRow


class FailedUpdate(WireModel):
    """One of several keys that was not changed, and why."""

    key: str
    key_info: KeyRow | None = None
    failed_reason: str


class UpdatedKeys(WireModel):
    """What became of the changes of several keys."""

    total_requested: int
    successful_updates: list[UpdatedKey]
    failed_updates: list[FailedUpdate]

    @classmethod
    def of(cls, results: list[tuple[str, VirtualKey | CallerError]]) -> "UpdatedKeys":
        updated = [
            UpdatedKey(key=name, key_info=KeyRow.of(key))
            for name, key in gently(results)
            if isinstance(key, VirtualKey)
        ]
        failed = [
            FailedUpdate(key=name, failed_reason=error.message)
            for name, error in results
            if isinstance(error, CallerError)
        ]
        return cls(total_requested=len(results), successful_updates=updated, failed_updates=failed)


class ResetSpend(WireModel):
    """What the spend is, and was."""

    key_hash: str
    spend: Dollars
    previous_spend: Dollars
    max_budget: Dollars | None
    budget_reset_at: OffsetMoment | None

    @classmethod
    def of(cls, reset: SpendReset) -> "ResetSpend":
        limits = reset.key.limits
        return cls(
            key_hash=reset.key.token,
            spend=reset.key.spend,
            previous_spend=reset.previous,
            max_budget=limits.max_budget,
            budget_reset_at=limits.budget_reset_at,
        )


def pages(total: int, size: int) -> int:
    """How many pages there are."""
    return -(-total // size)
