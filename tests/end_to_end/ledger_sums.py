"""What a gateway's database says of money: rows, balances and totals, added up apart from the gateway's own code."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

# Which column of the ledger says whose a row is, by the kind of account and by the kind of daily total
_ROWS_OF = {"key": "key_id", "team": "team_id", "user": "user_id", "customer": "counted_end_user"}
# A model without a price that AWS refuses, or whose caller did not wait to hear of that, may be made up.
_COUNTED_MODEL = "CASE WHEN model_priced IS NULL AND http_status IN (400, 403, 404, 499) THEN '(other)' ELSE model END"
_TOTALS_OF = {
    "key": "key_id",
    "team": "team_id",
    "user": "user_id",
    "end_user": "counted_end_user",
    "model": _COUNTED_MODEL,
}
_PATIENCE_SECONDS = 30.0


class LedgerSums:
    """Queries on one database. Money is pico-dollars, as it stands there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self) -> int:
        found: int = self._one("SELECT count(*) FROM ledger")
        return found

    def rows_of(self, key_id: str) -> int:
        [found] = self._all("SELECT count(*) FROM ledger WHERE key_id = :key_id", key_id=key_id)
        return int(found[0])

    def request_ids(self) -> list[str]:
        return [row[0] for row in self._all("SELECT request_id FROM ledger")]

    def counted(self, column: str) -> dict[str, int]:
        """How many rows have each value."""
        return {row[0]: row[1] for row in self._all(f"SELECT {column}, count(*) FROM ledger GROUP BY {column}")}

    def tickets(self) -> int:
        found: int = self._one("SELECT count(*) FROM tickets")
        return found

    def held(self) -> tuple[int, int]:
        """Of all accounts: pico-dollars, and calls in flight."""
        held, in_flight = self._all("SELECT coalesce(sum(held), 0), coalesce(sum(in_flight), 0) FROM balances")[0]
        return int(held), int(in_flight)

    def key_id(self, token: str) -> str:
        """By which a key's account goes."""
        [found] = self._all("SELECT id FROM virtual_keys WHERE token = :token", token=token)
        return str(found[0])

    def spend(self, kind: str, name: str) -> tuple[int, int]:
        """An account's spend and total_spend."""
        query = "SELECT spend, total_spend FROM balances WHERE kind = :kind AND id = :name"
        spend, total = self._all(query, kind=kind, name=name)[0]
        return int(spend), int(total)

    def disagreements(self) -> list[str]:
        """Every account and every total of a day that is not, exactly, the sum of its rows. One line each."""
        found = []
        for kind, column in _ROWS_OF.items():
            balances = {
                row[0]: int(row[1]) for row in self._all("SELECT id, total_spend FROM balances WHERE kind = :k", k=kind)
            }
            sums = self._sums(column)
            found += [f"{kind} {name}: {balances[name]} != {sums.get(name, 0)}" for name in balances
                      if balances[name] != sums.get(name, 0)]  # fmt: skip
        for kind, column in {**_TOTALS_OF, "all": "coalesce(NULL, '')"}.items():
            totals = {
                (row[0], row[1]): (int(row[2]), int(row[3]))
                for row in self._all("SELECT day, id, cost, calls FROM daily_totals WHERE kind = :k", k=kind)
            }
            rows = {
                (row[0], row[1]): (int(row[2]), int(row[3]))
                for row in self._all(
                    f"SELECT day, {column}, coalesce(sum(cost), 0), count(*) FROM ledger "
                    f"WHERE {column} IS NOT NULL GROUP BY day, {column}"
                )
            }
            found += [f"{kind} {name}: {totals.get(name)} != {rows.get(name)}" for name in totals.keys() | rows.keys()
                      if totals.get(name) != rows.get(name)]  # fmt: skip
        return found

    def _sums(self, column: str) -> dict[str, int]:
        rows = self._all(
            f"SELECT {column}, coalesce(sum(cost), 0) FROM ledger WHERE {column} IS NOT NULL GROUP BY {column}"
        )
        return {row[0]: int(row[1]) for row in rows}

    def _all(self, query: str, **values: str) -> list[Any]:
        return list(self._connection.execute(text(query), values).all())

    def _one(self, query: str) -> Any:
        return self._connection.execute(text(query)).scalar_one()


@contextmanager
def ledger_sums(url: str) -> Iterator[LedgerSums]:
    """Of the database at `url`, each query by itself."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield LedgerSums(connection)
    engine.dispose()


def eventually(holds: Callable[[], object], seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until it does. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("it never came true")
        time.sleep(0.02)
