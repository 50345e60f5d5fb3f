"""May this caller make this call, and in which region.

A call must pass the lists of every layer: the key's, its team's, its user's. An empty list passes everything, but for
`operations`, where it means the default classes, and for S3 locations, which pass only where a list has them.
Each refusal says whose list refused what, and what would let it pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from app.core import address_ranges, model_names, resource_names
from app.core.accounts import Rights
from app.core.bedrock_calls import BedrockCall
from app.core.body_references import BodyPaths, Reference, body_paths
from app.core.callers import Caller, LayerName
from app.core.errors import AccessDenied, MalformedRequest
from app.core.json_bodies import JsonBody
from app.core.messages import ProxyRequest
from app.core.model_names import LONGEST_MODEL, ModelName, looks_like_arn, model_name
from app.core.operation_grants import grants, how_to_grant
from app.core.operations import Operation
from app.core.shaped_bodies import asks_beyond, is_shaped

# What exists only inside another thing passes with it, where the same call names both.
_PARENTS = {
    "path.agentAliasId": "path.agentId",
    "path.aliasIdentifier": "path.flowIdentifier",
    "path.dataSourceId": "path.knowledgeBaseId",
    "path.flowAliasIdentifier": "path.flowIdentifier",
    "query.flowAliasIdentifier": "path.flowIdentifier",
}
_Layers = tuple[tuple[LayerName, Rights], ...]
_NO_LISTS: _Layers = (("key", Rights()),)


@dataclass(frozen=True, slots=True)
class RegionRules:
    """The regions of this gateway. `explicit`: the operator listed them, instead of the default alone."""

    default: str
    allowed: frozenset[str]
    explicit: bool


def choose_region(rules: RegionRules, url: str | None, arn: str | None, scope: str | None) -> str:
    """The region a call goes to: the one its URL or its path's ARN names, else its signature's scope, else the default.

    A scope is where the caller's SDK believes to be, often by accident: where the operator listed no regions it is
    not an error to name another there. Raises MalformedRequest or AccessDenied.
    """
    if url and arn and url != arn:
        raise MalformedRequest(f"The URL says region {url} and the ARN in it says {arn}: they must agree.")
    named = url or arn
    if named:
        return _served(rules, named)
    if scope and (scope in rules.allowed or rules.explicit):
        return _served(rules, scope)
    return rules.default


def check_path(caller: Caller, call: BedrockCall, request: ProxyRequest, region: str) -> None:
    """Policy on what is known before the body is read. Raises AccessDenied or MalformedRequest."""
    if caller.may_call_everything:
        return
    if caller.key_type in ("management", "read_only"):
        raise AccessDenied(
            f"This key is for the admin routes alone (its key_type is {caller.key_type}): it may not call Bedrock."
        )
    if caller.grant and caller.grant.key.team_id and not caller.grant.team:
        raise AccessDenied("The team of this key is gone, and with it the lists that bind the key.")
    named = _named_outside_body(call, request)
    candidates = call.undecided or ((call.operation,) if call.operation else ())
    for layer, rights in caller.layers or _NO_LISTS:
        if rights.addresses and not address_ranges.admits(rights.addresses, request.address):
            where = f"your address, {request.address}" if request.address else "an address that is not known"
            raise AccessDenied(f"The {layer}'s addresses do not include {where}.")
        _check_operation(layer, rights, candidates)
        if rights.regions and region not in rights.regions:
            raise AccessDenied(f"The {layer}'s regions do not include {region}: add it, or call another region.")
        if call.operation is None:
            _check_unknown(layer, rights)
        else:
            _check_named(layer, rights, call.operation, named)
            if call.operation.unnamed_model:
                _check_untold(layer, rights, call.operation)


def check_body(caller: Caller, call: BedrockCall, body: JsonBody) -> None:
    """Policy on what the body says, after bedrock_calls.decide_by_body. Raises AccessDenied or MalformedRequest.

    The body is parsed only where a list asks for what it may name.
    """
    operation = call.operation
    if caller.may_call_everything or operation is None:
        return
    layers = caller.layers or _NO_LISTS
    beyond = asks_beyond(operation, body.content()) if is_shaped(operation) else None
    paths = _asked(operation, layers)
    named = paths.references(body) if paths else ()
    untold = _must_tell_in_body(operation) and not any(reference.path in operation.models for reference in named)
    for layer, rights in layers:
        if operation.arn_in:
            _check_operation(layer, rights, (operation,))
        if beyond and not grants(rights.operations).everything:
            raise AccessDenied(f"The {layer}'s operations do not include {beyond}: only `all` grants that.")
        if untold:
            _check_untold(layer, rights, operation)
        _check_named(layer, rights, operation, named)


def lets_pass_model(caller: Caller, model: str) -> bool:
    """Whether every layer's lists let the caller call a model, by its id or ARN. For lists of models to choose from."""
    try:
        for layer, rights in caller.layers:
            _check_model(layer, rights, model, runs=True)
    except (AccessDenied, MalformedRequest):
        return False
    return True


