"""Signatures are botocore's, for whatever target, service, session and body; and a large body stops no other call."""

from hashlib import sha256
from itertools import pairwise
from time import monotonic

import gevent
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest

from app.core import targets
from app.core.errors import CredentialsMissing
from app.core.header_rules import Headers
from app.core.messages import UpstreamRequest
from app.core.operations import load_table
from app.upstream.bedrock_client import _prepared
from app.upstream.credentials import AwsCredentials, CredentialKeeper
from app.upstream.endpoints import Endpoint, Endpoints
from app.upstream.signing import Signer

MIB = 1024 * 1024
LASTING = AwsCredentials("AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
SESSION = AwsCredentials("ASIAEXAMPLE", "secret/with+signs=", "session//token+with==signs")
TARGETS = [
    "/bedrock",
    "/bedrock/model/amazon.nova-lite-v1:0/converse",
    "/bedrock/model/amazon.nova-lite-v1%3A0/converse",
    "/bedrock/model/amazon.nova-lite-v1%3a0/converse",
    "/bedrock/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0/invoke",
    "/bedrock/model/a%252Fb/converse",
    "/bedrock/model/a%20b%2Bc%25d/converse",
    "/bedrock/model/%C3%A9%E2%82%AC%F0%9F%98%80/converse",
    "/bedrock/model/a;b=c,d/converse",
    "/bedrock/model/a!b$c&d'e(f)g*h=i@j/converse",
    "/bedrock/model/~a-b_c.d/converse",
    "/bedrock/model/a%3Fb%23c/converse",
    "/bedrock/agents/AGENT12345/",
    "/bedrock/guardrails?maxResults=10&nextToken=AAA+BBB/CCC==",
    "/bedrock/guardrails?nextToken=a%2Bb%2Fc%3D%3D",
    "/bedrock/guardrails?b=2&a=1&a=0&B=3&aa=4",
    "/bedrock/guardrails?a=1&&b=2&",
    "/bedrock/guardrails?a&b=&=c",
    "/bedrock/guardrails?a=b=c;d&e=f?g/h",
    "/bedrock/guardrails?%7Ea=%7e&%C3%A9=%E2%82%AC",
    "/bedrock/guardrails?a=%26%3D%23%25&x-amz-x=y",
]


def an_endpoint(service: str = "bedrock-runtime", url: str = "") -> Endpoint:
    """In one region, at AWS or elsewhere."""
    return Endpoints(load_table(), {service: url} if url else {}).of(service, "us-east-1")


def a_request(
    endpoint: Endpoint, target: str = "/model/x/converse", body: bytes | bytearray = b"{}", headers: Headers = ()
) -> PreparedRequest:
    """As it is when it is signed."""
    return _prepared(UpstreamRequest("any", "us-east-1", "POST", target, headers, body), endpoint)


def signed(credentials: AwsCredentials, endpoint: Endpoint, request: PreparedRequest) -> PreparedRequest:
    """The same request, signed."""
    Signer(CredentialKeeper(lambda: credentials), None).sign(request, endpoint)
    return request


def botocores(credentials: AwsCredentials, endpoint: Endpoint, request: PreparedRequest) -> str:
    """The Authorization that botocore gives this request, at the moment at which it was signed."""
    signable = {
        name: value
        for name, value in request.headers.items()
        if name.lower() == "content-type" or name.lower().startswith("x-amz-")
    }
    theirs = AWSRequest(request.method, request.url, headers=signable, data=request.body)
    theirs.context["timestamp"] = request.headers["x-amz-date"]
    made = Credentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    auth = SigV4Auth(made, endpoint.signing_name, endpoint.region)
    signature = auth.signature(auth.string_to_sign(theirs, auth.canonical_request(theirs)), theirs)
    names = auth.signed_headers(auth.headers_to_sign(theirs))
    return f"AWS4-HMAC-SHA256 Credential={auth.scope(theirs)}, SignedHeaders={names}, Signature={signature}"


@pytest.mark.parametrize("raw", TARGETS)
@pytest.mark.parametrize("credentials", [LASTING, SESSION])
@pytest.mark.parametrize("service", ["bedrock-runtime", "bedrock-agentcore", "bedrock-mantle", "sts"])
def test_a_signature_is_botocores(raw: str, credentials: AwsCredentials, service: str) -> None:
    """Targets as the gateway forwards them."""
    endpoint = an_endpoint(service)
    target = targets.parse(raw, frozenset()).path_and_query
    request = signed(credentials, endpoint, a_request(endpoint, target))

    assert request.headers["Authorization"] == botocores(credentials, endpoint, request)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "https://vpce.example.com/a/prefix", "https://[::1]:8443"])
