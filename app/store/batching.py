"""Questions that wait at one moment are answered as one batch, beside those who ask.

So a crowd of callers costs a few round trips, on one connection, and none of them waits longer than a source that is
away is waited for. What nobody waited for any longer, or what failed halfway, its owner is told, to undo it.
"""

from _thread import start_new_thread  # a Thread, with all that can be asked of it, takes ten times as long
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, Protocol, TypeVar

from app.core.errors import GatewayError, StoreUnavailable
from app.store.breaker import Breaker

# A source that said nothing for this long is away, seen in so many looks: where this worker itself is held up, many
# moments pass in one look, and what the source said meanwhile still waits to be read. The first half is one look,
# less what had passed of it when the source spoke last.
SILENCE_SECONDS = 0.2
_LOOKS = 20
# However busy the source is: then the caller is told to try again.
_LONGEST_WAIT_SECONDS = 10.0
# Questions of one batch; what waits beyond them makes the next.
_BATCH = 500

Question = TypeVar("Question")
Answer = TypeVar("Answer")
_Q_contra = TypeVar("_Q_contra", contravariant=True)
_A = TypeVar("_A")


class Source(Protocol[_Q_contra, _A]):
    """Who answers."""

    def answer(self, questions: Sequence[_Q_contra]) -> Sequence[_A]:
        """Of each question, in their order. Raises GatewayError."""

    def unheard(self, question: _Q_contra, answer: _A) -> None:
        """Nobody waited for this answer any longer. Never raises, nor waits."""

    def failed(self, question: _Q_contra) -> None:
        """There is no answer, and what the question was to do may have been done. Never raises, nor waits."""


@dataclass(eq=False)
class _Waiting(Generic[Question, Answer]):
    """Whoever waits for an answer."""

    question: Question
    done: Event = field(default_factory=Event)
    answer: Answer | None = None
    error: GatewayError | None = None
    abandoned: bool = False


class Batching(Generic[Question, Answer]):
    """What stands between those who ask and a source that answers many at once."""

    def __init__(
        self,
        source: Source[Question, Answer],
        breaker: Breaker,
        clock: Callable[[], float],
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`clock` counts seconds; `silence_seconds`: how long the source may say nothing."""
        self._source = source
        self._breaker = breaker
        self._clock = clock
        self._silence = silence_seconds
        self._lock = Lock()
        self._queue: list[_Waiting[Question, Answer]] = []
        self._working = False
        self._rested = Event()
        self._rested.set()
        self._heard = 0
        self._heard_at = float("-inf")

    def ask(self, question: Question) -> Answer:
        """Raises StoreUnavailable: at once where the source is known to be away, soon where it says nothing."""
        waiting = self._enqueue(question)
        came_through = False
        try:
            self._wait(waiting)
            came_through = True
        finally:
            if not came_through:
                self._leave(waiting)
        if isinstance(waiting.error, StoreUnavailable):  # one of many who are told so
            raise self._breaker.unavailable(waiting.error.reason)
        if waiting.error:
            raise waiting.error
        return self._told(waiting)

    def post(self, question: Question) -> None:
        """Ask without waiting for the answer."""
        self._enqueue(question, abandoned=True)

    def hear(self) -> None:
        """The source has said something: it is not away."""
        self._heard += 1
        self._heard_at = self._clock()

    @property
    def idle(self) -> bool:
        """Whether nothing is being asked."""
        return not self._working

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether nothing is being asked any longer, after so many seconds at most."""
        return self._rested.wait(seconds)

    @staticmethod
    def _told(waiting: _Waiting[Question, Answer]) -> Answer:
        answer: Answer = waiting.answer  # type: ignore[assignment]  # without an error there is one
        return answer

    def _enqueue(self, question: Question, *, abandoned: bool = False) -> _Waiting[Question, Answer]:
        waiting: _Waiting[Question, Answer] = _Waiting(question, abandoned=abandoned)
        with self._lock:
            self._queue.append(waiting)
            starts, self._working = not self._working, True
            self._rested.clear()
        if starts:
            start_new_thread(self._work, ())
        return waiting

    def _wait(self, waiting: _Waiting[Question, Answer]) -> None:
        """Until it is answered, or the source said nothing for too long."""
        began = self._clock()
        if waiting.done.wait(self._silence / 2):
            return
        heard, looks = self._heard, self._looks_since(began)
        while not waiting.done.wait(self._silence / _LOOKS):
            looks = looks + 1 if self._heard == heard else 0
            heard = self._heard
            if looks >= _LOOKS or self._clock() - began > _LONGEST_WAIT_SECONDS:
                self._abandon(waiting, silent=looks >= _LOOKS)
                return

    def _looks_since(self, began: float) -> int:
        """What the first half of a wait counts for."""
        silent = self._clock() - max(began, self._heard_at)
        return min(_LOOKS // 2, int(silent / self._silence * _LOOKS))

    def _abandon(self, waiting: _Waiting[Question, Answer], *, silent: bool) -> None:
        with self._lock:
            if waiting.done.is_set():
                return
            waiting.abandoned = True
        reason = "silence" if silent else "too much is asked of it"
        waiting.error = self._breaker.unavailable(reason)
        if silent:
            self._breaker.failed(reason)

    def _leave(self, waiting: _Waiting[Question, Answer]) -> None:
        """Whoever asked was interrupted: nobody is told the answer."""
        with self._lock:
            answered = waiting.done.is_set()
            waiting.abandoned = True
        if answered and waiting.error is None:
            self._source.unheard(waiting.question, self._told(waiting))

    def _work(self) -> None:
        """Batch after batch, until nobody waits."""
        try:
            while True:
                with self._lock:
                    batch, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
                    if not batch:
                        self._rest()
                        return
                self._answer(batch)
        except BaseException:
            self._rest()
            raise

    def _rest(self) -> None:
        self._working = False
        self._rested.set()

    def _answer(self, batch: list[_Waiting[Question, Answer]]) -> None:
        failure: GatewayError | None = self._breaker.unavailable("an error, which the log has")
        try:
            answers = self._source.answer([one.question for one in batch])
            failure = None
        except GatewayError as error:
            failure = error
        finally:
            spoilt_by_one = len(batch) > 1 and not isinstance(failure, StoreUnavailable)
            if failure and not spoilt_by_one:
                self._fail(batch, failure)
        if failure:
            for one in batch if spoilt_by_one else ():
                self._answer([one])
            return
        self._breaker.succeeded()
        for one, answer in zip(batch, answers, strict=True):
            with self._lock:
                one.answer = answer
                one.done.set()
                unheard = one.abandoned
            if unheard:
                self._source.unheard(one.question, answer)

    def _fail(self, batch: list[_Waiting[Question, Answer]], error: GatewayError) -> None:
        """Those who wait behind are told too: they would only wait for the same."""
        if isinstance(error, StoreUnavailable):
            self._breaker.failed(error.reason)
        with self._lock:
            behind, self._queue = self._queue, []
        for one in (*batch, *behind):
            self._source.failed(one.question)
            with self._lock:
                one.error = one.error or error
                one.done.set()
