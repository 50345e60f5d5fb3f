"""A gateway under observation: a caller with a budget who meets the fault, others who must not, and what is left."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.core.accounts import Limits
from tests.end_to_end.key_ring import Issued, key_ring
from tests.end_to_end.ledger_rows import LedgerRow, LedgerRows, ledger_rows
from tests.end_to_end.ledger_sums import LedgerSums, eventually, ledger_sums
from tests.faults.probe import Probe
from tests.faults.watched_app import PATH
from tests.gateway_process import GatewayProcess
from tests.raw_client import exchange, raw_request
from tests.standin_answers import default_answer
from tests.standin_bedrock import SIGNING_NAMES, StandinBedrock
from tests.standin_messages import Recorded, Reply

VICTIM = "amazon.nova-lite-v1:0"
_NAME = "amazon.nova-lite"  # SDKs spell the colon as they like
# its ticket holds money and a place, so that one that is not ended shows
LIMITS = Limits(max_budget=Decimal(1000), max_parallel_requests=1000)
JSON = ("Content-Type", "application/json")
SAID: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
WATCHED = "tests.faults.watched_app:app"
_PATIENCE_SECONDS = 15.0


class Ward:
    """One gateway with one worker.

    `key` is the caller's who meets the fault; `unbudgeted`: for calls whose cost nobody can tell beforehand; `probe`:
    the calls that must go on.
    """

    def __init__(self, gateway: GatewayProcess, standin: StandinBedrock, stack: ExitStack) -> None:
        self.gateway = gateway
        self.standin = standin
        url = gateway.environment["DATABASE_URL"]
        self.rows: LedgerRows = stack.enter_context(ledger_rows(gateway))
        self.sums: LedgerSums = stack.enter_context(ledger_sums(url))
        ring = stack.enter_context(key_ring(url))
        self.key: Issued = ring.issue(limits=LIMITS)
        self.unbudgeted: Issued = ring.issue(limits=replace(LIMITS, max_budget=None))
        self.probe = stack.enter_context(Probe(gateway.port))
        self._before: dict[str, int] = {}

    def break_victims(self, fault: Callable[[Recorded], Reply]) -> None:
        """From now on calls of the victim's model meet the fault; others get what they ask for."""
        self.standin.answer = lambda request: fault(request) if _NAME in request.path else default_answer(request)

    def heal(self) -> None:
        """All get what they ask for."""
        self.standin.answer = default_answer

    def request(self, operation: str = "converse", end_user: str | None = None, *, body: bytes | None = None) -> bytes:
        """A victim's call as it stands on the wire."""
        headers = [("Authorization", f"Bearer {self.key.text}"), JSON]
        headers += [("x-litellm-end-user-id", end_user)] if end_user else []
        target = f"/bedrock/model/{VICTIM}/{operation}"
        return raw_request("POST", target, headers, json.dumps(SAID).encode() if body is None else body)

    def row_of(self, end_user: str) -> LedgerRow:
        """Of the one call that named this end user."""
        return self.rows.of_end_user(end_user)

    def holdings(self) -> dict[str, int]:
        """What the worker holds: objects of calls, greenlets, bytes of bodies, descriptors; of AWS's what is in use."""
        reply = exchange(self.gateway.port, raw_request("GET", PATH), timeout=30)
        held: dict[str, int] = json.loads(reply.body)
        pooled = upstream_sockets(self.gateway, self.standin)
        held["descriptors"] = sum(name not in pooled for name in self.gateway.open_files())
        held["upstream"] = self.standin.busy_connections
        held["files"] = sum(path.is_file() for path in self.gateway.home.rglob("*"))
        held["tickets"] = self.sums.tickets()
        held["held"], held["in_flight"] = self.sums.held()
        return held

    def wait_for_agreement(self) -> None:
        """Until balances and totals are what the rows say: calls of others are booked between two looks."""
        eventually(lambda: not self.sums.disagreements(), _PATIENCE_SECONDS)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around a fault: others are served all the while, and afterwards the worker holds what it held at first."""
        began = time.monotonic()
        yield
        self.probe.assert_served(since=began)
        self.assert_holds_no_more_than_at_first()

    def note_holdings(self) -> None:
        """What is held now is no leak: the most of a few looks, as some come between calls of the probe."""
        looks = [self.holdings() for _ in range(5)]
        self._before = {name: max(look.get(name, 0) for look in looks) for look in looks for name in look}

    def assert_holds_no_more_than_at_first(self) -> None:
        """Soon: calls of others come and go."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while more := _more(self.holdings(), self._before):
            assert time.monotonic() < deadline, f"before and now: {more}\n{self.gateway.open_files()}"
            time.sleep(0.05)


def upstream_sockets(gateway: GatewayProcess, standin: StandinBedrock) -> set[str]:
    """The worker's sockets to the stand-in, also those that it closed: they are kept until they are wanted again."""
    ports = {standin.port(service) for service in SIGNING_NAMES}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {f"socket:[{fields[9]}]" for fields in lines if int(fields[2].partition(":")[2], 16) in ports}
    return ours & set(gateway.open_files())


def _more(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    return {
        name: (before.get(name, 0), held)
        for name, held in now.items()
        if held > before.get(name, 0) + _SPARE.get(name, 0)
    }


# Connections to AWS are kept: calls that ran at once leave one each. A leak in each test passes this soon.
_SPARE = {"descriptors": 4}


@contextmanager
def ward(
    standin: StandinBedrock, env: Mapping[str, str | None] | None = None, application: str = WATCHED
) -> Iterator[Ward]:
    """Warm: what a first call brings with it is there."""
    with ExitStack() as stack:
        gateway = GatewayProcess(env, standin, application=application)
        (temporary := gateway.home / "temporary").mkdir()
        gateway.environment["TMPDIR"] = str(temporary)
        found = Ward(stack.enter_context(gateway), standin, stack)
        for operation in ("converse", "converse-stream"):
            assert exchange(gateway.port, found.request(operation)).status == 200
        found.holdings()
        found.note_holdings()
        yield found


def someone() -> str:
    """An end user of whom no other call tells."""
    return str(uuid4())
