"""How postings get into the ledger whatever stands in their way: a database that is away, a full disk, a bad value."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from threading import Lock
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import GatewayError, StoreUnavailable
from app.core.ledger_entries import Account, Booked, Posting
from app.core.posting_json import line_of, posting_of, sealed
from app.store.disk_thread import off_the_hub
from app.store.driver import DRIVER_ERRORS
from app.store.spool import Spool
from app.store.spool_file import SpoolFailed, SpoolFile

_log = logging.getLogger(__name__)
# A statement for more is no cheaper by the row, and nobody waits behind it for long.
MOST_AT_ONCE = 500
# 20 MB: where not even the disk takes them, they stand in the log beside.
_MOST_KEPT = 10_000
# What a posting can be the cause of; what is no posting's fault is StoreUnavailable.
_FAULTS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_UNBOOKABLE = (*_FAULTS, GatewayError, SQLAlchemyError, *DRIVER_ERRORS)


class Books(Protocol):
    """The ledger in the database."""

    def book(self, postings: Sequence[Posting]) -> Mapping[Account, Decimal]:
        """All of them or none; those that are there already change nothing. Raises StoreUnavailable.

        The accounts that moved, with what they have spent in their budget windows.
        """


def book_around(
    books: Books, postings: Sequence[Posting], reject: Callable[[Posting, Exception], None]
) -> Iterator[tuple[str, Booked]]:
    """Book all but those that the database does not take: by halves, until they are found. Raises StoreUnavailable."""
    if not postings:
        return
    try:
        spent = books.book(postings)
    except StoreUnavailable:
        raise
    except _UNBOOKABLE as error:
        if len(postings) == 1:
            reject(postings[0], error)
            return
        half = len(postings) // 2
        yield from book_around(books, postings[:half], reject)
        yield from book_around(books, postings[half:], reject)
    else:
        for posting in postings:
            spends = {account: spent[account] for account, _ in posting.accounts if account in spent}
            key_spend = spends.get(Account("key", posting.entry.key_id or ""))
            yield posting.entry.request_id, Booked(committed=True, key_spend=key_spend, spends=spends)


def reason(error: Exception) -> str:
    """Why, for the log: what a driver says may repeat what a caller sent."""
    return error.message if isinstance(error, GatewayError) else type(error).__name__


class Booking:
    """Books, or keeps for later. `keep` is for any number of threads, the rest for one."""

    def __init__(
        self, books: Books, identify: Callable[[], str | None], spool: Spool, tell: Callable[[str], None]
    ) -> None:
        """`identify` asks the database for its own name; `tell` writes a line to the log as it is."""
        self.rejected = 0
        self._books = books
        self._identify = identify
        self._spool = spool
        self._write = tell
        self._kept: deque[Posting] = deque()
        self._disk_fails = False
        self._telling = Lock()

    @property
    def kept(self) -> int:
        """How many are in memory alone, and in the log."""
        return len(self._kept)

    def meet(self) -> None:
        """Ask the database for its name. Raises StoreUnavailable."""
        try:
            self._spool.know(self._identify())
        except SQLAlchemyError as error:
            raise StoreUnavailable("The database does not say its name.", reason=type(error).__name__) from None

    def book(self, postings: Iterable[Posting]) -> dict[str, Booked]:
        """By request id; what no column can hold is set aside and not among them. Raises StoreUnavailable."""
        return dict(book_around(self._books, list(postings), self._reject))

    def keep(self, postings: Sequence[Posting]) -> None:
        """On the disk when this returns; where that fails, in memory and in the log. Never raises."""
        lines = {}
        for posting in postings:
            try:
                lines[line_of(posting).encode()] = posting
            except ValueError as error:
                _log.error("call %s cannot be kept: %s", posting.entry.request_id, error)
        try:
            self._spool.append(list(lines))
            self._disk_fails = False
        except SpoolFailed as error:
            with self._telling:
                is_new, self._disk_fails = not self._disk_fails, True
            if is_new:
                _log.error("%s: calls that the database does not take stand in this log as JSON until it does", error)
            for line, posting in lines.items():
                if len(self._kept) < _MOST_KEPT:
                    self._kept.append(posting)
                self._tell(line.decode())

    def replay(self) -> bool:
        """Book one batch of what was kept; False where there is none. Raises StoreUnavailable."""
        if self._kept:
            self._book_kept()
        elif self._spool.waiting:
            self._book_from(self._spool.waiting[0])
        else:
            return False
        return True

    def tell_of(self, postings: Iterable[Posting]) -> None:
        """Write them to the log, from where they can be booked. Never raises."""
        for posting in postings:
            try:
                self._tell(line_of(posting))
            except ValueError as error:
                _log.error("call %s cannot be told: %s", posting.entry.request_id, error)

    def tell_what_is_left(self) -> None:
        """The same of all that waits in the spool. Never raises."""
        self._spool.collect()
        for file in list(self._spool.waiting):
            try:
                for record in file.left():
                    self._tell(record.decode())
            except (OSError, ValueError) as error:
                _log.error("%s cannot be read to its end: %s", file.path, error)

    def _tell(self, line: str) -> None:
        self._write(sealed(line, self._spool.identity))

    def _book_kept(self) -> None:
        batch = [self._kept.popleft() for _ in range(min(MOST_AT_ONCE, len(self._kept)))]
        try:
            self.book(batch)
        except StoreUnavailable:
            self._kept.extendleft(reversed(batch))
            raise

    def _book_from(self, file: SpoolFile) -> None:
        try:
            records = off_the_hub(file.batch, MOST_AT_ONCE)
            if records:
                self.book(self._postings(records))
                file.confirm()
            else:
                self._spool.settle(file)
        except (OSError, SpoolFailed) as error:
            # its lock is kept, so that nobody tries again and again
            _log.error("%s cannot be worked through, and is left for the next start: %s", file.path, error)
            self._spool.drop(file)

    def _postings(self, records: Iterable[bytes]) -> Iterator[Posting]:
        for record in records:
            try:
                yield posting_of(record.decode())
            except ValueError as error:
                self._set_aside(record, "a record of the spool", str(error))

    def _reject(self, posting: Posting, error: Exception) -> None:
        why = reason(error)
        try:
            record = line_of(posting).encode()
        except ValueError:
            self.rejected += 1
            _log.error("call %s is not booked (%s), and cannot be kept", posting.entry.request_id, why)
        else:
            self._set_aside(record, f"call {posting.entry.request_id}", why)

    def _set_aside(self, record: bytes, what: str, why: str) -> None:
        self.rejected += 1
        try:
            where = str(self._spool.set_aside(record))
        except SpoolFailed:
            where = "this log"
            self._tell(record.decode())
        _log.error("%s is not booked (%s), and is kept in %s", what, why, where)
