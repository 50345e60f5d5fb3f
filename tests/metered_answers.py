"""Answers of Bedrock as bytes, and what the tap finds in them: for tests of usage readers."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.core.bedrock_calls import BedrockCall, decide_by_body, resolve
from app.core.estimates import Ratios
from app.core.json_bodies import JsonBody
from app.core.json_skim import skim
from app.core.operations import load_table
from app.core.request_facts import FACT_MEMBERS, request_facts
from app.core.tap import Tap
from app.core.targets import parse
from app.core.usage import RequestFacts, Usage
from app.core.usage_readers import reader_for
from tests.event_frames import event_frame

TABLE = load_table()
SERVICES = frozenset(TABLE.services)
JSON = (("Content-Type", "application/json"),)
EVENT_STREAM = (("Content-Type", "application/vnd.amazon.eventstream"),)
SSE = (("Content-Type", "text/event-stream; charset=utf-8"),)
CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"

Headers = tuple[tuple[str, str], ...]


class Answered:
    """A call and what comes back: `line` is its path, `request` its body."""

    def __init__(self, line: str, request: object = None, headers: Mapping[str, str] | None = None) -> None:
        self.sent = json.dumps(request if request is not None else {}).encode()
        found = resolve(TABLE, "POST", parse(line, SERVICES), {})
        self.call: BedrockCall = decide_by_body(found, JsonBody(self.sent, {})) if found.body_decides else found
        skimmed = skim(self.sent, FACT_MEMBERS)
        self.facts: RequestFacts = request_facts(self.call, skimmed, headers or {}, self.sent)
        self.ratios = Ratios()

    def with_json(self, body: object, *headers: tuple[str, str], complete: bool = True) -> Usage:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._usage((raw,), (*JSON, *headers), complete=complete)

    def with_events(
        self, events: Sequence[tuple[str, Any]], *, complete: bool = True, headers: Headers = EVENT_STREAM
    ) -> Usage:
        """Each event by its type and content."""
        frames = [event_frame(name, content) for name, content in events]
        return self._usage(frames, headers, complete=complete)

    def with_chunks(self, chunks: Sequence[object], *, complete: bool = True) -> Usage:
        """The model's own events, as InvokeModelWithResponseStream carries them."""
        inner = [chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode() for chunk in chunks]
        events = [("chunk", {"bytes": base64.b64encode(chunk).decode(), "p": "abcdefghij"}) for chunk in inner]
        return self.with_events(events, complete=complete)

    def with_sse(self, events: Sequence[object], *, named: bool = False, complete: bool = True) -> Usage:
        """`named`: each event says its `type` as its name too, as Anthropic's do."""
        blocks = []
        for event in events:
            data = event if isinstance(event, str) else json.dumps(event)
            name = f"event: {event['type']}\n" if named and isinstance(event, dict) else ""
            blocks.append(f"{name}data: {data}\n\n".encode())
        return self._usage(blocks, SSE, complete=complete)

    def _usage(self, pieces: Sequence[bytes], headers: Headers, *, complete: bool) -> Usage:
        tap = Tap(self.call, self.facts, self.ratios, 200, headers, find=reader_for)
        for piece in pieces:
            tap.feed(piece)
        return tap.usage(complete=complete)


def converse(model: str = CLAUDE, request: object = None) -> Answered:
    return Answered(f"/bedrock/model/{model}/converse", request)


def converse_stream(model: str = CLAUDE, request: object = None) -> Answered:
    return Answered(f"/bedrock/model/{model}/converse-stream", request)


def invoke(model: str = CLAUDE, request: object = None, headers: Mapping[str, str] | None = None) -> Answered:
    return Answered(f"/bedrock/model/{model}/invoke", request, headers)


def invoke_stream(model: str = CLAUDE, request: object = None) -> Answered:
    return Answered(f"/bedrock/model/{model}/invoke-with-response-stream", request)
