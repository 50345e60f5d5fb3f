"""The registry of keys and accounts (app/gateway/ports.py: Registry), held in memory: what the stores do, in a page.

A change that raises leaves nothing behind. `notes` is the audit log, `version` moves with every change that put or
removed something, and `fail` makes every use of it raise StoreUnavailable.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from app.core.accounts import (
    AuditEntry,
    Budget,
    Customer,
    KeySecret,
    Member,
    Record,
    Spender,
    Stamps,
    Team,
    User,
    VirtualKey,
)
from app.core.errors import StoreUnavailable
from app.core.ledger_entries import Account
from app.core.registry_messages import AccountQuery, AuditQuery, KeyQuery, Page

T = TypeVar("T")
NOW = datetime(2026, 11, 22, 10, 16, 43, 407000, tzinfo=UTC)
STAMPS = Stamps(NOW, "master", NOW, "master")
ZERO = Decimal(0)
RESET_AT_ONCE = 2
EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


class FakeRegistry:
    """Give it records to begin with."""

    def __init__(self, *records: Record, clock: Callable[[], datetime] = lambda: NOW) -> None:
        self.version = 1
        self.fail = False
        self.contents = FakeRecords(clock)
        for record in records:
            self.contents.put(record)
            if isinstance(record, Spender):
                self.contents._move(record, record.spend, record.total_spend)

    @property
    def notes(self) -> list[AuditEntry]:
        return self.contents.notes

    def read(self, work: Callable[["FakeRecords"], T]) -> T:
        self._answer()
        return work(self.contents)

    def change(self, work: Callable[["FakeRecords"], T]) -> T:
        self._answer()
        before = self.contents.copy()
        try:
            result = work(self.contents)
        except BaseException:
            self.contents = before
            raise
        self.version += self.contents.changed > before.changed
        return result

    def _answer(self) -> None:
        if self.fail:
            raise StoreUnavailable("The database does not answer.", retry_after=1)


class FakeRecords:
    """What is kept, by what identifies it, in the order it came."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: dict[tuple[type[Any], str], Any] = {}
        self.notes: list[AuditEntry] = []
        # how, of which account, how much, by whom
        self.adjustments: list[tuple[str, str, Decimal, str]] = []
        self.changed = 0

    def copy(self) -> "FakeRecords":
        other = FakeRecords(self._clock)
        other._kept, other.notes, other.changed = dict(self._kept), list(self.notes), self.changed
        other.adjustments = list(self.adjustments)
        return other

    def put(self, record: Record) -> None:
        self.changed += 1
        if isinstance(record, VirtualKey):
            others = [key for key in self._all(VirtualKey) if key.id != record.id]
            assert record.token not in {key.token for key in others}, "two keys of one token"
        kept = self._kept.get((type(record), _identity(record)))
        if isinstance(record, Spender):
            spent = (kept.spend, kept.total_spend) if kept else (ZERO, ZERO)
            record = replace(record, spend=spent[0], total_spend=spent[1])
        self._kept[type(record), _identity(record)] = deepcopy(record)

    def set_spend(self, account: Spender, spend: Decimal, by: str) -> None:
        self._move(account, spend, self._kept[type(account), account.id].total_spend)
        self.adjustments.append(("set", account.id, spend, by))

    def carry_spend(self, account: Spender, amount: Decimal, by: str) -> None:
        kept = self._kept[type(account), account.id]
        self._move(account, kept.spend + amount, kept.total_spend + amount)
        self.adjustments.append(("carried", account.id, amount, by))

    def reset_spends(self, after: Account | None, by: str) -> tuple[tuple[Account, Decimal], ...]:
        spenders: dict[Account, VirtualKey | Team] = {Account("key", key.id): key for key in self._all(VirtualKey)}
        spenders |= {Account("team", team.id): team for team in self._all(Team)}
        left = sorted(one for one, spender in spenders.items() if spender.spend and (after is None or one > after))
        found = [(account, spenders[account]) for account in left[:RESET_AT_ONCE]]
        for _, account in found:
            self.set_spend(account, ZERO, by)
        return tuple((account, spender.spend) for account, spender in found)

    def _move(self, account: Spender, spend: Decimal, total_spend: Decimal) -> None:
        kept = self._kept[type(account), account.id]
        self._kept[type(account), account.id] = replace(kept, spend=spend, total_spend=total_spend)

    def remove(self, record: Record) -> None:
        self.changed += 1
        del self._kept[type(record), _identity(record)]
        if isinstance(record, VirtualKey):
            self._drop(secret for secret in self._all(KeySecret) if secret.key_id == record.id)
        if isinstance(record, Team):
            self._drop(member for member in self._all(Member) if member.team_id == record.id)

    def note(self, entry: AuditEntry) -> None:
        self.notes.append(entry)

    def key(self, token_or_id: str) -> VirtualKey | None:
        secret = self._one(KeySecret, token_or_id)
        if secret and (secret.expires_at is None or secret.expires_at > self._clock()):
            return self._one(VirtualKey, secret.key_id)
        current = (key for key in self._all(VirtualKey) if key.token == token_or_id)
        return self._one(VirtualKey, token_or_id) or next(current, None)

    def keys_named(self, alias: str) -> tuple[VirtualKey, ...]:
        return _newest_first(key for key in self._all(VirtualKey) if key.alias == alias)

    def keys(self, query: KeyQuery) -> Page[VirtualKey]:
        found = [key for key in self._all(VirtualKey) if _fits(key, query)]
        found.sort(key=lambda key: (_sorting(key, query.sort_by), key.id), reverse=query.descending)
        return _page(found, query.page, query.size)

    def secrets(self, key_id: str) -> tuple[KeySecret, ...]:
        return tuple(secret for secret in self._all(KeySecret) if secret.key_id == key_id)

    def team(self, team_id: str) -> Team | None:
        return self._one(Team, team_id)

    def teams(self, query: AccountQuery) -> Page[Team]:
        return self._accounts(Team, query, lambda _: True)

    def members(self, team_id: str) -> tuple[Member, ...]:
        return tuple(member for member in self._all(Member) if member.team_id == team_id)

    def memberships(self, user_id: str) -> tuple[Member, ...]:
        return tuple(member for member in self._all(Member) if member.user_id == user_id)

    def user(self, user_id: str) -> User | None:
        return self._one(User, user_id)

    def users(self, query: AccountQuery) -> Page[User]:
        members = {member.user_id for member in self.members(query.team_id or "")}
        return self._accounts(
            User, query, lambda user: query.role in (None, user.role) and (query.team_id is None or user.id in members)
        )

    def customer(self, customer_id: str) -> Customer | None:
        return self._one(Customer, customer_id)

    def customers(self, query: AccountQuery) -> Page[Customer]:
        return self._accounts(
            Customer,
            query,
            lambda one: query.team_id in (None, one.team_id) and query.budget_id in (None, one.budget_id),
        )

    def budget(self, budget_id: str) -> Budget | None:
        return self._one(Budget, budget_id)

    def budgets(self) -> tuple[Budget, ...]:
        return _newest_first(self._all(Budget))

    def audit(self, query: AuditQuery) -> Page[AuditEntry]:
        wanted = {"kind": query.kind, "object_id": query.object_id, "action": query.action, "by": query.by}
        found = [
            entry
            for entry in reversed(self.notes)
            if all(value in (None, getattr(entry, name)) for name, value in wanted.items())
            and (query.since is None or query.since <= entry.at)
            and (query.until is None or entry.at < query.until)
        ]
        return _page(found, query.page, query.size)

    def _accounts(self, kind: type[T], query: AccountQuery, fits: Callable[[T], bool]) -> Page[T]:
        found = [one for one in _newest_first(self._all(kind)) if fits(one) and _is_asked_for(one, query)]
        return _page(found, query.page, query.size)

    def _one(self, kind: type[T], identity: str) -> T | None:
        return deepcopy(self._kept.get((kind, identity)))

    def _all(self, kind: type[T]) -> list[T]:
        return [deepcopy(one) for (kept, _), one in self._kept.items() if kept is kind]

    def _drop(self, records: Iterable[Record]) -> None:
        for record in list(records):
            self._kept.pop((type(record), _identity(record)), None)


