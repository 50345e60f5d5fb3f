"""What the stand-in Bedrock receives (Recorded) and what it is told to answer (Answer, NoAnswer, and their Steps).

An Answer's status and headers go out in one write, then its steps run in order. The stand-in adds Date and
x-amzn-RequestId where the answer has none, and nothing else: the framing is the answer's own business, so that a test
can send any bytes. A step other than Close and Reset leaves the connection open for the next request.
"""

import json
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.client import responses
from typing import Literal

from tests.sigv4_verifier import Verdict

Headers = Sequence[tuple[str, str]]
EVENT_STREAM = "application/vnd.amazon.eventstream"


@dataclass(frozen=True)
class Recorded:
    """One request as it stood on the wire; target and headers are its bytes as latin-1."""

    service: str
    method: str
    target: str
    headers: Sequence[tuple[str, str]]  # in the wire's order and case
    body: bytes  # without its chunked framing
    raw: bytes  # the head and the framed body
    connection: int  # numbered from 1 over all services
    exchange: int  # numbered from 1 within the connection: above 1, the connection was reused
    time: float  # time.monotonic() when the last byte had come
    request_id: str  # what the answer carries as x-amzn-RequestId
    verdict: Verdict | None = None  # of its SigV4 signature; None when it has a bearer token instead
    bearer: str | None = None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """Return the only value of a header, None without one; a repeated header is a fault."""
        values = self.header_values(name)
        assert len(values) < 2, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    def header_values(self, name: str) -> list[str]:
        return [value for header, value in self.headers if header.lower() == name.lower()]


class Gate:
    """Holds an answer back until the test opens it, and tells the test that an answer has come to it."""

    def __init__(self) -> None:
        self.opened: Future[None] = Future()
        self._reached = threading.Event()

    def open(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)

    def mark_reached(self) -> None:
        self._reached.set()

    def wait_reached(self, timeout: float = 10) -> None:
        if not self._reached.wait(timeout):
            raise TimeoutError(f"no answer came to the gate within {timeout} s")


@dataclass(frozen=True)
class Send:
    """These bytes, in one write."""

    data: bytes


@dataclass(frozen=True)
class Chunk:
    """These bytes as one HTTP chunk, in one write."""

    data: bytes


@dataclass(frozen=True)
class EndChunks:
    """The last chunk."""


@dataclass(frozen=True)
class Wait:
    """Nothing, until the gate opens or the peer leaves."""

    gate: Gate


@dataclass(frozen=True)
class Pause:
    """Nothing for so long, or until the peer leaves."""

    seconds: float


@dataclass(frozen=True)
class Reset:
    """RST, after what was sent has left."""


@dataclass(frozen=True)
class Close:
    """FIN, after what was sent has left."""


Step = Send | Chunk | EndChunks | Wait | Pause | Reset | Close


@dataclass(frozen=True)
class Answer:
    """A status, headers and steps; with status 0 there is no head and the steps are all there is."""

    status: int = 200
    reason: str | None = None  # None: the usual one
    headers: Headers = ()
    steps: Sequence[Step] = ()

    def head(self, request_id: str, date: str) -> bytes:
        reason = responses.get(self.status, "") if self.reason is None else self.reason
        headers = list(self.headers)
        names = {name.lower() for name, _ in headers}
        added = [("Date", date), ("x-amzn-RequestId", request_id)]
        headers = [pair for pair in added if pair[0].lower() not in names] + headers
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True)
class NoAnswer:
    """Not one byte: RST, FIN, or silence until the peer leaves."""

    how: Literal["reset", "close", "hang"]
    gate: Gate = field(default_factory=Gate)  # of "hang": gate.wait_reached() tells that the request has come


Reply = Answer | NoAnswer


def body_answer(body: bytes, content_type: str, status: int = 200, headers: Headers = ()) -> Answer:
    """Answer a whole body with its Content-Length."""
    framing = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    return Answer(status, headers=[*framing, *headers], steps=(Send(body),))


def json_answer(content: object, status: int = 200, headers: Headers = ()) -> Answer:
    """Answer JSON with its Content-Length."""
    return body_answer(json.dumps(content, separators=(",", ":")).encode(), "application/json", status, headers)


def aws_error(status: int, code: str, message: str) -> Answer:
    """Answer an error as AWS's REST-JSON services do: the code in a header, the message in the body."""
    return json_answer({"message": message}, status, [("x-amzn-ErrorType", code)])


def chunked_answer(steps: Iterable[Step], content_type: str, headers: Headers = ()) -> Answer:
    """Answer 200 in chunks; the steps must bring their own EndChunks, or Close or Reset."""
    framing = [("Content-Type", content_type), ("Transfer-Encoding", "chunked")]
    return Answer(headers=[*framing, *headers], steps=tuple(steps))


def event_stream(frames: Iterable[bytes], pace: float = 0, headers: Headers = ()) -> Answer:
    """Answer event-stream frames, each in its own chunk, with a pause of pace seconds before each but the first."""
    steps: list[Step] = []
    for frame in frames:
        if pace and steps:
            steps.append(Pause(pace))
        steps.append(Chunk(frame))
    return chunked_answer([*steps, EndChunks()], EVENT_STREAM, headers)


def raw_answer(*steps: Step) -> Answer:
    """Answer the bytes of the steps, head included."""
    return Answer(status=0, steps=steps)
