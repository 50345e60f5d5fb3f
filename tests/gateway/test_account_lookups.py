"""What the desks look for: all pages of a list, and one user for one address."""

import pytest

from app.core.accounts import Customer, Team, VirtualKey
from app.core.errors import InvalidField
from app.core.registry_messages import AccountQuery, KeyQuery
from app.gateway.account_lookups import every_customer, every_key, every_team, user_by_email, users_with_email
from tests.fake_registry import NOW, STAMPS, FakeRegistry
from tests.gateway.key_desk_setting import a_user


@pytest.mark.parametrize("count", [0, 499, 500, 501])
def test_all_pages_are_read(count: int) -> None:
    names = [f"n{number}" for number in range(count)]
    registry = FakeRegistry(*(Team(name, STAMPS) for name in names))

    found = registry.read(lambda records: every_team(records, AccountQuery()))

    assert sorted(team.id for team in found) == sorted(names)


def test_keys_and_customers_are_those_that_were_asked_for() -> None:
    keys = [VirtualKey(name, name, "sk-...abcd", STAMPS, team_id=name) for name in ("red", "blue")]
    registry = FakeRegistry(*keys, Customer("c1", STAMPS, team_id="red"), Customer("c2", STAMPS))

    assert registry.read(lambda records: every_key(records, KeyQuery(NOW, team_id="red", size=1))) == (keys[0],)
    found = registry.read(lambda records: every_customer(records, AccountQuery(team_id="red")))
    assert [customer.id for customer in found] == ["c1"]


def test_an_address_is_compared_whole_and_in_any_letters() -> None:
    registry = FakeRegistry(a_user("one", email="Ann@example.com "), a_user("two", email="joann@example.com"))

    found = registry.read(lambda records: users_with_email(records, "ann@EXAMPLE.com"))

    assert [user.id for user in found] == ["one"]


def test_an_address_of_nobody_and_of_two() -> None:
    registry = FakeRegistry(a_user("one", email="a@example.com"), a_user("two", email="A@example.com"))

    assert registry.read(lambda records: user_by_email(records, "b@example.com")) is None
    with pytest.raises(InvalidField, match="name one by user_id"):
        registry.read(lambda records: user_by_email(records, "a@example.com"))
