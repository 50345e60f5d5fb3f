"""What the doorman finds for a text: the key, all that binds it, and the version, of one moment."""

from dataclasses import asdict, replace

import pytest
from sqlalchemy import Connection, event

from app.core.accounts import KeyGrant, Member
from app.core.limits import PayingCustomer
from app.core.registry_messages import LookUp
from app.store.database import Database
from app.store.registry import Registry
from tests.store.conftest import Put
from tests.store.samples import BUDGET, CUSTOMER, KEY, LATER, MEMBER, SECRET, TEAM, USER, plain_customer, plain_key


def test_a_key_comes_with_its_team_its_user_and_the_teams_it_manages(registry: Registry, put: Put) -> None:
    put(
        KEY, TEAM, USER, MEMBER, Member("team-2", "user-1", "user"), Member("team-3, \N{SNOWMAN}\"'", "user-1", "admin")
    )

    grant = KeyGrant(KEY, TEAM, USER, frozenset({"team-1", "team-3, \N{SNOWMAN}\"'"}))
    assert_found(registry.by_token(KEY.token), grant)
    assert_found(registry.by_access_key_id("AKIAOUTCROP000000001"), grant)


def test_a_key_comes_with_the_budget_that_it_names(registry: Registry, put: Put) -> None:
    put(KEY, BUDGET, replace(BUDGET, id="budget-2"))

    assert_found(registry.by_token(KEY.token), KeyGrant(KEY, budget=BUDGET))


def test_a_key_without_team_and_user_comes_alone(registry: Registry, put: Put) -> None:
    put(plain_key(1), TEAM, USER, MEMBER)

    assert_found(registry.by_token(f"{1:064x}"), KeyGrant(plain_key(1)))


def test_a_key_whose_team_is_gone_comes_without_it(registry: Registry, put: Put) -> None:
    put(KEY, TEAM)
    registry.change(lambda change: change.remove(TEAM))

    grant = registry.by_token(KEY.token).grant
    assert grant
    assert grant.team is None
    assert grant.key.team_id == "team-1"


def test_an_earlier_text_says_when_it_ends(registry: Registry, put: Put) -> None:
    put(KEY, SECRET)

    grant = KeyGrant(KEY, secret_expires_at=LATER)
    assert_found(registry.by_token(SECRET.token), grant)
    assert_found(registry.by_access_key_id("AKIAOUTCROP000000002"), grant)


def test_what_nothing_has_comes_with_the_version_too(registry: Registry, put: Put) -> None:
    put(KEY)

    assert registry.by_token("0" * 64) == LookUp(1, None)
    assert registry.by_access_key_id("AKIANOBODY") == LookUp(1, None)
    # ids and aliases are no credentials
    assert registry.by_token("key-1") == registry.by_token("batch jobs") == LookUp(1, None)


def test_the_texts_of_a_rotated_key_stop_at_once_without_a_grace(registry: Registry, put: Put) -> None:
    put(KEY)
    put(replace(KEY, token="d" * 64, access_key_id=None))

    assert registry.by_token(KEY.token) == LookUp(2, None)
    assert registry.by_access_key_id("AKIAOUTCROP000000001") == LookUp(2, None)
    assert registry.by_token("d" * 64).grant


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        ("by_token", KEY.token),
        ("by_access_key_id", "AKIANOBODY"),
        ("customer", "customer-1"),
        ("changes_since", 1),
    ],
)
def test_each_takes_one_query(
    registry: Registry, database: Database, put: Put, method: str, argument: str | int
) -> None:
    put(KEY, TEAM, USER, MEMBER, CUSTOMER, BUDGET)
    asked: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _record(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    getattr(registry, method)(argument)

    assert len(asked) == 1


def test_every_text_and_pair_is_among_the_issued_names_until_it_goes(registry: Registry, put: Put) -> None:
    put(KEY, plain_key(1), SECRET)
    names = registry.issued_names()

    assert {("token", KEY.token), ("token", f"{1:064x}"), ("access_key_id", "AKIAOUTCROP000000001")} <= set(names)
    registry.change(lambda change: change.remove(plain_key(1)))
    assert ("token", f"{1:064x}") not in registry.issued_names()


def test_a_customer_comes_with_the_budget_that_it_names(registry: Registry, put: Put) -> None:
    put(CUSTOMER, BUDGET, plain_customer(1))

    assert registry.customer("customer-1") == LookUp(1, PayingCustomer(CUSTOMER, BUDGET))
    assert registry.customer("customer-001") == LookUp(1, PayingCustomer(plain_customer(1)))
    assert registry.customer("nobody") == LookUp(1, None)


def test_every_customer_is_among_the_names_until_it_goes(registry: Registry, put: Put) -> None:
    put(CUSTOMER, KEY)

    assert {("customer", "customer-1"), ("token", KEY.token)} <= set(registry.issued_names())
    registry.change(lambda change: change.remove(CUSTOMER))
    assert ("customer", "customer-1") not in registry.issued_names()


def assert_found(look_up: LookUp[KeyGrant], grant: KeyGrant) -> None:
    """At version 1, with the same in it: grants themselves are compared by identity."""
    assert look_up.version == 1
    assert look_up.grant
    assert asdict(look_up.grant) == asdict(grant)
