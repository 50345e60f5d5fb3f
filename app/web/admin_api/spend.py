"""/spend routes, and the reports of keys, teams and users: what was used and spent, for whoever may see it."""

from dataclasses import replace
from functools import partial
from typing import Any

from app.core.errors import InvalidField
from app.core.registry_messages import AccountQuery, KeyQuery
from app.core.report_messages import (
    MOST_COUNTED,
    RowsQuery,
    Span,
    TotalsQuery,
    moments_between,
    span_between,
    span_or_latest,
)
from app.gateway.key_desk import KeyDesk
from app.gateway.reports import Reports, Subject
from app.gateway.user_desk import UserDesk
from app.web.admin_api.account_forms import gently
from app.web.admin_api.csv_tables import Table
from app.web.admin_api.key_answers import KeyRow
from app.web.admin_api.key_results import pages
from app.web.admin_api.routes import AdminCall, Nothing, Route, WithHeaders
from app.web.admin_api.spend_answers import ReportAnswer, RowPage, SubjectAnswer, TagSpend
from app.web.admin_api.spend_forms import (
    DatesAsked,
    KeyReportAsked,
    KeysBySpendAsked,
    LogPageAsked,
    LogsAsked,
    TagsAsked,
    TeamReportAsked,
    UserReportAsked,
    UsersBySpendAsked,
)
from app.web.admin_api.spend_rows import DayRow, SpendRow
from app.web.admin_api.user_answers import UserAnswer, user_answer

# how many rows an answer was cut to: an array has no other place to say so
LIMITED = "x-outcrop-limited-to"


class SpendViews:
    """What the routes do."""

    def __init__(self, reports: Reports, keys: KeyDesk, users: UserDesk) -> None:
        self._reports = reports
        self._keys = keys
        self._users = users

    def logs(self, call: AdminCall[LogsAsked, Nothing]) -> list[DayRow] | WithHeaders:
        asked = call.query
        query, dated = asked.query(), bool(asked.start_date or asked.end_date)
        if dated and asked.summarize:
            span = span_between(asked.start_date, asked.end_date)
            return [DayRow.of(day) for day in self._reports.days(call.actor, span, query, asked.api_key)]
        since, until = moments_between(asked.start_date, asked.end_date) if dated else (None, None)
        wanted = RowsQuery(**asked.filters(), since=since, until=until, limit=asked.limit + 1)
        found = self._reports.rows(call.actor, wanted, asked.api_key)
        rows = [SpendRow.of(entry) for entry in gently(found[: asked.limit])]
        return WithHeaders(rows, {LIMITED: str(asked.limit)} if len(found) > asked.limit else {})

    def log_page(self, call: AdminCall[LogPageAsked, Nothing]) -> RowPage:
        asked = call.query
        query = asked.query()
        if query.skip >= MOST_COUNTED:
            raise InvalidField(f"Pages go through {MOST_COUNTED} calls: ask for a shorter time.", "page")
        if asked.request_id is None or asked.start_date or asked.end_date:
            since, until = moments_between(asked.start_date, asked.end_date)
            query = RowsQuery(
                **asked.filters() | {"status": query.status},
                since=since,
                until=until,
                limit=query.limit,
                skip=query.skip,
            )
        found = self._reports.page(call.actor, query, asked.api_key)
        return RowPage(
            data=[SpendRow.of(entry) for entry in gently(found.entries)],
            total=found.total,
            page=asked.page,
            page_size=asked.page_size,
            total_pages=pages(found.total, asked.page_size),
            total_is_capped=found.capped,
        )

    def keys(self, call: AdminCall[KeysBySpendAsked, Nothing]) -> list[KeyRow]:
        query = KeyQuery(self._keys.now(), sort_by="spend", size=call.query.limit)
        return [KeyRow.of(key) for key in gently(self._keys.page(call.actor, query).items)]

    def users(self, call: AdminCall[UsersBySpendAsked, Nothing]) -> list[UserAnswer]:
        asked = call.query
        if asked.user_id:
            return [user_answer(self._users.info(call.actor, asked.user_id))]
        found = self._users.page(call.actor, AccountQuery(size=asked.limit))
        if found.total > asked.limit:
            dearest = self._reports.totals(call.actor, TotalsQuery("user", limit=asked.limit), "/spend/users")
            ids = frozenset(one.id for one in dearest)
            found = self._users.page(call.actor, AccountQuery(ids=ids, size=asked.limit))
        return [user_answer(view) for view in sorted(found.items, key=lambda view: -view.user.spend)]

    def tags(self, call: AdminCall[TagsAsked, Nothing]) -> list[TagSpend]:
        asked = call.query
        span = self._latest(asked)
        found = tags_of(self._reports, call, span, "/spend/tags")
        return [
            TagSpend(
                individual_request_tag=one.id,
                log_count=one.figures.calls,
                total_spend=one.figures.cost,
                source=source,
            )
            for source, one in found
        ]

    def key_report(self, call: AdminCall[KeyReportAsked, Nothing]) -> ReportAnswer:
        return self._report(call, "key", call.query.api_key)

    def team_report(self, call: AdminCall[TeamReportAsked, Nothing]) -> ReportAnswer:
        return self._report(call, "team", call.query.team_id)

    def user_report(self, call: AdminCall[UserReportAsked, Nothing]) -> ReportAnswer:
        return self._report(call, "user", call.query.user_id)

    def _report(self, call: AdminCall[Any, Nothing], subject: Subject, named: str | None) -> ReportAnswer:
        asked: DatesAsked = call.query
        span = span_between(asked.start_date, asked.end_date)
        return ReportAnswer.of(subject, self._reports.of(call.actor, subject, span, named))

    def _latest(self, asked: DatesAsked) -> Span:
        return span_or_latest(asked.start_date, asked.end_date, self._reports.now().date())


