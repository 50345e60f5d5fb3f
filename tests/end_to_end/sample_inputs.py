"""Sample input for any operation, out of botocore's own shapes: every required member, and every one that travels in
the path, the query or a header, with values that need escaping wherever the shape lets them.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

AWKWARD = "a b/é+~:=;&%2F-ω"
_ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
MODELS = (
    "anthropic.claude-3-haiku-20240307-v1:0",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
    f"{_ACCOUNT}:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0",
    f"{_ACCOUNT}:application-inference-profile/abcdef012345",
    f"{_ACCOUNT}:provisioned-model/abcdef012345",
    f"{_ACCOUNT}:custom-model/anthropic.claude-3/abcdef012345",
    f"{_ACCOUNT}:custom-model-deployment/abcdef012345",
    f"{_ACCOUNT}:imported-model/abcdef012345",
    f"{_ACCOUNT}:default-prompt-router/anthropic.claude:1",
    "abcdef012345",
)
MOMENT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
_DEEPEST = 12


def sample(shape: Shape, path_patterns: Mapping[str, re.Pattern[str]], arns: Mapping[str, str]) -> dict[str, Any]:
    """Input for an operation's input shape. `path_patterns`: what the gateway demands of a label; `arns`: by member."""
    content: dict[str, Any] = {}
    for name, member in shape.members.items():
        place = member.serialization.get("location")
        token = member.metadata.get("idempotencyToken")  # boto3 makes up another one for each call that has none
        if name not in shape.required_members and place is None and not token:
            continue
        label = member.serialization.get("name", name)
        if name in arns:
            content[name] = arns[name]
        elif place == "uri" and label in path_patterns:
            content[name] = _model(path_patterns[label])
        elif place == "headers":
            content[name] = {"x": "y"}
        else:
            content[name] = _value(member, place, 0)
    return content


def _model(pattern: re.Pattern[str]) -> str:
    return next(model for model in MODELS if pattern.fullmatch(model))


def _value(shape: Shape, place: str | None, depth: int) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, depth)
    if kind == "list":
        size = max(1, shape.metadata.get("min", 1))
        return [] if depth > _DEEPEST else [_value(shape.member, place, depth + 1)] * size
    if kind == "map":
        return {} if depth > _DEEPEST else {_value(shape.key, "map", depth + 1): _value(shape.value, None, depth + 1)}
    if kind == "string":
        return _string(shape, place)
    number = max(1, shape.metadata.get("min", 1))
    values = {
        "integer": int(number),
        "long": int(number),
        "float": float(number),
        "double": float(number),
        "boolean": True,
        "timestamp": MOMENT,
        "blob": b'{"a": "\xc3\xa9"}',
    }
    return values[kind]


def _structure(shape: Shape, depth: int) -> dict[str, Any]:
    if getattr(shape, "is_document_type", False):
        return {"any": ["thing", 1, None]}
    names = list(shape.required_members)
    if getattr(shape, "is_tagged_union", False):
        names = [_shallowest(shape)]
    return {} if depth > _DEEPEST else {name: _value(shape.members[name], None, depth + 1) for name in names}


def _shallowest(union: Shape) -> str:
    """A member that is no structure, if there is one: it cannot lead back to the union itself."""
    plain = [name for name, member in union.members.items() if member.type_name not in ("structure", "list", "map")]
    names: list[str] = plain or list(union.members)
    return names[0]


def _string(shape: Shape, place: str | None) -> str:
    if shape.enum:
        return str(shape.enum[0])
    shortest = shape.metadata.get("min", 1)
    text = "x-y_1" if place in ("header", "map") else AWKWARD
    return text * (int(shortest) // len(text) + 1)
