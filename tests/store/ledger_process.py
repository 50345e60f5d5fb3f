"""A worker process that settles calls as fast as it can, and says of each when it has; those who run it kill it.

python -m tests.store.ledger_process DATABASE_URL SPOOL_FOLDER NAME THREADS
"""

import itertools
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from app.store.database import Database
from app.store.identity import identity_of
from app.store.ledger import LedgerStore
from app.store.ledger_writer import LedgerWriter
from app.store.spool import Spool, address_of
from tests.postings import posting


def writer_on(url: str, folder: Path) -> tuple[LedgerWriter, Database]:
    """As the gateway wires it."""
    database = Database.at(url)
    spool = Spool(folder, address_of(database.engine.url), lambda: datetime.now(UTC))
    return LedgerWriter(LedgerStore(database), spool, identify=lambda: identity_of(database)), database


def _settle_for_ever(writer: LedgerWriter, name: str) -> None:
    for number in itertools.count():
        request_id = f"{name}-{number}"
        result = writer.settle(posting(request_id))
        os.write(1, f"{request_id} {result.committed}\n".encode())


def main(url: str, folder: str, name: str, threads: str) -> None:
    """Never returns."""
    writer, _ = writer_on(url, Path(folder))
    for number in range(int(threads)):
        threading.Thread(target=_settle_for_ever, args=(writer, f"{name}-{number}")).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
