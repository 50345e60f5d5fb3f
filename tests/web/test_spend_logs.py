"""/spend/logs: the peer's rows and days, its filters and ours, pages, and their bounds."""

from typing import Any

import pytest

from tests.web.admin_client import MASTER_KEY, AdminClient, refusal
from tests.web.spent_world import DATES, FIRST, NOVA, SECOND, SONNET, SpentWorld

PEERS_FIELDS = frozenset(
    "request_id call_type api_key spend total_tokens prompt_tokens completion_tokens startTime endTime "
    "request_duration_ms completionStartTime model model_id model_group custom_llm_provider api_base user metadata "
    "cache_hit cache_key request_tags team_id end_user requester_ip_address messages response session_id status".split()
)
OUR_FIELDS = frozenset(
    "cache_read_input_tokens cache_creation_input_tokens usage_source usage_method service operation region ended "
    "unpriced tier scope model_priced price_entry rates counts aws_request_id key_tags claimed_tags".split()
)


def ids(rows: Any) -> list[str]:
    return sorted(row["request_id"] for row in rows)


def test_a_row_has_the_peers_fields_and_ours_beside_them(spent: SpentWorld) -> None:
    [row] = spent.client.seen("/spend/logs", request_id="one")

    assert set(row) >= PEERS_FIELDS | OUR_FIELDS
    assert (row["request_id"], row["call_type"], row["api_key"]) == ("one", "allm_passthrough_route", spent.token("ci"))
    assert (row["spend"], row["unpriced"], row["status"], row["ended"]) == (1.5, False, "success", "complete")
    assert (row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) == (100, 100, 257)
    assert (row["cache_read_input_tokens"], row["cache_creation_input_tokens"]) == (50, 7)
    assert (row["startTime"], row["endTime"]) == ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00.518000Z")
    assert (row["completionStartTime"], row["request_duration_ms"]) == ("2026-11-20T12:00:00.100000Z", 518)
    assert (row["model"], row["custom_llm_provider"], row["region"]) == (SONNET, "bedrock", "us-east-1")
    assert (row["user"], row["team_id"], row["end_user"], row["session_id"]) == ("rita", "red", "carol", "session-1")
    assert (row["request_tags"], row["key_tags"], row["claimed_tags"]) == (["prod", "nightly"], ["prod"], ["nightly"])
    assert (row["requester_ip_address"], row["aws_request_id"]) == ("203.0.113.9", "aws-one")
    assert (row["rates"], row["price_entry"]) == ({"input": 0.003, "output": 0.012}, "entry")
    metadata = row["metadata"]
    assert (metadata["user_api_key"], metadata["user_api_key_alias"]) == (spent.token("ci"), "ci")
    assert (metadata["user_api_key_team_id"], metadata["user_api_key_team_alias"]) == ("red", "Red")
    assert metadata["usage_object"]["prompt_tokens"] == 100
    assert metadata["spend_logs_metadata"] == {"job": 7}
    assert metadata["cost_breakdown"] == {"input_cost": 0.3, "output_cost": 1.2, "cache_cost": 0.0, "total_cost": 1.5}
    assert metadata["error_information"] is None


def test_an_unpriced_call_shows_no_spend_and_says_that_it_is_unpriced(spent: SpentWorld) -> None:
    [row] = spent.client.seen("/spend/logs", request_id="two")

    assert (row["spend"], row["unpriced"], row["usage_source"]) == (0.0, True, "unknown")
    assert row["metadata"]["cost_breakdown"] is None


def test_a_failure_says_what_aws_answered(spent: SpentWorld) -> None:
    [row] = spent.client.seen("/spend/logs", request_id="four")

    assert (row["status"], row["spend"], row["unpriced"], row["http_status"]) == ("failure", 0.0, False, 400)
    assert row["metadata"]["error_information"]["error_class"] == "ValidationException"
    assert row["metadata"]["error_information"]["error_code"] == "400"


def test_without_parameters_all_rows_come_newest_first(spent: SpentWorld) -> None:
    rows = spent.client.seen("/spend/logs")

    assert ids(rows) == ["five", "four", "one", "six", "three", "two"]
    assert [row["startTime"] for row in rows] == sorted((row["startTime"] for row in rows), reverse=True)


