"""What a request says of what it will cost: the most it lets the model write, its tier, units that it states itself."""

from collections.abc import Mapping
from typing import Any

from app.core.bedrock_calls import BedrockCall
from app.core.json_skim import Skimmed
from app.core.model_families import bare_model
from app.core.output_maxima import MAXIMUM_MEMBERS, most_output_tokens
from app.core.request_text import NOTHING_SAID, said_in
from app.core.request_units import UNIT_MEMBERS, image_size, units_of
from app.core.usage import RequestFacts
from app.core.usage_forms import members

_TOOLS = ("tools", "toolConfig")
_TIER_HEADER = "x-amzn-bedrock-service-tier"
_STANDARD = ("default", "standard", "standard_only")
_LONGEST_TIER = 32
# The top-level members of a request that are looked at
FACT_MEMBERS = (
    frozenset((*_TOOLS, "serviceTier", "service_tier", "enableTrace", "stream_options"))
    | MAXIMUM_MEMBERS
    | UNIT_MEMBERS
)

_TRACED = ("InvokeAgent", "InvokeInlineAgent")
# What AWS answers every other operation with has no word on usage (recorded), or none that its shape promises.
_REPORTING = frozenset(
    (
        "Converse",
        "ConverseStream",
        "InvokeModel",
        "InvokeModelWithResponseStream",
        "AnthropicMessages",
        "OpenAIChatCompletions",
        "OpenAIResponses",
        "OpenAIEmbeddings",
        "CountTokens",
        "AnthropicCountTokens",
        "ApplyGuardrail",
        "InvokeGuardrailChecks",
        "InvokeHarness",
    )
)


def request_facts(
    call: BedrockCall, skimmed: Skimmed, headers: Mapping[str, str], body: bytes | bytearray
) -> RequestFacts:
    """`skimmed`: the body's FACT_MEMBERS; `headers`: of the request, with lower-case names. Never raises."""
    values = skimmed.values
    units = units_of(call, skimmed, body)
    said = said_in(body) if call.streams else NOTHING_SAID
    return RequestFacts(
        body_bytes=len(body),
        max_output_tokens=most_output_tokens(call, values),
        tier=_tier(call, values, headers),
        units=units,
        image_size=image_size(call, values) if "output_image" in units else None,
        reports_usage=_reports(call, values, units),
        # what nobody here knows may cost anything: it is not free
        billed=call.operation is None or call.operation.billed,
        text_bytes=said.text_bytes,
        media_bytes=said.media_bytes,
        has_tools=any(values.get(name) or name in skimmed.sizes for name in _TOOLS),
    )


def tier_name(said: object) -> str | None:
    """A tier as an answer or a request names it, in small letters; None for what names none."""
    if not isinstance(said, str) or not said.isprintable() or not 0 < len(said) <= _LONGEST_TIER:
        return None
    name = said.strip().lower()
    return None if name in ("", "auto") else name


def _tier(call: BedrockCall, values: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    """The tier that is asked for where this operation is asked: a cheaper one stated elsewhere changes nothing."""
    name = call.name or ""
    said: object = headers.get(_TIER_HEADER)
    if name in ("Converse", "ConverseStream"):
        said = members(values.get("serviceTier")).get("type")
    elif name.startswith("OpenAI"):
        said = values.get("service_tier") or said
    found = tier_name(said)
    return None if found in _STANDARD else found


def _reports(call: BedrockCall, values: Mapping[str, Any], units: Mapping[str, int]) -> bool:
    name = call.name or ""
    if name in _TRACED:
        return values.get("enableTrace") is True
    if name == "OpenAIChatCompletions" and call.streams:
        return members(values.get("stream_options")).get("include_usage") is True
    if name.startswith("InvokeModel") and bare_model(call.model).startswith("twelvelabs."):
        # Pegasus is billed by the second of a video that only AWS has seen
        return bool(units)
    return name in _REPORTING or bool(units)
