"""Real exchanges with Bedrock through the gateway: what the ledger says of each is what was recorded of it.

What each used is told by tests/recorded_usage.py and what that costs by tests/recorded_costs.py, which know nothing of
the gateway. The exchanges written below stand here with their figures: all there is where nothing is recorded.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from urllib.parse import quote

import pytest

from app.core.accounts import Rights
from tests.end_to_end.key_ring import key_ring
from tests.end_to_end.ledger_rows import LedgerRow, LedgerRows, ledger_rows, spend_log
from tests.event_frames import event_frame
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection, RawReply, raw_request
from tests.recorded_costs import FACTS, cost_of, facts
from tests.recorded_usage import expected_usage
from tests.recordings import Recording, recordings
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Answer, Chunk, EndChunks, Recorded, Send, Step, body_answer, json_answer

REGIONS = ("us-east-1", "us-east-2", "us-west-2", "ap-south-1")
# AWS bills neither, whatever the answer says
FREE = ("CountTokens", "GetInferenceProfile", "OpenAIModels")
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
# of one hop, the recorder's or the gateway's own, or for a test of its own
_NOT_SENT = frozenset(
    "authorization host x-amz-date x-amz-security-token connection content-length transfer-encoding expect".split()
)
_NOT_ANSWERED = frozenset("connection date server transfer-encoding content-length keep-alive".split())


@dataclass(frozen=True)
class Replay:
    """An exchange, and what the ledger must say of it."""

    name: str
    target: str
    answer_status: int
    answer_body: bytes
    source: str
    counts: dict[str, int]
    cost: Decimal | None
    method: str = "POST"
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b'{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}'
    answer_headers: Sequence[tuple[str, str]] = field(default=(("Content-Type", "application/json"),))

    @property
    def streamed(self) -> bool:
        return any(name.lower() == "content-type" and "stream" in value for name, value in self.answer_headers)


def _target(model: str, operation: str) -> str:
    return f"/bedrock/model/{quote(model, safe='')}/{operation}"


def _written() -> Iterator[Replay]:
    used = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 35, "cacheReadInputTokens": 20}
    whole = json.dumps({"output": {"message": {"content": [{"text": "Hi"}]}}, "usage": used}).encode()
    nova = _target("amazon.nova-lite-v1:0", "converse")
    counts = {"input": 10, "output": 5, "cache_read": 20}
    # 0.06, 0.24 and 0.015 dollars a million
    yield Replay("nova", nova, 200, whole, "reported", counts, Decimal("0.0000021"))
    frames = event_frame("messageStart", {"role": "assistant"}) + event_frame("metadata", {"usage": used})
    stream = (("Content-Type", "application/vnd.amazon.eventstream"),)
    yield Replay(
        "nova stream", nova + "-stream", 200, frames, "reported", counts, Decimal("0.0000021"), answer_headers=stream
    )
    said = b'{"usage":{"input_tokens":100,"output_tokens":10,"cache_creation_input_tokens":7}}'
    written = {"input": 100, "output": 10, "cache_write_5m": 7}
    # 1, 5 and 1.25 dollars a million; a tenth more where the profile is a geography's
    cost = Decimal("0.00015875")
    yield Replay("global", _target(f"global.{HAIKU}", "invoke"), 200, said, "reported", written, cost)
    yield Replay("geo", _target(f"us.{HAIKU}", "invoke"), 200, said, "reported", written, cost * Decimal("1.1"))
    yield Replay("profile", _target(PROFILE, "invoke"), 200, said, "reported", written, cost)
    yield Replay("unpriced", _target("acme.rock-v1:0", "converse"), 200, whole, "reported", counts, None)
    for status in (400, 403, 429, 500, 503):
        yield Replay(f"error {status}", nova, status, b'{"message":"no"}', "unknown", {}, Decimal(0))
    yield Replay("no usage", nova, 200, b"{}", "unknown", {}, None)
    counted = _target("amazon.nova-lite-v1:0", "count-tokens")
    yield Replay("free", counted, 200, b'{"inputTokens":12}', "reported", {"counted": 12}, Decimal(0))


def _recorded() -> Iterator[Replay]:
    if not FACTS.exists():
        return
    prices = facts()
    for recording in recordings():
        source, counts = expected_usage(recording.exchange)
        prefix = "/bedrock-mantle" if recording.call.service == "bedrock-mantle" else "/bedrock"
        cost: Decimal | None = None
        if recording.status >= 400 or recording.call.name in FREE:
            cost = Decimal(0)
        elif source == "reported":
            place = (_model(recording), recording.call.service or "", recording.region)
            cost = cost_of(place, counts, prices)
        yield Replay(
            name=recording.name,
            target=f"{prefix}/{recording.region}{recording.path}",
            answer_status=recording.status,
            answer_body=recording.body,
            source=source,
            counts=counts,
            cost=cost,
            method=recording.method,
            headers=[(name, value) for name, value in recording.request_headers.items() if name not in _NOT_SENT],
            body=recording.request_body,
            answer_headers=[(name, value) for name, value in recording.headers if name.lower() not in _NOT_ANSWERED],
        )


def _model(recording: Recording) -> str:
    """As priced: what an application profile runs, or an agent's traces name."""
    if recording.call.model == PROFILE:
        return f"global.{HAIKU}"
    traced = recording.body.partition(b'"foundationModel":"')[2].partition(b'"')[0].decode()
    return recording.call.model or traced


