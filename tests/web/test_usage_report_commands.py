"""`flask --app wsgi usage report|prune`: the sums of the routes, in a terminal."""

import csv
import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from tests.web.spent_world import FIRST, NOVA, SECOND, SONNET, SpentWorld

DAYS = ("--since", FIRST, "--until", SECOND)


def run(world: SpentWorld, *words: str, typed: str = "", fails: bool = False) -> str:
    result = world.client.app.test_cli_runner().invoke(args=("usage", *words), input=typed)
    assert result.exit_code == int(fails), result.output
    return result.output


def test_lines_come_with_figures_a_bar_and_a_total(spent: SpentWorld) -> None:
    lines = run(spent, "report", "--by", "team", *DAYS).splitlines()

    assert lines[0] == f"{FIRST} to {SECOND} (UTC)"
    assert lines[1].split() == "CALLS FAILED UNPRICED INPUT OUTPUT CACHE READ CACHE WRITE USD".split()
    assert lines[2].split() == ["blue", "1", "0", "0", "10", "2", "0", "0", "4.0000", "█" * 12]
    assert lines[3].split()[:-1] == "Red (red) 4 1 1 120 104 50 7 1.7500".split()
    assert lines[4].split() == ["(none)", "1", "0", "0", "10", "2", "0", "0", "8.0000", "█" * 24]
    assert lines[5].split() == "all calls 6 1 1 140 108 50 7 13.7500".split()
    assert len({line.index(cost) + len(cost) for line, cost in zip(lines[2:6], _costs(lines), strict=True)}) == 1


def _costs(lines: list[str]) -> list[str]:
    return ["4.0000", "1.7500", "8.0000", "13.7500"]


@pytest.mark.parametrize(
    ("by", "ids"),
    [
        ("key", {"=blue": 4.0, "ci": 1.75, "boss": 0.0, "(none)": 8.0}),
        ("team", {None: 4.0, "Red": 1.75, "(none)": 8.0}),
        ("user", {"rita": 1.75, "boss": 0.0, "": 12.0}),
        ("end-user", {"dave": 4.0, "carol": 1.5, "": 8.25}),
        ("model", {NOVA: 12.25, SONNET: 1.5}),
        ("tag", {"prod": 1.75}),
        ("claimed-tag", {"nightly": 1.5}),
        ("day", {FIRST: 1.5, SECOND: 12.25}),
    ],
)
def test_json_has_the_figures_of_the_routes(spent: SpentWorld, by: str, ids: dict[str, float]) -> None:
    found = json.loads(run(spent, "report", "--by", by, *DAYS, "--json"))

    named = {"key": "name", "team": "name"}.get(by, "id")
    assert {one[named]: one["spend"] for one in found} == ids


@pytest.mark.parametrize(
    ("by", "ids"),
    [
        ("key", {"ci": 1.75, "boss": 0.0}),
        ("user", {"rita": 1.75, "boss": 0.0}),
        ("model", {SONNET: 1.5, NOVA: 0.25}),
        ("day", {FIRST: 1.5, SECOND: 0.25}),
        ("team", {"Red": 1.75}),
    ],
)
def test_a_team_is_reported_by_itself(spent: SpentWorld, by: str, ids: dict[str, float]) -> None:
    found = json.loads(run(spent, "report", "--by", by, "--team", "red", *DAYS, "--json"))

    assert {one["name"] or one["id"]: one["spend"] for one in found} == ids
    assert "1.7500" in run(spent, "report", "--by", by, "--team", "Red", *DAYS).splitlines()[-1]


def test_a_team_that_was_deleted_is_reported_by_its_id(world: SpentWorld) -> None:
    world.client.made("/team/delete", team_ids=["red"])

    assert "1.7500" in run(world, "report", "--team", "red", *DAYS)


