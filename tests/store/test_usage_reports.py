"""Reports of use on both databases: what the daily totals tell is what the ledger's rows come to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from app.core.ledger_entries import OTHER, UNPRICED, Account, Charge, Entry, Posting, Window
from app.core.report_messages import RowsQuery, Sight, Span, TotalsKind, TotalsQuery
from app.core.usage import Attribution, Usage
from app.store.database import Database
from app.store.ledger import LedgerStore
from app.store.usage_reports import UsageReports
from tests.store.conftest import Put
from tests.store.samples import plain_key, plain_team

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
NOVEMBER = Span(date(2026, 11, 1), date(2026, 11, 30))
WHOLE = Entry(
    request_id="whole",
    started_at=FIRST,
    ended_at=FIRST + timedelta(seconds=1),
    status="failure",
    http_status=400,
    error="ValidationException",
    ended="client_gone",
    key_id="key-001",
    key_token="t" * 64,
    key_alias="ci",
    team_id="team-001",
    team_alias="Red",
    user_id="ann",
    attribution=Attribution("carol", "user", "session", ("nightly",), {"job": 7}, "mine"),
    counted_end_user="carol",
    key_tags=("prod",),
    counted_tags=("nightly",),
    service="bedrock-runtime",
    operation="Converse",
    model="amazon.nova-lite-v1:0",
    region="us-east-1",
    usage=Usage("estimated", {"input": 5, "output": 7, "cache_read": 2}, "stream", {"m": {"input": 5}}),
    charge=Charge(Decimal("0.000000000001"), "nova", "geo", "flex", {"input": Decimal("0.000000000003")}, "2026/nova"),
    duration_ms=1000.5,
    first_byte_ms=12.25,
    streamed=True,
    bytes_in=10,
    bytes_out=20,
    address="203.0.113.9",
    aws_request_id="aws-1",
    note={"why": "because"},
)


def calls(count: int, seed: int = 1) -> list[Posting]:
    """Calls of a month, of all kinds."""
    random = Random(seed)
    found = []
    for number in range(count):
        start = FIRST + timedelta(minutes=random.randrange(30 * 24 * 60))
        key = random.randrange(5)
        failed = random.random() < 0.1
        cost = None if random.random() < 0.1 else Decimal(0 if failed else random.randrange(10**9)).scaleb(-12)
        end_user = random.choice((None, "carol", "dave", OTHER))
        entry = Entry(
            request_id=f"call-{seed}-{number:05}",
            started_at=start,
            ended_at=start + timedelta(seconds=2),
            status="failure" if failed else "success",
            key_id=f"key-{key:03}",
            key_token=f"{key:064x}",
            team_id=f"team-{key % 2:03}" if key else None,
            user_id=random.choice((None, "ann", "bob")),
            attribution=Attribution(end_user=f"user-{number}" if end_user == OTHER else end_user),
            counted_end_user=end_user,
            key_tags=("prod",) if key else (),
            counted_tags=("nightly",) if number % 3 else (),
            model=random.choice(("amazon.nova-lite-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0")),
            usage=Usage("reported", {"input": number, "output": 3, "cache_read": 2, "cache_write_5m": 1}, "converse"),
            charge=UNPRICED if cost is None else Charge(cost),
            duration_ms=random.choice((50.0, 250.0, 2_000.0, 200_000.0)),
        )
        found.append(Posting(entry, ((Account("key", f"key-{key:03}"), Window()),)))
    return found


@pytest.fixture
def reports(database: Database) -> UsageReports:
    return UsageReports(database)


@pytest.fixture
def book(database: Database) -> Callable[[list[Posting]], None]:
    def book(postings: list[Posting]) -> None:
        LedgerStore(database).book(postings)

    return book


Book = Callable[[list[Posting]], None]


def test_a_row_comes_back_as_the_entry_it_was_made_of(reports: UsageReports, book: Book) -> None:
    book([Posting(WHOLE)])

    assert reports.rows(RowsQuery()) == (replace(WHOLE, counted_tags=()),)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("key", lambda entry: entry.key_id),
        ("team", lambda entry: entry.team_id),
        ("user", lambda entry: entry.user_id),
        ("end_user", lambda entry: entry.counted_end_user),
        ("model", lambda entry: entry.model),
        ("all", lambda entry: ""),
    ],
)
def test_daily_totals_tell_what_the_rows_come_to(
    reports: UsageReports, book: Book, kind: TotalsKind, name: Callable[[Entry], str | None]
) -> None:
    postings = calls(300)
    book(postings)
    span = Span(date(2026, 11, 5), date(2026, 11, 20))
    wanted = [one.entry for one in postings if span.start <= one.entry.started_at < span.end]

    found = {one.id: one.figures for one in reports.totals(TotalsQuery(kind, span))}
    by_day = reports.totals(TotalsQuery(kind, span, by_day=True))

    assert set(found) == {name(entry) for entry in wanted} - {None}
    for thing, figures in found.items():
        its = [entry for entry in wanted if name(entry) == thing]
        assert figures.cost == sum((entry.charge.cost or Decimal(0) for entry in its), Decimal(0))
        assert figures.calls == len(its) == sum(figures.buckets)
        assert figures.failures == sum(entry.status == "failure" for entry in its)
        assert figures.unpriced == sum(entry.charge.cost is None for entry in its)
        assert figures.total_tokens == sum(entry.usage.total_tokens for entry in its)
        assert figures.duration_ms == sum(entry.duration_ms or 0 for entry in its)
        assert sum(day.figures.cost for day in by_day if day.id == thing) == figures.cost
    assert [day.day for day in by_day] == sorted(day.day or "" for day in by_day)


def test_sums_of_rows_are_those_of_the_daily_totals(reports: UsageReports, book: Book) -> None:
    book(calls(300))

    rows = reports.row_sums(RowsQuery(since=NOVEMBER.start, until=NOVEMBER.end), ("key_id",), 300)

    assert rows is not None
    totals = {one.id: one.figures for one in reports.totals(TotalsQuery("key", NOVEMBER))}
    assert {one.group["key_id"]: replace(one.figures, buckets=()) for one in rows} == {
        key: replace(figures, buckets=()) for key, figures in totals.items()
    }


def test_rows_are_summed_up_to_a_bound_and_no_further(reports: UsageReports, book: Book) -> None:
    book(calls(10))

    assert [reports.row_sums(RowsQuery(), ("model",), most) is None for most in (9, 10, 11)] == [True, False, False]


def test_all_time_is_from_the_first_day_to_the_last(reports: UsageReports, book: Book) -> None:
    assert reports.totals(TotalsQuery("all")) == ()

    book(calls(50))
    old = replace(WHOLE, started_at=datetime(2020, 2, 29, tzinfo=UTC), charge=Charge(Decimal(7)))
    book([Posting(old)])

    [found] = reports.totals(TotalsQuery("all"))
    assert (found.figures.calls, found.figures.cost > 7) == (51, True)


def test_the_dearest_come_first_and_with_their_names(reports: UsageReports, book: Book, put: Put) -> None:
    put(plain_key(1, alias="ci"), plain_key(2), plain_team(1, alias="Red"))
    book([_dollars("a", 1, "key-001", "team-001"), _dollars("b", 2, "key-002", "team-002"), _dollars("c", 3, "gone")])

    keys = reports.totals(TotalsQuery("key", NOVEMBER))
    teams = reports.totals(TotalsQuery("team", NOVEMBER))

    assert [(one.id, one.name, one.key_name) for one in keys] == [
        ("gone", None, None),
        ("key-002", None, "sk-...0002"),
        ("key-001", "ci", "sk-...0001"),
    ]
    assert [(one.id, one.name) for one in teams] == [("team-002", None), ("team-001", "Red")]
    assert [one.id for one in reports.totals(TotalsQuery("key", NOVEMBER, limit=1))] == ["gone"]
    assert [one.id for one in reports.totals(TotalsQuery("key", NOVEMBER, frozenset(("key-001",))))] == ["key-001"]


def test_rows_are_found_by_each_filter(reports: UsageReports, book: Book) -> None:
    postings = calls(200)
    book(postings)
    entries = [one.entry for one in postings]
    one = next(entry for entry in entries if entry.counted_end_user == OTHER)

    def found(query: RowsQuery) -> set[str]:
        return {entry.request_id for entry in reports.rows(query)}

    def those(fits: Callable[[Entry], bool]) -> set[str]:
        return {entry.request_id for entry in entries if fits(entry)}

    assert found(RowsQuery(request_id=one.request_id)) == {one.request_id}
    assert found(RowsQuery(end_user=one.attribution.end_user)) == {one.request_id}
    assert found(RowsQuery(end_user=OTHER)) == those(lambda entry: entry.counted_end_user == OTHER)
    assert found(RowsQuery(end_user="carol")) == those(lambda entry: entry.counted_end_user == "carol")
    assert found(RowsQuery(user_id="ann")) == those(lambda entry: entry.user_id == "ann")
    assert found(RowsQuery(status="failure")) == those(lambda entry: entry.status == "failure")
    assert found(RowsQuery(model=one.model)) == those(lambda entry: entry.model == one.model)
    assert found(RowsQuery(among=("key_id", frozenset(("key-001", "key-002"))))) == those(
        lambda entry: entry.key_id in ("key-001", "key-002")
    )
    assert found(RowsQuery(sight=Sight("key-001", frozenset(("team-000",))))) == those(
        lambda entry: entry.key_id == "key-001" or entry.team_id == "team-000"
    )
    assert found(RowsQuery(sight=Sight(None))) == set()


def test_rows_come_newest_first_page_by_page_with_their_count(reports: UsageReports, book: Book) -> None:
    book(calls(25))

    pages = [reports.page(RowsQuery(limit=10, skip=skip)) for skip in (0, 10, 20, 30)]

    rows = [entry for page in pages for entry in page.entries]
    assert [len(page.entries) for page in pages] == [10, 10, 5, 0]
    assert {(page.total, page.capped) for page in pages} == {(25, False)}
    assert rows == sorted(rows, key=lambda entry: entry.started_at, reverse=True)


def test_moments_bound_rows_from_the_first_to_before_the_last(reports: UsageReports, book: Book) -> None:
    moments = [FIRST + timedelta(seconds=number) for number in range(4)]
    book([Posting(replace(WHOLE, request_id=str(moment), started_at=moment)) for moment in moments])

    found = reports.rows(RowsQuery(since=moments[1], until=moments[3]))

    assert [entry.started_at for entry in found] == [moments[2], moments[1]]


def test_a_key_is_found_by_its_token_its_id_and_after_it_is_gone(
    reports: UsageReports, put: Put, database: Database
) -> None:
    put(plain_key(1), plain_key(2))

    assert reports.key_ids("key-001") == reports.key_ids(f"{1:064x}") == frozenset(("key-001",))
    assert reports.key_ids("nobody") == frozenset()


def test_balances_are_told_as_they_stand(reports: UsageReports, book: Book) -> None:
    book(calls(20))
    key, nobody = Account("key", "key-001"), Account("key", "nobody")

    found = reports.balances((key, nobody))

    assert set(found) == {key}
    [total] = reports.totals(TotalsQuery("key", NOVEMBER, frozenset(("key-001",))))
    assert found[key].total_spend == total.figures.cost
    assert reports.balances(()) == {}


def _dollars(name: str, cost: int, key: str, team: str | None = None) -> Posting:
    return Posting(replace(WHOLE, request_id=name, key_id=key, team_id=team, charge=Charge(Decimal(cost))))
