"""A key desk on a registry in memory, and those who come to it: each with things of its own, of its team, and none."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any

from app.core.accounts import KeyGrant, Member, Record, Team, User, VirtualKey
from app.core.callers import MASTER, Actor, caller_of
from app.core.key_orders import KeyOrder
from app.core.key_pairs import KeyPairs
from app.core.virtual_keys import token_of
from app.gateway.audited_changes import AuditedRegistry
from app.gateway.key_changes import IssuedKey, KeyMaker
from app.gateway.key_desk import KeyDesk
from tests.fake_registry import NOW, STAMPS, FakeRegistry

MASTER_KEY = "sk-the-administrator-0123456789"
ADMINISTRATOR = Actor(MASTER, "203.0.113.7")
SECRET_KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Setting:
    """A desk, its registry, and a clock that stands still until it is moved."""

    records: tuple[Record, ...] = ()
    secret_keys: tuple[str, ...] = ()
    now: datetime = NOW
    refreshed: int = 0
    registry: FakeRegistry = field(init=False)
    desk: KeyDesk = field(init=False)

    def __post_init__(self) -> None:
        self.registry = FakeRegistry(*self.records, clock=lambda: self.now)
        numbers = count(1)
        maker = KeyMaker(
            new_text=lambda: f"sk-made-0123456789abcdef-{next(numbers):04}",
            new_access_key_id=_access_key_ids().__next__,
            pairs=KeyPairs(self.secret_keys),
            reserved=frozenset({token_of(MASTER_KEY)}),
        )
        audited = AuditedRegistry(self.registry, lambda: self.now, lambda: f"id-{next(numbers)}", self._refresh)
        self.desk = KeyDesk(audited, maker, lambda entries: [one for one in entries if one == "Nonsense"])

    def issue(self, **order: Any) -> IssuedKey:
        return self.desk.issue(ADMINISTRATOR, KeyOrder(**order))

    def stored(self, key: VirtualKey) -> VirtualKey:
        found = self.registry.contents.key(key.id)
        assert found
        return found

    def _refresh(self) -> None:
        self.refreshed += 1


def a_team(name: str) -> Team:
    return Team(id=name, stamps=STAMPS)


def a_user(name: str, **changes: Any) -> User:
    return replace(User(id=name, stamps=STAMPS), **changes)


def an_admin_of(*teams: str, **key: Any) -> Actor:
    """The admin of teams, with a key of its own."""
    mine = VirtualKey("key-of-admin", "token-of-admin", "sk-...dmin", STAMPS, user_id="boss", **key)
    return Actor(caller_of(KeyGrant(mine, admin_of=frozenset(teams))))


def a_member(team: str, user: str, **changes: Any) -> Member:
    return replace(Member(team, user), **changes)


def a_holder(key: VirtualKey, user: User | None = None) -> Actor:
    """Who has just this key."""
    return Actor(caller_of(KeyGrant(key, user=user)))


def _access_key_ids() -> Iterator[str]:
    return (f"OCAK{letter * 16}" for letter in "ABCDEFGH")
