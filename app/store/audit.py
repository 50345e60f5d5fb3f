"""The log of who changed what. It is only ever added to."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, insert, select

from app.core.accounts import AuditEntry
from app.core.registry_messages import AuditQuery, Page
from app.store.pages import page_of
from app.store.records import row_of
from app.store.rows import AUDIT


class AuditReads:
    """Within one transaction."""

    _connection: Connection
    _clock: Callable[[], datetime]

    def audit(self, query: AuditQuery) -> Page[AuditEntry]:
        """The newest first."""
        statement = select(AUDIT).order_by(AUDIT.c.at.desc(), AUDIT.c.id)
        for column, value in (
            (AUDIT.c.kind, query.kind),
            (AUDIT.c.object_id, query.object_id),
            (AUDIT.c.action, query.action),
            (AUDIT.c.by, query.by),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if query.since is not None:
            statement = statement.where(AUDIT.c.at >= query.since)
        if query.until is not None:
            statement = statement.where(AUDIT.c.at < query.until)
        return page_of(self._connection, statement, AuditEntry, query, self._clock())


def write(connection: Connection, entry: AuditEntry) -> None:
    """Add it."""
    connection.execute(insert(AUDIT), row_of(entry))
