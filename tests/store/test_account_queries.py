"""Lists of teams, users, customers and budgets, and of the audit log."""

from datetime import timedelta
from typing import Any

import pytest

from app.core.accounts import Budget, Member, Stamps
from app.core.registry_messages import AccountQuery, AuditQuery
from app.store.registry import Change, Registry
from tests.store.conftest import Put
from tests.store.samples import ENTRY, NOW, entry, plain_customer, plain_team, plain_user

MAKE: dict[str, Any] = {"teams": plain_team, "users": plain_user, "customers": plain_customer}


def _ids(registry: Registry, noun: str, query: AccountQuery) -> list[int]:
    page = registry.read(lambda records: getattr(records, noun)(query))
    return [int(item.id.rpartition("-")[2]) for item in page.items]


@pytest.mark.parametrize("noun", MAKE)
def test_the_newest_come_first(registry: Registry, put: Put, noun: str) -> None:
    put(*(MAKE[noun](number) for number in (2, 1, 3)))

    assert _ids(registry, noun, AccountQuery()) == [3, 2, 1]


@pytest.mark.parametrize("noun", MAKE)
@pytest.mark.parametrize(("page", "ids"), [(1, [3, 2]), (2, [1]), (3, [])])
def test_a_page_ends_where_the_list_does(registry: Registry, put: Put, noun: str, page: int, ids: list[int]) -> None:
    put(*(MAKE[noun](number) for number in (1, 2, 3)))

    assert _ids(registry, noun, AccountQuery(page=page, size=2)) == ids
    assert registry.read(lambda records: getattr(records, noun)(AccountQuery(page=page, size=2))).total == 3


@pytest.mark.parametrize("noun", MAKE)
def test_they_are_filtered_by_id_and_searched_in_id_and_alias(registry: Registry, put: Put, noun: str) -> None:
    put(MAKE[noun](1, alias="100%"), MAKE[noun](2, alias="Ops_x"), MAKE[noun](3))
    one = noun.removesuffix("s")

    assert _ids(registry, noun, AccountQuery(ids=frozenset({f"{one}-001", f"{one}-003", "nobody"}))) == [3, 1]
    assert _ids(registry, noun, AccountQuery(ids=frozenset())) == []
    assert _ids(registry, noun, AccountQuery(search="%")) == [1]
    assert _ids(registry, noun, AccountQuery(search="oPS_")) == [2]
    assert _ids(registry, noun, AccountQuery(search=f"{one}-003")) == [3]


def test_users_are_searched_by_email_too(registry: Registry, put: Put) -> None:
    put(plain_user(1, email="ada@example.org"), plain_user(2))

    assert _ids(registry, "users", AccountQuery(search="ADA@")) == [1]


def test_users_are_narrowed_to_a_teams_members_and_to_a_role(registry: Registry, put: Put) -> None:
    put(plain_user(1), plain_user(2, role="proxy_admin"), plain_user(3, role="proxy_admin"))
    put(Member("team-1", "user-001"), Member("team-1", "user-002"), Member("team-2", "user-003"))

    assert _ids(registry, "users", AccountQuery(team_id="team-1")) == [2, 1]
    assert _ids(registry, "users", AccountQuery(role="proxy_admin")) == [3, 2]
    assert _ids(registry, "users", AccountQuery(team_id="team-1", role="proxy_admin")) == [2]


def test_customers_are_narrowed_to_a_teams_own_and_to_a_budgets(registry: Registry, put: Put) -> None:
    put(plain_customer(1, team_id="a"), plain_customer(2, team_id="b", budget_id="x"), plain_customer(3))

    assert _ids(registry, "customers", AccountQuery(team_id="a")) == [1]
    assert _ids(registry, "customers", AccountQuery(budget_id="x")) == [2]


def test_budgets_come_newest_first(registry: Registry, put: Put) -> None:
    made = [NOW, NOW + timedelta(seconds=1), NOW]
    budgets = [Budget(f"budget-{number}", Stamps(at, "m", at, "m")) for number, at in enumerate(made)]
    put(*budgets)

    assert registry.read(lambda records: records.budgets()) == (budgets[1], budgets[0], budgets[2])


def test_members_come_by_user_and_memberships_by_team(registry: Registry, put: Put) -> None:
    members = [Member("b", "u"), Member("a", "u"), Member("a", "t")]
    put(*members)

    assert registry.read(lambda records: records.members("a")) == (members[2], members[1])
    assert registry.read(lambda records: records.memberships("u")) == (members[1], members[0])


class TestAuditLog:
    """Entries one second apart."""

    @pytest.fixture(autouse=True)
    def _noted(self, registry: Registry) -> None:
        def work(change: Change) -> None:
            for written in (
                entry(1, by="ops", action="created"),
                entry(2, kind="team", object_id="team-1", before=None),
                entry(3, after=None, by_token=None, address=None),
            ):
                change.note(written)

        registry.change(work)

    def _found(self, registry: Registry, **fields: Any) -> list[int]:
        page = registry.read(lambda records: records.audit(AuditQuery(**fields)))
        return [int(item.id[-3:]) for item in page.items]

    def test_an_entry_comes_back_as_it_was(self, registry: Registry) -> None:
        found = registry.read(lambda records: records.audit(AuditQuery())).items

        assert found == (
            entry(3, after=None, by_token=None, address=None),
            entry(2, kind="team", object_id="team-1", before=None),
            entry(1, by="ops", action="created"),
        )

    @pytest.mark.parametrize(
        ("fields", "ids"),
        [
            ({}, [3, 2, 1]),
            ({"kind": "team"}, [2]),
            ({"kind": "key", "object_id": "key-1"}, [3, 1]),
            ({"action": "created"}, [1]),
            ({"by": "ops"}, [1]),
            ({"by": "op"}, []),
            ({"page": 2, "size": 2}, [1]),
            ({"page": 3, "size": 2}, []),
        ],
    )
    def test_entries_are_filtered(self, registry: Registry, fields: dict[str, Any], ids: list[int]) -> None:
        assert self._found(registry, **fields) == ids

    def test_times_include_their_beginning_and_not_their_end(self, registry: Registry) -> None:
        second = timedelta(seconds=1)
        assert self._found(registry, since=ENTRY.at + 2 * second) == [3, 2]
        assert self._found(registry, until=ENTRY.at + 2 * second) == [1]
        assert self._found(registry, since=ENTRY.at + 2 * second, until=ENTRY.at + 3 * second) == [2]