WRITTEN = list(_written())
RECORDED = list(_recorded())
each = pytest.mark.parametrize("replay", [pytest.param(one, id=one.name) for one in (*WRITTEN, *RECORDED)])


class Through:
    """A gateway that exchanges go through, with a key of their own, and its ledger."""

    def __init__(
        self, gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows, key: str, caller: RawConnection
    ) -> None:
        self.gateway = gateway
        self.standin = standin
        self._rows = rows
        self._key = key
        self._caller = caller

    def send(self, replay: Replay, pieces: Sequence[bytes]) -> tuple[RawReply, LedgerRow]:
        """The caller's reply and the row of the call that AWS answers in these pieces."""
        self.standin.answer = lambda request: _profile(request) or _answer(replay, pieces)
        headers = [*replay.headers, ("x-litellm-api-key", self._key)]
        self._caller.send(raw_request(replay.method, replay.target, headers, replay.body))
        reply = self._caller.read_reply(replay.method)
        assert (reply.status, reply.body) == (replay.answer_status, replay.answer_body)
        return reply, self._rows.of(reply.header("x-litellm-call-id"))


def _answer(replay: Replay, pieces: Sequence[bytes]) -> Answer:
    if replay.streamed:
        steps: list[Step] = [*map(Chunk, pieces), EndChunks()]
        framing = ("Transfer-Encoding", "chunked")
    else:
        steps, framing = [*map(Send, pieces)], ("Content-Length", str(sum(map(len, pieces))))
    return Answer(replay.answer_status, headers=[*replay.answer_headers, framing], steps=steps)


def _profile(request: Recorded) -> Answer | None:
    """What AWS says of the application profile, which is asked about by the gateway or, in a recording, by a caller."""
    if request.method != "GET" or not request.path.startswith("/inference-profiles/"):
        return None
    for replay in RECORDED:
        if "/inference-profiles/" in replay.target:
            return body_answer(replay.answer_body, "application/json")
    places = ("", "us-east-1")
    return json_answer(
        {"models": [{"modelArn": f"arn:aws:bedrock:{place}::foundation-model/{HAIKU}"} for place in places]}
    )


@pytest.fixture(scope="module")
def through(standin_for_all: StandinBedrock) -> Iterator[Through]:
    """One gateway for all."""
    standin_for_all.reset()
    environment = {"OUTCROP_REGIONS": ",".join(REGIONS)}
    with GatewayProcess(environment, standin_for_all) as gateway, ledger_rows(gateway) as rows:
        with key_ring(gateway.environment["DATABASE_URL"]) as ring:
            issued = ring.issue(rights=Rights(operations=("all",)))
        with RawConnection(gateway.port) as caller:
            yield Through(gateway, standin_for_all, rows, issued.text, caller)
    standin_for_all.reset()


def _odd_pieces(body: bytes, seed: str) -> Iterator[bytes]:
    chance, start = random.Random(seed), 0  # the same splits each time
    while start < len(body):
        size = chance.choice((1, 3, 17, 100, 1000, 9000))
        yield body[start : start + size]
        start += size


@each
def test_the_ledger_says_what_was_recorded(through: Through, replay: Replay) -> None:
    for pieces in ([replay.answer_body], list(_odd_pieces(replay.answer_body, replay.name)))[: 1 + replay.streamed]:
        _, row = through.send(replay, pieces)

        assert (row.ended, row.said["http_status"]) == ("complete", replay.answer_status)
        assert row.said["status"] == ("failure" if replay.answer_status >= 400 else "success")
        assert (row.source, row.cost) == (replay.source, replay.cost)
        assert row.counts == replay.counts


def test_an_application_profile_is_priced_after_aws_was_asked_once(through: Through) -> None:
    [known] = [one for one in WRITTEN if one.name == "profile"]
    another = PROFILE.replace("1arbu5hu2sjr", "2arbu5hu2sjr")
    replay = replace(known, target=_target(another, "invoke"))
    rows = [through.send(replay, [replay.answer_body])[1] for _ in range(2)]
    asked = f"/inference-profiles/{quote(another, safe='')}"

    assert [row.cost for row in rows] == [known.cost] * 2
    assert [row.said["model"] for row in rows] == [another] * 2
    assert {(row.said["model_priced"], row.said["scope"]) for row in rows} == {(HAIKU, "global")}
    assert [request.path for request in through.standin.requests].count(asked) == 1


def test_the_ledger_is_told_by_the_gateway_as_it_stands(through: Through) -> None:
    replays = {replay.name: replay for replay in WRITTEN}
    sent = {
        name: through.send(replays[name], [replays[name].answer_body]) for name in ("nova", "unpriced", "error 429")
    }
    logs = {name: spend_log(through.gateway, reply.header("x-litellm-call-id")) for name, (reply, _) in sent.items()}

    assert {name: (log["spend"], log["unpriced"], log["status"]) for name, log in logs.items()} == {
        "nova": (0.0000021, False, "success"),
        "unpriced": (0, True, "success"),
        "error 429": (0, False, "failure"),
    }
    assert (logs["nova"]["prompt_tokens"], logs["nova"]["cache_read_input_tokens"]) == (10, 20)
    assert (logs["nova"]["completion_tokens"], logs["nova"]["usage_source"]) == (5, "reported")
