"""Which Bedrock operation a call is: by method, exact path template, X-Amz-Target and the type of the ARN it names.

Never by a substring or a first segment: `/agents`, `/flows` and `/memories` are each shared by two services, and a
slash at the end or the case of a letter tells operations apart (`POST /agents/{id}` runs an inline agent,
`POST /agents/{id}/` prepares a stored one).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from typing import Any

from app.core.errors import MalformedRequest, MethodUnknown, NeedsFullDuplex
from app.core.json_bodies import JsonBody
from app.core.model_names import LONGEST_MODEL
from app.core.operations import Operation, OperationsTable, labels
from app.core.shaped_bodies import is_shaped
from app.core.targets import Target
from app.core.value import value

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_DEFAULT_SERVICE = "bedrock-runtime"
_ROOT_SERVICE = "bedrock-data-automation-runtime"
_V1_SERVICE = "bedrock-mantle"
# The top-level members that decide something: any other spelling of them is refused.
_DECIDING = ("model", "stream", "resourceARN")
_DECIDING_LOW = frozenset(name.lower() for name in _DECIDING)
_JSON_PROTOCOL = "application/x-amz-json-"
# request lines, as many as targets.py keeps
_REMEMBERED, _LONGEST_REMEMBERED = 1024, 512
_ARN = re.compile(r"arn:[^:]+:(?P<service>[^:]*):(?P<region>[^:]*):[^:]*:(?P<type>[^:/]*).*", re.DOTALL)


@value
class BedrockCall:
    """What a call asks of AWS.

    `operation` is None where no template matches: such a path is forwarded for callers who may call everything.
    `model` is what the path, or else the body, says; `streams` whether the answer may be a stream. `undecided` are
    the operations among which only the body decides.
    """

    service: str
    operation: Operation | None
    labels: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    streams: bool = True
    undecided: tuple[Operation, ...] = ()

    @property
    def name(self) -> str | None:
        return self.operation.operation if self.operation else None

    @property
    def body_decides(self) -> bool:
        """Whether the body must be read to know what the call is."""
        return bool(self.undecided) or is_shaped(self.operation)


def resolve(table: OperationsTable, method: str, target: Target, headers: Mapping[str, str]) -> BedrockCall:
    """The call that a request line and its headers (lower-case names) make.

    Raises MethodUnknown, MalformedRequest or NeedsFullDuplex.
    """
    if method not in METHODS:
        raise method_unknown(method)
    service = target.service or _implied_service(target.segments)
    x_amz_target = headers.get("x-amz-target")
    if x_amz_target is not None and service != _ROOT_SERVICE:
        raise MalformedRequest(
            "X-Amz-Target chooses an operation by header, which this path does not take: remove the header."
        )
    find = _remembered if len(target.path) <= _LONGEST_REMEMBERED and x_amz_target is None else _find
    call = find(table, method, service, target.segments, x_amz_target)
    if not call.operation or not call.operation.target:
        _refuse_json_protocol(headers, known=call.operation is not None, service=service)
    return call


def _find(
    table: OperationsTable, method: str, service: str | None, segments: tuple[str, ...], x_amz_target: str | None
) -> BedrockCall:
    found = tuple(operation for operation in table.find(method, segments, service) if operation.target == x_amz_target)
    if len(found) > 1 and not found[0].arn_in:
        found = _by_arn(found, _arns(segments))
    if not found:
        return BedrockCall(service or _DEFAULT_SERVICE, None)
    operation, undecided = found[0], found if len(found) > 1 else ()
    if operation.bidirectional:
        raise NeedsFullDuplex(
            f"{operation.operation} needs HTTP/2 in both directions at once, which this gateway does not carry. "
            "Use InvokeModelWithResponseStream, or call AWS directly."
        )
    found_labels = labels(operation, segments)
    _check_patterns(table, operation, found_labels)
    model = next((found_labels[path[5:]] for path in operation.models if path.startswith("path.")), None)
    return BedrockCall(
        operation.service, operation, found_labels, model, streams=bool(operation.stream), undecided=undecided
    )


_remembered = lru_cache(_REMEMBERED)(_find)


def method_unknown(method: str) -> MethodUnknown:
    """The error for a method that is none of METHODS."""
    return MethodUnknown(f"No Bedrock operation uses {method[:20]}: use {', '.join(METHODS)}.")


def decide_by_body(call: BedrockCall, body: JsonBody) -> BedrockCall:
    """The same call, with what only its body says. Raises MalformedRequest."""
    if not call.body_decides or not call.operation:
        return call
    content = body.content()
    for name in content:
        if name not in _DECIDING and name.lower() in _DECIDING_LOW:
            raise MalformedRequest(
                f"`{name}` in the body is spelt otherwise by AWS, and some parsers do not mind case."
            )
    operation = call.operation
    if call.undecided:
        named = content.get((operation.arn_in or "").removeprefix("body."))
        operation = _by_arn(call.undecided, _arns((named,)) if isinstance(named, str) else ())[0]
    if not is_shaped(operation):
        return replace(call, service=operation.service, operation=operation, undecided=())
    stream = content.get("stream")
    if stream is not None and not isinstance(stream, bool):
        # some parsers take 1 and "true" for true: a stream is metered otherwise than an answer in one piece
        raise MalformedRequest("`stream` in the body must be true or false.")
    streams = operation.stream == "body" and stream is True
    return replace(call, model=_model_of(content), streams=streams)


def _model_of(content: Mapping[str, Any]) -> str | None:
    model = content.get("model")
    if not isinstance(model, str):
        return None
    if len(model) > LONGEST_MODEL or not model.isprintable():
        raise MalformedRequest("`model` in the body is no model id or ARN.")
    return model


def region_in_arns(segments: Sequence[str]) -> str | None:
    """The region that ARNs among the path's decoded segments name. Raises MalformedRequest when they disagree."""
    arns = _arns(segments)
    regions = {arn["region"] for arn in arns if arn["region"]}
    if len(regions) > 1:
        raise MalformedRequest("The ARNs in the path name different regions: one call goes to one region.")
    return regions.pop() if regions else None


