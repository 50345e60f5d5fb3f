"""/global routes: what was used and spent by everybody, out of the daily totals; for the administrator and viewers."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.core.callers import Actor
from app.core.report_messages import RowsQuery, Span, Sum, TotalsKind, TotalsQuery, span_between, span_or_latest
from app.gateway.reports import Reports
from app.gateway.spend_desk import SpendDesk
from app.web.admin_api.csv_tables import Table
from app.web.admin_api.routes import AdminCall, Nothing, Route
from app.web.admin_api.spend import tags_of
from app.web.admin_api.spend_answers import (
    NOBODY,
    Activity,
    DateSpend,
    DayActivity,
    DayTeams,
    EndUserSpend,
    GlobalSpend,
    KeySpend,
    ModelActivity,
    ModelSpend,
    NamedTag,
    ReportAnswer,
    Reset,
    SubjectAnswer,
    TagsSpend,
    TeamSpend,
    TeamsSpend,
)
from app.web.admin_api.spend_forms import (
    DatesAsked,
    EndUsersAsked,
    KeyDaysAsked,
    OverallAsked,
    TagsAsked,
    TopAsked,
)

_KINDS: Mapping[str, TotalsKind] = {
    "team": "team",
    "customer": "end_user",
    "api_key": "key",
    "user": "user",
    "model": "model",
    "tag": "tag",
    "day": "all",
}
_MOST_MODELS = 100


class GlobalViews:
    """What the routes do."""

    def __init__(self, reports: Reports, desk: SpendDesk) -> None:
        self._reports = reports
        self._desk = desk

    def spend(self, call: AdminCall[Nothing, Nothing]) -> GlobalSpend:
        found = self._reports.totals(call.actor, TotalsQuery("all"), "/global/spend")
        return GlobalSpend(spend=sum((one.figures.cost for one in found), Decimal(0)))

    def keys(self, call: AdminCall[TopAsked, Nothing]) -> list[KeySpend]:
        return [
            KeySpend(
                api_key=one.token or one.id, key_alias=one.name, key_name=one.key_name, total_spend=one.figures.cost
            )
            for one in self._dearest(call, "key", "/global/spend/keys")
        ]

    def models(self, call: AdminCall[TopAsked, Nothing]) -> list[ModelSpend]:
        found = self._dearest(call, "model", "/global/spend/models")
        return [ModelSpend(model=one.id, total_spend=one.figures.cost) for one in found]

    def teams(self, call: AdminCall[DatesAsked, Nothing]) -> TeamsSpend:
        span, route = self._latest(call.query), "/global/spend/teams"
        all_days = self._reports.daily(call.actor, "all", span, route)
        return _teams(all_days, self._reports.daily(call.actor, "team", span, route))

    def days(self, call: AdminCall[KeyDaysAsked, Nothing]) -> list[DateSpend]:
        asked, route = call.query, "/global/spend/logs"
        span = self._latest(asked)
        found = (
            self._reports.key_days(call.actor, span, asked.api_key, route)
            if asked.api_key
            else self._reports.daily(call.actor, "all", span, route)
        )
        return [DateSpend(date=one.day or "", spend=one.figures.cost) for one in found]

    def tags(self, call: AdminCall[TagsAsked, Nothing]) -> TagsSpend:
        span = span_between(call.query.start_date, call.query.end_date)
        found = tags_of(self._reports, call, span, "/global/spend/tags")
        tags = [
            NamedTag(name=one.id, spend=one.figures.cost, log_count=one.figures.calls, source=source)
            for source, one in found
        ]
        return TagsSpend(spend_per_tag=tags)

    def end_users(self, call: AdminCall[EndUsersAsked, Nothing]) -> list[EndUserSpend]:
        return self._end_users(call.actor, call.query)

    def end_users_named(self, call: AdminCall[Nothing, EndUsersAsked]) -> list[EndUserSpend]:
        return self._end_users(call.actor, call.body)

    def report(self, call: AdminCall[OverallAsked, Nothing]) -> ReportAnswer:
        asked = call.query
        span = span_between(asked.start_date, asked.end_date)
        found = self._reports.overall(call.actor, span, _KINDS[asked.group_by], "/global/spend/report")
        return ReportAnswer.of(asked.group_by, found)

    def reset(self, call: AdminCall[Nothing, Nothing]) -> Reset:
        self._desk.reset_all(call.actor)
        return Reset()

    def activity(self, call: AdminCall[DatesAsked, Nothing]) -> Activity:
        span = span_between(call.query.start_date, call.query.end_date)
        return Activity.of(self._reports.daily(call.actor, "all", span, "/global/activity"))

    def models_activity(self, call: AdminCall[DatesAsked, Nothing]) -> list[ModelActivity]:
        span, route = span_between(call.query.start_date, call.query.end_date), "/global/activity/model"
        dearest = self._reports.totals(call.actor, TotalsQuery("model", span, limit=_MOST_MODELS), route)
        days: dict[str, list[Sum]] = {one.id: [] for one in dearest}
        for day in self._reports.daily(call.actor, "model", span, route):
            if day.id in days:
                days[day.id].append(day)
        return [ModelActivity.named(model, found) for model, found in days.items()]

    def _end_users(self, actor: Actor, asked: EndUsersAsked) -> list[EndUserSpend]:
        route = "/global/spend/end_users"
        span = self._latest(DatesAsked(start_date=asked.dates()[0], end_date=asked.dates()[1]))
        if asked.api_key:
            query = RowsQuery(since=span.start, until=span.end)
            found = self._reports.end_users(actor, query, asked.api_key, route)[: asked.limit]
        else:
            totals = self._reports.totals(actor, TotalsQuery("end_user", span, limit=asked.limit), route)
            found = tuple((one.id, one.figures) for one in totals)
        return [EndUserSpend(end_user=name, total_count=sums.calls, total_spend=sums.cost) for name, sums in found]

    def _dearest(self, call: AdminCall[TopAsked, Nothing], kind: TotalsKind, route: str) -> tuple[Sum, ...]:
        asked = call.query
        return self._reports.totals(call.actor, TotalsQuery(kind, self._latest(asked), limit=asked.limit), route)

    def _latest(self, asked: DatesAsked) -> Span:
        return span_or_latest(asked.start_date, asked.end_date, self._reports.now().date())


def _teams(all_days: Iterable[Sum], teams: tuple[Sum, ...]) -> TeamsSpend:
    names = _names(teams)
    days = {one.day or "": {NOBODY: one.figures.cost} for one in all_days}
    totals: dict[str, Decimal] = {}
    for one in teams:
        day = days.setdefault(one.day or "", {NOBODY: Decimal(0)})
        day[NOBODY] -= one.figures.cost
        day[names[one.id]] = one.figures.cost
        totals[names[one.id]] = totals.get(names[one.id], Decimal(0)) + one.figures.cost
    unassigned = sum((day[NOBODY] for day in days.values()), Decimal(0))
    if unassigned or not totals:
        totals[NOBODY] = unassigned
    dearest = sorted(totals, key=lambda name: -totals[name])
    return TeamsSpend(
        daily_spend=[
            DayTeams.model_validate({name: float(spend) for name, spend in spent.items()} | {"date": day})
            for day, spent in sorted(days.items())
        ],
        teams=dearest,
        total_spend_per_team=[TeamSpend(team_id=name, total_spend=totals[name]) for name in dearest],
    )


def _names(teams: Iterable[Sum]) -> dict[str, str]:
    """By id: a team's alias, unless two have it, or it is a word that the answer needs."""
    aliases = {one.id: one.name or one.id for one in teams}
    names: dict[str, str] = {}
    for team, alias in aliases.items():
        alone = list(aliases.values()).count(alias) == 1 and (alias == team or alias not in aliases)
        name = alias if alone else team
        names[team] = f"team {name}" if name in ("date", NOBODY) else name
    return names


