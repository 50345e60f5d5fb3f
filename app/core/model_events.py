"""The events in which models stream their own answers, whichever API carries them: Anthropic's, OpenAI's, and those
of Nova, Llama, Titan, Mistral, Cohere and Jamba.

Parsed are events that may hold usage, told by a few bytes that all forms of it share; where every event counts on
(Llama, Jamba, Titan), the first and the last. Of the others the text is measured.
"""

from app.core import usage_forms
from app.core.request_facts import tier_name
from app.core.usage_forms import NOTHING, Tokens, members, parsed
from app.core.usage_reader import Asked, Reader

METRICS = "amazon-bedrock-invocationMetrics"
TRACE = "amazon-bedrock-trace"
# What every name of a count of tokens has, and every member that Bedrock adds
_COUNT = b"oken"
_OWN = b'"amazon-bedrock-'
# Where a tool begins to be called: Anthropic's, Nova's and OpenAI's
_TOOL_CALLS = (
    (b'"tool_use"', b'"content_block_start"'),
    (b'"toolUse"', b'"contentBlockStart"'),
    (b'"name"', b'"tool_calls"'),
)


class ModelEvents(Reader):
    """A reader of a model's own events."""

    method = "stream"

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        # of an event that counts on and is not parsed unless it is the last
        self._latest: bytes | None = None
        # Anthropic's message_start says the input, and message_delta the output
        self._begun = NOTHING
        self._written = NOTHING

    def read_model_event(self, event: bytes) -> None:
        """Raises Unbelievable."""
        if _COUNT not in event and _OWN not in event:
            self._measure(event)
        elif (kind := _kind(event)) == "message_start":
            usage = members(members(parsed(event).get("message")).get("usage"))
            begun = usage_forms.anthropic(usage)
            # its output is a placeholder
            self._begun = Tokens(None, None, begun.cache_read, begun.cache_write, begun.cache_write_1h).over(
                Tokens(begun.input)
            )
        elif kind == "message_delta":
            self._written = usage_forms.block(members(parsed(event).get("usage"))).over(self._written)
            self.final = self.final or self._written.output is not None
            self._read_own(event)
        elif _OWN in event or self.native.input is None:
            self._measure(event)
            self._read(event)
        else:
            self._measure(event)
            self._latest = event

    def read_end(self) -> None:
        self._read_latest()
        self.half = bool(self._begun)
        self.native = self._written.over(self._begun).over(self.native)

    def _read(self, event: bytes) -> None:
        self._read_latest()
        found = parsed(event)
        self.native = usage_forms.native(found).over(self.native)
        self.tier = tier_name(found.get("service_tier")) or self.tier
        # OpenAI's last event holds the usage and no choice
        self.final = self.final or (bool(self.native) and found.get("choices") == [])
        self._read_own(event)

    def _read_own(self, event: bytes) -> None:
        if _OWN not in event:
            return
        found = parsed(event)
        self.metrics = usage_forms.metrics(members(found.get(METRICS))).over(self.metrics)
        self.final = self.final or bool(self.metrics)
        for name, units in usage_forms.traced_guardrail_units(found.get(TRACE)).items():
            self.units[name] = self.units.get(name, 0) + units

    def _read_latest(self) -> None:
        if self._latest is not None:
            self.native = usage_forms.native(parsed(self._latest)).over(self.native)
            self._latest = None

    def _measure(self, event: bytes) -> None:
        self.produced.add(event)
        if b"tool" in event and any(kind in event and place in event for kind, place in _TOOL_CALLS):
            self.produced.tool_calls += 1


def _kind(event: bytes) -> object:
    """Anthropic's word for an event, None of others: what a model is told to write, or a tool, may be called so too."""
    return parsed(event).get("type") if b'"message_' in event else None
