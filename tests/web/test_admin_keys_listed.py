"""Lists of keys and of their aliases, on both databases."""

from typing import Any

import pytest

from tests.web.admin_client import AdminClient


def test_keys_are_listed_the_newest_first(admin: AdminClient) -> None:
    tokens = [admin.made("/key/generate", key_alias=alias)["token"] for alias in ("a", "b", "c")]

    first = admin.get("/key/list", page=1, size=2).json
    second = admin.get("/key/list", page=2, size=2).json
    beyond = admin.get("/key/list", page=99, size=2).json

    assert first == {"keys": [tokens[2], tokens[1]], "total_count": 3, "current_page": 1, "total_pages": 2}
    assert second["keys"] == [tokens[0]]
    assert beyond == {"keys": [], "total_count": 3, "current_page": 99, "total_pages": 2}


def test_a_list_can_have_all_of_each_key(admin: AdminClient) -> None:
    made = admin.made("/key/generate", key_alias="a", spend=2)

    listed = admin.get("/key/list", return_full_object="true", include_team_keys="false").json["keys"]

    assert [(one["token"], one["key_alias"], one["spend"]) for one in listed] == [(made["token"], "a", 2.0)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"user_id": "u1"}, "a"),
        ({"team_id": "red"}, "b"),
        ({"key_alias": "anna"}, "a"),
        ({"search": "BERT"}, "b"),
        ({"status": "revoked"}, "b"),
        ({"status": "active"}, "a"),
        ({"status": "deleted"}, ""),
        ({"organization_id": "o"}, ""),
        ({"sort_by": "key_alias", "sort_order": "asc"}, "ab"),
        ({"sort_by": "spend"}, "ba"),
        ({"search": "%"}, ""),
        ({"key_alias": "' OR 1=1 --"}, ""),
        ({"user_id": ""}, "ba"),
    ],
)
def test_a_list_is_narrowed_and_ordered(admin: AdminClient, query: dict[str, str], found: str) -> None:
    admin.made("/team/new", team_id="red")
    admin.new_key(key_alias="anna", user_id="u1")
    admin.new_key(key_alias="bert", team_id="red", spend=1, blocked=True)

    listed = admin.get("/key/list", return_full_object="true", **query).json

    assert "".join(one["key_alias"][0] for one in listed["keys"]) == found
    assert listed["total_count"] == len(found)


def test_a_key_is_listed_by_its_text_or_token(admin: AdminClient) -> None:
    made = admin.made("/key/generate")
    admin.new_key()

    for reference in (made["key"], made["token"]):
        assert admin.get("/key/list", key_hash=reference).json["keys"] == [made["token"]]


@pytest.mark.parametrize(
    "query", [{"page": 0}, {"page": -1}, {"page": "x"}, {"size": 0}, {"size": 101}, {"page": 2**80}, {"sort_by": "x"}]
)
def test_a_page_that_cannot_be_is_refused(admin_on_sqlite: AdminClient, query: dict[str, Any]) -> None:
    answer = admin_on_sqlite.get("/key/list", **query)

    assert answer.status_code == 422
    assert answer.json["detail"][0]["loc"] == ["query", *query]


def test_aliases_are_listed(admin: AdminClient) -> None:
    for alias in ("b", None, "a"):
        admin.new_key(key_alias=alias)

    assert admin.get("/key/aliases", size=1).json == {
        "aliases": ["a"], "total_count": 2, "current_page": 1, "total_pages": 2, "size": 1,
    }  # fmt: skip
