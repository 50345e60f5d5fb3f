from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.call_ids import call_id

MOMENTS = st.integers(0, 2**48 - 1)


@given(MOMENTS, st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7_that_says_its_time(milliseconds: int, drawn: bytes) -> None:
    text = call_id(milliseconds, lambda count: drawn[:count])

    uuid = UUID(text)
    assert (text, uuid.version, uuid.variant) == (str(uuid), 7, RFC_4122)
    assert uuid.int >> 80 == milliseconds


@given(MOMENTS, MOMENTS)
def test_a_later_id_sorts_after_an_earlier_one(one: int, other: int) -> None:
    ids = [call_id(moment, lambda count: b"\x5a" * count) for moment in sorted({one, other})]

    assert ids == sorted(ids)


@pytest.mark.parametrize("place", range(19))
def test_what_was_drawn_is_in_it(place: int) -> None:
    drawn = bytearray(10)
    drawn[place // 2] = 0xFF

    assert call_id(0, lambda _: bytes(drawn)) != call_id(0, lambda _: bytes(10))
