"""Under what names end users and claimed tags are counted: a caller that makes up a new one at each call is not counted
under a million of them.

What was counted is remembered by this worker alone, and for the day: several workers let as many more names pass, and
so does a restart.
"""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from datetime import date

from app.core.ledger_entries import OTHER

# The daily totals have a row a day for each.
MOST_NAMES = 10_000
# of all keys together: 8 bytes each, and a row a day in the database
_MOST_IN_ALL = 1_000_000


class CountedNames:
    """Whom a day's totals know by name, key by key."""

    def __init__(self, most: int = MOST_NAMES, most_in_all: int = _MOST_IN_ALL) -> None:
        """`most`: new end users, and as many new claimed tags, for each key and day; `most_in_all`: of all keys."""
        self._most = most
        self._most_in_all = most_in_all
        self._day = date.min
        self._seen: dict[tuple[str | None, str], array[int]] = {}
        self._in_all = 0
        self._lock = threading.Lock()

    def end_user(self, key_id: str | None, name: str, day: date, *, registered: bool = False) -> str:
        """`key_id`: None for the master key; `registered`: whether a customer has this id: it is always counted."""
        return name if registered or self._counts(key_id, "end_user", name, day) else OTHER

    def tags(self, key_id: str | None, names: Iterable[str], day: date) -> tuple[str, ...]:
        """None twice, OTHER neither."""
        counted = (name if self._counts(key_id, "tag", name, day) else OTHER for name in names)
        return tuple(dict.fromkeys(counted))

    def _counts(self, key_id: str | None, kind: str, name: str, day: date) -> bool:
        """Of two names with one hash, which nobody can look for, the second is counted under its own name for free."""
        with self._lock:
            if day > self._day:  # a call that ends late is counted among those of the day that has begun
                self._day, self._in_all = day, 0
                self._seen.clear()
            seen = self._seen.setdefault((key_id, kind), array("q"))
            hashed = hash(name)
            place = bisect_left(seen, hashed)
            if place < len(seen) and seen[place] == hashed:
                return True
            if len(seen) >= self._most or self._in_all >= self._most_in_all:
                return False
            seen.insert(place, hashed)
            self._in_all += 1
            return True