def test_with_dates_each_day_is_summed_by_key_user_and_model_as_the_peer_does(spent: SpentWorld) -> None:
    days = spent.client.seen("/spend/logs", start_date="2026-11-19", end_date=SECOND)

    assert days == [
        {"startTime": "2026-11-19", "spend": 0.0, "users": {}, "models": {}},
        {
            spent.token("ci"): 1.5,
            "startTime": FIRST,
            "spend": 1.5,
            "users": {"rita": 1.5},
            "models": {SONNET: 1.5},
        },
        {
            spent.token("ci"): 0.25,
            spent.token("boss"): 0.0,
            spent.token("blue"): 4.0,
            "startTime": SECOND,
            "spend": 12.25,
            "users": {"rita": 0.25, "boss": 0.0},
            "models": {NOVA: 12.25},
        },
    ]


def test_filtered_days_are_summed_out_of_the_rows(spent: SpentWorld) -> None:
    days = spent.client.seen("/spend/logs", **DATES, api_key=spent.keys["ci"])

    assert [(day["spend"], day["users"], day["models"]) for day in days] == [
        (1.5, {"rita": 1.5}, {SONNET: 1.5}),
        (0.25, {"rita": 0.25}, {NOVA: 0.25}),
    ]


def test_summarize_false_gives_rows_of_the_days(spent: SpentWorld) -> None:
    rows = spent.client.seen("/spend/logs", start_date=FIRST, end_date=FIRST, summarize="false")

    assert ids(rows) == ["one", "two"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"request_id": "six"}, ["six"]),
        ({"user_id": "rita"}, ["one", "three", "two"]),
        ({"team_id": "red"}, ["four", "one", "three", "two"]),
        ({"end_user": "carol"}, ["one", "two"]),
        ({"model": SONNET}, ["one", "two"]),
        ({"status": "failure"}, ["four"]),
        ({"user_id": "rita", "model": NOVA}, ["three"]),
        ({"api_key": "sk-nobody-has-this-key-0123456789"}, []),
    ],
)
def test_rows_are_filtered(spent: SpentWorld, asked: dict[str, str], found: list[str]) -> None:
    assert ids(spent.client.seen("/spend/logs", **asked)) == found


def test_a_key_is_named_by_its_text_or_its_token_also_when_it_is_deleted(world: SpentWorld) -> None:
    token, text = world.token("ci"), world.keys["ci"]
    assert ids(world.client.seen("/spend/logs", api_key=text)) == ["one", "three", "two"]

    world.client.made("/key/delete", keys=[text])

    assert ids(world.client.seen("/spend/logs", api_key=token)) == ["one", "three", "two"]


def test_an_answer_that_was_cut_says_so(spent: SpentWorld) -> None:
    cut = {}
    for limit in (5, 6, 7):
        answer = spent.client.get("/spend/logs", limit=limit)
        cut[limit] = (len(answer.json), answer.headers.get("x-outcrop-limited-to"))

    assert cut == {5: (5, "5"), 6: (6, None), 7: (6, None)}


def test_pages_have_their_totals_as_the_peer_writes_them(spent: SpentWorld) -> None:
    asked: dict[str, Any] = {"start_date": f"{FIRST} 00:00:00", "end_date": f"{SECOND} 23:59:59", "page_size": 4}
    pages = [spent.client.seen("/spend/logs/v2", **asked, page=page) for page in (1, 2, 3)]

    assert [ids(page["data"]) for page in pages][1:] == [["one", "two"], []]
    assert {name: value for name, value in pages[0].items() if name != "data"} == {
        "total": 6,
        "page": 1,
        "page_size": 4,
        "total_pages": 2,
        "total_is_capped": False,
    }
    assert spent.client.seen("/spend/logs/ui", **asked) == pages[0]
    assert spent.client.seen("/spend/logs/v2", request_id="one")["total"] == 1


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (f"{SECOND} 12:00:00", f"{SECOND} 12:00:00", 4),
        (f"{SECOND} 12:00:01", f"{SECOND} 23:00:00", 0),
        (f"{SECOND} 00:00:00", f"{SECOND} 11:59:59", 0),
        (FIRST, FIRST, 2),
    ],
)
def test_moments_bound_a_page_to_the_second(spent: SpentWorld, start: str, end: str, found: int) -> None:
    assert spent.client.seen("/spend/logs/v2", start_date=start, end_date=end)["total"] == found


