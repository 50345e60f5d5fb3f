"""Price files are read strictly: what is misspelt, negative or no number stops the start, with its line and field."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from app.core.json_lines import Path, line_of, repeated
from app.core.model_names import GEO_PREFIXES, LONGEST_MODEL
from app.core.price_entries import (
    ALWAYS,
    EXACT,
    GLOBAL,
    MANTLE,
    REGIONAL,
    TIERS,
    Block,
    DatedPrice,
    DatedUnits,
    PriceFile,
    Rates,
)
from app.core.usage import TOKEN_KINDS, UNIT_KINDS

T = TypeVar("T")
# Nobody pays a dollar for a token: who writes more has mistaken the unit.
_HIGHEST = Decimal(1_000_000)
# with a count of a billion tokens still far within what EXACT holds
_MOST_DIGITS = 20
# an ARN, whole
_LONGEST_TOLD = 300
_MILLIONTH = Decimal("0.000001")
_OVERRIDE = re.compile(
    rf"(?:{'|'.join(GEO_PREFIXES)}|[a-z]{{2,4}})\.|(?:mantle:)?[a-z]{{2,5}}(?:-[a-z]+)+-[0-9]{{1,2}}"
)
_SIZE = re.compile(r"(?:[0-9]{1,6}|max)-x-(?:[0-9]{1,6}|max)/(?:(?:[0-9]{1,4}|max)-steps|[a-z]{1,20})")
_FILE = ("about", "source", "sources", "from", "factor", "aliases", "guardrails", "provisioned", "models")
_ENTRY = (
    *("from", "factor", "mode", "source", "deprecated", "note"),
    *(REGIONAL, GLOBAL, MANTLE, "overrides", "image_sizes"),
)


class PriceFileError(ValueError):
    """One line: where in the file, which field, what is expected."""


class _Wrong(Exception):  # never leaves this file
    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(expected)
        self.path = path
        self.expected = expected


class _Twice(Exception):  # never leaves this file
    """A name stands twice in one object."""


def read_price_file(text: str) -> PriceFile:
    """What a price file says. Raises PriceFileError."""
    try:
        content = json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=float, object_pairs_hook=_once
        )
    except json.JSONDecodeError as error:
        raise PriceFileError(f"line {error.lineno}: no JSON: {error.msg}") from None
    except _Twice:
        path, line = repeated(text)
        raise PriceFileError(f"line {line}: {_field(path)}: stands twice in one object") from None
    except (RecursionError, InvalidOperation, ValueError) as error:
        raise PriceFileError(f"line 1: no JSON that a price file can be: {error}") from None
    try:
        return _file(content)
    except _Wrong as error:
        line = line_of(text, error.path)
        raise PriceFileError(f"line {line}: {_field(error.path)}: expected {error.expected}") from None


def _field(path: Path) -> str:
    names = ".".join(str(name)[:_LONGEST_TOLD] for name in path) or "the file"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in names)


def _file(content: Any) -> PriceFile:
    members = _members(content, (), _FILE)
    since = _optional(members, "from", (), _date) or ALWAYS
    models = {
        name: _entries(value, ("models", name), since)
        for name, value in _object(members.get("models", {}), ("models",)).items()
    }
    for name in models:
        _model_name(name, ("models", name))
    aliases = {
        _model_name(name, ("aliases", name)): _model_name(value, ("aliases", name))
        for name, value in _object(members.get("aliases", {}), ("aliases",)).items()
    }
    factor = _optional(members, "factor", (), _factor)
    return PriceFile(models, aliases, _guardrails(members, since), Decimal(1) if factor is None else factor)


def _guardrails(members: Mapping[str, Any], since: date) -> tuple[DatedUnits, ...]:
    if "guardrails" not in members:
        return ()
    content = members["guardrails"]
    path: Path = ("guardrails",)
    rows = (
        [(content, path)]
        if isinstance(content, dict)
        else [(row, (*path, n)) for n, row in enumerate(_list(content, path))]
    )
    found = []
    for row, where in rows:
        units = dict(_object(row, where))
        begins = _date(units.pop("from"), (*where, "from")) if "from" in units else since
        for name in units:
            if not re.fullmatch(r"[A-Za-z]{1,80}Units", name):
                raise _Wrong((*where, name), "AWS's name for a guardrail's unit, such as contentPolicyUnits")
        found.append(DatedUnits(begins, _prices(units, where, tuple(units), Decimal(1))))
    return tuple(sorted(found, key=lambda row: row.since))


def _entries(content: Any, path: Path, since: date) -> tuple[DatedPrice, ...]:
    """A model's entries: one, or a list of them, each from another day on."""
    if isinstance(content, dict):
        return (_entry(content, path, since),)
    found = [_entry(row, (*path, number), since) for number, row in enumerate(_list(content, path))]
    if not found:
        raise _Wrong(path, "an entry, or a list of at least one")
    if len({entry.since for entry in found}) < len(found):
        raise _Wrong(path, "entries with different `from` dates")
    return tuple(sorted(found, key=lambda entry: entry.since))