def routes(reports: Reports, desk: SpendDesk) -> list[Route[Any, Any]]:
    """All of them."""
    view = GlobalViews(reports, desk)
    reset = Route(
        "POST",
        "/global/spend/reset",
        "Let what keys and teams spent of their budgets count from 0",
        "administrator",
        Nothing,
        Nothing,
        Reset,
        view.reset,
    )
    return [*_sums(view), *_with_dates(view), *_activity(view), reset]


def _sums(view: GlobalViews) -> list[Route[Any, Any]]:
    return [
        _get("", "All that was spent", Nothing, GlobalSpend, view.spend),
        _get("/keys", "The dearest keys", TopAsked, list[KeySpend], view.keys, Table(KeySpend, list)),
        _get("/models", "The dearest models", TopAsked, list[ModelSpend], view.models, Table(ModelSpend, list)),
        _get(
            "/teams",
            "What teams spent, by day",
            DatesAsked,
            TeamsSpend,
            view.teams,
            Table(TeamSpend, lambda answer: answer.total_spend_per_team),
        ),
        _get("/logs", "What each day cost", KeyDaysAsked, list[DateSpend], view.days, Table(DateSpend, list)),
    ]


def _with_dates(view: GlobalViews) -> list[Route[Any, Any]]:
    end_users = Table(EndUserSpend, list)
    tags = Table(NamedTag, lambda answer: answer.spend_per_tag)
    results = Table(SubjectAnswer, lambda answer: answer.results)
    asked_in_body = Route(
        "POST",
        "/global/spend/end_users",
        "The dearest end users",
        "administrator",
        Nothing,
        EndUsersAsked,
        list[EndUserSpend],
        view.end_users_named,
    )
    return [
        _get("/tags", "The dearest tags", TagsAsked, TagsSpend, view.tags, tags),
        _get("/end_users", "The dearest end users", EndUsersAsked, list[EndUserSpend], view.end_users, end_users),
        replace(asked_in_body, reads=True, table=end_users),
        _get("/report", "All by day, and the dearest of a kind", OverallAsked, ReportAnswer, view.report, results),
    ]


def _activity(view: GlobalViews) -> list[Route[Any, Any]]:
    days, models = Table(DayActivity, lambda answer: answer.daily_data), Table(ModelActivity, list)
    route = "/global/activity"
    return [
        _get(route, "Calls and tokens by day", DatesAsked, Activity, view.activity, days),
        _get(
            f"{route}/model",
            "Calls and tokens by day, of each model",
            DatesAsked,
            list[ModelActivity],
            view.models_activity,
            models,
        ),
    ]


def _get(  # noqa: PLR0913, PLR0917  # what a route is made of, in its order
    path: str, summary: str, query: Any, answer: Any, view: Any, table: Table | None = None
) -> Route[Any, Any]:
    rule = path if path.startswith("/global") else f"/global/spend{path}"
    return Route("GET", rule, summary, "administrator", query, Nothing, answer, view, table=table)
