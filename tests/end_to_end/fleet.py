"""Gateways that share a database, and with it limits that they keep together; and many calls at once on all of them.

Keys, teams and customers are made as an administrator makes them, through the gateway.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from select import POLLHUP, POLLIN, poll
from socket import MSG_PEEK
from typing import Any
from uuid import uuid4

from app.core.virtual_keys import token_of
from tests.databases import PostgresServer
from tests.end_to_end.ledger_sums import LedgerSums, eventually, ledger_sums
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawConnection, RawReply, exchange, raw_request
from tests.standin_answers import INPUT_TOKENS, OUTPUT_TOKENS, usage
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Answer, Gate, Recorded, Send, Wait

MODEL = "amazon.nova-lite-v1:0"
CONVERSE = f"/bedrock/model/{MODEL}/converse"
# 0.06 and 0.24 US dollars a million tokens
COST = Decimal("0.00000006") * INPUT_TOKENS + Decimal("0.00000024") * OUTPUT_TOKENS
_PATIENCE_SECONDS = 30.0


def asking(max_tokens: int | None = OUTPUT_TOKENS) -> bytes:
    """The body of a Converse whose hold is a little above COST: the output that it gets is the most that it states."""
    said: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    if max_tokens is not None:
        said["inferenceConfig"] = {"maxTokens": max_tokens}
    return json.dumps(said).encode()


def calling(key: str, target: str = CONVERSE, *, end_user: str | None = None, body: bytes = b"") -> bytes:
    """A call as it stands on the wire."""
    headers = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json")]
    headers += [("x-litellm-end-user-id", end_user)] if end_user else []
    return raw_request("POST", target, headers, body or asking())


def held_back(gate: Gate) -> Answer:
    """A Converse's answer, whole, of which only the head comes before the gate opens."""
    body = json.dumps({"output": {"message": {"content": [{"text": "Hi"}]}}, "usage": usage()}).encode()
    framing = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return Answer(headers=framing, steps=(Wait(gate), Send(body)))


class Crowd:
    """Calls that are made at one moment, each on a connection of its own, the gateways taking turns."""

    def __init__(self, ports: Sequence[int], requests: Iterable[bytes]) -> None:
        sent = list(requests)
        self._waiting = {number: RawConnection(ports[number % len(ports)], timeout=60) for number in range(len(sent))}
        for number, connection in self._waiting.items():
            connection.send(sent[number])

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._waiting.values():
            connection.close()

    def replies(self, count: int | None = None, status: int | None = None) -> list[RawReply]:
        """The first so many that come of those that were not read yet, or all of them. Raises TimeoutError.

        `status`: others are not read.
        """
        wanted = len(self._waiting) if count is None else count
        found: list[RawReply] = []
        others: set[int] = set()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while len(found) < wanted:
            for number in self._ready(others, deadline)[: wanted - len(found)]:
                if status is not None and self._waiting[number]._socket.recv(12, MSG_PEEK)[9:] != str(status).encode():
                    others.add(number)
                    continue
                with self._waiting.pop(number) as connection:
                    found.append(connection.read_reply())
        return found

    def hang_up(self) -> None:
        """All whose replies were not read yet."""
        for connection in self._waiting.values():
            connection.reset()
        self._waiting.clear()

    def _ready(self, apart_from: set[int], deadline: float) -> list[int]:
        watch = poll()
        numbers = {}
        for number, connection in self._waiting.items():
            if number not in apart_from:
                numbers[connection._socket.fileno()] = number
                watch.register(connection._socket, POLLIN | POLLHUP)
        ready = [numbers[descriptor] for descriptor, _ in watch.poll(max(0.0, deadline - time.monotonic()) * 1000)]
        if not ready:
            raise TimeoutError(f"{len(numbers)} calls are still not answered")
        return ready


class Fleet:
    """Gateways on one database. `sums`: what stands there."""

    def __init__(self, gateways: list[GatewayProcess], sums: LedgerSums, standin: StandinBedrock) -> None:
        self.gateways = gateways
        self.sums = sums
        self._standin = standin

    def admin(self, path: str, **body: object) -> dict[str, Any]:
        """What POST says. Decimals are sent as numbers."""
        headers = [("Authorization", f"Bearer {MASTER_KEY}"), ("Content-Type", "application/json")]
        said = json.dumps(body, default=float).encode()
        reply = exchange(self.gateways[0].port, raw_request("POST", path, headers, said))
        assert reply.status == 200, reply.body
        answer: dict[str, Any] = json.loads(reply.body)
        return answer

    def key(self, **fields: object) -> str:
        """A new key's text."""
        text: str = self.admin("/key/generate", **fields)["key"]
        return text

    def call(self, key: str, target: str = CONVERSE, *, end_user: str | None = None, body: bytes = b"") -> RawReply:
        """One call, through the first gateway."""
        return exchange(self.gateways[0].port, calling(key, target, end_user=end_user, body=body), timeout=30)

    def crowd(self, requests: Iterable[bytes]) -> Crowd:
        """All of them at once."""
        return Crowd([gateway.port for gateway in self.gateways], requests)

    def calls_at_aws(self) -> list[Recorded]:
        """Those of models, that AWS has seen in this test."""
        return [request for request in self._standin.requests if request.path.startswith("/model/")]

    def spend(self, key: str) -> Decimal:
        """US dollars of all time, of a key by its text."""
        return Decimal(self.sums.spend("key", self.key_id(key))[1]).scaleb(-12)

    def key_id(self, key: str) -> str:
        """By which its account goes, of a key by its text."""
        return self.sums.key_id(token_of(key))

    def wait_until_settled(self, seconds: float = _PATIENCE_SECONDS) -> None:
        """Until nothing is in flight and nothing is held. Raises TimeoutError."""
        eventually(lambda: self.sums.tickets() == 0 and self.sums.held() == (0, 0), seconds)


@contextmanager
def fleet(
    standin: StandinBedrock, url: str, environment: Mapping[str, str | None] | None = None, *, gateways: int = 2
) -> Iterator[Fleet]:
    """So many gateways of two workers each on this database, which has its tables."""
    settings = {"DATABASE_URL": url, "WEB_CONCURRENCY": "2", **(environment or {})}
    with ExitStack() as stack:
        started = [stack.enter_context(GatewayProcess(settings, standin)) for _ in range(gateways)]
        yield Fleet(started, stack.enter_context(ledger_sums(url)), standin)


@contextmanager
def borrowed(server: PostgresServer, template: str) -> Iterator[str]:
    """A PostgreSQL database for longer than one test: its URL."""
    url = server.borrow(template)
    try:
        yield url
    finally:
        server.give_back(url)


def name() -> str:
    """One that nobody has yet."""
    return f"n{uuid4().hex[:12]}"


def wait_for_room_in_the_minute(seconds: float, clock: Callable[[], float] = time.time) -> None:
    """Until at least so many seconds of the present UTC minute are left."""
    left = 60 - clock() % 60
    if left < seconds:
        time.sleep(left)


def statuses(replies: Iterable[RawReply]) -> dict[int, int]:
    """How many replies have which status."""
    counted: dict[int, int] = {}
    for reply in replies:
        counted[reply.status] = counted.get(reply.status, 0) + 1
    return counted
