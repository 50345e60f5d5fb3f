"""The caller that a key makes on the admin routes: what its user is, unless its text was handed to somebody else."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.core.accounts import KeyGrant, Rights, Stamps, Team, User, UserRole, VirtualKey
from app.core.callers import Role, caller_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMPS = Stamps(NOW, "master", NOW, "master")
KEY = VirtualKey("k1", "0" * 64, "sk-...abcd", STAMPS, team_id="red", user_id="bob", rights=Rights(models=("a.*",)))
TEAMS = frozenset({"red", "blue"})
ROLES: list[tuple[UserRole, Role, bool]] = [
    ("proxy_admin", "administrator", False),
    ("proxy_admin_viewer", "viewer", True),
    ("internal_user", "holder", False),
    ("internal_user_viewer", "holder", True),
]


def _grant(role: UserRole, *, delegated: bool) -> KeyGrant:
    user = User("bob", STAMPS, role=role, rights=Rights(regions=("eu",)))
    return KeyGrant(replace(KEY, delegated=delegated), Team("red", STAMPS), user, TEAMS)


@pytest.mark.parametrize(("user_role", "role", "reads_only"), ROLES)
def test_a_key_speaks_for_its_user(user_role: UserRole, role: Role, reads_only: bool) -> None:
    caller = caller_of(_grant(user_role, delegated=False))

    assert (caller.role, caller.reads_only, caller.admin_of) == (role, reads_only, TEAMS)


@pytest.mark.parametrize(("user_role", "_", "reads_only"), ROLES)
def test_a_delegated_key_is_a_holder_s_whatever_its_user_is(user_role: UserRole, _: Role, reads_only: bool) -> None:
    caller = caller_of(_grant(user_role, delegated=True))

    assert (caller.role, caller.reads_only, caller.admin_of) == ("holder", reads_only, frozenset())


def test_on_bedrock_a_delegated_key_is_like_any_other() -> None:
    own, delegated = (caller_of(_grant("proxy_admin", delegated=delegated)) for delegated in (False, True))

    assert delegated.layers == own.layers
    assert (delegated.alias, delegated.may_call_everything) == (own.alias, own.may_call_everything)


def test_a_key_that_was_read_once_makes_one_caller() -> None:
    """And read again, another, whatever it says."""
    first, again = (_grant("internal_user", delegated=False) for _ in range(2))

    assert caller_of(first) is caller_of(first)
    assert caller_of(first) is not caller_of(again)
