"""How given fields change a team, a user, a customer or a budget: what is not named stays as it was."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from app.core.account_rules import UnknownEntries, checked_limits, checked_rights, not_negative
from app.core.accounts import Budget, Customer, Limits, Rights, Team, User

Account = TypeVar("Account", Team, User, Customer, Budget)
_RIGHTS = frozenset(field.name for field in fields(Rights))
_LIMITS = frozenset(field.name for field in fields(Limits))


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """Applies given fields, and holds what comes of it to the rules that accounts share."""

    unknown_operations: UnknownEntries

    def applied(self, account: Account, given: Mapping[str, Any], now: datetime) -> Account:
        """`account` with the fields of `given`, by their names in accounts.py; rights and limits by their own names.

        Lists may be any sequences. Raises InvalidField.
        """
        values = {name: value for name, value in given.items() if name not in _RIGHTS | _LIMITS}
        if "tags" in values:
            values["tags"] = tuple(values["tags"])
        not_negative("spend", values.get("spend"))
        limits = replace(account.limits, **_of(given, _LIMITS))
        values["limits"] = checked_limits(limits, now)
        if isinstance(account, Team | User):
            lists = {name: tuple(value) for name, value in _of(given, _RIGHTS).items()}
            values["rights"] = checked_rights(replace(account.rights, **lists), self.unknown_operations)
        return replace(account, **values)


def _of(given: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in names}
