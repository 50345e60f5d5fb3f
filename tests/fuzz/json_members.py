"""The scanner of JSON members: finds what json.loads finds, however the bytes are cut, and raises never."""

import json
from typing import Any

from app.core.json_scanner import JsonScanner
from app.core.json_skim import skim
from tests.fuzz.target import Target, pieces

_WANTED = frozenset(("usage", "model", "stream", "a", "é", 'q"'))
_DECODER = json.JSONDecoder(strict=False)


def _check(data: bytes) -> None:
    """The first byte says how it is cut."""
    body = data[1:]
    whole, cut = _scanned([body]), _scanned(pieces(body, data[0] if data else 0))
    assert _facts(whole) == _facts(cut), body
    skimmed = skim(body, _WANTED)
    said = _oracle(body)
    if not isinstance(said, dict):
        assert not skimmed.sound or whole.done, body
        return
    expected = {name: said[name] for name in _WANTED if name in said}
    assert whole.done, body
    assert skimmed.sound, body
    assert repr(sorted(skimmed.values.items())) == repr(sorted(expected.items())), body
    kept = {name: _DECODER.decode(raw.decode()) for name, raw in whole.kept.items()}
    assert repr(sorted(kept.items())) == repr(sorted(expected.items())), body
    lengths = {name: len(value) for name, value in expected.items() if isinstance(value, list)}
    assert {name: count for name, count in whole.counts.items() if name in lengths} == lengths, body


def _facts(scanner: JsonScanner) -> tuple[bool, bool, dict[str, bytes], dict[str, int]]:
    if scanner.broken:  # what is kept of it depends on where it broke
        return True, False, {}, {}
    return False, scanner.done, scanner.kept, scanner.counts


def _scanned(cut: list[bytes]) -> JsonScanner:
    scanner = JsonScanner(_WANTED)
    for piece in cut:
        scanner.read(piece)
    return scanner


def _oracle(body: bytes) -> Any:
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        return None


def _seeds() -> list[bytes]:
    bodies: tuple[dict[str, object], ...] = (
        {"model": "m", "usage": {"input_tokens": 1, "x": [1, {"y": "]}"}]}, "stream": True},
        {"a": [1, "2", [3], {}], "é": '\\"\\', 'q"': None, "other": [[[]]] * 3},
        {"a": [], "usage": [[]], "": {"model": 1}},
        {},
    )
    texts = [json.dumps(body, ensure_ascii=escaped) for body in bodies for escaped in (False, True)]
    texts += [json.dumps(bodies[0], indent=1), '{"a": 1, "a": [2]}', '{"\\u0061": [1,2], "b": -1.5e-7}', "[{}]"]
    return [bytes([cut]) + text.encode() for text in texts for cut in (0, 9, 77)]


TARGET = Target(
    "json-members",
    _seeds,
    _check,
    words=(
        b'"usage":',
        b'"a":',
        b'"a"',
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"\\",
        b'\\"',
        b"\\u0061",
        b",",
        b":",
        b" ",
        b"1",
    ),
    quick=3000,
)
