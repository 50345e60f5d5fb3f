"""The steps of a call, in order: what is refused early touches neither the body nor AWS."""

import pytest

from app.core import targets
from app.core.credentials import scope
from app.core.errors import (
    AccessDenied,
    BodyTooLarge,
    ClientLeft,
    CredentialsMissing,
    GatewayError,
    MalformedRequest,
    MethodUnknown,
    NeedsFullDuplex,
    Unauthenticated,
    UpstreamBroke,
    UpstreamSilent,
    UpstreamUnreachable,
)
from app.core.messages import ProxyRequest
from app.core.operations import load_table
from app.core.policy import RegionRules
from app.gateway.metered_reply import MeteredReply
from app.gateway.passage import Passage
from tests.event_frames import event_frame
from tests.fake_keys import a_doorman
from tests.fakes import Books, FakeBedrock, FakeBody, FakeLedger, FakeReply, Step, json_reply, stream_reply
from tests.gateway.a_bookkeeping import a_bookkeeping
from tests.gateway_process import MASTER_KEY

SERVICES = frozenset(load_table().services)
RULES = RegionRules("us-east-1", frozenset({"us-east-1", "eu-west-1"}), explicit=True)
MODEL = "/bedrock/model/amazon.nova-lite-v1%3A0"
BROKE = UpstreamBroke("broke")


class House(Books):
    """A passage with all its fakes on one trace."""

    def __init__(self, *answers: FakeReply | GatewayError) -> None:
        super().__init__()
        self.bedrock = FakeBedrock(*answers, trace=self.trace)
        self.body = FakeBody(b"{}", self.trace)
        self.ledger = FakeLedger(self.trace)
        self.passage = Passage(
            doorman=a_doorman(),
            operations=load_table(),
            regions=RULES,
            bedrock=self.bedrock,
            bookkeeping=a_bookkeeping(self.ledger, self.bedrock),
            journal=self.journal,
            clock=self.clock,
        )
        self.settlement = self.passage.open(self.record, self.client)

    def run(self, raw: str, method: str = "POST", **headers: str) -> MeteredReply:
        """One call; header names with underscores for dashes; the master key where no credential is given."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("authorization", f"Bearer {MASTER_KEY}")
        request = ProxyRequest(method, targets.parse(raw, SERVICES), sent, scope(sent))
        return self.passage.run(request, self.body, self.settlement)


def test_the_steps_come_in_order() -> None:
    """Body, AWS, body let go, booked, told."""
    house = House(json_reply(b"{}"))
    house.run(f"{MODEL}/converse")

    assert house.trace == ["read body", "send", "release body", "settle", "tell"]


def test_aws_gets_what_the_caller_sent() -> None:
    """Service, region, method, canonical target and body."""
    house = House()
    house.body = FakeBody(b'{"messages": []}', house.trace)
    house.run(f"{MODEL}/converse?a=1")
    (sent,) = house.bedrock.requests

    assert (sent.service, sent.region, sent.method) == ("bedrock-runtime", "us-east-1", "POST")
    assert sent.path_and_query == "/model/amazon.nova-lite-v1%3A0/converse?a=1"
    assert sent.body == b'{"messages": []}'


def test_the_callers_credential_does_not_reach_aws() -> None:
    """Nor any header that carries one."""
    house = House()
    house.run(f"{MODEL}/converse", litellm_user_api_key=MASTER_KEY, x_api_key=MASTER_KEY, anthropic_version="1")

    assert MASTER_KEY not in str(house.bedrock.requests[0].headers)
    assert ("anthropic-version", "1") in house.bedrock.requests[0].headers


@pytest.mark.parametrize(
    ("raw", "method", "headers", "error"),
    [
        (f"{MODEL}/converse", "POST", {"authorization": "Bearer sk-wrong"}, Unauthenticated),
        (f"{MODEL}/converse", "POST", {"authorization": "Basic eDp5"}, Unauthenticated),
        ("/bedrock/unknown/path", "TRACE", {}, MethodUnknown),
        (f"{MODEL}/invoke-with-bidirectional-stream", "POST", {}, NeedsFullDuplex),
        ("/bedrock/model/no%20model/converse", "POST", {}, MalformedRequest),
        ("/bedrock/sa-east-1/model/amazon.nova-lite-v1%3A0/converse", "POST", {}, AccessDenied),
        (f"{MODEL}/converse", "POST", {"x_amz_target": "X.Y"}, MalformedRequest),
        (f"{MODEL}/converse", "POST", {"x_odd": "a\x01b"}, MalformedRequest),
    ],
)
def test_a_refusal_reads_no_body_and_sends_nothing(
    raw: str, method: str, headers: dict[str, str], error: type[GatewayError]
) -> None:
    """The doorman, the path's policy and the header rules come before the body."""
    house = House()
    with pytest.raises(error):
        house.run(raw, method, **headers)

    assert house.trace == []


def test_a_body_that_cannot_be_read_is_not_sent() -> None:
    """Too large, too short, or its sender left."""
    house = House()
    house.body = FakeBody(BodyTooLarge("too large"), house.trace)
    with pytest.raises(BodyTooLarge):
        house.run(f"{MODEL}/converse")

    assert house.bedrock.requests == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"model": "a", "model": "b"}', b"\xff{}"])
def test_a_body_that_decides_and_cannot_be_read_strictly_is_not_sent(content: bytes) -> None:
    """What policy saw and what AWS reads must be the same."""
    house = House()
    house.body = FakeBody(content, house.trace)
    with pytest.raises(MalformedRequest):
        house.run("/bedrock/v1/chat/completions")

    assert house.bedrock.requests == []


def test_the_body_is_let_go_once_it_was_sent() -> None:
    """A stream that runs for an hour holds no memory of its request."""
    house = House(stream_reply([]))
    house.run(f"{MODEL}/converse-stream")

    assert not house.body.held


