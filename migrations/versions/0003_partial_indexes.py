"""The ledger's indexes hold only the lines that are of somebody.

Each index that a line stands in costs a page when it is written, which is most of what a booking costs SQLite. Most
keys have no team, no user and no end user. Both databases use such an index where one team, user or end user is asked
for: `team_id = ...` implies that it is not NULL.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = ("key_id", "team_id", "user_id", "counted_end_user")


def upgrade() -> None:
    for name in COLUMNS:
        op.drop_index(f"ix_ledger_{name}_started_at", "ledger")
        owned = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_ledger_{name}_started_at",
            "ledger",
            [name, "started_at"],
            sqlite_where=owned,
            postgresql_where=owned,
        )


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_index(f"ix_ledger_{name}_started_at", "ledger")
        op.create_index(f"ix_ledger_{name}_started_at", "ledger", [name, "started_at"])