def _check_operation(layer: LayerName, rights: Rights, candidates: Iterable[Operation]) -> None:
    """One of the operations that a call may still be must be granted; none: no operation is known for it."""
    granted = grants(rights.operations)
    first = None
    for operation in candidates:
        if granted.include(operation):
            return
        first = first or operation
    if first:
        raise AccessDenied(
            f"The {layer}'s operations do not include {first.operation} ({first.service}, class {first.effect}): "
            f"{how_to_grant(first)}."
        )
    if not granted.everything:
        raise AccessDenied(
            "No Bedrock operation known to this gateway has this method and path, and this key may not call unknown "
            f"ones: the {layer}'s operations do not include `all`. Check the path (slashes at the end and the case of "
            "letters count)."
        )


def _check_unknown(layer: LayerName, rights: Rights) -> None:
    """What an unknown path names cannot be told, so no list can let it pass."""
    for name, narrows in (
        ("models", model_names.narrows(rights.models)),
        ("regions", bool(rights.regions)),
        ("resources", bool(rights.resources)),
    ):
        if narrows:
            raise AccessDenied(
                f"No Bedrock operation known to this gateway has this method and path, so the {layer}'s {name} cannot "
                "be applied to it."
            )


def _check_untold(layer: LayerName, rights: Rights, operation: Operation) -> None:
    if model_names.narrows(rights.models) and not grants(rights.operations).name(operation):
        raise AccessDenied(
            f"{operation.operation} runs a model that the call does not name, which the {layer}'s models cannot judge: "
            f"add {operation.operation} to the {layer}'s operations by name."
        )


def _check_named(layer: LayerName, rights: Rights, operation: Operation, named: Iterable[Reference]) -> None:
    for reference in named:
        if reference.path in operation.models:
            _check_model(layer, rights, reference.value, runs=operation.billed)
        if reference.path.startswith("s3:"):
            _check_location(layer, rights, reference.value)
        elif reference.path in operation.resources and rights.resources:
            _check_resource(layer, rights, reference.value)


def _check_model(layer: LayerName, rights: Rights, model: str, *, runs: bool) -> None:
    if not rights.models and not rights.regions and not rights.resources:
        return
    if len(model) > LONGEST_MODEL:
        raise MalformedRequest("A model id or ARN is longer than any that AWS takes.")
    name = model_name(model)
    if model_names.narrows(rights.models) and not model_names.allows(rights.models, model):
        hint = "add the ARN itself, since it does not say which model it runs" if name.opaque else "add it, or a glob"
        raise AccessDenied(f"The {layer}'s models do not include {model}: {hint}.")
    if rights.regions:
        # an id without its ARN, such as that of a provisioned model, matters where it runs
        _check_model_regions(layer, rights, name, routes=name.routes and (name.is_arn or runs))
    if rights.resources and name.opaque:
        _check_resource(layer, rights, model)


