"""What the key routes refuse: with the peer's status and shape, words that say what to correct, and nothing kept."""

import json
from collections.abc import Callable
from time import thread_time
from typing import Any

import pytest

from tests.web.admin_client import MASTER_KEY, AdminClient

HOSTILE = "Robert'); DROP TABLE virtual_keys;-- <script>alert(1)</script> ${jndi:ldap://x} \u202e\U0001f511"
TAKEN = "sk-taken-0123456789abcdef"
# the body, the field the answer names, what its message says
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"max_budget": -1}, "max_budget", "max_budget cannot be negative. Received: -1.0"),
    ({"soft_budget": -0.5}, "soft_budget", "soft_budget cannot be negative. Received: -0.5"),
    ({"soft_budget": 2, "max_budget": 1}, "soft_budget", "cannot be above it"),
    ({"spend": -1}, "spend", "spend cannot be negative. Received: -1.0"),
    ({"rpm_limit": -1}, "rpm_limit", "rpm_limit cannot be negative. Received: -1"),
    ({"duration": "3 fortnights"}, "duration", "Unsupported duration unit, passed duration: 3 fortnights"),
    ({"duration": "9999999mo"}, "duration", "ends after the year 9000"),
    ({"budget_duration": "weekly"}, "budget_duration", "Unsupported duration unit"),
    ({"key": "pk-0123456789abcdefghij"}, "key", "must start with 'sk-'"),
    ({"key": TAKEN}, "key", "taken"),
    ({"key": MASTER_KEY}, "key", "taken"),
    ({"key_alias": "taken"}, "key_alias", "Key with alias 'taken' already exists. Unique key aliases across all keys"),
    ({"team_id": "nobody"}, "team_id", "Unable to find team object in database. Team ID: nobody"),
    ({"budget_id": "nobody"}, "budget_id", "Unable to find budget"),
    ({"operations": ["Converse", "DROP"]}, "operations", "'DROP' cannot be used"),
    ({"addresses": ["10.0.0.1/8"]}, "addresses", "write 10.0.0.0/8"),
    ({"regions": ["us-east"]}, "regions", "us-east-1"),
    ({"models": ["bedrock/claude"]}, "models", "anthropic.*"),
    ({"resources": ["a b"]}, "resources", "'a b' cannot be used"),
    ({"resources": ["s3://*/in"]}, "resources", "* at the end only"),
    ({"resources": ["S3://bucket"]}, "resources", "lower case"),
    ({"model": ["anthropic.*"]}, "model", "write 'models'"),
    ({"Models": ["anthropic.*"]}, "Models", "write 'models'"),
    ({"modles": ["anthropic.*"]}, "modles", "write 'models'"),
    ({"rpm": 60}, "rpm", "write 'rpm_limit'"),
    ({"budget": 5}, "budget", "write 'max_budget'"),
    ({"operatons": ["Converse"]}, "operatons", "write 'operations'"),
    ({"durations": "1d"}, "durations", "write 'duration'"),
    ({"expires": "2030-01-01"}, "expires", "duration"),
    ({"teamid": "red"}, "teamid", "write 'team_id'"),
    ({"allowed_routes": ["llm_api_routes"]}, "allowed_routes", "list operations"),
    ({"denied_passthrough_routes": ["/x"]}, "denied_passthrough_routes", "list in operations"),
    ({"model_rpm_limit": {"m": 1}}, "model_rpm_limit", "set rpm_limit"),
    ({"metadata": {"model_rpm_limit": {"m": 1}}}, "metadata.model_rpm_limit", "set rpm_limit"),
    ({"tpd_limit": 0}, "tpd_limit", "set tpm_limit"),
    ({"guardrails": ["g"]}, "guardrails", "leave it out"),
    ({"enforced_params": ["user"]}, "enforced_params", "leave it out"),
    ({"object_permission": {"mcp_servers": ["m"]}}, "object_permission", "list resources"),
    ({"organization_id": "o"}, "organization_id", "use a team"),
    ({"auto_rotate": True}, "auto_rotate", "/key/regenerate"),
    ({"rpm_limit_type": "guaranteed_throughput"}, "rpm_limit_type", "leave it out"),
]
UNFIT: list[tuple[bytes, list[str | int]]] = [
    (b"{", ["body", 1]),
    (b"", []),
    (b"[]", ["body"]),
    (b'"x"', ["body"]),
    (b"null", ["body"]),
    (b'{"a": 1, "a": 2}', ["body", 0]),
    (b'{"max_budget": NaN}', ["body", 0]),
    (b'{"max_budget": 1e400}', ["body", "max_budget"]),
    (b'{"max_budget": "much"}', ["body", "max_budget"]),
    (b'{"max_budget": true}', ["body", "max_budget"]),
    (b'{"max_budget": 1e30}', ["body", "max_budget"]),
    (b'{"rpm_limit": 1.5}', ["body", "rpm_limit"]),
    (b'{"rpm_limit": 99999999999999999999}', ["body", "rpm_limit"]),
    (b'{"models": "all"}', ["body", "models"]),
    (b'{"models": [1]}', ["body", "models", 0]),
    (b'{"models": [""]}', ["body", "models", 0]),
    (b'{"key_alias": 5}', ["body", "key_alias"]),
    (b'{"key_alias": {"a": 1}}', ["body", "key_alias"]),
    (b'{"key_alias": "\\u0000"}', ["body", "key_alias"]),
    (b'{"key_alias": "\\ud800"}', ["body", "key_alias"]),
    (b'{"key_alias": "' + b"x" * 257 + b'"}', ["body", "key_alias"]),
    (b'{"key_alias": "\xff"}', ["body", 0]),
    (b'{"metadata": {"a": "\\u0000"}}', ["body", "metadata"]),
    (b'{"metadata": {"a": "\\udfff"}}', ["body", "metadata"]),
    (b'{"metadata": {"\\ud800": 1}}', ["body", "metadata"]),
    (b'{"metadata": {"a": "' + b"x" * 1_000_000 + b'"}}', ["body", "metadata"]),
    (b'{"metadata": ' + b'{"a":' * 40 + b"1" + b"}" * 41, ["body", "metadata"]),
    (b"[" * 40_000, ["body", 0]),
    (b"[" * 100_000, ["body", 0]),
    (b'{"a":' * 20_000, ["body", 0]),
    (b'{"spend": ' + b"9" * 5000 + b"}", ["body", 0]),
    (b'{"key_type": "root"}', ["body", "key_type"]),
    (b'{"unmetered_calls": "maybe"}', ["body", "unmetered_calls"]),
]


