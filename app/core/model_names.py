"""What a model id or ARN stands for, and whether a list of models allows it: "as AWS will run it".

An ARN of a foundation model or of an inference profile says which model runs: its last segment. Every other ARN is
opaque: only AWS knows what an application inference profile, a provisioned or custom model, a prompt or a router runs.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from app.core.globs import matches

# The first label of an inference profile's id: which regions AWS may run it in.
GEO_PREFIXES = ("us", "eu", "apac", "ap", "jp", "au", "ca", "us-gov", "global")
# The longest that any of botocore's patterns takes. What is kept in a cache here is no longer.
LONGEST_MODEL = 2048
# The peer's words for "whatever is there", and for "nothing until somebody adds it"
NOT_NARROWING = frozenset(("all-proxy-models", "all-team-models"))
NOTHING = "no-default-models"
_TELLING = re.compile(
    r"arn:aws[a-z-]*:bedrock:(?P<region>[a-z0-9-]*):[0-9]*:(?P<kind>foundation-model|inference-profile)/(?P<last>[^/]+)"
)
_OPAQUE = re.compile(r"arn:[^:]*:[^:]*:(?P<region>[^:]*):[^:]*:(?P<kind>[^/]*)/.*", re.DOTALL)
_ROUTING = ("application-inference-profile", "prompt-router", "default-prompt-router")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model id or ARN, read.

    `spellings`: what patterns for ids are matched with, none where it is opaque; `profile`: the prefix of an inference
    profile, which says where it may run; `region`: of an ARN; `routes`: it may run in several regions, unsaid.
    """

    text: str
    is_arn: bool
    spellings: tuple[str, ...] = ()
    profile: str | None = None
    region: str | None = None
    routes: bool = False

    @property
    def opaque(self) -> bool:
        return not self.spellings


@lru_cache(maxsize=2048)
def model_name(text: str) -> ModelName:
    """What a model id or ARN of at most LONGEST_MODEL characters stands for."""
    if not looks_like_arn(text):
        # AWS takes opaque ids without their ARN too; none of them has a dot, and every model's id has
        return ModelName(text, is_arn=False, spellings=_spellings(text), profile=_profile(text), routes="." not in text)
    telling = _TELLING.fullmatch(text)
    if telling:
        last = telling["last"]
        profile = last.partition(".")[0] if telling["kind"] == "inference-profile" else _profile(last)
        return ModelName(
            text, is_arn=True, spellings=_spellings(last), profile=profile, region=telling["region"] or None
        )
    opaque = _OPAQUE.fullmatch(text)
    if not opaque:
        return ModelName(text, is_arn=True, routes=True)
    return ModelName(text, is_arn=True, region=opaque["region"] or None, routes=opaque["kind"] in _ROUTING)


def foundation_model(model_id: str) -> str:
    """The model that an inference profile's id is for: `us.amazon.nova-lite-v1:0` -> `amazon.nova-lite-v1:0`."""
    prefix, _, rest = model_id.partition(".")
    return rest if prefix in GEO_PREFIXES and "." in rest else model_id


@lru_cache(maxsize=2048)
def narrows(models: tuple[str, ...]) -> bool:
    """Whether a list of models refuses anything."""
    return bool(models) and NOT_NARROWING.isdisjoint(models)


@lru_cache(maxsize=4096)
def allows(models: tuple[str, ...], text: str) -> bool:
    """Whether a list that narrows lets a model pass. `text`: at most LONGEST_MODEL characters."""
    name = model_name(text)
    for pattern in models:
        if pattern == NOTHING:
            continue
        if looks_like_arn(pattern):
            if name.is_arn and matches(pattern, text):
                return True
        elif any(matches(pattern, spelling) for spelling in name.spellings):
            return True
    return False


def looks_like_arn(text: str) -> bool:
    """Whether a text is, or passes for, an ARN."""
    return text[:4].lower() == "arn:"


def _spellings(model_id: str) -> tuple[str, ...]:
    bare = foundation_model(model_id)
    return (model_id,) if bare == model_id else (model_id, bare)


def _profile(model_id: str) -> str | None:
    prefix, dot, _ = model_id.partition(".")
    return prefix if dot and prefix in GEO_PREFIXES else None
