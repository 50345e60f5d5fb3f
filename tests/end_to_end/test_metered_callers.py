"""What a reply says of its money, and for whom a call is: in the ledger, and in what AWS itself logs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from app.core.accounts import Stamps, Team
from tests.end_to_end.key_ring import Issued, KeyRing, key_ring
from tests.end_to_end.ledger_rows import LedgerRows, ledger_rows, spend_log
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawReply, exchange, raw_request
from tests.standin_answers import usage
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Chunk, EndChunks, aws_error, chunked_answer, json_answer

CONVERSE = "/bedrock/model/amazon.nova-lite-v1%3A0/converse"
INVOKE = "/bedrock/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
CHAT = "/bedrock/openai/v1/chat/completions"
STREAMS = (f"{CONVERSE}-stream", f"{INVOKE}-with-response-stream")
COST = Decimal("0.00000888")  # 12 at 0.06 and 34 at 0.24 dollars a million
MONEY = ("x-litellm-response-cost", "x-litellm-key-spend")
# spaces, escapes and a number that parsers write otherwise
BODY = b'{ "messages":[{"role":"user","content":[{"text":"\\u00e9 \xc3\xa9"}]}],\n "max_tokens":1e1 }'
NOW = datetime.now(UTC)
STAMPS = Stamps(NOW, "master", NOW, "master")


@pytest.fixture
def rows(gateway: GatewayProcess) -> Iterator[LedgerRows]:
    with ledger_rows(gateway) as found:
        yield found


@pytest.fixture
def ring(gateway: GatewayProcess) -> Iterator[KeyRing]:
    with key_ring(gateway.environment["DATABASE_URL"]) as found:
        yield found


def call(
    gateway: GatewayProcess, target: str, key: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = BODY
) -> RawReply:
    own = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json"), *headers]
    return exchange(gateway.port, raw_request("POST", target, own, body))


def money(reply: RawReply) -> tuple[str | None, str | None]:
    """What the reply's headers say of its cost and of the key's spend."""
    return reply.header(MONEY[0]), reply.header(MONEY[1])


def name() -> str:
    """Of somebody whom no other test knows."""
    return f"ada-{uuid4()}"


def test_a_whole_answer_says_what_it_cost_and_what_its_key_spent(
    gateway: GatewayProcess, rows: LedgerRows, ring: KeyRing
) -> None:
    key = ring.issue().text

    assert [money(call(gateway, CONVERSE, key)) for _ in range(2)] == [
        ("0.00000888", "0.00000888"),
        ("0.00000888", "0.00001776"),
    ]
    reply = call(gateway, INVOKE, key)  # 12 at 3.3 and 34 at 16.5 dollars a million
    assert money(reply) == ("0.0006006", "0.00061836")
    assert rows.of(reply.header("x-litellm-call-id")).cost == Decimal("0.0006006")
    assert money(call(gateway, CONVERSE, MASTER_KEY)) == ("0.00000888", None)


def test_an_error_costs_nothing_and_what_has_no_price_says_none(
    gateway: GatewayProcess, standin: StandinBedrock, ring: KeyRing
) -> None:
    key = ring.issue().text
    call(gateway, CONVERSE, key)
    standin.script(aws_error(429, "ThrottlingException", "too much"))

    assert money(call(gateway, CONVERSE, key)) == ("0", "0.00000888")
    assert money(call(gateway, CONVERSE.replace("amazon", "acme"), key)) == (None, "0.00000888")


@pytest.mark.parametrize("target", STREAMS)
def test_a_stream_leaves_before_its_cost_is_known(
    gateway: GatewayProcess, rows: LedgerRows, ring: KeyRing, target: str
) -> None:
    reply = call(gateway, target, ring.issue().text)

    assert money(reply) == (None, None)
    assert rows.of(reply.header("x-litellm-call-id")).cost


def test_answers_that_are_long_or_say_no_length(
    gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows, ring: KeyRing
) -> None:
    key = ring.issue().text
    long = {"output": {"message": {"content": [{"text": "x" * 300_000}]}}, "usage": usage()}
    standin.script(
        json_answer(long), chunked_answer([Chunk(json.dumps(long).encode()), EndChunks()], "application/json")
    )

    for _ in range(2):
        reply = call(gateway, CONVERSE, key)
        assert money(reply) == (None, None)
        assert rows.of(reply.header("x-litellm-call-id")).cost == COST


def test_the_id_of_a_call_is_the_gateways_own(
    gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows, ring: KeyRing
) -> None:
    key = ring.issue().text
    claims = (("x-litellm-call-id", "mine"), ("x-litellm-response-cost", "0"))
    standin.script(json_answer({"usage": usage()}, headers=claims))

    reply = call(gateway, CONVERSE, key, claims)
    said = [value for known, value in reply.headers if known.lower() == "x-litellm-call-id"]
    costs = [value for known, value in reply.headers if known.lower() == "x-litellm-response-cost"]

    assert (len(said), costs) == (1, ["0.00000888"])
    assert rows.of(said[0]).cost == COST
    assert spend_log(gateway, said[0])["request_id"] == said[0] != "mine"


@pytest.mark.parametrize(
    ("target", "headers", "body", "source"),
    [
        (CONVERSE, ("x-litellm-customer-id",), "{}", "x-litellm-customer-id"),
        (CONVERSE, ("x-litellm-end-user-id",), '{"requestMetadata":{"user":"other"}}', "x-litellm-end-user-id"),
        (CONVERSE, (), '{"requestMetadata":{"user":"NAME"}}', "requestMetadata.user"),
        (STREAMS[0], (), '{"requestMetadata":{"end_user":"NAME"}}', "requestMetadata.end_user"),
        (INVOKE, (), '{"metadata":{"user_id":"NAME"},"max_tokens":5}', "metadata.user_id"),
        (STREAMS[1], (), '{"metadata":{"user_id":"NAME"},"max_tokens":5}', "metadata.user_id"),
        (CHAT, (), '{"model":"openai.gpt-oss-20b-1:0","user":"NAME"}', "user"),
        (CHAT, (), '{"model":"openai.gpt-oss-20b-1:0","safety_identifier":"NAME"}', "safety_identifier"),
    ],
)
def test_the_end_user_that_a_call_names_is_in_its_row(  # noqa: PLR0917  # a table's columns
    gateway: GatewayProcess,
    standin: StandinBedrock,
    rows: LedgerRows,
    target: str,
    headers: tuple[str, ...],
    body: str,
    source: str,
) -> None:
    ada = name()
    reply = call(gateway, target, MASTER_KEY, tuple((of, ada) for of in headers), body.replace("NAME", ada).encode())
    row = rows.of(reply.header("x-litellm-call-id"))

    assert reply.status == 200
    assert (row.said["end_user"], row.said["end_user_source"]) == (ada, source)
    assert spend_log(gateway, reply.header("x-litellm-call-id"))["end_user"] == ada
    [seen] = standin.requests
    assert not [known for known, _ in seen.headers if known.lower().startswith("x-litellm")]
    assert seen.body == body.replace("NAME", ada).encode()


def test_tags_of_the_key_and_of_the_caller_stand_apart(
    gateway: GatewayProcess, rows: LedgerRows, ring: KeyRing
) -> None:
    key = ring.issue(tags=("nightly",)).text

    row = rows.of(call(gateway, CONVERSE, key, (("x-litellm-tags", "blue, green"),)).header("x-litellm-call-id"))

    assert (row.said["key_tags"], row.said["claimed_tags"]) == (["nightly"], ["blue", "green"])


def test_a_customer_who_is_blocked_or_another_teams_is_refused_and_costs_nothing(
    gateway: GatewayProcess, standin: StandinBedrock, rows: LedgerRows, ring: KeyRing
) -> None:
    blocked, theirs, ours = name(), name(), name()
    red, blue = f"red-{uuid4()}", f"blue-{uuid4()}"
    for path, asked in (
        ("/team/new", {"team_id": red}),
        ("/team/new", {"team_id": blue}),
        ("/customer/block", {"user_ids": [blocked]}),
        ("/customer/new", {"user_id": theirs, "team_id": blue}),
        ("/customer/new", {"user_id": ours, "team_id": red}),
    ):
        assert call(gateway, path, MASTER_KEY, body=json.dumps(asked).encode()).status == 200
    key = ring.issue(team_id=red).text
    before = rows.count()

    for whom in (blocked, theirs):
        reply = call(gateway, CONVERSE, key, (("x-litellm-end-user-id", whom),))
        assert (reply.status, reply.header("x-amzn-errortype")) == (403, "AccessDeniedException")
    assert (standin.requests, rows.count()) == ([], before)
    reply = call(gateway, CONVERSE, key, (("x-litellm-end-user-id", ours),))
    assert rows.of(reply.header("x-litellm-call-id")).said["counted_end_user"] == ours


def test_a_key_that_must_name_an_end_user_is_served_once_it_does(
    gateway: GatewayProcess, standin: StandinBedrock, ring: KeyRing
) -> None:
    key = ring.issue(end_user_required=True).text

    assert call(gateway, CONVERSE, key).status == 400
    assert standin.requests == []
    assert call(gateway, CONVERSE, key, (("x-litellm-customer-id", name()),)).status == 200


@pytest.fixture(scope="module")
def telling(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """A gateway that tells AWS who calls."""
    with GatewayProcess({"OUTCROP_REQUEST_METADATA": "true"}, standin_for_all) as running:
        yield running


@pytest.fixture
def known(telling: GatewayProcess) -> Issued:
    """A key of a team there, whose names AWS may read."""
    with key_ring(telling.environment["DATABASE_URL"]) as ring:
        ring.put(Team("red", STAMPS, alias="The Reds"))
        return ring.issue(alias=f"nightly {uuid4()}", team_id="red", user_id="bob")


def told(issued: Issued, end_user: str) -> dict[str, str]:
    return {
        "outcrop-key": str(issued.key.alias),
        "outcrop-end-user": end_user,
        "outcrop-team": "The Reds",
        "outcrop-user": "bob",
    }


@pytest.mark.parametrize("target", [CONVERSE, STREAMS[0]])
def test_converse_tells_aws_who_calls_and_leaves_every_other_byte(
    telling: GatewayProcess, standin: StandinBedrock, known: Issued, target: str
) -> None:
    ada = name()
    reply = call(telling, target, known.text, (("x-litellm-end-user-id", ada),))
    [seen] = standin.requests
    with ledger_rows(telling) as rows:
        row = rows.of(reply.header("x-litellm-call-id"))

    assert reply.status == 200
    assert seen.verdict is not None
    assert seen.verdict.ok
    assert json.loads(seen.body)["requestMetadata"] == told(known, ada)
    added = b'"requestMetadata":' + json.dumps(told(known, ada), separators=(",", ":")).encode() + b","
    assert seen.body.replace(added, b"", 1) == BODY
    assert row.said["bytes_in"] == len(BODY)


def test_the_callers_own_metadata_stays(telling: GatewayProcess, standin: StandinBedrock, known: Issued) -> None:
    body = b'{"requestMetadata": {"user":"ada","outcrop-key":"somebody else"} , "messages":[ ]}'

    assert call(telling, CONVERSE, known.text, body=body).status == 200
    [seen] = standin.requests
    assert json.loads(seen.body)["requestMetadata"] == {"user": "ada", **told(known, "ada")}
    assert seen.body.startswith(b'{"requestMetadata": ')
    assert seen.body.endswith(b' , "messages":[ ]}')


@pytest.mark.parametrize("target", [INVOKE, STREAMS[1]])
def test_invoke_model_tells_it_in_a_header_that_is_signed(
    telling: GatewayProcess, standin: StandinBedrock, known: Issued, target: str
) -> None:
    ada = name()
    own = ("X-Amzn-Bedrock-Request-Metadata", json.dumps({"purpose": "test"}))

    assert call(telling, target, known.text, (own, ("x-litellm-customer-id", ada))).status == 200
    [seen] = standin.requests
    assert seen.verdict is not None
    assert seen.verdict.ok
    assert json.loads(seen.header("x-amzn-bedrock-request-metadata") or "") == {"purpose": "test", **told(known, ada)}
    assert seen.body == BODY


def test_other_operations_and_other_gateways_tell_nothing(
    telling: GatewayProcess, gateway: GatewayProcess, standin: StandinBedrock, known: Issued
) -> None:
    body = b'{"model":"openai.gpt-oss-20b-1:0", "messages":[]}'
    call(telling, CHAT, known.text, body=body)
    call(gateway, CONVERSE, MASTER_KEY)
    call(gateway, INVOKE, MASTER_KEY)

    assert [seen.body for seen in standin.requests] == [body, BODY, BODY]
    assert not [seen for seen in standin.requests if seen.header("x-amzn-bedrock-request-metadata")]
