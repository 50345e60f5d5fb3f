"""`flask --app wsgi keys ...`: the administrator's hands on keys, beside the gateway and without its master key."""

from collections.abc import Sequence
from typing import Any

import click

from app.core.accounts import VirtualKey
from app.core.errors import NotFound
from app.core.registry_messages import KeyQuery
from app.gateway.key_changes import IssuedKey
from app.gateway.key_desk import KeyDesk
from app.web.admin_api.key_answers import KeyRow, MadeKey
from app.web.admin_api.key_forms import KeyRegeneration, NewKey
from app.web.desk_commands import (
    ACTOR,
    CommandDesks,
    DeskCommand,
    as_json,
    dollars,
    given,
    group,
    listed_rights,
    lists_and_limits,
    show_fields,
    show_json,
    show_table,
    yes,
)

_TITLES = ("alias", "key", "team", "user", "status", "expires", "max budget", "spend", "id")
_MOST = 1000


def keys_group(desks: CommandDesks) -> click.Group:
    """`keys`."""
    summary = "Issue, look at, block, rotate and delete keys. KEY is an alias, an id, a token or the key itself."
    return group("keys", summary, desks, (_generate, _list, _info, _block, _unblock, _rotate, _delete))


@click.command("generate", cls=DeskCommand)
@click.option("--alias", "key_alias", help="A name of its own, for people.")
@click.option("--team", "team_id", help="The id of the team that it belongs to.")
@click.option("--user", "user_id", help="The id of the user that holds it.")
@click.option("--budget", "budget_id", help="The id of a budget that it shares.")
@click.option("--duration", help="How long it is good: 30s, 15m, 12h, 30d, 2w, 1mo; for ever without it.")
@click.option(
    "--key-type", type=click.Choice(["default", "llm_api", "management", "read_only"]), help="What it is for."
)
@click.option("--tags", multiple=True, help="Tags. Repeat it, or part them by commas.")
@click.option("--end-user-required", is_flag=True, default=None, help="Its calls must name an end user.")
@click.option(
    "--unmetered-calls",
    type=click.Choice(["refuse", "allow"]),
    help="Under a budget, calls without a price, or of which AWS does not say what they used; refuse without it.",
)
@lists_and_limits
@as_json
@click.pass_obj
def _generate(desks: CommandDesks, /, *, as_json: bool, **options: Any) -> None:
    """Issue a key, and show it once.

    \b
    flask --app wsgi keys generate --alias ci --models 'anthropic.*' --duration 30d
    flask --app wsgi keys generate --team red --max-budget 50 --budget-duration 30d
    """
    _show_issued(desks, desks.keys.issue(ACTOR, NewKey.model_validate(given(options)).order()), as_json=as_json)


@click.command("list", cls=DeskCommand)
@click.option("--team", "team_id", help="Only keys of this team.")
@click.option("--user", "user_id", help="Only keys of this user.")
@click.option("--status", type=click.Choice(["active", "expired", "blocked"]), help="Only keys that stand so.")
@click.option("--page", default=1, type=click.IntRange(1, 10_000), show_default=True, help=f"Which {_MOST} of them.")
@as_json
@click.pass_obj
def _list(desks: CommandDesks, /, *, page: int, as_json: bool, **options: Any) -> None:
    """List keys, the newest first.

    \b
    flask --app wsgi keys list --team red --status expired
    """
    query = KeyQuery(desks.keys.now(), page=page, size=_MOST, **options)
    found = desks.keys.page(ACTOR, query)
    if as_json:
        show_json(list[KeyRow], [KeyRow.of(key) for key in found.items])
        return
    show_table(_TITLES, [_row(desks.keys, key) for key in found.items], "No keys.")
    if found.total > page * _MOST:
        click.echo(f"{found.total} keys in all: see the next by --page {page + 1}", err=True)


@click.command("info", cls=DeskCommand)
@click.argument("key")
@as_json
@click.pass_obj
def _info(desks: CommandDesks, key: str, *, as_json: bool) -> None:
    """Show a key.

    \b
    flask --app wsgi keys info ci
    """
    found, budget = desks.keys.get(ACTOR, _named(desks.keys, key).id)
    row = KeyRow.of(found, budget)
    if as_json:
        show_json(KeyRow, row)
        return
    facts = row.model_dump()
    names = (
        "key_alias key_id key_name token key_type team_id user_id max_budget soft_budget budget_duration "
        "budget_reset_at budget_id rpm_limit tpm_limit max_parallel_requests end_user_required unmetered_calls spend "
        "total_spend tags metadata rotation_count created_by"
    )
    show_fields(
        {"status": _status(desks.keys, found), "expires": found.expires_at, "created": found.stamps.created_at}
        | {name: facts[name] for name in names.split()}
        | listed_rights(facts)
    )


