"""What is easy to forget when something is added: its access, its documentation, its row in a table."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.settings import Settings
from app.web.access import requires_admin_key, requires_no_auth, requires_virtual_key
from app.web.flask_app import PASSAGE

ROOT = Path(__file__).resolve().parent.parent
ACCESS = {requires_admin_key, requires_no_auth, requires_virtual_key}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    settings = Settings.from_environment(
        {"LITELLM_MASTER_KEY": "sk-abcdefghijklmnopqrstuvwxyz"}, tmp_path_factory.mktemp("root")
    )
    return create_app(settings)


def test_every_route_declares_who_may_use_it(app: Flask) -> None:
    undeclared = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        and len(ACCESS & set(app.before_request_funcs.get(rule.endpoint.rpartition(".")[0], ()))) != 1
    ]

    assert undeclared == []


def test_nothing_runs_around_the_passage_but_what_it_does_itself(app: Flask) -> None:
    """Flask's hooks are not run there (app/web/flask_app.py); of those for all routes, the passage guards loopback and
    reads bodies to their end by itself."""
    hooks = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)

    assert [[hook.__name__ for hook in found.get(PASSAGE, ())] for found in hooks] == [["requires_virtual_key"], [], []]
    assert [[hook.__name__ for hook in found.get(None, ())] for found in hooks] == [
        ["guard"],
        ["leave_unread_bodies"],
        [],
    ]


def test_nothing_is_served_from_a_folder_but_the_page_that_describes_the_routes(app: Flask) -> None:
    assert [rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.endswith("static")] == []
    assert [rule.rule for rule in app.url_map.iter_rules() if "path:" in rule.rule] == ["/docs/<path:path>"]


def test_the_readme_lists_exactly_the_variables_that_settings_read() -> None:
    text = "".join((ROOT / "app" / name).read_text() for name in ("settings.py", "environment.py"))
    read = set(re.findall(r'"([A-Z][A-Z0-9_]{3,})"', text))
    read -= {"STS"}
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    listed = set(re.findall(r"\b([A-Z][A-Z0-9_]{3,})\b", " ".join(first_cells)))

    assert read - listed == set()


def test_every_setting_has_a_type_that_cannot_change() -> None:
    assert Settings.__dataclass_params__.frozen  # type: ignore[attr-defined]  # of dataclasses, which mypy does not model
    assert fields(Settings)


def test_the_changelog_speaks_of_what_is_unreleased() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
