"""Parts of lists: exact totals, an order without ties, and texts that are looked for as they stand."""

from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, func, or_

from app.core.registry_messages import Page
from app.store.records import record_of

T = TypeVar("T")
# Beyond what any list holds, and within what both databases can count to.
_FARTHEST = 2**62


class _Paged(Protocol):
    @property
    def page(self) -> int: ...
    @property
    def size(self) -> int: ...


def page_of(connection: Connection, statement: Select[Any], kind: type[T], query: _Paged, now: datetime) -> Page[T]:
    """The page of `statement` that `query` asks for; a page past the end is empty, its total is not."""
    counted = statement.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
    total = connection.execute(counted).scalar_one()
    offset = min(max(query.page - 1, 0) * max(query.size, 0), _FARTHEST)
    if offset >= total:
        return Page((), total)
    rows = connection.execute(statement.limit(min(query.size, _FARTHEST)).offset(offset)).mappings()
    return Page(tuple(record_of(kind, row, now) for row in rows), total)


def containing(text: str, *columns: ColumnElement[str]) -> ColumnElement[bool]:
    """In any of them, in either case of A to Z; % and _ stand for themselves."""
    return or_(*(column.icontains(text, autoescape=True) for column in columns))
