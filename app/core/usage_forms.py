"""The forms in which Bedrock's answers state tokens, each read into the same five numbers.

Forms and the names by which they are told apart (source: recorded answers, botocore's shapes, the vendors' own APIs):
    bedrock    inputTokens, outputTokens, cacheReadInputTokens, cacheWriteInputTokens and, of that by ttl, cacheDetails;
               the twins cacheReadInputTokenCount and cacheWriteInputTokenCount say the same number again
    anthropic  input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens and, of that,
               cache_creation.ephemeral_5m_input_tokens and .ephemeral_1h_input_tokens
    openai     prompt_tokens or input_tokens with *_tokens_details: its input holds what was cached
    metrics    inputTokenCount, outputTokenCount, cacheReadInputTokenCount, cacheWriteInputTokenCount
    llama      prompt_token_count, generation_token_count
    titan      inputTextTokenCount, results[].tokenCount or, in a stream, totalOutputTextTokenCount so far
Whatever is of another type than it should be, but no number, is taken as not there; a number that no count can be is
`Unbelievable`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.core.value import value

# The longest context on Bedrock has some ten million tokens; far more than this would fill a balance for good.
LARGEST_COUNT = 10**9
# An event that is longer and may hold usage is not parsed: a parser needs twenty times as much memory.
LONGEST_PARSED = 4 * 1024**2
# A trace that has more objects is not looked through to its end: the largest recorded has some hundred.
_MOST_PLACES = 20_000
_COUNTS_BY_HEADER = {
    "x-amzn-bedrock-input-token-count": "inputTokenCount",
    "x-amzn-bedrock-output-token-count": "outputTokenCount",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokenCount",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokenCount",
}
_COUNTS = frozenset(_COUNTS_BY_HEADER)


class Unbelievable(Exception):
    """A count that is negative, no integer or beyond LARGEST_COUNT."""


@value
class Tokens:
    """Tokens as one place in an answer states them; None where it does not. `input` is without what was cached."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None

    def __bool__(self) -> bool:
        return self.input is not None or self.output is not None

    def over(self, other: "Tokens") -> "Tokens":
        """These, and what they leave unsaid as `other` says it."""
        if other is NOTHING:
            return self
        return Tokens(
            other.input if self.input is None else self.input,
            other.output if self.output is None else self.output,
            other.cache_read if self.cache_read is None else self.cache_read,
            other.cache_write if self.cache_write is None else self.cache_write,
            other.cache_write_1h if self.cache_write_1h is None else self.cache_write_1h,
        )

    def counts(self) -> dict[str, int]:
        """By kind; what was not cached has no kind of its own. Raises Unbelievable."""
        long = self.cache_write_1h or 0
        short = (long if self.cache_write is None else self.cache_write) - long
        if short < 0:
            raise Unbelievable("fewer tokens were written to the cache than were for 1 hour")
        found = {}
        if self.input is not None:
            found["input"] = self.input
        if self.output is not None:
            found["output"] = self.output
        if self.cache_read:
            found["cache_read"] = self.cache_read
        if short:
            found["cache_write_5m"] = short
        if long:
            found["cache_write_1h"] = long
        return found

    def plus(self, other: "Tokens") -> "Tokens":
        """Both together, of two times that a model was called."""
        return Tokens(
            _sum(self.input, other.input),
            _sum(self.output, other.output),
            _sum(self.cache_read, other.cache_read),
            _sum(self.cache_write, other.cache_write),
            _sum(self.cache_write_1h, other.cache_write_1h),
        )


NOTHING = Tokens()


def count(members: Mapping[str, Any], *names: str) -> int | None:
    """The first of the names that is there, as a count. Raises Unbelievable."""
    for name in names:
        value = members.get(name)
        if value is None:
            continue
        if type(value) is int and 0 <= value <= LARGEST_COUNT:
            return value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_COUNT:
            raise Unbelievable(f"{name} is no count")
        return value
    return None


def members(value: object) -> Mapping[str, Any]:
    """The object that a value is, or none."""
    return value if isinstance(value, dict) else {}


def elements(value: object) -> list[Any]:
    """The array that a value is, or none."""
    return value if isinstance(value, list) else []


def parsed(payload: bytes) -> Mapping[str, Any]:
    """The object that an event's payload is, or none: whatever else it is says nothing of usage."""
    if len(payload) > LONGEST_PARSED:
        return {}
    try:
        return members(json.loads(payload))
    except (ValueError, RecursionError):
        return {}