def _check_model_regions(layer: LayerName, rights: Rights, name: ModelName, *, routes: bool) -> None:
    for place in (name.profile, name.region):
        if place and place not in rights.regions:
            raise AccessDenied(f"The {layer}'s regions do not include {place}, where {name.text} may run: add it.")
    if routes and name.text not in rights.models:
        raise AccessDenied(
            f"{name.text} may run in other regions than the {layer}'s: add it to the {layer}'s models as it stands."
        )


def _check_resource(layer: LayerName, rights: Rights, value: str) -> None:
    if not resource_names.allows_resource(rights.resources, value):
        raise AccessDenied(f"The {layer}'s resources do not include {value[:LONGEST_MODEL]}: add its id or ARN.")


def _check_location(layer: LayerName, rights: Rights, value: str) -> None:
    # a key and a team let locations pass by name; a user's record, which nobody but the administrator writes, need not
    if not rights.resources and (layer == "user" or grants(rights.operations).everything):
        return
    if not resource_names.allows_location(rights.resources, value):
        raise AccessDenied(
            f"The {layer}'s resources do not include the S3 location {value[:LONGEST_MODEL]}: add an s3:// prefix."
        )


def _asked(operation: Operation, layers: _Layers) -> BodyPaths | None:
    """The places in the body that some layer's lists are about."""
    models = resources = locations = False
    for layer, rights in layers:
        resources = resources or bool(rights.resources)
        models = models or bool(rights.regions) or bool(rights.resources) or model_names.narrows(rights.models)
        locations = locations or bool(rights.resources)
        locations = locations or (layer != "user" and not grants(rights.operations).everything)
    return _body_paths(operation.models if models else (), operation.resources, resources, locations)


@lru_cache(maxsize=4096)
def _body_paths(
    models: tuple[str, ...],
    resources: tuple[str, ...],
    with_resources: bool,  # noqa: FBT001  # part of the cache's key
    with_locations: bool,  # noqa: FBT001  # the same
) -> BodyPaths | None:
    wanted = (path for path in resources if (with_locations if path.startswith("s3:") else with_resources))
    return body_paths((*models, *wanted))


def _must_tell_in_body(operation: Operation) -> bool:
    """Whether it runs a model that its body, and nothing else, should name."""
    runs_one = operation.billed or operation.effect == "inference"
    return runs_one and bool(operation.models) and not any(path.startswith("path.") for path in operation.models)


def _named_outside_body(call: BedrockCall, request: ProxyRequest) -> tuple[Reference, ...]:
    operation = call.operation
    if operation is None:
        return ()
    found = []
    for path, place, name in _outside_body(operation.models, operation.resources):
        for value in _values(place, name, call.labels, request):
            parent = _PARENTS.get(path)
            if parent in operation.resources and not looks_like_arn(value):
                continue
            found.append(Reference(path, value))
    return tuple(found)


@lru_cache(maxsize=1024)
def _outside_body(models: tuple[str, ...], resources: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    split = [(path, *path.split(".", 1)) for path in dict.fromkeys((*models, *resources))]
    return tuple((path, place, name) for path, place, name in split if place in ("path", "query", "header"))


def _values(place: str, name: str, labels: Mapping[str, str], request: ProxyRequest) -> list[str]:
    if place == "path":
        return [labels[name]] if name in labels else []
    if place == "header":
        value = request.headers.get(name.lower())
        return [] if value is None else [value]
    pairs = (pair.partition("=") for pair in request.target.query.split("&"))
    return [unquote(value) for key, _, value in pairs if unquote(key).lower() == name.lower()]


def _served(rules: RegionRules, region: str) -> str:
    if region in rules.allowed:
        return region
    raise AccessDenied(
        f"Region {region} is not served here (served: {', '.join(sorted(rules.allowed))}). "
        "The operator adds regions in OUTCROP_REGIONS."
    )
