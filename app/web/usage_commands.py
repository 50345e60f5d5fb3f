"""`flask --app wsgi usage ...`: what was used and spent, and the ledger that it is told from."""

import click

from app.web.desk_commands import CommandDesks, group
from app.web.usage_report_commands import prune_command, report_command


def usage_group(desks: CommandDesks, *more: click.Command) -> click.Group:
    """`usage`. `more`: commands that need other things than desks."""
    return group("usage", "Show what was used and spent.", desks, (report_command, prune_command, *more))
