"""GET /audit: every change, once, without secrets, for who may see it."""

from typing import Any

import pytest

from tests.web.admin_client import AdminClient


def test_a_change_is_told_with_who_when_where_before_and_after(admin: AdminClient) -> None:
    made = admin.made("/key/generate", key_alias="carol")
    admin.made("/key/update", key=made["key"], max_budget=1.5)

    answer = admin.get("/audit").json

    assert {name: answer[name] for name in ("total", "page", "page_size", "total_pages")} == {
        "total": 2, "page": 1, "page_size": 50, "total_pages": 1,
    }  # fmt: skip
    updated, created = answer["audit_logs"]
    assert set(updated) == set(
        "id updated_at changed_by changed_by_api_key action table_name object_id before_value updated_values "
        "address".split()
    )
    assert (updated["action"], created["action"], updated["table_name"]) == ("updated", "created", "key")
    assert (updated["changed_by"], updated["changed_by_api_key"], updated["address"]) == ("master", None, "127.0.0.1")
    assert (updated["before_value"]["max_budget"], updated["updated_values"]["max_budget"]) == (None, 1.5)
    assert updated["object_id"] == created["object_id"] == made["key_id"]
    assert created["before_value"] is None
    assert made["key"] not in str(answer)


def test_a_change_by_a_key_names_the_key_that_made_it(admin: AdminClient) -> None:
    admin.made("/user/new", user_id="root", user_role="proxy_admin", auto_create_key=False)
    root = admin.made("/key/generate", user_id="root", key_alias="root-key")
    admin.post("/key/generate", by=root["key"])

    entry = admin.get("/audit", changed_by="root-key").json["audit_logs"][0]

    assert (entry["changed_by"], entry["changed_by_api_key"]) == ("root-key", root["token"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"action": "blocked"}, 1),
        ({"table_name": "team"}, 1),
        ({"table_name": "key"}, 2),
        ({"object_id": "red"}, 1),
        ({"changed_by": "nobody"}, 0),
        ({"start": "2000-01-01", "end": "2001-01-01"}, 0),
        ({"start": "2000-01-01"}, 3),
        ({"end": "2000-01-01T00:00:00Z"}, 0),
        ({"page": 9}, 3),
    ],
)
def test_entries_are_narrowed(admin: AdminClient, query: dict[str, Any], found: int) -> None:
    admin.made("/team/new", team_id="red")
    admin.made("/key/block", key=admin.new_key())

    assert admin.get("/audit", **query).json["total"] == found


@pytest.mark.parametrize(
    "query",
    [
        {"page": 0},
        {"page_size": 0},
        {"page_size": 101},
        {"start": "soon"},
        {"end": "?"},
        {"table_name": "keys"},
        {"action": "delete"},
    ],
)
def test_what_cannot_be_asked_is_refused(admin_on_sqlite: AdminClient, query: dict[str, Any]) -> None:
    assert admin_on_sqlite.get("/audit", **query).status_code == 422


def test_a_refused_change_is_not_noted(admin: AdminClient) -> None:
    admin.post("/key/generate", max_budget=-1)

    assert admin.get("/audit").json["total"] == 0
