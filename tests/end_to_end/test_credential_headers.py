"""Every way of presenting a key: which header counts, and that none of them reaches AWS."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import boto3_client
from tests.end_to_end.streams import CONVERSE
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawReply, exchange, raw_request
from tests.standin_bedrock import StandinBedrock

Header = tuple[str, str]
UNKNOWN = "sk-" + "unknown8Hf2Kq5Wz"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential={key}/20261123/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=00ff"
)


def _signed(key: str) -> Header:
    return ("Authorization", SIGNED.format(key=key))


# the first that is present decides
IN_ORDER: dict[str, Callable[[str], Header]] = {
    "litellm_user_api_key": lambda key: ("litellm_user_api_key", key),
    "x-litellm-api-key": lambda key: ("x-litellm-api-key", key),
    "Authorization": lambda key: ("Authorization", f"Bearer {key}"),
    "x-api-key": lambda key: ("x-api-key", key),
    "api-key": lambda key: ("api-key", key),
    "AWS4-HMAC-SHA256": _signed,
}
# a request has one Authorization
PAIRS = [pair for pair in itertools.combinations(IN_ORDER, 2) if pair != ("Authorization", "AWS4-HMAC-SHA256")]
RAW_OR_BEARER = ["litellm_user_api_key", "LITELLM_USER_API_KEY", "x-litellm-api-key", "X-API-Key", "api-key"]
PREFIXES = ["", "Bearer ", "bearer ", "BEARER \t "]


def _send(gateway: GatewayProcess, *headers: Header) -> RawReply:
    return exchange(gateway.port, raw_request("POST", CONVERSE, headers, b"{}"))


def _assert_admitted(reply: RawReply, standin: StandinBedrock, *secrets: str) -> None:
    [request] = standin.requests
    assert reply.status == 200
    assert request.verdict is not None
    assert request.verdict.ok
    assert not [secret for secret in (MASTER_KEY, *secrets) if secret.encode() in request.raw]


def _assert_unknown(reply: RawReply, standin: StandinBedrock, header: str) -> None:
    assert (reply.status, reply.header("x-amzn-ErrorType")) == (401, "UnrecognizedClientException")
    assert header.lower() in reply.body.decode().lower()
    assert standin.requests == []


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", RAW_OR_BEARER)
def test_a_key_may_be_sent_raw_or_as_bearer(
    gateway: GatewayProcess, standin: StandinBedrock, name: str, prefix: str
) -> None:
    _assert_admitted(_send(gateway, (name, prefix + MASTER_KEY)), standin)


@pytest.mark.parametrize("prefix", PREFIXES[1:])
def test_authorization_takes_a_bearer(gateway: GatewayProcess, standin: StandinBedrock, prefix: str) -> None:
    _assert_admitted(_send(gateway, ("Authorization", prefix + MASTER_KEY)), standin)


@pytest.mark.parametrize("value", [MASTER_KEY, f"Basic {MASTER_KEY}", "Bearer", "", f"Token {MASTER_KEY}", "AWS4"])
def test_authorization_takes_nothing_else(gateway: GatewayProcess, standin: StandinBedrock, value: str) -> None:
    _assert_unknown(_send(gateway, ("Authorization", value)), standin, "Authorization")


@pytest.mark.parametrize("make", IN_ORDER.values(), ids=list(IN_ORDER))
def test_each_header_admits_the_master_key_alone(
    gateway: GatewayProcess, standin: StandinBedrock, make: Callable[[str], Header]
) -> None:
    _assert_admitted(_send(gateway, make(MASTER_KEY)), standin)


@pytest.mark.parametrize("name", IN_ORDER)
@pytest.mark.parametrize("key", [UNKNOWN, MASTER_KEY[:-1], MASTER_KEY + "x", MASTER_KEY.lower()])
def test_a_key_that_is_not_known_is_refused_by_its_header(
    gateway: GatewayProcess, standin: StandinBedrock, name: str, key: str
) -> None:
    _assert_unknown(_send(gateway, IN_ORDER[name](key)), standin, name)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_first_of_two_headers_admits(
    gateway: GatewayProcess, standin: StandinBedrock, first: str, second: str
) -> None:
    reply = _send(gateway, IN_ORDER[second](UNKNOWN), IN_ORDER[first](MASTER_KEY))

    _assert_admitted(reply, standin, UNKNOWN)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_first_of_two_headers_refuses(
    gateway: GatewayProcess, standin: StandinBedrock, first: str, second: str
) -> None:
    _assert_unknown(_send(gateway, IN_ORDER[second](MASTER_KEY), IN_ORDER[first](UNKNOWN)), standin, first)


@pytest.mark.parametrize("malformed", ["", "two words", f"{MASTER_KEY},{MASTER_KEY}", '"quoted"', "\xe9", "k" * 513])
@pytest.mark.parametrize(("first", "second"), [pair for pair in PAIRS if pair[0] != "Authorization"])
def test_a_malformed_header_is_not_passed_over(
    gateway: GatewayProcess, standin: StandinBedrock, first: str, second: str, malformed: str
) -> None:
    _assert_unknown(_send(gateway, IN_ORDER[first](malformed), IN_ORDER[second](MASTER_KEY)), standin, first)


@pytest.mark.parametrize("name", list(IN_ORDER))
def test_a_header_that_is_sent_twice_is_malformed(gateway: GatewayProcess, standin: StandinBedrock, name: str) -> None:
    header = IN_ORDER[name](MASTER_KEY)

    assert _send(gateway, header, header).status == 401
    assert standin.requests == []


def test_two_spellings_of_one_header_are_one_header_sent_twice(
    gateway: GatewayProcess, standin: StandinBedrock
) -> None:
    both = [("litellm_user_api_key", MASTER_KEY), ("litellm-user-api-key", MASTER_KEY)]

    _assert_unknown(_send(gateway, *both), standin, "litellm_user_api_key")


@pytest.mark.parametrize(
    "name", ["litellm_user-api_key", "litellm-user_api-key", "x_api_key", "api_key", "x_litellm_api_key"]
)
def test_another_spelling_with_underscores_is_no_credential(
    gateway: GatewayProcess, standin: StandinBedrock, name: str
) -> None:
    _assert_unknown(_send(gateway, (name, MASTER_KEY)), standin, "No credential")


MALFORMED_SIGNATURES = [
    "AWS4-HMAC-SHA256",
    f"AWS4-HMAC-SHA256 Credential={MASTER_KEY}",
    SIGNED.format(key=MASTER_KEY).replace("us-east-1/", ""),
    SIGNED.format(key=MASTER_KEY).replace("aws4_request", "aws5_request"),
    SIGNED.format(key=MASTER_KEY).replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256X"),
    SIGNED.format(key=MASTER_KEY).replace("20261123", "today"),
    SIGNED.format(key=MASTER_KEY) + f", Credential={MASTER_KEY}/20261123/us-east-1/bedrock/aws4_request",
    SIGNED.format(key=f"{MASTER_KEY}/x"),
    SIGNED.format(key=""),
]


@pytest.mark.parametrize("value", MALFORMED_SIGNATURES)
def test_a_malformed_signature_is_refused_without_repeating_it(
    gateway: GatewayProcess, standin: StandinBedrock, value: str
) -> None:
    reply = _send(gateway, ("Authorization", value))

    _assert_unknown(reply, standin, "Authorization")
    assert MASTER_KEY.encode() not in reply.raw
    assert MASTER_KEY not in gateway.output()


def test_no_credential_of_a_caller_reaches_aws(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    names = "x-litellm-api-key x-api-key api-key Proxy-Authorization Cookie X-Amz-Security-Token X-Goog-Api-Key".split()
    planted = {name: f"sk-planted-{number}" for number, name in enumerate(names)}
    reply = _send(gateway, ("litellm_user_api_key", MASTER_KEY), _signed("sk-planted-9"), *planted.items())

    _assert_admitted(reply, standin, "sk-planted", "00ff")
    sent = {name.lower() for name, _ in standin.requests[0].headers}
    assert sent.isdisjoint({"litellm_user_api_key", "litellm-user-api-key", *map(str.lower, names)})


BROWSER = "aws.browser.v1"
CALLS: dict[str, Callable[[Any], object]] = {
    "bedrock": lambda client: client.list_foundation_models(),
    "bedrock-runtime": lambda client: client.converse(modelId="amazon.nova-lite-v1:0", messages=[]),
    "bedrock-agent": lambda client: client.list_agents(),
    "bedrock-agent-runtime": lambda client: client.retrieve(knowledgeBaseId="ABCDEFGHIJ", retrievalQuery={"text": "x"}),
    "bedrock-data-automation": lambda client: client.list_blueprints(),
    "bedrock-data-automation-runtime": lambda client: client.get_data_automation_status(
        invocationArn="arn:aws:bedrock:us-east-1:123456789012:data-automation-invocation/x"
    ),
    "bedrock-agentcore": lambda client: client.list_browser_sessions(browserIdentifier=BROWSER),
    "bedrock-agentcore-control": lambda client: client.list_agent_runtimes(),
}


@pytest.mark.parametrize("service", CALLS)
def test_boto3_as_it_is_takes_the_key_for_an_access_key_id(
    gateway: GatewayProcess, standin: StandinBedrock, service: str
) -> None:
    client = boto3_client(service, f"{gateway.url}/bedrock", None, credentials=(MASTER_KEY, "anything"))
    CALLS[service](client)
    client.close()

    [request] = standin.requests
    assert request.service == service
    assert request.verdict is not None
    assert request.verdict.ok
    assert MASTER_KEY.encode() not in request.raw


@pytest.mark.parametrize("service", CALLS)
def test_boto3_with_another_access_key_id_is_refused(
    gateway: GatewayProcess, standin: StandinBedrock, service: str
) -> None:
    client = boto3_client(service, f"{gateway.url}/bedrock", None, credentials=("AKIAIOSFODNN7EXAMPLE", "anything"))
    with pytest.raises(ClientError, match=r"\(UnrecognizedClientException\).*AWS4-HMAC-SHA256"):
        CALLS[service](client)
    client.close()

    assert standin.requests == []


@pytest.mark.parametrize("name", ["X-Amz-Credential", "x-amz-signature", "X-Amz-Algorithm", "X-Amz-Security-Token"])
def test_a_key_in_a_presigned_query_is_refused_also_beside_a_good_one(
    gateway: GatewayProcess, standin: StandinBedrock, name: str
) -> None:
    target = f"{CONVERSE}?{name}={UNKNOWN}"
    reply = exchange(gateway.port, raw_request("POST", target, [("x-api-key", MASTER_KEY)], b"{}"))

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (400, "ValidationException")
    assert UNKNOWN.encode() not in reply.raw
    assert standin.requests == []
