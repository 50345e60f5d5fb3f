"""What the requests and answers for teams, users, customers and budgets share: limits, lists, and what is refused."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import ConfigDict, PlainSerializer, WithJsonSchema

from app.core.accounts import Limits, Rights
from app.core.errors import InvalidField
from app.web.admin_api.fields import Count, Entries, Metadata, Moment, Text, Usd
from app.web.admin_api.unenforced import refuse_unenforced
from app.web.admin_api.wire_model import WireModel

Item = TypeVar("Item")
# some milliseconds' worth of answers
_AT_A_STRETCH = 50
# not 0: gevent would go on with who is ready, and look for nobody who became so
_PAUSE_SECONDS = 0.00001
# An amount as it is told: a JSON number
Dollars = Annotated[Decimal, PlainSerializer(float, return_type=float), WithJsonSchema({"type": "number"})]
_LISTS = frozenset(field.name for field in fields(Rights))
_LIMITS = frozenset(field.name for field in fields(Limits)) - {"budget_reset_at"}


class Form(WireModel):
    """A request. Other fields are ignored, but for those that restrict in the peer, and misspelt ones; null and ""
    say nothing.

    `unset` names fields that end up as a new account has them.
    """

    model_config = ConfigDict(extra="allow")
    # what restricts there and cannot here, besides what unenforced.py has, and what to use instead
    unenforced: ClassVar[Mapping[str, str]] = {}
    # what the names of this request are in accounts.py, where they differ
    meanings: ClassVar[Mapping[str, str]] = {}
    # where the peer takes null to mean that nothing is left of it
    nulls_clear: ClassVar[frozenset[str]] = frozenset()

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """What was sent of the fields with these names, by the names in accounts.py.

        Raises InvalidField where a restriction was sent that would not be held to.
        """
        self.refuse_unenforced()
        names = frozenset(names)
        found: dict[str, Any] = {}
        for name in names & self.model_fields_set:
            value = getattr(self, name)
            if value not in (None, ""):
                found[self.meanings.get(name, name)] = value
            elif value is None and name in self.nulls_clear:
                found[self.meanings.get(name, name)] = _blank(name)
        for name in getattr(self, "unset", None) or ():
            if name not in names - {"blocked", "spend", "user_role"}:
                raise InvalidField(f"unset: {name[:100]!r} cannot be unset here.", "unset")
            found[self.meanings.get(name, name)] = _blank(name)
        return found

    def refuse_unenforced(self) -> None:
        """Raises InvalidField."""
        refuse_unenforced(self.model_extra, getattr(self, "metadata", None), type(self).model_fields, self.unenforced)


class LimitFields(Form):
    """Limits."""

    max_budget: Usd | None = None
    soft_budget: Usd | None = None
    budget_duration: Text | None = None
    rpm_limit: Count | None = None
    tpm_limit: Count | None = None
    max_parallel_requests: Count | None = None
    model_max_budget: Metadata | None = None


class SpendField(Form):
    """What an account spent, US dollars: of a new one what it brings along, else what its budget's window is set to."""

    spend: Usd | None = None


class ListFields(Form):
    """What may be called; an empty list passes everything, except that no operations means the default ones."""

    models: Entries | None = None
    operations: Entries | None = None
    resources: Entries | None = None
    regions: Entries | None = None
    addresses: Entries | None = None


LIMITS, LISTS = _LIMITS, _LISTS


class LimitAnswer(WireModel):
    """Limits as they are told."""

    max_budget: Dollars | None
    soft_budget: Dollars | None
    budget_duration: str | None
    budget_reset_at: Moment | None
    rpm_limit: int | None
    tpm_limit: int | None
    max_parallel_requests: int | None
    model_max_budget: dict[str, Any]


class ListAnswer(WireModel):
    """Lists as they are told."""

    models: list[str]
    operations: list[str]
    resources: list[str]
    regions: list[str]
    addresses: list[str]


def flat(record: Any) -> dict[str, Any]:
    """A record's fields, with those of its rights, limits and stamps beside them."""
    found: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            found |= flat(value)
        else:
            found[field.name] = value
    return found


def gently(items: Iterable[Item]) -> Iterator[Item]:
    """The same items. Lists without pages can be long: between some of them the worker's other calls go on."""
    for number, item in enumerate(items):
        if number % _AT_A_STRETCH == 0:
            time.sleep(_PAUSE_SECONDS)
        yield item


def _blank(name: str) -> Any:
    if name in _LISTS or name == "tags":
        return ()
    return {} if name in ("metadata", "model_max_budget") else None