@pytest.mark.parametrize("route", ["/spend/logs/v2", "/global/spend/tags", "/global/activity", "/key/spend/report"])
def test_without_dates_it_is_refused_in_the_peers_words(admin_on_sqlite: AdminClient, route: str) -> None:
    answer = admin_on_sqlite.get(route, start_date=FIRST)

    assert refusal(answer) == (400, "None", "Please provide start_date and end_date")
    assert answer.json["error"]["type"] == "bad_request"


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ({"start_date": "yesterday", "end_date": SECOND}, "start_date: 'yesterday' is no date. Write YYYY-MM-DD."),
        ({"start_date": SECOND, "end_date": FIRST}, "end_date 2026-11-20 lies before start_date 2026-11-21."),
        ({"start_date": "2024-01-01", "end_date": "2025-01-01"}, "At most 366 days at once: ask for the rest apart."),
        ({"start_date": "0001-01-01", "end_date": SECOND}, "is not between the years 1970 and 9000."),
        ({"start_date": "2026-11-20T00:00:00+99:00", "end_date": SECOND}, "is no date."),
    ],
)
def test_dates_that_cannot_be_used_are_refused_with_what_to_write(
    admin_on_sqlite: AdminClient, dates: dict[str, str], words: str
) -> None:
    for route in ("/spend/logs", "/global/spend/report", "/spend/logs/v2"):
        status, param, message = refusal(admin_on_sqlite.get(route, **dates))
        assert (status, param.endswith("_date"), words in message) == (400, True, True)


@pytest.mark.parametrize(
    ("route", "name", "instead"),
    [
        ("/global/spend/report", "api_key", "/key/spend/report"),
        ("/global/spend/report", "customer_id", "end_user of /spend/logs"),
        ("/global/activity", "team_id", "/team/spend/report"),
        ("/key/spend/report", "team_id", "/team/spend/report"),
        ("/spend/logs", "end_user_id", "end_user of /spend/logs"),
    ],
)
def test_a_filter_that_a_route_does_not_have_is_refused_with_where_it_is(
    admin_on_sqlite: AdminClient, route: str, name: str, instead: str
) -> None:
    dates = {"start_date": FIRST, "end_date": SECOND}
    status, param, message = refusal(admin_on_sqlite.get(route, **dates, **{name: "red"}))

    assert (status, param, instead in message) == (400, name, True)
    assert admin_on_sqlite.get(route, **dates, **{name: ""}, unheard="of").status_code == 200


def test_a_year_is_within_bounds(admin_on_sqlite: AdminClient) -> None:
    assert len(admin_on_sqlite.seen("/spend/logs", start_date="2024-01-01", end_date="2024-12-31")) == 366


@pytest.mark.parametrize(
    ("by", "found"),
    [
        (MASTER_KEY, ["five", "four", "one", "six", "three", "two"]),
        ("viewer", ["five", "four", "one", "six", "three", "two"]),
        ("boss", ["four", "one", "three", "two"]),
        ("ci", ["one", "three", "two"]),
        ("blue", ["five"]),
        ("outsider", []),
    ],
)
def test_rows_are_seen_by_whom_they_concern(spent: SpentWorld, by: str, found: list[str]) -> None:
    key = spent.keys.get(by, by)

    assert ids(spent.client.seen("/spend/logs", key)) == found
    assert ids(spent.client.seen("/spend/logs/v2", key, **DATES)["data"]) == found
    by_row = sum(row["spend"] for row in spent.client.seen("/spend/logs", key))
    assert sum(day["spend"] for day in spent.client.seen("/spend/logs", key, **DATES)) == by_row


@pytest.mark.parametrize(
    ("by", "asked", "status"),
    [
        ("ci", {"api_key": "blue"}, 403),
        ("ci", {"api_key": "boss"}, 403),
        ("ci", {"api_key": "ci"}, 200),
        ("ci", {"team_id": "red"}, 403),
        ("boss", {"api_key": "ci"}, 200),
        ("boss", {"api_key": "blue"}, 403),
        ("boss", {"team_id": "red"}, 200),
        ("boss", {"team_id": "blue"}, 403),
        ("viewer", {"team_id": "blue"}, 200),
        ("outsider", {"api_key": "nobody"}, 403),
    ],
)
def test_what_is_anothers_is_refused_by_name(spent: SpentWorld, by: str, asked: dict[str, str], status: int) -> None:
    named = {name: spent.keys.get(value, value) for name, value in asked.items()}

    assert spent.client.get("/spend/logs", spent.keys[by], **named).status_code == status
    assert spent.client.get("/spend/logs", spent.keys[by], **named, **DATES).status_code == status
