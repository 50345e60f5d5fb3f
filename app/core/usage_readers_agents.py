"""InvokeAgent, InvokeInlineAgent and InvokeFlow: what their traces say that each call of a model used.

A trace event holds `modelInvocationInput`, which names the model, or `modelInvocationOutput.metadata.usage`, and both
hold a `traceId`; of any step (pre-processing, orchestration, post-processing, routing), of any collaborator, and in a
flow's nodes one level deeper. There are traces only where the request asks for them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.core import usage_forms
from app.core.usage import Usage
from app.core.usage_forms import NOTHING, Tokens, members, parsed
from app.core.usage_reader import Asked, Reader

# An answer names no more models, and has no more calls waiting for their output.
_MOST_MODELS = 256
_MOST_PLACES = 10_000
_SIGNS = (b'"modelInvocation', b'"operationResponse"')


class Agent(Reader):
    """Sums the traces of one answer, by model."""

    method = "agent_traces"

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.estimates = asked.facts.reports_usage
        self._models: dict[str, str] = {}
        self._last = ""
        self._by_model: dict[str, Tokens] = {}

    def read_event(self, name: str, payload: bytes) -> None:
        if name == "chunk":
            self.produced.pieces += 1
            self.produced.text_bytes += len(payload) * 3 // 4
        elif any(sign in payload for sign in _SIGNS):
            places = list(_places(parsed(payload)))
            for place in places:
                self._note_model(members(place.get("modelInvocationInput")))
            for place in places:
                self._add(place)
        elif name.endswith("Exception"):
            self.failed = True

    def _usage(self, *, complete: bool) -> Usage:
        if self.problem:
            return self._unknown(self.problem)
        for tokens in self._by_model.values():
            self.native = self.native.plus(tokens)
        if not complete and not self.failed and self.estimates:
            return self._told_by_model(self._estimated(self.native))
        if not self.native or self.failed:
            return self._unknown(None)
        return self._told_by_model(Usage("reported", self.native.counts(), self.method))

    def _told_by_model(self, usage: Usage) -> Usage:
        """Split by model, where each call of a model is known to be one's."""
        split = {} if "" in self._by_model else {model: one.counts() for model, one in self._by_model.items()}
        return Usage(usage.source, usage.counts, usage.method, split, self.tier)

    def _note_model(self, asked: Mapping[str, Any]) -> None:
        model, trace = asked.get("foundationModel"), asked.get("traceId")
        if isinstance(model, str) and 0 < len(model) <= 2048:
            self._last = model
            if isinstance(trace, str) and len(trace) <= 256 and len(self._models) < _MOST_MODELS:
                self._models[trace] = model

    def _add(self, place: Mapping[str, Any]) -> None:
        output = members(place.get("modelInvocationOutput"))
        tokens = usage_forms.bedrock(members(members(output.get("metadata")).get("usage")))
        model = self._models.get(str(output.get("traceId")), self._last)
        if not tokens:
            tokens = usage_forms.block(members(members(place.get("operationResponse")).get("usage")))
            asked = members(place.get("operationRequest")).get("modelId")
            model = asked if isinstance(asked, str) and 0 < len(asked) <= 2048 else ""
        if tokens and (model in self._by_model or len(self._by_model) < _MOST_MODELS):
            self._by_model[model] = self._by_model.get(model, NOTHING).plus(tokens)


def _places(trace: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every object in a trace, from the outside in."""
    waiting: list[object] = [trace]
    for _ in range(_MOST_PLACES):
        if not waiting:
            return
        place = waiting.pop()
        if isinstance(place, dict):
            yield place
            waiting.extend(inner for inner in place.values() if isinstance(inner, dict | list))
        elif isinstance(place, list):
            waiting.extend(place)
