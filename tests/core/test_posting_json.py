"""A posting goes through a line of JSON and comes back as it was; what is no posting says why."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.ledger_entries import Posting
from app.core.posting_json import holds_a_posting, line_of, posting_of
from tests.postings import NOW, posting

LINE = line_of(posting("r-1"))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    # with offsets, not in zones: there Python calls no two moments equal that a change of the clocks skips or repeats
    datetime: st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.timezones()).map(  # noqa: DTZ001  # as hypothesis wants
        lambda moment: moment.replace(tzinfo=timezone(moment.utcoffset() or timedelta()))
    ),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**60), max_value=10**60)
    | st.decimals(places=12, min_value=0, max_value=1000),
    Any: _JSON,
    object: _JSON,
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotated type: whatever a field of a posting may hold."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: any_of(hints[field.name]) for field in fields(kind)})
    return _composed(get_origin(kind), get_args(kind)) if get_origin(kind) else _SCALARS[kind]


def _composed(origin: Any, of: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin in (Union, UnionType):
        return st.one_of([st.none() if one is type(None) else any_of(one) for one in of])
    if origin is Literal:
        return st.sampled_from(of)
    if origin is tuple and of[-1] is Ellipsis:
        return st.lists(any_of(of[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(any_of, of))
    assert issubclass(origin, Mapping)
    return st.dictionaries(st.text(max_size=8), any_of(of[1]), max_size=3)


def changed(**values: Any) -> str:
    """A line with members of the entry set to something else."""
    said = json.loads(LINE)
    said["entry"] |= values
    return json.dumps(said, separators=(",", ":"))


@given(any_of(Posting))
@settings(max_examples=50, deadline=None)
def test_every_field_comes_back_as_it_was(written: Posting) -> None:
    line = line_of(written)

    assert line.isascii()
    assert "\n" not in line
    assert posting_of(line) == written


@pytest.mark.parametrize("amount", ["0", "-0.000", "1E-12", "0.100", "123456789.123456789012", "1E+3"])
def test_an_amount_keeps_every_digit(amount: str) -> None:
    cost = posting_of(line_of(posting("r-1", Decimal(amount)))).entry.charge.cost

    assert str(cost) == amount


def test_a_line_is_found_behind_what_a_log_shipper_put_before_and_after_it() -> None:
    line = f'2026-11-25T12:00:00+00:00 app[web.1]: {LINE} {{"more": 1}}\r\n'

    assert posting_of(line) == posting("r-1")


def test_what_a_later_version_added_is_passed_over() -> None:
    assert posting_of(changed(colour="blue")) == posting("r-1")


def test_what_a_later_version_left_out_has_its_default() -> None:
    said = json.loads(LINE)
    del said["entry"]["note"], said["accounts"]

    assert posting_of(json.dumps(said, separators=(",", ":"))) == replace(posting("r-1"), accounts=())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "no posting"),
        ('{"time":"2026-11-25T12:00:00Z","event":"request"}', "no posting"),
        (LINE[:-1], "cut off"),
        (LINE[:200], "cut off"),
        (LINE.replace('"version":1', '"version":2'), "of version 2"),
        (LINE.replace('"version":1', '"version":10'), "of version 10"),
        (changed(request_id=None), r"entry\.request_id cannot be None"),
        (changed(request_id=7), r"entry\.request_id cannot be 7"),
        (changed(started_at="2026-11-25T12:00:00"), "started_at cannot be"),
        (changed(started_at="yesterday"), "started_at cannot be 'yesterday'"),
        (changed(started_at=1.5), "started_at cannot be"),
        (changed(started_at="0001-01-01T00:00:00+14:00"), "started_at cannot be"),
        (changed(bytes_in=True), "bytes_in cannot be True"),
        (changed(bytes_in="1"), "bytes_in cannot be '1'"),
        (changed(streamed=1), "streamed cannot be 1"),
        (changed(duration_ms="5"), "duration_ms cannot be '5'"),
        (changed(duration_ms=False), "duration_ms cannot be False"),
        (changed(status="maybe"), "status cannot be 'maybe'"),
        (changed(status=[]), r"status cannot be \[\]"),
        (changed(key_tags="a"), "key_tags cannot be 'a'"),
        (changed(key_tags=[1]), "key_tags cannot be 1"),
        (changed(note=[]), r"note cannot be \[\]"),
        (changed(usage=None), "usage cannot be None"),
        (changed(usage={"counts": {"input": 1.5}}), r"usage\.counts\.input cannot be 1\.5"),
        (changed(charge={"cost": 0.1}), r"charge\.cost cannot be 0\.1"),
        (changed(charge={"cost": "NaN"}), "cost cannot be 'NaN'"),
        (changed(charge={"cost": "Infinity"}), "cost cannot be 'Infinity'"),
        (changed(charge={"cost": "1e999999999"}), "cost cannot be"),
        (changed(charge={"cost": "1_0"}), "cost cannot be"),
        (changed(charge={"rates": {"input": "\u0661"}}), r"rates\.input cannot be"),
        ('{"event":"posting","version":1}', "entry is missing"),
        ('{"event":"posting","version":1,"entry":{"request_id":"r"}}', "started_at is missing"),
        ('{"event":"posting","version":1,"entry":' + "[" * 100_000, "cut off, or no JSON"),
        (LINE.replace('"accounts":[', '"accounts":[[],'), r"accounts cannot be \[\]"),
    ],
)
def test_what_is_no_posting_says_why(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as found:
        posting_of(line)

    assert len(str(found.value)) < 200


def test_why_repeats_little_of_a_long_value() -> None:
    with pytest.raises(ValueError, match="status") as found:
        posting_of(changed(status="x" * 10_000))

    assert len(str(found.value)) < 100


@pytest.mark.parametrize(
    "unwritable",
    [
        posting("r-1", Decimal("NaN")),
        posting("r-1", Decimal("Infinity")),
        posting("r-1", started_at=NOW.replace(tzinfo=None)),
        posting("r-1", duration_ms=float("nan")),
        posting("r-1", note={"a": object()}),
        posting("r-1", note={1: "a"}),
        posting("r-1", note={"a": {1}}),
    ],
    ids="nan infinity naive nan-float object number-name set".split(),
)
def test_what_no_line_can_say_is_refused(unwritable: Posting) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        line_of(unwritable)


def test_what_goes_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(ValueError, match="cannot be written"):
        line_of(posting("r-1", note={"a": deep}))


def test_moments_are_written_in_utc() -> None:
    moment = datetime.fromisoformat("2026-11-25T23:30:00.000001-05:00")

    assert '"started_at":"2026-11-26T04:30:00.000001+00:00"' in line_of(posting("r-1", started_at=moment))


def test_other_lines_do_not_claim_to_be_postings() -> None:
    assert holds_a_posting(LINE)
    assert holds_a_posting(LINE[:40])
    assert not holds_a_posting('{"event":"request"}')


@pytest.mark.parametrize("local", ["2000-03-26T02:30:00", "2000-10-29T02:30:00"], ids=["skipped", "repeated"])
@pytest.mark.parametrize("fold", [0, 1])
def test_a_moment_that_a_change_of_the_clocks_skips_or_repeats_stays_the_same_instant(local: str, fold: int) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Paris"), fold=fold)

    assert posting_of(line_of(posting("r-1", started_at=moment))).entry.started_at.timestamp() == moment.timestamp()
