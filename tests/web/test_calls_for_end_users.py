"""Calls that name an end user, through the whole application: who may, what is kept, and what AWS is told."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeBedrock, json_reply
from tests.web.admin_client import MASTER_KEY, AdminClient, Answer
from tests.web.test_warm_keys import statements

CONVERSE = "/bedrock/model/amazon.nova-lite-v1%3A0/converse"
INVOKE = "/bedrock/model/amazon.nova-lite-v1%3A0/invoke"
ANSWERED = b'{"usage": {"inputTokens": 1000, "outputTokens": 1000, "totalTokens": 2000}}'
HEADER = "x-amzn-bedrock-request-metadata"


@pytest.fixture
def bedrock() -> FakeBedrock:
    """One that answers as Converse does."""
    bedrock = FakeBedrock()
    bedrock.answer = lambda request: json_reply(ANSWERED)
    return bedrock


@pytest.fixture
def admin(database_url: str, tmp_path: Path, bedrock: FakeBedrock) -> AdminClient:
    return AdminClient.on(database_url, tmp_path, bedrock)


def call(admin: AdminClient, end_user: str | None = None, by: str = MASTER_KEY) -> Answer:
    said: dict[str, Any] = {"requestMetadata": {"end_user": end_user}} if end_user else {}
    return admin.post(CONVERSE, by=by, messages=[], **said)


def error(answer: Answer) -> tuple[int, str]:
    return answer.status_code, answer.headers["x-amzn-ErrorType"]


def test_a_blocked_customer_is_refused_at_once_and_served_again(admin: AdminClient, bedrock: FakeBedrock) -> None:
    assert call(admin, "ada").status_code == 200
    admin.made("/customer/block", user_ids=["ada"])
    sent = len(bedrock.requests)

    refused = call(admin, "ada")
    assert error(refused) == (403, "AccessDeniedException")
    assert "The end user in requestMetadata.end_user is blocked" in refused.text
    assert (len(bedrock.requests), call(admin, "eve").status_code) == (sent, 200)
    admin.made("/customer/unblock", user_ids=["ada"])
    assert call(admin, "ada").status_code == 200


def test_a_customer_blocked_elsewhere_is_refused_within_a_second(
    admin: AdminClient, database_url: str, tmp_path: Path, bedrock: FakeBedrock
) -> None:
    elsewhere = AdminClient.on(database_url, tmp_path, bedrock)
    admin.made("/customer/new", user_id="ada")
    assert call(elsewhere, "ada").status_code == 200
    admin.made("/customer/block", user_ids=["ada"])
    deadline = time.monotonic() + 1

    while (status := call(elsewhere, "ada").status_code) != 403 and time.monotonic() < deadline:
        pass
    if status != 403:  # that one may have begun before its poll was due, and been held up
        status = call(elsewhere, "ada").status_code
    assert status == 403


def test_a_customer_of_a_team_is_called_for_by_its_keys_alone(admin: AdminClient) -> None:
    for team in ("red", "blue"):
        admin.made("/team/new", team_id=team)
    admin.made("/customer/new", user_id="ada", team_id="red")

    assert call(admin, "ada", by=admin.new_key(team_id="red")).status_code == 200
    refused = call(admin, "ada", by=admin.new_key(team_id="blue"))
    assert error(refused) == (403, "AccessDeniedException")
    assert "red" not in refused.json["message"].split()


def test_a_key_that_must_name_an_end_user_is_told_by_which_header(admin: AdminClient) -> None:
    key = admin.new_key(end_user_required=True)

    refused = call(admin, by=key)
    assert error(refused) == (400, "ValidationException")
    assert "x-litellm-customer-id" in refused.json["message"]
    assert call(admin, "ada", by=key).status_code == 200


def test_calls_for_known_customers_and_for_made_up_ones_make_no_query(admin: AdminClient) -> None:
    admin.made("/customer/new", user_id="ada")
    key = admin.new_key()
    call(admin, "ada", by=key)
    with statements(admin) as asked:
        named = ["ada", "made up 1", "made up 2", "made up 3"]
        assert [call(admin, one, by=key).status_code for one in named] == [200] * 4

    assert [statement for statement in asked if "customers" in statement] == []


def test_what_a_customer_spent_is_shown_with_what_it_has_left(admin: AdminClient) -> None:
    admin.made("/budget/new", budget_id="small", max_budget=1)
    admin.made("/customer/new", user_id="ada", budget_id="small")
    key = admin.new_key()
    assert call(admin, "ada", by=key).status_code == 200
    spent = admin.seen("/key/info", key=key)["info"]["spend"]

    shown = admin.seen("/customer/info", end_user_id="ada")
    assert spent > 0
    assert (shown["spend"], shown["total_spend"]) == (spent, spent)
    assert (shown["remaining"]["spend"], shown["remaining"]["budget"]) == (spent, pytest.approx(1 - spent))
    assert [one["spend"] for one in admin.seen("/customer/list")] == [spent]
    assert admin.made("/customer/block", user_ids=["ada"])["blocked_users"][0]["spend"] == spent


def test_aws_is_told_nothing_that_the_caller_did_not_say(admin: AdminClient, bedrock: FakeBedrock) -> None:
    call(admin, "ada")

    assert json.loads(bedrock.requests[-1].body)["requestMetadata"] == {"end_user": "ada"}


def test_where_the_operator_asks_for_it_aws_is_told_who_called(
    database_url: str, tmp_path: Path, bedrock: FakeBedrock
) -> None:
    admin = AdminClient.on(database_url, tmp_path, bedrock, OUTCROP_REQUEST_METADATA="true")
    key = admin.new_key(key_alias="shop")
    call(admin, "ada", by=key)
    admin.post(INVOKE, by=key, messages=[])

    ours = {"outcrop-key": "shop", "outcrop-end-user": "ada"}
    converse, invoke = bedrock.requests[-2:]
    assert json.loads(converse.body)["requestMetadata"] == {"end_user": "ada"} | ours
    assert json.loads(dict(invoke.headers)[HEADER]) == {"outcrop-key": "shop"}
    assert json.loads(invoke.body) == {"messages": []}