@pytest.mark.parametrize("error", [UpstreamUnreachable("a"), UpstreamSilent("b"), BROKE, CredentialsMissing("c")])
def test_the_body_is_let_go_when_sending_fails(error: GatewayError) -> None:
    """Otherwise each failure would shrink the worker."""
    house = House(error)
    with pytest.raises(type(error)):
        house.run(f"{MODEL}/converse")

    assert not house.body.held


def test_the_body_is_let_go_when_reading_it_fails() -> None:
    """A caller that leaves in the middle of its body leaves nothing behind."""
    house = House()
    house.body = FakeBody(ClientLeft("left"), house.trace)
    with pytest.raises(ClientLeft):
        house.run(f"{MODEL}/converse")

    assert not house.body.held


def test_the_body_is_let_go_when_it_is_refused() -> None:
    """A malformed body that was read whole is held no longer than its refusal takes."""
    house = House()
    house.body = FakeBody(b"not JSON", house.trace)
    with pytest.raises(MalformedRequest):
        house.run("/bedrock/v1/chat/completions")

    assert not house.body.held


def test_a_stream_is_watched_from_before_it_is_sent() -> None:
    """A caller that leaves while AWS thinks is noticed."""
    house = House(stream_reply([]))
    house.run(f"{MODEL}/converse-stream")

    assert house.trace.index("watch") < house.trace.index("send")
    assert house.client.watched == [house.bedrock.replies[0].cancellation]


def test_a_unary_call_is_not_watched() -> None:
    """AWS bills it anyway: its answer is read to the end and booked."""
    house = House(json_reply(b"{}"))
    house.run(f"{MODEL}/converse")

    assert house.client.watched == []


def test_a_call_that_streams_by_its_body_is_watched() -> None:
    """`"stream": true` is what makes it one."""
    house = House(stream_reply([], "text/event-stream"))
    house.body = FakeBody(b'{"model": "m", "stream": true}', house.trace)
    house.run("/bedrock/v1/chat/completions")

    assert house.trace.index("watch") < house.trace.index("send")


def test_a_call_that_does_not_stream_by_its_body_is_not_watched() -> None:
    """The same path without it is unary."""
    house = House(json_reply(b"{}"))
    house.body = FakeBody(b'{"model": "m", "stream": false}', house.trace)
    house.run("/bedrock/v1/chat/completions")

    assert house.client.watched == []


def test_an_answer_that_streams_unasked_is_watched_from_its_headers() -> None:
    """AWS says what it is."""
    house = House(stream_reply([event_frame("chunk", {})]))
    house.run(f"{MODEL}/invoke")

    assert len(house.client.watched) == 1
    assert house.trace.index("send") < house.trace.index("watch")


def test_the_record_is_filled_in() -> None:
    """Everything that the log and the ledger want to know."""
    house = House(json_reply(b'{"a": 1}', headers=(("x-amzn-RequestId", "aws-1"),)))
    house.run(f"{MODEL}/converse")
    (record,) = house.journal.told

    assert (record.caller, record.service, record.operation) == ("master", "bedrock-runtime", "Converse")
    assert (record.model, record.region, record.status) == ("amazon.nova-lite-v1:0", "us-east-1", 200)
    assert (record.aws_request_id, record.streamed, record.bytes_in, record.bytes_out) == ("aws-1", False, 2, 8)


def test_the_model_in_the_body_is_recorded() -> None:
    """Where the path has none."""
    house = House()
    house.body = FakeBody(b'{"model": "openai.gpt-oss-120b-1:0"}', house.trace)
    house.run("/bedrock/v1/chat/completions")

    assert house.record.model == "openai.gpt-oss-120b-1:0"


def test_overhead_is_the_time_without_aws() -> None:
    """A slow model is not a slow gateway."""
    reply = json_reply(b"{}")
    reply.waited_ms = 900.0
    house = House(reply)
    house.clock.advance(0.905)
    house.run(f"{MODEL}/converse")

    assert house.record.overhead_ms == 5.0


@pytest.mark.parametrize(
    ("raw", "headers", "region"),
    [
        (f"{MODEL}/converse", {}, "us-east-1"),
        ("/bedrock/eu-west-1/model/amazon.nova-lite-v1%3A0/converse", {}, "eu-west-1"),
        (
            "/bedrock/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A%3Afoundation-model%2Famazon.nova-lite-v1%3A0/converse",
            {},
            "eu-west-1",
        ),
    ],
)
def test_the_region_is_recorded_and_used(raw: str, headers: dict[str, str], region: str) -> None:
    """URL, ARN or default."""
    house = House()
    house.run(raw, **headers)

    assert (house.record.region, house.bedrock.requests[0].region) == (region, region)


@pytest.mark.parametrize("steps", [[BROKE], [b"{", BROKE]])
def test_an_answer_that_breaks_before_its_headers_left_is_given_up(steps: list[Step]) -> None:
    """It can still be refused, so it is not booked yet; nobody else could close AWS's connection."""
    house = House(FakeReply(steps, headers=(("Content-Length", "8"),)))
    with pytest.raises(UpstreamBroke):
        house.run(f"{MODEL}/converse")

    assert house.ledger.postings == []
    assert house.bedrock.replies[0].closed >= 1


def test_an_answer_that_the_gateway_itself_fails_on_is_given_up() -> None:
    """Its connection and the watch over it would else stay until OUTCROP_TOTAL_TIMEOUT."""
    house = House(FakeReply(headers=(("Content-Length", "9" * 5000),)))
    with pytest.raises(ValueError, match="digits"):
        house.run(f"{MODEL}/converse")

    assert house.bedrock.replies[0].closed >= 1
