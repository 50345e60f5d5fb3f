"""Brings the tables up to date, in a process of its own: neither the workers nor what forks them take Alembic in."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from time import sleep

from app.core.errors import StoreUnavailable
from app.store.schema import MIGRATIONS, Schema, State

_log = logging.getLogger(__name__)
_POLL_SECONDS = 2.0
# The same that a release phase runs, and by file, so that it works from any folder.
COMMAND = (sys.executable, "-m", "flask", "--app", str(MIGRATIONS.parent / "wsgi.py"), "db", "upgrade")


class UpgradeFailed(Exception):
    """The database answers, and its tables could not be brought up to date: what the command said."""


class SchemaUpgrade:
    """For a start, before and after there are workers."""

    def __init__(self, schema: Schema, command: Sequence[str] = COMMAND) -> None:
        self._schema = schema
        self._command = command

    def run(self) -> None:
        """One query where there is nothing to do. Raises StoreUnavailable or UpgradeFailed."""
        state = self._schema.state()
        if state is State.AHEAD:
            _log.warning("the database's tables are those of a newer version: upgrade the gateway, or expect errors")
        if state is not State.BEHIND:
            return
        done = subprocess.run(  # noqa: S603  # our own command, without anything of anyone's
            self._command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            _log.info(line)
        if done.returncode:
            self._schema.state()  # it may be away by now
            said = done.stderr.strip().rpartition("\n")[2].removeprefix("Error: ")
            raise UpgradeFailed(said or f"exit status {done.returncode}")

    def run_when_it_answers(self) -> None:
        """Beside everything else, for a database that was away at the start. Never raises."""
        while True:
            try:
                self.run()
            except StoreUnavailable:
                sleep(_POLL_SECONDS)
            except UpgradeFailed as failure:
                _log.error("the database's tables could not be brought up to date: %s", failure)
                return
            else:
                return
