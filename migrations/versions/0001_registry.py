"""Keys, teams, users, customers, budgets, audit log, version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# As app/store/column_types.py has them now. A migration is history: it does not follow when those change.
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger()  # also money, in 10^-12 US dollars
JSON = sa.JSON()


def upgrade() -> None:
    _table("virtual_keys", *_key(), *_stamps(), *_rights(), *_limits(), *_spend())
    _table("teams", _id(), _may("alias"), _flag("blocked"), _json("metadata"), _json("tags"), *_stamps(), *_rights(),
           *_limits(), *_spend())  # fmt: skip
    _table("users", _id(), _may("email"), _may("alias"), _must("role"), _json("metadata"), *_stamps(), *_rights(),
           *_limits(), *_spend())  # fmt: skip
    _table("customers", _id(), _may("alias"), _may("team_id"), _may("budget_id"), _flag("blocked"), _json("metadata"),
           *_stamps(), *_limits(), *_spend())  # fmt: skip
    _table("budgets", _id(), *_stamps(), *_limits())
    _table("key_secrets", sa.Column("token", WORDS, primary_key=True), _must("key_id"), _may("access_key_id"),
           _may("expires_at", MOMENT),
           sa.ForeignKeyConstraint(["key_id"], ["virtual_keys.id"], deferrable=True, initially="DEFERRED"))  # fmt: skip
    _table("team_members", sa.Column("team_id", WORDS, primary_key=True), sa.Column("user_id", WORDS, primary_key=True),
           _must("role"), _may("user_email"))  # fmt: skip
    _table("audit_log", _id(), _must("at", MOMENT), _must("by"), _may("by_token"), _may("address"), _must("action"),
           _must("kind"), _must("object_id"), _may("before", JSON), _may("after", JSON))  # fmt: skip
    _table("registry_changes", sa.Column("version", NUMBER, primary_key=True, autoincrement=False),
           sa.Column("kind", WORDS, primary_key=True), sa.Column("name", WORDS, primary_key=True))  # fmt: skip
    _table("registry_version", sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
           _must("version", NUMBER))  # fmt: skip
    _index("virtual_keys", "token", "alias", "team_id", "user_id", "budget_id", "created_at")
    _index("teams", "alias", "created_at")
    _index("users", "email", "created_at")
    _index("customers", "team_id", "budget_id", "created_at")
    _index("budgets", "created_at")
    _index("key_secrets", "key_id")
    op.create_index("ix_key_secrets_access_key_id", "key_secrets", ["access_key_id"], unique=True)
    _index("team_members", "user_id")
    _index("audit_log", "at", "by")
    op.create_index("ix_audit_log_kind_object_id", "audit_log", ["kind", "object_id"])
    op.execute("INSERT INTO registry_version (id, version) VALUES (1, 0)")


def downgrade() -> None:
    for name in ("registry_version", "registry_changes", "audit_log", "team_members", "key_secrets", "budgets",
                 "customers", "users", "teams", "virtual_keys"):  # fmt: skip
        op.drop_table(name)


def _table(name: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(name, *parts)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def _must(name: str, kind: sa.types.TypeEngine = WORDS) -> sa.Column:
    return sa.Column(name, kind, nullable=False)


def _may(name: str, kind: sa.types.TypeEngine = WORDS) -> sa.Column:
    return sa.Column(name, kind, nullable=True)


def _id() -> sa.Column:
    return sa.Column("id", WORDS, primary_key=True)


def _flag(name: str) -> sa.Column:
    return _must(name, sa.Boolean())


def _json(name: str) -> sa.Column:
    return _must(name, JSON)


def _key() -> list[sa.Column]:
    return [
        _id(),
        *(_must(name) for name in ("token", "key_name", "key_type")),
        *(_may(name) for name in ("alias", "access_key_id", "team_id", "user_id", "budget_id")),
        *(_may(name, MOMENT) for name in ("expires_at", "temp_budget_expiry", "last_rotation_at", "deleted_at")),
        _flag("blocked"),
        sa.Column("delegated", sa.Boolean(), nullable=False, server_default=sa.false()),
        _json("metadata"),
        _json("tags"),
        _may("temp_budget_increase", NUMBER),
        _must("rotation_count", NUMBER),
    ]


def _stamps() -> list[sa.Column]:
    return [_must("created_at", MOMENT), _must("created_by"), _must("updated_at", MOMENT), _must("updated_by")]


def _rights() -> list[sa.Column]:
    return [_json(name) for name in ("models", "operations", "resources", "regions", "addresses")]


def _limits() -> list[sa.Column]:
    return [
        *(_may(name, NUMBER) for name in ("max_budget", "soft_budget")),
        _may("budget_duration"),
        _may("budget_reset_at", MOMENT),
        *(_may(name, NUMBER) for name in ("rpm_limit", "tpm_limit", "max_parallel_requests")),
        _json("model_max_budget"),
    ]


def _spend() -> list[sa.Column]:
    return [_must("spend", NUMBER), _must("total_spend", NUMBER)]
