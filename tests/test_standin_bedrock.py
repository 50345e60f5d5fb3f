"""The stand-in Bedrock serves real clients, refuses what AWS refuses, and records what stood on the wire."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ClientMaker
from tests.raw_client import RawConnection, exchange, raw_request
from tests.standin_answers import (
    ASSUMED_ACCESS_KEY_ID,
    ASSUMED_SECRET,
    ASSUMED_TOKEN,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    TEXT,
)
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY, StandinBedrock
from tests.standin_messages import Recorded, Reply, aws_error, json_answer

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "Hi"}]}]
KEYS = (ACCESS_KEY_ID, SECRET_ACCESS_KEY)
CONVERSE = raw_request("POST", "/model/x/converse", body=b"{}")
ANSWERED = json_answer({"answered": True})

Connect = Callable[..., Any]


@pytest.fixture
def connect(standin: StandinBedrock, make_client: ClientMaker) -> Connect:
    """Make boto3 clients that speak to the stand-in directly, with credentials that it knows."""
    return lambda service="bedrock-runtime", **config: make_client(
        service, standin.url(service), **{"credentials": KEYS, **config}
    )


@pytest.fixture
def port(standin: StandinBedrock) -> int:
    """Return bedrock-runtime's port, for clients that do not sign."""
    standin.lenient = True
    return standin.port("bedrock-runtime")


def test_converse(standin: StandinBedrock, connect: Connect) -> None:
    """A Converse reply has text and usage, and the request was recorded with its wire path."""
    reply = connect().converse(modelId=MODEL, messages=MESSAGES)

    assert reply["output"]["message"]["content"] == [{"text": "".join(TEXT)}]
    assert reply["usage"]["inputTokens"] == INPUT_TOKENS
    [request] = standin.requests
    assert (request.method, request.target) == ("POST", f"/model/{MODEL.replace(':', '%3A')}/converse")
    assert json.loads(request.body) == {"messages": MESSAGES}
    assert request.verdict is not None
    assert request.verdict.ok
    assert reply["ResponseMetadata"]["RequestId"] == request.request_id


def test_converse_stream(connect: Connect) -> None:
    """A ConverseStream has its events in AWS's order, usage last."""
    events = list(connect().converse_stream(modelId=MODEL, messages=MESSAGES)["stream"])

    assert [next(iter(event)) for event in events[:2]] == ["messageStart", "contentBlockDelta"]
    assert [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e] == list(TEXT)
    assert events[-1]["metadata"]["usage"]["outputTokens"] == OUTPUT_TOKENS


def test_invoke_model(connect: Connect) -> None:
    """InvokeModel carries the model's own JSON, and the token counts in headers."""
    reply = connect().invoke_model(modelId=MODEL, body=b"{}")

    assert json.loads(reply["body"].read())["usage"]["output_tokens"] == OUTPUT_TOKENS
    headers = reply["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-input-token-count"] == str(INPUT_TOKENS)


def test_invoke_model_with_response_stream(connect: Connect) -> None:
    """Each chunk holds one of the model's own events; the last has AWS's metrics."""
    reply = connect().invoke_model_with_response_stream(modelId=MODEL, body=b"{}")
    events = [json.loads(event["chunk"]["bytes"]) for event in reply["body"]]

    assert events[0]["type"] == "message_start"
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == OUTPUT_TOKENS
    assert reply["contentType"] == "application/json"


def test_count_tokens_and_apply_guardrail(connect: Connect) -> None:
    """The runtime's other small operations answer what boto3 can read."""
    runtime = connect()
    counted = runtime.count_tokens(modelId=MODEL, input={"converse": {"messages": MESSAGES}})
    content = [{"text": {"text": "Hi"}}]
    applied = runtime.apply_guardrail(guardrailIdentifier="gr1", guardrailVersion="1", source="INPUT", content=content)

    assert counted["inputTokens"] == INPUT_TOKENS
    assert (applied["action"], applied["usage"]["topicPolicyUnits"]) == ("NONE", 1)


def test_agent_runtime(connect: Connect) -> None:
    """Retrieve gives documents, InvokeAgent streams text in chunk events."""
    client = connect("bedrock-agent-runtime")
    found = client.retrieve(knowledgeBaseId="KB12345678", retrievalQuery={"text": "rock"})
    invoked = client.invoke_agent(agentId="AGENT12345", agentAliasId="ALIAS12345", sessionId="s1", inputText="Hi")

    assert found["retrievalResults"][0]["content"]["text"].startswith("An outcrop")
    assert b"".join(event["chunk"]["bytes"] for event in invoked["completion"]) == "".join(TEXT).encode()
    assert invoked["sessionId"] == "s1"


def test_control_plane(standin: StandinBedrock, connect: Connect) -> None:
    """The control plane lists a model and says that it is available; what nobody wrote answers {}."""
    control = connect("bedrock")

    assert control.list_foundation_models()["modelSummaries"][0]["modelId"] == MODEL
    assert control.get_foundation_model_availability(modelId=MODEL)["authorizationStatus"] == "AUTHORIZED"
    assert "guardrails" not in control.list_guardrails()
    assert {request.service for request in standin.requests} == {"bedrock"}


