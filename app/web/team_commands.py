"""`flask --app wsgi teams ...`."""

from collections.abc import Sequence
from typing import Any

import click

from app.core.accounts import Team
from app.core.errors import NotFound
from app.gateway.team_desk import TeamDesk, TeamQuery, TeamView
from app.web.admin_api.team_answers import TeamAnswer, TeamInfo, TeamListed, team_answer, team_info, team_listed
from app.web.admin_api.team_forms import NewTeam
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

_MOST = 1000


def teams_group(desks: CommandDesks) -> click.Group:
    """`teams`."""
    summary = "Make, look at, block and delete teams. TEAM is an id, or an alias that one team has."
    return group("teams", summary, desks, (_new, _list, _info, _block, _unblock, _delete))


@click.command("new", cls=DeskCommand)
@click.option("--alias", "team_alias", help="A name for people.")
@click.option("--id", "team_id", help="Its id; made up without it.")
@click.option("--tags", multiple=True, help="Tags. Repeat it, or part them by commas.")
@lists_and_limits
@as_json
@click.pass_obj
def _new(desks: CommandDesks, /, *, as_json: bool, **options: Any) -> None:
    """Make a team: its keys can call no more than it may.

    \b
    flask --app wsgi teams new --id red --alias 'Team Red' --models 'anthropic.*' --max-budget 500 --budget-duration 30d
    """
    form = NewTeam.model_validate(given(options))
    view = desks.teams.create(ACTOR, form.team_id or None, form.changes())
    if as_json:
        show_json(TeamAnswer, team_answer(view))
        return
    show_fields({"team": view.team.id, "alias": view.team.alias})
    click.echo(f"\nIssue its keys by\n  flask --app wsgi keys generate --team {view.team.id}")


@click.command("list", cls=DeskCommand)
@as_json
@click.pass_obj
def _list(desks: CommandDesks, *, as_json: bool) -> None:
    """List teams, the newest first."""
    views = desks.teams.every(ACTOR)
    if as_json:
        show_json(list[TeamListed], [team_listed(view) for view in views])
        return
    titles = ("id", "alias", "status", "keys", "members", "models", "max budget", "spend")
    show_table(titles, [_row(view) for view in views], "No teams.")


@click.command("info", cls=DeskCommand)
@click.argument("team")
@as_json
@click.pass_obj
def _info(desks: CommandDesks, team: str, *, as_json: bool) -> None:
    """Show a team with its members and keys."""
    view = desks.teams.info(ACTOR, team_named(desks.teams, team).id)
    if as_json:
        show_json(TeamInfo, team_info(view, desks.standings.of_team(view.team)))
        return
    facts = team_answer(view).model_dump()
    names = (
        "team_id team_alias blocked max_budget soft_budget "
        "budget_duration rpm_limit tpm_limit max_parallel_requests spend total_spend tags metadata created_by"
    )
    show_fields(
        {name: facts[name] for name in names.split()}
        | listed_rights(facts)
        | {"budget_reset_at": view.team.limits.budget_reset_at, "created": view.team.stamps.created_at}
        | {"members": [f"{member.user_id} ({member.role})" for member in view.members]}
        | {"keys": [key.alias or key.key_name for key in view.keys]}
    )


@click.command("block", cls=DeskCommand)
@click.argument("team")
@click.pass_obj
def _block(desks: CommandDesks, team: str) -> None:
    """Let a team's keys call no more, until it is unblocked."""
    view = desks.teams.set_blocked(ACTOR, team_named(desks.teams, team).id, blocked=True)
    show_fields({"Blocked": _shown(view.team)})


@click.command("unblock", cls=DeskCommand)
@click.argument("team")
@click.pass_obj
def _unblock(desks: CommandDesks, team: str) -> None:
    """Let a blocked team's keys call again."""
    view = desks.teams.set_blocked(ACTOR, team_named(desks.teams, team).id, blocked=False)
    show_fields({"Unblocked": _shown(view.team)})


@click.command("delete", cls=DeskCommand)
@click.argument("teams", nargs=-1, required=True)
@yes
@click.pass_obj
def _delete(desks: CommandDesks, teams: Sequence[str], *, yes: bool) -> None:
    """Delete teams with all of their keys: all, or none where one is not there.

    \b
    flask --app wsgi teams delete red --yes
    """
    views = [desks.teams.info(ACTOR, team_named(desks.teams, team).id) for team in teams]
    if not yes:
        what = ", ".join(f"{_shown(view.team)} and its {len(view.keys)} keys" for view in views)
        click.confirm(f"Delete {what}?", abort=True)
    desks.teams.delete(ACTOR, [view.team.id for view in views])
    for view in views:
        show_fields({"Deleted": f"{_shown(view.team)} and its {len(view.keys)} keys"})


def team_named(desk: TeamDesk, name: str) -> Team:
    """By its id, else by its alias. Raises NotFound or click.ClickException."""
    found = desk.page(ACTOR, TeamQuery(team_id=name, size=1)).items
    if not found:
        found = tuple(
            view for view in desk.page(ACTOR, TeamQuery(alias=name, size=_MOST)).items if view.team.alias == name
        )
    if not found:
        raise NotFound("There is no such team. See them by `flask --app wsgi teams list`.", "team_id")
    if len(found) > 1:
        raise click.ClickException(f"Several teams have this alias: {', '.join(view.team.id for view in found)}.")
    return found[0].team


def _row(view: TeamView) -> tuple[object, ...]:
    team = view.team
    status = "blocked" if team.blocked else "active"
    budget = None if team.limits.max_budget is None else dollars(team.limits.max_budget)
    models = list(team.rights.models) or "all"
    return (team.id, team.alias, status, len(view.keys), len(view.members), models, budget, dollars(team.spend))


def _shown(team: Team) -> str:
    return f"{team.alias} ({team.id})" if team.alias else team.id