@pytest.mark.parametrize(("body", "param", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_cannot_be_carried_out_is_refused_by_name(
    admin_on_sqlite: AdminClient, body: dict[str, Any], param: str, words: str
) -> None:
    admin_on_sqlite.new_key(key=TAKEN, key_alias="taken")

    answer = admin_on_sqlite.post("/key/generate", **body)

    assert answer.status_code == 400
    message = answer.json["error"]["message"]
    assert answer.json == {
        "error": {"message": message, "type": "bad_request_error", "param": param, "code": "400"},
        "detail": {"error": message},
    }
    assert words in message
    assert TAKEN not in message
    assert MASTER_KEY not in message
    assert admin_on_sqlite.get("/key/list").json["total_count"] == 1


@pytest.mark.parametrize(("content", "loc"), UNFIT, ids=lambda value: str(value)[:40])
def test_what_has_not_the_form_it_must_have_is_refused_with_pydantic_s_list(
    admin_on_sqlite: AdminClient, content: bytes, loc: list[str | int]
) -> None:
    answer = admin_on_sqlite.send("/key/update", content)

    assert answer.status_code == 422
    assert set(answer.json) == {"detail"}
    assert {"type", "loc", "msg"} <= set(answer.json["detail"][0])
    assert answer.json["detail"][0]["loc"] == (loc or ["body"])
    assert len(answer.text) < 10_000


def test_of_half_a_million_mistakes_few_are_told(admin_on_sqlite: AdminClient) -> None:
    """Any key may send them, and a worker that told of all would do nothing else for ten seconds."""
    key = admin_on_sqlite.new_key()
    change = b'{"key": "a", "models": [' + b",".join([b"1"] * 990) + b"]}"

    answer = admin_on_sqlite.send("/key/bulk_update", b'{"keys": [' + b",".join([change] * 500) + b"]}", by=key)

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json["detail"]] == [["body", "keys", 0, "models", 0]]


def test_an_ill_typed_number_is_refused_in_the_peer_s_words(admin_on_sqlite: AdminClient) -> None:
    assert admin_on_sqlite.post("/key/generate", max_budget="much").json == {
        "detail": [
            {
                "type": "float_parsing",
                "loc": ["body", "max_budget"],
                "msg": "Input should be a valid number, unable to parse string as a number",
            }
        ]
    }


@pytest.mark.parametrize(("size", "status"), [(2**20, 422), (2**20 + 1, 413)])
def test_a_body_has_at_most_a_mebibyte(admin_on_sqlite: AdminClient, size: int, status: int) -> None:
    answer = admin_on_sqlite.send("/key/generate", b'{"key_alias": "' + b"x" * (size - 17) + b'"}')

    assert answer.status_code == status
    if status == 413:
        assert "at most 1048576 bytes" in answer.json["error"]["message"]


def test_names_are_kept_as_they_are_whatever_they_say(admin: AdminClient) -> None:
    made = admin.made("/key/generate", key_alias=HOSTILE, user_id=HOSTILE, metadata={HOSTILE: HOSTILE}, tags=[HOSTILE])

    listed = admin.get("/key/list", key_alias=HOSTILE, return_full_object="true").json["keys"]

    assert [(one["token"], one["user_id"], one["metadata"]) for one in listed] == [
        (made["token"], HOSTILE, {HOSTILE: HOSTILE})
    ]
    assert admin.made("/key/delete", key_aliases=[HOSTILE]) == {"deleted_keys": [HOSTILE]}


@pytest.mark.parametrize("reference", [HOSTILE, "%", "*", "sk-", "sk-" + "x" * 500, "../../key", "0" * 64])
def test_references_that_name_nothing_find_nothing(admin: AdminClient, reference: str) -> None:
    admin.new_key()

    answers = [
        admin.get("/key/info", key=reference),
        admin.post("/key/block", key=reference),
        admin.post("/key/update", key=reference, rpm_limit=1),
        admin.post("/key/delete", keys=[reference]),
        admin.post("/key/delete", key_aliases=[reference[:256]]),
        admin.post("/key/regenerate", key=reference),
    ]

    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert admin.get("/key/list").json["total_count"] == 1


def test_no_refusal_shows_the_text_of_the_key_that_was_asked_for(admin: AdminClient) -> None:
    text = "sk-nobody-has-this-0123456789"

    answer = admin.post("/key/block", key=text)

    assert "sk-...6789" in answer.text
    assert text not in answer.text


@pytest.mark.parametrize("name", ["\0", "\ud800"])
def test_what_no_database_can_look_for_is_refused_wherever_it_stands(admin: AdminClient, name: str) -> None:
    send: list[Callable[[], Any]] = [
        lambda: admin.send("/key/block", json.dumps({"key": name}).encode()),
        lambda: admin.send("/key/delete", json.dumps({"key_aliases": [name]}).encode()),
    ]
    if name == "\0":
        send += [
            lambda: admin.get("/key/info", key=name),
            lambda: admin.get("/key/list", search=name),
            lambda: admin.get("/audit", object_id=name),
            lambda: admin.post("/key/a%00b/regenerate"),
        ]

    assert {answer().status_code for answer in send} == {422}


@pytest.mark.parametrize("path", ["/key/generate", "/key/info", "/key/list"])
def test_whoever_has_no_key_is_told_of_nothing_else(admin_on_sqlite: AdminClient, path: str) -> None:
    answer = admin_on_sqlite.send(path, b"{", by=None) if path == "/key/generate" else admin_on_sqlite.get(path, None)

    assert answer.status_code == 401
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}


