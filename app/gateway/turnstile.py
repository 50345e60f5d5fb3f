"""How many look-ups of keys may find nothing: whoever tries keys that do not exist must not keep the database busy."""

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from app.core.errors import WorkerFull

_SECOND = 1.0
# how long a caller waits while look-ups under way may yet give their places back
_WAIT_SECONDS = 3.0


class Turnstile:
    """So many places in any one second. Who looks up takes one, and gives it back at once if a key was found.

    So any number of keys that exist can be looked up, and a look-up that is under way counts as one that may find
    nothing: then the bound holds for what is started as well as for what has ended.
    """

    def __init__(self, places: int, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._places = places
        self._clock = clock
        self._within = 0
        self._spent: deque[float] = deque()
        self._changed = threading.Condition()

    def enter(self) -> "Pass":
        """A place, waited for while others' may come back. Raises WorkerFull."""
        with self._changed:
            self._changed.wait_for(lambda: self._free() or self._all_spent(), _WAIT_SECONDS)
            if not self._free():
                raise WorkerFull(
                    "This key is not known to this worker, which has looked up as many unknown keys as it does in a "
                    "second: try again.",
                    retry_after=1,
                )
            self._within += 1
        return Pass(self._leave)

    def _leave(self, found: bool) -> None:  # noqa: FBT001  # a callback
        with self._changed:
            self._within -= 1
            if not found:
                self._spent.append(self._clock())
            self._changed.notify_all()

    def _free(self) -> bool:
        while self._spent and self._spent[0] <= self._clock() - _SECOND:
            self._spent.popleft()
        return self._within + len(self._spent) < self._places

    def _all_spent(self) -> bool:
        return len(self._spent) >= self._places


class Pass:
    """One place, given back on leaving; `found` says whether it was a key that exists."""

    def __init__(self, leave: Callable[[bool], None]) -> None:
        self.found = False
        self._leave = leave

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(self.found)
