"""The ledger's row of one call, as it stands in a gateway's database and as the gateway tells of it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import exchange, raw_request

_PATIENCE_SECONDS = 10.0
_COLUMNS = (
    "status, http_status, error, ended, usage_source, usage_method, counts, cost, model, model_priced, scope, region, "
    "operation, key_id, end_user, end_user_source, counted_end_user, claimed_tags, key_tags, "
    "bytes_in, bytes_out, streamed, duration_ms"
)
_JSON = ("counts", "claimed_tags", "key_tags")


@dataclass(frozen=True)
class LedgerRow:
    """`cost`: US dollars, exact; `counts`: without those that are 0; `said`: all columns."""

    said: dict[str, Any]

    @property
    def cost(self) -> Decimal | None:
        cost = self.said["cost"]
        return None if cost is None else Decimal(cost).scaleb(-12)

    @property
    def counts(self) -> dict[str, int]:
        return {kind: count for kind, count in self.said["counts"].items() if count}

    @property
    def source(self) -> str:
        source: str = self.said["usage_source"]
        return source

    @property
    def ended(self) -> str:
        ended: str = self.said["ended"]
        return ended


class LedgerRows:
    """Rows of one database, each waited for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, request_id: str | None) -> LedgerRow:
        """The row of the call with this x-litellm-call-id. Raises TimeoutError."""
        assert request_id, "the reply names no call"
        return self._wait_for("request_id", request_id)

    def of_end_user(self, name: str) -> LedgerRow:
        """The row of the one call that named this end user: of callers who never saw their call's id."""
        return self._wait_for("end_user", name)

    def _wait_for(self, column: str, value: str) -> LedgerRow:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        query = text(f"SELECT {_COLUMNS} FROM ledger WHERE {column} = :value")
        while (found := self._connection.execute(query, {"value": value}).mappings().one_or_none()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no row of {column} {value} within {_PATIENCE_SECONDS} s")
            time.sleep(0.01)
        return LedgerRow({name: _value(name, value) for name, value in found.items()})

    def count(self) -> int:
        found: int = self._connection.execute(text("SELECT count(*) FROM ledger")).scalar_one()
        return found


def _value(name: str, value: Any) -> Any:
    return json.loads(value) if name in _JSON and isinstance(value, str) else value


@contextmanager
def ledger_rows(gateway: GatewayProcess) -> Iterator[LedgerRows]:
    """Of the gateway's database."""
    engine = create_engine(gateway.environment["DATABASE_URL"], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield LedgerRows(connection)
    engine.dispose()


def spend_log(gateway: GatewayProcess, request_id: str | None) -> dict[str, Any]:
    """What GET /spend/logs says of the call."""
    request = raw_request("GET", f"/spend/logs?request_id={request_id}", [("Authorization", f"Bearer {MASTER_KEY}")])
    reply = exchange(gateway.port, request)
    assert reply.status == 200, reply.body
    [row] = json.loads(reply.body)
    assert isinstance(row, dict)
    return row
