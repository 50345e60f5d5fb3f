"""Which operation a call is, and what of it only the body says."""

import json
from urllib.parse import quote

import pytest

from app.core.bedrock_calls import METHODS, BedrockCall, decide_by_body, region_in_arns, resolve
from app.core.errors import MalformedRequest, MethodUnknown, NeedsFullDuplex
from app.core.json_bodies import JsonBody
from app.core.operations import Operation, load_table
from app.core.targets import parse

TABLE = load_table()
SERVICES = frozenset(TABLE.services)
ROOT = "bedrock-data-automation-runtime"
ROOT_TARGET = "AmazonBedrockKeystoneRuntimeService.InvokeDataAutomationAsync"
ACCOUNT = "us-east-1:123456789012"
AGENT = f"arn:aws:bedrock:{ACCOUNT}:agent/ABCDEFGHIJ"
ARNS = {
    "bedrock": f"arn:aws:bedrock:{ACCOUNT}:guardrail/abcdefghijkl",
    "bedrock-agent": AGENT,
    "bedrock-agent-runtime": f"arn:aws:bedrock:{ACCOUNT}:session/12345678-1234-1234-1234-123456789012",
    "bedrock-agentcore-control": f"arn:aws:bedrock-agentcore:{ACCOUNT}:runtime/mine-abc",
    "bedrock-data-automation": f"arn:aws:bedrock:{ACCOUNT}:data-automation-project/0123abcd",
}
ROUTER = f"arn:aws:bedrock:{ACCOUNT}:default-prompt-router/anthropic.claude:1"
OPAQUE_IDS = {"CustomModelDeploymentIdentifier", "ImportedModelIdentifier", "ProvisionedModelId"}


def call(line: str, headers: dict[str, str] | None = None, body: object = None) -> BedrockCall:
    """The call of `POST /bedrock/...`, and of its body where one is given."""
    method, raw = line.split(" ")
    found = resolve(TABLE, method, parse(raw, SERVICES), headers or {})
    return found if body is None else decide_by_body(found, JsonBody(json.dumps(body).encode(), {}))


def label_value(operation: Operation, label: str) -> str:
    """Something that AWS would take there."""
    pattern = operation.label_patterns.get(label)
    if pattern is None:
        return ARNS[operation.service] if operation.arn else "An id/with: a slash"
    if pattern == "PromptRouterArn":
        return ROUTER
    return "abc123def456" if pattern in OPAQUE_IDS else "us.amazon.nova-lite-v1:0"


def label_values(operation: Operation) -> dict[str, str]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    return {name: label_value(operation, name) for name in names}


def resolved(operation: Operation, prefix: str) -> BedrockCall:
    """What a call of this operation is taken for."""
    path = operation.path
    for name, value in label_values(operation).items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    headers = {"x-amz-target": operation.target} if operation.target else {}
    body = {"resourceARN": ARNS.get(operation.service), "model": "m"}
    return call(f"{operation.method} /{prefix}{path}", headers, body)


def found_otherwise(operation: Operation, prefix: str) -> bool:
    found = resolved(operation, prefix)
    right = (operation.service, operation, label_values(operation), ())
    return (found.service, found.operation, found.labels, found.undecided) != right


ONE_WAY = [operation for operation in TABLE.operations if not operation.bidirectional]


def test_the_table_holds_what_botocore_and_the_shaped_apis_have() -> None:
    shaped = [op for op in TABLE.operations if op.operation.startswith(("OpenAI", "Anthropic"))]

    assert (len(TABLE.operations) - len(shaped), len(shaped), len(ONE_WAY)) == (523, 20, 542)


def test_every_operation_is_found_by_its_own_path_alone() -> None:
    plain = [operation for operation in ONE_WAY if not operation.named_only]

    assert [operation for operation in plain if found_otherwise(operation, "bedrock")] == []


def test_every_operation_is_found_where_its_service_is_named() -> None:
    assert [operation for operation in ONE_WAY if found_otherwise(operation, operation.service)] == []


def test_every_operation_is_found_behind_a_region() -> None:
    assert [op for op in ONE_WAY if found_otherwise(op, f"{op.service}/us-east-1")] == []


@pytest.mark.parametrize("service", ["bedrock-agent", "bedrock-agent-runtime", "bedrock-agentcore-control"])
@pytest.mark.parametrize(
    ("method", "name"), [("GET", "ListTagsForResource"), ("POST", "TagResource"), ("DELETE", "UntagResource")]
)
def test_tags_in_a_path_belong_to_the_service_of_their_arn(method: str, name: str, service: str) -> None:
    found = call(f"{method} /bedrock/tags/{quote(ARNS[service], safe='')}?tagKeys=a")

    assert (found.service, found.name) == (service, name)


