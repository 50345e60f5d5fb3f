"""Who may do what with what, route by route: every role on a thing of its own, of its team, and of others.

A number is the status. Where a list is asked for the thing, it is `seen` or `hidden`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.account_roles import ACCOUNT_BLUEPRINTS, ACCOUNT_ROWS, MODEL_ROWS
from tests.web.admin_client import AdminClient, Answer
from tests.web.admin_roles import ADMINISTRATOR, ANYONE, OVERSEER, ROLES, TEAMS, WHOSE, Role, Row, Whose, World
from tests.web.spend_roles import SPEND_BLUEPRINTS, SPEND_ROWS

Call = Callable[[World, str, Whose], str]
#             administrator  viewer         team admin     holder         outsider
READ = ("200 200 200", "200 200 200", "200 200 403", "200 403 403", "200 403 403")
SEEN = ("seen seen seen", "seen seen seen", "seen seen hidden", "seen hidden hidden", "seen hidden hidden")
CHANGE = ("200 200 200", "401 401 401", "200 200 403", "401 401 401", "401 401 401")
# blueprints whose every route must stand in a table
COVERED = {"keys", "audit", *ACCOUNT_BLUEPRINTS, *SPEND_BLUEPRINTS}


def _post(route: str, **body: Any) -> Call:
    """POST about the key, which stands in the path or as `key` in the body."""

    def call(world: World, by: str, whose: Whose) -> str:
        key = world.key(by, whose)
        in_path = "<key>" in route
        sent = body if in_path else {"key": key, **body}
        return str(world.client.post(route.replace("<key>", key), by, **sent).status_code)

    return call


def _make(route: str) -> Call:
    def call(world: World, by: str, whose: Whose) -> str:
        return str(world.client.post(route, by, team_id=TEAMS[whose]).status_code)

    return call


def _delete(world: World, by: str, whose: Whose) -> str:
    return str(world.client.post("/key/delete", by, keys=[world.key(by, whose)]).status_code)


def _bulk_update(world: World, by: str, whose: Whose) -> str:
    answer = world.client.post("/key/bulk_update", by, keys=[{"key": world.key(by, whose), "rpm_limit": 9}])
    if answer.status_code != 200:
        return str(answer.status_code)
    return "200" if answer.json["successful_updates"] else "403"


def _info(world: World, by: str, whose: Whose) -> str:
    return str(world.client.get("/key/info", by, key=world.key(by, whose)).status_code)


def _infos(world: World, by: str, whose: Whose) -> str:
    return str(world.client.post("/v2/key/info", by, keys=[world.key(by, whose)]).status_code)


def _list(world: World, by: str, whose: Whose) -> str:
    return _sight(world.client.get("/key/list", by, key_hash=world.key(by, whose)), "keys")


def _aliases(world: World, by: str, whose: Whose) -> str:
    key = world.key(by, whose)
    alias = world.name()
    world.client.made("/key/update", key=key, key_alias=alias)
    return _sight(world.client.get("/key/aliases", by, search=alias), "aliases")


def _audit(world: World, by: str, whose: Whose) -> str:
    return str(world.client.get("/audit", by, changed_by=whose).status_code)


def _sight(answer: Answer, name: str) -> str:
    assert answer.status_code == 200
    return "seen" if answer.json[name] else "hidden"


KEY_ROWS = [
    Row("/key/generate", _make("/key/generate"), CHANGE),
    Row("/key/service-account/generate", _make("/key/service-account/generate"), CHANGE),
    Row("/key/update", _post("/key/update", rpm_limit=9), CHANGE),
    Row("/key/bulk_update", _bulk_update, CHANGE),
    Row("/key/delete", _delete, CHANGE),
    Row("/key/block", _post("/key/block"), CHANGE),
    Row("/key/unblock", _post("/key/unblock"), CHANGE),
    Row("/key/regenerate", _post("/key/regenerate"), CHANGE),
    Row("/key/<key>/regenerate", _post("/key/<key>/regenerate"), CHANGE),
    Row("/key/<key>/reset_spend", _post("/key/<key>/reset_spend", reset_to=0), ADMINISTRATOR),
    Row("/key/info", _info, READ),
    Row("/v2/key/info", _infos, READ),
    Row("/key/list", _list, SEEN),
    Row("/key/aliases", _aliases, SEEN),
    Row("/key/health", _post("/key/health"), ANYONE),
    Row("/audit", _audit, OVERSEER),
]
ROWS = [*KEY_ROWS, *ACCOUNT_ROWS, *SPEND_ROWS]


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all: each cell makes its own things."""
    folder = tmp_path_factory.mktemp("roles")
    path = folder / "outcrop.db"
    path.write_bytes(sqlite_template.read_bytes())
    client = AdminClient.on(f"sqlite:///{path}", folder)
    yield World.made(client)
    client.close()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.route)
def test_a_role_gets_what_its_table_says(world: World, row: Row, role: Role) -> None:
    found = [row.call(world, world.key_of(role), whose) for whose in WHOSE]

    assert " ".join(found) == row.wants[ROLES.index(role)]


@pytest.mark.parametrize("row", [row for row in ROWS if row not in MODEL_ROWS], ids=lambda row: row.route)
def test_a_key_for_bedrock_alone_reaches_no_admin_route(world: World, row: Row) -> None:
    by = world.client.new_key(key_type="llm_api", team_id="red", user_id="boss")
    path = row.route.replace("<key>", "k")

    answers = [world.client.get(path, by), world.client.post(path, by)]

    assert {answer.status_code for answer in answers} <= {403, 405}
    assert "llm_api" in "".join(answer.text for answer in answers)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.route)
def test_without_a_key_nothing_is_answered(world: World, row: Row) -> None:
    path = row.route.replace("<key>", "k")

    answers = [world.client.get(path, None), world.client.post(path, None)]

    assert 401 in {answer.status_code for answer in answers} <= {401, 405}


def test_a_key_with_an_address_list_is_not_taken_from_elsewhere(world: World) -> None:
    by = world.client.new_key(addresses=["203.0.113.0/24"])

    answer = world.client.get("/key/info", by)

    assert answer.status_code == 403
    assert "addresses do not include 127.0.0.1" in answer.json["error"]["message"]


def test_every_route_stands_in_the_table(world: World) -> None:
    served = {rule.rule for rule in world.client.app.url_map.iter_rules() if rule.endpoint.split(".")[0] in COVERED}

    assert served == {row.route for row in ROWS}
