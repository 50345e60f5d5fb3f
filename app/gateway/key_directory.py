"""The keys that a worker knows, so that a call with one costs no query, and how it learns that they changed.

    poll()     four times a second, in the background: what changed since the version seen last is forgotten
    grant_of   a key that is known; else one look-up, however many calls wait for it

What was looked up is kept only if the registry had not moved past it meanwhile: else a look-up that was under way
while a key was blocked would bring it back. While the database is away, keys that are known go on for a while, and
nothing else is asked of it than a poll a second.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from app.core.accounts import KeyGrant
from app.core.errors import StoreUnavailable
from app.core.registry_messages import ChangedName, Changes, LookUp
from app.gateway.issued_names import IssuedNames
from app.gateway.known_keys import Known, KnownKeys
from app.gateway.ports import KeySource
from app.gateway.turnstile import Pass, Turnstile

# A revocation must hold everywhere within 1 s: this, and a poll that comes late
POLL_SECONDS = 0.25
_PROBE_SECONDS = 1.0
# A poll so late is made by the next call: by a worker too busy for its poller, or one that has none (`flask run`).
_LATE_SECONDS = 0.5
# Some 3 KB each, so 30 MB of keys at most; what finds nothing costs less
_CAPACITY = 10_000
_LOOK_UPS_THAT_FIND_NOTHING = 20
# Where the registry moves faster than it is read, what was read last is the answer, and is not kept
_TRIES = 3
# longer than the store waits for its database
_WAIT_SECONDS = 15.0
_RETRY_AFTER_SECONDS = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How well a worker knows the keys.

    `age`: seconds since it last learnt what changed; `expired`: too long ago for any key to be believed; `answers`:
    whether the database did when it was last asked anything.
    """

    age: float
    expired: bool
    answers: bool


@dataclass(slots=True)
class _Flight:
    """One look-up under way, and what came of it: nothing, where it failed."""

    ended: threading.Event = field(default_factory=threading.Event)
    answer: LookUp | None = None
    kept: bool = False


class KeyDirectory:
    """Finds keys, and forgets those that changed."""

    def __init__(self, source: KeySource, known_key_seconds: float, clock: Callable[[], float]) -> None:
        """`known_key_seconds`: how long keys are believed while nobody can be asked. `clock` is monotonic."""
        self._source = source
        self._known_key_seconds = known_key_seconds
        self._clock = clock
        self._known = KnownKeys(_CAPACITY)
        self._issued = IssuedNames()
        self._turnstile = Turnstile(_LOOK_UPS_THAT_FIND_NOTHING, clock)
        self._flights: dict[ChangedName, _Flight] = {}
        self._version: int | None = None
        self._learnt_at = clock()
        self._due = float("-inf")
        self._answers = True
        self._lock = threading.Lock()
        self._polling = threading.Lock()

    def by_token(self, token: str) -> KeyGrant | None:
        """The key of this SHA-256. Raises StoreUnavailable or WorkerFull."""
        return self._find(("token", token), lambda: self._source.by_token(token))

    def by_access_key_id(self, access_key_id: str) -> KeyGrant | None:
        """The key of this issued pair. Raises StoreUnavailable or WorkerFull."""
        return self._find(("access_key_id", access_key_id), lambda: self._source.by_access_key_id(access_key_id))

    def poll(self) -> float:
        """Learn what changed, or that the database is away. Seconds until the next poll is due."""
        with self._polling:
            self._ask()
        return max(0.0, self._due - self._clock())

    def refresh(self) -> None:
        """Learn at once of a change that this worker made, before it says that it is made."""
        if self._polling.acquire(timeout=_PROBE_SECONDS):
            try:
                self._ask()
            finally:
                self._polling.release()

    def freshness(self) -> Freshness:
        """For probes, which ask the database nothing that the poller does not."""
        self._poll_if_late()
        age = self._clock() - self._learnt_at
        return Freshness(age, age > self._known_key_seconds, self._answers)

    def _find(self, name: ChangedName, look_up: Callable[[], LookUp]) -> KeyGrant | None:
        self._poll_if_late()
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
            raise self._unavailable()
        return answer.grant

    def _believed(self, name: ChangedName) -> Known | None:
        """What is known and may still be acted on. Raises StoreUnavailable where it cannot be asked for either."""
        with self._lock:
            known = self._known.get(name)
        if self._clock() - self._learnt_at > self._known_key_seconds or not (known or self._answers):
            raise self._unavailable()
        return known

    def _board(self, name: ChangedName, look_up: Callable[[], LookUp]) -> _Flight:
        """The look-up of this name: the one under way, waited for, or one made now."""
        with self._lock:
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
            self._lose(error.reason)
            raise self._unavailable() from None
        finally:
            with self._lock:
                del self._flights[name]
            flight.ended.set()
        return flight

    def _place(self, name: ChangedName) -> Pass:
        """What was issued needs no place among the look-ups that may find nothing."""
        return Pass(lambda found: None) if name in self._issued else self._turnstile.enter()

    def _keep(self, name: ChangedName, flight: _Flight, answer: LookUp) -> None:
        with self._lock:
            flight.answer = answer
            # what changed up to the version seen last will not be told again
            flight.kept = self._version is not None and answer.version >= self._version
            if flight.kept:
                self._known.put(name, answer.grant)

    def _poll_if_late(self) -> None:
        if not self._is_late() or not self._polling.acquire(blocking=self._version is None):
            return
        try:
            if self._is_late():  # not if it was for another that made it
                self._ask()
        finally:
            self._polling.release()

    def _is_late(self) -> bool:
        return self._clock() > self._due + _LATE_SECONDS

    def _ask(self) -> None:
        """One poll, by whoever holds `_polling`: an answer must not overtake a later one."""
        began, answered, reason = self._clock(), False, "silence"
        try:
            self._learn(began)
            answered = True
        except StoreUnavailable as error:
            reason = error.reason  # what else breaks it off, a deadline among it, goes on
        finally:
            if not answered:
                self._lose(reason)
            self._due = self._clock() + _PROBE_SECONDS if not answered else began + POLL_SECONDS

    def _learn(self, asked_at: float) -> None:
        changes = self._source.changes_since(self._version or 0)
        # an older version: the database was put back to what it once was
        lost = changes.names is None or changes.version < (self._version or 0)
        if lost or self._version is None:
            self._issued.replace(self._source.issued_names())
        self._apply(changes if not lost else Changes(changes.version, None), asked_at)

    def _apply(self, changes: Changes, asked_at: float) -> None:
        with self._lock:
            if changes.names is None:
                self._known.clear()
            for name in changes.names or ():
                self._known.drop(name)
                self._issued.add(name)
            self._version = changes.version
            self._learnt_at = asked_at
        if not self._answers:
            self._answers = True
            _log.info("the database answers again: keys are looked up as before")

    def _lose(self, reason: str) -> None:
        if self._answers:
            self._answers = False
            _log.warning(
                "the database does not answer (%s): keys that are known go on for %g s, others are told to try again",
                reason or "no reason given",
                self._known_key_seconds,
            )

    def _unavailable(self) -> StoreUnavailable:
        return StoreUnavailable(
            "The database of keys does not answer, and this key cannot be checked without it: try again.",
            retry_after=_RETRY_AFTER_SECONDS,
        )
