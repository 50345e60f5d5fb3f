"""What is left of budgets and limits, as /key/info, /team/info, /user/info and /customer/info tell it."""

from typing import Any

from pydantic import Field

from app.gateway.standings import KeyStanding, Standing
from app.web.admin_api.account_forms import Dollars
from app.web.admin_api.key_answers import OffsetMoment
from app.web.admin_api.wire_model import WireModel


class BudgetLeft(WireModel):
    """A budget now. Null: there is none."""

    spend: Dollars
    held: Dollars = Field(description="What calls in flight may still cost.")
    max_budget: Dollars | None = Field(description="With a shared budget's, and a raise for a time.")
    budget: Dollars | None = Field(description="What a further call may cost.")
    budget_reset_at: OffsetMoment | None


class Remaining(BudgetLeft):
    """An account now. Null: no such limit, or counted where it cannot be read (Redis).

    `requests`, `tokens` and `parallel_requests` are what is left; this minute is one of UTC.
    """

    requests: int | None
    tokens: int | None
    parallel_requests: int | None
    requests_this_minute: int | None
    tokens_this_minute: int | None
    in_flight: int | None
    models: dict[str, BudgetLeft]

    @classmethod
    def of(cls, standing: Standing) -> "Remaining":
        return cls.model_validate(_told(standing))


class KeyRemaining(Remaining):
    """A key, with its team and user where there are any and the caller may see them."""

    team: Remaining | None
    user: Remaining | None

    @classmethod
    def of_key(cls, standing: KeyStanding) -> "KeyRemaining":
        above = {
            "team": Remaining.of(standing.team) if standing.team else None,
            "user": Remaining.of(standing.user) if standing.user else None,
        }
        return cls.model_validate(_told(standing.key) | above)


def _told(standing: Standing) -> dict[str, Any]:
    balance = standing.balance
    counts = {
        "requests_this_minute": balance.requests,
        "tokens_this_minute": balance.tokens,
        "in_flight": balance.in_flight,
    }
    return _budget(standing) | {
        "requests": standing.requests,
        "tokens": standing.tokens,
        "parallel_requests": standing.parallel_requests,
        "models": {pattern: _budget(one) for pattern, one in standing.models},
        **(counts if standing.rates else dict.fromkeys(counts)),
    }


def _budget(standing: Standing) -> dict[str, Any]:
    return {
        "spend": standing.balance.spend,
        "held": standing.balance.held,
        "max_budget": standing.limits.max_budget,
        "budget": standing.budget,
        "budget_reset_at": standing.balance.window.resets_at,
    }
