"""The desks of teams, members, users, customers and budgets, on one registry in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from app.core.account_changes import AccountChanges
from app.core.accounts import Member, Record, Team, User
from app.core.callers import Actor
from app.core.key_pairs import KeyPairs
from app.gateway.audited_changes import AuditedRegistry
from app.gateway.budget_desk import BudgetDesk
from app.gateway.customer_desk import CustomerDesk
from app.gateway.key_changes import KeyChanges, KeyMaker
from app.gateway.member_desk import MemberDesk
from app.gateway.team_desk import TeamDesk, TeamView
from app.gateway.user_desk import NewUser, UserDesk, UserView
from tests.fake_registry import NOW, FakeRegistry
from tests.gateway.key_desk_setting import ADMINISTRATOR


@dataclass
class Accounts:
    """The desks; the clock stands still until it is moved. `Nonsense` is no operation."""

    records: tuple[Record, ...] = ()
    now: datetime = NOW
    registry: FakeRegistry = field(init=False)

    def __post_init__(self) -> None:
        self.registry = FakeRegistry(*self.records, clock=lambda: self.now)
        numbers = count(1)
        changes = AccountChanges(_nonsense)
        maker = KeyMaker(lambda: f"sk-made-0123456789abcdef-{next(numbers):04}", lambda: "OCAK", KeyPairs(()))
        audited = AuditedRegistry(self.registry, lambda: self.now, lambda: f"id-{next(numbers)}", lambda: None)
        self.teams = TeamDesk(audited, changes)
        self.members = MemberDesk(audited)
        self.users = UserDesk(audited, changes, KeyChanges(maker, _nonsense))
        self.customers = CustomerDesk(audited, changes)
        self.budgets = BudgetDesk(audited, changes)

    @property
    def notes(self) -> list[tuple[str, str, str]]:
        """What the audit log has: action, kind, id."""
        return [(note.action, note.kind, note.object_id) for note in self.registry.notes]

    def team(self, team_id: str = "red", **given: Any) -> TeamView:
        return self.teams.create(ADMINISTRATOR, team_id, given)

    def user(self, user_id: str = "ann", **given: Any) -> UserView:
        return self.users.create(ADMINISTRATOR, NewUser(user_id, given))[0]

    def change_team(self, team_id: str = "red", actor: Actor = ADMINISTRATOR, **given: Any) -> Team:
        return self.teams.update(actor, team_id, given).team

    def stored_team(self, team_id: str = "red") -> Team:
        team = self.registry.contents.team(team_id)
        assert team
        return team

    def stored_user(self, user_id: str = "ann") -> User:
        user = self.registry.contents.user(user_id)
        assert user
        return user

    def members_of(self, team_id: str = "red") -> dict[str, str]:
        return {member.user_id: member.role for member in self.registry.contents.members(team_id)}

    def memberships(self, user_id: str) -> tuple[Member, ...]:
        return self.registry.contents.memberships(user_id)


def _nonsense(entries: Sequence[str]) -> list[str]:
    return [entry for entry in entries if entry == "Nonsense"]
