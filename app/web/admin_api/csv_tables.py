"""Lists as CSV (RFC 4180), for who sends `Accept: text/csv`: columns are the fields of the rows, in their own order.

A text that a spreadsheet would take for a formula gets an apostrophe in front: names are whatever somebody sent.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

from flask import Response, request

from app.web.admin_api.account_forms import gently
from app.web.admin_api.wire_model import WireModel

_CONTENT_TYPE = "text/csv; charset=utf-8; header=present"
# what spreadsheets begin a formula with, also behind what they strip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ROWS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Table:
    """What of an answer is a list. `row`: its model, which names the columns also where there is no row."""

    row: type[WireModel]
    rows: Callable[[Any], Iterable[WireModel]]


def wants_csv() -> bool:
    """Whether the request asks for CSV rather than JSON."""
    return request.accept_mimetypes.best_match(("application/json", "text/csv")) == "text/csv"


def csv_response(table: Table, answer: Any) -> Response:
    """The list in `answer`."""
    rows = list(table.rows(answer))
    columns = list((type(rows[0]) if rows else table.row).model_fields)
    return Response(_lines(columns, rows), content_type=_CONTENT_TYPE)


def csv_text(columns: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """All of it: a line of column names, then one a row."""
    written = StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue()


def _lines(columns: list[str], rows: list[WireModel]) -> Iterator[str]:
    yield csv_text(columns, ())
    written = StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    for number, row in enumerate(gently(rows), 1):
        values = row.model_dump(mode="json")
        writer.writerow([_cell(values[name]) for name in columns])
        if number % _ROWS_AT_ONCE == 0 or number == len(rows):
            yield written.getvalue()
            written.seek(0)
            written.truncate()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