@pytest.mark.parametrize("service", ["bedrock-agent", "bedrock-agentcore-control"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_resource_policy_belongs_to_the_service_of_its_arn(method: str, service: str) -> None:
    found = call(f"{method} /bedrock/resourcepolicy/{quote(ARNS[service], safe='')}")

    assert (found.service, found.name) == (service, f"{method.title()}ResourcePolicy")


@pytest.mark.parametrize(
    "resource",
    [
        *(ARNS["bedrock-agent"], f"arn:aws:bedrock:{ACCOUNT}:sessions/x", f"arn:aws:bedrock:{ACCOUNT}:Session/x", "x"),
        *(f"arn:aws:bedrock-agent:{ACCOUNT}:session/x", f"ARN:aws:bedrock-agentcore:{ACCOUNT}:runtime/x", "arn:aws:x"),
        *(f"x{ARNS['bedrock-agent-runtime']}", f"arn:aws:s3:::session/x{ARNS['bedrock-agentcore-control']}"),
    ],
)
def test_any_other_arn_in_a_path_of_tags_belongs_to_bedrock_agent(resource: str) -> None:
    assert call(f"GET /bedrock/tags/{quote(resource, safe='')}").service == "bedrock-agent"


@pytest.mark.parametrize("name", ["listTagsForResource", "tagResource", "untagResource"])
def test_tags_in_a_body_are_undecided_until_it_is_read(name: str) -> None:
    found = call(f"POST /bedrock/{name}")

    assert found.body_decides
    assert {operation.service for operation in found.undecided} == {"bedrock", "bedrock-data-automation"}


BY_BODY: dict[str, list[object]] = {
    "bedrock-data-automation": [
        f"arn:aws:bedrock:{ACCOUNT}:{kind}/x"
        for kind in ("blueprint", "blueprint-optimization-invocation", "data-automation-project")
    ],
    "bedrock": [ARNS["bedrock"], AGENT, f"arn:aws:bedrock:{ACCOUNT}:blueprints/x", "x", "", None, 1, ["x"], {}],
}


@pytest.mark.parametrize(("service", "arn"), [(service, arn) for service, arns in BY_BODY.items() for arn in arns])
@pytest.mark.parametrize("name", ["ListTagsForResource", "TagResource", "UntagResource"])
def test_tags_in_a_body_belong_to_the_service_of_their_arn(name: str, service: str, arn: object) -> None:
    found = call(f"POST /bedrock/{name[0].lower()}{name[1:]}", body={"resourceARN": arn})

    assert (found.service, found.name, found.undecided, found.body_decides) == (service, name, (), False)


def test_tags_without_an_arn_in_the_body_belong_to_bedrock() -> None:
    assert call("POST /bedrock/tagResource", body={}).service == "bedrock"


def test_a_named_service_needs_no_body_to_decide() -> None:
    found = call("POST /bedrock-data-automation/tagResource")

    assert (found.service, found.body_decides) == ("bedrock-data-automation", False)


@pytest.mark.parametrize(
    ("line", "service", "name"),
    [
        ("POST /bedrock/agents/sess1", "bedrock-agent-runtime", "InvokeInlineAgent"),
        ("POST /bedrock/agents/ABCDEFGHIJ/", "bedrock-agent", "PrepareAgent"),
        ("POST /bedrock/agents/A/agentAliases/B/sessions/S/text", "bedrock-agent-runtime", "InvokeAgent"),
        ("POST /bedrock/agents/A/agentaliases/B/sessions/S/text", "bedrock-runtime", None),
        ("GET /bedrock/agents/A/agentaliases/B/", "bedrock-agent", "GetAgentAlias"),
        ("GET /bedrock/agents/A/agentAliases/B/", "bedrock-runtime", None),
        ("POST /bedrock/flows/F/aliases/A", "bedrock-agent-runtime", "InvokeFlow"),
        ("GET /bedrock/flows/F/aliases/A", "bedrock-agent", "GetFlowAlias"),
        ("POST /bedrock/guardrail/g/version/1/apply", "bedrock-runtime", "ApplyGuardrail"),
        ("POST /bedrock/guardrails/g/version/1/apply", "bedrock-runtime", None),
    ],
)
def test_slashes_and_case_tell_operations_apart(line: str, service: str, name: str | None) -> None:
    assert (call(line).service, call(line).name) == (service, name)


@pytest.mark.parametrize(
    ("line", "service"),
    [
        ("GET /bedrock/model/x/converse", "bedrock-runtime"),
        ("POST /bedrock/model/x/converse/", "bedrock-runtime"),
        ("POST /bedrock/model/x/y/converse", "bedrock-runtime"),
        ("POST /bedrock/Model/x/converse", "bedrock-runtime"),
        ("POST /bedrock/model/", "bedrock-runtime"),
        ("GET /bedrock/nothing", "bedrock-runtime"),
        ("POST /bedrock/openai/v1/files", "bedrock-runtime"),
        ("POST /bedrock/v1/files", "bedrock-mantle"),
        ("GET /bedrock/v1/", "bedrock-mantle"),
        ("GET /bedrock/v1x/models", "bedrock-runtime"),
        ("POST /bedrock-agent/model/x/converse", "bedrock-agent"),
        ("POST /bedrock-mantle/model/x/converse", "bedrock-mantle"),
        ("GET /bedrock", ROOT),
    ],
)
def test_an_unknown_path_has_no_operation_and_may_stream(line: str, service: str) -> None:
    assert call(line) == BedrockCall(service, None, streams=True)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "Post", "", "PROPFIND", "M" * 5000])
