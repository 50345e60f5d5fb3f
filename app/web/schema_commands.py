"""`flask --app wsgi db ...`: Flask-Migrate's commands, which are loaded when one of them is called."""

from collections.abc import Callable
from typing import Any

import click


class SchemaCommands(click.Group):
    """Stands in the list of commands for a group that is dear to import."""

    def __init__(self, load: Callable[[], click.Group]) -> None:
        super().__init__("db", help="Bring the database's tables up to date: upgrade, current, history, ...")
        self._load = load

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """From here on click goes on with the real group."""
        return self._load().make_context(*args, **kwargs)
