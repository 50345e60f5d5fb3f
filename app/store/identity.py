"""The database's own name, by which it is known again wherever it moves."""

from sqlalchemy import select

from app.store.database import Database
from app.store.money_rows import IDENTITY

_NAME = select(IDENTITY.c.name).where(IDENTITY.c.id == 1)


def identity_of(database: Database) -> str | None:
    """None where it has none. Raises StoreUnavailable."""
    with database.statement() as connection:
        name: str | None = connection.execute(_NAME).scalar()
        return name
