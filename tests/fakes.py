"""What the gateway needs from outside (app/gateway/ports.py), written by hand: each records what it was asked to do.

Fakes that are given the same trace write into one list, so that a test can say what came before what.
"""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from app.core.bedrock_calls import BedrockCall
from app.core.callers import ANYONE
from app.core.errors import ClientLeft, GatewayError, UpstreamSilent
from app.core.event_stream import CONTENT_TYPE, FrameReader
from app.core.header_rules import Headers
from app.core.ledger_entries import Booked, Posting
from app.core.messages import CallRecord, Cancellation, Ending, UpstreamRequest
from app.core.prices import PriceQuestion
from app.core.usage import NOBODY, UNKNOWN, RequestFacts, Usage
from app.gateway.bookkeeping import Tab
from app.gateway.ports import Bedrock, Body, Client, Journal, Ledger, UpstreamReply
from app.gateway.settlement import Settlement

Trace = list[str]


@dataclass(frozen=True)
class Cancel:
    """A step of a reply: the call is cancelled while it waits for the next piece."""

    reason: Ending


Step = bytes | GatewayError | Cancel


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeReply:
    """Plays its steps: hands out pieces, breaks with errors, is cancelled. After the last step comes the end."""

    def __init__(
        self,
        steps: Iterable[Step] = (),
        *,
        status: int = 200,
        headers: Headers = (),
        cancellation: Cancellation | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.status = status
        self.reason = "OK"
        self.headers = headers
        self.waited_ms = 0.0
        self.cancellation = cancellation or Cancellation()
        self.reads = 0
        self.closed = 0
        self._steps = iter(steps)
        self._trace = trace if trace is not None else []

    def read_chunk(self) -> bytes:
        self.reads += 1
        step = next(self._steps, b"")
        if isinstance(step, Cancel):
            self.cancellation.cancel(step.reason)
            step = _cancelled(step.reason)
        if isinstance(step, GatewayError):
            raise step
        self._trace.append(f"read {len(step)}")
        return step

    def close(self) -> None:
        self.closed += 1


class FakeTap:
    """Knows frames as the tap does, and keeps what it was fed and asked."""

    def __init__(self, reply: FakeReply | None = None, usage: Usage = UNKNOWN) -> None:
        types = [value for name, value in (reply.headers if reply else ()) if name.lower() == "content-type"]
        self.reader = FrameReader() if CONTENT_TYPE in types else None
        self.fed: list[bytes] = []
        self.asked: list[bool] = []
        self._usage = usage

    @property
    def at_boundary(self) -> bool:
        return self.reader is not None and self.reader.at_boundary

    @property
    def lost(self) -> bool:
        return self.reader is None or self.reader.lost

    def feed(self, piece: bytes) -> None:
        self.fed.append(piece)
        if self.reader:
            self.reader.feed(piece)

    def usage(self, *, complete: bool) -> Usage:
        self.asked.append(complete)
        return self._usage


class FakeBedrock:
    """Answers with what it was given, in order, else as `answer` says, else 200 `{}`; an error among them is raised."""

    def __init__(self, *answers: FakeReply | GatewayError, trace: Trace | None = None) -> None:
        self.requests: list[UpstreamRequest] = []
        self.replies: list[FakeReply] = []
        self.answer: Callable[[UpstreamRequest], FakeReply | GatewayError] = lambda request: json_reply(b"{}")
        self._answers = iter(answers)
        self._trace = trace if trace is not None else []

    def send(self, request: UpstreamRequest, cancellation: Cancellation) -> FakeReply:
        self._trace.append("send")
        self.requests.append(request)
        answer = next(self._answers, None) or self.answer(request)
        if isinstance(answer, GatewayError):
            raise answer
        answer.cancellation = cancellation
        self.replies.append(answer)
        return answer


class FakeBookkeeping:
    """Keeps each record that is booked as it was then."""

    def __init__(self, trace: Trace | None = None) -> None:
        self.settled: list[CallRecord] = []
        self.reached: list[bool] = []
        self.voided: list[Tab] = []
        self._trace = trace if trace is not None else []

    def close(self, tab: Tab, record: CallRecord, *, reached_aws: bool) -> None:
        self._trace.append("settle")
        self.settled.append(copy(record))
        self.reached.append(reached_aws)

    def void(self, tab: Tab) -> None:
        self._trace.append("void")
        self.voided.append(tab)


class FakeLedger:
    """Commits at once whatever it is given; `key_spend` is what it says that the key has spent."""

    def __init__(self, trace: Trace | None = None) -> None:
        self.postings: list[Posting] = []
        self.key_spend: Decimal | None = None
        self._trace = trace if trace is not None else []

    def settle(self, posting: Posting) -> Booked:
        self._trace.append("settle")
        self.postings.append(posting)
        return Booked(committed=True, key_spend=self.key_spend)


class FakeJournal:
    """Keeps each told record as it was then."""

    def __init__(self, trace: Trace | None = None) -> None:
        self.told: list[CallRecord] = []
        self._trace = trace if trace is not None else []

    def write(self, record: CallRecord) -> None:
        self._trace.append("tell")
        self.told.append(copy(record))


class FakeClient:
    """A caller that stays until `leave`."""

    def __init__(self, trace: Trace | None = None) -> None:
        self.watched: list[Cancellation] = []
        self.watching = False
        self._trace = trace if trace is not None else []

    def watch(self, cancellation: Cancellation) -> None:
        self._trace.append("watch")
        self.watched.append(cancellation)
        self.watching = True

    def unwatch(self) -> None:
        self.watching = False


class FakeBody:
    """A body that is read, or that raises when it is."""

    def __init__(self, content: bytes | GatewayError = b"", trace: Trace | None = None) -> None:
        self.reads = 0
        self.held = False
        self._content = content
        self._trace = trace if trace is not None else []

    def read(self) -> bytes:
        self._trace.append("read body")
        self.reads += 1
        self.held = True  # as far as it came, also when it breaks
        if isinstance(self._content, GatewayError):
            raise self._content
        return self._content

    def release(self) -> None:
        self._trace.append("release body")
        self.held = False


def json_reply(body: bytes, status: int = 200, headers: Headers = ()) -> FakeReply:
    """A whole JSON answer with its Content-Length."""
    framing = (("Content-Type", "application/json"), ("Content-Length", str(len(body))))
    return FakeReply([body] if body else [], status=status, headers=(*framing, *headers))


def stream_reply(
    steps: Iterable[Step], content_type: str = "application/vnd.amazon.eventstream", headers: Headers = ()
) -> FakeReply:
    """A stream, in chunks where it has no Content-Length."""
    has_length = any(name == "Content-Length" for name, _ in headers)
    chunks: Headers = () if has_length else (("Transfer-Encoding", "chunked"),)
    return FakeReply(steps, headers=(("Content-Type", content_type), *chunks, *headers))


def a_record(call_id: str = "call-1", arrived: float = 1000.0) -> CallRecord:
    """A POST that arrived when the Clock began."""
    return CallRecord(call_id=call_id, arrived_at=datetime(2026, 11, 22, tzinfo=UTC), arrived=arrived, method="POST")


def a_tab() -> Tab:
    """Of a call whose money nobody looks at."""
    call = BedrockCall("bedrock-runtime", None)
    question = PriceQuestion(None, call.service, "us-east-1", date(2026, 11, 22), billed=False)
    return Tab(call, RequestFacts(), ANYONE, None, NOBODY, question)


class Books:
    """A settlement with all its fakes at hand."""

    def __init__(self) -> None:
        self.trace: Trace = []
        self.clock = Clock()
        self.client = FakeClient(self.trace)
        self.booked = FakeBookkeeping(self.trace)
        self.journal = FakeJournal(self.trace)
        self.record = a_record()
        self.settlement = Settlement(self.record, self.client, self.booked, self.journal, self.clock)
        self.settlement.tab = a_tab()

    @property
    def settled(self) -> list[Ending | None]:
        """How the call ended, once for each time that it was booked."""
        return [record.ended for record in self.booked.settled]


def _cancelled(reason: Ending) -> GatewayError:
    """What the client of AWS raises to whoever reads on a connection that was hung up on."""
    if reason == "client_left":
        return ClientLeft("The caller closed its connection.")
    return UpstreamSilent("The call took longer than OUTCROP_TOTAL_TIMEOUT.")


# mypy compares the shapes with the ports here
_PORTS: tuple[Bedrock, UpstreamReply, Ledger, Journal, Client, Body] = (
    FakeBedrock(),
    FakeReply(),
    FakeLedger(),
    FakeJournal(),
    FakeClient(),
    FakeBody(),
)
