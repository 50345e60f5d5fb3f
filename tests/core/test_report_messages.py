"""Days and moments as reports are asked for them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.core.errors import DatesMissing, InvalidField
from app.core.report_messages import (
    NO_FIGURES,
    Figures,
    Span,
    moment_of,
    moments_between,
    span_between,
    span_or_latest,
    span_since,
)

TODAY = date(2026, 3, 1)


def test_a_span_has_both_of_its_ends() -> None:
    span = span_between("2026-02-27", "2026-03-01")

    assert span.days == ("2026-02-27", "2026-02-28", "2026-03-01")
    assert (span.start, span.end) == (datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize(("last", "fits"), [("2026-12-31", True), ("2027-01-01", True), ("2027-01-02", False)])
def test_a_span_is_a_year_and_a_day_at_most(last: str, *, fits: bool) -> None:
    if fits:
        assert len(span_between("2026-01-01", last).days) <= 366
    else:
        with pytest.raises(InvalidField, match="At most 366 days"):
            span_between("2026-01-01", last)


@pytest.mark.parametrize("ends", [(None, None), ("2026-01-01", None), (None, "2026-01-01"), ("", "2026-01-01")])
def test_both_dates_are_needed(ends: tuple[str | None, str | None]) -> None:
    with pytest.raises(DatesMissing, match="Please provide start_date and end_date"):
        span_between(*ends)


def test_without_dates_the_latest_days_are_meant_and_with_one_none() -> None:
    assert span_or_latest(None, None, TODAY, 2) == Span(date(2026, 2, 28), TODAY)
    with pytest.raises(DatesMissing):
        span_or_latest("2026-01-01", None, TODAY)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-25", datetime(2026, 11, 25, tzinfo=UTC)),
        (" 2026-11-25 10:30:00 ", datetime(2026, 11, 25, 10, 30, tzinfo=UTC)),
        ("2026-11-25T10:30:00Z", datetime(2026, 11, 25, 10, 30, tzinfo=UTC)),
        ("2026-11-25T00:30:00+02:00", datetime(2026, 11, 24, 22, 30, tzinfo=UTC)),
    ],
)
def test_moments_are_utc_unless_they_say_otherwise(text: str, moment: datetime) -> None:
    assert moment_of(text, "start_date") == moment


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01", "25.11.2026", "0001-01-01T00:00:00+14:00", "1969-12-31", "9999-12-31"]
)
def test_what_is_no_date_is_refused_by_the_fields_name(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        moment_of(text, "start_date")

    assert refused.value.param == "start_date"


def test_the_end_of_a_time_is_in_it_by_the_day_or_by_the_second() -> None:
    day = datetime(2026, 11, 25, tzinfo=UTC)

    assert moments_between("2026-11-25", "2026-11-25") == (day, day + timedelta(days=1))
    assert moments_between("2026-11-25", "2026-11-25 00:00:00") == (day, day + timedelta(seconds=1))
    with pytest.raises(InvalidField, match="lies before"):
        moments_between("2026-11-25 10:00:00", "2026-11-25 09:00:00")


@pytest.mark.parametrize(
    ("since", "until", "span"),
    [
        ("1d", None, Span(TODAY, TODAY)),
        ("2w", None, Span(date(2026, 2, 16), TODAY)),
        ("1mo", "2026-01-31", Span(date(2026, 1, 2), date(2026, 1, 31))),
        ("2026-02-28", None, Span(date(2026, 2, 28), TODAY)),
    ],
)
def test_days_are_counted_back_from_the_end(since: str, until: str | None, span: Span) -> None:
    assert span_since(since, until, TODAY) == span


@pytest.mark.parametrize("since", ["9999mo", "367d", "0d", "5h", "soon"])
def test_what_is_too_long_or_no_time_is_refused(since: str) -> None:
    with pytest.raises(InvalidField):
        span_since(since, None, TODAY)


def test_figures_are_added_and_taken_apart() -> None:
    one = Figures(calls=1, cost=Decimal("0.1"), input_tokens=5, duration_ms=2.0, buckets=(1,) + (0,) * 7)

    assert NO_FIGURES + one == one
    assert (one + one) - one == one
    assert (one + one).buckets[0] == 2
    assert (one.average_ms, NO_FIGURES.average_ms) == (2.0, None)