def test_a_key_is_shown_by_its_alias_and_its_id_where_another_had_it_too(world: SpentWorld) -> None:
    assert run(world, "report", "--by", "key", *DAYS).splitlines()[2].startswith("=blue ")
    first = world.id_of("ci")
    world.client.made("/key/delete", key_aliases=["ci"])
    second = world.client.made("/key/generate", key_alias="ci")["key_id"]
    world.book("seven", SECOND, "1", key_id=second)

    found = run(world, "report", "--by", "key", *DAYS)
    assert f"ci ({first})" in found
    assert f"ci ({second})" in found


def test_csv_has_a_line_each_and_no_formulas(spent: SpentWorld) -> None:
    rows = list(csv.DictReader(StringIO(run(spent, "report", "--by", "key", *DAYS, "--csv"))))

    assert [(row["name"], row["spend"]) for row in rows] == [
        ("'=blue", "4.0"),
        ("ci", "1.75"),
        ("boss", "0.0"),
        ("(none)", "8.0"),
    ]
    assert list(rows[0])[:3] == ["id", "name", "spend"]
    assert not rows[-1]["id"]


def test_what_is_not_listed_is_summed_up(spent: SpentWorld) -> None:
    lines = run(spent, "report", "--by", "key", "--top", "1", *DAYS).splitlines()

    assert [line.split()[0] for line in lines[2:]] == ["=blue", "(others)", "all"]
    assert lines[3].split()[-2] == "9.7500"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "tomorrow"), "since: 'tomorrow' is no date. Write YYYY-MM-DD, or for how long: 7d, 2w, 1mo."),
        (("--team", "nobody"), "There is no such team."),
        (("--since", "400d"), "At most 366 days at once"),
        (("--since", SECOND, "--until", FIRST), "lies before start_date"),
        (("--team", "red", "--by", "tag"), "Tags are not counted by team"),
    ],
)
def test_what_cannot_be_reported_is_said_in_one_line(spent: SpentWorld, words: tuple[str, ...], said: str) -> None:
    [line] = run(spent, "report", *words, fails=True).splitlines()

    assert said in line


@pytest.mark.parametrize(("since", "calls"), [("1d", 1), ("2d", 1), ("3d", 2), ("1w", 2), ("1mo", 3)])
def test_days_are_counted_back_from_today(world: SpentWorld, since: str, calls: int) -> None:
    today = datetime.now(UTC).date()
    for age in (0, 2, 29):
        world.book(f"aged-{age}", (today - timedelta(days=age)).isoformat(), "1", model="aged")

    found = json.loads(run(world, "report", "--since", since, "--json"))

    assert next(one["requests"] for one in found if one["id"] == "aged") == calls


def test_pruning_deletes_old_rows_and_keeps_what_was_spent(world: SpentWorld) -> None:
    today = datetime.now(UTC).date()
    for age in (90, 3):
        world.book(f"aged-{age}", (today - timedelta(days=age)).isoformat(), "1", "ci")
    before = world.client.seen("/global/spend")
    total = world.client.seen("/key/info", world.keys["ci"])["info"]["remaining"]["spend"]

    assert "No rows are older" in run(world, "prune", "--older-than", "900d")
    assert "Aborted" in run(world, "prune", "--older-than", "60d", typed="n\n", fails=True)
    assert run(world, "prune", "--older-than", "60d", "--yes").startswith("1 rows deleted")

    assert world.client.seen("/spend/logs", request_id="aged-90") == []
    assert len(world.client.seen("/spend/logs", request_id="aged-3")) == 1
    assert world.client.seen("/global/spend") == before
    assert world.client.seen("/key/info", world.keys["ci"])["info"]["remaining"]["spend"] == total


@pytest.mark.parametrize("age", ["1d", "47h", "3 fortnights", "0d"])
def test_rows_that_may_yet_be_booked_are_not_pruned(spent: SpentWorld, age: str) -> None:
    [line] = run(spent, "prune", "--older-than", age, "--yes", fails=True).splitlines()

    assert "--older-than" in line
