"""The registry of keys and accounts: the gateway's ports Registry and KeySource, on the database.

Every change first locks the version, so that changes happen one after the other and what one has read stays true until
it ends; it ends with the next version and the names of what it touched, or leaves no trace.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, insert, update

from app.core.accounts import (
    AuditEntry,
    Budget,
    Customer,
    KeyGrant,
    KeySecret,
    Member,
    Record,
    Spender,
    Team,
    User,
    VirtualKey,
)
from app.core.budget_windows import window_of
from app.core.ledger_entries import Account, AccountKind, Adjustment
from app.core.limits import PayingCustomer, with_budget
from app.core.registry_messages import ChangedName, Changes, LookUp
from app.store import adjustments, audit, changes
from app.store.accounts import AccountReads
from app.store.audit import AuditReads
from app.store.customers import customer_names, look_up_customer
from app.store.database import Database
from app.store.keys import BY_ACCESS_KEY_ID, BY_TOKEN, KeyReads, issued_names, look_up
from app.store.records import TABLES, row_of
from app.store.rows import KEYS

T = TypeVar("T")


class Snapshot(KeyReads, AccountReads, AuditReads):
    """The gateway's port Records."""


class Change(Snapshot):
    """The gateway's port Changing. `names`: what was put or removed so far."""

    def __init__(self, connection: Connection, clock: Callable[[], datetime]) -> None:
        super().__init__(connection, clock, locks=True)
        self.names: set[ChangedName] = set()
        self._adjustments: list[Adjustment] = []

    def put(self, record: Record) -> None:
        """Insert, or replace what has the same identity.

        A key brings its current text along: the one it had before is found no more, unless it was put as a KeySecret
        with an end. Raises InvalidField for values that cannot be stored.
        """
        self._store(record)
        self.names.update(_names(record))
        if isinstance(record, VirtualKey):
            self._follow(record)

    def remove(self, record: Record) -> None:
        """A key's texts go with it, a team's and a user's memberships too. The key's row stays, marked as deleted."""
        self.names.update(_names(record))
        if isinstance(record, VirtualKey):
            for secret in self.secrets(record.id):
                self.remove(secret)
            gone = update(KEYS).where(KEYS.c.id == record.id).values(deleted_at=self._clock())
            self._connection.execute(gone)
            return
        if isinstance(record, Team):
            self._leave(self.members(record.id))
        elif isinstance(record, User):
            self._leave(self.memberships(record.id))
        self._connection.execute(_DELETES[type(record)], _identity(type(record), row_of(record)))

    def note(self, entry: AuditEntry) -> None:
        """Write to the audit log."""
        audit.write(self._connection, entry)

    def set_spend(self, account: Spender, spend: Decimal, by: str) -> None:
        """Set what an account spent in its budget's window, by `finish`."""
        self._adjustments.append(replace(self._adjustment(account, by), spend=spend))

    def carry_spend(self, account: Spender, amount: Decimal, by: str) -> None:
        """Add what it spent elsewhere to the window's spend and to all, by `finish`."""
        self._adjustments.append(replace(self._adjustment(account, by), carried=amount))

    def reset_spends(self, after: Account | None, by: str) -> tuple[tuple[Account, Decimal], ...]:
        """Set to 0 what the next keys and teams spent in their windows, by `finish`; each with what it had spent."""
        now = self._clock()
        found = adjustments.spenders(self._connection, after, now)
        for account, window, _ in found:
            names = {adjustments.NAMED[account.kind]: account.id}
            self._adjustments.append(Adjustment(account, window, by, spend=Decimal(0), names=names))
        return tuple((account, spend) for account, _, spend in found)

    def finish(self) -> None:
        """Write what was adjusted, after all else: it locks what every call writes."""
        if self._adjustments:
            adjustments.adjust(self._connection, self._adjustments, self._clock())

    def _adjustment(self, spender: Spender, by: str) -> Adjustment:
        budget_id = getattr(spender, "budget_id", None)
        limits = with_budget(spender.limits, self.budget(budget_id) if budget_id else None)
        return Adjustment(
            account=Account(_SPENDERS[type(spender)], spender.id),
            window=window_of(limits, self._clock()),
            by=by,
            names=_entry_names(spender),
        )

    def _store(self, record: Record) -> None:
        kind, row = type(record), row_of(record)
        if kind is VirtualKey:
            row["deleted_at"] = None
        if self._connection.execute(_UPDATES[kind], row | _identity(kind, row)).rowcount == 0:
            self._connection.execute(_INSERTS[kind], row)

    def _follow(self, key: VirtualKey) -> None:
        current = KeySecret(key.token, key.id, key.access_key_id)
        known = self.secrets(key.id)
        for secret in known:
            if secret.token == key.token and secret != current:
                self.names.update(_names(secret))
            elif secret.token != key.token and secret.expires_at is None:
                self.remove(secret)
        if current not in known:
            self.put(current)

    def _leave(self, members: tuple[Member, ...]) -> None:
        for member in members:
            self.remove(member)


