"""May this caller make this call, and in which region."""

from dataclasses import dataclass

from app.core.bedrock_calls import BedrockCall
from app.core.callers import Caller
from app.core.errors import AccessDenied, MalformedRequest

# The first label of an inference profile's id: which regions AWS may run it in.
GEO_PREFIXES = ("us", "eu", "apac", "ap", "jp", "au", "ca", "us-gov", "global")


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
        return _allowed(rules, named)
    if scope and (scope in rules.allowed or rules.explicit):
        return _allowed(rules, scope)
    return rules.default


def check_path(caller: Caller, call: BedrockCall) -> None:
    """Policy on what method, path and headers say. Raises AccessDenied."""
    if call.operation is None and not caller.may_call_everything:
        raise AccessDenied(
            "No Bedrock operation known to this gateway has this method and path, and this key may not call unknown "
            "ones. Check the path (slashes at the end and the case of letters count)."
        )


def foundation_model(model_id: str) -> str:
    """The model that an inference profile's id is for: `us.amazon.nova-lite-v1:0` -> `amazon.nova-lite-v1:0`."""
    prefix, _, rest = model_id.partition(".")
    return rest if prefix in GEO_PREFIXES and "." in rest else model_id


def _allowed(rules: RegionRules, region: str) -> str:
    if region in rules.allowed:
        return region
    raise AccessDenied(
        f"Region {region} is not served here (served: {', '.join(sorted(rules.allowed))}). "
        "The operator adds regions in OUTCROP_REGIONS."
    )
