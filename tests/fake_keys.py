"""Keys without a database: a registry's versions in memory, and whoever needs a doorman."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from app.core.accounts import Customer, KeyGrant, Stamps, Team, User, VirtualKey
from app.core.errors import StoreUnavailable
from app.core.key_pairs import KeyPairs
from app.core.limits import PayingCustomer
from app.core.registry_messages import ChangedName, Changes, LookUp
from app.core.virtual_keys import name_of, token_of
from app.gateway.doorman import Doorman
from app.gateway.key_directory import KeyDirectory
from app.gateway.ports import KeySource
from tests.fakes import Clock
from tests.gateway_process import MASTER_KEY

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMPS = Stamps(NOW, "master", NOW, "master")
TEXT = "sk-team-0123456789abcdef"
SECRET_KEY = "0123456789abcdef0123456789abcdef"
PAIR_ID = "OCAK" + "ABCDEFGH234567AB"


def a_key(text: str = TEXT, **changes: object) -> VirtualKey:
    """The key of this text."""
    key = VirtualKey(id=f"id-of-{name_of(text)}", token=token_of(text), key_name=name_of(text), stamps=STAMPS)
    return replace(key, **changes)  # type: ignore[arg-type]  # any of its fields


def a_team(team_id: str = "team-1", **changes: object) -> Team:
    return replace(Team(id=team_id, stamps=STAMPS), **changes)  # type: ignore[arg-type]  # any of its fields


def a_user(user_id: str = "user-1", **changes: object) -> User:
    return replace(User(id=user_id, stamps=STAMPS), **changes)  # type: ignore[arg-type]  # any of its fields


def a_customer(customer_id: str = "ada", **changes: object) -> Customer:
    return replace(Customer(id=customer_id, stamps=STAMPS), **changes)  # type: ignore[arg-type]  # any of its fields


class FakeKeySource:
    """A registry that counts what it is asked. `during` is called in a look-up, after what it answers was read."""

    def __init__(self, *grants: KeyGrant) -> None:
        self.version = 1
        self.down = False
        self.look_ups: list[ChangedName] = []
        self.polls: list[int] = []
        self.forgets_changes = False
        self.during: Callable[[], None] = lambda: None
        self._grants: dict[ChangedName, KeyGrant] = {}
        self._customers: dict[str, PayingCustomer] = {}
        self._changes: list[tuple[int, ChangedName]] = []
        for grant in grants:
            self._place(grant)

    def put(self, grant: KeyGrant, *changed: ChangedName) -> None:
        """Another state of a key; `changed` names what made it so, else the key."""
        self._place(grant)
        self._bump(*(changed or (("key", grant.key.id), ("token", grant.key.token))))

    def remove(self, grant: KeyGrant) -> None:
        self._grants = {name: one for name, one in self._grants.items() if one.key.id != grant.key.id}
        self._bump(("key", grant.key.id))

    def put_customer(self, paying: PayingCustomer, *changed: ChangedName) -> None:
        """The same of a customer."""
        self._customers[paying.customer.id] = paying
        self._bump(*(changed or (("customer", paying.customer.id),)))

    def remove_customer(self, customer_id: str) -> None:
        del self._customers[customer_id]
        self._bump(("customer", customer_id))

    def by_token(self, token: str) -> LookUp[KeyGrant]:
        return self._look_up(("token", token))

    def by_access_key_id(self, access_key_id: str) -> LookUp[KeyGrant]:
        return self._look_up(("access_key_id", access_key_id))

    def customer(self, customer_id: str) -> LookUp[PayingCustomer]:
        self.look_ups.append(("customer", customer_id))
        self._refuse_if_down()
        read = LookUp(self.version, self._customers.get(customer_id))
        self.during()
        return read

    def issued_names(self) -> list[ChangedName]:
        self._refuse_if_down()
        return [*self._grants, *(("customer", customer_id) for customer_id in self._customers)]

    def changes_since(self, version: int) -> Changes:
        self.polls.append(version)
        self._refuse_if_down()
        if self.forgets_changes:
            return Changes(self.version, None)
        return Changes(self.version, frozenset(name for at, name in self._changes if at > version))

    def _look_up(self, name: ChangedName) -> LookUp[KeyGrant]:
        self.look_ups.append(name)
        self._refuse_if_down()
        read = LookUp(self.version, self._grants.get(name))
        self.during()
        return read

    def _place(self, grant: KeyGrant) -> None:
        self._grants["token", grant.key.token] = grant
        if grant.key.access_key_id:
            self._grants["access_key_id", grant.key.access_key_id] = grant

    def _bump(self, *names: ChangedName) -> None:
        self.version += 1
        self._changes += [(self.version, name) for name in names]

    def _refuse_if_down(self) -> None:
        if self.down:
            raise StoreUnavailable("The database does not answer.")


def a_doorman(
    *grants: KeyGrant,
    master_key: str | None = MASTER_KEY,
    secret_keys: tuple[str, ...] = (SECRET_KEY,),
    now: Callable[[], datetime] = lambda: NOW,
) -> Doorman:
    """One who knows these keys."""
    directory = KeyDirectory(FakeKeySource(*grants), 300, Clock())
    return Doorman(master_key, directory, KeyPairs(secret_keys), now)


_PORT: KeySource = FakeKeySource()
