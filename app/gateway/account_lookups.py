"""What several desks look for in the registry."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from app.core.accounts import Customer, Team, User, VirtualKey
from app.core.errors import InvalidField, NotFound
from app.core.registry_messages import AccountQuery, KeyQuery, Page
from app.gateway.ports import Records

T = TypeVar("T")
_PAGE = 500


def every_key(records: Records, query: KeyQuery) -> tuple[VirtualKey, ...]:
    """All keys that `query` asks for, whatever its page."""
    return tuple(_all_pages(lambda page: records.keys(replace(query, page=page, size=_PAGE))))


def every_team(records: Records, query: AccountQuery) -> tuple[Team, ...]:
    """All teams that `query` asks for, whatever its page."""
    return tuple(_all_pages(lambda page: records.teams(replace(query, page=page, size=_PAGE))))


def every_customer(records: Records, query: AccountQuery) -> tuple[Customer, ...]:
    """All customers that `query` asks for, whatever its page."""
    return tuple(_all_pages(lambda page: records.customers(replace(query, page=page, size=_PAGE))))


def users_with_email(records: Records, email: str) -> tuple[User, ...]:
    """Those whose address this is: people write the same one in large and small letters."""
    wanted = email.strip()
    found = _all_pages(lambda page: records.users(AccountQuery(search=wanted, page=page, size=_PAGE)))
    return tuple(user for user in found if same_email(user.email, wanted))


def user_by_email(records: Records, email: str) -> User | None:
    """The one user with this address. Raises InvalidField where there are several."""
    found = users_with_email(records, email)
    if len(found) > 1:
        raise InvalidField(f"Several users have the address {email}: name one by user_id.", "user_email")
    return found[0] if found else None


def same_email(one: str | None, other: str | None) -> bool:
    """Whether both are addresses, and the same."""
    return one is not None and other is not None and one.strip().casefold() == other.strip().casefold()


def existing_team(records: Records, team_id: str, param: str = "team_id") -> Team:
    """Raises NotFound, in the peer's words."""
    team = records.team(team_id)
    if team is None:
        raise NotFound(f"Team not found, passed team_id={team_id}", param)
    return team


def _all_pages(ask: Callable[[int], Page[T]]) -> Iterator[T]:
    page, seen, total = 1, 0, 1
    while seen < total:
        answer = ask(page)
        yield from answer.items
        page, seen = page + 1, seen + len(answer.items)
        total = answer.total if answer.items else 0
