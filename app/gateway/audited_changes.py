"""How the desks change what the registry keeps: in one transaction, written to the audit log, seen at once.

A desk hands in its work; every record that the work puts or removes goes through Minutes, so that nothing is changed
without a note of who did it, from where, and what was there before.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from threading import Lock
from typing import Any, TypeVar

from app.core.accounts import AuditEntry, Budget, Customer, Member, Record, Spender, Stamps, Team, User, VirtualKey
from app.core.admin_rights import is_administrator
from app.core.callers import Actor
from app.core.errors import StoreUnavailable
from app.core.ledger_entries import Account
from app.gateway.ports import Changing, Records, Registry

T = TypeVar("T")
# as long as the store lets a change wait for the one before it
_TURN_SECONDS = 10
_RETRY_AFTER_SECONDS = 5
_KINDS: dict[type[Any], str] = {
    VirtualKey: "key",
    Team: "team",
    User: "user",
    Customer: "customer",
    Budget: "budget",
    Member: "member",
}


@dataclass(frozen=True, slots=True)
class Minutes:
    """One change under way: `records` reads and writes within it, `actor` makes it, at the moment `now` (UTC)."""

    records: Changing
    actor: Actor
    now: datetime
    new_id: Callable[[], str]

    def stamps(self, before: Stamps | None = None) -> Stamps:
        """Of something made now, or changed now."""
        by = self.actor.caller.alias
        made = before or Stamps(self.now, by, self.now, by)
        return Stamps(made.created_at, made.created_by, self.now, by)

    def put(self, before: Record | None, after: Record, action: str | None = None) -> None:
        """Store `after` in place of `before` (None: it is new), and note it. What a new account spent it brings along;
        what another spent in its budget's window is set to what `after` has.
        """
        self.records.put(after)
        if isinstance(after, Spender):
            self._move_spend(before, after)
        self._note(action or ("updated" if before else "created"), after, before, after)

    def remove(self, record: Record) -> None:
        """Remove it, and note it."""
        self.records.remove(record)
        self._note("deleted", record, record, None)

    def note_reset(self, account: Account, spend: Decimal) -> None:
        """Note that what an account spent was set to 0, from `spend`; nothing else of it was read."""
        self._tell("updated", (account.kind, account.id), {"spend": float(spend)}, {"spend": 0.0})

    def _move_spend(self, before: Record | None, after: Spender) -> None:
        by = self.actor.caller.alias
        if before is None and after.spend:
            self.records.carry_spend(after, after.spend, by)
        elif isinstance(before, Spender) and before.spend != after.spend:
            self.records.set_spend(after, after.spend, by)

    def _note(self, action: str, subject: Record, before: Record | None, after: Record | None) -> None:
        told_before, told_after = (written(one) if one else None for one in (before, after))
        self._tell(action, (_KINDS[type(subject)], _object_id(subject)), told_before, told_after)

    def _tell(
        self, action: str, whose: tuple[str, str], before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> None:
        kind, object_id = whose
        caller = self.actor.caller
        self.records.note(
            AuditEntry(
                id=self.new_id(),
                at=self.now,
                by=caller.alias,
                by_token=caller.token,
                address=self.actor.address,
                action=action,
                kind=kind,
                object_id=object_id,
                before=before,
                after=after,
            )
        )


class AuditedRegistry:
    """The registry as the desks use it."""

    def __init__(
        self,
        registry: Registry,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        after_change: Callable[[], None],
    ) -> None:
        """`clock` is UTC; `new_id` makes ids nobody has; `after_change` lets this worker see the change at once."""
        self._registry = registry
        self._clock = clock
        self._new_id = new_id
        self._after_change = after_change
        self._turn = Lock()

    def now(self) -> datetime:
        return self._clock()

    def read(self, work: Callable[[Records], T]) -> T:
        """Run `work` on one snapshot. Raises StoreUnavailable."""
        return self._registry.read(work)

    def change(self, actor: Actor, work: Callable[[Minutes], T]) -> T:
        """Run `work` in one transaction. Raises StoreUnavailable, and what `work` raises, which undoes it all."""
        with self._in_turn(actor):
            result = self._registry.change(lambda records: work(Minutes(records, actor, self._clock(), self._new_id)))
        self._after_change()
        return result

    @contextmanager
    def _in_turn(self, actor: Actor) -> Iterator[None]:
        """Of those who are no administrators one at a time stands in the registry's line: a team's admin who fills it
        with changes of 500 keys could else not be blocked. Raises StoreUnavailable.
        """
        if is_administrator(actor.caller):
            yield
            return
        if not self._turn.acquire(timeout=_TURN_SECONDS):
            raise StoreUnavailable(
                "Changes by other teams' admins have not come to an end. Try again in a few seconds.",
                retry_after=_RETRY_AFTER_SECONDS,
            )
        try:
            yield
        finally:
            self._turn.release()


def written(record: Any) -> dict[str, Any]:
    """A record as JSON has it, flat enough to read; a key's token is a hash and may be shown."""
    found: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            found |= written(value)
        else:
            found[field.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, tuple | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return value


def _object_id(record: Record) -> str:
    if isinstance(record, Member):
        return f"{record.team_id}/{record.user_id}"
    return getattr(record, "id", "")