def _identity(record: Any) -> str:
    if isinstance(record, Member):
        return f"{record.team_id}\0{record.user_id}"
    return str(record.token if isinstance(record, KeySecret) else record.id)


def _fits(key: VirtualKey, query: KeyQuery) -> bool:
    status = "blocked" if key.blocked else "expired" if key.expired(query.now) else "active"
    wanted = [
        (query.user_id, key.user_id),
        (query.team_id, key.team_id),
        (query.budget_id, key.budget_id),
        (query.token, key.token),
        (query.alias, key.alias),
        (query.created_by, key.stamps.created_by),
        (query.status, status),
    ]
    return (
        all(value in (None, found) for value, found in wanted)
        and (query.search is None or any(query.search.lower() in (text or "").lower() for text in (key.alias, key.id)))
        and (key.alias is not None or not query.named)
        and (query.visible is None or key.id == query.visible[0] or key.team_id in query.visible[1])
    )


def _sorting(key: VirtualKey, by: str) -> Any:
    return {
        "created_at": key.stamps.created_at,
        "updated_at": key.stamps.updated_at,
        "key_alias": key.alias or "",
        "spend": key.spend,
        "expires": key.expires_at or EARLIEST,
    }[by]


def _is_asked_for(one: Any, query: AccountQuery) -> bool:
    texts = [getattr(one, name, None) or "" for name in ("id", "alias", "email")]
    return (query.ids is None or one.id in query.ids) and (
        query.search is None or any(query.search.lower() in text.lower() for text in texts)
    )


def _newest_first(records: Iterable[T]) -> tuple[T, ...]:
    # sorting is stable: of one moment, what came later is newer
    backwards = list(records)[::-1]
    return tuple(sorted(backwards, key=_made_at, reverse=True))


def _made_at(record: Any) -> datetime:
    made: datetime = record.stamps.created_at
    return made


def _page(found: Sequence[T], page: int, size: int) -> Page[T]:
    return Page(tuple(found[(page - 1) * size : page * size]), len(found))
