"""The rows of tests/web/test_admin_roles.py that are about teams, members, users, customers, budgets and models."""

from collections.abc import Callable
from typing import Any

from tests.web.admin_client import MASTER_KEY, Answer
from tests.web.admin_roles import ADMINISTRATOR, ANYONE, OVERSEER, TEAMS, Row, Whose, World

Call = Callable[[World, str, Whose], str]
#             administrator  viewer         team admin     holder         outsider
USER = ("200 200 200", "200 200 200", "403 403 403", "403 403 403", "403 403 403")
TEAM = ("200 200 200", "200 200 200", "200 200 403", "403 403 403", "403 403 403")
TEAM_LIST = ("seen seen seen", "seen seen seen", "seen seen hidden", "401 401 401", "401 401 401")
MEMBERS = ("200 200 200", "401 401 401", "200 200 403", "401 401 401", "401 401 401")
ADMINS = ("200 200 200", "401 401 401", "403 403 403", "401 401 401", "401 401 401")


def _posts(route: str, **body: Any) -> Call:
    """POST the same by everyone, whosever things."""
    return lambda world, by, whose: _status(world.client.post(route, by, **body))


def _gets(route: str, **query: Any) -> Call:
    return lambda world, by, whose: _status(world.client.get(route, by, **query))


def _of_team(route: str, **body: Any) -> Call:
    """POST about a team."""
    return lambda world, by, whose: _status(world.client.post(route, by, team_id=TEAMS[whose], **body))


def _new(route: str, name: str) -> Call:
    """POST something with an id that nobody has."""
    return lambda world, by, whose: _status(world.client.post(route, by, **{name: world.name()}))


def _delete_team(world: World, by: str, whose: Whose) -> str:
    """Where it would be deleted, one that nobody needs."""
    team = world.client.made("/team/new")["team_id"] if by == MASTER_KEY else TEAMS[whose]
    return _status(world.client.post("/team/delete", by, team_ids=[team]))


def _blocked(world: World, by: str, whose: Whose) -> str:
    """Whoever can block can let go again: the others' keys are needed."""
    answer = world.client.post("/team/block", by, team_id=TEAMS[whose])
    if answer.status_code == 200:
        world.client.made("/team/unblock", team_id=TEAMS[whose])
    return _status(answer)


def _team_info(world: World, by: str, whose: Whose) -> str:
    return _status(world.client.get("/team/info", by, team_id=TEAMS[whose]))


def _team_list(route: str) -> Call:
    def call(world: World, by: str, whose: Whose) -> str:
        answer = world.client.get(route, by, page_size=100)
        if answer.status_code != 200:
            return _status(answer)
        teams = answer.json["teams"] if route.startswith("/v2") else answer.json
        return "seen" if TEAMS[whose] in {team["team_id"] for team in teams} else "hidden"

    return call


def _user(world: World, team: str | None = None) -> str:
    """A user nobody needs, perhaps in a team."""
    user: str = world.client.made("/user/new", user_id=world.name(), auto_create_key=False)["user_id"]
    if team:
        world.client.made("/team/member_add", team_id=team, member={"role": "user", "user_id": user})
    return user


def _member_add(role: str) -> Call:
    def call(world: World, by: str, whose: Whose) -> str:
        member = {"role": role, "user_id": _user(world)}
        return _status(world.client.post("/team/member_add", by, team_id=TEAMS[whose], member=member))

    return call


def _member(route: str, **body: Any) -> Call:
    def call(world: World, by: str, whose: Whose) -> str:
        team = TEAMS[whose]
        return _status(world.client.post(route, by, team_id=team, user_id=_user(world, team), **body))

    return call


def _holder(world: World, by: str, whose: Whose) -> str:
    """Whose key it is, or somebody of its team, or of none."""
    if whose == "own" and by != MASTER_KEY:
        user: str = world.client.get("/key/info", by).json["info"]["user_id"]
        return user
    return "rita" if whose == "team" else "eye"


def _user_info(world: World, by: str, whose: Whose) -> str:
    answer = world.client.get("/user/info", by, user_id=_holder(world, by, whose))
    return _status(answer)


def _user_update(world: World, by: str, whose: Whose) -> str:
    return _status(world.client.post("/user/update", by, user_id=_holder(world, by, whose), user_alias="x"))


def _user_delete(world: World, by: str, whose: Whose) -> str:
    user = _user(world) if by == MASTER_KEY else _holder(world, by, whose)
    return _status(world.client.post("/user/delete", by, user_ids=[user]))