def tags_of(reports: Reports, call: AdminCall[TagsAsked, Nothing], span: Span, route: str) -> list[tuple[str, Any]]:
    """Keys' tags and claimed ones, each with where it is from, the dearest first."""
    named, limit = call.query.named(), call.query.limit
    found = [("key", one) for one in reports.totals(call.actor, TotalsQuery("tag", span, named, limit=limit), route)]
    claimed = TotalsQuery("claimed_tag", span, named, limit=limit)
    found += [("claimed", one) for one in reports.totals(call.actor, claimed, route)]
    return sorted(found, key=lambda one: -one[1].figures.cost)[:limit]


def routes(reports: Reports, keys: KeyDesk, users: UserDesk) -> list[Route[Any, Any]]:
    """All of them. The reports look whose calls they are about."""
    view = SpendViews(reports, keys, users)
    get = partial(Route, method="GET", access="holder", body=Nothing)
    pages_of_rows = Table(SpendRow, lambda page: page.data)
    days_or_rows = get(
        rule="/spend/logs",
        summary="Calls, newest first, or what each day cost",
        query=LogsAsked,
        answer=list[SpendRow] | list[DayRow],
        view=view.logs,
        table=Table(SpendRow, list),
    )
    paged = get(
        rule="/spend/logs/v2",
        also=("/spend/logs/ui",),
        summary="Calls, page by page",
        query=LogPageAsked,
        answer=RowPage,
        view=view.log_page,
        table=pages_of_rows,
    )
    return [days_or_rows, paged, *_lists(view), *_reports(view)]


def _lists(view: SpendViews) -> list[Route[Any, Any]]:
    def listing(rule: str, summary: str, query: Any, row: Any, view: Any) -> Route[Any, Any]:
        table = Table(row, list)
        return Route("GET", rule, summary, "administrator", query, Nothing, list[row], view, table=table)

    keys = listing("/spend/keys", "Keys by what they spent", KeysBySpendAsked, KeyRow, view.keys)
    return [
        replace(keys, access="holder"),
        listing("/spend/users", "Users by what they spent", UsersBySpendAsked, UserAnswer, view.users),
        listing("/spend/tags", "Tags by what they cost", TagsAsked, TagSpend, view.tags),
    ]


def _reports(view: SpendViews) -> list[Route[Any, Any]]:
    table = Table(SubjectAnswer, lambda answer: answer.results)

    def report(subject: str, query: Any, view: Any) -> Route[Any, Any]:
        rule, summary = f"/{subject}/spend/report", f"{subject.title()}s by day and model"
        return Route("GET", rule, summary, "holder", query, Nothing, ReportAnswer, view, table=table)

    return [
        report("key", KeyReportAsked, view.key_report),
        report("team", TeamReportAsked, view.team_report),
        report("user", UserReportAsked, view.user_report),
    ]
