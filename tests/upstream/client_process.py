"""The client of AWS in a process of its own, where gevent has patched the sockets as it has in a worker.

The process that runs the tests must not be patched: the stand-in lives in a real thread of it. So commands go in and
results come out as lines of JSON, each command in a greenlet of its own, and a test can cancel a call that waits.
"""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from queue import Queue
from types import TracebackType
from typing import Any, Self

import gevent
from gevent.fileobject import FileObject

from app.core.errors import GatewayError
from app.core.messages import Cancellation, UpstreamRequest
from app.core.operations import load_table
from app.upstream.adapter import Adapter
from app.upstream.bedrock_client import BedrockClient, Reply
from app.upstream.connections import Timeouts
from app.upstream.credentials import AwsCredentials, CredentialKeeper
from app.upstream.endpoints import Endpoints
from app.upstream.signing import Signer
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY

ANSWER_SECONDS = 120  # the first answer waits for the process to import everything, as others do beside it
Message = dict[str, Any]


class CallFailedError(Exception):
    """The client raised: `kind` is the name of its error's class."""

    def __init__(self, kind: str, message: str, retry_after: int | None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True)
class Head:
    """A reply's status and headers."""

    status: int
    reason: str
    headers: list[list[str]]


class ClientProcess:
    """Use it as a context manager."""

    def __init__(self) -> None:
        self._results: dict[int, Queue[Message]] = {}
        self._tokens = count(1)
        command = [sys.executable, "-m", "gevent.monkey", "--module", __name__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._reader.join(10)

    def client(
        self, url: str, *, total: float = 30, authority: str | None = None, idle: float = 60, **timeouts: float
    ) -> "RemoteClient":
        """A client with a pool of its own; its timeouts are 5 s each where they are not given."""
        name = next(self._tokens)
        seconds = {"connect": 5.0, "first_byte": 5.0, "silence": 5.0, "total": total, **timeouts}
        self.ask("open", client=name, url=url, timeouts=seconds, authority=authority, idle=idle)
        return RemoteClient(self, name)

    def ask(self, command: str, **arguments: Any) -> Message:
        """Have a command done, and wait for its result."""
        return self.begin(command, **arguments)()

    def begin(self, command: str, **arguments: Any) -> Callable[[], Message]:
        """Have a command begun; what is returned waits for its result."""
        token = next(self._tokens)
        results = self._results[token] = Queue()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, "token": token, **arguments}) + "\n")
        self._process.stdin.flush()
        return lambda: _result(results.get(timeout=ANSWER_SECONDS))

    def _collect(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                message = json.loads(line)
                self._results[message["token"]].put(message)


class RemoteClient:
    """One client in the process."""

    def __init__(self, process: ClientProcess, name: int) -> None:
        self._process = process
        self._name = name

    def start(
        self, target: str = "/model/x/converse", *, method: str = "POST", body_size: int = 2, cancelled: str = ""
    ) -> "RemoteCall":
        """Begin a call; its body is as many zeros. `cancelled`: the reason for which it was before it began."""
        call = next(self._process._tokens)
        request = {"target": target, "method": method, "body_size": body_size, "cancelled": cancelled}
        return RemoteCall(self._process, call, self._process.begin("send", client=self._name, call=call, **request))

    def exchange(self, target: str = "/model/x/converse", *, method: str = "POST", body_size: int = 2) -> bytes:
        """A whole call: the body of its answer, read to the end and closed."""
        call = self.start(target, method=method, body_size=body_size)
        call.head()
        try:
            return call.read_all()
        finally:
            call.close()


class RemoteCall:
    """One call in the process. Each method raises CallFailedError when the client raised."""

    def __init__(self, process: ClientProcess, call: int, head: Callable[[], Message]) -> None:
        self._process = process
        self._call = call
        self._head = head

    def head(self) -> Head:
        found = self._head()
        return Head(found["status"], found["reason"], found["headers"])

    def read(self) -> bytes:
        """The next piece."""
        return self.begin_read()()

    def begin_read(self) -> Callable[[], bytes]:
        """Read, and wait for the piece later."""
        result = self._process.begin("read", call=self._call)
        return lambda: base64.b64decode(result()["piece"])

    def read_all(self) -> bytes:
        """Up to the end."""
        return b"".join(iter(self.read, b""))

    def cancel(self, reason: str) -> None:
        self._process.ask("cancel", call=self._call, reason=reason)

    def close(self) -> None:
        self._process.ask("close", call=self._call)


def _result(message: Message) -> Message:
    if "error" in message:
        raise CallFailedError(message["error"], message["message"], message["retry_after"])
    return message


class _Server:
    """The process's side: does the commands."""

    def __init__(self) -> None:
        self._clients: dict[int, BedrockClient] = {}
        self._cancellations: dict[int, Cancellation] = {}
        self._replies: dict[int, Reply] = {}

    def serve(self) -> None:
        for line in FileObject(sys.stdin.buffer, "rb", close=False):
            message = json.loads(line)
            if message["command"] == "send":
                # at once, so that a cancel right behind it finds it
                self._cancellations[message["call"]] = Cancellation()
            gevent.spawn(self._do, message)

    def _do(self, message: Message) -> None:
        token, command = message.pop("token"), message.pop("command")
        try:
            result = getattr(self, f"_{command}")(**message)
        except GatewayError as error:
            result = {"error": type(error).__name__, "message": error.message, "retry_after": error.retry_after}
        except Exception as error:  # noqa: BLE001  # the test must hear of whatever it is
            result = {"error": type(error).__name__, "message": str(error), "retry_after": None}
        sys.stdout.write(json.dumps({"token": token, **(result or {})}) + "\n")
        sys.stdout.flush()

    def _open(self, client: int, url: str, timeouts: dict[str, float], authority: str | None, idle: float) -> None:
        keeper = CredentialKeeper(lambda: AwsCredentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None))
        seconds = Timeouts(**timeouts)
        endpoints = Endpoints(load_table(), {"": url})
        adapter = Adapter(seconds, 100, authority, idle)
        self._clients[client] = BedrockClient(endpoints, Signer(keeper, None), adapter, seconds)

    def _send(self, client: int, call: int, cancelled: Any, **what: Any) -> Message:
        body = bytearray(what["body_size"])
        request = UpstreamRequest("bedrock-runtime", "us-east-1", what["method"], what["target"], (), body)
        if cancelled:
            self._cancellations[call].cancel(cancelled)
        reply = self._replies[call] = self._clients[client].send(request, self._cancellations[call])
        return {"status": reply.status, "reason": reply.reason, "headers": [list(pair) for pair in reply.headers]}

    def _read(self, call: int) -> Message:
        return {"piece": base64.b64encode(self._replies[call].read_chunk()).decode()}

    def _cancel(self, call: int, reason: Any) -> None:
        self._cancellations[call].cancel(reason)

    def _close(self, call: int) -> None:
        self._replies[call].close()


if __name__ == "__main__":
    _Server().serve()
