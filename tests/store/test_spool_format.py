"""Whatever happens to a spool file's bytes, its other records are read."""

from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.store.spool_format import (
    LONGEST_RECORD,
    Header,
    UnknownFormat,
    Unreadable,
    frame,
    header_record,
    read_header,
    records_in,
)

RECORDS = [b'{"n":%d,"text":"%b"}' % (n, b"x" * n) for n in range(8)]
FRAMED = b"".join(map(frame, RECORDS))
HEADER = Header("name", "address", datetime(2026, 11, 25, tzinfo=UTC))


def read(content: bytes) -> list[bytes | Unreadable]:
    return list(records_in(BytesIO(content)))


def readable(content: bytes) -> list[bytes]:
    return [record for record in read(content) if isinstance(record, bytes)]


def test_what_was_written_is_read_in_order() -> None:
    assert read(FRAMED) == RECORDS
    assert read(b"") == []


def test_a_file_cut_at_any_byte_gives_all_that_stand_before_the_cut() -> None:
    ends = [sum(len(frame(record)) for record in RECORDS[: n + 1]) for n in range(len(RECORDS))]
    for cut in range(len(FRAMED)):
        found = read(FRAMED[:cut])
        # the last byte of a record is its line end, which none needs
        whole = [record for record, end in zip(RECORDS, ends, strict=True) if end - 1 <= cut]

        rest = cut - sum(len(frame(record)) for record in whole)
        assert found == [*whole, Unreadable(rest, torn=True)] if rest > 0 else found == whole


def test_any_flipped_bit_loses_one_record_at_most() -> None:
    for position in range(len(FRAMED)):
        for bit in range(8):
            damaged = bytearray(FRAMED)
            damaged[position] ^= 1 << bit
            found = readable(bytes(damaged))

            assert len(found) >= len(RECORDS) - 1
            assert [record for record in RECORDS if record in found] == found


@given(st.binary(max_size=200), st.integers(0, len(FRAMED)))
@settings(max_examples=300, deadline=None)
def test_rubbish_in_the_middle_costs_the_record_it_stands_in(rubbish: bytes, at: int) -> None:
    found = readable(FRAMED[:at] + rubbish + FRAMED[at:])

    assert len([record for record in RECORDS if record in found]) >= len(RECORDS) - 1


@given(st.integers(0, len(FRAMED)), st.integers(0, len(FRAMED)))
@settings(max_examples=300, deadline=None)
def test_a_hole_costs_the_records_that_it_touches(one: int, other: int) -> None:
    first, last = sorted((one, other))
    content = FRAMED[:first] + b"\0" * (last - first) + FRAMED[last:]
    ends = [sum(len(frame(record)) for record in RECORDS[: n + 1]) for n in range(len(RECORDS))]
    starts = [0, *ends[:-1]]
    untouched = [
        record
        for record, start, end in zip(RECORDS, starts, ends, strict=True)
        if (end <= first or start >= last) and not first < start == last  # with no line end before it, it is not found
    ]

    assert [record for record in untouched if record in readable(content)] == untouched


def test_only_the_end_of_a_file_is_torn() -> None:
    middle = read(FRAMED[:10] + b"\n" + FRAMED)
    end = read(FRAMED + b"\0" * 100)

    assert middle == [Unreadable(11, torn=False), *RECORDS]
    assert end == [*RECORDS, Unreadable(100, torn=True)]


def test_a_line_that_is_too_long_is_passed_over_without_being_held() -> None:
    long = b"x" * (3 * LONGEST_RECORD) + b"\n"

    assert read(FRAMED + long + FRAMED) == [*RECORDS, Unreadable(len(long), torn=False), *RECORDS]
    assert read(frame(b"x" * LONGEST_RECORD)) == [b"x" * LONGEST_RECORD]
    assert read(frame(b"x" * (LONGEST_RECORD + 1)))[0] == Unreadable(LONGEST_RECORD + 20, torn=False)


@pytest.mark.parametrize("header", [HEADER, Header(None, "address", HEADER.begun)])
def test_a_header_comes_back(header: Header) -> None:
    assert read_header(header_record(header)) == header


@pytest.mark.parametrize(
    "record",
    [
        None,
        Unreadable(5, torn=True),
        b"",
        b"[]",
        b'{"event":"posting"}',
        b'{"spool":"1"}',
        b'{"spool":1,"identity":1,"address":"a","begun":"2026-11-25T00:00:00+00:00"}',
        b'{"spool":1,"identity":null,"address":"a","begun":"tomorrow"}',
    ],
)
def test_what_is_no_header_is_said(record: bytes | Unreadable | None) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_header(record)


def test_a_later_format_is_told_apart_from_damage() -> None:
    with pytest.raises(UnknownFormat, match="format 2"):
        read_header(b'{"spool":2,"anything":"else"}')
