"""What is found of a body's members: whatever it holds, however large it is and however it is cut."""

import json
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.json_scanner import LONGEST_KEPT, JsonScanner
from app.core.json_skim import JsonSkimmer, Skimmed, skim

WANTED = frozenset(["usage", "texts", "model", "größe"])
NAMES = st.sampled_from(sorted(WANTED)) | st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=400)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8)


def expected(content: dict[str, Any]) -> Skimmed:
    """What must be found in a body that says this."""
    values = {name: value for name, value in content.items() if name in WANTED}
    return Skimmed(values, {name: len(value) for name, value in values.items() if isinstance(value, list)}, sound=True)


def scanned(raw: bytes, window: int) -> tuple[dict[str, Any], dict[str, int], bool]:
    """What the scanner keeps of a body that it is shown so many bytes at a time."""
    scanner = JsonScanner(WANTED)
    for start in range(0, len(raw), window):
        scanner.read(raw[start : start + window])
    return {name: json.loads(value) for name, value in scanner.kept.items()}, scanner.counts, scanner.done


def spelt(content: dict[str, Any], *, escaped: bool, indent: int | None) -> bytes:
    return json.dumps(content, ensure_ascii=escaped, indent=indent).encode(errors="surrogatepass")


@given(OBJECTS, st.booleans(), st.sampled_from([None, 0, 2]), st.integers(1, 40))
def test_the_scanner_finds_what_a_parser_finds(content: dict[str, Any], escaped: bool, indent: int, size: int) -> None:
    """At every width of its windows, down to single bytes."""
    found = expected(content)
    assert scanned(spelt(content, escaped=True, indent=indent), size) == (found.values, found.sizes, True)
    raw = spelt(content, escaped=escaped, indent=indent)
    scanner = JsonScanner(WANTED)
    for start in range(0, len(raw), size):
        scanner.read(raw[start : start + size])
    assert (scanner.counts, scanner.done) == (found.sizes, True)


@given(OBJECTS, st.lists(st.integers(1, 50), max_size=8), st.integers(0, 3))
def test_the_same_is_found_however_a_body_is_cut(content: dict[str, Any], cuts: list[int], filler: int) -> None:
    """Also where it is longer than what is parsed whole."""
    content = {**content, "filler": "x\n" * (filler * 20_000)}
    raw = spelt(content, escaped=True, indent=None)
    skimmer = JsonSkimmer(WANTED)
    start = 0
    for cut in cuts:
        skimmer.feed(raw[start : start + cut])
        start += cut
    skimmer.feed(bytearray(raw[start:]))

    assert skimmer.end() == skim(raw, WANTED) == expected(content)


@given(st.binary(max_size=300), st.integers(1, 9), st.lists(st.integers(0, 400), max_size=3))
def test_nothing_is_raised_whatever_comes(junk: bytes, window: int, places: list[int]) -> None:
    """Junk alone, and in the midst of an object."""
    raw = b'{"usage": {"a": [1, {"b": "c\\n"}]}, "texts": ["a,b", [1], "]"], "model": 1.5e3}'
    for place in places:
        raw = raw[:place] + junk[: place % 7] + raw[place:]
    for body in (junk, raw, raw[: len(raw) // 2]):
        skim(body, WANTED)
        scanner = JsonScanner(WANTED)
        for start in range(0, len(body), window):
            scanner.read(body[start : start + window])


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", Skimmed()),
        (b"[]", Skimmed()),
        (b"null", Skimmed()),
        (b"{}", Skimmed(sound=True)),
        (b' {\t"model" : "m" } \r\n', Skimmed({"model": "m"}, sound=True)),
        (b'{"model": "m",', Skimmed({"model": "m"})),
        (b'{"model": "m"}}', Skimmed({"model": "m"})),
        (b'{"model": "m",}', Skimmed({"model": "m"})),
        (b'{"model": "m" "usage": 1}', Skimmed({"model": "m"})),
        (b'{"model": }', Skimmed()),
        (b'{"model"}', Skimmed()),
        (b'{"usage": 1, "usage": [2], "model": 3}', Skimmed({"usage": [2], "model": 3}, {"usage": 1}, sound=True)),
        (b'{"usage": [2], "usage": 1}', Skimmed({"usage": 1}, sound=True)),
        (b'{"us\\u0061ge": 1}', Skimmed({"usage": 1}, sound=True)),
        (b'{"\\ud800": 1, "usage": 1}', Skimmed({"usage": 1}, sound=True)),
        (b'{"usage": ' + b"1" * 5000 + b', "model": 1}', Skimmed({"model": 1})),
        (b'{"other": ' + b"1" * 5000 + b', "model": 1}', Skimmed({"model": 1}, sound=True)),
        (b'{"usage": ' + b"[" * 5000 + b"]" * 5000 + b', "model": 1}', Skimmed({"model": 1})),
        (b'{"other": ' + b"[" * 5000 + b"]" * 5000 + b', "model": 1}', Skimmed({"model": 1}, sound=True)),
        (b'{"usage": "\xff", "model": 1}', Skimmed({"model": 1})),
        (b'{"other": "\xff", "model": 1}', Skimmed({"model": 1}, sound=True)),
        (b'{"usage": "a\nb"}', Skimmed({"usage": "a\nb"}, sound=True)),
        (b'{"texts": [ ]}', Skimmed({"texts": []}, {"texts": 0}, sound=True)),
        ("\ufeff{}".encode(), Skimmed()),
        ('{"usage": 1}'.encode("utf-16"), Skimmed()),
    ],
)
def test_hostile_and_broken_bodies_are_read_as_far_as_they_can_be(raw: bytes, found: Skimmed) -> None:
    """Skimmed whole and byte by byte."""
    skimmer = JsonSkimmer(WANTED)
    for byte in raw:
        skimmer.feed(bytes([byte]))

    assert skim(raw, WANTED) == skimmer.end() == found


