"""A call judged as the passage judges it: its target, its operation, its path, its body."""

import json
from collections.abc import Mapping
from typing import Any

from app.core.accounts import Rights
from app.core.bedrock_calls import decide_by_body, region_in_arns, resolve
from app.core.callers import Caller, LayerName
from app.core.errors import AccessDenied
from app.core.json_bodies import JsonBody
from app.core.messages import ProxyRequest
from app.core.operations import Operation, load_table
from app.core.policy import check_body, check_path
from app.core.targets import parse

TABLE = load_table()
SERVICES = frozenset(TABLE.services)
CONVERSE = "/bedrock/model/{}/converse"
NOVA = CONVERSE.format("amazon.nova-lite-v1%3A0")


def caller(**layers: Rights) -> Caller:
    """One whose key, team and user have these rights, each where given."""
    names: tuple[LayerName, ...] = ("key", "team", "user")
    return Caller("ci", may_call_everything=False, layers=tuple((n, layers[n]) for n in names if n in layers))


def with_key(**lists: tuple[str, ...]) -> Caller:
    """One whose key alone has lists."""
    return caller(key=Rights(**lists))


def judge(
    who: Caller,
    raw: str,
    body: object = None,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    address: str | None = "192.0.2.1",
) -> None:
    """Raises what the passage would refuse the call with. `body`: bytes as they are, all else as JSON."""
    request = ProxyRequest(method, parse(raw, SERVICES), headers or {}, None, raw, address)
    call = resolve(TABLE, method, request.target, request.headers)
    region = request.target.region or region_in_arns(request.target.segments) or "us-east-1"
    check_path(who, call, request, region)
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    document = JsonBody(content, request.headers)
    check_body(who, decide_by_body(call, document), document)


def refusal(who: Caller, raw: str, body: object = None, **more: Any) -> str | None:
    """Why a call is denied; None if it passes."""
    try:
        judge(who, raw, body, **more)
    except AccessDenied as denied:
        return denied.message
    return None


def operation_named(name: str, service: str | None = None) -> Operation:
    """The first of that name in the table."""
    return next(o for o in TABLE.operations if o.operation == name and service in (None, o.service))


def target_of(operation: Operation, labels: Mapping[str, str], query: str = "") -> tuple[str, dict[str, str]]:
    """A raw target that is that operation's, with all labels filled in, and the header it may need."""
    path = operation.path
    for segment in operation.path.split("/"):
        if segment.startswith("{"):
            label = segment[1:-1]
            path = path.replace(segment, labels.get(label, SAMPLE_LABELS.get(label, "X")))
    headers = {"x-amz-target": operation.target} if operation.target else {}
    return f"/{operation.service}{path}{query}" if operation.service != "bedrock" else f"/bedrock{path}{query}", headers


# what the gateway demands of labels that name a model, in AWS's patterns
SAMPLE_LABELS = {
    "modelId": "amazon.nova-lite-v1:0",
    "modelIdentifier": "amazon.nova-lite-v1:0",
    "provisionedModelId": "abcdef012345",
    "customModelDeploymentIdentifier": "abcdef012345",
    "inferenceProfileIdentifier": "us.amazon.nova-lite-v1:0",
    "promptRouterArn": "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Adefault-prompt-router%2Fa.b%3A1",
}


def body_with(path: str, value: object) -> Any:
    """The smallest body that has `value` at a path of the table: `body.a[].b{}.**.c` -> {"a": [{"b": {"k": ...}}]}."""
    built = value
    for part in reversed(path.removeprefix("s3:").split(".")[1:]):
        if part == "**":
            built = {"deeper": [built]}
            continue
        name = part
        while name.endswith(("[]", "{}")):
            built = [built] if name.endswith("[]") else {"some": built}
            name = name[:-2]
        built = {name: built}
    return built
