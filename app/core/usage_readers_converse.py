"""Converse and ConverseStream: usage in the body's `usage`, or in the stream's `metadata`, which comes last of all."""

from collections.abc import Mapping
from typing import Any

from app.core import usage_forms
from app.core.json_skim import Skimmed
from app.core.request_facts import tier_name
from app.core.usage_forms import NOTHING, members, parsed
from app.core.usage_reader import Reader

# An event whose name is none of these has failed the stream.
_FAILURES = ("Exception", "Error")


class Converse(Reader):
    """The answer of Converse, for every model."""

    wants = frozenset(("usage", "trace", "serviceTier"))
    method = "converse"

    def read_body(self, skimmed: Skimmed) -> None:
        self._read(skimmed.values)

    def _read(self, found: Mapping[str, Any]) -> None:
        self.native = usage_forms.bedrock(members(found.get("usage")))
        self.final = self.final or bool(self.native)
        self.tier = tier_name(members(found.get("serviceTier")).get("type")) or self.tier
        trace = members(found.get("trace"))
        self.units = usage_forms.traced_guardrail_units(trace)
        invoked = members(trace.get("promptRouter")).get("invokedModelId")
        self.model = invoked if isinstance(invoked, str) and invoked else None


class ConverseStream(Converse):
    """Its event stream. Only `metadata` is parsed; of the others the text is measured."""

    method = "converse_stream"

    def read_event(self, name: str, payload: bytes) -> None:
        if name == "contentBlockDelta":
            self.produced.add(payload)
        elif name == "contentBlockStart":
            self.produced.tool_calls += b'"toolUse"' in payload
        elif name == "metadata":
            self._read(parsed(payload))
        elif name.endswith(_FAILURES):
            self.failed = True


class HarnessStream(ConverseStream):
    """InvokeHarness: Converse's events, with a `metadata` each time that a model was called."""

    method = "harness_stream"

    def read_event(self, name: str, payload: bytes) -> None:
        before, self.native = self.native, NOTHING
        super().read_event(name, payload)
        self.native = before.plus(self.native)
        self.final = False
