"""InvokeModel and its stream, for every family: a model behind an opaque ARN may have any of their forms.

In the body or the stream's chunks by the model's own words, else by headers or `amazon-bedrock-invocationMetrics`.
"""

from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Mapping

from app.core import usage_forms
from app.core.json_skim import Skimmed
from app.core.model_events import METRICS, TRACE, ModelEvents
from app.core.usage_forms import NOTHING, Tokens, members, parsed
from app.core.usage_reader import Asked, Reader

# Members that only an answer to what was asked has: an error's body has none of them
_EVIDENCE = frozenset(("results", "embedding", "embeddings", "embeddingsByType", "data", "invocationArn"))
_IMAGES = frozenset(("images", "artifacts"))
_BASE64 = b'"bytes":"'


class InvokeModel(Reader):
    """The answer of InvokeModel."""

    method = "body"
    wants = frozenset(
        ("usage", "prompt_token_count", "generation_token_count", "inputTextTokenCount", "results", METRICS, TRACE)
    )

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.estimates = False
        self.wants = self.wants | _IMAGES | (_EVIDENCE if asked.facts.units else frozenset())
        self._images = 0
        self._answered = False
        self._has_block = False

    def headers(self, low: Mapping[str, str]) -> None:
        super().headers(low)
        self.final = bool(self.metrics)

    def read_body(self, skimmed: Skimmed) -> None:
        values = skimmed.values
        self.native = usage_forms.native(values)
        self.metrics = usage_forms.metrics(members(values.get(METRICS))).over(self.metrics)
        self.units = usage_forms.traced_guardrail_units(values.get(TRACE))
        self._has_block = isinstance(values.get("usage"), dict)
        self._answered = any(name in skimmed.sizes or values.get(name) for name in _EVIDENCE)
        self._images = 0 if self.native else max((skimmed.sizes.get(name, 0) for name in _IMAGES), default=0)
        if self._images:
            self.metrics = NOTHING
            self.image_size = self.asked.facts.image_size

    def from_request(self) -> dict[str, int]:
        if self._images:
            return {"output_image": self._images}
        return dict(self.asked.facts.units) if self._answered else {}

    def enough(self, tokens: Tokens, *, complete: bool) -> bool:
        """What only embeds has no output."""
        if tokens.input is not None and tokens.output is None:
            return not self._has_block and (complete or self.final)
        return super().enough(tokens, complete=complete)


class InvokeModelStream(ModelEvents):
    """Its event stream: each `chunk` is the model's own event in base64."""

    def read_event(self, name: str, payload: bytes) -> None:
        if name == "chunk":
            self.read_model_event(_chunk(payload))
        elif name.endswith(("Exception", "Error")):
            self.failed = True


def _chunk(payload: bytes) -> bytes:
    """The model's own event; none where the payload is not as it should be."""
    start = payload.find(_BASE64)
    if start >= 0:
        start += len(_BASE64)
        end = payload.find(b'"', start)
        try:
            return a2b_base64(payload[start:end] if end >= 0 else b"")
        except NotBase64:
            return b""
    said = parsed(payload).get("bytes")
    try:
        return a2b_base64(said) if isinstance(said, str) else b""
    except ValueError:
        return b""
