"""Postings for tests: plain ones by number, and any at all for hypothesis."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from app.core.ledger_entries import Account, Charge, Entry, Posting, Window
from app.core.usage import Usage

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
MONTH = Window("1mo", datetime(2026, 12, 1, tzinfo=UTC))
CENT = Decimal("0.01")

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
    datetime: st.datetimes(timezones=st.sampled_from([UTC]) | st.timezones()).filter(
        lambda moment: 1 < moment.year < 9999
    ),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**60), max_value=10**60)
    | st.decimals(places=12, min_value=0, max_value=1000),
    Any: _JSON,
    object: _JSON,
}


def posting(request_id: str, cost: Decimal | None = CENT, **entry: Any) -> Posting:
    """A call of the key "key-1" in team "team-1"."""
    values: dict[str, Any] = {
        "started_at": NOW - timedelta(seconds=1),
        "ended_at": NOW,
        "key_id": "key-1",
        "team_id": "team-1",
        "model": "amazon.nova-lite-v1:0",
        "usage": Usage("reported", {"input": 10, "output": 20}, "converse"),
        "charge": Charge(cost, "amazon.nova-lite-v1:0", "in-region"),
    } | entry
    accounts = ((Account("key", "key-1"), MONTH), (Account("team", "team-1"), Window()))
    return Posting(Entry(request_id, **values), accounts)


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