def test_a_signature_for_another_host_is_botocores(url: str) -> None:
    """Port, path and IPv6 are in what is signed."""
    endpoint = an_endpoint(url=url)
    request = signed(SESSION, endpoint, a_request(endpoint, "/model/a%3A0/converse?b=c"))

    assert request.headers["Authorization"] == botocores(SESSION, endpoint, request)


@pytest.mark.parametrize(
    "headers",
    [
        (("content-type", "application/json; charset=utf-8"),),
        (("x-amz-target", "AmazonBedrockKeystoneRuntimeService.InvokeDataAutomation"),),
        (("x-amz-bedrock-x", '  two   spaces and "quotes   inside" '), ("content-type", "a/b")),
        (("x-amz-meta", 'an odd " quote'), ("x-amz-empty", "")),
        (("anthropic-version", "2023-06-01"), ("x-amzn-bedrock-trace", "ENABLED")),
    ],
)
def test_a_signature_over_callers_headers_is_botocores(headers: Headers) -> None:
    """White space and quotes too, which requests-aws4auth reads as a shell would."""
    endpoint = an_endpoint()
    request = signed(SESSION, endpoint, a_request(endpoint, headers=headers))

    assert request.headers["Authorization"] == botocores(SESSION, endpoint, request)


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_the_body_is_in_the_signature(size: int, kind: type[bytes | bytearray]) -> None:
    """Hashed in place or beside, below, at and above the bound between them."""
    endpoint = an_endpoint()
    body = kind(bytes(range(256)) * (size // 256) + bytes(size % 256))
    request = signed(SESSION, endpoint, a_request(endpoint, body=body))

    assert request.headers["x-amz-content-sha256"] == sha256(body).hexdigest()
    assert request.headers["Authorization"] == botocores(SESSION, endpoint, request)


def test_a_large_body_is_hashed_while_other_calls_move() -> None:
    """64 MiB take some 40 ms and more: the hub must tick all through them, once at least while the machine is free."""
    endpoint = an_endpoint()
    request = a_request(endpoint, body=bytearray(64 * MIB))
    signer = Signer(CredentialKeeper(lambda: LASTING), None)
    signer.sign(a_request(endpoint), endpoint)

    def ticked_throughout() -> bool:
        ticks = [monotonic()]

        def tick() -> None:
            while True:
                gevent.sleep(0.001)
                ticks.append(monotonic())

        ticker = gevent.spawn(tick)
        signer.sign(request, endpoint)
        took = monotonic() - ticks[0]
        ticker.kill()
        return len(ticks) > 5 and max(later - earlier for earlier, later in pairwise(ticks)) < took / 2

    assert any(ticked_throughout() for _ in range(10))


def test_a_session_token_is_sent_and_signed() -> None:
    """AWS refuses temporary keys without it."""
    request = signed(SESSION, an_endpoint(), a_request(an_endpoint()))

    assert request.headers["x-amz-security-token"] == SESSION.session_token
    assert "x-amz-security-token" in request.headers["Authorization"]


def test_lasting_keys_send_no_session_token() -> None:
    """Not even after others that had one, from the same process."""
    signed(SESSION, an_endpoint(), a_request(an_endpoint()))

    assert "x-amz-security-token" not in signed(LASTING, an_endpoint(), a_request(an_endpoint())).headers


@pytest.mark.parametrize("service", ["bedrock", "bedrock-runtime", "bedrock-mantle"])
def test_a_bedrock_api_key_goes_to_the_services_that_take_it(service: str) -> None:
    """In place of a signature, of which nothing is sent."""
    request = a_request(an_endpoint(service))
    Signer(CredentialKeeper(lambda: SESSION), "the-key").sign(request, an_endpoint(service))

    assert request.headers["Authorization"] == "Bearer the-key"
    assert not any(name.lower().startswith("x-amz-") for name in request.headers)


@pytest.mark.parametrize("service", ["bedrock-agent", "bedrock-agent-runtime", "bedrock-agentcore", "sts"])
def test_a_bedrock_api_key_goes_to_no_other_service(service: str) -> None:
    """They are signed."""
    request = a_request(an_endpoint(service))
    Signer(CredentialKeeper(lambda: SESSION), "the-key").sign(request, an_endpoint(service))

    assert "the-key" not in str(request.headers)
    assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/")


def test_a_bedrock_api_key_needs_no_credentials() -> None:
    """Nobody looks for any."""
    request = a_request(an_endpoint())
    Signer(CredentialKeeper(lambda: None), "the-key").sign(request, an_endpoint())

    assert request.headers["Authorization"] == "Bearer the-key"


def test_without_credentials_nothing_is_signed() -> None:
    """The request stays as it was."""
    request = a_request(an_endpoint())
    with pytest.raises(CredentialsMissing):
        Signer(CredentialKeeper(lambda: None), None).sign(request, an_endpoint())

    assert "Authorization" not in request.headers


def test_new_credentials_sign_from_then_on() -> None:
    """Rotation needs no restart."""
    current = [LASTING]
    keeper = CredentialKeeper(lambda: current[0])
    signer = Signer(keeper, None)
    signer.sign(first := a_request(an_endpoint()), an_endpoint())
    current[0] = SESSION
    keeper._publish()
    signer.sign(second := a_request(an_endpoint()), an_endpoint())

    assert "Credential=AKIAEXAMPLE/" in first.headers["Authorization"]
    assert second.headers["Authorization"] == botocores(SESSION, an_endpoint(), second)


def test_a_new_secret_of_the_same_key_changes_the_signature() -> None:
    """The id alone does not say which credentials they are."""
    current = [LASTING]
    keeper = CredentialKeeper(lambda: current[0])
    signer = Signer(keeper, None)
    signer.sign(a_request(an_endpoint()), an_endpoint())
    current[0] = renewed = AwsCredentials(LASTING.access_key_id, "another", None)
    keeper._publish()
    signer.sign(request := a_request(an_endpoint()), an_endpoint())

    assert request.headers["Authorization"] == botocores(renewed, an_endpoint(), request)


def test_another_day_has_another_key() -> None:
    """A worker that has signed yesterday signs on."""
    signer = Signer(CredentialKeeper(lambda: LASTING), None)
    signer.sign(a_request(an_endpoint()), an_endpoint())
    for _, signature in signer._signatures.values():
        signature.regenerate_signing_key(date="20200229")
    signer.sign(request := a_request(an_endpoint()), an_endpoint())

    assert request.headers["Authorization"] == botocores(LASTING, an_endpoint(), request)


def test_regions_and_services_do_not_share_a_signature() -> None:
    """Each has a key of its own."""
    signer = Signer(CredentialKeeper(lambda: LASTING), None)
    endpoints = Endpoints(load_table(), {})
    for service, region in (("bedrock", "us-east-1"), ("bedrock", "eu-west-1"), ("bedrock-agentcore", "us-east-1")):
        endpoint = endpoints.of(service, region)
        signer.sign(request := a_request(endpoint), endpoint)

        assert request.headers["Authorization"] == botocores(LASTING, endpoint, request)


def test_credentials_stay_out_of_representations() -> None:
    """A log of them shows the id alone."""
    assert "secret" not in repr(SESSION).replace("secret_access_key", "")
    assert "session//token" not in repr(SESSION)
