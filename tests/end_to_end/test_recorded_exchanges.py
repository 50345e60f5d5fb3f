"""Real exchanges with Bedrock, replayed through the gateway: byte-identical both ways, however AWS's answer is split.

Recordings are read from OUTCROP_RECORDED_EXCHANGES, a folder of JSON files, or from ../shared/data/recorded beside the
repository. They are other people's, so none is kept here; without them the exchanges written below are replayed.
"""

import base64
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.streams import FRAMES
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import exchange, raw_request
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Answer, Chunk, EndChunks, Recorded, Send, Step, aws_error

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "recorded"
FOLDER = Path(os.environ.get("OUTCROP_RECORDED_EXCHANGES", _BESIDE))
# of one hop, of the recorder, or the server's own
_NOT_COMPARED = frozenset("connection date server transfer-encoding content-length keep-alive".split())
_SPLITS = (1, 7, 1000, 10**9)


@dataclass(frozen=True)
class Recording:
    """One exchange: the path with its query as the client sent it."""

    name: str
    method: str
    target: str
    request_headers: Sequence[tuple[str, str]]
    request_body: bytes
    status: int
    response_headers: Sequence[tuple[str, str]]
    response_body: bytes


def _recordings() -> Iterator[Recording]:
    for file in sorted(FOLDER.glob("*.json")):
        content = json.loads(file.read_text())
        if content.get("service") in ("bedrock-runtime", "bedrock", "bedrock-agent-runtime", "bedrock-mantle"):
            yield _recording(file.stem, content)
    yield _written("written-stream", b"".join(FRAMES), "application/vnd.amazon.eventstream")
    yield _written("written-json", json.dumps({"é": ["\u2028", 1e2]}).encode() * 999, "application/json")
    yield _written("written-binary", bytes(range(256)) * 300, "application/octet-stream")


def _written(name: str, body: bytes, content_type: str) -> Recording:
    target = "/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/invoke"
    return Recording(name, "POST", target, [], b'{ "a":1e2 }', 200, [("Content-Type", content_type)], body)


def _recording(name: str, content: dict[str, Any]) -> Recording:
    prefix = "/bedrock-mantle" if content["service"] == "bedrock-mantle" else ""
    return Recording(
        name,
        content["method"],
        prefix + content["path"],
        _headers(content["request_headers"]),
        base64.b64decode(content["request_body_b64"] or ""),
        content["status"],
        _headers(content["response_headers"]),
        base64.b64decode(content["response_body_b64"] or ""),
    )


def _headers(recorded: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = ((name, values if isinstance(values, list) else [values]) for name, values in recorded.items())
    headers = [(name, str(value)) for name, values in pairs for value in values]
    return [(name, value) for name, value in headers if name.lower() not in _NOT_COMPARED]


@pytest.mark.parametrize("recording", [pytest.param(one, id=one.name) for one in _recordings()])
def test_a_recorded_exchange_is_the_same_through_the_gateway(
    gateway: GatewayProcess, standin: StandinBedrock, recording: Recording
) -> None:
    for size in _SPLITS:
        if len(recording.response_body) / size > 20_000:
            continue
        standin.reset()
        standin.answer = partial(_answer_to, recording, size)
        reply = exchange(gateway.port, _request(recording))

        assert (reply.status, reply.ended) == (recording.status, "clean"), reply.body
        assert reply.body == recording.response_body
        assert _compared(reply.headers) >= _compared(recording.response_headers)
        *_, seen = standin.requests
        assert (seen.method, seen.body) == (recording.method, recording.request_body)


def _answer_to(recording: Recording, size: int, request: Recorded) -> Answer:
    """The recorded one, but for the gateway's own question which model an application inference profile runs."""
    if request.method == recording.method:
        return _answer(recording, size)
    return aws_error(403, "AccessDeniedException", "not to be told here")


def _request(recording: Recording) -> bytes:
    own = ("authorization", "host", "x-amz-date", "x-amz-security-token")
    kept = [(name, value) for name, value in recording.request_headers if name.lower() not in own]
    target = recording.target if recording.target.startswith("/bedrock-mantle") else f"/bedrock{recording.target}"
    return raw_request(recording.method, target, [*kept, ("x-litellm-api-key", MASTER_KEY)], recording.request_body)


def _answer(recording: Recording, size: int) -> Answer:
    """The recorded answer in pieces of `size`: chunks where it was a stream, else writes under a Content-Length."""
    body, headers = recording.response_body, list(recording.response_headers)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    if any(name.lower() == "content-type" and "stream" in value for name, value in headers):
        steps: list[Step] = [*map(Chunk, pieces), EndChunks()]
        return Answer(recording.status, headers=[*headers, ("Transfer-Encoding", "chunked")], steps=steps)
    length = ("Content-Length", str(len(body)))
    return Answer(recording.status, headers=[*headers, length], steps=[*map(Send, pieces)])


def _compared(headers: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(name.lower(), value.strip()) for name, value in headers if name.lower() not in _NOT_COMPARED}
