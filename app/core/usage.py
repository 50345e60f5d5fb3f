"""What a call used, in the units that AWS bills.

Kinds of tokens, each apart from the others (`input` holds none that were read from a cache or written to it):
    input, output, cache_read, cache_write_5m, cache_write_1h, input_audio, output_audio, input_image
Other units: output_image, input_image_each, query, input_video_second, input_audio_second, output_video_second
A guardrail's units, in AWS's words: topicPolicyUnits, contentPolicyUnits, contentPolicyImageUnits, wordPolicyUnits,
    sensitiveInformationPolicyUnits, sensitiveInformationPolicyFreeUnits, contextualGroundingPolicyUnits, ...; of
    InvokeGuardrailChecks contentFilterTextUnits, promptAttackTextUnits, sensitiveInformationTextUnits
Free of charge: counted (what CountTokens found)
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from app.core.value import value

# reported: by AWS, or by units that the request itself states; estimated: an answer that was cut; unknown: AWS reports
# nothing, or nothing that can be believed. Unknown is never 0.
UsageSource = Literal["reported", "estimated", "unknown"]
Counts = Mapping[str, int]

CACHE_WRITES = ("cache_write_5m", "cache_write_1h")
TOKEN_KINDS = ("input", "output", "cache_read", *CACHE_WRITES, "input_audio", "output_audio", "input_image")
UNIT_KINDS = (
    "output_image",
    "input_image_each",
    "query",
    "input_video_second",
    "input_audio_second",
    "output_video_second",
)
FREE_KINDS = ("counted",)


@value
class Usage:
    """What one call used.

    `counts`: all of it, by kind, never negative; `by_model`: the same split by the models that an agent's traces name,
    empty where one model did it all; `method`: where it was read ("converse", "headers", "invocation_metrics",
    "request", ...) or how it was estimated; `tier`: the service tier that AWS said it used; `image_size`: of the images
    made, as the price book names sizes; `problem`: why numbers that were there were not believed, for the log.
    """

    source: UsageSource = "unknown"
    counts: Counts = field(default_factory=dict)
    method: str = ""
    by_model: Mapping[str, Counts] = field(default_factory=dict)
    tier: str | None = None
    image_size: str | None = None
    problem: str | None = None

    @property
    def input_tokens(self) -> int:
        """Those that were neither read from a cache nor written to one."""
        return _sum(self.counts, ("input", "input_audio", "input_image"))

    @property
    def output_tokens(self) -> int:
        return _sum(self.counts, ("output", "output_audio"))

    @property
    def cache_write_tokens(self) -> int:
        return _sum(self.counts, CACHE_WRITES)

    @property
    def total_tokens(self) -> int:
        return _sum(self.counts, TOKEN_KINDS)


def _sum(counts: Counts, kinds: tuple[str, ...]) -> int:
    return sum([counts[kind] for kind in kinds if kind in counts])


UNKNOWN = Usage()


@value
class RequestFacts:
    """What a request says of what it will cost, read before it is sent.

    `max_output_tokens`: the most that it lets the model write; `tier`: the service tier asked for; `units`: what the
    request itself says AWS will bill, such as {"query": 1} of a rerank call or {"output_video_second": 6};
    `image_size`: of the images asked for; `reports_usage`: whether AWS's answer to this call, or `units`, will say
    what was used: a call that does not cannot be metered. `billed`: whether AWS bills the operation at all.
    For the estimate of a stream that is cut, and 0 for every other call: of `body_bytes`, `text_bytes` are what is
    said, `media_bytes` images, sound and documents in base64. `has_tools`: whether the model is told of tools.
    """

    body_bytes: int = 0
    max_output_tokens: int | None = None
    tier: str | None = None
    units: Counts = field(default_factory=dict)
    image_size: str | None = None
    reports_usage: bool = False
    billed: bool = False
    text_bytes: int = 0
    media_bytes: int = 0
    has_tools: bool = False


@value
class Attribution:
    """For whom a call is, beside the key's holder: claims by the caller, read from its headers and body.

    `end_user`: at most 256 printable characters, None where nobody is named; `source`: which header or member named
    it; `session_id`: of an agent, else the caller's own; `tags`: claimed by the caller, at most 10 (those of its key
    and team are theirs); `metadata`: of x-litellm-spend-logs-metadata; `call_id`: the caller's own name for its call.
    """

    end_user: str | None = None
    source: str | None = None
    session_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    call_id: str | None = None


NOBODY = Attribution()
