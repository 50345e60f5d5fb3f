"""The table of errors in DESIGN section 2, row by row: as it stands on the wire."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.end_to_end.streams import CONVERSE, converse_request
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawConnection, RawReply, exchange, raw_request
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Answer, Close, NoAnswer, Send, aws_error, body_answer

ELSEWHERE = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0"
KEY = ("Authorization", f"Bearer {MASTER_KEY}")
TOO_LARGE = 33 * 1024 * 1024


@pytest.fixture(scope="module")
def troubled(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """A gateway whose patience is short and whose bedrock-agent-runtime nobody serves."""
    nobody = "http://127.0.0.1:1"
    env = {"OUTCROP_FIRST_BYTE_TIMEOUT": "0.5", "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": nobody}
    with GatewayProcess(env=env, standin=standin_for_all) as running:
        yield running


@pytest.fixture(scope="module")
def without_credentials(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    env = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    with GatewayProcess(env=env, standin=standin_for_all) as running:
        yield running


@dataclass(frozen=True)
class Refused:
    """What is sent to the default gateway and refused there."""

    says: str
    status: int
    code: str
    target: str = CONVERSE
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = (KEY,)
    body: bytes = b"{}"


UNRECOGNIZED, DENIED, INVALID = "UnrecognizedClientException", "AccessDeniedException", "ValidationException"
REFUSED = {
    "no credential": Refused("Send your key as", 401, UNRECOGNIZED, headers=()),
    "unknown credential": Refused("is not known here", 401, UNRECOGNIZED, headers=(("x-api-key", "sk-unknown"),)),
    "malformed credential": Refused("x-api-key is malformed", 401, UNRECOGNIZED, headers=(("x-api-key", "a b"),)),
    "region not allowed": Refused("OUTCROP_REGIONS", 403, DENIED, "/bedrock/eu-west-1/model/x/converse"),
    "region of an ARN": Refused("OUTCROP_REGIONS", 403, DENIED, f"/bedrock/model/{ELSEWHERE.replace('/', '%2F')}/x"),
    "region mismatch": Refused(
        "must agree", 400, INVALID, f"/bedrock/us-east-1/model/{ELSEWHERE.replace('/', '%2F')}/x"
    ),
    "malformed target": Refused("empty segment", 400, INVALID, "/bedrock/model//converse"),
    "malformed model id": Refused("no model id", 400, INVALID, "/bedrock/model/a%20b/converse"),
    "malformed body": Refused(
        "must be a JSON object", 400, INVALID, "/bedrock/openai/v1/chat/completions", body=b'{"model":'
    ),
    "OPTIONS": Refused("GET, POST, PUT, PATCH, DELETE", 405, INVALID, method="OPTIONS"),
    "TRACE": Refused("GET, POST, PUT, PATCH, DELETE", 405, INVALID, method="TRACE"),
    "CONNECT": Refused("GET, POST, PUT, PATCH, DELETE", 405, INVALID, method="CONNECT"),
    "FOO": Refused("GET, POST, PUT, PATCH, DELETE", 405, INVALID, method="FOO"),
    "bidirectional": Refused(
        "InvokeModelWithResponseStream", 501, INVALID, "/bedrock/model/x/invoke-with-bidirectional-stream"
    ),
}


@pytest.mark.parametrize("row", REFUSED.values(), ids=list(REFUSED))
def test_a_refusal_has_its_status_and_code_and_says_what_to_do(
    gateway: GatewayProcess, standin: StandinBedrock, row: Refused
) -> None:
    reply = exchange(gateway.port, raw_request(row.method, row.target, row.headers, row.body))

    _assert_error(reply, row.status, row.code, row.says)
    assert standin.requests == []


def test_a_refused_head_has_the_headers_and_no_body(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    reply = exchange(gateway.port, raw_request("HEAD", CONVERSE, [KEY]))

    _assert_error(reply, 405, INVALID, "")
    assert standin.requests == []


def test_a_body_shorter_than_its_content_length_is_refused(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    request = raw_request("POST", CONVERSE, [KEY, ("Content-Length", "50")], b"{}")

    _assert_error(_exchange_and_end(gateway.port, request), 400, INVALID, "shorter than its Content-Length")
    assert standin.requests == []


def test_the_answer_to_a_body_over_the_limit_can_be_read_by_who_sends_it_all(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    reply = exchange(gateway.port, raw_request("POST", CONVERSE, [KEY], bytes(TOO_LARGE)), timeout=30)

    _assert_error(reply, 413, INVALID, "OUTCROP_MAX_BODY_BYTES")
    assert standin.requests == []


def test_an_unreachable_aws_is_503_and_says_that_a_retry_is_safe(troubled: GatewayProcess) -> None:
    reply = exchange(troubled.port, converse_request("/bedrock/knowledgebases/ABCDEFGHIJ/retrieve"))

    _assert_error(reply, 503, "ServiceUnavailableException", "safe to retry", retry_after=1)


def test_a_silent_aws_is_408(troubled: GatewayProcess, standin: StandinBedrock) -> None:
    standin.script(NoAnswer("hang"))
    reply = exchange(troubled.port, converse_request(CONVERSE))

    _assert_error(reply, 408, "ModelTimeoutException", "OUTCROP_FIRST_BYTE_TIMEOUT")
    assert len(standin.requests) == 1


@pytest.mark.parametrize("broken", [NoAnswer("reset"), NoAnswer("close")], ids=["reset", "close"])
def test_a_connection_that_breaks_after_the_request_is_424_and_not_tried_again(
    gateway: GatewayProcess, standin: StandinBedrock, broken: NoAnswer
) -> None:
    standin.close_idle()
    standin.script(broken)
    reply = exchange(gateway.port, converse_request(CONVERSE))

    _assert_error(reply, 424, "ModelErrorException", "may have run")
    assert len(standin.requests) == 1


def test_an_answer_that_breaks_before_its_first_byte_left_is_424(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    standin.script(Answer(headers=[("Content-Length", "100")], steps=[Send(b"{"), Close()]))
    reply = exchange(gateway.port, converse_request(CONVERSE))

    _assert_error(reply, 424, "ModelErrorException", "broke")
    assert len(standin.requests) == 1


def test_an_answer_that_cannot_be_relayed_is_not_blamed_on_the_caller(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    standin.script(body_answer(b"{}", "application/json", headers=[("X-Odd", "a\x01b")]))
    reply = exchange(gateway.port, converse_request(CONVERSE))

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (424, "ModelErrorException")


def test_without_aws_credentials_500_names_the_variables(
    without_credentials: GatewayProcess, standin: StandinBedrock
) -> None:
    reply = exchange(without_credentials.port, converse_request(CONVERSE))

    _assert_error(reply, 500, "InternalServerException", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    assert standin.requests == []


def test_without_aws_credentials_the_caller_s_own_are_looked_at_first(without_credentials: GatewayProcess) -> None:
    assert exchange(without_credentials.port, converse_request(CONVERSE, "sk-unknown")).status == 401


AWS_ERRORS = {
    "400": aws_error(400, "ValidationException", "The model é wants more."),
    "403": aws_error(403, "AccessDeniedException", "You don't have access to the model."),
    "404": aws_error(404, "ResourceNotFoundException:http://internal/", "No such model."),
    "429": body_answer(
        b'{"message":"Too many tokens"}',
        "application/json",
        429,
        [("x-amzn-ErrorType", "ThrottlingException"), ("Retry-After", "7"), ("X-Odd", "one"), ("X-Odd", "two")],
    ),
    "500": aws_error(500, "InternalServerException", "Sorry."),
    "502": body_answer(b"<html>\r\n<h1>502 Bad Gateway</h1>\r\n</html>", "text/html", 502),
    "503": aws_error(503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
}


@pytest.mark.parametrize("answer", AWS_ERRORS.values(), ids=list(AWS_ERRORS))
def test_an_error_of_aws_passes_byte_for_byte_with_its_headers(
    gateway: GatewayProcess, standin: StandinBedrock, answer: Answer
) -> None:
    standin.script(answer)
    reply = exchange(gateway.port, converse_request(CONVERSE))

    [body] = [step.data for step in answer.steps if isinstance(step, Send)]
    assert (reply.status, reply.body) == (answer.status, body)
    assert [pair for pair in reply.headers if pair in answer.headers] == list(answer.headers)
    assert reply.header("x-amzn-RequestId") == standin.requests[0].request_id
    assert reply.header("x-should-retry") is None
    assert len(standin.requests) == 1


def _assert_error(reply: RawReply, status: int, code: str, says: str, retry_after: int | None = None) -> None:
    """Everything the table promises of one of our own errors."""
    call_id = reply.header("x-litellm-call-id")
    assert (reply.status, reply.header("x-amzn-ErrorType")) == (status, code)
    assert call_id == str(uuid.UUID(call_id))
    assert reply.header("x-amzn-RequestId") == call_id
    assert reply.header("x-should-retry") == (None if retry_after else "false")
    assert reply.header("Retry-After") == (str(retry_after) if retry_after else None)
    assert reply.header("x-amz-retry-after") == (str(retry_after * 1000) if retry_after else None)
    assert says in reply.body.decode()
    assert MASTER_KEY.encode() not in reply.raw


def _exchange_and_end(port: int, request: bytes) -> RawReply:
    """Send, say that nothing more comes, and read the answer."""
    with RawConnection(port) as connection:
        connection.send(request)
        connection.close_sending()
        return connection.read_reply()
