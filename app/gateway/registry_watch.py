"""How a worker learns what changed in the registry, and whether its database answers.

Four times a second, in the background, it asks for what changed since the version seen last; whoever follows it forgets
that. While the database is away nothing else is asked of it than a poll a second.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from app.core.errors import StoreUnavailable
from app.core.registry_messages import ChangedName, Changes
from app.gateway.ports import KeySource

# A revocation must hold everywhere within 1 s: this, and a poll that comes late
POLL_SECONDS = 0.25
_PROBE_SECONDS = 1.0
# A poll so late is made by the next call: by a worker too busy for its poller, or one that has none (`flask run`).
_LATE_SECONDS = 0.5
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


class Follower(Protocol):
    """Who must know what changed."""

    def learn_names(self, names: Iterable[ChangedName]) -> None:
        """All names by which anything can be looked up."""

    def forget(self, names: Iterable[ChangedName] | None, version: int) -> None:
        """What changed up to `version`; None: anything may have. The watch's lock is held."""


class RegistryWatch:
    """The registry as it was when it last told what changed."""

    def __init__(self, source: KeySource, known_key_seconds: float, clock: Callable[[], float]) -> None:
        """`known_key_seconds`: how long what is known is believed while nobody can be asked. `clock` is monotonic."""
        self._source = source
        self._known_key_seconds = known_key_seconds
        self._clock = clock
        self._followers: list[Follower] = []
        self._learnt_at = clock()
        self._due = float("-inf")
        self._polling = threading.Lock()
        self.lock = threading.Lock()
        self.version: int | None = None
        self.answers = True

    @property
    def expired(self) -> bool:
        """Whether what is known is too old to be believed."""
        return self._clock() - self._learnt_at > self._known_key_seconds

    def tell(self, *followers: Follower) -> None:
        """From the next poll on."""
        self._followers += followers

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
        self.poll_if_late()
        return Freshness(self._clock() - self._learnt_at, self.expired, self.answers)

    def poll_if_late(self) -> None:
        """Before anything that is known is acted on."""
        if not self._is_late() or not self._polling.acquire(blocking=self.version is None):
            return
        try:
            if self._is_late():  # not if it was for another that made it
                self._ask()
        finally:
            self._polling.release()

    def lose(self, reason: str) -> None:
        """The database did not answer."""
        if self.answers:
            self.answers = False
            _log.warning(
                "the database does not answer (%s): keys that are known go on for %g s, others are told to try again",
                reason or "no reason given",
                self._known_key_seconds,
            )

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
                self.lose(reason)
            now = self._clock()
            # one that took long is not late: whoever calls next would wait as long for another
            self._due = now + _PROBE_SECONDS if not answered else max(began + POLL_SECONDS, now)

    def _learn(self, asked_at: float) -> None:
        changes = self._source.changes_since(self.version or 0)
        # an older version: the database was put back to what it once was
        lost = changes.names is None or changes.version < (self.version or 0)
        if lost or self.version is None:
            names = self._source.issued_names()
            for follower in self._followers:
                follower.learn_names(names)
        self._apply(changes if not lost else Changes(changes.version, None), asked_at)

    def _apply(self, changes: Changes, asked_at: float) -> None:
        with self.lock:
            for follower in self._followers:
                follower.forget(changes.names, changes.version)
            self.version = changes.version
            self._learnt_at = asked_at
        if not self.answers:
            self.answers = True
            _log.info("the database answers again: keys are looked up as before")