@pytest.mark.parametrize(("excess", "kept"), [(-1, True), (0, True), (1, False)])
def test_a_member_is_kept_up_to_its_bound(excess: int, kept: bool) -> None:
    """Below, at and above 64 KiB; what is too long still counts its elements."""
    text = "x" * (LONGEST_KEPT - 4 + excess)  # with its quotes and brackets
    raw = json.dumps({"texts": [text], "usage": 1}).encode()

    assert ("texts" in skim(raw, WANTED).values) is kept
    assert skim(raw, WANTED).sizes == {"texts": 1}
    assert skim(raw, WANTED).sound


def test_a_long_value_replaces_a_short_one_of_the_same_name() -> None:
    """The last counts, also where it cannot be kept."""
    raw = b'{"usage": 1, "usage": "' + b"x" * LONGEST_KEPT + b'"}'

    assert skim(raw, WANTED) == Skimmed(sound=True)


@pytest.mark.parametrize("commas", [0, 1, 30_000])
def test_elements_of_long_arrays_are_counted_past_what_they_hold(commas: int) -> None:
    """Commas and brackets in strings and in elements are none of the array's."""
    element: list[Any] = ['a,]\\"[{' * 50, {"b": [1, 2, {}]}, [], -1.5e-7, None]
    content = {"texts": element * (1 + commas // 10), "usage": {"a": 1}}
    raw = spelt({"filler": "x" * LONGEST_KEPT, **content}, escaped=True, indent=None)

    assert skim(raw, WANTED).sizes == {"texts": len(content["texts"])}
    assert skim(raw, WANTED).values["usage"] == {"a": 1}


def hostile(size: int) -> Iterator[bytes]:
    """Bodies made to be slow or to be held."""
    for unit in (b"[", b"\\", b'\\"', b'"",', b"[[[[]]]],", b"1", b"x", b'{"a":', b"[],", b"x\\n"):
        yield b'{"texts": [' + unit * (size // len(unit))
        yield b'{"texts": "' + unit * (size // len(unit))
        yield b'{"other": ' + unit * (size // len(unit))
    for unit in (b'"usage": 1,', b'"\\u0075sage": [1],', b" ", b'"a"', b'"' + b"k" * 90_000):
        yield b"{" + unit * (size // len(unit))


def test_hostile_bodies_cost_little_time() -> None:
    """Of a size at which anything quadratic would take minutes."""
    for raw in hostile(300_000):
        began = time.process_time()
        skim(raw, WANTED)
        assert time.process_time() - began < 2, raw[:40]


def test_large_bodies_are_not_held() -> None:
    """Of 8 MB of numbers, text or names, no more than a few windows at any moment."""
    numbers = b'{"texts": [' + b"0.123456789," * 700_000 + b'1], "usage": 1}'
    text = b'{"other": {"bytes": "' + b"QUJD" * 2_000_000 + b'"}, "usage": 1}'
    names = b"{" + b'"a": 1,' * 1_200_000 + b'"usage": 1}'
    for raw in (numbers, text, names):
        tracemalloc.start()
        skim(raw, WANTED)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * LONGEST_KEPT, raw[:40]


def test_a_body_with_more_members_than_anybody_sends_is_not_sound() -> None:
    """It is left alone after so many steps."""
    assert not skim(b"{" + b'"a": 1,' * 1_200_000 + b'"usage": 1}', WANTED).sound


@pytest.mark.parametrize(("size", "times"), [(100, 0), (LONGEST_KEPT, 0), (LONGEST_KEPT + 1, 1), (2**20, 15)])
def test_others_have_their_turn_while_a_large_body_is_skimmed(size: int, times: int) -> None:
    """After each window."""
    breaths: list[int] = []
    raw = b'{"usage": 7, "a": "' + b"x" * (size - 21) + b'"}'
    found = skim(raw, WANTED, lambda: breaths.append(1))

    assert (len(raw), len(breaths), found.values) == (size, times, {"usage": 7})