def _entry(content: Any, path: Path, since: date) -> DatedPrice:
    members = _members(content, path, _ENTRY)
    blocks = {name: _block(members[name], (*path, name)) for name in (REGIONAL, GLOBAL, MANTLE) if name in members}
    where: Path = (*path, "overrides")
    for name, value in _object(members.get("overrides", {}), where).items():
        if not _OVERRIDE.fullmatch(name):
            raise _Wrong((*where, name), "a region, a profile's prefix such as eu. or mantle:region")
        blocks[name] = _block(value, (*where, name))
    sizes = _object(members.get("image_sizes", {}), (*path, "image_sizes"))
    for name in sizes:
        if not _SIZE.fullmatch(name):
            raise _Wrong(
                (*path, "image_sizes", name), "a size such as 1024-x-1024/50-steps or 1024-x-1024/premium, max for any"
            )
    return DatedPrice(
        since=_optional(members, "from", path, _date) or since,
        blocks=blocks,
        image_sizes=_prices(sizes, (*path, "image_sizes"), tuple(sizes), Decimal(1)),
        factor=_optional(members, "factor", path, _factor),
        mode=_optional(members, "mode", path, _text),
        source=_optional(members, "source", path, _text),
        deprecated=_optional(members, "deprecated", path, _date),
        note=_optional(members, "note", path, _text),
    )


def _block(content: Any, path: Path) -> Block:
    members = _members(content, path, (*TOKEN_KINDS, "units", "above", "tiers"))
    where: Path = (*path, "tiers")
    tiers = _members(members.get("tiers", {}), where, TIERS)
    return Block(_rates(members, path), {tier: _tier(value, (*where, tier)) for tier, value in tiers.items()})


def _tier(content: Any, path: Path) -> Rates:
    return _rates(_members(content, path, (*TOKEN_KINDS, "units", "above")), path)


def _rates(members: Mapping[str, Any], path: Path) -> Rates:
    tokens = {kind: value for kind, value in members.items() if kind in TOKEN_KINDS}
    units = _members(members.get("units", {}), (*path, "units"), UNIT_KINDS)
    kinds = _prices(tokens, path, TOKEN_KINDS, _MILLIONTH) | _prices(units, (*path, "units"), UNIT_KINDS, Decimal(1))
    steps = []
    for threshold, value in _object(members.get("above", {}), (*path, "above")).items():
        where: Path = (*path, "above", threshold)
        if not re.fullmatch(r"[1-9][0-9]{0,9}", threshold):
            raise _Wrong(where, "a number of tokens, such as 200000")
        steps.append((int(threshold), _prices(_object(value, where), where, TOKEN_KINDS, _MILLIONTH)))
    return Rates(kinds, tuple(sorted(steps, key=lambda step: step[0])))


def _prices(content: Mapping[str, Any], path: Path, names: tuple[str, ...], unit: Decimal) -> dict[str, Decimal]:
    """US dollars for one, from a file's dollars for as many as make one times `unit`."""
    _members(content, path, names)
    return {name: EXACT.multiply(_price(value, (*path, name)), unit) for name, value in content.items()}


def _price(value: Any, path: Path) -> Decimal:
    number = _number(value)
    if number is None or not 0 <= number <= _HIGHEST:
        raise _Wrong(path, f"US dollars from 0 to {_HIGHEST}")
    return number


def _factor(value: Any, path: Path) -> Decimal:
    number = _number(value)
    if number is None or not 0 <= number <= 10:
        raise _Wrong(path, "what is paid of each dollar, from 0 to 10: 0.9 takes a tenth off")
    return number


def _number(value: Any) -> Decimal | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,20})?", value):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    _, digits, exponent = value.as_tuple()
    return value if len(digits) <= _MOST_DIGITS and -_MOST_DIGITS <= int(exponent) <= _MOST_DIGITS else None


def _members(content: Any, path: Path, names: tuple[str, ...]) -> Mapping[str, Any]:
    found = _object(content, path)
    for name in found:
        if name not in names:
            raise _Wrong((*path, name), f"one of {', '.join(names)}")
    return found


def _object(content: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise _Wrong(path, "an object")
    return content


def _list(content: Any, path: Path) -> list[Any]:
    if not isinstance(content, list):
        raise _Wrong(path, "an object, or a list of them")
    return content


def _optional(members: Mapping[str, Any], name: str, path: Path, read: Callable[[Any, Path], T]) -> T | None:
    return read(members[name], (*path, name)) if name in members else None


def _date(value: Any, path: Path) -> date:
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass  # the same message
    raise _Wrong(path, "a day such as 2026-11-22")


def _text(value: Any, path: Path) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise _Wrong(path, "text of at most 1000 characters")
    return value


def _model_name(value: Any, path: Path) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_MODEL or not value.isprintable() or " " in value:
        raise _Wrong(path, "a model id or an ARN")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(name)
        found[name] = value
    return found