def bedrock(usage: Mapping[str, Any]) -> Tokens:
    """Raises Unbelievable."""
    written = count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    details = [members(detail) for detail in elements(usage.get("cacheDetails"))]
    by_life = [(detail.get("ttl"), count(detail, "inputTokens") or 0) for detail in details]
    return Tokens(
        count(usage, "inputTokens"),
        count(usage, "outputTokens"),
        count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"),
        sum(tokens for _, tokens in by_life) if written is None and by_life else written,
        sum(tokens for life, tokens in by_life if life == "1h") if by_life else None,
    )


def anthropic(usage: Mapping[str, Any]) -> Tokens:
    """Raises Unbelievable."""
    written = count(usage, "cache_creation_input_tokens")
    lives = members(usage.get("cache_creation"))
    long, short = count(lives, "ephemeral_1h_input_tokens"), count(lives, "ephemeral_5m_input_tokens")
    if written is None and (long is not None or short is not None):
        written = (long or 0) + (short or 0)
    return Tokens(
        count(usage, "input_tokens"),
        count(usage, "output_tokens"),
        count(usage, "cache_read_input_tokens"),
        written,
        long,
    )


def openai(usage: Mapping[str, Any]) -> Tokens:
    """Raises Unbelievable."""
    whole = count(usage, "prompt_tokens", "input_tokens")
    details = members(usage.get("prompt_tokens_details")) or members(usage.get("input_tokens_details"))
    read, written = count(details, "cached_tokens"), count(details, "cache_write_tokens")
    cached = (read or 0) + (written or 0)
    if whole is not None and cached > whole:
        raise Unbelievable("more tokens were cached than there were")
    fresh = None if whole is None else whole - cached
    return Tokens(fresh, count(usage, "completion_tokens", "output_tokens"), read, written)


def metrics(found: Mapping[str, Any]) -> Tokens:
    """`amazon-bedrock-invocationMetrics`. Raises Unbelievable."""
    return Tokens(
        count(found, "inputTokenCount"),
        count(found, "outputTokenCount"),
        count(found, "cacheReadInputTokenCount"),
        count(found, "cacheWriteInputTokenCount"),
    )


def block(usage: Mapping[str, Any]) -> Tokens:
    """A member `usage`, whoever's form it has. Raises Unbelievable."""
    if "prompt_tokens" in usage or "completion_tokens" in usage or "input_tokens_details" in usage:
        return openai(usage)
    if "input_tokens" in usage or "output_tokens" in usage:
        return anthropic(usage)
    return bedrock(usage)


def native(body: Mapping[str, Any]) -> Tokens:
    """What a model's own answer, or a piece of its stream, states, in any form. Raises Unbelievable."""
    return (
        block(members(body.get("usage")))
        .over(Tokens(count(body, "prompt_token_count"), count(body, "generation_token_count")))
        .over(Tokens(count(body, "inputTextTokenCount"), count(body, "totalOutputTextTokenCount")))
        .over(Tokens(output=_titan_results(body.get("results"))))
        .over(bedrock(members(members(body.get("metadata")).get("usage"))))
    )


def headers(low: Mapping[str, str]) -> Tokens:
    """InvokeModel's headers. Raises Unbelievable."""
    if _COUNTS.isdisjoint(low):
        return NOTHING
    return metrics({name: _header(low, header) for header, name in _COUNTS_BY_HEADER.items()})


def guardrail_units(usage: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """A guardrail's usage block: the units that are more than none. Raises Unbelievable."""
    for name in usage:
        if name.endswith("Units") and len(name) <= 64:
            units = count(usage, name)
            if units:
                yield name, units


def traced_guardrail_units(trace: object) -> dict[str, int]:
    """What the assessments in a guardrail's trace used together. Raises Unbelievable.

    Each has `invocationMetrics.usage`: of Converse under inputAssessment and outputAssessments, of InvokeModel under
    input and outputs, by the guardrail's id or in lists.
    """
    found: dict[str, int] = {}
    if not trace:
        return found
    waiting: list[object] = [members(trace).get("guardrail")]
    for _ in range(_MOST_PLACES):
        if not waiting:
            break
        place = waiting.pop()
        if isinstance(place, list):
            waiting.extend(place)
        elif isinstance(place, dict):
            for name, units in guardrail_units(members(members(place.get("invocationMetrics")).get("usage"))):
                found[name] = found.get(name, 0) + units
            waiting.extend(inner for name, inner in place.items() if name != "invocationMetrics")
    return found


def _titan_results(results: object) -> int | None:
    stated = [tokens for one in elements(results) if (tokens := count(members(one), "tokenCount")) is not None]
    return sum(stated) if stated else None


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


def _header(low: Mapping[str, str], name: str) -> int | None:
    text = low.get(name)
    if text is None:
        return None
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 16):
        raise Unbelievable(f"{name} is no count")
    return int(text)
