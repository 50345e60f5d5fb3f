"""A gateway with two teams, and who calls it: for the tables of tests/web/test_admin_roles.py."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from tests.web.admin_client import MASTER_KEY, AdminClient

Role = Literal["administrator", "viewer", "team admin", "holder", "outsider"]
Whose = Literal["own", "team", "other"]
ROLES: tuple[Role, ...] = ("administrator", "viewer", "team admin", "holder", "outsider")
WHOSE: tuple[Whose, ...] = ("own", "team", "other")
USERS: dict[Role, str] = {"viewer": "eye", "team admin": "boss", "holder": "rita", "outsider": "mallory"}
TEAMS: dict[Whose, str] = {"own": "red", "team": "red", "other": "blue"}


@dataclass
class World:
    """Team red with its admin boss and its member rita, team blue, the viewer eye, and mallory, who is in no team."""

    client: AdminClient
    numbers: "count[int]" = field(default_factory=count)

    @classmethod
    def made(cls, client: AdminClient) -> "World":
        for team in ("red", "blue"):
            client.made("/team/new", team_id=team)
        for user, role in (("eye", "proxy_admin_viewer"), ("boss", "internal_user"), ("rita", "internal_user")):
            client.made("/user/new", user_id=user, user_role=role, auto_create_key=False)
        for user, role in (("boss", "admin"), ("rita", "user")):
            client.made("/team/member_add", team_id="red", member={"role": role, "user_id": user})
        return cls(client)

    def key_of(self, role: Role) -> str:
        """The text of a new key of theirs; the administrator has the master key."""
        if role == "administrator":
            return MASTER_KEY
        teams = {"team admin": "red", "holder": "red"}
        return self.client.new_key(user_id=USERS[role], **({"team_id": teams[role]} if role in teams else {}))

    def key(self, by: str, whose: Whose) -> str:
        """The text of the key that is called with, or of a new one of team red, or of team blue."""
        if whose == "own" and by != MASTER_KEY:
            return by
        return self.client.new_key(team_id=TEAMS[whose], key_alias=self.name(), spend=1)

    def name(self) -> str:
        """One that nobody has."""
        return f"name-{next(self.numbers)}"


@dataclass(frozen=True)
class Row:
    """A route, what is done with it by a key to whose things, and what comes of it: of its own, its team's, another's.

    `wants`: in the order of ROLES.
    """

    route: str
    call: Callable[[World, str, Whose], str]
    wants: tuple[str, str, str, str, str]


# what many routes' `wants` are
#             administrator  viewer         team admin     holder         outsider
ADMINISTRATOR = ("200 200 200", "401 401 401", "401 401 401", "401 401 401", "401 401 401")
OVERSEER = ("200 200 200", "200 200 200", "401 401 401", "401 401 401", "401 401 401")
ANYONE = ("200 200 200",) * 5
