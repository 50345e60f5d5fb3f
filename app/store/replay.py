"""Books what was kept elsewhere: lines of a log that tell of postings, or files of the spool, damaged ones too."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from sqlalchemy import select

from app.core.ledger_entries import Posting
from app.core.posting_json import bears_seal, holds_a_posting, posting_of
from app.core.replayed import NotForThisDatabase, Replayed
from app.store.booking import MOST_AT_ONCE, Books, book_around, reason
from app.store.database import Database
from app.store.identity import identity_of
from app.store.money_rows import LEDGER
from app.store.spool import address_of
from app.store.spool_format import LONGEST_RECORD, Header, looks_framed, read_header, split_line

_HEADER = b'{"spool":'
_KILLED = "gateway_killed"  # such a line gives way to the call's own
_TOLD_EVERY = 10_000
_UNSEALED = "it does not bear this database's seal, so that anybody may have written it; --any-database believes it"
Complain = Callable[[str], None]


class Replay:
    """For the command line."""

    def __init__(self, books: Books, database: Database) -> None:
        self._books = books
        self._database = database
        self._identity: str | None = None

    def run(self, lines: BinaryIO, *, any_database: bool, complain: Complain) -> Iterator[Replayed]:
        """Book what `lines` hold, and say again and again, and at the end, what became of all so far.

        `complain` is told of each call that cannot be booked. Raises StoreUnavailable, after which the same lines may
        be handed in again, NotForThisDatabase unless `any_database`, and OSError.
        """
        so_far = Replayed()
        batch: list[Posting] = []
        for number, line in enumerate(_lines_of(lines), 1):
            for text, believed in self._texts(line, so_far, any_database=any_database):
                try:
                    batch.append(self._posting(text, believed=believed))
                except ValueError as error:
                    so_far.damaged += 1
                    complain(f"line {number} cannot be read: {error}")
            if len(batch) >= MOST_AT_ONCE:
                self._book(batch, so_far, complain)
                batch = []
                yield so_far
            elif number % _TOLD_EVERY == 0:
                yield so_far
        self._book(batch, so_far, complain)
        yield so_far

    def _posting(self, text: str, *, believed: bool) -> Posting:
        posting = posting_of(text)
        if not (believed or bears_seal(text, self._name())):
            raise ValueError(_UNSEALED)
        return posting

    def _texts(self, line: bytes, so_far: Replayed, *, any_database: bool) -> Iterator[tuple[str, bool]]:
        """Each with whether it is believed without a seal."""
        records, rest = split_line(line)
        for record in records:
            if not record.startswith(_HEADER):
                yield record.decode("utf-8", "replace"), True
            elif not any_database:
                self._check(read_header(record))
        if looks_framed(rest):
            so_far.damaged += 1
        elif holds_a_posting(text := rest.decode("utf-8", "replace")):
            yield text, any_database
        elif not records:
            so_far.passed_over += 1

    def _name(self) -> str | None:
        if self._identity is None:
            self._identity = identity_of(self._database)
        return self._identity

    def _check(self, header: Header) -> None:
        identity = self._name()
        if header.identity and identity:
            fits = header.identity == identity
        else:
            fits = header.address == address_of(self._database.engine.url)
        if not fits:
            raise NotForThisDatabase

    def _book(self, batch: list[Posting], so_far: Replayed, complain: Complain) -> None:
        if not batch:
            return
        ids = {posting.entry.request_id for posting in batch}
        rejected: set[str] = set()

        def reject(posting: Posting, error: Exception) -> None:
            rejected.add(posting.entry.request_id)
            complain(f"call {posting.entry.request_id} is not booked: {reason(error)}")

        known = self._known(ids)
        booked = {name for name, _ in book_around(self._books, batch, reject)}
        so_far.new += len(booked - known)
        so_far.rejected += len(rejected)
        so_far.there += len(batch) - len(booked - known) - len(rejected)

    def _known(self, ids: set[str]) -> set[str]:
        query = select(LEDGER.c.request_id).where(LEDGER.c.request_id.in_(ids), LEDGER.c.ended != _KILLED)
        with self._database.statement() as connection:
            return set(connection.execute(query).scalars())


def _lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """However long a line is, only so much of it is held: no posting is longer."""
    limit = 2 * LONGEST_RECORD
    while line := stream.readline(limit):
        cut = line
        while len(cut) == limit and not cut.endswith(b"\n"):
            cut = stream.readline(limit)
        yield line
