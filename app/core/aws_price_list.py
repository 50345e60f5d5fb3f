"""AWS's public price list: what a row's usage type says it is the price of.

AWS describes its usage types nowhere in full. These are the ones that are known for sure, by example:

    USE1-MP:USE1_InputTokenCount_Global-Units                 offer AmazonBedrockFoundationModels, up to Claude 4.6
    USE1-MP:USE1_cache_write_tokens_1h_global_standard-Units  the same offer since; both name their model elsewhere
    USE1-NovaPro-input-tokens-flex                            offer AmazonBedrock, a model by its short name
    USE1-qwen.qwen3-32b-mantle-input-tokens-standard          a model by its id, on the mantle endpoint where it says so

Whatever a name has beyond that (custom models, reserved tokens, latency, images, 30-minute caches) makes it another
product with another price, so every part must be known.
"""

import re
from dataclasses import dataclass
from typing import Literal

Place = Literal["regional", "global", "mantle"]

_PASCAL = {
    "InputTokenCount": "input",
    "OutputTokenCount": "output",
    "CacheReadInputTokenCount": "cache_read",
    "CacheWriteInputTokenCount": "cache_write_5m",
    "CacheWrite1hInputTokenCount": "cache_write_1h",
}
_SNAKE = {
    ("input", ""): "input",
    ("output", ""): "output",
    ("cache_read", ""): "cache_read",
    ("cache_write", ""): "cache_write_5m",
    ("cache_write", "5m"): "cache_write_5m",
    ("cache_write", "1h"): "cache_write_1h",
}
_DASHED = {
    "input-tokens": "input",
    "text-input-tokens": "input",
    "output-tokens": "output",
    "text-output-tokens": "output",
    "cache-read-input-token-count": "cache_read",
    "cache-read-tokens": "cache_read",
    "cache_read-tokens": "cache_read",
    "cache-write-input-token-count": "cache_write_5m",
    "cache-write-tokens": "cache_write_5m",
    "cache_write-tokens": "cache_write_5m",
}
_TIERS = ("standard", "batch", "flex", "priority", "ultrafast")
_MARKET = re.compile(r"(?:[A-Z]{2,4}[0-9]?-MP:)?[A-Z]{2,4}[0-9]?_(.+)-Units")
_MARKET_SNAKE = re.compile(
    rf"(input|output|cache_read|cache_write)_tokens(?:_(5m|1h))?(_global)?(_long_ctx|_lctx)?_({'|'.join(_TIERS)})"
)
_BEDROCK = re.compile(
    r"[A-Z]{2,4}[0-9]?-(?P<model>[A-Za-z0-9][A-Za-z0-9._-]*?)(?P<mantle>-mantle)?"
    rf"-(?P<kind>{'|'.join(_DASHED)})"
    rf"(?P<global>-cross-region-global)?(?:-(?P<tier>{'|'.join(_TIERS)}))?(?P<late>-cross-region-global)?"
)
_MODEL_ID = re.compile(r"[a-z0-9]+\.[a-z][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Meter:
    """What one row is the price of. `model`: as the usage type names it, "" where another attribute does."""

    kind: str
    place: Place = "regional"
    tier: str = "standard"
    long_context: bool = False
    model: str = ""

    @property
    def names_model_id(self) -> bool:
        """Whether the usage type has the model's own id: `qwen.qwen3-32b`."""
        return _MODEL_ID.fullmatch(self.model) is not None


def meter_of(usage_type: str) -> Meter | None:
    """What a usage type stands for, None where any part of it is not known."""
    market = _MARKET.fullmatch(usage_type)
    if market:
        return _pascal(market[1]) or _snake(market[1])
    found = _BEDROCK.fullmatch(usage_type)
    if not found or (found["global"] and found["late"]):
        return None
    place: Place = "mantle" if found["mantle"] else "global" if found["global"] or found["late"] else "regional"
    return Meter(_DASHED[found["kind"]], place, found["tier"] or "standard", model=found["model"])


def _pascal(text: str) -> Meter | None:
    name, *parts = text.split("_")
    if name not in _PASCAL or len(set(parts)) < len(parts) or not set(parts) <= {"Global", "Batch", "LCtx"}:
        return None
    place: Place = "global" if "Global" in parts else "regional"
    return Meter(_PASCAL[name], place, "batch" if "Batch" in parts else "standard", long_context="LCtx" in parts)


def _snake(text: str) -> Meter | None:
    found = _MARKET_SNAKE.fullmatch(text)
    kind = _SNAKE.get((found[1], found[2] or "")) if found else None
    if not found or not kind:
        return None
    return Meter(kind, "global" if found[3] else "regional", found[5], long_context=bool(found[4]))


def model_key(name: str) -> str:
    """What AWS's display names and model ids have in common: `Claude Sonnet 4.5` -> claudesonnet45.

    Of an id, what stands before its first dot, its date and its first version go; a later version stays (v2).
    """
    text = name.removesuffix(" (Amazon Bedrock Edition)").lower()
    if _MODEL_ID.match(text) and " " not in text:
        text = text.partition(".")[2].partition("@")[0]
        text = re.sub(r"-1:[0-9]+$", "", text)
        text = re.sub(r":[^:]+$", "", text)
        text = re.sub(r"-v[01]$", "", text)
    text = re.sub(r"-20[0-9]{6}", "", text)
    text = re.sub(r"([0-9])\.0(?![0-9])", r"\1", text)
    return re.sub(r"[^a-z0-9]", "", text).removesuffix("instruct")