@click.command("block", cls=DeskCommand)
@click.argument("key")
@click.pass_obj
def _block(desks: CommandDesks, key: str) -> None:
    """Let a key call no more, until it is unblocked."""
    _told("Blocked", desks.keys.block(ACTOR, _named(desks.keys, key).id, blocked=True))


@click.command("unblock", cls=DeskCommand)
@click.argument("key")
@click.pass_obj
def _unblock(desks: CommandDesks, key: str) -> None:
    """Let a blocked key call again."""
    _told("Unblocked", desks.keys.block(ACTOR, _named(desks.keys, key).id, blocked=False))


@click.command("rotate", cls=DeskCommand)
@click.argument("key")
@click.option("--grace", help="How long the text before works on: 1h, 1d; not at all without it.")
@click.option("--duration", help="How long the key is good from now; as before without it.")
@as_json
@click.pass_obj
def _rotate(desks: CommandDesks, key: str, *, grace: str | None, duration: str | None, as_json: bool) -> None:
    """Give a key another text, and show it once.

    \b
    flask --app wsgi keys rotate ci --grace 1d
    """
    named = _named(desks.keys, key)
    order = KeyRegeneration.model_validate(given({"duration": duration})).order()
    _show_issued(desks, desks.keys.rotate(ACTOR, named.id, order, grace), as_json=as_json)
    if grace and not as_json:
        click.echo(f"The text before works for another {grace}.")


@click.command("delete", cls=DeskCommand)
@click.argument("keys", nargs=-1, required=True)
@yes
@click.pass_obj
def _delete(desks: CommandDesks, keys: Sequence[str], *, yes: bool) -> None:
    """Delete keys: all of them, or none where one is not there.

    \b
    flask --app wsgi keys delete ci --yes
    """
    named = [_named(desks.keys, key) for key in keys]
    if not yes:
        click.confirm(f"Delete {', '.join(_shown(key) for key in named)}?", abort=True)
    desks.keys.delete(ACTOR, [key.id for key in named])
    for key in named:
        _told("Deleted", key)


def _named(desk: KeyDesk, name: str) -> VirtualKey:
    """By its text, token or id, else by its alias. Raises NotFound or click.ClickException."""
    try:
        return desk.get(ACTOR, name)[0]
    except NotFound:
        found = desk.page(ACTOR, KeyQuery(desk.now(), alias=name, size=_MOST)).items
        if not found:
            raise NotFound("There is no such key. See them by `flask --app wsgi keys list`.", "key") from None
    live = [key for key in found if not key.expired(desk.now())]
    if len(found) > 1 and len(live) != 1:
        ids = ", ".join(key.id for key in found)
        raise click.ClickException(f"Several keys had this alias before they expired: name one by its id, {ids}.")
    return (live or list(found))[0]


def _show_issued(desks: CommandDesks, issued: IssuedKey, *, as_json: bool) -> None:
    made = MadeKey.of(issued, {})
    if as_json:
        show_json(MadeKey, made)
        return
    facts: dict[str, object] = {"key": issued.text, "alias": issued.key.alias, "id": issued.key.id}
    if issued.secret_access_key:
        facts |= {
            "AWS_ACCESS_KEY_ID": issued.key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": issued.secret_access_key,
        }
    show_fields(facts | {"expires": issued.key.expires_at, "database": desks.database().text})
    click.echo("\nIt is not shown again: hand it over now. Its holder tries it, and sees what it may, by")
    click.echo(f"  curl -H 'Authorization: Bearer {issued.text}' http://localhost:4000/key/info")
    click.echo("with the gateway's own address.")


def _row(desk: KeyDesk, key: VirtualKey) -> tuple[object, ...]:
    budget = None if key.limits.max_budget is None else dollars(key.limits.max_budget)
    money = (budget, dollars(key.spend))
    return (key.alias, key.key_name, key.team_id, key.user_id, _status(desk, key), key.expires_at, *money, key.id)


def _status(desk: KeyDesk, key: VirtualKey) -> str:
    return "blocked" if key.blocked else "expired" if key.expired(desk.now()) else "active"


def _shown(key: VirtualKey) -> str:
    return f"{key.alias} ({key.key_name})" if key.alias else key.key_name


def _told(what: str, key: VirtualKey) -> None:
    show_fields({what: _shown(key)})
