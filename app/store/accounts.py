"""Teams, their members, users, customers and budgets."""

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from app.core.accounts import Budget, Customer, Member, Team, User
from app.core.registry_messages import AccountQuery, Page
from app.store.pages import containing, page_of
from app.store.records import TABLES, record_of
from app.store.rows import BUDGETS, CUSTOMERS, MEMBERS, TEAMS, USERS

T = TypeVar("T")


class AccountReads:
    """Within one transaction."""

    _connection: Connection
    _locks: bool

    def team(self, team_id: str) -> Team | None:
        return self._one(Team, team_id)

    def teams(self, query: AccountQuery) -> Page[Team]:
        found = _conditions(TEAMS, query, TEAMS.c.id, TEAMS.c.alias)
        return page_of(self._connection, _newest(TEAMS).where(*found), Team, query)

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
        return page_of(self._connection, _newest(USERS).where(*found), User, query)

    def customer(self, customer_id: str) -> Customer | None:
        return self._one(Customer, customer_id)

    def customers(self, query: AccountQuery) -> Page[Customer]:
        found = _conditions(CUSTOMERS, query, CUSTOMERS.c.id, CUSTOMERS.c.alias)
        if query.team_id is not None:
            found.append(CUSTOMERS.c.team_id == query.team_id)
        if query.budget_id is not None:
            found.append(CUSTOMERS.c.budget_id == query.budget_id)
        return page_of(self._connection, _newest(CUSTOMERS).where(*found), Customer, query)

    def budget(self, budget_id: str) -> Budget | None:
        return self._one(Budget, budget_id)

    def budgets(self) -> tuple[Budget, ...]:
        """The newest first."""
        return tuple(record_of(Budget, row) for row in self._connection.execute(_newest(BUDGETS)).mappings())

    def _one(self, kind: type[T], identifier: str) -> T | None:
        table = TABLES[kind]
        statement = select(table).where(table.c.id == identifier)
        statement = statement.with_for_update() if self._locks else statement
        row = self._connection.execute(statement).mappings().first()
        return record_of(kind, row) if row else None

    def _members(self, condition: ColumnElement[bool]) -> tuple[Member, ...]:
        statement = select(MEMBERS).where(condition).order_by(MEMBERS.c.team_id, MEMBERS.c.user_id)
        return tuple(record_of(Member, row) for row in self._connection.execute(statement).mappings())


def _newest(table: Table) -> Select[Any]:
    return select(table).order_by(table.c.created_at.desc(), table.c.id)


def _conditions(table: Table, query: AccountQuery, *searched: ColumnElement[str]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.ids is not None:
        found.append(table.c.id.in_(sorted(query.ids)))
    if query.search is not None:
        found.append(containing(query.search, *searched))
    return found
