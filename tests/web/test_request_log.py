"""One line a call: whole, in either format, without credentials, and on one line whatever is in it."""

import io
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.core.messages import CallRecord
from app.web.request_log import EventFormatter, LogFormat, RequestLog
from tests.fakes import a_record

FORMATS: list[LogFormat] = ["json", "text"]
HOSTILE = [
    "a\nb",
    "a\r\nb",
    "a\x00b",
    "a\x1b[2Jb",
    "a\u2028b",
    "a\x85b",
    "\u202egnp",
    'a"b\\',
    "é",
    "\udcff",
    "a" * 5000,
]


class ClosedStream(io.StringIO):
    """A standard output whose reader went away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows local time, nine hours from UTC."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ended(**changes: Any) -> CallRecord:
    """A call that went well, but for the changes."""
    record = a_record()
    record.arrived_at = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
    well = {
        "caller": "master",
        "service": "bedrock-runtime",
        "operation": "Converse",
        "model": "amazon.nova-lite-v1:0",
        "region": "us-east-1",
        "status": 200,
        "bytes_in": 10,
        "bytes_out": 20,
        "first_byte_ms": 400.4,
        "duration_ms": 812.6,
        "ended": "complete",
    }
    for name, value in {**well, **changes}.items():
        setattr(record, name, value)
    return record


def written(log_format: LogFormat, record: CallRecord) -> str:
    """What stands in the log of that call."""
    stream = io.StringIO()
    RequestLog(log_format, stream).write(record)
    return stream.getvalue()


def event(message: str, log_format: LogFormat, *arguments: object, error: Exception | None = None) -> str:
    """What the gateway's own event becomes."""
    info = (type(error), error, None) if error else None
    record = logging.LogRecord("app.x", logging.WARNING, "x.py", 1, message, arguments, info)
    record.created = 1795350615.5
    return EventFormatter(log_format).format(record)


def test_a_json_line_has_every_field_of_the_record() -> None:
    """The monotonic clock excepted, which means nothing outside; the caller under the peer's name."""
    line = json.loads(written("json", ended()))
    expected = {field.name for field in fields(CallRecord)} - {"arrived", "arrived_at", "caller", "sent", "key_spend"}

    assert set(line) == expected | {"time", "event", "key_alias"}
    assert (line["event"], line["key_alias"], line["status"], line["ended"]) == ("request", "master", 200, "complete")


def test_time_is_utc_to_the_millisecond() -> None:
    """When the call arrived."""
    assert json.loads(written("json", ended()))["time"] == "2026-11-22T12:30:15.123Z"


def test_a_text_line_reads_as_a_sentence() -> None:
    """For people."""
    assert written("text", ended()) == (
        "2026-11-22T12:30:15.123Z 200 complete: POST Converse amazon.nova-lite-v1:0 in us-east-1 for master, "
        "813 ms, first byte 400, 10 bytes in, 20 out, call-1\n"
    )


def test_a_text_line_says_whose_key_it_was() -> None:
    """Team and user, where the key has them."""
    both = ended(caller="ci", team="search", user="ada")

    assert "in us-east-1 for ci, team search, user ada, 813 ms" in written("text", both)
    assert "in us-east-1 for ci, user ada, 813 ms" in written("text", ended(caller="ci", user="ada"))


def test_a_json_line_says_whose_key_it_was() -> None:
    """Key alias, team, user; null where the key has none."""
    line = json.loads(written("json", ended(caller="ci", team="search")))

    assert (line["key_alias"], line["team"], line["user"]) == ("ci", "search", None)


def test_a_line_says_what_the_call_used_and_cost() -> None:
    """Dollars; null, and nothing in a text, where there is no price."""
    priced = ended(usage_source="reported", input_tokens=12, output_tokens=34, cost=Decimal("0.000204"))

    assert "20 out, 12 tokens in, 34 out, $0.000204, call-1" in written("text", priced)
    assert json.loads(written("json", priced))["cost"] == 0.000204
    assert json.loads(written("json", ended()))["cost"] is None


