"""The registry's version, and what each change of it touched: how workers learn what they may no longer believe."""

from collections.abc import Iterable

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from app.core.registry_messages import ChangedName, Changes
from app.store.rows import CHANGES, VERSION

# Workers poll four times a second: one that missed as many changes as this reads everything anew instead.
KEPT_VERSIONS = 10_000

_CURRENT = select(VERSION.c.version).where(VERSION.c.id == 1)
_SINCE = (
    select(VERSION.c.version, CHANGES.c.kind, CHANGES.c.name)
    .select_from(VERSION)
    # what is too old to be answered gets no rows
    .outerjoin(
        CHANGES,
        and_(CHANGES.c.version > bindparam("since"), bindparam("since") >= VERSION.c.version - KEPT_VERSIONS),
    )
    .where(VERSION.c.id == 1)
)


def lock_version(connection: Connection) -> int:
    """The version now. Whoever else wants to change anything waits here until this transaction has ended."""
    version: int = connection.execute(_CURRENT.with_for_update()).scalar_one()
    return version


def record(connection: Connection, version: int, names: Iterable[ChangedName]) -> None:
    """End a change as the next version. `version`: as it was locked."""
    new = version + 1
    connection.execute(update(VERSION).where(VERSION.c.id == 1).values(version=new))
    rows = [{"version": new, "kind": kind, "name": name} for kind, name in sorted(names)]
    connection.execute(insert(CHANGES), rows)
    connection.execute(delete(CHANGES).where(CHANGES.c.version <= new - KEPT_VERSIONS))


def changes_since(connection: Connection, version: int) -> Changes:
    """One query, of one row where nothing moved."""
    rows = connection.execute(_SINCE, {"since": version}).all()
    current = rows[0].version
    if not 0 <= current - version <= KEPT_VERSIONS:
        return Changes(current, None)
    return Changes(current, frozenset((row.kind, row.name) for row in rows if row.kind is not None))
