"""ARNs, odd labels and odd queries through the real gateway: what AWS gets is signed as botocore would sign it."""

from collections.abc import Callable, Sequence

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import exchange, raw_request
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY, StandinBedrock
from tests.standin_messages import Recorded, json_answer

_ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
ARNS = [
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
    f"{_ACCOUNT}:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0",
    f"{_ACCOUNT}:application-inference-profile/abcdef012345",
    f"{_ACCOUNT}:provisioned-model/abcdef012345",
    f"{_ACCOUNT}:custom-model-deployment/abcdef012345",
    f"{_ACCOUNT}:imported-model/abcdef012345",
    f"{_ACCOUNT}:default-prompt-router/anthropic.claude:1",
    f"{_ACCOUNT}:prompt/ABCDEFGHIJ:1",
]
_ENCODINGS: dict[str, Callable[[str], str]] = {
    "as botocore": lambda arn: arn.replace(":", "%3A").replace("/", "%2F"),
    "colons raw": lambda arn: arn.replace("/", "%2F"),
    "lower case escapes": lambda arn: arn.replace(":", "%3a").replace("/", "%2f"),
}
TARGETS = [
    *(f"/model/{encode(arn)}/converse" for arn in ARNS for encode in _ENCODINGS.values()),
    "/model/amazon.nova-lite-v1:0/converse",
    "/model/amazon.nova-lite-v1%3A0/converse",
    "/agents/",
    "/flows/?maxResults=2",
    "/agents/a%20b%252F%2B~%C3%A9/agentAliases/%E2%82%AC%20%27%22/sessions/s;v=1,2/text",
    "/tags/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aagent%2Fx?tagKeys=b&tagKeys=a%20b&tagKeys=a",
    "/foundation-models?byProvider=Anthropic&byOutputModality=TEXT",
    "/async-invoke?nextToken=AAA+BBB/CCC==&maxResults=5",
    "/async-invoke?nextToken=AAA%2BBBB%2FCCC%3D%3D",
    "/async-invoke?a=1;b=2&&c&=d&e==f&%E2%82%AC=%7E~",
    "/async-invoke?",
]


@pytest.mark.parametrize("target", TARGETS)
def test_the_signature_equals_botocores_for_what_is_on_the_wire(
    gateway: GatewayProcess, standin: StandinBedrock, target: str
) -> None:
    standin.answer = lambda request: json_answer({})
    method = "GET" if "?" in target or target.endswith("/") else "POST"
    method = "DELETE" if target.startswith("/tags") else method
    reply = exchange(gateway.port, raw_request(method, f"/bedrock{target}", [("x-api-key", MASTER_KEY)], b""))

    assert reply.status == 200, reply.body
    sent = standin.requests[0]
    assert sent.verdict is not None
    assert sent.verdict.ok, sent.verdict.reason
    assert sent.verdict.signature == _botocore_signature(sent, sent.verdict.signed_headers)


def _botocore_signature(sent: Recorded, signed_headers: Sequence[str]) -> str:
    """What botocore signs for the same wire bytes, headers and time."""
    headers = {name: value for name, value in sent.headers if name.lower() in signed_headers}
    request = AWSRequest(sent.method, f"http://{sent.header('host')}{sent.target}", headers, sent.body)
    request.context["timestamp"] = sent.header("x-amz-date")
    request.context["signing"] = {}
    assert sent.verdict is not None
    auth = SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), sent.verdict.service, sent.verdict.region)
    canonical = auth.canonical_request(request)
    signature: str = auth.signature(auth.string_to_sign(request, canonical), request)
    return signature


def test_a_label_means_to_aws_what_it_meant_to_the_caller(gateway: GatewayProcess, standin: StandinBedrock) -> None:
    standin.answer = lambda request: json_answer({})
    target = "/agents/a%20b%252F%2B~%C3%A9/agentAliases/x:y/sessions/s%2Ft/text"
    exchange(gateway.port, raw_request("POST", f"/bedrock{target}", [("x-api-key", MASTER_KEY)], b""))

    assert standin.requests[0].target == "/agents/a%20b%252F%2B~%C3%A9/agentAliases/x%3Ay/sessions/s%2Ft/text"
