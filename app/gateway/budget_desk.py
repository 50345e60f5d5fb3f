"""Budgets: limits under a name, which keys and customers share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.account_changes import AccountChanges
from app.core.accounts import Budget
from app.core.admin_rights import require_administrator
from app.core.callers import Actor
from app.core.errors import InvalidField, NotFound
from app.core.registry_messages import AccountQuery, KeyQuery
from app.gateway.audited_changes import AuditedRegistry, Minutes
from app.gateway.ports import Records


class BudgetDesk:
    """What the administrator can do with budgets. Raises NotAdministrator, InvalidField, NotFound."""

    def __init__(self, registry: AuditedRegistry, changes: AccountChanges) -> None:
        self._registry = registry
        self._changes = changes

    def create(self, actor: Actor, budget_id: str | None, given: Mapping[str, Any]) -> Budget:
        """Without an id it gets one. `given`: fields as AccountChanges takes them."""
        require_administrator(actor.caller, "/budget/new")

        def work(minutes: Minutes) -> Budget:
            new = Budget(id=budget_id or minutes.new_id(), stamps=minutes.stamps())
            if minutes.records.budget(new.id):
                raise InvalidField(f"Budget with id '{new.id}' already exists.", "budget_id")
            budget = self._changes.applied(new, given, minutes.now)
            minutes.put(None, budget)
            return budget

        return self._registry.change(actor, work)

    def update(self, actor: Actor, budget_id: str, given: Mapping[str, Any]) -> Budget:
        """Change what `given` names."""
        require_administrator(actor.caller, "/budget/update")

        def work(minutes: Minutes) -> Budget:
            before = _existing(minutes.records, budget_id, "budget_id")
            changed = self._changes.applied(before, given, minutes.now)
            after = replace(changed, stamps=minutes.stamps(before.stamps))
            minutes.put(before, after)
            return after

        return self._registry.change(actor, work)

    def named(self, actor: Actor, budget_ids: Sequence[str]) -> tuple[Budget, ...]:
        """Those of these that are there."""
        require_administrator(actor.caller, "/budget/info", reads=True)
        found = self._registry.read(lambda records: [records.budget(one) for one in dict.fromkeys(budget_ids)])
        return tuple(budget for budget in found if budget)

    def every(self, actor: Actor) -> tuple[Budget, ...]:
        require_administrator(actor.caller, "/budget/list", reads=True)
        return self._registry.read(lambda records: records.budgets())

    def delete(self, actor: Actor, budget_id: str) -> Budget:
        """The budget that was. Raises InvalidField while a key or customer names it: it would go on without limits."""
        require_administrator(actor.caller, "/budget/delete")

        def work(minutes: Minutes) -> Budget:
            budget = _existing(minutes.records, budget_id, "id")
            keys = minutes.records.keys(KeyQuery(minutes.now, budget_id=budget_id, size=1))
            customers = minutes.records.customers(AccountQuery(budget_id=budget_id, size=1))
            if keys.total or customers.total:
                examples = [f"key {key.alias or key.key_name}" for key in keys.items]
                examples += [f"customer {customer.id}" for customer in customers.items]
                raise InvalidField(
                    f"Budget {budget_id} is in use by {keys.total} keys and {customers.total} customers, such as "
                    f"{' and '.join(examples)}: give them another budget first.",
                    "id",
                )
            minutes.remove(budget)
            return budget

        return self._registry.change(actor, work)


def _existing(records: Records, budget_id: str, param: str) -> Budget:
    budget = records.budget(budget_id)
    if budget is None:
        raise NotFound(f"Budget not found, passed budget_id={budget_id}", param)
    return budget
