"""Where everybody's budgets start anew at once."""

from functools import partial

from app.core.admin_rights import require_administrator
from app.core.callers import Actor
from app.core.ledger_entries import Account
from app.gateway.audited_changes import AuditedRegistry, Minutes


class SpendDesk:
    """Raises NotAdministrator and StoreUnavailable."""

    def __init__(self, registry: AuditedRegistry) -> None:
        self._registry = registry

    def reset_all(self, actor: Actor) -> int:
        """Set to 0 what every key and every team spent in its budget's window, and return how many had spent anything.

        Some hundred at a time, so that calls go on being booked: what a call spends meanwhile may stay. What they spent
        in all stays, and the ledger has a line for each.
        """
        require_administrator(actor.caller, "/global/spend/reset")
        done = 0
        after: Account | None = None
        while True:
            reset = self._registry.change(actor, partial(_reset_next, after=after))
            if not reset:
                return done
            done, after = done + len(reset), reset[-1]


def _reset_next(minutes: Minutes, after: Account | None) -> list[Account]:
    reset = minutes.records.reset_spends(after, minutes.actor.caller.alias)
    for account, spend in reset:
        minutes.note_reset(account, spend)
    return [account for account, _ in reset]
