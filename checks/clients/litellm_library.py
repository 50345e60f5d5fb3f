"""`litellm.proxy.client`, LiteLLM's library for who administers a gateway from Python."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from checks.clients.children import Given, Outcome, Running, started
from checks.clients.configurations import LITELLM_ENVIRONMENT, MODEL, TOLD, python
from checks.clients.issuing import Administrator
from checks.clients.judging import shown
from checks.clients.litellm_commands import UNKNOWN_KEY
from checks.clients.steps import Site, Story, expect, expect_equal
from tests.gateway_process import MASTER_KEY

PROGRAM = python("litellm_client", LITELLM_ENVIRONMENT)
# else it fetches a price list from the Internet when it is imported
VARIABLES = {**TOLD, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


@dataclass
class Library:
    """The library with the master key, and with a key that nobody gave out."""

    administrator: Administrator
    master: Running
    stranger: Running
    made: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, **arguments: Any) -> Any:
        """What a method returns that must end well."""
        outcome = self.outcome(self.master, method, arguments)
        expect(not outcome.error, f"{method}: {shown(outcome)}")
        return json.loads(outcome.text)

    def fails(self, method: str, showing: str, **arguments: Any) -> None:
        outcome = self.outcome(self.master, method, arguments)
        expect(showing in outcome.error, f"{showing!r} is missing in {shown(outcome)}")

    def outcome(self, running: Running, method: str, arguments: dict[str, Any]) -> Outcome:
        # a line has a name and one word
        return running.call(method, json.dumps(arguments, separators=(",", ":")))


@contextmanager
def opened(site: Site) -> Iterator[Library]:
    administrator = site.administrator
    with (
        started(PROGRAM, Given(MASTER_KEY, administrator.url), VARIABLES) as master,
        started(PROGRAM, Given(UNKNOWN_KEY, administrator.url), VARIABLES) as stranger,
    ):
        yield Library(administrator, master, stranger)


def keys_generate(library: Library) -> None:
    made = library.call("keys.generate", key_alias="library-a", models=[MODEL], duration="24h", spend=0.5)
    info = library.administrator.key(made["key"])
    found = info["key_alias"], info["models"], info["spend"], info["status"]
    expect_equal(found, ("library-a", [MODEL], 0.5, "active"), "the key")
    expect_equal(library.administrator.converse(made["key"], MODEL), 200, "what its calls are answered")
    library.made["a"] = made["key"]


def keys_info(library: Library) -> None:
    key = library.made["a"]
    for reference in (key, library.administrator.key_hash(key)):
        answer = library.call("keys.info", key=reference)
        expect_equal((answer["key"], answer["info"]["key_alias"]), (reference, "library-a"), "the key as told")
    library.fails("keys.info", "404", key=UNKNOWN_KEY)


def keys_update(library: Library) -> None:
    key = library.made["a"]
    changed = library.call("keys.update", key=key, key_alias="library-b", models=["amazon.*"], spend=2)
    expect_equal((changed["key"], changed["key_alias"]), (key, "library-b"), "what updating returns")
    info = library.administrator.key(key)
    found = info["key_alias"], info["models"], info["spend"], info["status"]
    expect_equal(found, ("library-b", ["amazon.*"], 2, "active"), "the key")
    expect_equal(
        library.administrator.converse(key, MODEL), 403, "what a call is answered that it may not make any more"
    )
    library.fails("keys.update", "Error updating key: ", key=UNKNOWN_KEY, key_alias="x")


def keys_list(library: Library) -> None:
    expected = [key["token"] for key in library.administrator.all_keys()]
    found: list[str] = []
    while len(found) < len(expected):
        answer = library.call("keys.list", page=len(found) // 100 + 1, size=100)
        expect_equal(answer["total_count"], len(expected), "total_count")
        expect(answer["keys"], "a page is empty")
        found += answer["keys"]
    expect_equal(found, expected, "all pages")
    whole = library.call("keys.list", key_alias="library-b", return_full_object=True)["keys"]
    expect_equal([key["models"] for key in whole], [["amazon.*"]], "the models of the key of that alias")


def keys_delete(library: Library) -> None:
    key = library.made["a"]
    expect_equal(library.call("keys.delete", keys=[key]), {"deleted_keys": [key]}, "what deleting returns")
    expect_equal(library.administrator.key(key), {}, "/key/info")
    expect_equal(library.administrator.converse(key, MODEL), 401, "what a call of the deleted key is answered")
    library.fails("keys.delete", "404", keys=[key])


def health_get_readiness(library: Library) -> None:
    answer = library.call("health.get_readiness")
    expect_equal((answer["status"], answer["db"]), ("healthy", "connected"), "status and db")


def teams_list(library: Library) -> None:
    team = library.administrator.post("/team/new", {"team_alias": "library-team", "max_budget": 5})["team_id"]
    listed = {one["team_id"]: one for one in library.call("teams.list")}
    expect_equal(listed[team]["max_budget"], 5, "max_budget")
    page = library.call("teams.list_v2", team_alias="library", sort_by="team_alias")
    expect_equal([one["team_id"] for one in page["teams"]], [team], "the teams of that alias")
    expect_equal(library.call("teams.get_available"), [], "available teams")


def users_create_list_get_delete(library: Library) -> None:
    made = library.call("users.create_user", user_data={"user_email": "b@example.org", "user_role": "internal_user"})
    user = made["user_id"]
    listed = {one["user_id"]: one for one in library.call("users.list_users", params={"page_size": 100})}
    found = listed[user]["user_email"], listed[user]["key_count"]
    expect_equal(found, ("b@example.org", 1), "the user's address and number of keys")
    expect_equal(library.call("users.get_user", user_id=user)["user_info"]["user_id"], user, "the user")
    expect_equal(library.call("users.delete_user", user_ids=[user]), 1, "what deleting returns")
    library.fails("users.get_user", "NotFoundError", user_id=user)


def models_and_credentials(library: Library) -> None:
    expect(MODEL in [one["id"] for one in library.call("models.list")], "the model is missing in models.list")
    infos = library.call("models.info")
    expect(MODEL in [one["model_name"] for one in infos], "the model is missing in models.info")
    groups = library.call("model_groups.info")
    expect(MODEL in [one["model_group"] for one in groups], "the model is missing in model_groups.info")
    expect_equal(library.call("credentials.list")["credentials"], [], "credentials")


def an_unknown_key(library: Library) -> None:
    for method in ("keys.list", "keys.generate", "teams.list", "users.list_users", "models.list", "model_groups.info"):
        outcome = library.outcome(library.stranger, method, {})
        expect("UnauthorizedError" in outcome.error, f"{method}: {shown(outcome)}")


LIBRARY = Story(
    "litellm.proxy.client",
    opened,
    (
        keys_generate,
        keys_info,
        keys_update,
        keys_list,
        keys_delete,
        health_get_readiness,
        teams_list,
        users_create_list_get_delete,
        models_and_credentials,
        an_unknown_key,
    ),
)
