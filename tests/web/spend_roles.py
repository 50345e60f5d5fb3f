"""The rows of tests/web/test_admin_roles.py that are about spend."""

from collections.abc import Callable
from typing import Any

from tests.web.admin_roles import ADMINISTRATOR, ANYONE, OVERSEER, TEAMS, Row, Whose, World

Call = Callable[[World, str, Whose], str]
DATES = {"start_date": "2026-11-01", "end_date": "2026-11-02"}
#        administrator  viewer         team admin     holder         outsider
KEY = ("200 200 200", "200 200 200", "200 200 403", "200 403 403", "200 403 403")
TEAM = ("200 200 200", "200 200 200", "200 200 403", "403 403 403", "403 403 403")
USER = ("200 200 200", "200 200 200", "403 403 403", "403 403 403", "403 403 403")
SEEN = ("seen seen seen", "seen seen seen", "seen seen hidden", "seen hidden hidden", "seen hidden hidden")


def _gets(route: str, **query: Any) -> Call:
    return lambda world, by, whose: str(world.client.get(route, by, **query).status_code)


def _posts(route: str, **body: Any) -> Call:
    return lambda world, by, whose: str(world.client.post(route, by, **body).status_code)


def _of_key(route: str) -> Call:
    return lambda world, by, whose: str(world.client.get(route, by, **DATES, api_key=world.key(by, whose)).status_code)


def _of_team(route: str) -> Call:
    return lambda world, by, whose: str(world.client.get(route, by, **DATES, team_id=TEAMS[whose]).status_code)


def _keys(world: World, by: str, whose: Whose) -> str:
    """Whether the key is among those that are shown."""
    token = world.client.seen("/key/info", key=world.key(by, whose))["info"]["token"]
    return "seen" if token in [key["token"] for key in world.client.seen("/spend/keys", by, limit=1000)] else "hidden"


USAGE = {"model": "amazon.nova-lite-v1:0", "usage": {"inputTokens": 1, "outputTokens": 1}}
SPEND_ROWS = [
    Row("/spend/logs", _of_key("/spend/logs"), KEY),
    Row("/spend/logs/v2", _of_key("/spend/logs/v2"), KEY),
    Row("/spend/logs/ui", _of_team("/spend/logs/ui"), TEAM),
    Row("/spend/keys", _keys, SEEN),
    Row("/spend/users", _gets("/spend/users"), OVERSEER),
    Row("/spend/tags", _gets("/spend/tags"), OVERSEER),
    Row("/spend/calculate", _posts("/spend/calculate", **USAGE), ANYONE),
    Row("/key/spend/report", _of_key("/key/spend/report"), KEY),
    Row("/team/spend/report", _of_team("/team/spend/report"), TEAM),
    Row("/user/spend/report", _gets("/user/spend/report", **DATES), USER),
    Row("/global/spend", _gets("/global/spend"), OVERSEER),
    Row("/global/spend/keys", _gets("/global/spend/keys"), OVERSEER),
    Row("/global/spend/models", _gets("/global/spend/models"), OVERSEER),
    Row("/global/spend/teams", _gets("/global/spend/teams"), OVERSEER),
    Row("/global/spend/logs", _gets("/global/spend/logs"), OVERSEER),
    Row("/global/spend/tags", _gets("/global/spend/tags", **DATES), OVERSEER),
    Row("/global/spend/report", _gets("/global/spend/report", **DATES), OVERSEER),
    Row("/global/activity", _gets("/global/activity", **DATES), OVERSEER),
    Row("/global/activity/model", _gets("/global/activity/model", **DATES), OVERSEER),
    Row("/global/spend/reset", _posts("/global/spend/reset"), ADMINISTRATOR),
    # by POST too
    Row("/global/spend/end_users", _gets("/global/spend/end_users"), OVERSEER),
]
SPEND_BLUEPRINTS = frozenset(("spend", "prices"))
