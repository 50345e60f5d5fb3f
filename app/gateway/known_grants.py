"""What a worker knows of one kind of thing, bounded, and found again by everything whose change makes it wrong."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.core.accounts import KeyGrant
from app.core.limits import PayingCustomer
from app.core.registry_messages import ChangedName

G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class Known(Generic[G]):
    """What a name stands for, None: nothing has it; and the registry's version when it was looked up."""

    grant: G | None
    version: int


class KnownGrants(Generic[G]):
    """The most recently used of what was looked up, found and not found apart: a flood of either spares the other."""

    def __init__(self, capacity: int, sources: Callable[[G], set[ChangedName]]) -> None:
        """`capacity`: so many that were found, and so many that were not.

        `sources`: everything whose change makes a grant another, also of what is not there yet.
        """
        self._capacity = capacity
        self._sources = sources
        self._found: OrderedDict[ChangedName, Known[G]] = OrderedDict()
        self._missing: OrderedDict[ChangedName, Known[G]] = OrderedDict()
        self._found_by: dict[ChangedName, set[ChangedName]] = {}

    def __len__(self) -> int:
        return len(self._found) + len(self._missing)

    def get(self, name: ChangedName) -> Known[G] | None:
        """What is known of a name by which things are looked up, if anything is.

        For any thread at any time: what another forgets at this moment was known until now.
        """
        for shelf in (self._found, self._missing):
            known = shelf.get(name)
            if known:
                with suppress(KeyError):
                    shelf.move_to_end(name)
                return known
        return None

    def put(self, name: ChangedName, grant: G | None, version: int) -> None:
        """Remember it, as it was at `version`; what was not used for longest is forgotten."""
        self._forget(name)
        shelf = self._found if grant else self._missing
        shelf[name] = Known(grant, version)
        for source in self._sources(grant) if grant else ():
            self._found_by.setdefault(source, set()).add(name)
        if len(shelf) > self._capacity:
            self._forget(next(iter(shelf)))

    def drop(self, changed: ChangedName, version: int) -> None:
        """Forget what the thing of this name, which changed up to `version`, had a part in.

        What was looked up at that version or later is as it is since the change, and is kept.
        """
        for name in (changed, *self._found_by.get(changed, ())):
            known = self._found.get(name) or self._missing.get(name)
            if known and known.version < version:
                self._forget(name)

    def clear(self) -> None:
        """Forget everything."""
        self._found.clear()
        self._missing.clear()
        self._found_by.clear()

    def _forget(self, name: ChangedName) -> None:
        self._missing.pop(name, None)
        known = self._found.pop(name, None)
        for source in self._sources(known.grant) if known and known.grant else ():
            names = self._found_by[source]
            names.discard(name)
            if not names:
                del self._found_by[source]


def sources_of_key(grant: KeyGrant) -> set[ChangedName]:
    """By the ids in the key: its team may be gone, and come back."""
    key = grant.key
    named = [
        ("key", key.id),
        ("token", key.token),
        ("access_key_id", key.access_key_id),
        ("team", key.team_id),
        ("user", key.user_id),
        ("budget", key.budget_id),
        *(("team", team_id) for team_id in grant.admin_of),
    ]
    return {(kind, value) for kind, value in named if value is not None}


def sources_of_customer(paying: PayingCustomer) -> set[ChangedName]:
    customer = paying.customer
    names: set[ChangedName] = {("customer", customer.id)}
    return names | {("budget", customer.budget_id)} if customer.budget_id is not None else names