def test_sts(standin: StandinBedrock, connect: Connect) -> None:
    """STS knows the caller, and a role's credentials work only with their session token."""
    sts = connect("sts")
    assumed = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="abc")["Credentials"]

    assert sts.get_caller_identity()["Account"] == "123456789012"
    expected = (ASSUMED_ACCESS_KEY_ID, ASSUMED_SECRET, ASSUMED_TOKEN)
    assert (assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"]) == expected
    with pytest.raises(ClientError, match="session token must be sent"):
        connect("sts", credentials=expected[:2]).get_caller_identity()
    assert (len(standin.sts_requests), standin.requests) == (3, [])


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [((ACCESS_KEY_ID, "wrong"), "does not match"), (("AKIAUNKNOWN", "x"), "is not known")],
)
def test_a_bad_signature_is_refused(
    standin: StandinBedrock, connect: Connect, credentials: tuple[str, str], reason: str
) -> None:
    """A wrong secret or an unknown key gets AWS's error and is recorded; lenient serves it."""
    client = connect(credentials=credentials)
    with pytest.raises(ClientError, match=reason) as refused:
        client.converse(modelId=MODEL, messages=MESSAGES)

    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert len(standin.requests) == 1
    standin.lenient = True
    assert client.converse(modelId=MODEL, messages=MESSAGES)["stopReason"] == "end_turn"


def test_the_scope_must_name_the_ports_own_service(standin: StandinBedrock, make_client: ClientMaker) -> None:
    """A signature for another service is refused, though it verifies."""
    astray = make_client("bedrock", standin.url("bedrock-agentcore"), credentials=KEYS)

    with pytest.raises(ClientError, match="the scope names service 'bedrock', not 'bedrock-agentcore'"):
        astray.list_guardrails()


def test_a_bearer_token_must_be_known(standin: StandinBedrock) -> None:
    """A Bedrock API key is good for the services that take one."""
    standin.bearer_tokens.add("token-1")
    request = raw_request("POST", "/model/x/converse", [("Authorization", "Bearer token-1")], b"{}")

    assert exchange(standin.port("bedrock-runtime"), request).status == 200
    assert exchange(standin.port("bedrock-agent"), request).status == 403
    assert exchange(standin.port("bedrock-runtime"), CONVERSE).status == 403
    assert [recorded.bearer for recorded in standin.requests] == ["token-1", "token-1", None]


def test_a_request_is_recorded_as_it_stood_on_the_wire(standin: StandinBedrock, port: int) -> None:
    """Case, order and repeats of headers, and the target's bytes, are kept."""
    raw = b"PATCH /a%2fb//c?x=%20&x HTTP/1.1\r\nhOST: h\r\nB: 1\r\nA:\t2 \r\nb: 3\r\n\r\n"
    exchange(port, raw)

    [request] = standin.requests
    assert (request.method, request.target, request.raw) == ("PATCH", "/a%2fb//c?x=%20&x", raw)
    assert list(request.headers) == [("hOST", "h"), ("B", "1"), ("A", "2"), ("b", "3")]
    assert request.header_values("b") == ["1", "3"]


def test_a_chunked_body_and_expect_are_understood(standin: StandinBedrock, port: int) -> None:
    """A chunked body is put together; Expect is answered before the body comes."""
    head = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    with RawConnection(port) as connection:
        connection.send(head)
        assert connection.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send_pieces([b"3\r\nab", b"c\r\n", b"1;x=y\r\nd\r\n0\r", b"\n\r\n"])
        assert connection.read_reply().status == 200

    assert standin.requests[0].body == b"abcd"


def test_a_request_that_breaks_off_is_kept_apart(standin: StandinBedrock, port: int) -> None:
    """What came of it is in `incomplete`, and it is not among the requests."""
    with RawConnection(port) as connection:
        connection.send(CONVERSE[:-1])
    standin.wait_for(lambda: standin.incomplete)

    assert standin.incomplete == [CONVERSE[:-1]]
    assert standin.requests == []


def test_scripted_replies_come_first_and_in_order(standin: StandinBedrock, port: int) -> None:
    """The script is used up before the answer function is asked."""
    standin.answer = lambda request: json_answer({"target": request.target})
    standin.script(aws_error(429, "ThrottlingException", "slow down"), ANSWERED)

    first, second, third = (exchange(port, CONVERSE) for _ in range(3))
    assert (first.status, first.header("x-amzn-errortype")) == (429, "ThrottlingException")
    assert first.body == b'{"message":"slow down"}'
    assert second.body == b'{"answered":true}'
    assert third.body == b'{"target":"/model/x/converse"}'


def test_an_answer_function_that_raises_is_reported(standin: StandinBedrock, port: int) -> None:
    """Its exception is kept in `faults`, which fails the test where it is not expected."""

    def broken(request: Recorded) -> Reply:
        raise KeyError("my mistake")

    standin.answer = broken

    assert exchange(port, CONVERSE).header("x-amzn-errortype") == "StandinFault"
    assert isinstance(standin.faults.pop(), KeyError)
