"""Lists as CSV: for who asks for it, with fixed columns, and nothing in them that a spreadsheet would run."""

import csv
from io import StringIO
from typing import Any

import pytest

from app.web.admin_api.csv_tables import csv_text
from tests.web.admin_client import MASTER_KEY, AdminClient, Answer
from tests.web.spent_world import DATES, FIRST, SECOND, SpentWorld


def asked(client: AdminClient, path: str, accept: str = "text/csv", **query: Any) -> Answer:
    headers = {"Authorization": f"Bearer {MASTER_KEY}", "Accept": accept}
    sent = client.app.test_client().get(path, headers=headers, query_string=query, buffered=True)
    return Answer(sent.status_code, sent.get_json(silent=True), sent.get_data().decode(), dict(sent.headers))


def table(answer: Answer) -> list[dict[str, str]]:
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    return list(csv.DictReader(StringIO(answer.text, newline="")))


def test_rows_come_as_csv_with_the_columns_of_the_json(spent: SpentWorld) -> None:
    rows = table(asked(spent.client, "/spend/logs"))

    [one] = [row for row in rows if row["request_id"] == "one"]
    assert list(one) == list(spent.client.seen("/spend/logs")[0])
    assert (one["spend"], one["prompt_tokens"], one["unpriced"]) == ("1.5", "100", "false")
    assert (one["request_tags"], one["startTime"]) == ('["prod","nightly"]', "2026-11-20T12:00:00Z")
    assert (one["error"], one["messages"]) == ("", "")
    assert len(rows) == 6


@pytest.mark.parametrize(
    ("path", "first", "length"),
    [
        ("/spend/logs", {"startTime": FIRST, "spend": "1.5"}, 2),
        ("/spend/logs/v2", {"end_user": "dave"}, 6),
        ("/spend/tags", {"individual_request_tag": "prod", "source": "key"}, 2),
        ("/global/spend/keys", {"key_alias": "'=blue", "total_spend": "4.0"}, 3),
        ("/global/spend/models", {"total_spend": "12.25"}, 2),
        ("/global/spend/teams", {"team_id": "Unassigned", "total_spend": "8.0"}, 3),
        ("/global/spend/logs", {"date": FIRST}, 2),
        ("/global/spend/tags", {"name": "prod"}, 2),
        ("/global/spend/end_users", {"end_user": "dave"}, 2),
        ("/global/spend/report", {"id": "blue"}, 2),
        ("/global/activity", {"date": "Nov 20"}, 2),
        ("/global/activity/model", {"sum_api_requests": "4"}, 2),
        ("/key/spend/report", {"name": "'=blue"}, 3),
        ("/team/spend/report", {"id": "blue"}, 2),
        ("/user/spend/report", {"id": "rita"}, 2),
    ],
)
def test_every_list_may_be_had_as_csv(spent: SpentWorld, path: str, first: dict[str, str], length: int) -> None:
    rows = table(asked(spent.client, path, **DATES))

    assert len(rows) == length
    found = [row for row in rows if first.items() <= row.items()]
    assert found, rows[0]


def test_keys_and_users_may_be_had_as_csv_too(spent: SpentWorld) -> None:
    assert {row["key_alias"] for row in table(asked(spent.client, "/spend/keys"))} >= {"ci", "'=blue"}
    assert {row["user_id"] for row in table(asked(spent.client, "/spend/users"))} == {"boss", "eye", "rita"}


def test_a_list_without_rows_has_its_columns(spent: SpentWorld) -> None:
    answer = asked(spent.client, "/spend/logs", request_id="nothing")

    assert table(answer) == []
    assert answer.text.startswith("request_id,call_type,api_key,spend,")
    assert answer.text.endswith("\r\n")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("text/csv, application/json;q=0.5", "text/csv"),
        ("text/csv, */*", "text/csv"),
        ("image/png", "application/json"),
    ],
)
def test_csv_is_for_who_prefers_it(spent: SpentWorld, accept: str, kind: str) -> None:
    answer = asked(spent.client, "/global/spend/logs", accept, **DATES)

    assert answer.headers["Content-Type"].partition(";")[0] == kind


def test_a_cut_list_says_so_also_as_csv_and_a_refusal_stays_json(spent: SpentWorld) -> None:
    assert asked(spent.client, "/spend/logs", limit=2).headers["x-outcrop-limited-to"] == "2"
    assert asked(spent.client, "/spend/logs", start_date=SECOND).json["error"]["type"] == "bad_request"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("a=1", "a=1"),
        ("", ""),
        ('say "hi", twice\r\n', 'say "hi", twice\r\n'),
        (-1.5, "-1.5"),
        (-3, "-3"),
        (True, "true"),
        (None, ""),
        (["=x"], '["=x"]'),
        ({}, ""),
    ],
)
def test_only_text_is_kept_from_being_a_formula(text: Any, cell: str) -> None:
    written = csv_text(["a", "b"], [[text, "end"]])

    assert list(csv.reader(StringIO(written, newline=""))) == [["a", "b"], [cell, "end"]]
    assert written.startswith("a,b\r\n")
    assert written.endswith(",end\r\n")
