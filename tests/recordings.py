"""Real exchanges with Bedrock, recorded by others, and the calls that the gateway makes of their requests.

Read from OUTCROP_RECORDED_EXCHANGES, a folder of JSON files, or from ../shared/data/recorded beside the repository;
none is kept here.
"""

import base64
import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.bedrock_calls import BedrockCall, decide_by_body, resolve
from app.core.json_bodies import JsonBody
from app.core.operations import load_table
from app.core.targets import parse
from tests.recorded_usage import Exchange

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "recorded"
FOLDER = Path(os.environ.get("OUTCROP_RECORDED_EXCHANGES", _BESIDE))
_TABLE = load_table()
_SERVICES = frozenset(_TABLE.services)
_REGION = re.compile(r"\.([a-z]+-[a-z]+-[0-9])\.")


@dataclass(frozen=True)
class Recording:
    """An exchange: what the gateway sees of it, and the usage that the recordings' own index states, if it does.

    `path`: with its query, as the client sent it to the host of `region`.
    """

    name: str
    method: str
    path: str
    region: str
    call: BedrockCall
    request_headers: dict[str, str]
    request_body: bytes
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    indexed: dict[str, Any] | None

    @property
    def exchange(self) -> Exchange:
        """What the table of expectations may look at."""
        low = {name.lower(): value for name, value in self.headers}
        asked = self.request_body
        return Exchange(self.call.name or "", self.call.model or "", self.status, low, self.body, asked)


def recordings() -> Iterator[Recording]:
    """All of them, in order."""
    indexed = _index()
    for file in sorted(FOLDER.glob("*.json")):
        content = json.loads(file.read_text())
        if content.get("service") in _SERVICES:
            yield _recording(file.stem, content, indexed.get(file.stem))


def _index() -> dict[str, dict[str, Any]]:
    file = FOLDER / "index.csv"
    if not file.exists():
        return {}
    return {row["id"]: json.loads(row["usage"] or "{}") for row in csv.DictReader(file.read_text().splitlines())}


def _recording(name: str, content: dict[str, Any], indexed: dict[str, Any] | None) -> Recording:
    request_headers = {name.lower(): value for name, value in _headers(content["request_headers"])}
    body = base64.b64decode(content["request_body_b64"] or "")
    # some recorders keep paths decoded, which no client sends
    method, path = content["method"], content["path"].replace(" ", "%20")
    target = parse("/" + content["service"] + path, _SERVICES)
    call = resolve(_TABLE, method, target, {})
    if call.body_decides:
        call = decide_by_body(call, JsonBody(body, {}))
    answer = base64.b64decode(content["response_body_b64"] or "")
    headers = _headers(content["response_headers"])
    region = _REGION.search(content["host"])
    return Recording(
        name=name,
        method=method,
        path=path,
        region=region[1] if region else "us-east-1",
        call=call,
        request_headers=request_headers,
        request_body=body,
        status=content["status"],
        headers=tuple(headers),
        body=answer,
        indexed=indexed,
    )


def _headers(recorded: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = ((name, values if isinstance(values, list) else [values]) for name, values in recorded.items())
    return [(name, str(value)) for name, values in pairs for value in values]
