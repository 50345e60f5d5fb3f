"""A stand-in for AWS Bedrock on loopback: one port a service, every byte under the test's control.

It records each request raw, verifies its signature as AWS would, and answers what the test scripts; left alone it
answers the common operations as AWS does (standin_answers). It runs in a thread of its own; all methods may be called
from any thread. Answer functions run in that thread: they must return at once.

STS is kept apart (sts_requests, sts_answer; no scripts, no counts): the gateway asks it who it is when it likes.
"""

import asyncio
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from tests.sigv4_verifier import verify
from tests.standin_answers import (
    ASSUMED_ACCESS_KEY_ID,
    ASSUMED_SECRET,
    ASSUMED_TOKEN,
    default_answer,
    refusal,
    sts_answer,
)
from tests.standin_messages import Recorded, Reply, aws_error
from tests.standin_wire import Connection, WireRequest

ACCESS_KEY_ID = "AKIAOUTCROPSTANDIN00"
SECRET_ACCESS_KEY = "stand-in/secret+access/key/for/outcrop00"
SIGNING_NAMES = {
    "bedrock": "bedrock",
    "bedrock-runtime": "bedrock",
    "bedrock-agent": "bedrock",
    "bedrock-agent-runtime": "bedrock",
    "bedrock-agentcore": "bedrock-agentcore",
    "bedrock-agentcore-control": "bedrock-agentcore",
    "bedrock-data-automation": "bedrock",
    "bedrock-data-automation-runtime": "bedrock",
    "bedrock-mantle": "bedrock-mantle",
    "sts": "sts",
}
BEARER_SERVICES = ("bedrock", "bedrock-runtime", "bedrock-mantle")
BACKLOG = 1024  # several hundred clients may connect in the same instant