class Registry:
    """Raises StoreUnavailable from every method."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """`clock`: UTC, for what is deleted and for texts whose grace is over."""
        self._database = database
        self._clock = clock

    def read(self, work: Callable[[Snapshot], T]) -> T:
        """Run `work` in one snapshot."""
        with self._database.snapshot() as connection:
            return work(Snapshot(connection, self._clock))

    def change(self, work: Callable[[Change], T]) -> T:
        """Run `work` in one transaction. What `work` raises undoes all of it."""
        with self._database.change() as connection:
            version = changes.lock_version(connection)
            change = Change(connection, self._clock)
            result = work(change)
            change.finish()
            if change.names:
                changes.record(connection, version, change.names)
            return result

    def by_token(self, token: str) -> LookUp[KeyGrant]:
        """The key of this SHA-256 hex, and the version at that moment. One query."""
        with self._database.statement() as connection:
            return look_up(connection, BY_TOKEN, token, self._clock())

    def by_access_key_id(self, access_key_id: str) -> LookUp[KeyGrant]:
        """The key of this issued pair, and the version at that moment. One query."""
        with self._database.statement() as connection:
            return look_up(connection, BY_ACCESS_KEY_ID, access_key_id, self._clock())

    def customer(self, customer_id: str) -> LookUp[PayingCustomer]:
        """The customer of this id with the budget it names, and the version at that moment. One query."""
        with self._database.statement() as connection:
            return look_up_customer(connection, customer_id, self._clock())

    def issued_names(self) -> list[ChangedName]:
        """Every token, access key id and customer that there is. Two queries: what changes in between is told of."""
        with self._database.statement() as connection:
            names = issued_names(connection)
        with self._database.statement() as connection:
            return names + customer_names(connection)

    def changes_since(self, version: int) -> Changes:
        """What changed after `version`. One query."""
        with self._database.statement() as connection:
            return changes.changes_since(connection, version)


def _identified(table: Table) -> list[ColumnElement[bool]]:
    return [column == bindparam(f"its_{column.name}") for column in table.primary_key]


def _identity(kind: type[Any], row: dict[str, Any]) -> dict[str, Any]:
    """The values for _identified."""
    return {f"its_{column.name}": row[column.name] for column in TABLES[kind].primary_key}


# Made once: SQLAlchemy takes longer to make a statement of 40 values than the database to carry it out.
_INSERTS = {kind: insert(table) for kind, table in TABLES.items()}
_UPDATES = {kind: update(table).where(*_identified(table)) for kind, table in TABLES.items()}
_DELETES = {kind: delete(table).where(*_identified(table)) for kind, table in TABLES.items()}


def _names(record: Record) -> list[ChangedName]:
    if isinstance(record, KeySecret):
        names = [("key", record.key_id), ("token", record.token)]
        return [*names, ("access_key_id", record.access_key_id)] if record.access_key_id else names
    if isinstance(record, Member):
        return [("team", record.team_id), ("user", record.user_id)]
    return [(_KINDS[type(record)], record.id)]


def _entry_names(spender: Spender) -> dict[str, Any]:
    """Whose line of the ledger it is, as Entry has it."""
    names: dict[str, Any] = {adjustments.NAMED[_SPENDERS[type(spender)]]: spender.id}
    if isinstance(spender, VirtualKey):
        names |= {"key_token": spender.token, "key_alias": spender.alias}
    if isinstance(spender, Team):
        names["team_alias"] = spender.alias
    return names


_SPENDERS: dict[type[Any], AccountKind] = {VirtualKey: "key", Team: "team", User: "user", Customer: "customer"}
_KINDS: dict[type[Any], str] = {VirtualKey: "key", Team: "team", User: "user", Customer: "customer", Budget: "budget"}