def _implied_service(segments: Sequence[str]) -> str | None:
    if segments == ("",):
        return _ROOT_SERVICE
    return _V1_SERVICE if segments[0] == "v1" else None


def _refuse_json_protocol(headers: Mapping[str, str], *, known: bool, service: str | None) -> None:
    if not known and service == _ROOT_SERVICE:
        return
    if _JSON_PROTOCOL in headers.get("content-type", "").lower():
        raise MalformedRequest(
            "Content-Type application/x-amz-json-* belongs to a protocol that this path does not take: "
            "send application/json."
        )


def _by_arn(found: tuple[Operation, ...], arns: Sequence[re.Match[str]]) -> tuple[Operation, ...]:
    """Of operations that share method and path, the one for the type of ARN that is named."""
    for operation in found:
        if operation.arn and any(_is_of(operation.arn, arn) for arn in arns):
            return (operation,)
    return tuple(operation for operation in found if operation.arn and operation.arn.get("otherwise"))


def _is_of(rule: Mapping[str, Any], arn: re.Match[str]) -> bool:
    types = rule.get("resource")
    return rule.get("service") == arn["service"] and (not types or arn["type"] in types)


def _arns(segments: Sequence[str]) -> tuple[re.Match[str], ...]:
    return tuple(match for segment in segments if segment.startswith("arn:") and (match := _ARN.fullmatch(segment)))


def _check_patterns(table: OperationsTable, operation: Operation, found: Mapping[str, str]) -> None:
    for label, pattern in operation.label_patterns.items():
        if not table.patterns[pattern].fullmatch(found[label]):
            raise MalformedRequest(
                f"{label} is no model id or ARN that {operation.operation} takes (AWS's own pattern refuses it)."
            )
