"""For whom a caller may call: a customer that is blocked or another team's is refused, one that is asked for is asked
for."""

import pytest

from app.core.accounts import KeyGrant
from app.core.callers import ANYONE, MASTER, Caller, caller_of
from app.core.errors import AccessDenied, MalformedRequest
from app.core.limits import PayingCustomer
from app.core.usage import NOBODY, Attribution
from app.gateway.end_users import EndUsers
from app.gateway.key_directory import KeyDirectory
from tests.fake_keys import FakeKeySource, a_customer, a_key, a_team
from tests.fakes import Clock

RED = caller_of(KeyGrant(a_key(team_id="red"), a_team("red")))
BLUE = caller_of(KeyGrant(a_key(team_id="blue"), a_team("blue")))
ALONE = caller_of(KeyGrant(a_key()))
MUST_NAME = caller_of(KeyGrant(a_key(end_user_required=True)))
ADA = Attribution(end_user="ada", source="x-litellm-customer-id")


def the_end_users(**ada: object) -> EndUsers:
    """Ada is registered."""
    source = FakeKeySource()
    source.put_customer(PayingCustomer(a_customer("ada", **ada)))
    return EndUsers(KeyDirectory(source, 300, Clock()))


def refusal(end_users: EndUsers, caller: Caller) -> str:
    with pytest.raises(AccessDenied) as caught:
        end_users.check(caller, ADA)
    return caught.value.message


@pytest.mark.parametrize("caller", [RED, BLUE, ALONE, MUST_NAME, MASTER, ANYONE])
def test_whoever_names_a_customer_without_team_calls_for_it(caller: Caller) -> None:
    found = the_end_users().check(caller, ADA)

    assert found
    assert found.customer.id == "ada"


def test_a_customer_is_its_teams_and_no_others() -> None:
    end_users = the_end_users(team_id="red")

    assert end_users.check(RED, ADA)
    for other in (BLUE, ALONE):
        assert "may not call for the end user in x-litellm-customer-id" in refusal(end_users, other)


def test_whose_a_customer_is_is_not_told_nor_whether_it_is_blocked() -> None:
    end_users = the_end_users(team_id="red", blocked=True)

    assert "red" not in refusal(end_users, BLUE).split()
    assert "is blocked" not in refusal(end_users, BLUE)


def test_the_master_key_calls_for_any_teams_customer() -> None:
    assert the_end_users(team_id="red").check(MASTER, ADA)


@pytest.mark.parametrize("caller", [RED, ALONE, MASTER, ANYONE])
def test_nobody_calls_for_a_blocked_customer(caller: Caller) -> None:
    assert "blocked" in refusal(the_end_users(blocked=True), caller)


def test_an_end_user_that_is_no_customer_is_anybodys() -> None:
    assert the_end_users().check(RED, Attribution(end_user="eve", source="user")) is None


@pytest.mark.parametrize("caller", [RED, MASTER])
def test_most_callers_need_name_nobody(caller: Caller) -> None:
    assert the_end_users().check(caller, NOBODY) is None


def test_a_key_that_must_name_one_is_told_how() -> None:
    with pytest.raises(MalformedRequest, match="x-litellm-customer-id"):
        the_end_users().check(MUST_NAME, NOBODY)

    assert the_end_users().check(MUST_NAME, Attribution(end_user="eve", source="user")) is None
