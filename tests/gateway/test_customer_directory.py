"""The customers a worker knows: found as keys are, and whoever makes up end users costs no query."""

from dataclasses import replace

import pytest

from app.core.accounts import Budget
from app.core.errors import StoreUnavailable
from app.core.limits import PayingCustomer
from app.core.registry_messages import ChangedName
from app.gateway.key_directory import KeyDirectory
from tests.fake_keys import STAMPS, FakeKeySource, a_customer
from tests.fakes import Clock

BUDGET = Budget("budget-1", STAMPS)
ADA = PayingCustomer(a_customer(budget_id="budget-1"), BUDGET)
KNOWN_SECONDS = 300


class House:
    """A directory over a registry in memory, and a clock that stands still."""

    def __init__(self, *customers: PayingCustomer, down: bool = False) -> None:
        self.source = FakeKeySource()
        for one in customers:
            self.source.put_customer(one)
        self.source.down = down
        self.clock = Clock()
        self.directory = KeyDirectory(self.source, KNOWN_SECONDS, self.clock)
        self.directory.poll()

    def find(self, customer_id: str = "ada") -> PayingCustomer | None:
        return self.directory.customer(customer_id)

    def away_for(self, seconds: float) -> None:
        """The database goes, and the poller goes on asking."""
        self.source.down = True
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + self.directory.poll())
        self.source.look_ups.clear()


@pytest.fixture
def house() -> House:
    return House(ADA)


def test_a_customer_comes_with_its_budget_and_is_asked_for_once(house: House) -> None:
    assert [house.find() for _ in range(100)] == [ADA] * 100
    assert house.source.look_ups == [("customer", "ada")]


def test_end_users_that_nobody_registered_cost_no_query(house: House) -> None:
    house.source.polls.clear()

    assert {house.find(f"made up {number}") for number in range(10_000)} == {None}
    assert (house.source.look_ups, house.source.polls) == ([], [])


@pytest.mark.parametrize("changed", [("customer", "ada"), ("budget", "budget-1")])
def test_a_change_of_a_customer_or_its_budget_is_seen_at_the_next_poll(house: House, changed: ChangedName) -> None:
    house.find()
    other = replace(ADA, budget=replace(BUDGET, stamps=replace(STAMPS, updated_by="ops")))
    house.source.put_customer(other, changed)
    house.directory.poll()

    assert house.find() == other


def test_a_customer_that_is_blocked_before_anybody_registered_it_is_found(house: House) -> None:
    house.find("eve")
    eve = PayingCustomer(a_customer("eve", blocked=True))
    house.source.put_customer(eve)
    house.directory.poll()

    assert house.find("eve") == eve


def test_a_deleted_customer_is_found_missing_once(house: House) -> None:
    house.find()
    house.source.remove_customer("ada")
    house.directory.poll()
    house.source.look_ups.clear()

    assert [house.find() for _ in range(3)] == [None] * 3
    assert len(house.source.look_ups) == 1


def test_customers_push_out_no_keys_and_no_key_is_a_customer(house: House) -> None:
    assert house.find("token") is None
    assert house.directory.by_token("ada") is None


def test_who_is_registered_is_learnt_anew_where_changes_were_missed(house: House) -> None:
    eve = PayingCustomer(a_customer("eve"))
    house.source.put_customer(eve)
    house.source.forgets_changes = True
    house.directory.poll()

    assert house.find("eve") == eve


def test_without_the_database_known_customers_and_those_of_nobody_go_on(house: House) -> None:
    house.find()
    house.away_for(KNOWN_SECONDS - 5)

    assert (house.find(), house.find("made up")) == (ADA, None)
    assert house.source.look_ups == []


def test_without_the_database_a_registered_customer_that_is_not_known_is_told_to_try_again(house: House) -> None:
    house.away_for(1)

    with pytest.raises(StoreUnavailable, match="this end user cannot be checked") as caught:
        house.find()
    assert caught.value.retry_after == 1


@pytest.mark.parametrize("named", ["ada", "made up"])
def test_after_a_while_without_the_database_nobody_is_believed(house: House, named: str) -> None:
    """Somebody may have been registered meanwhile, and blocked."""
    house.find()
    house.away_for(KNOWN_SECONDS + 1)

    with pytest.raises(StoreUnavailable):
        house.find(named)


def test_where_there_are_no_customers_an_outage_concerns_none() -> None:
    house = House()
    house.away_for(KNOWN_SECONDS + 1)

    assert house.find("anybody") is None


def test_a_worker_that_never_learnt_who_is_registered_cannot_tell() -> None:
    house = House(ADA, down=True)

    with pytest.raises(StoreUnavailable):
        house.find("anybody")
    house.source.down = False
    house.clock.advance(2)
    assert (house.find("anybody"), house.find()) == (None, ADA)