def test_what_is_empty_restricts_nothing_and_what_is_unknown_is_ignored(admin: AdminClient) -> None:
    empty: list[Any] = [None, False, "", [], {}, {"mcp_servers": [], "vector_stores": None}]

    for value in empty:
        admin.made("/key/generate", allowed_routes=value, object_permission=value, guardrails=value, send_invite=5)


def test_an_update_is_held_to_the_same(admin: AdminClient) -> None:
    made = admin.made("/key/generate", key_alias="a")
    admin.new_key(key_alias="b")

    answers = [
        admin.post("/key/update", key=made["key"], **change)
        for change in ({"key_alias": "b"}, {"max_budget": -1}, {"allowed_routes": ["x"]}, {"team_id": "nobody"})
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert admin.get("/key/info", key=made["token"]).json["info"]["updated_at"] == made["updated_at"].replace(
        "Z", "+00:00"
    )


def test_of_ninety_thousand_names_the_one_that_stands_twice_is_told_without_comparing_all(admin: AdminClient) -> None:
    """Each with each would take a worker minutes."""
    body = "{" + ",".join(f'"a{number}":1' for number in range(90_000)) + ',"a89999":1}'
    began = thread_time()
    answer = admin.send("/key/generate", body.encode())

    assert (answer.status_code, "'a89999'" in json.dumps(answer.json)) == (422, True)
    assert thread_time() - began < 10
