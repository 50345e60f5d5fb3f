"""The keys and customers that a worker knows, so that a call with one costs no query, and how it learns that they
changed.

    poll()                  four times a second, in the background: what changed since the version seen last is
                            forgotten
    by_token, customer ...  what is known; else one look-up, however many calls wait for it

While the database is away, what is known goes on for a while, and nothing else is asked of it than a poll a second.
"""

from collections.abc import Callable

from app.core.accounts import KeyGrant
from app.core.limits import PayingCustomer
from app.gateway.known_grants import KnownGrants, sources_of_customer, sources_of_key
from app.gateway.look_ups import LookUps
from app.gateway.ports import KeySource
from app.gateway.registry_watch import Freshness, RegistryWatch
from app.gateway.turnstile import Turnstile

# Some 3 KB each, so 30 MB of keys at most; what finds nothing costs less
_CAPACITY = 10_000
_LOOK_UPS_THAT_FIND_NOTHING = 20


class KeyDirectory:
    """Finds keys and customers, and forgets those that changed."""

    def __init__(self, source: KeySource, known_key_seconds: float, clock: Callable[[], float]) -> None:
        """`known_key_seconds`: how long keys are believed while nobody can be asked. `clock` is monotonic."""
        self._source = source
        self._watch = RegistryWatch(source, known_key_seconds, clock)
        turnstile = Turnstile(_LOOK_UPS_THAT_FIND_NOTHING, clock)
        self._keys = LookUps(
            self._watch,
            KnownGrants(_CAPACITY, sources_of_key),
            turnstile,
            {"token": "key", "access_key_id": "key"},
        )
        self._customers = LookUps(
            self._watch, KnownGrants(_CAPACITY, sources_of_customer), turnstile, {"customer": "end user"}
        )
        self._watch.tell(self._keys, self._customers)

    def by_token(self, token: str) -> KeyGrant | None:
        """The key of this SHA-256. Raises StoreUnavailable or WorkerFull."""
        return self._keys.find(("token", token), lambda: self._source.by_token(token))

    def by_access_key_id(self, access_key_id: str) -> KeyGrant | None:
        """The key of this issued pair. Raises StoreUnavailable or WorkerFull."""
        return self._keys.find(("access_key_id", access_key_id), lambda: self._source.by_access_key_id(access_key_id))

    def customer(self, customer_id: str) -> PayingCustomer | None:
        """The customer of this id, if there is one; whoever names others, a new one at each call, costs no query.

        Raises StoreUnavailable or WorkerFull.
        """
        name = ("customer", customer_id)
        if not self._customers.may_have(name):
            return None
        return self._customers.find(name, lambda: self._source.customer(customer_id))

    def poll(self) -> float:
        """Learn what changed, or that the database is away. Seconds until the next poll is due."""
        return self._watch.poll()

    def refresh(self) -> None:
        """Learn at once of a change that this worker made, before it says that it is made."""
        self._watch.refresh()

    def freshness(self) -> Freshness:
        """For probes, which ask the database nothing that the poller does not."""
        return self._watch.freshness()
