"""What the key desk makes of orders, when whoever asks may."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core.accounts import Budget, Limits, Rights
from app.core.errors import InvalidField, NotFound
from app.core.key_orders import KeyOrder
from app.core.key_pairs import KeyPairs
from app.core.registry_messages import KeyQuery
from app.core.virtual_keys import token_of
from tests.fake_registry import STAMPS
from tests.gateway.key_desk_setting import ADMINISTRATOR, MASTER_KEY, SECRET_KEY, Setting, a_team

CHOSEN = "sk-chosen-0123456789abcdef"


def test_a_new_key_is_found_by_its_text_its_token_and_its_id() -> None:
    setting = Setting()

    issued = setting.issue(alias="carol")

    for reference in (issued.text, token_of(issued.text), issued.key.id):
        assert setting.desk.get(ADMINISTRATOR, reference)[0] == issued.key
    assert issued.key.key_name == f"sk-...{issued.text[-4:]}"


def test_nothing_that_is_kept_or_noted_or_shown_of_a_key_has_its_text() -> None:
    setting = Setting(secret_keys=(SECRET_KEY,))

    issued = setting.issue(text=CHOSEN, alias="carol")

    assert issued.secret_access_key
    shown = f"{setting.stored(issued.key)} {setting.registry.notes} {issued}"
    assert CHOSEN not in shown
    assert issued.secret_access_key not in shown


def test_every_change_is_noted_and_told_to_the_worker_that_made_it() -> None:
    setting = Setting()

    key = setting.issue().key
    setting.desk.block(ADMINISTRATOR, key.id, blocked=True)
    setting.desk.block(ADMINISTRATOR, key.id, blocked=False)
    setting.desk.change(ADMINISTRATOR, key.id, KeyOrder(alias="dave"))
    setting.desk.rotate(ADMINISTRATOR, key.id, KeyOrder())
    setting.desk.delete(ADMINISTRATOR, [key.id])

    assert [note.action for note in setting.registry.notes] == (
        "created blocked unblocked updated rotated deleted".split()
    )
    assert {note.object_id for note in setting.registry.notes} == {key.id}
    assert setting.refreshed == 6


@pytest.mark.parametrize("taken", [CHOSEN, MASTER_KEY])
def test_a_text_that_is_taken_is_refused(taken: str) -> None:
    setting = Setting()
    setting.issue(text=CHOSEN)

    with pytest.raises(InvalidField, match="taken") as caught:
        setting.issue(text=taken)

    assert caught.value.param == "key"
    assert taken not in caught.value.message


@pytest.mark.parametrize("text", ["pk-0123456789abcdefghij", "sk-short", "sk-with spaces 0123456789", ""])
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="must start with 'sk-'"):
        Setting().issue(text=text)


@pytest.mark.parametrize(("later", "free"), [(59, False), (60, True), (61, True)])
def test_an_alias_is_free_again_when_its_key_has_expired(later: int, free: bool) -> None:
    setting = Setting()
    setting.issue(alias="carol", duration="60s")
    setting.now += timedelta(seconds=later)

    if free:
        assert setting.issue(alias="carol").key.alias == "carol"
    else:
        with pytest.raises(InvalidField, match=r"Key with alias 'carol' already exists\. Unique"):
            setting.issue(alias="carol")


def test_an_alias_is_free_again_when_its_key_was_deleted() -> None:
    setting = Setting()
    setting.issue(alias="carol")
    setting.desk.delete(ADMINISTRATOR, [], ["carol"])

    assert setting.issue(alias="carol").key.alias == "carol"


def test_an_expired_key_whose_alias_was_given_away_is_not_brought_back() -> None:
    setting = Setting()
    expired = setting.issue(alias="carol", duration="60s").key
    setting.now += timedelta(seconds=60)
    setting.issue(alias="carol")

    with pytest.raises(InvalidField, match="already exists"):
        setting.desk.change(ADMINISTRATOR, expired.id, KeyOrder(duration="1d"))


@pytest.mark.parametrize(
    ("order", "param"),
    [
        ({"max_budget": Decimal(-1)}, "max_budget"),
        ({"soft_budget": Decimal(-1)}, "soft_budget"),
        ({"soft_budget": Decimal(2), "max_budget": Decimal(1)}, "soft_budget"),
        ({"rpm_limit": -1}, "rpm_limit"),
        ({"tpm_limit": -1}, "tpm_limit"),
        ({"max_parallel_requests": -1}, "max_parallel_requests"),
        ({"spend": Decimal(-1)}, "spend"),
        ({"duration": "3 fortnights"}, "duration"),
        ({"duration": "0s"}, "duration"),
        ({"budget_duration": "soon"}, "budget_duration"),
        ({"team_id": "nobody"}, "team_id"),
        ({"budget_id": "nobody"}, "budget_id"),
        ({"models": ("bedrock/anthropic.claude",)}, "models"),
        ({"models": ("two words",)}, "models"),
        ({"operations": ("Nonsense",)}, "operations"),
        ({"resources": ("a b",)}, "resources"),
        ({"regions": ("mars",)}, "regions"),
        ({"addresses": ("10.0.0.1/8",)}, "addresses"),
        ({"addresses": ("fe80::1%eth0",)}, "addresses"),
        ({"addresses": ("home",)}, "addresses"),
        ({"temp_budget_increase": Decimal(1)}, "temp_budget_expiry"),
        ({"model_max_budget": {"m": 3}}, "model_max_budget"),
        ({"model_max_budget": {"m": {"budget_limit": -1}}}, "model_max_budget"),
        ({"model_max_budget": {"m": {"budget_limit": 1, "time_period": "x"}}}, "model_max_budget"),
    ],
)
def test_what_cannot_be_held_to_is_refused_by_name_and_nothing_is_kept(order: dict[str, Any], param: str) -> None:
    setting = Setting()

    with pytest.raises(InvalidField) as caught:
        setting.issue(**order)

    assert caught.value.param == param
    assert setting.registry.version == 1
    assert setting.registry.notes == []


def test_lists_are_kept_as_they_are_given() -> None:
    setting = Setting()
    rights = {
        "models": ("anthropic.*", "arn:aws:bedrock:us-east-1::foundation-model/x", "all-team-models"),
        "operations": ("Converse", "all"),
        "resources": ("s3://bucket/", "KB*"),
        "regions": ("us-east-1", "us-gov-west-1", "eu"),
        "addresses": ("10.0.0.0/8", "203.0.113.7", "2001:db8::/32"),
    }

    assert setting.issue(**rights).key.rights == Rights(**rights)


def test_an_update_leaves_what_it_does_not_name() -> None:
    setting = Setting((a_team("red"),))
    key = setting.issue(alias="carol", team_id="red", models=("m",), max_budget=Decimal(5), duration="1d").key

    changed = setting.desk.change(ADMINISTRATOR, key.token, KeyOrder(rpm_limit=3))

    assert changed == setting.stored(key)
    assert changed.limits == Limits(max_budget=Decimal(5), rpm_limit=3)
    assert (changed.alias, changed.team_id, changed.rights, changed.expires_at) == (
        key.alias,
        key.team_id,
        key.rights,
        key.expires_at,
    )


def test_an_empty_list_clears_a_list_and_unset_clears_anything() -> None:
    setting = Setting((a_team("red"),))
    key = setting.issue(
        alias="carol", team_id="red", user_id="u", models=("m",), duration="1d", budget_duration="1d", tags=("t",)
    ).key

    unset = frozenset({"alias", "team_id", "user_id", "expires_at", "budget_duration", "tags"})
    changed = setting.desk.change(ADMINISTRATOR, key.id, KeyOrder(models=(), unset=unset))

    assert changed.rights == Rights()
    assert changed.limits == Limits()
    assert (changed.alias, changed.team_id, changed.user_id, changed.expires_at, changed.tags) == (None,) * 4 + ((),)


def test_unset_does_not_reach_what_a_key_is() -> None:
    setting = Setting()
    key = setting.issue().key

    changed = setting.desk.change(ADMINISTRATOR, key.id, KeyOrder(unset=frozenset({"token", "id", "spend"})))

    assert changed.token == key.token


def test_a_key_s_budget_starts_anew_when_the_calendar_says_so_whenever_it_was_set() -> None:
    setting = Setting()
    key = setting.issue(max_budget=Decimal(1), budget_duration="30d").key
    setting.now += timedelta(days=1)

    changed = setting.desk.change(ADMINISTRATOR, key.id, KeyOrder(max_budget=Decimal(2)))
    renewed = setting.desk.change(ADMINISTRATOR, key.id, KeyOrder(budget_duration="7d"))

    december, monday = datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    assert key.limits.budget_reset_at == changed.limits.budget_reset_at == december
    assert renewed.limits.budget_reset_at == monday


def test_a_key_is_changed_by_the_alias_of_the_one_that_lives() -> None:
    setting = Setting()
    setting.issue(alias="carol", duration="60s")
    setting.now += timedelta(seconds=60)
    live = setting.issue(alias="carol").key

    assert setting.desk.change_named(ADMINISTRATOR, "carol", KeyOrder(rpm_limit=1)).id == live.id


def test_of_many_changes_each_succeeds_or_fails_by_itself() -> None:
    setting = Setting()
    first, second = setting.issue().key, setting.issue().key

    results = setting.desk.change_many(
        ADMINISTRATOR,
        [
            (first.token, KeyOrder(rpm_limit=1)),
            ("unknown", KeyOrder()),
            (second.token, KeyOrder(rpm_limit=-1)),
        ],
    )

    assert [type(result) for _, result in results] == [type(first), NotFound, InvalidField]
    assert setting.stored(first).limits.rpm_limit == 1
    assert setting.stored(second) == second


def test_keys_are_deleted_all_together_or_not_at_all() -> None:
    setting = Setting()
    key = setting.issue(alias="carol").key

    with pytest.raises(NotFound, match=r"No keys found.*sk-\.\.\.9999"):
        setting.desk.delete(ADMINISTRATOR, [key.token, "sk-nobody-has-this-0123459999"])
    with pytest.raises(NotFound, match="'dave'"):
        setting.desk.delete(ADMINISTRATOR, [key.token], ["dave"])
    assert setting.stored(key) == key

    setting.desk.delete(ADMINISTRATOR, [key.token, key.id], ["carol"])
    assert setting.registry.contents.key(key.id) is None


def test_spend_is_set_back_to_no_more_than_it_was() -> None:
    setting = Setting()
    key = setting.issue(spend=Decimal(5)).key

    with pytest.raises(InvalidField, match="at most the spend"):
        setting.desk.reset_spend(ADMINISTRATOR, key.id, Decimal(6))
    with pytest.raises(InvalidField, match=r"reset_to cannot be negative. Received: -1\.0"):
        setting.desk.reset_spend(ADMINISTRATOR, key.id, Decimal(-1))
    reset = setting.desk.reset_spend(ADMINISTRATOR, key.id, Decimal(2))

    assert (reset.previous, reset.key.spend, setting.stored(key).spend) == (Decimal(5), Decimal(2), Decimal(2))


def test_a_key_shows_the_budget_that_it_names() -> None:
    budget = Budget("b1", STAMPS, Limits(max_budget=Decimal(9)))
    setting = Setting((budget,))

    issued = setting.issue(budget_id="b1")

    assert issued.budget == budget
    assert setting.desk.get(ADMINISTRATOR, issued.key.id) == (issued.key, budget)


def test_a_page_lists_what_was_asked_for() -> None:
    setting = Setting()
    for alias in ("a", "b", "c"):
        setting.issue(alias=alias)
        setting.now += timedelta(seconds=1)
    setting.issue()

    page = setting.desk.page(ADMINISTRATOR, KeyQuery(now=setting.desk.now(), named=True, page=1, size=2))

    assert [key.alias for key in page.items] == ["c", "b"]
    assert page.total == 3


def test_a_pair_is_issued_where_there_is_a_secret_to_derive_it_from() -> None:
    without, setting = Setting(), Setting(secret_keys=(SECRET_KEY,))

    issued = setting.issue()

    assert without.issue().key.access_key_id is None
    assert without.issue().secret_access_key is None
    assert issued.key.access_key_id
    assert issued.secret_access_key == KeyPairs((SECRET_KEY,)).secret_of(issued.key.access_key_id)
