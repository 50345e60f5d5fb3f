"""The most that a request lets a model write, in the words of its API or of the model's vendor.

Only the words that this model reads count: a caller could else state a small maximum where nobody looks for it.
Sources: AWS's model parameters, botocore's Converse, OpenAI's and Anthropic's own APIs.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from app.core.bedrock_calls import BedrockCall
from app.core.model_families import family_of
from app.core.usage_forms import members

# A larger maximum is no statement: no model writes as much, and a hold that follows it would refuse every call.
LARGEST_MAXIMUM = 10_000_000
# The most answers that one request may ask for, anywhere
_MOST_ANSWERS = 128

_Paths = tuple[tuple[str, ...], ...]
_OPENAI = ("max_tokens", "max_completion_tokens", "n")
_BY_FAMILY: dict[str, tuple[str, ...]] = {
    "anthropic": ("max_tokens", "max_tokens_to_sample"),
    "nova": ("inferenceConfig.maxTokens", "inferenceConfig.max_new_tokens"),
    "titan": ("textGenerationConfig.maxTokenCount",),
    "meta": ("max_gen_len",),
    "mistral": ("max_tokens",),
    "cohere": ("max_tokens", "num_generations"),
    "ai21": ("max_tokens", "maxTokens", "numResults", "n"),
    "openai": (*_OPENAI, "max_output_tokens"),
    "qwen": _OPENAI,
    "deepseek": _OPENAI,
    "twelvelabs": ("maxOutputTokens",),
}
_INVOKED = ("InvokeModel", "InvokeModelWithResponseStream")
_CONVERSE = ("Converse", "ConverseStream")
# These multiply what the others state.
_ANSWERS = frozenset(("n", "num_generations", "numResults"))
_ALL = (*dict.fromkeys(name for names in _BY_FAMILY.values() for name in names), "parameters.max_new_tokens")
# What Converse hands on to the model, in its vendor's own words
_HANDED_ON = "additionalModelRequestFields"
_BY_OPERATION: dict[str, tuple[str, ...]] = {
    "Converse": ("inferenceConfig.maxTokens",),
    "ConverseStream": ("inferenceConfig.maxTokens",),
    "OpenAIChatCompletions": _OPENAI,
    "OpenAIResponses": ("max_output_tokens",),
    "AnthropicMessages": ("max_tokens",),
}
# The top-level members that are looked at
MAXIMUM_MEMBERS = frozenset(
    (_HANDED_ON, *(name.partition(".")[0] for names in (*_BY_OPERATION.values(), _ALL) for name in names))
)


def most_output_tokens(call: BedrockCall, values: Mapping[str, Any]) -> int | None:
    """The largest maximum that is stated, times the answers that are asked for; None where none is."""
    stating, multiplying = _places(call.name or "", family_of(call.model), _HANDED_ON in values)
    largest = max(_stated(values, stating, LARGEST_MAXIMUM), default=None)
    if largest is None or not multiplying:
        return largest
    return largest * max(_stated(values, multiplying, _MOST_ANSWERS), default=1)


@cache
def _places(operation: str, family: str, hands_on: bool) -> tuple[_Paths, _Paths]:  # noqa: FBT001  # the cache's key
    """Where a request of these may state a maximum, and what multiplies it."""
    names = _BY_FAMILY.get(family, _ALL) if operation in _INVOKED else _BY_OPERATION.get(operation, ())
    if hands_on and operation in _CONVERSE:
        names += tuple(f"{_HANDED_ON}.{name}" for name in _BY_FAMILY.get(family, ()))
    paths = [tuple(name.split(".")) for name in names]
    multiplying = tuple(path for path in paths if path[-1] in _ANSWERS)
    return tuple(path for path in paths if path not in multiplying), multiplying


def stated(value: object, largest: int) -> int | None:
    """A number as a request states it, from 1 to `largest`; None where it says something else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        return None
    return value


def _stated(values: Mapping[str, Any], paths: _Paths, largest: int) -> Iterator[int]:
    for path in paths:
        place = values
        for name in path[:-1]:
            place = members(place.get(name))
        found = stated(place.get(path[-1]), largest)
        if found is not None:
            yield found
