"""`flask --app wsgi users ...`."""

from collections.abc import Sequence
from typing import Any

import click

from app.core.registry_messages import AccountQuery
from app.web.admin_api.user_answers import UserCounted, UserMade, UserMadeAlone, user_counted, user_made
from app.web.admin_api.user_forms import UserToMake
from app.web.desk_commands import (
    ACTOR,
    CommandDesks,
    DeskCommand,
    as_json,
    given,
    group,
    lists_and_limits,
    show_fields,
    show_json,
    show_table,
    yes,
)

_MOST = 1000


def users_group(desks: CommandDesks) -> click.Group:
    """`users`."""
    summary = "Make, list and delete users. USER is an id."
    return group("users", summary, desks, (_new, _list, _delete))


@click.command("new", cls=DeskCommand)
@click.option("--id", "user_id", help="Its id; made up without it.")
@click.option("--email", "user_email", help="Its address.")
@click.option("--role", "user_role", help="proxy_admin, proxy_admin_viewer, internal_user or internal_user_viewer.")
@click.option("--teams", multiple=True, help="Teams it is in. Repeat it, or part them by commas.")
@click.option("--key/--no-key", "auto_create_key", help="Issue a first key (in the team, if one is named); shown once.")
@lists_and_limits
@as_json
@click.pass_obj
def _new(desks: CommandDesks, /, *, as_json: bool, **options: Any) -> None:
    """Make a user.

    \b
    flask --app wsgi users new --email ann@example.com --teams red --key
    """
    fields = given(options)
    if len(fields.get("teams", ())) == 1:
        [fields["team_id"]] = fields["teams"]  # else the team's lists would not bind the key
    form = UserToMake.model_validate(fields)
    view, issued = desks.users.create(ACTOR, form.new_user())
    if as_json:
        kind: Any = UserMade | UserMadeAlone
        show_json(kind, user_made(view, issued))
        return
    show_fields({"user": view.user.id, "email": view.user.email} | ({"key": issued.text} if issued else {}))
    if issued:
        click.echo("\nThe key is not shown again: hand it over now.")


@click.command("list", cls=DeskCommand)
@click.option("--page", default=1, type=click.IntRange(1, 10_000), show_default=True, help=f"Which {_MOST} of them.")
@as_json
@click.pass_obj
def _list(desks: CommandDesks, *, page: int, as_json: bool) -> None:
    """List users, the newest first."""
    found = desks.users.page(ACTOR, AccountQuery(page=page, size=_MOST))
    if as_json:
        show_json(list[UserCounted], [user_counted(view) for view in found.items])
        return
    rows = [
        (view.user.id, view.user.email, view.user.role, list(view.team_ids), view.key_count) for view in found.items
    ]
    show_table(("id", "email", "role", "teams", "keys"), rows, "No users.")
    if found.total > page * _MOST:
        click.echo(f"{found.total} users in all: see the next by --page {page + 1}", err=True)


@click.command("delete", cls=DeskCommand)
@click.argument("users", nargs=-1, required=True)
@yes
@click.pass_obj
def _delete(desks: CommandDesks, users: Sequence[str], *, yes: bool) -> None:
    """Delete users with all of their keys: all, or none where one is not there."""
    views = [desks.users.info(ACTOR, user) for user in users]
    if not yes:
        what = ", ".join(f"{view.user.id} and {view.key_count} keys" for view in views)
        click.confirm(f"Delete {what}?", abort=True)
    desks.users.delete(ACTOR, [view.user.id for view in views])
    for view in views:
        show_fields({"Deleted": f"{view.user.id} and {view.key_count} keys"})
