"""Teams, their members, users, customers and budgets."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from app.core.accounts import Budget, Customer, Member, Team, User
from app.core.registry_messages import AccountQuery, Page
from app.store.pages import containing, page_of
from app.store.records import TABLES, record_of
from app.store.rows import BUDGETS, CUSTOMERS, MEMBERS, TEAMS, USERS
from app.store.spending import with_spend

T = TypeVar("T")


class AccountReads:
    """Within one transaction."""

    _connection: Connection
    _clock: Callable[[], datetime]
    _locks: bool

    def team(self, team_id: str) -> Team | None:
        return self._one(Team, team_id)

    def teams(self, query: AccountQuery) -> Page[Team]:
        found = _conditions(TEAMS, query, TEAMS.c.id, TEAMS.c.alias)
        return self._page(TEAMS, found, Team, query)

    def members(self, team_id: str) -> tuple[Member, ...]:
        """By user."""
        return self._members(MEMBERS.c.team_id == team_id)

    def memberships(self, user_id: str) -> tuple[Member, ...]:
        """By team."""
        return self._members(MEMBERS.c.user_id == user_id)

    def user(self, user_id: str) -> User | None:
        return self._one(User, user_id)

    def users(self, query: AccountQuery) -> Page[User]:
        found = _conditions(USERS, query, USERS.c.id, USERS.c.alias, USERS.c.email)
        if query.team_id is not None:
            found.append(USERS.c.id.in_(select(MEMBERS.c.user_id).where(MEMBERS.c.team_id == query.team_id)))
        if query.role is not None:
            found.append(USERS.c.role == query.role)
        return self._page(USERS, found, User, query)

    def customer(self, customer_id: str) -> Customer | None:
        return self._one(Customer, customer_id)

    def customers(self, query: AccountQuery) -> Page[Customer]:
        found = _conditions(CUSTOMERS, query, CUSTOMERS.c.id, CUSTOMERS.c.alias)
        if query.team_id is not None:
            found.append(CUSTOMERS.c.team_id == query.team_id)
        if query.budget_id is not None:
            found.append(CUSTOMERS.c.budget_id == query.budget_id)
        return self._page(CUSTOMERS, found, Customer, query)

    def budget(self, budget_id: str) -> Budget | None:
        return self._one(Budget, budget_id)

    def budgets(self) -> tuple[Budget, ...]:
        """The newest first."""
        now = self._clock()
        rows = self._connection.execute(_newest(BUDGETS, now)).mappings()
        return tuple(record_of(Budget, row, now) for row in rows)

    def _one(self, kind: type[T], identifier: str) -> T | None:
        table, now = TABLES[kind], self._clock()
        statement = with_spend(table, now).where(table.c.id == identifier)
        statement = statement.with_for_update(of=table) if self._locks else statement
        row = self._connection.execute(statement).mappings().first()
        return record_of(kind, row, now) if row else None

    def _page(self, table: Table, wanted: list[ColumnElement[bool]], kind: type[T], query: AccountQuery) -> Page[T]:
        now = self._clock()
        return page_of(self._connection, _newest(table, now).where(*wanted), kind, query, now)

    def _members(self, condition: ColumnElement[bool]) -> tuple[Member, ...]:
        statement = select(MEMBERS).where(condition).order_by(MEMBERS.c.team_id, MEMBERS.c.user_id)
        return tuple(record_of(Member, row, self._clock()) for row in self._connection.execute(statement).mappings())


def _newest(table: Table, now: datetime) -> Select[Any]:
    return with_spend(table, now).order_by(table.c.created_at.desc(), table.c.id)


def _conditions(table: Table, query: AccountQuery, *searched: ColumnElement[str]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.ids is not None:
        found.append(table.c.id.in_(sorted(query.ids)))
    if query.search is not None:
        found.append(containing(query.search, *searched))
    return found
