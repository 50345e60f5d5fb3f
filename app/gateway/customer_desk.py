"""Customers: end users whom callers name beside their own keys, each with limits of its own or a shared budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.core.account_changes import AccountChanges
from app.core.accounts import Budget, Customer, Limits
from app.core.admin_rights import require_administrator
from app.core.attribution import LONGEST_ID, is_name
from app.core.callers import Actor
from app.core.errors import InvalidField, NotFound
from app.core.registry_messages import AccountQuery
from app.gateway.account_lookups import every_customer
from app.gateway.audited_changes import AuditedRegistry, Minutes
from app.gateway.ports import Records


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer with the budget that it names."""

    customer: Customer
    budget: Budget | None = None


class CustomerDesk:
    """What the administrator can do with customers. Raises NotAdministrator, InvalidField, NotFound."""

    def __init__(self, registry: AuditedRegistry, changes: AccountChanges) -> None:
        self._registry = registry
        self._changes = changes

    def create(self, actor: Actor, customer_id: str, given: Mapping[str, Any]) -> CustomerView:
        """`given`: fields as AccountChanges takes them."""
        require_administrator(actor.caller, "/customer/new")

        def work(minutes: Minutes) -> CustomerView:
            if minutes.records.customer(customer_id):
                raise InvalidField(
                    f"Customer already exists, passed user_id={customer_id}. Please pass a new user_id.", "user_id"
                )
            new = _new(minutes, customer_id, "user_id")
            customer = self._changes.applied(new, given, minutes.now)
            customer = replace(customer, total_spend=customer.spend)
            view = _consistent(minutes.records, customer, given)
            minutes.put(None, customer)
            return view

        return self._registry.change(actor, work)

    def info(self, actor: Actor, customer_id: str) -> CustomerView:
        require_administrator(actor.caller, "/customer/info", reads=True)
        return self._registry.read(lambda records: _view(records, _existing(records, customer_id, "end_user_id")))

    def update(self, actor: Actor, customer_id: str, given: Mapping[str, Any]) -> CustomerView:
        """Change what `given` names. Limits take the place of a budget that was named before, and the other way."""
        require_administrator(actor.caller, "/customer/update")

        def work(minutes: Minutes) -> CustomerView:
            before = _existing(minutes.records, customer_id)
            start = before
            if given.get("budget_id") is not None:
                start = replace(before, limits=Limits())
            changed = self._changes.applied(start, given, minutes.now)
            if changed.limits != Limits() and "budget_id" not in given:
                changed = replace(changed, budget_id=None)
            after = replace(changed, stamps=minutes.stamps(before.stamps))
            view = _consistent(minutes.records, after, given)
            minutes.put(before, after)
            return view

        return self._registry.change(actor, work)

    def delete(self, actor: Actor, customer_ids: Sequence[str]) -> int:
        """All of them, or none where one is not there. How many there were."""
        require_administrator(actor.caller, "/customer/delete")
        wanted = tuple(dict.fromkeys(customer_ids))

        def work(minutes: Minutes) -> int:
            found = {customer_id: minutes.records.customer(customer_id) for customer_id in wanted}
            missing = [customer_id for customer_id, customer in found.items() if customer is None]
            if missing:
                raise NotFound(f"End User Id(s)={', '.join(missing)} do not exist in db", "user_ids")
            for customer in found.values():
                if customer:
                    minutes.remove(customer)
            return len(wanted)

        return self._registry.change(actor, work)

    def block(self, actor: Actor, customer_ids: Sequence[str]) -> tuple[CustomerView, ...]:
        """Also those whom nobody made known yet, as with the peer: a block that waits for a name is none."""
        require_administrator(actor.caller, "/customer/block")

        def work(minutes: Minutes) -> tuple[CustomerView, ...]:
            views = []
            for customer_id in dict.fromkeys(customer_ids):
                before = minutes.records.customer(customer_id)
                known = before or _new(minutes, customer_id, "user_ids")
                after = replace(known, blocked=True, stamps=minutes.stamps(known.stamps))
                minutes.put(before, after, "blocked")
                views.append(_view(minutes.records, after))
            return tuple(views)

        return self._registry.change(actor, work)

    def unblock(self, actor: Actor, customer_ids: Sequence[str]) -> tuple[CustomerView, ...]:
        """All of them, or none where one is not there."""
        require_administrator(actor.caller, "/customer/unblock")

        def work(minutes: Minutes) -> tuple[CustomerView, ...]:
            views = []
            for customer_id in dict.fromkeys(customer_ids):
                before = _existing(minutes.records, customer_id, "user_ids")
                after = replace(before, blocked=False, stamps=minutes.stamps(before.stamps))
                minutes.put(before, after, "unblocked")
                views.append(_view(minutes.records, after))
            return tuple(views)

        return self._registry.change(actor, work)

    def every(self, actor: Actor, team_id: str | None = None) -> tuple[CustomerView, ...]:
        """All customers, or those of a team, newest first."""
        require_administrator(actor.caller, "/customer/list", reads=True)

        def work(records: Records) -> tuple[CustomerView, ...]:
            budgets = {budget.id: budget for budget in records.budgets()}
            found = every_customer(records, AccountQuery(team_id=team_id))
            return tuple(CustomerView(customer, budgets.get(customer.budget_id or "")) for customer in found)

        return self._registry.read(work)


def _new(minutes: Minutes, customer_id: str, param: str) -> Customer:
    """Raises InvalidField for an id that no call can name: a block or a budget would hold for nobody."""
    if not is_name(customer_id):
        raise InvalidField(f"An end user's id has at most {LONGEST_ID} characters, all printable.", param)
    return Customer(id=customer_id, stamps=minutes.stamps())


def _existing(records: Records, customer_id: str, param: str = "user_id") -> Customer:
    """Raises NotFound, in the peer's words."""
    customer = records.customer(customer_id)
    if customer is None:
        raise NotFound(f"End User Id={customer_id} does not exist in db", param)
    return customer


def _view(records: Records, customer: Customer) -> CustomerView:
    return CustomerView(customer, records.budget(customer.budget_id) if customer.budget_id else None)


def _consistent(records: Records, customer: Customer, given: Mapping[str, Any]) -> CustomerView:
    """The customer with its budget. Raises InvalidField where it names what is not there, or two sets of limits."""
    if customer.budget_id and customer.limits != Limits():
        raise InvalidField(
            "Either budget_id or limits of its own (max_budget, rpm_limit, ...) should be provided, not both.",
            "budget_id",
        )
    view = _view(records, customer)
    if given.get("budget_id") is not None and view.budget is None:
        raise InvalidField(f"Budget not found, passed budget_id={customer.budget_id}", "budget_id")
    if given.get("team_id") is not None and records.team(given["team_id"]) is None:
        raise InvalidField(f"Team not found, passed team_id={customer.team_id}", "team_id")
    return view