def _customer(route: str, **body: Any) -> Call:
    def call(world: World, by: str, whose: Whose) -> str:
        customer = world.client.made("/customer/new", user_id=world.name())["user_id"]
        named = {"user_ids": [customer]} if "user_ids" in body else {"user_id": customer}
        return _status(world.client.post(route, by, **(body | named)))

    return call


def _customer_info(route: str) -> Call:
    def call(world: World, by: str, whose: Whose) -> str:
        customer = world.client.made("/customer/new", user_id=world.name())["user_id"]
        return _status(world.client.get(route, by, end_user_id=customer))

    return call


def _budget(route: str, name: str) -> Call:
    def call(world: World, by: str, whose: Whose) -> str:
        budget = world.client.made("/budget/new")["budget_id"]
        return _status(world.client.post(route, by, **{name: [budget] if name == "budgets" else budget}))

    return call


def _status(answer: Answer) -> str:
    return str(answer.status_code)


TEAM_ROWS = [
    Row("/team/new", _posts("/team/new"), ADMINISTRATOR),
    Row("/team/update", _of_team("/team/update", rpm_limit=1000), ADMINISTRATOR),
    Row("/team/delete", _delete_team, ADMINISTRATOR),
    Row("/team/block", _blocked, ADMINISTRATOR),
    Row("/team/unblock", _of_team("/team/unblock"), ADMINISTRATOR),
    Row("/team/info", _team_info, TEAM),
    Row("/team/list", _team_list("/team/list"), TEAM_LIST),
    Row("/v2/team/list", _team_list("/v2/team/list"), TEAM_LIST),
    Row("/team/available", _gets("/team/available"), ANYONE),
    Row("/team/member_add", _member_add("user"), MEMBERS),
    Row("/team/member_add", _member_add("admin"), ADMINS),
    Row("/team/member_delete", _member("/team/member_delete"), MEMBERS),
    Row("/team/member_update", _member("/team/member_update", role="user"), MEMBERS),
    Row("/team/member_update", _member("/team/member_update", role="admin"), ADMINS),
]
USER_ROWS = [
    Row("/user/new", _new("/user/new", "user_id"), ADMINISTRATOR),
    Row("/user/info", _user_info, USER),
    Row("/user/update", _user_update, ADMINISTRATOR),
    Row("/user/delete", _user_delete, ADMINISTRATOR),
    Row("/user/list", _gets("/user/list"), OVERSEER),
]
CUSTOMER_ROWS = [
    row
    for noun in ("customer", "end_user")
    for row in (
        Row(f"/{noun}/new", _new(f"/{noun}/new", "user_id"), ADMINISTRATOR),
        Row(f"/{noun}/info", _customer_info(f"/{noun}/info"), OVERSEER),
        Row(f"/{noun}/update", _customer(f"/{noun}/update", alias="x"), ADMINISTRATOR),
        Row(f"/{noun}/delete", _customer(f"/{noun}/delete", user_ids=[]), ADMINISTRATOR),
        Row(f"/{noun}/list", _gets(f"/{noun}/list"), OVERSEER),
        Row(f"/{noun}/block", _customer(f"/{noun}/block", user_ids=[]), ADMINISTRATOR),
        Row(f"/{noun}/unblock", _customer(f"/{noun}/unblock", user_ids=[]), ADMINISTRATOR),
    )
]
BUDGET_ROWS = [
    Row("/budget/new", _new("/budget/new", "budget_id"), ADMINISTRATOR),
    Row("/budget/info", _budget("/budget/info", "budgets"), OVERSEER),
    Row("/budget/update", _budget("/budget/update", "budget_id"), ADMINISTRATOR),
    Row("/budget/list", _gets("/budget/list"), OVERSEER),
    Row("/budget/delete", _budget("/budget/delete", "id"), ADMINISTRATOR),
    Row("/credentials", _gets("/credentials"), OVERSEER),
]
# what a key for Bedrock alone may ask too
MODEL_ROWS = [
    Row(route, _gets(route), ANYONE)
    for route in ("/models", "/v1/models", "/model/info", "/v1/model/info", "/model_group/info")
]
ACCOUNT_ROWS = [*TEAM_ROWS, *USER_ROWS, *CUSTOMER_ROWS, *BUDGET_ROWS, *MODEL_ROWS]
ACCOUNT_BLUEPRINTS = frozenset(("teams", "users", "customers", "budgets", "credentials", "models"))