def test_a_text_line_of_a_refusal_reads_as_one() -> None:
    """Where most is not known."""
    record = a_record()
    record.status, record.ended, record.error = 401, "refused", "UnrecognizedClientException"

    assert written("text", record) == (
        "2026-11-22T00:00:00.000Z 401 refused UnrecognizedClientException: POST (unknown operation) in - for -, "
        "0 ms, 0 bytes in, 0 out, call-1\n"
    )


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("field", ["team", "user", "model", "caller", "method", "operation"])
def test_nothing_in_a_record_breaks_its_line(log_format: LogFormat, hostile: str, field: str) -> None:
    """No second line, no terminal's orders, no text that runs backwards."""
    line = written(log_format, ended(**{field: hostile}))

    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_json_line_says_exactly_what_the_record_says(hostile: str) -> None:
    """Escaped, not changed."""
    assert json.loads(written("json", ended(model=hostile)))["model"] == hostile


def test_a_record_has_no_place_for_a_credential() -> None:
    """Nor for what was said: a new field must be thought about here."""
    assert {field.name for field in fields(CallRecord)} == set(
        "call_id arrived_at arrived method caller team user service operation model region status error aws_request_id "
        "streamed sent bytes_in bytes_out overhead_ms first_byte_ms duration_ms ended "
        "usage_source input_tokens output_tokens cache_read_tokens cache_write_tokens cost key_spend".split()
    )


@pytest.mark.parametrize("log_format", FORMATS)
def test_each_call_is_one_line(log_format: LogFormat) -> None:
    """In the order of their ends."""
    stream = io.StringIO()
    log = RequestLog(log_format, stream)
    log.write(ended(call_id="call-1"))
    log.write(ended(call_id="call-2"))
    first, second = stream.getvalue().splitlines()

    assert "call-1" in first
    assert "call-2" in second


def test_standard_output_is_where_lines_go(capsys: pytest.CaptureFixture[str]) -> None:
    """As a PaaS wants it."""
    RequestLog("json").write(ended())

    assert json.loads(capsys.readouterr().out)["call_id"] == "call-1"


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_log_that_cannot_be_written_ends_no_call(log_format: LogFormat) -> None:
    """Ports: write never raises. The call was booked, and its caller waits for its end."""
    RequestLog(log_format, ClosedStream()).write(ended())


def test_an_event_is_a_json_line_too() -> None:
    """With its level and where it came from."""
    assert json.loads(event("%s is %d", "json", "it", 1)) == {
        "time": "2026-11-22T12:30:15.500Z",
        "event": "log",
        "level": "warning",
        "logger": "app.x",
        "message": "it is 1",
    }


def test_an_events_traceback_stays_in_its_json_line() -> None:
    """Escaped, as one field."""
    line = event("broke", "json", error=ValueError("inside"))

    assert "\n" not in line
    assert "ValueError: inside" in json.loads(line)["traceback"]


def test_an_events_message_cannot_begin_a_second_json_line() -> None:
    """Whatever an exception's text holds."""
    assert "\n" not in event("%s", "json", 'x\n{"event": "request"}')


def test_a_text_event_begins_with_time_and_level() -> None:
    """For people."""
    assert event("it is so", "text").endswith("WARNING it is so")


@pytest.mark.usefixtures("far_east")
def test_a_text_event_is_in_utc_like_the_request_lines() -> None:
    """Two clocks in one log would be read as two moments."""
    assert event("it is so", "text").startswith("2026-11-22T12:30:15")


def test_an_event_formatter_needs_no_arguments() -> None:
    """A message with a percent sign and no arguments is no format."""
    assert json.loads(event("100 % sure", "json"))["message"] == "100 % sure"


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_standard_output_that_was_never_open_ends_no_call(
    log_format: LogFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `exec >&-`: python has None in its place."""
    monkeypatch.setattr("sys.stdout", None)

    RequestLog(log_format).write(ended())
