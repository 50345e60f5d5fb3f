"""What spend routes answer, besides rows (spend_rows.py): the peer's shapes, and reports of our own."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from pydantic import ConfigDict, Field

from app.core.report_messages import BUCKETS_MS, Figures, Sum
from app.gateway.reports import Report, SubjectReport
from app.web.admin_api.account_forms import Dollars
from app.web.admin_api.spend_rows import SpendRow
from app.web.admin_api.wire_model import WireModel

NOBODY = "Unassigned"


class RowPage(WireModel):
    """A page of calls. `total` is counted no further than 100,000, and capped there."""

    data: list[SpendRow]
    total: int
    page: int
    page_size: int
    total_pages: int
    total_is_capped: bool


class TagSpend(WireModel):
    """A tag. `source`: key, where it is one of the key's own; claimed, where callers sent it along."""

    individual_request_tag: str
    log_count: int
    total_spend: Dollars
    source: str


class NamedTag(WireModel):
    """The same, as another route of the peer writes it."""

    name: str
    spend: Dollars
    log_count: int
    source: str


class TagsSpend(WireModel):
    """Tags, the dearest first."""

    spend_per_tag: list[NamedTag]


class GlobalSpend(WireModel):
    """All that was spent. There is no budget for all."""

    spend: Dollars
    max_budget: float = 0.0


class KeySpend(WireModel):
    """What a key spent."""

    api_key: str
    key_alias: str | None
    key_name: str | None
    total_spend: Dollars


class ModelSpend(WireModel):
    """What a model cost, by the name that it was asked for."""

    model: str
    total_spend: Dollars


class TeamSpend(WireModel):
    """What a team spent. `team_id` is its alias where it has one, as with the peer."""

    team_id: str
    total_spend: Dollars


class DayTeams(WireModel):
    """A day, and beside its date what each team spent, by its name."""

    model_config = ConfigDict(extra="allow")

    date: str


class TeamsSpend(WireModel):
    """What teams spent. "Unassigned": by keys of no team, and by the administrator's."""

    daily_spend: list[DayTeams]
    teams: list[str]
    total_spend_per_team: list[TeamSpend]


class DateSpend(WireModel):
    """What a day cost."""

    date: str
    spend: Dollars


class EndUserSpend(WireModel):
    """What an end user cost."""

    end_user: str
    total_count: int
    total_spend: Dollars


class Reset(WireModel):
    """What keys and teams spent of their budgets counts from 0."""

    message: str = "Spend for all API Keys and Teams reset successfully"
    status: str = "success"


class DayActivity(WireModel):
    """A day's calls and tokens."""

    date: str
    api_requests: int
    total_tokens: int

    @classmethod
    def of(cls, day: Sum) -> "DayActivity":
        on = date.fromisoformat(day.day or "")
        figures = day.figures
        # the peer's form of a date, whatever the machine's language
        return cls(
            date=f"{_MONTHS[on.month - 1]} {on.day:02}",
            api_requests=figures.calls,
            total_tokens=figures.total_tokens,
        )


_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Activity(WireModel):
    """Calls and tokens, by day and in sum."""

    daily_data: list[DayActivity]
    sum_api_requests: int
    sum_total_tokens: int

    @classmethod
    def of(cls, days: Iterable[Sum]) -> "Activity":
        return cls.model_validate(_activity(days))


class ModelActivity(Activity):
    """The same of one model, by the name that it was asked for."""

    model: str

    @classmethod
    def named(cls, model: str, days: Iterable[Sum]) -> "ModelActivity":
        return cls.model_validate(_activity(days) | {"model": model})


def _activity(days: Iterable[Sum]) -> dict[str, Any]:
    found = [DayActivity.of(day) for day in days]
    return {
        "daily_data": found,
        "sum_api_requests": sum(day.api_requests for day in found),
        "sum_total_tokens": sum(day.total_tokens for day in found),
    }


class FiguresAnswer(WireModel):
    """Sums of calls. `average_ms`: of their durations."""

    spend: Dollars
    requests: int
    failed_requests: int
    unpriced_requests: int
    prompt_tokens: int
    completion_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    total_tokens: int
    average_ms: float | None


class DayFigures(FiguresAnswer):
    """Of one day."""

    date: str


class ModelFigures(FiguresAnswer):
    """Of one model, by the name that it was asked for."""

    model: str


class SubjectAnswer(FiguresAnswer):
    """Of one key, team, ... `models` is null where it has too many calls to go through: ask for fewer days."""

    id: str
    name: str | None
    api_key: str | None
    daily: list[DayFigures]
    models: list[ModelFigures] | None


class ReportAnswer(WireModel):
    """Some days: all in sum, by day and by model, and the dearest hundred of a kind.

    `requests_by_duration` counts calls by the milliseconds that they took less than, "longer" those that took more.
    """

    start_date: str
    end_date: str
    group_by: str
    total: FiguresAnswer
    requests_by_duration: dict[str, int]
    daily: list[DayFigures]
    models: list[ModelFigures] | None = Field(description="Null where it is told of each in results.")
    results: list[SubjectAnswer]

    @classmethod
    def of(cls, group_by: str, report: Report) -> "ReportAnswer":
        names = [f"under_{limit}" for limit in BUCKETS_MS] + ["longer"]
        return cls(
            start_date=report.span.first.isoformat(),
            end_date=report.span.last.isoformat(),
            group_by=group_by,
            total=FiguresAnswer.model_validate(figures(report.total)),
            requests_by_duration=dict(zip(names, report.total.buckets, strict=True)),
            daily=[_day(day) for day in report.days],
            models=None if report.models is None else [_model(one.id, one.figures) for one in report.models],
            results=[_subject(one) for one in report.subjects],
        )


def figures(found: Figures) -> dict[str, Any]:
    """As the routes name them."""
    return {
        "spend": found.cost,
        "requests": found.calls,
        "failed_requests": found.failures,
        "unpriced_requests": found.unpriced,
        "prompt_tokens": found.input_tokens,
        "completion_tokens": found.output_tokens,
        "cache_read_input_tokens": found.cache_read_tokens,
        "cache_creation_input_tokens": found.cache_write_tokens,
        "total_tokens": found.total_tokens,
        "average_ms": None if found.average_ms is None else round(found.average_ms, 1),
    }


def _subject(report: SubjectReport) -> SubjectAnswer:
    one, models = report.sum, report.models
    told = {
        "id": one.id,
        "name": one.name,
        "api_key": one.token,
        "daily": [_day(day) for day in report.days],
        "models": None if models is None else [_model(model, found) for model, found in models],
    }
    return SubjectAnswer.model_validate(figures(one.figures) | told)


def _day(day: Sum) -> DayFigures:
    return DayFigures.model_validate(figures(day.figures) | {"date": day.day or ""})


def _model(model: str, found: Figures) -> ModelFigures:
    return ModelFigures.model_validate(figures(found) | {"model": model})
