"""Things of one kind, found by their names: known ones without a query, others by one look-up, however many calls wait
for it.

What was looked up is kept only if the registry had not moved past it meanwhile: else a look-up that was under way
while a key was blocked would bring it back.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.core.errors import StoreUnavailable
from app.core.registry_messages import ChangedName, LookUp
from app.gateway.issued_names import IssuedNames
from app.gateway.known_grants import Known, KnownGrants
from app.gateway.registry_watch import RegistryWatch
from app.gateway.turnstile import Pass, Turnstile

G = TypeVar("G")
# Where the registry moves faster than it is read, what was read last is the answer, and is not kept
_TRIES = 3
# longer than the store waits for its database
_WAIT_SECONDS = 15.0
_RETRY_AFTER_SECONDS = 1


@dataclass(slots=True)
class _Flight(Generic[G]):
    """One look-up under way, and what came of it: nothing, where it failed."""

    ended: threading.Event = field(default_factory=threading.Event)
    answer: LookUp[G] | None = None
    kept: bool = False


class LookUps(Generic[G]):
    """What a worker knows of one kind of things, and how it gets to know more."""

    def __init__(
        self, watch: RegistryWatch, known: KnownGrants[G], turnstile: Turnstile, kinds: dict[str, str]
    ) -> None:
        """`kinds`: of the names by which these things are looked up, and what to call a thing that has one."""
        self._watch = watch
        self._known = known
        self._turnstile = turnstile
        self._kinds = kinds
        self._issued = IssuedNames()
        self._flights: dict[ChangedName, _Flight[G]] = {}

    def find(self, name: ChangedName, look_up: Callable[[], LookUp[G]]) -> G | None:
        """What has the name, if anything does. Raises StoreUnavailable or WorkerFull."""
        self._watch.poll_if_late()
        answer = None
        for _ in range(_TRIES):
            known = self._believed(name)
            if known:
                return known.grant
            flight = self._board(name, look_up)
            answer = flight.answer
            if flight.kept:
                break
        if answer is None:
            raise self._unavailable(name)
        return answer.grant

    def may_have(self, name: ChangedName) -> bool:
        """Whether to look up at all: a name that nothing has costs no query. Raises StoreUnavailable.

        Once nobody could be asked for too long a name that is new may stand for something, unless nothing had any.
        """
        self._watch.poll_if_late()
        if name in self._issued:
            return True
        if self._watch.version is None or (self._watch.expired and self._issued):
            raise self._unavailable(name)
        return False

    def learn_names(self, names: Iterable[ChangedName]) -> None:
        """All names there are, of all kinds."""
        self._issued.replace(name for name in names if name[0] in self._kinds)

    def forget(self, names: Iterable[ChangedName] | None, version: int) -> None:
        """What changed up to `version`; None: anything may have. The watch's lock is held."""
        if names is None:
            self._known.clear()
        for name in names or ():
            self._known.drop(name, version)
            if name[0] in self._kinds:
                self._issued.add(name)

    def _believed(self, name: ChangedName) -> Known[G] | None:
        """What is known and may still be acted on. Raises StoreUnavailable where it cannot be asked for either."""
        known = self._known.get(name)
        if self._watch.expired or not (known or self._watch.answers):
            raise self._unavailable(name)
        return known

    def _board(self, name: ChangedName, look_up: Callable[[], LookUp[G]]) -> _Flight[G]:
        """The look-up of this name: the one under way, waited for, or one made now."""
        with self._watch.lock:
            under_way = self._flights.get(name)
            flight = under_way or self._flights.setdefault(name, _Flight())
        if under_way:
            under_way.ended.wait(_WAIT_SECONDS)
            return under_way
        try:
            with self._place(name) as place:
                answer = look_up()
                place.found = answer.grant is not None
            self._keep(name, flight, answer)
        except StoreUnavailable as error:
            self._watch.lose(error.reason)
            raise self._unavailable(name) from None
        finally:
            with self._watch.lock:
                del self._flights[name]
            flight.ended.set()
        return flight

    def _place(self, name: ChangedName) -> Pass:
        """What was issued needs no place among the look-ups that may find nothing."""
        return Pass(lambda found: None) if name in self._issued else self._turnstile.enter()

    def _keep(self, name: ChangedName, flight: _Flight[G], answer: LookUp[G]) -> None:
        with self._watch.lock:
            flight.answer = answer
            # what changed up to the version seen last will not be told again
            flight.kept = self._watch.version is not None and answer.version >= self._watch.version
            if flight.kept:
                self._known.put(name, answer.grant, answer.version)

    def _unavailable(self, name: ChangedName) -> StoreUnavailable:
        return StoreUnavailable(
            f"The database of keys does not answer, and this {self._kinds[name[0]]} cannot be checked without it: "
            "try again.",
            retry_after=_RETRY_AFTER_SECONDS,
        )
