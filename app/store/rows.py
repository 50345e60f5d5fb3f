"""The tables of settings, as Flask-SQLAlchemy's models. Columns carry the names of the fields of app/core/accounts.py;
what those spent stands elsewhere (money_rows.py), and when their windows end follows from budget_duration.

What is only looked up by its own id, or listed with its kind, has no foreign key: a key outlives its team, and says so.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Boolean, Connection, Float, ForeignKey, Index, Integer, Table, event, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from app.store.column_types import Count, Dollars, Json, Moment, Words


class _Base(DeclarativeBase):
    # on the registry: Flask-SQLAlchemy makes a second base of this one, which may not have a map of its own
    registry = registry(
        type_annotation_map={
            str: Words,
            datetime: Moment,
            Decimal: Dollars,
            int: Count,
            float: Float,
            bool: Boolean,
            list[str]: Json,
            list[Any]: Json,
            dict[str, Any]: Json,
        }
    )


db = SQLAlchemy(model_class=_Base)


class Row(db.Model):  # type: ignore[name-defined,misc]  # Flask-SQLAlchemy makes the class at run time
    """What every table's model is."""

    __abstract__ = True


class _Rights:
    models: Mapped[list[str]]
    operations: Mapped[list[str]]
    resources: Mapped[list[str]]
    regions: Mapped[list[str]]
    addresses: Mapped[list[str]]


class _Limits:
    max_budget: Mapped[Decimal | None]
    soft_budget: Mapped[Decimal | None]
    budget_duration: Mapped[str | None]
    rpm_limit: Mapped[int | None]
    tpm_limit: Mapped[int | None]
    max_parallel_requests: Mapped[int | None]
    model_max_budget: Mapped[dict[str, Any]]


class _Stamps:
    created_at: Mapped[datetime] = mapped_column(index=True)
    created_by: Mapped[str]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]


class KeyRow(_Stamps, _Rights, _Limits, Row):
    """A key that is deleted keeps its row, so that what it did can be named; nothing finds it by its text any more."""

    __tablename__ = "virtual_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(index=True)
    key_name: Mapped[str]
    alias: Mapped[str | None] = mapped_column(index=True)
    access_key_id: Mapped[str | None]
    team_id: Mapped[str | None] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(index=True)
    budget_id: Mapped[str | None] = mapped_column(index=True)
    key_type: Mapped[str]
    expires_at: Mapped[datetime | None]
    blocked: Mapped[bool]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    tags: Mapped[list[str]]
    temp_budget_increase: Mapped[Decimal | None]
    temp_budget_expiry: Mapped[datetime | None]
    rotation_count: Mapped[int]
    last_rotation_at: Mapped[datetime | None]
    delegated: Mapped[bool] = mapped_column(server_default=false())
    end_user_required: Mapped[bool] = mapped_column(server_default=false())
    unmetered_calls: Mapped[str] = mapped_column(server_default="refuse")
    deleted_at: Mapped[datetime | None]


class SecretRow(Row):
    """By what text a key is found: its SHA-256, and the access key id issued with it."""

    __tablename__ = "key_secrets"
    token: Mapped[str] = mapped_column(primary_key=True)
    # deferred: within one change the key may be written after its text
    key_id: Mapped[str] = mapped_column(
        ForeignKey("virtual_keys.id", deferrable=True, initially="DEFERRED"), index=True
    )
    access_key_id: Mapped[str | None] = mapped_column(index=True, unique=True)
    expires_at: Mapped[datetime | None]


class TeamRow(_Stamps, _Rights, _Limits, Row):
    """A team."""

    __tablename__ = "teams"
    id: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str | None] = mapped_column(index=True)
    blocked: Mapped[bool]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    tags: Mapped[list[str]]


class MemberRow(Row):
    """A user's place in a team."""

    __tablename__ = "team_members"
    team_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    role: Mapped[str]
    user_email: Mapped[str | None]


class UserRow(_Stamps, _Rights, _Limits, Row):
    """A user. PostgreSQL keeps the word `user` for itself, hence plurals throughout."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(index=True)
    alias: Mapped[str | None]
    role: Mapped[str]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")


class CustomerRow(_Stamps, _Limits, Row):
    """An end user."""

    __tablename__ = "customers"
    id: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str | None]
    team_id: Mapped[str | None] = mapped_column(index=True)
    budget_id: Mapped[str | None] = mapped_column(index=True)
    blocked: Mapped[bool]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")


class BudgetRow(_Stamps, _Limits, Row):
    """Limits under a name."""

    __tablename__ = "budgets"
    id: Mapped[str] = mapped_column(primary_key=True)


class AuditRow(Row):
    """Who changed what."""

    __tablename__ = "audit_log"
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    by: Mapped[str] = mapped_column(index=True)
    by_token: Mapped[str | None]
    address: Mapped[str | None]
    action: Mapped[str]
    kind: Mapped[str]
    object_id: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    __table_args__ = (Index("ix_audit_log_kind_object_id", "kind", "object_id"),)


class VersionRow(Row):
    """The registry's version: one row, which every change locks first."""

    __tablename__ = "registry_version"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int]


class ChangeRow(Row):
    """What the change that made a version touched; only the latest are kept."""

    __tablename__ = "registry_changes"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)


KEYS = cast(Table, KeyRow.__table__)
SECRETS = cast(Table, SecretRow.__table__)
TEAMS = cast(Table, TeamRow.__table__)
MEMBERS = cast(Table, MemberRow.__table__)
USERS = cast(Table, UserRow.__table__)
CUSTOMERS = cast(Table, CustomerRow.__table__)
BUDGETS = cast(Table, BudgetRow.__table__)
AUDIT = cast(Table, AuditRow.__table__)
VERSION = cast(Table, VersionRow.__table__)
CHANGES = cast(Table, ChangeRow.__table__)


@event.listens_for(VERSION, "after_create")
def _begin_at_zero(table: Table, connection: Connection, **_: Any) -> None:
    connection.execute(table.insert().values(id=1, version=0))