def test_a_method_that_bedrock_does_not_use_is_refused(method: str) -> None:
    with pytest.raises(MethodUnknown, match=", ".join(METHODS)) as caught:
        resolve(TABLE, method, parse("/bedrock/model/x/converse", SERVICES), {})
    assert len(caught.value.message) < 120


@pytest.mark.parametrize("raw", ["/bedrock", "/bedrock/", f"/{ROOT}", f"/{ROOT}/", "/bedrock/us-east-1"])
def test_the_root_takes_its_operation_from_x_amz_target(raw: str) -> None:
    found = call(f"POST {raw}", {"x-amz-target": ROOT_TARGET, "content-type": "application/x-amz-json-1.1"})

    assert (found.service, found.name) == (ROOT, "InvokeDataAutomationAsync")


@pytest.mark.parametrize(
    "target", [None, "", "InvokeDataAutomationAsync", ROOT_TARGET.lower(), f"{ROOT_TARGET},{ROOT_TARGET}", "Other.Op"]
)
def test_the_root_without_a_known_target_is_an_unknown_call(target: str | None) -> None:
    assert call("POST /bedrock", {} if target is None else {"x-amz-target": target}) == BedrockCall(ROOT, None)


REST_PATHS = [
    "/bedrock/model/x/converse",
    "/bedrock/nothing",
    "/bedrock/v1/responses",
    "/bedrock-runtime/",
    "/bedrock/x/",
]


@pytest.mark.parametrize("target", [ROOT_TARGET, "AmazonBedrock.Converse", ""])
@pytest.mark.parametrize("raw", REST_PATHS)
def test_x_amz_target_is_refused_everywhere_else(raw: str, target: str) -> None:
    with pytest.raises(MalformedRequest, match="X-Amz-Target"):
        call(f"POST {raw}", {"x-amz-target": target})


@pytest.mark.parametrize("kind", ["x-amz-json-1.0", "x-amz-json-1.1; charset=utf-8", "X-AMZ-JSON-1.1", "x-amz-json-9"])
@pytest.mark.parametrize("raw", REST_PATHS)
def test_the_json_protocol_is_refused_everywhere_else(raw: str, kind: str) -> None:
    for content_type in (f"application/{kind}", f" \tApplication/{kind}"):
        with pytest.raises(MalformedRequest, match="x-amz-json"):
            call(f"POST {raw}", {"content-type": content_type})


@pytest.mark.parametrize("content_type", ["application/json", "", "application/x-amz-jsonish", "image/png"])
def test_other_content_types_pass(content_type: str) -> None:
    assert call("POST /bedrock/model/x/converse", {"content-type": content_type}).name == "Converse"


def test_a_bidirectional_stream_is_refused() -> None:
    with pytest.raises(NeedsFullDuplex, match="HTTP/2 in both directions"):
        call("POST /bedrock/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream")


@pytest.mark.parametrize(
    ("segments", "region"),
    [
        ((), None),
        (("model", "amazon.nova-lite-v1:0", "converse"), None),
        (("tags", AGENT), "us-east-1"),
        (("tags", "arn:aws-us-gov:bedrock:us-gov-west-1:1:x/y"), "us-gov-west-1"),
        (("model", "arn:aws:bedrock:::foundation-model/x", "arn:aws:sagemaker:eu-west-1:1:endpoint/x"), "eu-west-1"),
        ((AGENT, AGENT), "us-east-1"),
        (("x" + AGENT, AGENT.upper(), "arn:aws:bedrock:eu-west-1"), None),
        (("arn:aws:s3:eu west\u00e9:1:a:b:c",), "eu west\u00e9"),
    ],
)
def test_the_region_of_a_path_is_that_of_its_arns(segments: tuple[str, ...], region: str | None) -> None:
    assert region_in_arns(segments) == region


def test_arns_of_different_regions_are_refused() -> None:
    with pytest.raises(MalformedRequest, match="different regions"):
        region_in_arns((AGENT, AGENT.replace("us-east-1", "eu-west-1")))


def test_a_request_line_that_was_seen_before_is_judged_by_its_headers_again() -> None:
    """What is remembered of it is nobody's leave."""
    line = "POST /bedrock/model/amazon.nova-lite-v1%3A0/converse"
    assert call(line) == call(line)

    with pytest.raises(MalformedRequest, match="X-Amz-Target"):
        call(line, {"x-amz-target": "Any.Thing"})
    with pytest.raises(MalformedRequest, match="Content-Type"):
        call(line, {"content-type": "application/x-amz-json-1.1"})


def test_a_request_line_too_long_to_remember_is_read_alike() -> None:
    session = "s" * 600
    found = call(f"POST /bedrock/agents/AGENT12345/agentAliases/ALIAS12345/sessions/{session}/text")

    assert (found.name, found.labels["sessionId"]) == ("InvokeAgent", session)
