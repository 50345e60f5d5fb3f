"""Runs the migrations for `flask --app wsgi db ...`, one process at a time: many gateways may start at once."""

import click
from alembic import context
from flask import current_app
from sqlalchemy.exc import DBAPIError

from app.core.errors import StoreUnavailable

migrations = current_app.extensions["migrate"]


def offline() -> None:
    """`--sql`: print the statements."""
    context.configure(url=migrations.database.engine.url, target_metadata=migrations.db.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def online() -> None:
    """Within the transaction that holds the lock: whoever waited for it finds what the others did."""
    with migrations.database.migration() as connection:
        context.configure(
            connection=connection,
            target_metadata=migrations.db.metadata,
            on_version_apply=_tell,
            **migrations.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


def _tell(step, **_) -> None:
    direction = "to" if step.is_upgrade else "back from"
    click.echo(f"database schema: {direction} {step.up_revision_id} ({step.up_revision.doc.rstrip('.')})")


try:
    offline() if context.is_offline_mode() else online()
except (DBAPIError, StoreUnavailable) as error:
    # one line, which a release phase and a start can show
    reason = getattr(error, "reason", "")
    said = f"The database does not answer ({reason})." if reason else str(getattr(error, "orig", error))
    raise click.ClickException(said.partition("\n")[0]) from None
