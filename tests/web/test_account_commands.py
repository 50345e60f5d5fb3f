"""`flask --app wsgi keys|teams|users ...`: tables for people, JSON for machines, errors in one line with a remedy."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.web.admin_client import SECRET_KEY, AdminClient


@dataclass
class Shell:
    """Types commands."""

    client: AdminClient

    def run(self, *words: str, typed: str = "", fails: bool = False) -> str:
        """What is printed, by a command that must succeed, or fail with status 1."""
        result = self.client.app.test_cli_runner().invoke(args=words, input=typed)
        assert result.exit_code == int(fails), result.output
        return result.output

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def refused(self, *words: str) -> str:
        """The one line of an error."""
        output = self.run(*words, fails=True)
        [line] = output.splitlines()
        return line


@pytest.fixture
def shell(admin: AdminClient) -> Shell:
    return Shell(admin)


@pytest.fixture
def sqlite_shell(admin_on_sqlite: AdminClient) -> Shell:
    """For what no database makes a difference to; with a SECRET_KEY."""
    return Shell(admin_on_sqlite)


@pytest.fixture
def empty_shell(empty_database_url: str, tmp_path: Path) -> Iterator[Shell]:
    """On a database without tables."""
    client = AdminClient.on(empty_database_url, tmp_path)
    yield Shell(client)
    client.close()


def row(output: str) -> dict[str, str]:
    """The names and values of what was printed one a line."""
    return {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in output.splitlines() if "  " in line}


def test_a_key_is_told_from_the_command_line_what_its_calls_must_say(shell: Shell) -> None:
    shell.run("keys", "generate", "--alias", "shop", "--end-user-required", "--unmetered-calls", "allow")
    shell.run("keys", "generate", "--alias", "plain")

    shop, plain = (shell.json("keys", "info", alias) for alias in ("shop", "plain"))
    assert (shop["end_user_required"], shop["unmetered_calls"]) == (True, "allow")
    assert (plain["end_user_required"], plain["unmetered_calls"]) == (False, "refuse")


def test_a_generated_key_is_shown_once_and_works(shell: Shell) -> None:
    output = shell.run("keys", "generate", "--alias", "ci", "--models", "anthropic.*,amazon.*", "--max-budget", "50")

    key = row(output)["key"]
    info = shell.client.seen("/key/info", key)["info"]
    assert (info["key_alias"], info["models"], info["max_budget"], info["created_by"]) == (
        "ci",
        ["anthropic.*", "amazon.*"],
        50.0,
        "command line",
    )
    assert "not shown again" in output
    for words in (("list",), ("info", "ci"), ("list", "--json"), ("info", "ci", "--json")):
        assert key not in shell.run("keys", *words)


def test_with_a_secret_key_the_pair_for_aws_sdks_is_shown_too(sqlite_shell: Shell) -> None:
    shown = row(sqlite_shell.run("keys", "generate"))

    assert shown["AWS_ACCESS_KEY_ID"].startswith("OCAK")
    assert shown["AWS_SECRET_ACCESS_KEY"] not in sqlite_shell.run("keys", "list", "--json")
    assert SECRET_KEY not in str(shown)


def test_keys_are_listed_in_aligned_columns_and_by_what_was_asked(shell: Shell) -> None:
    shell.run("teams", "new", "--id", "red")
    shell.run("keys", "generate", "--alias", "a-long-alias", "--team", "red", "--duration", "30d")
    shell.run("keys", "generate", "--alias", "b")
    shell.run("keys", "block", "b")

    lines = shell.run("keys", "list").splitlines()

    assert lines[0].split() == ["ALIAS", "KEY", "TEAM", "USER", "STATUS", "EXPIRES", "MAX", "BUDGET", "SPEND", "ID"]
    assert len({line.index(part) for line, part in zip(lines, ("KEY", "sk-...", "sk-..."), strict=True)}) == 1
    assert [line.split()[0] for line in lines[1:]] == ["b", "a-long-alias"]
    assert [line.split()[0] for line in shell.run("keys", "list", "--status", "blocked").splitlines()[1:]] == ["b"]
    assert [key["key_alias"] for key in shell.json("keys", "list", "--team", "red")] == ["a-long-alias"]
    assert shell.run("keys", "list", "--user", "nobody") == "No keys.\n"


def test_a_list_shows_budgets_and_what_little_was_spent(shell: Shell) -> None:
    shell.run("teams", "new", "--id", "red", "--max-budget", "500")
    for spend in (0, 0.00002664, 1.5):
        shell.client.made("/key/generate", key_alias=f"spent-{spend}", max_budget=2, spend=spend)

    titles, *keys = shell.run("keys", "list").splitlines()
    place = titles.index("MAX BUDGET")
    assert [line[place:].split()[:2] for line in keys] == [
        ["2.0000", "1.5000"],
        ["2.0000", "0.000027"],
        ["2.0000", "0.0000"],
    ]
    assert shell.run("teams", "list").splitlines()[1].split()[-2:] == ["500.0000", "0.0000"]


def test_a_key_is_named_by_its_alias_its_id_its_token_or_itself(shell: Shell) -> None:
    key = row(shell.run("keys", "generate", "--alias", "ci"))["key"]
    info = shell.json("keys", "info", "ci")

    for name in (info["key_id"], info["token"], key):
        assert shell.json("keys", "info", name) == info
    assert row(shell.run("keys", "info", "ci"))["operations"] == "inference, agents (the default)"


def test_of_keys_that_had_one_alias_the_living_is_meant(shell: Shell) -> None:
    expired = shell.json("keys", "generate", "--alias", "ci", "--duration", "30d")["key_id"]
    shell.client.made("/key/update", key=expired, duration="-1")
    shell.client.made("/key/update", key=expired, key_alias="other")
    living = shell.json("keys", "generate", "--alias", "ci")["key_id"]

    assert shell.json("keys", "info", "ci")["key_id"] == living


def test_a_blocked_key_is_refused_until_it_is_let_go(shell: Shell) -> None:
    key = row(shell.run("keys", "generate", "--alias", "ci"))["key"]

    assert shell.run("keys", "block", "ci") == f"Blocked  ci (sk-...{key[-4:]})\n"
    assert shell.client.get("/key/info", key).status_code == 401
    shell.run("keys", "unblock", "ci")
    assert shell.client.get("/key/info", key).status_code == 200


def test_a_rotated_keys_earlier_text_works_for_its_grace_alone(shell: Shell) -> None:
    first = row(shell.run("keys", "generate", "--alias", "ci"))["key"]

    output = shell.run("keys", "rotate", "ci", "--grace", "1h")
    second = row(output)["key"]

    assert "The text before works for another 1h." in output
    assert [shell.client.get("/key/info", key).status_code for key in (first, second)] == [200, 200]
    third = row(shell.run("keys", "rotate", "ci"))["key"]
    assert [shell.client.get("/key/info", key).status_code for key in (first, second, third)] == [401, 401, 200]


def test_deleting_asks_first_and_a_no_deletes_nothing(shell: Shell) -> None:
    key = row(shell.run("keys", "generate", "--alias", "ci"))["key"]

    asked = shell.run("keys", "delete", "ci", typed="n\n", fails=True)
    assert f"Delete ci (sk-...{key[-4:]})? [y/N]" in asked
    assert shell.client.get("/key/info", key).status_code == 200

    shell.run("keys", "delete", "ci", typed="y\n")
    assert shell.client.get("/key/info", key).status_code == 401


def test_of_keys_to_delete_one_that_is_missing_keeps_all(shell: Shell) -> None:
    shell.run("keys", "generate", "--alias", "ci")

    assert "There is no such key" in shell.refused("keys", "delete", "ci", "nope", "--yes")
    assert len(shell.json("keys", "list")) == 1


def test_a_team_comes_is_shown_blocked_and_goes_with_its_keys(shell: Shell) -> None:
    made = shell.run(
        "teams", "new", "--id", "red", "--alias", "Team Red", "--models", "a.*", "--models", "b.*", "--max-budget", "9"
    )
    key = row(shell.run("keys", "generate", "--team", "red", "--alias", "ci"))["key"]

    assert "flask --app wsgi keys generate --team red" in made
    assert shell.run("teams", "list").splitlines()[1].split("  ")[0] == "red"
    shown = row(shell.run("teams", "info", "Team Red"))
    assert (shown["team_id"], shown["models"], shown["keys"], shown["max_budget"]) == ("red", "a.*, b.*", "ci", "9.0")
    assert shell.json("teams", "info", "red")["team_info"]["models"] == ["a.*", "b.*"]
    shell.run("teams", "block", "red")
    assert shell.client.get("/key/info", key).status_code == 401
    shell.run("teams", "unblock", "red")
    assert shell.client.get("/key/info", key).status_code == 200
    assert "Delete Team Red (red) and its 1 keys?" in shell.run("teams", "delete", "red", typed="n\n", fails=True)
    assert shell.run("teams", "delete", "red", "--yes") == "Deleted  Team Red (red) and its 1 keys\n"
    assert shell.client.get("/key/info", key).status_code == 401
    assert shell.json("teams", "list") == []


def test_an_alias_of_two_teams_names_neither(shell: Shell) -> None:
    for team in ("red", "blue"):
        shell.run("teams", "new", "--id", team, "--alias", "twins")

    assert "Several teams have this alias: " in shell.refused("teams", "block", "twins")


def test_a_user_comes_with_a_key_where_it_is_asked_for_and_goes(shell: Shell) -> None:
    shell.run("teams", "new", "--id", "red")
    key = row(shell.run("users", "new", "--id", "ann", "--email", "ann@example.com", "--teams", "red", "--key"))["key"]
    without = shell.json("users", "new", "--id", "bob", "--role", "proxy_admin_viewer")

    assert shell.client.get("/key/info", key).status_code == 200
    assert (without["key"], without["user_role"]) == ("", "proxy_admin_viewer")
    assert [line.split() for line in shell.run("users", "list").splitlines()] == [
        ["ID", "EMAIL", "ROLE", "TEAMS", "KEYS"],
        ["bob", "-", "proxy_admin_viewer", "-", "0"],
        ["ann", "ann@example.com", "internal_user", "red", "1"],
    ]
    assert shell.run("users", "delete", "ann", "--yes") == "Deleted  ann and 1 keys\n"
    assert shell.client.get("/key/info", key).status_code == 401


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("keys", "generate", "--alias", "taken"), "Key with alias 'taken' already exists"),
        (("keys", "generate", "--team", "nope"), "Make it by /team/new"),
        (("keys", "generate", "--max-budget", "much"), "--max-budget: Input should be a valid decimal"),
        (("keys", "generate", "--max-budget", "-1"), "max_budget cannot be negative"),
        (("keys", "generate", "--rpm-limit", "1.5"), "--rpm-limit: Input should be a valid integer"),
        (("keys", "generate", "--duration", "3 fortnights"), "Write it as 30s, 15m, 12h, 30d, 2w or 1mo"),
        (("keys", "generate", "--operations", "Converze"), "Write names such as Converse"),
        (("keys", "info", "nope"), "See them by `flask --app wsgi keys list`"),
        (("keys", "rotate", "taken", "--grace", "soon"), "grace_period: Unsupported duration"),
        (("teams", "new", "--id", "red"), "Team id = red already exists"),
        (("teams", "info", "nope"), "See them by `flask --app wsgi teams list`"),
        (("users", "new", "--role", "king"), "is none of internal_user"),
        (("users", "delete", "nope", "--yes"), "User not found"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(sqlite_shell: Shell, words: tuple[str, ...], says: str) -> None:
    sqlite_shell.run("keys", "generate", "--alias", "taken")
    sqlite_shell.run("teams", "new", "--id", "red")

    line = sqlite_shell.refused(*words)

    assert line.startswith("Error: ")
    assert says in line


@pytest.mark.parametrize("words", [("keys", "list"), ("keys", "generate"), ("teams", "list"), ("users", "list")])
def test_a_database_without_the_tables_says_how_to_make_them(empty_shell: Shell, words: tuple[str, ...]) -> None:
    line = empty_shell.refused(*words)

    assert line.startswith("Error: The database ")
    assert line.endswith(" has not this version's tables. Run `flask --app wsgi db upgrade`; a start does it too.")


def test_a_database_that_does_not_answer_is_named_with_the_reason_and_without_its_password(tmp_path: Path) -> None:
    client = AdminClient.on("postgresql://outcrop:hunter2@127.0.0.1:1/none", tmp_path)

    line = Shell(client).refused("keys", "list")

    assert "outcrop@127.0.0.1:1/none does not answer (" in line
    assert "Connection refused). Check DATABASE_URL" in line
    assert "hunter2" not in line
    client.close()


def test_help_needs_no_database_and_has_examples(empty_shell: Shell) -> None:
    for words in (("keys", "generate"), ("keys", "rotate"), ("teams", "new"), ("users", "new")):
        assert f"flask --app wsgi {' '.join(words)}" in empty_shell.run(*words, "--help")


def test_names_cannot_move_the_terminals_cursor(sqlite_shell: Shell) -> None:
    sqlite_shell.client.made("/key/generate", key_alias="\x1b[2Jevil\n", metadata={"a": "\x07"})

    output = sqlite_shell.run("keys", "list")

    assert "\\x1b[2Jevil\\n" in output
    assert "\x1b" not in output + sqlite_shell.run("keys", "info", "\x1b[2Jevil\n")


@pytest.mark.parametrize(("teams", "team_id"), [("red", "red"), ("red,blue", None)])
def test_a_users_first_key_is_in_its_team_where_it_has_one(shell: Shell, teams: str, team_id: str | None) -> None:
    """In none, the team's lists would not bind it."""
    for team in ("red", "blue"):
        shell.run("teams", "new", "--id", team)
    shell.run("users", "new", "--id", "ann", "--teams", teams, "--key")

    [key] = shell.json("keys", "list")
    assert (key["user_id"], key["team_id"]) == ("ann", team_id)
