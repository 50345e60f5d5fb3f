"""What a request itself says AWS will bill beside tokens: queries, images, seconds of video.

Sources: AWS's model parameters (Titan, Nova Canvas, Nova Reel, Stability, Luma, TwelveLabs, Cohere and Amazon Rerank),
and its prices: reranking is billed by the query, each of at most 100 documents.
"""

import re
from collections.abc import Mapping
from math import ceil, isfinite
from typing import Any

from app.core.bedrock_calls import BedrockCall
from app.core.json_skim import Skimmed
from app.core.model_families import bare_model
from app.core.output_maxima import stated
from app.core.usage_forms import elements, members

_DOCUMENTS_A_QUERY = 100
_MOST_IMAGES = 100
_MOST_SECONDS = 24 * 3600
_REEL_SECONDS = 6  # the only length of a single shot, and of each shot of a longer video
_LUMA_SECONDS = 5  # where none is stated
_IMAGE_SIDE = 1024
_STEPS = 50
# The top-level members of a request that units are read from
UNIT_MEMBERS = frozenset(
    """documents sources queries modelId modelInput imageGenerationConfig images inputImage inputType
    singleEmbeddingParams width height steps samples""".split()
)


def units_of(call: BedrockCall, skimmed: Skimmed, body: bytes | bytearray) -> dict[str, int]:
    """By kind, none of them 0; empty where the request says nothing that is billed by itself."""
    if call.name == "Rerank":
        return _reranked(skimmed.sizes.get("sources"), skimmed.sizes.get("queries", 1))
    if call.name == "StartAsyncInvoke":
        return _started(call, skimmed.values, body)
    return _invoked(call, skimmed, body) if call.name == "InvokeModel" else {}


def _invoked(call: BedrockCall, skimmed: Skimmed, body: bytes | bytearray) -> dict[str, int]:
    bare = bare_model(call.model)
    if ".rerank" in bare or (not bare and "documents" in skimmed.sizes):
        return _reranked(skimmed.sizes.get("documents"), 1)
    if bare.startswith("twelvelabs."):
        return _marengo(bare, skimmed.values)
    if makes_images(bare):
        return {"output_image": _images_asked_for(skimmed.values)}
    return _embedded_images(bare, skimmed, body)


def makes_images(bare: str) -> bool:
    """Whether a foundation model's answer is images."""
    return bare.startswith(("amazon.titan-image", "amazon.nova-canvas", "stability."))


def image_size(call: BedrockCall, values: Mapping[str, Any]) -> str | None:
    """As price books name it, such as "1024-x-1024/50-steps"; None where the price has nothing to do with it."""
    bare = bare_model(call.model)
    if bare.startswith(("amazon.titan-image", "amazon.nova-canvas")):
        config = members(values.get("imageGenerationConfig"))
        size = f"{_side(config, 'width')}-x-{_side(config, 'height')}"
        return f"{size}/premium" if config.get("quality") == "premium" else f"{size}/{_STEPS}-steps"
    if bare.startswith("stability.stable-diffusion-xl"):
        width, height = _side(values, "width"), _side(values, "height")
        steps = "max" if (stated(values.get("steps"), 10_000) or _STEPS) > _STEPS else str(_STEPS)
        if bare.endswith("-v0"):
            return f"{'512-x-512' if max(width, height) <= 512 else 'max-x-max'}/{steps}-steps"
        return f"1024-x-1024/{steps}-steps"
    return None


def _reranked(documents: int | None, queries: int) -> dict[str, int]:
    """An answer without documents costs nothing; a request that states none is not one that can be counted."""
    if documents is None:
        return {}
    return {"query": max(1, queries) * max(1, ceil(documents / _DOCUMENTS_A_QUERY))}


def _images_asked_for(values: Mapping[str, Any]) -> int:
    config = members(values.get("imageGenerationConfig"))
    return stated(config.get("numberOfImages"), _MOST_IMAGES) or stated(values.get("samples"), _MOST_IMAGES) or 1


