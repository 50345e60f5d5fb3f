"""Streams for the end-to-end tests: what a caller sends, and answers that wait at a gate between two frames."""

import json
from collections.abc import Sequence

from tests.event_frames import event_frame
from tests.gateway_process import MASTER_KEY
from tests.raw_client import raw_request
from tests.standin_messages import EVENT_STREAM, Answer, Chunk, EndChunks, Gate, Step, Wait, chunked_answer

CONVERSE_STREAM = "/bedrock/model/amazon.nova-lite-v1:0/converse-stream"
CONVERSE = "/bedrock/model/amazon.nova-lite-v1:0/converse"
FRAMES = [
    event_frame("messageStart", {"role": "assistant"}),
    event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
    event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": " there"}}),
    event_frame("contentBlockStop", {"contentBlockIndex": 0}),
    event_frame("messageStop", {"stopReason": "end_turn"}),
    event_frame("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}}),
]


def converse_request(target: str = CONVERSE_STREAM, key: str = MASTER_KEY) -> bytes:
    """A caller's request, as it stands on the wire."""
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}).encode()
    headers = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json")]
    return raw_request("POST", target, headers, body)


def gated(gate: Gate, before: Sequence[bytes] = FRAMES[:1], after: Sequence[bytes] = FRAMES[1:]) -> Answer:
    """A stream that says `before`, waits for the gate to open, and ends with `after`."""
    return chunked_answer([*map(Chunk, before), Wait(gate), *map(Chunk, after), EndChunks()], EVENT_STREAM)


def broken(ending: Step, *pieces: bytes) -> Answer:
    """A stream that sends `pieces`, one a chunk, and breaks off."""
    return chunked_answer([*map(Chunk, pieces), ending], EVENT_STREAM)
