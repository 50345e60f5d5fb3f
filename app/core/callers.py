"""Who is calling, as the doorman found out: what policy, the admin routes and the log need to know of them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from app.core.accounts import KeyGrant, KeyType, Rights

Role = Literal["administrator", "viewer", "holder"]
LayerName = Literal["key", "team", "user"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. `may_call_everything`: also what is granted neither by default nor by name (the master key).

    `role` is that on the admin routes: an administrator may do everything, a viewer see everything; a holder sees its
    own key, and manages the keys of the teams in `admin_of` unless `reads_only`. `grant` is None for the master key.
    """

    alias: str
    may_call_everything: bool
    role: Role = "holder"
    reads_only: bool = False
    key_type: KeyType = "default"
    layers: tuple[tuple[LayerName, Rights], ...] = ()
    admin_of: frozenset[str] = frozenset()
    grant: KeyGrant | None = None

    @property
    def token(self) -> str | None:
        return self.grant.key.token if self.grant else None

    @property
    def key_id(self) -> str | None:
        return self.grant.key.id if self.grant else None

    @property
    def team_id(self) -> str | None:
        return self.grant.key.team_id if self.grant else None

    @property
    def user_id(self) -> str | None:
        return self.grant.key.user_id if self.grant else None


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller who changes or reads what the gateway keeps, and the address it does so from, None where unknown."""

    caller: Caller
    address: str | None = None


MASTER = Caller(alias="master", may_call_everything=True, role="administrator")
ANYONE = Caller(alias="open", may_call_everything=True)
# whoever can run a command beside the gateway can read its database anyway
COMMAND_LINE = Caller(alias="command line", may_call_everything=False, role="administrator")


@lru_cache(maxsize=4096)
def caller_of(grant: KeyGrant) -> Caller:
    """The caller that a key makes, with the rights of every layer above it.

    A delegated key manages nothing, whatever its user has become since: who else has its text must not gain by that.
    """
    key, team, user = grant.key, grant.team, grant.user
    layers: list[tuple[LayerName, Rights]] = [("key", key.rights)]
    if team:
        layers.append(("team", team.rights))
    if user:
        layers.append(("user", user.rights))
    user_role = user.role if user else "internal_user"
    role: Role = "holder"
    if user_role == "proxy_admin" and not key.delegated:
        role = "administrator"
    elif user_role == "proxy_admin_viewer" and not key.delegated:
        role = "viewer"
    return Caller(
        alias=key.alias or key.key_name,
        may_call_everything=False,
        role=role,
        reads_only=key.key_type == "read_only" or user_role.endswith("_viewer"),
        key_type=key.key_type,
        layers=tuple(layers),
        admin_of=frozenset() if key.delegated else grant.admin_of,
        grant=grant,
    )
