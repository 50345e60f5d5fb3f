"""AWS's own SDK with nothing but environment variables: a virtual key as access key id, or an issued pair."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore import auth
from botocore.exceptions import ClientError

from app.core.accounts import Rights
from tests.end_to_end.key_ring import SECRET_KEY, Issued, KeyRing, key_ring
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawReply, exchange, raw_request
from tests.signed_calls import signed_headers
from tests.standin_bedrock import StandinBedrock

TARGET = "/bedrock/model/us.anthropic.claude-3-haiku-20240307-v1%3A0/converse"
BODY = b'{"messages": []}'
MODEL = "us.anthropic.claude-3-haiku-20240307-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture(scope="module")
def signing_gateway(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """One that issues key pairs."""
    with GatewayProcess({"SECRET_KEY": SECRET_KEY}, standin_for_all) as running:
        yield running


@pytest.fixture(scope="module")
def ring(signing_gateway: GatewayProcess) -> Iterator[KeyRing]:
    """Its keys."""
    with key_ring(signing_gateway.environment["DATABASE_URL"]) as ring:
        yield ring


@pytest.fixture(scope="module")
def issued(ring: KeyRing) -> Issued:
    """One key with its pair, which may call everything: what is refused here is refused for its signature."""
    return ring.issue(alias="ci", rights=Rights(operations=("all",)))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, signing_gateway: GatewayProcess, standin: StandinBedrock) -> Any:
    """What an SDK reads: the gateway, and the credential that is given."""

    def give(credential: tuple[str, str]) -> None:
        for service in ("BEDROCK", "BEDROCK_RUNTIME", "BEDROCK_AGENT", "BEDROCK_AGENT_RUNTIME"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"{signing_gateway.url}/bedrock")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", credential[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credential[1])

    return give


def converse(model: str = MODEL) -> Any:
    client = boto3.Session().client("bedrock-runtime")
    try:
        return client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    finally:
        client.close()


def call_everything() -> None:
    """Runtime, agents, control plane: bodies, streams, queries, ARNs, paths with a slash at the end."""
    session = boto3.Session()
    runtime, agents = session.client("bedrock-runtime"), session.client("bedrock-agent-runtime")
    control, building = session.client("bedrock"), session.client("bedrock-agent")
    messages = [{"role": "user", "content": [{"text": "Hi"}]}]
    for model in (MODEL, ARN):
        assert runtime.converse(modelId=model, messages=messages)["output"]
        assert list(runtime.converse_stream(modelId=model, messages=messages)["stream"])
        assert runtime.invoke_model(modelId=model, body=b'{"a": 1}', trace="ENABLED")["body"].read()
    completion = agents.invoke_agent(
        agentId="AGENT12345", agentAliasId="ALIAS12345", sessionId="session", inputText="Hi"
    )
    assert list(completion["completion"])
    assert agents.retrieve(knowledgeBaseId="KB12345678", retrievalQuery={"text": "Hi"})["retrievalResults"]
    assert control.list_foundation_models(byProvider="Anthropic")["modelSummaries"]
    building.list_agents(maxResults=5)
    building.list_tags_for_resource(resourceArn="arn:aws:bedrock:us-east-1:123456789012:agent/AGENT12345")
    for client in (runtime, agents, control, building):
        client.close()


@pytest.mark.parametrize("by", ["the key, with any secret", "an issued pair"])
def test_an_unmodified_sdk_calls_runtime_and_agents(environment: Any, ring: KeyRing, by: str) -> None:
    issued = ring.issue()
    environment(issued.pair if by == "an issued pair" else (issued.text, "any"))

    call_everything()


def test_the_pair_that_the_administrator_is_answered_opens(environment: Any, signing_gateway: GatewayProcess) -> None:
    """And a regenerated key brings another; the former pair ends with the former text."""
    first = _administer(signing_gateway, "/key/generate", {})
    environment((first["aws_access_key_id"], first["aws_secret_access_key"]))
    converse()
    second = _administer(signing_gateway, f"/key/{first['key']}/regenerate", {})
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        converse()
    environment((second["aws_access_key_id"], second["aws_secret_access_key"]))
    converse()


def _administer(gateway: GatewayProcess, path: str, content: dict[str, Any]) -> Any:
    headers = [("Authorization", f"Bearer {MASTER_KEY}"), ("Content-Type", "application/json")]
    reply = exchange(gateway.port, raw_request("POST", path, headers, json.dumps(content).encode()))
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def test_the_line_of_a_call_names_the_key(
    environment: Any, issued: Issued, signing_gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    """And no secret of the pair reaches AWS, nor its id."""
    signing_gateway.clear_log()
    environment(issued.pair)
    converse()

    assert signing_gateway.wait_for_log()["key_alias"] == "ci"
    [request] = standin.requests
    assert issued.pair[0].encode() not in request.raw


def test_a_wrong_secret_is_refused(environment: Any, issued: Issued, standin: StandinBedrock) -> None:
    environment((issued.pair[0], "wrong" * 8))
    with pytest.raises(ClientError) as raised:
        converse()

    assert raised.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert standin.requests == []


def test_a_secret_of_another_gateway_is_refused(environment: Any, ring: KeyRing, issued: Issued) -> None:
    """Or of another key here."""
    environment((issued.pair[0], ring.issue().pair[1]))
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        converse()


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_off_is_told_as_aws_tells_it(
    environment: Any, issued: Issued, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    environment(issued.pair)
    now = auth.get_current_datetime
    monkeypatch.setattr(auth, "get_current_datetime", lambda: now() + timedelta(minutes=minutes))
    with pytest.raises(ClientError) as raised:
        converse()

    assert raised.value.response["Error"]["Code"] == "RequestTimeTooSkewed"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "date" in raised.value.response["ResponseMetadata"]["HTTPHeaders"], "by which SDKs set theirs"


def send(
    gateway: GatewayProcess,
    issued: Issued,
    *,
    target: str = TARGET,
    method: str = "POST",
    body: bytes = BODY,
    **changes: str,
) -> RawReply:
    """A call signed for TARGET and BODY, changed on its way. Header names with underscores for dashes."""
    host = f"127.0.0.1:{gateway.port}"
    headers = signed_headers("POST", TARGET, BODY, issued.pair, datetime.now(UTC), host=host)
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    host = headers.pop("host")
    return exchange(gateway.port, raw_request(method, target, list(headers.items()), body, host))


def test_a_signed_call_arrives(signing_gateway: GatewayProcess, issued: Issued, standin: StandinBedrock) -> None:
    """As it is; what is changed below is all that makes the difference."""
    assert send(signing_gateway, issued).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"body": BODY + b" "},
        {"body": b""},
        {"target": TARGET.replace("/converse", "/invoke")},
        {"target": TARGET.replace("haiku", "Haiku")},
        {"target": TARGET.replace("%3A", ":")},
        {"target": TARGET + "?a=b"},
        {"method": "PUT"},
        {"host": "localhost"},
        {"content_type": "text/plain"},
        {"x_amzn_bedrock_trace": "ENABLED"},
        {"x_outcrop_region": "eu-west-1"},
        {"x_litellm_tags": "a"},
        {"x_amz_content_sha256": "UNSIGNED-PAYLOAD"},
        {"x_amz_date": "20200101T000000Z"},
    ],
    ids=str,
)
def test_a_call_that_was_changed_on_its_way_is_refused(
    signing_gateway: GatewayProcess, issued: Issued, standin: StandinBedrock, change: dict[str, Any]
) -> None:
    """Whoever sits in between can do nothing with what passes there."""
    reply = send(signing_gateway, issued, **change)

    assert reply.status == 403
    assert reply.header("x-amzn-ErrorType") == "InvalidSignatureException"
    assert standin.requests == []


def test_a_body_sent_on_in_chunks_is_still_the_one_that_was_signed(
    signing_gateway: GatewayProcess, issued: Issued, standin: StandinBedrock
) -> None:
    """As some routers do."""
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

    assert send(signing_gateway, issued, body=chunks, transfer_encoding="chunked").status == 200
    assert standin.requests[0].body == BODY


def test_without_a_secret_key_no_pair_opens(gateway: GatewayProcess, issued: Issued) -> None:
    """The message tells what is missing."""
    reply = send(gateway, issued)

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (401, "UnrecognizedClientException")
    assert b"SECRET_KEY" in reply.body


def test_a_change_of_the_secret_key_takes_no_pair_away(
    signing_gateway: GatewayProcess, issued: Issued, standin_for_all: StandinBedrock
) -> None:
    """As long as the former one is set as the previous."""
    environment = {
        "SECRET_KEY": "b6" * 32,
        "SECRET_KEY_PREVIOUS": SECRET_KEY,
        "DATABASE_URL": signing_gateway.environment["DATABASE_URL"],
    }
    with GatewayProcess(environment, standin_for_all) as rotated:
        assert send(rotated, issued).status == 200
