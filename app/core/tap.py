"""What reads an answer beside its untouched bytes: what was used, and where the frames of an event stream end.

It never raises and never holds up the bytes: whatever AWS sends reaches the caller. Numbers that cannot be believed
are `unknown`, with a `problem` that says why in one sentence, without a word of what was said.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from app.core import event_stream, server_sent_events
from app.core.bedrock_calls import BedrockCall
from app.core.estimates import Ratios
from app.core.event_stream import FrameReader
from app.core.header_rules import Headers
from app.core.json_skim import JsonSkimmer, Skimmed
from app.core.server_sent_events import EventReader
from app.core.usage import UNKNOWN, RequestFacts, Usage
from app.core.usage_forms import LARGEST_COUNT
from app.core.usage_reader import UsageReader
from app.core.usage_readers import reader_for

# Members by which an error's body is known, whoever's it is
_ERROR_MEMBERS = frozenset(("__type", "error", "message", "Message", "Output"))
# A caller can have a model call a tool with brackets alone, a few of them in each of its 128,000 tokens, and an answer
# that is not read to its end would cost nothing. Other calls have their turn after each piece of it.
_MOST_STEPS = 1_000_000
_FAILURES = ("exception", "error")
_FAILED = "The reader of this answer's usage failed: a fault of the gateway."


FindReader = Callable[[BedrockCall, RequestFacts, Ratios], UsageReader | None]


class Tap:
    """Fed with the pieces of one answer's body. `at_boundary`, `lost`, `frames`: of a binary event stream.

    Of anything else it is `lost`: it has no boundaries. What is not AWS's success (2xx) is not read.
    """

    def __init__(  # noqa: PLR0913  # the last one for tests
        self,
        call: BedrockCall,
        facts: RequestFacts,
        ratios: Ratios,
        status: int,
        headers: Headers,
        *,
        find: FindReader = reader_for,
    ) -> None:
        low = {name.lower(): value for name, value in headers}
        media_type = low.get("content-type", _unsaid_type(call)).partition(";")[0].strip().lower()
        self._facts = facts
        self._problem: str | None = None
        self._failure = ""
        self._reader: UsageReader | None = None
        self._frames = FrameReader() if media_type == event_stream.CONTENT_TYPE else None
        self._events: EventReader | None = None
        self._skimmer: JsonSkimmer | None = None
        self._usage: Usage | None = None
        if not 200 <= status < 300:
            return
        coding = low.get("content-encoding", "").strip().lower() or "identity"
        if coding != "identity":
            self._problem = "The answer came with a Content-Encoding that nobody asked for."
        elif "x-amzn-errortype" in low:
            self._problem = "The answer is an error with the status of a success."
        else:
            try:
                self._begin(find(call, facts, ratios), low, media_type)
            except Exception:  # noqa: BLE001  # the same
                self._fail()

    @property
    def at_boundary(self) -> bool:
        return self._frames is not None and self._frames.at_boundary

    @property
    def lost(self) -> bool:
        return self._frames is None or self._frames.lost

    @property
    def frames(self) -> int:
        return self._frames.frames if self._frames else 0

    def feed(self, piece: bytes) -> None:
        """The next piece of the body. Never raises."""
        messages = self._frames.feed(piece) if self._frames else ()
        if self._reader is None:
            return
        try:
            if messages:
                self._read_messages(self._reader, messages)
            elif self._skimmer:
                self._skimmer.feed(piece)
            elif self._events:
                self._read_events(self._reader, self._events.feed(piece))
        except Exception:  # noqa: BLE001  # AWS's bytes must reach the caller whatever a reader makes of them
            self._fail()

    def usage(self, *, complete: bool) -> Usage:
        """What was used; `complete`: whether the answer came to its end. Never raises; the first asking counts."""
        if self._usage is None:
            self._usage = UNKNOWN
            try:
                self._conclude(complete=complete)
            except Exception:  # noqa: BLE001  # the same
                self._fail()
            if self._problem:
                self._usage = Usage(problem=self._problem)
        return self._usage

    def _fail(self) -> None:
        self._reader, self._problem = None, _FAILED

    def _begin(self, reader: UsageReader | None, low: Mapping[str, str], media_type: str) -> None:
        if reader is None:
            return
        self._reader = reader
        reader.headers(low)
        if media_type == server_sent_events.CONTENT_TYPE:
            self._events = EventReader()
        elif self._frames is None:
            self._skimmer = JsonSkimmer(_wanted(reader.wants), _MOST_STEPS)

    def _read_messages(self, reader: UsageReader, messages: Sequence[event_stream.Message]) -> None:
        for head, payload in messages:
            if head.kind in _FAILURES:
                self._failure = head.kind
            reader.event(head.name, payload)

    def _read_events(self, reader: UsageReader, events: Sequence[server_sent_events.Event]) -> None:
        for name, data in events:
            if name == "error":
                self._failure = self._failure or name
            reader.event(name, data)

    def _conclude(self, *, complete: bool) -> None:
        reader = self._reader
        if reader is None:
            return
        if self._frames and (self._frames.damaged or self._frames.lost):
            self._problem = "The event stream is damaged."
            return
        if self._events:
            for name, data in self._events.end() if complete else ():
                reader.event(name, data)
        cut = self._skimmer is not None and not self._skimmed(reader, self._skimmer.end())
        if self._problem:
            return
        self._usage = found = reader.usage(complete)
        if not _is_believable(found):
            self._problem = "The answer reports a count that is negative, no number or beyond a thousand million."
        elif found.source != "reported" and not found.problem:
            self._problem = self._why_unreported(found, complete=complete, cut=cut)

    def _why_unreported(self, found: Usage, *, complete: bool, cut: bool) -> str | None:
        if self._failure:
            return f"An {self._failure} came inside the stream before its usage."
        if complete and cut:
            return "The answer's body is no whole JSON object."
        if complete and found.source == "unknown" and self._facts.reports_usage:
            return "The answer does not report its usage where AWS should."
        return None

    def _skimmed(self, reader: UsageReader, skimmed: Skimmed) -> bool:
        """Hand a JSON answer to the reader. Returns whether it was whole."""
        if not skimmed.sound:
            return False
        if _is_error(skimmed, reader.wants):
            self._problem = "The answer is an error with the status of a success."
        else:
            reader.body(skimmed)
        return True


@lru_cache(maxsize=64)
def _wanted(wants: frozenset[str]) -> frozenset[str]:
    return wants | _ERROR_MEMBERS


def _unsaid_type(call: BedrockCall) -> str:
    """What an answer is that does not say so: some operations have event streams alone."""
    return event_stream.CONTENT_TYPE if call.operation and call.operation.stream is True else ""


def _is_error(skimmed: Skimmed, wants: frozenset[str]) -> bool:
    """An error's members, and none that a reader wants. `Output` is how AWS says that it knows no such operation."""
    values = skimmed.values
    if _ERROR_MEMBERS.isdisjoint(values) or skimmed.sizes or any(values.get(name) for name in wants - _ERROR_MEMBERS):
        return False
    return bool(values.get("error") or values.get("Output")) or any(
        isinstance(values.get(name), str) for name in ("__type", "message", "Message")
    )


def _is_believable(usage: Usage) -> bool:
    return all(
        type(number) is int and 0 <= number <= LARGEST_COUNT
        for counts in (usage.counts, *usage.by_model.values())
        for number in counts.values()
    )
