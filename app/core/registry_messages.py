"""What is asked of the registry of keys and accounts, and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
G_co = TypeVar("G_co", covariant=True)
# kinds: key (by id), token, access_key_id, team, user, customer, budget. A key's own changes name its id, and each
# token and access key id that came or went with them.
ChangedName = tuple[str, str]
KeyStatus = Literal["active", "expired", "blocked"]


@dataclass(frozen=True, slots=True)
class LookUp(Generic[G_co]):
    """What was found for a token, an access key id or a customer's id, and the registry's version at that moment."""

    version: int
    grant: G_co | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The registry's version, and the names that changed since the one asked about; None: any may have."""

    version: int
    names: frozenset[ChangedName] | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `total` is of all."""

    items: tuple[T, ...]
    total: int


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Which keys, in what order; None: whatever. `page` counts from 1; `search` is looked for in alias and id.

    `visible`: only keys with this id, or of these teams; `named`: only keys that have an alias.
    """

    now: datetime
    visible: tuple[str | None, frozenset[str]] | None = None
    user_id: str | None = None
    team_id: str | None = None
    budget_id: str | None = None
    token: str | None = None
    alias: str | None = None
    named: bool = False
    search: str | None = None
    created_by: str | None = None
    status: KeyStatus | None = None
    sort_by: Literal["created_at", "updated_at", "key_alias", "spend", "expires"] = "created_at"
    descending: bool = True
    page: int = 1
    size: int = 10


@dataclass(frozen=True, slots=True)
class AccountQuery:
    """Which teams, users or customers, newest first; None: whatever. `search` is looked for in id, alias and email.

    `team_id` narrows users to a team's members and customers to a team's own; `role` users to one; `budget_id`
    customers to those that name it.
    """

    ids: frozenset[str] | None = None
    search: str | None = None
    team_id: str | None = None
    role: str | None = None
    budget_id: str | None = None
    page: int = 1
    size: int = 25


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries of the audit log, newest first; None: whatever. Times are [since, until)."""

    kind: str | None = None
    object_id: str | None = None
    action: str | None = None
    by: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    page: int = 1
    size: int = 50
