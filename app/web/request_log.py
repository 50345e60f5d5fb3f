"""One line a call on standard output: JSON for machines, LOG_FORMAT=text for people.

Never a credential and never what was said: the line is made from CallRecord alone, which has neither.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson

from app.core.messages import CallRecord

_TOLD = tuple(
    field.name
    for field in fields(CallRecord)
    if field.name not in ("arrived", "arrived_at", "sent", "caller", "key_spend")
)
LogFormat = Literal["json", "text"]


class RequestLog:
    """Writes CallRecords."""

    def __init__(self, log_format: LogFormat, stream: TextIO | None = None) -> None:
        self._line = _json_line if log_format == "json" else _text_line
        self._stream = stream

    def write(self, record: CallRecord) -> None:
        """One line, whole, at once."""
        stream = self._stream or sys.stdout
        if stream is None:  # closed before we were started
            return
        try:
            stream.write(self._line(record) + "\n")
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads the log any more: no reason to fail the call


class EventFormatter(logging.Formatter):
    """What else the gateway has to say, in the same shape as its request lines."""

    converter = staticmethod(time.gmtime)

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self._json = log_format == "json"

    def format(self, record: logging.LogRecord) -> str:
        if not self._json:
            return super().format(record)
        line = {
            "time": _utc(datetime.fromtimestamp(record.created, UTC)),
            "event": "log",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_events(log_format: LogFormat) -> None:
    """Send the gateway's own log events to standard output. Idempotent."""
    logger = logging.getLogger("app")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(EventFormatter(log_format))
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json_line(record: CallRecord) -> str:
    told = {name: getattr(record, name) for name in _TOLD}
    told["cost"] = None if record.cost is None else float(record.cost)
    return _ascii_json({"time": _utc(record.arrived_at), "event": "request", **told, "key_alias": record.caller})


def _ascii_json(line: Mapping[str, Any]) -> str:
    """Whatever the log's encoding is, it takes this."""
    try:
        written = orjson.dumps(line).decode()  # a tenth of json's time
    except TypeError:  # half of a surrogate pair
        written = ""
    return written if written and written.isascii() else json.dumps(line, separators=(",", ":"))


def _text_line(record: CallRecord) -> str:
    what = f"{record.operation or '(unknown operation)'} {record.model or ''}".rstrip()
    first = f", first byte {record.first_byte_ms:.0f}" if record.first_byte_ms is not None else ""
    error = f" {record.error}" if record.error else ""
    of = "".join(f", {what} {who}" for what, who in (("team", record.team), ("user", record.user)) if who)
    used = f", {record.input_tokens or 0} tokens in, {record.output_tokens or 0} out" if record.usage_source else ""
    cost = f", ${record.cost:.6f}" if record.cost is not None else ""
    text = (
        f"{_utc(record.arrived_at)} {record.status or '-'} {record.ended}{error}: {record.method} {what} in "
        f"{record.region or '-'} for {record.caller or '-'}{of}, {record.duration_ms or 0:.0f} ms{first}, "
        f"{record.bytes_in} bytes in, {record.bytes_out} out{used}{cost}, {record.call_id}"
    )
    return text if text.isprintable() else ascii(text)
