"""Who may do what with keys and accounts.

    administrator     everything
    viewer            sees everything
    admin of a team   lists, creates, changes, rotates, blocks and deletes the team's keys, and its members of role user
    holder of a key   sees that key

A key whose type or whose user's role is for reading alone changes nothing, whatever else it may.
"""

from app.core.accounts import VirtualKey
from app.core.callers import Caller
from app.core.errors import AccessDenied, NotAdministrator


def require_administrator(caller: Caller, action: str, *, reads: bool = False) -> None:
    """`action` is what was asked for, such as `/key/generate`. Raises NotAdministrator."""
    if not is_administrator(caller, reads=reads):
        raise not_administrator(caller, action)


def is_administrator(caller: Caller, *, reads: bool = False) -> bool:
    """Whether the caller may do everything; with `reads`, see everything."""
    if caller.role == "administrator" and (reads or not caller.reads_only):
        return True
    return reads and caller.role in ("administrator", "viewer")


def manages_team(caller: Caller, team_id: str | None, *, reads: bool = False) -> bool:
    """Whether the caller manages (with `reads`: sees) the team's keys and members."""
    if is_administrator(caller, reads=reads):
        return True
    return team_id is not None and team_id in caller.admin_of and (reads or not caller.reads_only)


def sees_key(caller: Caller, key: VirtualKey) -> bool:
    """Its own key, those of its teams, or all."""
    return caller.key_id == key.id or manages_team(caller, key.team_id, reads=True)


def require_key(caller: Caller, key: VirtualKey, action: str) -> None:
    """The caller may change the key. Raises NotAdministrator, or AccessDenied for an admin of another team."""
    if manages_team(caller, key.team_id):
        return
    if caller.admin_of and not caller.reads_only:
        raise AccessDenied("This key is not one of your team's: its team's admins and the administrator may change it.")
    raise not_administrator(caller, action)


def visible_keys(caller: Caller) -> tuple[str | None, frozenset[str]] | None:
    """For KeyQuery.visible: None sees all, else the own key's id and the teams."""
    return None if is_administrator(caller, reads=True) else (caller.key_id, caller.admin_of)


def not_administrator(caller: Caller, action: str) -> NotAdministrator:
    """The peer's words, which its clients look for."""
    return NotAdministrator(
        "Authentication Error, Only proxy admin can be used to generate, delete, update info for new "
        f"keys/users/teams. Route={action}. Your role={caller.role}. Use the master key, or a team admin's key for "
        "the team's own keys."
    )
