"""`lite`, the command line of LiteLLM, as an administrator has it in a shell.

What its commands have done is asked of the gateway again, by another way.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from checks.clients.children import Commands, Given, Outcome, Running, started
from checks.clients.configurations import LITELLM_ENVIRONMENT, MODEL, OPENAI_MODEL, python
from checks.clients.issuing import Administrator
from checks.clients.steps import Site, Story, Unmet, expect, expect_equal
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.standin_bedrock import StandinBedrock

SCRIPT = Commands({"--version": [str(LITELLM_ENVIRONMENT / "lite"), "--version"]}, {})
FORKS = python("lite_forks", LITELLM_ENVIRONMENT)
VERSION = "1.106.0"
VARIABLES = {
    "LITELLM_PROXY_URL": "$URL",
    "LITELLM_PROXY_API_KEY": "$KEY",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches a price list from the Internet when it is imported
    "COLUMNS": "250",  # its tables cut what is wider
}
UNKNOWN_KEY = "sk-" + "8Zc2Vn6Bm1Lk5Jh9Gf3Ds7Aq0We4Rt8Y"
IMPORTED = 120  # more than a page of 100
LAST = 300  # characters of an error: `lite` shows tracebacks


@dataclass
class Shell:
    """A shell with `lite`, and what was made in it before."""

    administrator: Administrator
    standin: StandinBedrock
    script: Running  # the installed command itself
    forks: Running  # the same, without an import for each command
    made: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, key: str = MASTER_KEY) -> Outcome:
        # a line has a name and one word, and JSON may write a space without one
        prompt = json.dumps({"words": words, "key": key}, separators=(",", ":")).replace(" ", "\\u0020")
        outcome = self.forks.call("lite", prompt)
        if outcome.error:
            return outcome
        told = json.loads(outcome.text)
        if told["code"] == 0:
            return Outcome(told["output"])
        return Outcome(error=f"exit {told['code']}: {told['output']}{told['errors']}")

    def shows(self, *words: str, key: str = MASTER_KEY) -> str:
        """What a command prints that must end well."""
        outcome = self.run(*words, key=key)
        expect(not outcome.error, f"lite {' '.join(words)}: {outcome.error[-LAST:]!r}")
        return outcome.text

    def json(self, *words: str, key: str = MASTER_KEY) -> Any:
        text = self.shows(*words, key=key)
        try:
            return json.loads(text)
        except ValueError:
            raise Unmet(f"lite {' '.join(words)} shows no JSON: {text[:200]!r}") from None

    def fails(self, *words: str, showing: str, key: str = MASTER_KEY) -> None:
        outcome = self.run(*words, key=key)
        expect(outcome.error, f"lite {' '.join(words)} ends well: {outcome.text[:200]!r}")
        expect(showing in outcome.error, f"{showing!r} is missing in what is shown: {outcome.error[-LAST:]!r}")


@contextmanager
def opened(site: Site) -> Iterator[Shell]:
    given = Given(MASTER_KEY, site.administrator.url)
    with started(SCRIPT, given, VARIABLES) as script, started(FORKS, given, VARIABLES) as forks:
        yield Shell(site.administrator, site.standin, script, forks)


def version(shell: Shell) -> None:
    outcome = shell.script.call("--version", "")
    text = outcome.text
    for part in (f"CLI Version: {VERSION}", f"Server URL: {shell.administrator.url}", "Server Version: "):
        expect(part in text, f"{part!r} is missing in {text!r}")
    expect("Could not" not in text and not outcome.error, f"{outcome}")


def keys_generate(shell: Shell) -> None:
    made = shell.json("keys", "generate", "--models", f"{MODEL}, amazon.*", "--key-alias", "lite-a", "--duration", "1h")
    info = shell.administrator.key(made["key"])
    expect_equal(info["models"], [MODEL, "amazon.*"], "models")
    expect_equal((info["key_alias"], info["expires"][:16]), ("lite-a", made["expires"][:16]), "alias and expiry")
    expect_equal(info["key_name"], f"sk-...{made['key'][-4:]}", "key_name")
    status = shell.administrator.converse(made["key"], MODEL), shell.administrator.converse(made["key"], OPENAI_MODEL)
    expect_equal(status, (200, 403), "what its calls are answered")
    shell.made["a"] = made["key"]


def keys_generate_of_a_team_and_a_user(shell: Shell) -> None:
    ask = shell.administrator.post
    shell.made["team"] = team = ask("/team/new", {"team_alias": "lite-team", "models": [MODEL]})["team_id"]
    shell.made["user"] = user = ask("/user/new", {"user_email": "a@example.org", "teams": [team]})["user_id"]
    budget = ask("/budget/new", {"max_budget": 7})["budget_id"]
    made = shell.json(
        *("keys", "generate", "--team-id", team, "--user-id", user, "--budget-id", budget, "--spend", "1.5"),
        *("--key-alias", "lite-b", "--aliases", '{"fast": "slow"}', "--config", '{"a": 1}'),
    )
    info = shell.administrator.key(made["key"])
    found = info["team_id"], info["user_id"], info["budget_id"], info["spend"], info["key_alias"]
    expect_equal(found, (team, user, budget, 1.5, "lite-b"), "team, user, budget, spend and alias")
    expect_equal((made["aliases"], made["config"]), ({"fast": "slow"}, {"a": 1}), "aliases and config as answered")
    shell.made["b"] = made["key"]


def keys_generate_with_an_alias_that_is_taken(shell: Shell) -> None:
    before = len(shell.administrator.all_keys())
    shell.fails("keys", "generate", "--key-alias", "lite-a", showing="Key with alias 'lite-a' already exists")
    expect_equal(len(shell.administrator.all_keys()), before, "the number of keys")


def keys_generate_with_an_odd_duration(shell: Shell) -> None:
    shell.fails("keys", "generate", "--duration", "3 fortnights", showing="fortnights")


def keys_generate_of_no_team(shell: Shell) -> None:
    shell.fails("keys", "generate", "--team-id", "nobody", showing="Error: HTTP 4")


def keys_list(shell: Shell) -> None:
    text = shell.shows("keys", "list", "--size", "100")
    keys = shell.administrator.all_keys()
    expect(f"Showing {len(keys)} keys out of {len(keys)}" in text, text[:100])
    for key in keys:
        for part in (key["token"], str(key["key_alias"]), str(key["team_id"]), str(key["spend"])):
            expect(part in text, f"{part!r} is missing in the table")


def keys_list_by_page_and_filter(shell: Shell) -> None:
    keys = shell.administrator.all_keys()
    page = shell.json("keys", "list", "--format", "json", "--page", "2", "--size", "1")
    expect_equal([key["token"] for key in page["keys"]], [keys[1]["token"]], "the second page of one")
    expect_equal((page["total_count"], page["current_page"]), (len(keys), 2), "total_count and current_page")
    hashed = shell.administrator.key_hash(shell.made["b"])
    of_both = ("--team-id", shell.made["team"], "--user-id", shell.made["user"])
    for words in (("--key-alias", "lite-b"), of_both, ("--key-hash", hashed, "--include-team-keys")):
        found = shell.json("keys", "list", "--format", "json", *words)["keys"]
        expect(hashed in [key["token"] for key in found], f"{words}: the key is missing")
        of_others = [key["key_alias"] for key in found if key["key_alias"] == "lite-a"]
        expect(not of_others, f"{words}: {of_others} is listed too")


def keys_delete(shell: Shell) -> None:
    keys = [shell.administrator.post("/key/generate", {})["key"] for _ in range(2)]
    deleted = shell.json("keys", "delete", "--keys", ",".join(keys))
    expect_equal(deleted["deleted_keys"], keys, "deleted_keys")
    expect_equal([shell.administrator.key(key) for key in keys], [{}, {}], "/key/info")
    shell.json("keys", "delete", "--key-aliases", "lite-a")
    expect_equal(shell.administrator.key(shell.made["a"]), {}, "/key/info")
    expect_equal(
        shell.administrator.converse(shell.made["a"], MODEL), 401, "what a call of the deleted key is answered"
    )
    shell.fails("keys", "delete", "--keys", keys[0], showing="Error: HTTP 404")
    shell.fails("keys", "delete", showing="Error: HTTP 422")


def keys_import(shell: Shell) -> None:
    before = {key["token"] for key in shell.administrator.all_keys()}
    with GatewayProcess(standin=shell.standin) as gateway:
        source = Administrator(gateway.url)
        for n in range(IMPORTED):
            named = {"key_alias": f"imported-{n:03}"} if n % 10 else {}
            source.post("/key/generate", {**named, "models": [MODEL] * (n % 2), "spend": n / 8})
        words = ("keys", "import", "--source-base-url", source.url, "--source-api-key", MASTER_KEY)
        dry = shell.shows(*words, "--dry-run")
        expect("imported-119" in dry and f"Found {IMPORTED} keys" in dry, f"the dry run shows {dry[:300]!r}")
        expect_equal({key["token"] for key in shell.administrator.all_keys()}, before, "what a dry run leaves")
        since = shell.shows(*words, "--created-since", "2099-01-01")
        expect("No keys found in source instance." in since, since[-200:])
        text = shell.shows(*words, "--created-since", "2020-01-01_10:30")
    for part in (f"Successfully imported: {IMPORTED}", "Failed to import: 0", "Fetched page 2: 20 keys"):
        expect(part in text, f"{part!r} is missing in {text[-300:]!r}")
    here = [key for key in shell.administrator.all_keys() if key["token"] not in before]
    told = sorted((key["key_alias"] or "", tuple(key["models"]), key["spend"]) for key in here)
    sent = [(f"imported-{n:03}" if n % 10 else "", (MODEL,) * (n % 2), n / 8) for n in range(IMPORTED)]
    expect_equal(told, sorted(sent), "the keys here")


def users_create_list_get_delete(shell: Shell) -> None:
    made = shell.json(
        *("users", "create", "--email", "lite@example.org", "--role", "internal_user", "--alias", "Lite"),
        *("--team", shell.made["team"], "--max-budget", "3.5"),
    )
    user = made["user_id"]
    got = shell.json("users", "get", "--id", user)
    told = got["user_info"]
    found = told["user_email"], told["user_role"], told["user_alias"], told["max_budget"], told["teams"]
    expect_equal(found, ("lite@example.org", "internal_user", "Lite", 3.5, [shell.made["team"]]), "the user")
    expect_equal([team["team_id"] for team in got["teams"]], [shell.made["team"]], "the user's teams")
    expect_equal(shell.administrator.key(made["key"])["user_id"], user, "the owner of the first key")
    text = shell.shows("users", "list")
    for part in (user, "lite@example.org", "internal_user", shell.made["team"], shell.made["user"]):
        expect(part in text, f"{part!r} is missing in the table")
    expect_equal(shell.json("users", "delete", user), 1, "what deleting shows")
    shell.fails("users", "get", "--id", user, showing="NotFoundError")
    expect_equal(shell.administrator.key(made["key"]), {}, "the deleted user's key")


def teams_list_and_available(shell: Shell) -> None:
    text = shell.shows("teams", "list")
    for part in ("lite-team", shell.made["team"], MODEL):
        expect(part in text, f"{part!r} is missing in the table")
    expect("No available teams to join." in shell.shows("teams", "available"), "teams are available")


def teams_assign_key(shell: Shell) -> None:
    key = shell.administrator.post("/key/generate", {"key_type": "management"})["key"]
    shell.fails("teams", "assign-key", "--team-id", shell.made["team"], showing="", key=key)
    expect_equal(shell.administrator.key(key)["team_id"], None, "a key that puts itself into a team")


def models_list_and_info(shell: Shell) -> None:
    expect(MODEL in shell.shows("models", "list"), "the model is missing in the table")
    listed = [model["id"] for model in shell.json("models", "list", "--format", "json")]
    expect(MODEL in listed, f"{listed} lacks the model")
    columns = "public_model,upstream_model,credential_name,created_at,updated_at,id,input_cost,output_cost"
    expect(MODEL in shell.shows("models", "info", "--columns", columns), "the model is missing in the table of infos")
    infos = shell.json("models", "info", "--format", "json")
    expect(MODEL in [info["model_name"] for info in infos], "the model is missing in the infos")


def models_list_of_a_key(shell: Shell) -> None:
    key = shell.administrator.post("/key/generate", {"models": ["amazon.*"]})["key"]
    text = shell.shows("models", "list", key=key)
    expect(MODEL not in text, f"a model is listed that the key may not call: {text!r}")


def model_groups_list(shell: Shell) -> None:
    expect(MODEL in shell.shows("model-groups", "list"), "the model is missing in the table")
    groups = shell.json("model-groups", "list", "--format", "json")
    expect(MODEL in [group["model_group"] for group in groups], "the model is missing")


def credentials_list(shell: Shell) -> None:
    expect("Credentials" in shell.shows("credentials", "list"), "there is no table")
    expect_equal(shell.json("credentials", "list", "--format", "json")["credentials"], [], "credentials")


def http_request(shell: Shell) -> None:
    made = shell.json("http", "request", "POST", "/key/generate", "-j", '{"key_alias": "lite-http", "rpm_limit": 5}')
    expect_equal(shell.administrator.key(made["key"])["rpm_limit"], 5, "rpm_limit")
    listed = shell.json("http", "request", "GET", "/key/list?key_alias=lite-http")
    expect_equal(listed["keys"], [made["token"]], "the keys of that alias")
    shell.json("http", "request", "POST", "/key/block", "-j", json.dumps({"key": made["key"]}))
    expect(shell.administrator.key(made["key"])["blocked"], "the key is not blocked")
    shell.fails("http", "request", "GET", "/no/such/route", showing="Error: HTTP 404")
    shell.fails("http", "request", "POST", "/key/generate", "-j", '{"max_budget": "x"}', showing="Error: HTTP 422")


def an_unknown_key(shell: Shell) -> None:
    shell.fails("keys", "list", showing="UnauthorizedError", key=UNKNOWN_KEY)
    shell.fails("teams", "list", showing="Authentication failed", key=UNKNOWN_KEY)


def a_key_that_is_no_administrators(shell: Shell) -> None:
    listed = shell.json("keys", "list", "--format", "json", key=shell.made["b"])
    expect_equal([key["key_alias"] for key in listed["keys"]], ["lite-b"], "the keys that it lists")
    shell.fails("keys", "generate", showing="UnauthorizedError", key=shell.made["b"])
    shell.fails("users", "create", "--email", "x@example.org", showing="UnauthorizedError", key=shell.made["b"])


LITE = Story(
    "lite",
    opened,
    (
        version,
        keys_generate,
        keys_generate_of_a_team_and_a_user,
        keys_generate_with_an_alias_that_is_taken,
        keys_generate_with_an_odd_duration,
        keys_generate_of_no_team,
        keys_list,
        keys_list_by_page_and_filter,
        keys_delete,
        keys_import,
        users_create_list_get_delete,
        teams_list_and_available,
        teams_assign_key,
        models_list_and_info,
        models_list_of_a_key,
        model_groups_list,
        credentials_list,
        http_request,
        an_unknown_key,
        a_key_that_is_no_administrators,
    ),
)