def _embedded_images(bare: str, skimmed: Skimmed, body: bytes | bytearray) -> dict[str, int]:
    """Cohere's v4 bills an image by its tokens, which AWS reports; the others by the image."""
    images = 0
    if bare.startswith("amazon.titan-embed-image"):
        # one that is longer than what is kept of a member is there all the same
        images = int(
            isinstance(skimmed.values.get("inputImage"), str) or _is_long_member(body, b'"inputImage"', skimmed)
        )
    elif bare.startswith("cohere.embed-") and "v4" not in bare:
        images = skimmed.sizes.get("images", 0)
    elif bare.startswith("amazon.nova-2-multimodal-embeddings"):
        kept = members(skimmed.values.get("singleEmbeddingParams"))
        images = int("image" in kept or (not kept and re.search(rb'"image"\s*:\s*\{', body) is not None))
    return {"input_image_each": images} if images else {}


def _is_long_member(body: bytes | bytearray, name: bytes, skimmed: Skimmed) -> bool:
    return "inputImage" not in skimmed.values and name in body


def _marengo(bare: str, values: Mapping[str, Any]) -> dict[str, int]:
    """A text is a query; what is longer than an image is only embedded by StartAsyncInvoke."""
    if not bare.startswith("twelvelabs.marengo"):
        return {}
    kind = values.get("inputType")
    units = {"text": {"query": 1}, "image": {"input_image_each": 1}}
    if kind == "text_image":
        return {"query": 1, "input_image_each": 1}
    return units.get(kind, {}) if isinstance(kind, str) else {}


def _started(call: BedrockCall, values: Mapping[str, Any], body: bytes | bytearray) -> dict[str, int]:
    model = call.model or values.get("modelId")
    bare = bare_model(model if isinstance(model, str) else None)
    asked = members(values.get("modelInput"))
    if bare.startswith("amazon.nova-reel"):
        seconds = _reel_seconds(asked) if "modelInput" in values else _long_reel_seconds(body)
        return {"output_video_second": seconds} if seconds else {}
    if bare.startswith("luma."):
        said = asked.get("duration")
        digits = said.removesuffix("s") if isinstance(said, str) else ""
        seconds = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 4 else 0
        return {"output_video_second": seconds or _LUMA_SECONDS}
    if bare.startswith("twelvelabs.marengo"):
        return _marengo_part(bare, asked)
    return {}


def _reel_seconds(asked: Mapping[str, Any]) -> int:
    shots = elements(members(asked.get("multiShotManualParams")).get("shots"))
    said = stated(members(asked.get("videoGenerationConfig")).get("durationSeconds"), _MOST_SECONDS)
    return len(shots) * _REEL_SECONDS or said or _REEL_SECONDS


def _long_reel_seconds(body: bytes | bytearray) -> int | None:
    """Of an input that is too long to be kept, because it holds images."""
    found = re.search(rb'"durationSeconds"\s*:\s*([0-9]{1,5})', body)
    return stated(int(found[1]), _MOST_SECONDS) if found else None


def _marengo_part(bare: str, asked: Mapping[str, Any]) -> dict[str, int]:
    """Of a video or sound only a part whose length is stated can be counted: AWS alone has seen the whole."""
    kind = asked.get("inputType")
    if kind not in ("video", "audio"):
        return _marengo(bare, asked)
    part = members(asked.get(kind)) or asked
    length = _seconds(part.get("lengthSec"))
    if length is None:
        start, end = _seconds(part.get("startSec")) or 0.0, _seconds(part.get("endSec"))
        length = end - start if end is not None and end > start else None
    return {f"input_{kind}_second": ceil(length)} if length else {}


def _side(values: Mapping[str, Any], name: str) -> int:
    return stated(values.get(name), 16_384) or _IMAGE_SIDE


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MOST_SECONDS and isfinite(value) else None
