"""The same table as boto3 raises it: the typed exception, its message, and how often the SDK tries."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from tests.conftest import ClientMaker
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import NoAnswer, aws_error

MODEL = "amazon.nova-lite-v1:0"
ELSEWHERE = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0"
TOO_LARGE = 33 * 1024 * 1024
MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]
UNRECOGNIZED, DENIED, INVALID = "UnrecognizedClientException", "AccessDeniedException", "ValidationException"
RETRIES = {"total_max_attempts": 2, "mode": "standard"}


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


Way = Callable[[Any], object]


def converse(client: Any, model: str = MODEL) -> object:
    return client.converse(modelId=model, messages=MESSAGES)


def _changed(**attributes: str) -> Way:
    """A converse that is altered after boto3 has made it."""

    def alter(request: Any, **_: Any) -> None:
        for name, value in attributes.items():
            setattr(request, name, getattr(request, name).replace("/converse", value) if name == "url" else value)

    def call(client: Any) -> object:
        client.meta.events.register("before-send", alter)
        return converse(client)

    return call


BOTO3: dict[str, tuple[Way, str, int]] = {
    "region": (lambda client: converse(client, ELSEWHERE), DENIED, 403),
    "dot segments": (lambda client: converse(client, "a/../b"), INVALID, 400),
    "too large": (
        lambda client: client.invoke_model(modelId=MODEL, body=bytes(TOO_LARGE)),
        INVALID,
        413,
    ),
    "method": (_changed(method="OPTIONS"), INVALID, 405),
    "bidirectional": (_changed(url="/invoke-with-bidirectional-stream"), INVALID, 501),
}


@pytest.mark.parametrize(("way", "kind", "status"), BOTO3.values(), ids=list(BOTO3))
def test_boto3_raises_its_typed_exception_and_does_not_try_again(
    bedrock_client: ClientMaker, standin: StandinBedrock, way: Way, kind: str, status: int
) -> None:
    error = _raised(way, bedrock_client(retries=RETRIES))

    assert _facts(error) == (kind, kind, status, 0)
    assert standin.requests == []


@pytest.mark.parametrize("key", ["sk-unknown", "two words", ""])
def test_boto3_raises_unrecognized_client_once_for_a_wrong_key(bedrock_client: ClientMaker, key: str) -> None:
    error = _raised(converse, bedrock_client(key=key, retries=RETRIES))

    assert _facts(error) == ("ClientError", UNRECOGNIZED, 401, 0)
    assert "litellm_user_api_key" in error.response["Error"]["Message"]


def test_boto3_without_any_credential_is_told_how_to_send_one(bedrock_client: ClientMaker) -> None:
    error = _raised(converse, bedrock_client(key=None, retries=RETRIES, signature_version=UNSIGNED))

    assert _facts(error) == ("ClientError", UNRECOGNIZED, 401, 0)
    assert "AWS access key id" in error.response["Error"]["Message"]


def test_boto3_tries_again_when_aws_cannot_be_reached(make_client: ClientMaker, troubled: GatewayProcess) -> None:
    client = make_client("bedrock-agent-runtime", f"{troubled.url}/bedrock", MASTER_KEY, retries=RETRIES)
    error = _raised(lambda c: c.retrieve(knowledgeBaseId="ABCDEFGHIJ", retrievalQuery={"text": "x"}), client)

    assert _facts(error) == ("ClientError", "ServiceUnavailableException", 503, 1)


def test_boto3_does_not_pay_again_for_a_model_that_is_slow(
    make_client: ClientMaker, troubled: GatewayProcess, standin: StandinBedrock
) -> None:
    standin.script(NoAnswer("hang"), NoAnswer("hang"))
    client = make_client("bedrock-runtime", f"{troubled.url}/bedrock", MASTER_KEY, retries=RETRIES)

    assert _facts(_raised(converse, client)) == ("ModelTimeoutException", "ModelTimeoutException", 408, 0)
    assert len(standin.requests) == 1


def test_boto3_does_not_pay_again_for_a_connection_that_broke(
    bedrock_client: ClientMaker, standin: StandinBedrock
) -> None:
    standin.close_idle()
    standin.script(NoAnswer("reset"), NoAnswer("reset"))
    error = _raised(converse, bedrock_client(retries=RETRIES))

    assert _facts(error) == ("ModelErrorException", "ModelErrorException", 424, 0)
    assert len(standin.requests) == 1


def test_boto3_is_told_the_variables_when_the_gateway_has_no_credentials(
    make_client: ClientMaker, without_credentials: GatewayProcess, standin: StandinBedrock
) -> None:
    client = make_client("bedrock-runtime", f"{without_credentials.url}/bedrock", MASTER_KEY)
    error = _raised(converse, client)

    assert _facts(error) == ("InternalServerException", "InternalServerException", 500, 0)
    assert "AWS_SECRET_ACCESS_KEY" in error.response["Error"]["Message"]
    assert standin.requests == []


def test_boto3_reads_the_throttling_of_aws_as_its_own(bedrock_client: ClientMaker, standin: StandinBedrock) -> None:
    slow_down = aws_error(429, "ThrottlingException", "Too many tokens")
    standin.script(slow_down, slow_down)
    error = _raised(converse, bedrock_client(retries=RETRIES))

    assert _facts(error) == ("ThrottlingException", "ThrottlingException", 429, 1)
    assert len(standin.requests) == 2


def _raised(way: Way, client: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        way(client)
    return caught.value


def _facts(error: ClientError) -> tuple[str, str, int, int]:
    """The class, the code, the status, and how often boto3 tried again."""
    metadata = error.response["ResponseMetadata"]
    assert error.response["Error"]["Message"]
    return type(error).__name__, error.response["Error"]["Code"], metadata["HTTPStatusCode"], metadata["RetryAttempts"]
