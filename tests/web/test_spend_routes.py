"""/spend and /global routes beside the rows: the peer's shapes, figure by figure, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.web.admin_client import AdminClient, refusal
from tests.web.spent_world import DATES, FIRST, NOVA, SECOND, SONNET, SpentWorld

# what one thing's figures have, wherever they are told
FIGURES = frozenset(
    "spend requests failed_requests unpriced_requests prompt_tokens completion_tokens cache_read_input_tokens "
    "cache_creation_input_tokens total_tokens average_ms".split()
)


def test_all_that_was_spent(spent: SpentWorld) -> None:
    assert spent.client.seen("/global/spend") == {"spend": 13.75, "max_budget": 0.0}


def test_the_dearest_keys_have_their_token_alias_and_name(spent: SpentWorld) -> None:
    keys = spent.client.seen("/global/spend/keys", **DATES)

    assert keys == [
        {"api_key": spent.token(name), "key_alias": alias, "key_name": keys[number]["key_name"], "total_spend": cost}
        for number, (name, alias, cost) in enumerate((("blue", "=blue", 4.0), ("ci", "ci", 1.75), ("boss", "boss", 0)))
    ]
    assert all(key["key_name"].startswith("sk-...") for key in keys)
    assert spent.client.seen("/global/spend/keys", **DATES, limit=1) == keys[:1]


def test_the_dearest_models(spent: SpentWorld) -> None:
    assert spent.client.seen("/global/spend/models", **DATES) == [
        {"model": NOVA, "total_spend": 12.25},
        {"model": SONNET, "total_spend": 1.5},
    ]


def test_teams_by_day_and_in_sum_with_what_no_team_spent(spent: SpentWorld) -> None:
    assert spent.client.seen("/global/spend/teams", **DATES) == {
        "daily_spend": [
            {"date": FIRST, "Unassigned": 0.0, "Red": 1.5},
            {"date": SECOND, "Unassigned": 8.0, "blue": 4.0, "Red": 0.25},
        ],
        "teams": ["Unassigned", "blue", "Red"],
        "total_spend_per_team": [
            {"team_id": "Unassigned", "total_spend": 8.0},
            {"team_id": "blue", "total_spend": 4.0},
            {"team_id": "Red", "total_spend": 1.75},
        ],
    }


def test_days_that_cost_something_of_all_or_of_one_key(spent: SpentWorld) -> None:
    assert spent.client.seen("/global/spend/logs", **DATES) == [
        {"date": FIRST, "spend": 1.5},
        {"date": SECOND, "spend": 12.25},
    ]
    assert spent.client.seen("/global/spend/logs", **DATES, api_key=spent.keys["blue"]) == [
        {"date": SECOND, "spend": 4.0}
    ]


def test_tags_of_keys_and_claimed_ones_stay_apart(spent: SpentWorld) -> None:
    assert spent.client.seen("/global/spend/tags", **DATES) == {
        "spend_per_tag": [
            {"name": "prod", "spend": 1.75, "log_count": 3, "source": "key"},
            {"name": "nightly", "spend": 1.5, "log_count": 2, "source": "claimed"},
        ]
    }
    assert spent.client.seen("/spend/tags", **DATES, tags="nightly, other") == [
        {"individual_request_tag": "nightly", "log_count": 2, "total_spend": 1.5, "source": "claimed"}
    ]


def test_end_users_by_get_and_post_of_all_or_of_one_key(spent: SpentWorld) -> None:
    everyone = [
        {"end_user": "dave", "total_count": 1, "total_spend": 4.0},
        {"end_user": "carol", "total_count": 2, "total_spend": 1.5},
    ]

    assert spent.client.seen("/global/spend/end_users", **DATES) == everyone
    assert spent.client.made("/global/spend/end_users", startTime=FIRST, endTime=SECOND) == everyone
    assert spent.client.made("/global/spend/end_users", **DATES, api_key=spent.keys["ci"]) == everyone[1:]


def test_activity_counts_calls_and_tokens_by_day(spent: SpentWorld) -> None:
    assert spent.client.seen("/global/activity", **DATES) == {
        "daily_data": [
            {"date": "Nov 20", "api_requests": 2, "total_tokens": 257},
            {"date": "Nov 21", "api_requests": 4, "total_tokens": 48},
        ],
        "sum_api_requests": 6,
        "sum_total_tokens": 305,
    }
    assert spent.client.seen("/global/activity/model", **DATES) == [
        {
            "model": NOVA,
            "daily_data": [{"date": "Nov 21", "api_requests": 4, "total_tokens": 48}],
            "sum_api_requests": 4,
            "sum_total_tokens": 48,
        },
        {
            "model": SONNET,
            "daily_data": [{"date": "Nov 20", "api_requests": 2, "total_tokens": 257}],
            "sum_api_requests": 2,
            "sum_total_tokens": 257,
        },
    ]


def test_without_dates_the_last_thirty_days_are_told(world: SpentWorld) -> None:
    today = datetime.now(UTC).date()
    for age, cost in ((0, "0.5"), (29, "0.25"), (30, "0.125")):
        day = today - timedelta(days=age)
        world.book(f"{age} days old", day.isoformat(), cost, model=f"model-{age}")

    found = {one["model"] for one in world.client.seen("/global/spend/models", limit=1000)}

    assert found & {"model-0", "model-29", "model-30"} == {"model-0", "model-29"}


@pytest.mark.parametrize(
    ("group_by", "results"),
    [
        ("team", {"blue": 4.0, "red": 1.75}),
        ("customer", {"dave": 4.0, "carol": 1.5}),
        ("user", {"rita": 1.75, "boss": 0.0}),
        ("model", {NOVA: 12.25, SONNET: 1.5}),
        ("tag", {"prod": 1.75}),
        ("day", {FIRST: 1.5, SECOND: 12.25}),
    ],
)
def test_a_report_of_all_groups_by_what_is_asked(spent: SpentWorld, group_by: str, results: dict[str, float]) -> None:
    report = spent.client.seen("/global/spend/report", **DATES, group_by=group_by)

    assert (report["start_date"], report["end_date"], report["group_by"]) == (FIRST, SECOND, group_by)
    assert {one["id"]: one["spend"] for one in report["results"]} == results
    assert report["total"] == {
        "spend": 13.75,
        "requests": 6,
        "failed_requests": 1,
        "unpriced_requests": 1,
        "prompt_tokens": 140,
        "completion_tokens": 108,
        "cache_read_input_tokens": 50,
        "cache_creation_input_tokens": 7,
        "total_tokens": 305,
        "average_ms": 518.2,
    }
    assert report["requests_by_duration"]["under_1000"] == 6
    assert [(day["date"], day["spend"]) for day in report["daily"]] == [(FIRST, 1.5), (SECOND, 12.25)]
    assert [(one["model"], one["spend"]) for one in report["models"]] == [(NOVA, 12.25), (SONNET, 1.5)]


@pytest.mark.parametrize(
    ("route", "by", "asked", "results"),
    [
        ("key", "viewer", {}, {"=blue": 4.0, "ci": 1.75, "boss": 0.0}),
        ("key", "boss", {}, {"ci": 1.75, "boss": 0.0}),
        ("key", "ci", {}, {"ci": 1.75}),
        ("key", "boss", {"api_key": "ci"}, {"ci": 1.75}),
        ("key", "outsider", {}, {}),
        ("team", "viewer", {}, {None: 4.0, "Red": 1.75}),
        ("team", "boss", {}, {"Red": 1.75}),
        ("team", "viewer", {"team_id": "blue"}, {None: 4.0}),
        ("user", "viewer", {"user_id": "rita"}, {None: 1.75}),
    ],
)
def test_a_report_shows_each_what_it_may_see(
    spent: SpentWorld, route: str, by: str, asked: dict[str, str], results: dict[str | None, float]
) -> None:
    named = {name: spent.keys[value] if name == "api_key" else value for name, value in asked.items()}

    report = spent.client.seen(f"/{route}/spend/report", spent.keys[by], **DATES, **named)

    assert {one["name"]: one["spend"] for one in report["results"]} == results
    assert report["total"]["spend"] == sum(results.values())
    assert report["models"] is None


def test_a_report_of_a_key_has_its_days_and_models(spent: SpentWorld) -> None:
    report = spent.client.seen("/key/spend/report", spent.keys["ci"], **DATES)

    [one] = report["results"]
    assert (one["api_key"], one["name"], one["requests"], one["unpriced_requests"]) == (spent.token("ci"), "ci", 3, 1)
    assert [(day["date"], day["spend"], day["requests"]) for day in one["daily"]] == [
        (FIRST, 1.5, 2),
        (SECOND, 0.25, 1),
    ]
    assert [(model["model"], model["spend"]) for model in one["models"]] == [(SONNET, 1.5), (NOVA, 0.25)]
    assert set(one["models"][0]) == FIGURES | {"model"}
    assert set(one["daily"][0]) == FIGURES | {"date"}


def test_keys_and_users_come_by_what_they_spent(world: SpentWorld) -> None:
    keys = world.client.seen("/spend/keys")
    users = world.client.seen("/spend/users")

    assert {key["key_alias"] for key in keys} >= {"ci", "boss", "=blue"}
    assert [key["spend"] for key in keys] == sorted((key["spend"] for key in keys), reverse=True)
    assert {user["user_id"] for user in users} == {"boss", "eye", "rita"}
    assert [user["user_id"] for user in world.client.seen("/spend/users", user_id="rita")] == ["rita"]


def test_a_reset_lets_budgets_count_from_0_and_changes_no_report(world: SpentWorld) -> None:
    key = world.keys["ci"]
    world.client.made("/key/update", key=key, max_budget=2)
    spent_before, left_before = world.client.seen("/global/spend"), world.client.seen("/key/info", key)["info"]

    answer = world.client.made("/global/spend/reset")

    after = world.client.seen("/key/info", key)["info"]
    assert answer == {"message": "Spend for all API Keys and Teams reset successfully", "status": "success"}
    assert (left_before["spend"], left_before["remaining"]["budget"]) == (1.75, 0.25)
    assert (after["spend"], after["total_spend"], after["remaining"]["budget"]) == (0.0, 1.75, 2.0)
    assert world.client.seen("/global/spend") == spent_before


def test_a_holder_sees_what_is_left_and_its_teams_admin_the_teams(world: SpentWorld) -> None:
    world.client.made("/team/update", team_id="red", max_budget=10)
    world.client.made("/key/update", key=world.keys["ci"], max_budget=5, rpm_limit=3, budget_duration="1d")

    own = world.client.seen("/key/info", world.keys["ci"])["info"]["remaining"]
    admins = world.client.seen("/key/info", world.keys["boss"], key=world.keys["ci"])["info"]["remaining"]

    assert {name: value for name, value in own.items() if name not in ("budget_reset_at", "user")} == {
        "spend": 1.75,
        "held": 0.0,
        "max_budget": 5.0,
        "budget": 3.25,
        "requests": 3,
        "tokens": None,
        "parallel_requests": None,
        "requests_this_minute": 0,
        "tokens_this_minute": 0,
        "in_flight": 0,
        "models": {},
        "team": None,
    }
    assert own["budget_reset_at"].endswith("T00:00:00+00:00")
    assert (own["user"]["max_budget"], admins["user"]) == (None, None)
    assert admins["team"]["max_budget"] == 10.0


@pytest.mark.parametrize(
    ("body", "cost"),
    [
        ({"model": NOVA, "usage": {"inputTokens": 1000, "outputTokens": 1000}}, 0.0003),
        ({"model": f"bedrock/{NOVA}", "usage": {"prompt_tokens": 1000, "completion_tokens": 1000}}, 0.0003),
        ({"completion_response": {"model": NOVA, "usage": {"input_tokens": 1000, "output_tokens": 0}}}, 0.00006),
        ({"model": NOVA, "messages": [{"role": "user", "content": "x" * 366}]}, 0.000006),
    ],
)
def test_a_cost_is_calculated_from_usage_or_messages(
    admin_on_sqlite: AdminClient, body: dict[str, Any], cost: float
) -> None:
    found = admin_on_sqlite.made("/spend/calculate", **body)

    assert found["cost"] == pytest.approx(cost)
    assert (found["model_priced"], found["estimated"]) == (NOVA, "messages" in body)


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"model": "acme.unheard-of-v1", "usage": {"inputTokens": 1}}, "model", "There is no price for"),
        ({"model": NOVA}, "messages", "Either 'messages', 'usage' or a 'completion_response'"),
        ({"messages": []}, "model", "Either 'model' or 'completion_response'"),
        ({"model": NOVA, "usage": {"inputTokens": -1}}, "usage", "Counts are whole numbers"),
        ({"model": NOVA, "completion_response": {"usage": {"inputTokens": 2**80}}}, "usage", "Counts are whole"),
    ],
)
def test_what_has_no_price_or_no_usage_is_refused_rather_than_0(
    admin_on_sqlite: AdminClient, body: dict[str, Any], param: str, words: str
) -> None:
    status, named, message = refusal(admin_on_sqlite.post("/spend/calculate", **body))

    assert (status, named) == (400, param)
    assert words in message
