"""A key that is rotated: what works on, for how long, and what the key keeps."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.core.errors import InvalidField
from app.core.key_orders import KeyOrder
from tests.gateway.key_desk_setting import ADMINISTRATOR, SECRET_KEY, Setting


def test_a_rotated_key_keeps_what_it_is_and_gets_another_text() -> None:
    setting = Setting(secret_keys=(SECRET_KEY,))
    before = setting.issue(alias="carol", spend=Decimal(3))

    after = setting.desk.rotate(ADMINISTRATOR, before.text, KeyOrder())

    assert (after.key.id, after.key.alias, after.key.spend) == (before.key.id, "carol", Decimal(3))
    assert after.text != before.text
    assert after.key.token != before.key.token
    assert after.key.access_key_id != before.key.access_key_id
    assert (after.key.rotation_count, after.key.last_rotation_at) == (1, setting.now)


def test_without_grace_no_earlier_text_works() -> None:
    setting = Setting()
    first = setting.issue()
    second = setting.desk.rotate(ADMINISTRATOR, first.text, KeyOrder(), "1h")

    setting.desk.rotate(ADMINISTRATOR, second.text, KeyOrder())

    assert setting.registry.contents.key(first.key.token) is None
    assert setting.registry.contents.key(second.key.token) is None


@pytest.mark.parametrize(("later", "works"), [(3599, True), (3600, False), (3601, False)])
def test_within_its_grace_the_earlier_text_works_on(later: int, works: bool) -> None:
    setting = Setting()
    first = setting.issue()
    second = setting.desk.rotate(ADMINISTRATOR, first.text, KeyOrder(), "1h")

    setting.now += timedelta(seconds=later)

    assert (setting.registry.contents.key(first.key.token) is not None) is works
    assert setting.registry.contents.key(second.key.token) is not None


def test_a_later_grace_does_not_prolong_an_earlier_one() -> None:
    setting = Setting()
    first = setting.issue()
    second = setting.desk.rotate(ADMINISTRATOR, first.text, KeyOrder(), "1m")
    setting.desk.rotate(ADMINISTRATOR, second.text, KeyOrder(), "1d")

    setting.now += timedelta(minutes=1)

    assert setting.registry.contents.key(first.key.token) is None
    assert setting.registry.contents.key(second.key.token) is not None


def test_a_rotation_changes_what_it_is_told_to_as_well() -> None:
    setting = Setting()
    first = setting.issue(models=("a.*",))

    after = setting.desk.rotate(
        ADMINISTRATOR, first.text, KeyOrder(text="sk-chosen-0123456789abcdef", models=("b.*",), duration="1d")
    )

    assert after.text == "sk-chosen-0123456789abcdef"
    assert after.key.rights.models == ("b.*",)
    assert after.key.expires_at == setting.now + timedelta(days=1)


def test_a_rotation_to_the_text_it_has_is_refused() -> None:
    setting = Setting()
    first = setting.issue()

    with pytest.raises(InvalidField, match="taken"):
        setting.desk.rotate(ADMINISTRATOR, first.text, KeyOrder(text=first.text))


def test_an_expired_key_is_rotated_only_with_a_duration() -> None:
    setting = Setting()
    first = setting.issue(duration="60s")
    setting.now += timedelta(seconds=60)

    with pytest.raises(InvalidField, match="give a duration too"):
        setting.desk.rotate(ADMINISTRATOR, first.key.id, KeyOrder())
    assert setting.desk.rotate(ADMINISTRATOR, first.key.id, KeyOrder(duration="1d")).key.rotation_count == 1


def test_a_grace_nobody_understands_leaves_everything_as_it_was() -> None:
    setting = Setting()
    first = setting.issue()

    with pytest.raises(InvalidField, match="grace_period: Unsupported duration unit"):
        setting.desk.rotate(ADMINISTRATOR, first.text, KeyOrder(), "a while")

    assert setting.stored(first.key) == first.key
