"""Keys and the texts by which they are found."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, Select, and_, bindparam, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app.core.accounts import Budget, KeyGrant, KeySecret, Team, User, VirtualKey
from app.core.registry_messages import ChangedName, KeyQuery, LookUp, Page
from app.store.pages import containing, page_of
from app.store.records import labelled, record_of
from app.store.rows import BUDGETS, KEYS, MEMBERS, SECRETS, TEAMS, USERS, VERSION
from app.store.spending import spend_at, with_spend

_SORTS: dict[str, ColumnElement[Any]] = {
    "created_at": KEYS.c.created_at,
    "updated_at": KEYS.c.updated_at,
    "key_alias": KEYS.c.alias,
    "expires": KEYS.c.expires_at,
}


class _JsonList(FunctionElement[Any]):
    """The values of a column over all rows, as one list."""

    name = "json_list"
    type = JSON()
    inherit_cache = True


@compiles(_JsonList, "sqlite")
def _json_list_in_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


@compiles(_JsonList, "postgresql")
def _json_list_in_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_agg({compiler.process(element.clauses, **options)})"


def _look_up(column: ColumnElement[str]) -> Select[Any]:
    """A key with all that binds it and the version, in one statement: so nothing can change in between."""
    admin_of = (
        select(_JsonList(MEMBERS.c.team_id))
        .where(MEMBERS.c.user_id == KEYS.c.user_id, MEMBERS.c.role == "admin")
        .scalar_subquery()
    )
    return (
        select(
            VERSION.c.version,
            SECRETS.c.expires_at.label("secret_expires_at"),
            admin_of.label("admin_of"),
            *labelled(KEYS, "key_"),
            *labelled(TEAMS, "team_"),
            *labelled(USERS, "user_"),
            *labelled(BUDGETS, "budget_"),
        )
        .select_from(VERSION)
        .outerjoin(SECRETS, column == bindparam("presented"))
        .outerjoin(KEYS, and_(KEYS.c.id == SECRETS.c.key_id, KEYS.c.deleted_at.is_(None)))
        .outerjoin(TEAMS, TEAMS.c.id == KEYS.c.team_id)
        .outerjoin(USERS, USERS.c.id == KEYS.c.user_id)
        .outerjoin(BUDGETS, BUDGETS.c.id == KEYS.c.budget_id)
        .where(VERSION.c.id == 1)
    )


BY_TOKEN = _look_up(SECRETS.c.token)
BY_ACCESS_KEY_ID = _look_up(SECRETS.c.access_key_id)


def look_up(connection: Connection, statement: Select[Any], presented: str, now: datetime) -> LookUp[KeyGrant]:
    """`statement`: BY_TOKEN or BY_ACCESS_KEY_ID. One query, which reads nothing of what was spent."""
    row = connection.execute(statement, {"presented": presented}).mappings().one()
    if row["key_id"] is None:
        return LookUp(row["version"], None)
    grant = KeyGrant(
        key=record_of(VirtualKey, row, now, "key_"),
        team=record_of(Team, row, now, "team_") if row["team_id"] is not None else None,
        user=record_of(User, row, now, "user_") if row["user_id"] is not None else None,
        admin_of=frozenset(row["admin_of"] or ()),
        secret_expires_at=row["secret_expires_at"],
        budget=record_of(Budget, row, now, "budget_") if row["budget_id"] is not None else None,
    )
    return LookUp(row["version"], grant)


def issued_names(connection: Connection) -> list[ChangedName]:
    """Of every key's every text, and of the pair that goes with it. One query."""
    found: list[ChangedName] = []
    for token, access_key_id in connection.execute(select(SECRETS.c.token, SECRETS.c.access_key_id)):
        found.append(("token", token))
        if access_key_id:
            found.append(("access_key_id", access_key_id))
    return found


class KeyReads:
    """Keys that are not deleted, within one transaction."""

    def __init__(self, connection: Connection, clock: Callable[[], datetime], *, locks: bool = False) -> None:
        """`locks`: hold back whoever else would write the settings that were read by their id; calls go on spending."""
        self._connection = connection
        self._clock = clock
        self._locks = locks

    def key(self, token_or_id: str) -> VirtualKey | None:
        """By its id, its token, or a token in its grace."""
        in_time = or_(SECRETS.c.expires_at.is_(None), SECRETS.c.expires_at > self._clock())
        by_token = select(SECRETS.c.key_id).where(SECRETS.c.token == token_or_id, in_time)
        found = self._keys(or_(KEYS.c.id == token_or_id, KEYS.c.id.in_(by_token)))
        return next((key for key in found if key.id == token_or_id), next(iter(found), None))

    def keys_named(self, alias: str) -> tuple[VirtualKey, ...]:
        """All with this alias, the newest first; expired ones too."""
        return self._keys(KEYS.c.alias == alias)

    def keys(self, query: KeyQuery) -> Page[VirtualKey]:
        """In the order asked for, keys without that value last, then by id."""
        now = self._clock()
        column = spend_at(now) if query.sort_by == "spend" else _SORTS[query.sort_by]
        order = (column.desc() if query.descending else column.asc()).nulls_last()
        wanted = (KEYS.c.deleted_at.is_(None), *_conditions(query))
        statement = with_spend(KEYS, now).where(*wanted).order_by(order, KEYS.c.id)
        return page_of(self._connection, statement, VirtualKey, query, now)

    def secrets(self, key_id: str) -> tuple[KeySecret, ...]:
        """The current one first."""
        statement = (
            select(SECRETS)
            .where(SECRETS.c.key_id == key_id)
            .order_by(SECRETS.c.expires_at.desc().nulls_first(), SECRETS.c.token)
        )
        return tuple(record_of(KeySecret, row, self._clock()) for row in self._connection.execute(statement).mappings())

    def _keys(self, condition: ColumnElement[bool]) -> tuple[VirtualKey, ...]:
        now = self._clock()
        there = with_spend(KEYS, now).where(KEYS.c.deleted_at.is_(None), condition)
        statement = there.order_by(KEYS.c.created_at.desc(), KEYS.c.id)
        statement = statement.with_for_update(of=KEYS) if self._locks else statement
        return tuple(record_of(VirtualKey, row, now) for row in self._connection.execute(statement).mappings())


def _conditions(query: KeyQuery) -> list[ColumnElement[bool]]:
    found = [
        column == value
        for column, value in (
            (KEYS.c.user_id, query.user_id),
            (KEYS.c.team_id, query.team_id),
            (KEYS.c.budget_id, query.budget_id),
            (KEYS.c.token, query.token),
            (KEYS.c.alias, query.alias),
            (KEYS.c.created_by, query.created_by),
        )
        if value is not None
    ]
    if query.visible is not None:
        own, teams = query.visible
        found.append(or_(KEYS.c.id == own, KEYS.c.team_id.in_(sorted(teams))))
    if query.named:
        found.append(KEYS.c.alias.is_not(None))
    if query.search is not None:
        found.append(containing(query.search, KEYS.c.alias, KEYS.c.id))
    if query.status is not None:
        found.append(_status(query))
    return found


def _status(query: KeyQuery) -> ColumnElement[bool]:
    """Each key has one: a blocked one is that, also when its time is over."""
    if query.status == "blocked":
        return KEYS.c.blocked
    expired = and_(KEYS.c.expires_at.is_not(None), KEYS.c.expires_at <= query.now)
    return and_(KEYS.c.blocked.is_(False), expired if query.status == "expired" else ~expired)
