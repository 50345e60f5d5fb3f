"""What a stream used that was cut before AWS said it: from its request, from what it produced, by learned ratios.

Output: tokens follow the bytes of text, or for models that send a piece a token, the pieces; which of the two has been
nearer is learned, as the ratios are, from streams of the same operation and family that came to their end. Input: from
the request's bytes, its media apart, and from the tools that it tells the model of.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from threading import Lock

from app.core.model_families import FAMILIES, OTHER
from app.core.usage import RequestFacts

# Members that hold what the model says. Not among them: `p` and `obfuscation`, padding of random length; signatures.
_TEXT = re.compile(
    rb'"(text|input|partial_json|thinking|content|delta|generation|outputText|completion|reasoning|reasoning_content'
    rb'|arguments)"\s*+:\s*+"((?:[^"\\]++|\\.)*+)"',
    re.DOTALL,
)
_BACKSLASH = 0x5C
_HIDDEN = re.compile(rb'"(?:redactedContent|data)"\s*+:\s*+"([^"\\]*+)"')
# Reasoning that is encrypted takes so many bytes for one of text.
_HIDING = 3
# What a picture of ordinary size costs at most, and how many of its bytes in base64 make a token below that
_MEDIA_TOKENS = 1600
_MEDIA_BYTES = 256 * 1024
_MEDIA_BYTES_A_TOKEN = 64
# No model takes more.
_LARGEST_INPUT = 1_000_000
# How much of what was learned a new call replaces
_LEARNING = 0.1
# A smaller one would take too many calls to grow again.
_SMALLEST_ERROR = 0.01
# Fewer tokens teach nothing: what every message costs beside its text outweighs them.
_FEWEST_TOKENS = 12
_SHORT_TEXT = 400
# Tokens for each tool that a model calls, beside what it is called with: its name and the frame around it
_TOOL_CALL_TOKENS = {"anthropic": 34, "nova": 17}
_TOOL_CALL = 16


@dataclass(slots=True)
class Produced:
    """What a stream has brought so far: bytes of text as JSON writes them, events that had any, tools called."""

    text_bytes: int = 0
    pieces: int = 0
    tool_calls: int = 0
    # how the member that held text last begins: `find` is four times as fast as the expression
    sign: bytes = b""

    def add(self, payload: bytes) -> None:
        """`payload`: of one event that carries a part of the answer."""
        at = payload.find(self.sign) if self.sign else -1
        size = _string_size(payload, at + len(self.sign)) if at >= 0 else self._searched(payload)
        if size:
            self.text_bytes += size
            self.pieces += 1

    def _searched(self, payload: bytes) -> int:
        size = 0
        for name, text in _TEXT.findall(payload):
            size += len(text)
            self.sign = b'"' + name + b'":"'
        return size or sum(map(len, _HIDDEN.findall(payload))) // _HIDING


def _string_size(payload: bytes, start: int) -> int:
    """How long the JSON string is whose first byte is at `start`."""
    end = payload.find(b'"', start)
    while end > start and payload[end - 1] == _BACKSLASH:
        end = payload.find(b'"', end + 1)
    return (end if end >= 0 else len(payload)) - start


@dataclass(frozen=True, slots=True)
class Ratio:
    """How tokens relate to bytes and events for one operation and family.

    Output: `text_bytes` a token or `piece_tokens` an event, whichever has the smaller relative error. Input:
    `request_bytes` of text a token, and beside the text `frame_tokens` a request and `tools_tokens` if it has tools.
    """

    text_bytes: float
    piece_tokens: float
    request_bytes: float = 4.6
    frame_tokens: float = 5.0
    tools_tokens: float = 60.0
    text_error: float = 0.25
    piece_error: float = 1.0


# Fitted on recorded exchanges.
_STARTS: Mapping[str, Ratio] = {
    "anthropic": Ratio(4.9, 3.0, 4.8, frame_tokens=9, tools_tokens=340),
    "nova": Ratio(4.4, 2.7, 4.3, tools_tokens=500),
    "titan": Ratio(3.6, 12.0),
    "meta": Ratio(4.1, 1.0, frame_tokens=20, tools_tokens=90, piece_error=0.05),
    "mistral": Ratio(3.5, 1.0, piece_error=0.05),
    "cohere": Ratio(6.0, 1.0, frame_tokens=0, piece_error=0.05),
    "ai21": Ratio(5.5, 1.0, piece_error=0.05),
    "openai": Ratio(4.0, 1.0, frame_tokens=60, tools_tokens=40, piece_error=0.5),
    OTHER: Ratio(4.2, 1.0, piece_error=0.5),
}


class Ratios:
    """What completed streams taught, for one process; any thread may use it. Bounded: by operations and families."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._learned: dict[tuple[str, str], Ratio] = {}

    def of(self, operation: str, family: str) -> Ratio:
        start = _STARTS.get(family, _STARTS[OTHER])
        return self._learned.get((operation, family), start)

    def learn_output(self, operation: str, family: str, produced: Produced, tokens: int) -> None:
        """From a stream that came to its end and whose output AWS reported."""
        if family not in FAMILIES or not produced.text_bytes:
            return
        spoken = tokens - produced.tool_calls * _TOOL_CALL_TOKENS.get(family, _TOOL_CALL)
        if spoken < _FEWEST_TOKENS:
            return
        with self._lock:
            known = self.of(operation, family)
            by_text = produced.text_bytes / known.text_bytes
            by_pieces = produced.pieces * known.piece_tokens
            self._learned[operation, family] = replace(
                known,
                text_bytes=_nearer(known.text_bytes, produced.text_bytes / spoken),
                piece_tokens=_nearer(known.piece_tokens, spoken / produced.pieces),
                text_error=max(_SMALLEST_ERROR, _nearer(known.text_error, abs(by_text - spoken) / spoken)),
                piece_error=max(_SMALLEST_ERROR, _nearer(known.piece_error, abs(by_pieces - spoken) / spoken)),
            )

    def learn_input(self, operation: str, family: str, facts: RequestFacts, tokens: int) -> None:
        """From a stream whose input AWS reported; `tokens`: the cached part too. One call teaches one of the three."""
        if family not in FAMILIES or facts.media_bytes or not facts.text_bytes:
            return
        with self._lock:
            known = self.of(operation, family)
            beside = known.frame_tokens + (known.tools_tokens if facts.has_tools else 0)
            missing = tokens - beside - facts.text_bytes / known.request_bytes
            if facts.text_bytes >= _SHORT_TEXT and tokens - beside >= _FEWEST_TOKENS:
                seen = facts.text_bytes / (tokens - beside)
                known = replace(known, request_bytes=_nearer(known.request_bytes, seen))
            elif facts.has_tools:
                seen = max(1.0, known.tools_tokens + missing)
                known = replace(known, tools_tokens=_nearer(known.tools_tokens, seen))
            else:
                seen = max(1.0, known.frame_tokens + missing)
                known = replace(known, frame_tokens=_nearer(max(1.0, known.frame_tokens), seen))
            self._learned[operation, family] = known


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens, never fewer than one, and in words how they were found."""

    tokens: int
    how: str


def estimated_input(ratio: Ratio, facts: RequestFacts) -> Estimate:
    text = facts.text_bytes / ratio.request_bytes + ratio.frame_tokens + (ratio.tools_tokens if facts.has_tools else 0)
    media = min(_MEDIA_TOKENS * ceil(facts.media_bytes / _MEDIA_BYTES), facts.media_bytes // _MEDIA_BYTES_A_TOKEN)
    beside = "".join(
        f" and {words}"
        for words, there in ((f"{facts.media_bytes} of media", facts.media_bytes), ("tools", facts.has_tools))
        if there
    )
    how = f"input {facts.text_bytes} bytes of text{beside} at {ratio.request_bytes:.1f} bytes a token"
    return Estimate(min(_LARGEST_INPUT, max(1, round(text) + media)), how)


def estimated_output(ratio: Ratio, family: str, produced: Produced, most: int | None = None) -> Estimate:
    """`most`: the largest output that the request lets the model write, if it says."""
    called = produced.tool_calls * _TOOL_CALL_TOKENS.get(family, _TOOL_CALL)
    if ratio.piece_error < ratio.text_error:
        tokens = round(produced.pieces * ratio.piece_tokens)
        how = f"output {produced.pieces} pieces of text at {ratio.piece_tokens:.1f} tokens a piece"
    else:
        tokens = round(produced.text_bytes / ratio.text_bytes)
        how = f"output {produced.text_bytes} bytes of text at {ratio.text_bytes:.1f} bytes a token"
    tools = f" and {produced.tool_calls} tool calls" if produced.tool_calls else ""
    tokens = max(1, tokens + called)
    return Estimate(min(tokens, most or tokens), how + tools)


def _nearer(known: float, seen: float) -> float:
    """A step towards what was seen, bounded so that no single call spoils what was learned."""
    return known + _LEARNING * (min(max(seen, known / 4), known * 4) - known)