class StandinBedrock:
    """Use it as a context manager, or start() and stop() it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ports: dict[str, int] = {}
        self._connections: set[Connection] = set()
        self._connection_count = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._forget()

    def _forget(self) -> None:
        self.requests: list[Recorded] = []
        self.sts_requests: list[Recorded] = []
        self.incomplete: list[bytes] = []  # what came of requests that broke off or could not be read
        self.faults: list[Exception] = []  # raised by an answer function: the test's own mistake
        self.closed_by_peer: set[int] = set()  # numbers of connections that the peer closed first
        self.secrets = {ACCESS_KEY_ID: SECRET_ACCESS_KEY, ASSUMED_ACCESS_KEY_ID: ASSUMED_SECRET}
        self.session_tokens = {ASSUMED_ACCESS_KEY_ID: ASSUMED_TOKEN}
        self.bearer_tokens: set[str] = set()
        self.lenient = False  # serve also what is unsigned or badly signed
        self.answer: Callable[[Recorded], Reply] = default_answer
        self.sts_answer: Callable[[Recorded], Reply] = sts_answer
        self.close_after_answer: float | None = None  # FIN to a connection that is idle for so many seconds
        self._script: deque[Reply] = deque()

    def start(self) -> None:
        self._thread.start()
        self.wait_for(lambda: len(self._ports) == len(SIGNING_NAMES))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def port(self, service: str) -> int:
        return self._ports[service]

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self._ports[service]}"

    def script(self, *replies: Reply) -> None:
        """Answer the next requests so, in this order, before asking self.answer again."""
        with self._changed:
            self._script.extend(replies)

    def wait_for(self, predicate: Callable[[], object], timeout: float = 10) -> None:
        """Wait until the predicate holds; it is tried at each request, connection and close."""
        with self._changed:
            if not self._changed.wait_for(predicate, timeout):
                raise TimeoutError(f"not within {timeout} s; {self._state()}")

    def wait_for_requests(self, count: int, timeout: float = 10) -> list[Recorded]:
        self.wait_for(lambda: len(self.requests) >= count, timeout)
        return list(self.requests)

    def wait_closed_by_peer(self, connection: int, timeout: float = 10) -> None:
        """Wait until the peer has closed the connection of that number (Recorded.connection)."""
        self.wait_for(lambda: connection in self.closed_by_peer, timeout)

    def wait_no_connections(self, timeout: float = 10) -> None:
        self.wait_for(lambda: not self.open_connections, timeout)

    @property
    def open_connections(self) -> int:
        return len(self._counted())

    @property
    def busy_connections(self) -> int:
        """Connections with a request that is not fully answered."""
        return sum(not connection.idle for connection in self._counted())

    @property
    def connections_closed_by_peer(self) -> int:
        return len(self.closed_by_peer)

    def close_idle(self) -> int:
        """Send FIN on every keep-alive connection that waits for a request; return how many, once all are closed."""
        return self._end([c for c in self._counted() if c.idle], Connection.close)

    def reset(self) -> None:
        """Cut what is still being answered, and be as new; idle connections stay open and keep their numbers."""
        self._end([c for c in self._counted() if not c.idle], Connection.reset)
        with self._changed:
            self._forget()

    def _counted(self) -> list[Connection]:
        with self._changed:
            return [connection for connection in self._connections if connection.service != "sts"]

    def _end(self, connections: list[Connection], how: Callable[[Connection], None]) -> int:
        for connection in connections:
            self._loop.call_soon_threadsafe(how, connection)
        self.wait_for(lambda: self._connections.isdisjoint(connections))
        return len(connections)

    def _state(self) -> str:
        seen = [f"{r.service} {r.method} {r.target}" for r in self.requests]
        return f"{self.open_connections} connections open, closed by peer {self.closed_by_peer}, requests {seen}"

    async def _main(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        servers = {
            service: await self._loop.create_server(partial(Connection, service, self), "127.0.0.1", 0, backlog=BACKLOG)
            for service in SIGNING_NAMES
        }
        with self._changed:
            self._ports = {name: server.sockets[0].getsockname()[1] for name, server in servers.items()}
            self._changed.notify_all()
        await self._stopping.wait()
        for server in servers.values():
            server.close()
        for connection in list(self._connections):
            connection.reset()
        while self._connections:
            await asyncio.sleep(0)

    # What follows is Owner, called by connections in the loop's thread.

    def connection_opened(self, connection: Connection) -> int:
        with self._changed:
            self._connections.add(connection)
            self._connection_count += 1
            self._changed.notify_all()
            return self._connection_count

    def peer_left(self, connection: Connection) -> None:
        with self._changed:
            if connection.service != "sts":
                self.closed_by_peer.add(connection.number)
            self._changed.notify_all()

    def connection_closed(self, connection: Connection) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def request_broke(self, seen: bytes) -> None:
        with self._changed:
            self.incomplete.append(seen)
            self._changed.notify_all()

    def answer_ended(self, connection: Connection) -> None:
        with self._changed:
            self._changed.notify_all()
        if self.close_after_answer is not None:
            self._loop.call_later(self.close_after_answer, self._close_if_idle, connection)

    def _close_if_idle(self, connection: Connection) -> None:
        if connection.idle and not connection.left:
            connection.close()

    def reply_to(self, connection: Connection, request: WireRequest) -> tuple[str, Reply]:
        recorded = self._examined(connection, request)
        with self._changed:
            (self.sts_requests if recorded.service == "sts" else self.requests).append(recorded)
            self._changed.notify_all()
        reason = self._reason_to_refuse(recorded)
        if reason and not self.lenient:
            return recorded.request_id, refusal(recorded, reason)
        try:
            return recorded.request_id, self._chosen_reply(recorded)
        except Exception as error:  # noqa: BLE001 - a test's function may raise anything, and must hear of it
            self.faults.append(error)
            return recorded.request_id, aws_error(500, "StandinFault", repr(error))

    def _chosen_reply(self, recorded: Recorded) -> Reply:
        if recorded.service == "sts":
            return self.sts_answer(recorded)
        with self._changed:
            if self._script:
                return self._script.popleft()
        return self.answer(recorded)

    def _examined(self, connection: Connection, request: WireRequest) -> Recorded:
        values = [value for name, value in request.headers if name.lower() == "authorization"]
        bearer = values[0][len("Bearer ") :] if len(values) == 1 and values[0].startswith("Bearer ") else None
        return Recorded(
            service=connection.service,
            method=request.method,
            target=request.target,
            headers=tuple(request.headers),
            body=request.body,
            raw=request.raw,
            connection=connection.number,
            exchange=connection.exchanges,
            time=time.monotonic(),
            request_id=str(uuid.uuid4()),
            verdict=None if bearer else verify(request, self.secrets.get, self.session_tokens.get),
            bearer=bearer,
        )

    def _reason_to_refuse(self, recorded: Recorded) -> str:
        if recorded.verdict is None:
            known = recorded.bearer in self.bearer_tokens and recorded.service in BEARER_SERVICES
            return "" if known else f"the bearer token is not one for {recorded.service}"
        if not recorded.verdict.ok:
            return recorded.verdict.reason
        expected = SIGNING_NAMES[recorded.service]
        if recorded.verdict.service != expected:
            return f"the scope names service {recorded.verdict.service!r}, not {expected!r}"
        return ""
