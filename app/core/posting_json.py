"""Postings as lines of JSON, exact both ways: for the spool, and for logs from which they can be booked later.

Amounts are texts, so that no digit is lost; moments are ISO 8601 in UTC; every field stands in the line, and the line
is ASCII. Reading is strict about what it knows and passes over what it does not: a later version may add fields, which
an earlier one has no column for either. VERSION changes when a line would be read wrongly, and then it is not read.

Lines that go to a log bear a seal: whatever callers send may come to stand in a log as they sent it, paths in a
router's lines for one, and none of it must be taken for a call. Only who knows the database's own name can make one.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from app.core.ledger_entries import Posting

VERSION = 1
# Each line begins so, and log shippers put their own words before it.
_MARK = '{"event":"posting","version":'
_SEAL = re.compile(r',"seal":"([0-9a-f]{64})"\}')
_SEAL_LENGTH = len(',"seal":""}') + 64
_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_PLAIN = frozenset((str, int, float, bool, type(None)))
_SHOWN = 40
# What an amount looks like, with more digits than any sum could have: Decimal would take "1_0", "sNaN", "1e999999".
_AMOUNT = re.compile(r"[+-]?[0-9]{1,100}(\.[0-9]{1,100})?(E[+-]?[0-9]{1,3})?", re.ASCII)


def line_of(posting: Posting) -> str:
    """The posting in one line, without its end. Raises ValueError for what no line can say, such as NaN."""
    try:
        said = {"event": "posting", "version": VERSION, **_plain(posting)}
        return _ENCODER.encode(said)
    except (RecursionError, TypeError) as error:
        raise ValueError(f"a posting that cannot be written: {error}") from None


def posting_of(line: str) -> Posting:
    """What `line_of` wrote, wherever in the line it begins. Raises ValueError, which says why it is none."""
    start = line.find(_MARK)
    if start < 0:
        raise ValueError("no posting")
    try:
        said, _ = _DECODER.raw_decode(line, start)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"cut off, or no JSON: {error}") from None
    if said["version"] != VERSION:
        raise ValueError(f"of version {said['version']!r:.{_SHOWN}}, and this gateway knows {VERSION}")
    posting: Posting = _read(Posting, said, "posting")
    return posting


def sealed(line: str, database: str | None) -> str:
    """`line_of`'s line as logs get it; as it is where nobody knows the database's name."""
    if database is None or not (line.startswith(_MARK) and line.endswith("}")):
        return line
    return f'{line[:-1]},"seal":"{_seal(line, database)}"}}'


def bears_seal(line: str, database: str | None) -> bool:
    """Whether the posting in a line that `posting_of` reads was sealed for the database of that name."""
    start = line.find(_MARK)
    _, end = _DECODER.raw_decode(line, start)
    text = line[start:end]
    found = _SEAL.fullmatch(text, max(0, len(text) - _SEAL_LENGTH))
    if database is None or found is None:
        return False
    return hmac.compare_digest(found[1], _seal(text[: found.start()] + "}", database))


def holds_a_posting(line: str) -> bool:
    """Whether the line claims to be one: of others nothing is to be said."""
    return _MARK in line


def _seal(line: str, database: str) -> str:
    return hmac.new(database.encode(), line.encode(), hashlib.sha256).hexdigest()


def _plain(value: Any) -> Any:
    """As JSON has it."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if names := _names(kind):
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, datetime | Decimal):
        return _utc(value) if isinstance(value, datetime) else _digits(value)
    if isinstance(value, Mapping):
        return {_name(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """Of a dataclass's fields; none of whatever else."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a name that is no text: {name!r:.{_SHOWN}}")
    return name


def _digits(amount: Decimal) -> Any:
    text = str(amount)
    return _expect(_AMOUNT.fullmatch(text), text, "an amount")


def _utc(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment.astimezone(UTC).isoformat()


def _read(kind: Any, said: Any, where: str) -> Any:
    """`said` as a value of the annotated type. Raises ValueError."""
    if is_dataclass(kind):
        return _read_object(kind, said, where)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        inner = [one for one in get_args(kind) if one is not type(None)]
        return None if said is None else _read(inner[0], said, where)
    if origin is Literal:
        return _expect(said in get_args(kind) and isinstance(said, str), said, where)
    if origin is tuple:
        return _read_tuple(get_args(kind), _expect(isinstance(said, list), said, where), where)
    if origin is not None:  # a Mapping: names are texts
        of = get_args(kind)[1]
        _expect(isinstance(said, dict), said, where)
        return {name: _read(of, one, f"{where}.{name:.{_SHOWN}}") for name, one in said.items()}
    return _read_scalar(kind, said, where)


def _read_object(kind: Any, said: Any, where: str) -> Any:
    _expect(isinstance(said, dict), said, where)
    values = {}
    for name, (of, required) in _members(kind).items():
        if name in said:
            values[name] = _read(of, said[name], f"{where}.{name}")
        elif required:
            raise ValueError(f"{where}.{name} is missing")
    return kind(**values)


def _read_tuple(kinds: tuple[Any, ...], said: list[Any], where: str) -> tuple[Any, ...]:
    if kinds[-1] is not Ellipsis:
        _expect(len(said) == len(kinds), said, where)
        return tuple(_read(kind, one, where) for kind, one in zip(kinds, said, strict=True))
    return tuple(_read(kinds[0], one, where) for one in said)


def _read_scalar(kind: Any, said: Any, where: str) -> Any:
    if kind is datetime:
        return _moment(said, where)
    if kind is Decimal:
        return _amount(said, where)
    if kind is float:
        return _expect(isinstance(said, int | float) and not isinstance(said, bool), said, where)
    if kind in (str, int, bool):
        return _expect(type(said) is kind, said, where)
    return said  # Any, object: whatever JSON says


def _moment(said: Any, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass  # no moment either
    raise _wrong(said, where)


def _amount(said: Any, where: str) -> Decimal:
    if not isinstance(said, str) or not _AMOUNT.fullmatch(said):
        raise _wrong(said, where)
    return Decimal(said)


def _expect(fits: Any, said: Any, where: str) -> Any:
    if not fits:
        raise _wrong(said, where)
    return said


def _wrong(said: Any, where: str) -> ValueError:
    return ValueError(f"{where} cannot be {said!r:.{_SHOWN}}")


@cache
def _members(kind: Any) -> dict[str, tuple[Any, bool]]:
    """A dataclass's fields: their types, and whether they must be there."""
    hints = get_type_hints(kind)
    return {
        field.name: (hints[field.name], field.default is MISSING and field.default_factory is MISSING)
        for field in fields(kind)
    }
