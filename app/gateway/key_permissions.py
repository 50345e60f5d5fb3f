"""What a caller may order of a key: everything for the administrator, the keys of its own teams for a team's admin.

A key speaks for its user, with all that the user may do. So whoever is handed the text of a key must not gain by it:
a team's admin makes and rotates keys only for users who may no more than itself; and as a user may rise later, such a
key is marked as delegated (app/gateway/key_changes.py).
"""

from app.core.accounts import VirtualKey
from app.core.admin_rights import is_administrator, not_administrator
from app.core.callers import Caller
from app.core.errors import AccessDenied
from app.core.key_orders import KeyOrder
from app.gateway.ports import Records

_OF_ADMINISTRATOR = ("spend", "budget_id", "unmetered_calls")


def require_manager(caller: Caller, action: str) -> None:
    """The caller manages keys at all. Raises NotAdministrator."""
    if not is_administrator(caller) and (caller.reads_only or not caller.admin_of):
        raise not_administrator(caller, action)


def require_order(
    records: Records, caller: Caller, order: KeyOrder, keys: tuple[VirtualKey | None, VirtualKey]
) -> None:
    """The caller may make, out of the first of `keys` (None: out of nothing), the second. Raises AccessDenied."""
    before, after = keys
    if is_administrator(caller):
        return
    for name in _OF_ADMINISTRATOR:
        # the peer's clients send a new key's spend of 0 along
        asked = getattr(order, name) is not None and not (before is None and getattr(order, name) == 0)
        if asked or name in order.unset:
            raise AccessDenied(f"{name} is set by the administrator alone: leave it out.")
    if after.team_id not in caller.admin_of:
        raise AccessDenied(
            f"Name one of your own teams in team_id ({', '.join(sorted(caller.admin_of))[:500]}): keys of other teams, "
            "and of none, are the administrator's."
        )
    if after.user_id is not None and (before is None or before.user_id != after.user_id):
        members = {member.user_id for member in records.members(after.team_id or "")}
        if after.user_id not in members:
            raise AccessDenied("user_id must be a member of the key's team: add it by /team/member_add first.")
        require_no_gain(records, caller, after)


def require_no_gain(records: Records, caller: Caller, key: VirtualKey) -> None:
    """Whoever has the key's text may do no more than the caller. Raises AccessDenied."""
    if is_administrator(caller) or key.user_id is None:
        return
    user = records.user(key.user_id)
    admin_of = {member.team_id for member in records.memberships(key.user_id) if member.role == "admin"}
    if (user and user.role.startswith("proxy_admin")) or not admin_of <= caller.admin_of:
        raise AccessDenied("The user of this key may do more than you: its keys are made and rotated by others.")
