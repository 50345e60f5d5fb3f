"""What is asked of /customer and /budget routes, and what they answer."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from app.core.accounts import Budget
from app.gateway.customer_desk import CustomerView
from app.gateway.standings import Standing
from app.web.admin_api.account_forms import LIMITS, Dollars, LimitAnswer, LimitFields, SpendField, flat
from app.web.admin_api.fields import Metadata, Moment, Name, Text, Unset
from app.web.admin_api.remaining import Remaining
from app.web.admin_api.wire_model import WireModel

_CUSTOMER_FIELDS = LIMITS | {"alias", "team_id", "budget_id", "blocked", "metadata", "spend"}
_MOST_AT_ONCE = 500


class _CustomerFields(LimitFields, SpendField):
    unenforced: ClassVar[Mapping[str, str]] = {
        "allowed_model_region": "list regions on the key or the team that names the customer",
        "default_model": "name the model in the calls",
    }
    user_id: Name
    alias: Text | None = None
    team_id: Text | None = None
    budget_id: Text | None = None
    blocked: bool | None = None
    metadata: Metadata | None = None

    def changes(self) -> dict[str, Any]:
        """For CustomerDesk. Raises InvalidField."""
        return self.given(_CUSTOMER_FIELDS)


class NewCustomer(_CustomerFields):
    """An end user to be made known. `team_id`: the one team whose keys may name it; else every team's may."""


class CustomerUpdate(_CustomerFields):
    """An end user to be changed: what is not named stays."""

    unset: Unset | None = None


class CustomerAsked(WireModel):
    """One end user."""

    end_user_id: Name


class CustomersAsked(WireModel):
    """Which end users are listed."""

    team_id: Name | None = None


class CustomersNamed(WireModel):
    """Some end users."""

    user_ids: Annotated[list[Name], Field(fail_fast=True, min_length=1, max_length=_MOST_AT_ONCE)]


class BudgetAnswer(LimitAnswer):
    """A budget."""

    budget_id: str
    created_at: Moment
    created_by: str
    updated_at: Moment
    updated_by: str


class CustomerAnswer(LimitAnswer):
    """An end user, with the fields that the peer's have and its own limits beside them."""

    user_id: str
    blocked: bool
    alias: str | None
    spend: Dollars
    total_spend: Dollars
    team_id: str | None
    allowed_model_region: None = None
    default_model: None = None
    budget_id: str | None
    litellm_budget_table: BudgetAnswer | None
    object_permission_id: None = None
    object_permission: None = None
    metadata: dict[str, Any]
    created_at: Moment
    created_by: str
    updated_at: Moment
    updated_by: str


class CustomerInfo(CustomerAnswer):
    """An end user, and what it has left."""

    remaining: Remaining


class CustomersDeleted(WireModel):
    """How many are gone."""

    deleted_customers: int
    message: str


class CustomersBlocked(WireModel):
    """Those that were blocked, or let go again."""

    blocked_users: list[CustomerAnswer]


class BudgetFields(LimitFields):
    """Limits under a name. Null clears them in an update, as with the peer."""

    nulls_clear: ClassVar[frozenset[str]] = LIMITS
    budget_id: Text | None = None

    def changes(self) -> dict[str, Any]:
        """For BudgetDesk. Raises InvalidField."""
        return self.given(LIMITS)


class BudgetUpdate(BudgetFields):
    """A budget to be changed: what is not named stays."""

    unset: Unset | None = None


class BudgetsNamed(WireModel):
    """Some budgets."""

    budgets: Annotated[list[Name], Field(fail_fast=True, max_length=_MOST_AT_ONCE)]


class BudgetNamed(WireModel):
    """One budget."""

    id: Name


def customer_answer(view: CustomerView) -> CustomerAnswer:
    budget = budget_answer(view.budget) if view.budget else None
    told: Mapping[str, Any] = flat(view.customer) | {"user_id": view.customer.id, "litellm_budget_table": budget}
    return CustomerAnswer.model_validate(told)


def customer_info(view: CustomerView, standing: Standing) -> CustomerInfo:
    return CustomerInfo.model_validate(customer_answer(view).model_dump() | {"remaining": Remaining.of(standing)})


def budget_answer(budget: Budget) -> BudgetAnswer:
    return BudgetAnswer.model_validate(flat(budget) | {"budget_id": budget.id})
