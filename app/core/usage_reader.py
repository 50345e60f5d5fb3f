"""What every usage reader is, and what they share: native counts first, then headers and metrics, then the request."""

from collections.abc import Mapping
from typing import Protocol

from app.core import usage_forms
from app.core.estimates import Produced, Ratios, estimated_input, estimated_output
from app.core.json_skim import Skimmed
from app.core.request_facts import tier_name
from app.core.usage import Counts, RequestFacts, Usage
from app.core.usage_forms import NOTHING, Tokens, Unbelievable
from app.core.value import value

_TIER_HEADER = "x-amzn-bedrock-service-tier"


class UsageReader(Protocol):
    """Fed with an answer by the tap; one for each call.

    `wants`: the top-level members of a JSON answer to skim; `headers`: once, first, with lower-case names; `body`: a
    JSON answer, once; `event`: each event of a stream, by its :event-type, :exception-type or SSE name, and its
    payload; `usage`: at the end, once, `complete` if all of the answer came. None of them raises.
    """

    wants: frozenset[str]

    def headers(self, low: Mapping[str, str]) -> None: ...

    def body(self, skimmed: Skimmed) -> None: ...

    def event(self, name: str, payload: bytes) -> None: ...

    def usage(self, complete: bool) -> Usage: ...  # noqa: FBT001  # the tap's own word


@value
class Asked:
    """What a reader knows of the call: its operation, whether a stream was asked for, the model's family, what the
    request said, what was learned."""

    operation: str
    streams: bool
    family: str
    facts: RequestFacts
    ratios: Ratios


class Reader:
    """A reader of tokens. Subclasses say what members, events and headers mean; a count that they refuse by raising
    Unbelievable makes the whole usage unknown."""

    wants: frozenset[str] = frozenset()
    method = ""
    native = NOTHING
    metrics = NOTHING
    final = False
    failed = False
    # the input came in time and the output never did, in a form that says them apart
    half = False
    tier: str | None = None
    model: str | None = None
    image_size: str | None = None
    problem: str | None = None
    _header_problem: str | None = None
    _from_headers = False

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        # whether an answer that ends early is estimated
        self.estimates = asked.streams
        self.produced = Produced()
        self.units: dict[str, int] = {}  # a guardrail's

    def headers(self, low: Mapping[str, str]) -> None:
        self.tier = tier_name(low.get(_TIER_HEADER))
        try:
            self.metrics = usage_forms.headers(low)
            self._from_headers = bool(self.metrics)
        except Unbelievable as problem:
            self._header_problem = str(problem)

    def body(self, skimmed: Skimmed) -> None:
        try:
            self.read_body(skimmed)
        except Unbelievable as problem:
            self.problem = str(problem)

    def event(self, name: str, payload: bytes) -> None:
        try:
            self.read_event(name, payload)
        except Unbelievable as problem:
            self.problem = str(problem)

    def usage(self, complete: bool) -> Usage:  # noqa: FBT001  # the tap's own word
        try:
            return self._usage(complete=complete)
        except Unbelievable as problem:
            return self._unknown(str(problem))

    def read_body(self, skimmed: Skimmed) -> None:
        """Raises Unbelievable."""

    def read_event(self, name: str, payload: bytes) -> None:
        """Raises Unbelievable."""

    def read_end(self) -> None:
        """What was put off until the end. Raises Unbelievable."""

    def from_request(self) -> dict[str, int]:
        """What the answer shows that AWS bills beside tokens, by what the request said."""
        return {}

    def enough(self, tokens: Tokens, *, complete: bool) -> bool:
        """Whether this is all that the answer would ever say."""
        return tokens.input is not None and tokens.output is not None and (complete or self.final)

    def _usage(self, *, complete: bool) -> Usage:
        self.read_end()
        if self.problem:
            return self._unknown(self.problem)
        tokens = self.native.over(self.metrics)
        if self.enough(tokens, complete=complete):
            return self._reported(tokens)
        units = self.from_request()
        if complete and units and not tokens and not self.failed:
            return self._told(Usage("reported", units | self.units, "request"))
        if self.failed or not self.estimates or (complete and not self.half):
            missing = "counts are missing" if tokens else None
            return self._unknown(self._header_problem or missing)
        return self._estimated(tokens)

    def _reported(self, tokens: Tokens) -> Usage:
        if not self.native and self._header_problem:
            return self._unknown(self._header_problem)
        counts = tokens.counts()
        self._learn(tokens)
        method = self.method if self.native else ("headers" if self._from_headers else "invocation_metrics")
        counts |= self.from_request()
        counts |= self.units
        return self._told(Usage("reported", counts, method))

    def _told(self, usage: Usage) -> Usage:
        """The same, with what the answer said beside counts."""
        if not (self.model or self.tier or self.image_size):
            return usage
        by_model: dict[str, Counts] = {}
        if self.model:
            by_model[self.model] = {kind: count for kind, count in usage.counts.items() if kind not in self.units}
        return Usage(usage.source, usage.counts, usage.method, by_model, self.tier, self.image_size)

    def _estimated(self, tokens: Tokens) -> Usage:
        asked, ratio = self.asked, self.asked.ratios.of(self.asked.operation, self.asked.family)
        words = []
        if tokens.input is None:
            found = estimated_input(ratio, asked.facts)
            tokens = Tokens(input=found.tokens).over(tokens)
            words.append(found.how)
        else:
            words.append("input reported")
            cached = (tokens.cache_read or 0) + (tokens.cache_write or 0)
            tokens = Tokens(input=max(tokens.input, 0 if cached else 1)).over(tokens)
        if tokens.output:
            words.append("output reported so far")
        else:
            found = estimated_output(ratio, asked.family, self.produced, asked.facts.max_output_tokens)
            tokens = Tokens(output=found.tokens).over(tokens)
            words.append(found.how)
        return self._told(Usage("estimated", tokens.counts() | self.units, "estimated: " + ", ".join(words)))

    def _learn(self, tokens: Tokens) -> None:
        asked = self.asked
        if not asked.facts.text_bytes and not self.produced.text_bytes:
            return  # a call that is no stream
        whole = sum(filter(None, (tokens.input, tokens.cache_read, tokens.cache_write)))
        asked.ratios.learn_input(asked.operation, asked.family, asked.facts, whole)
        asked.ratios.learn_output(asked.operation, asked.family, self.produced, tokens.output or 0)

    def _unknown(self, problem: str | None) -> Usage:
        return Usage(tier=self.tier, problem=problem)


class Unreported(Reader):
    """Of an operation that AWS bills and says nothing of: its answer is not looked at, however it ends."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.estimates = False
