"""What desks do to what accounts spent: each change is written down, and nothing else moves it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.core.accounts import VirtualKey
from app.core.errors import GatewayError
from app.core.key_orders import KeyOrder
from app.gateway.audited_changes import AuditedRegistry
from app.gateway.spend_desk import SpendDesk
from tests.fake_registry import NOW, STAMPS, FakeRegistry
from tests.gateway.key_desk_setting import ADMINISTRATOR, Setting, a_team, a_user, an_admin_of

FIVE, TWO, ZERO = Decimal(5), Decimal(2), Decimal(0)


def _key(number: int, spend: Decimal) -> VirtualKey:
    return VirtualKey(f"key-{number}", f"{number:064x}", "sk-...0000", STAMPS, spend=spend, total_spend=FIVE)


def test_a_new_key_brings_along_what_it_spent_elsewhere() -> None:
    setting = Setting()
    key = setting.issue(spend=FIVE).key

    assert (key.spend, key.total_spend) == (FIVE, FIVE)
    assert setting.stored(key) == key
    assert setting.registry.contents.adjustments == [("carried", key.id, FIVE, "master")]


def test_a_key_s_spend_is_set_and_what_it_spent_in_all_stays() -> None:
    setting = Setting()
    key = setting.issue(spend=FIVE).key

    changed = setting.desk.change(ADMINISTRATOR, key.id, KeyOrder(spend=TWO))
    reset = setting.desk.reset_spend(ADMINISTRATOR, key.id, ZERO)

    assert (changed.spend, reset.key.spend, setting.stored(key).total_spend) == (TWO, ZERO, FIVE)
    assert setting.registry.contents.adjustments[1:] == [
        ("set", key.id, TWO, "master"),
        ("set", key.id, ZERO, "master"),
    ]
    told = [
        (note.before["spend"], note.after["spend"]) for note in setting.registry.notes[1:] if note.before and note.after
    ]
    assert told == [(5.0, 2.0), (2.0, 0.0)]


def test_what_says_nothing_of_spend_moves_none() -> None:
    setting = Setting()
    key = setting.issue(spend=FIVE).key
    for order in (KeyOrder(alias="a"), KeyOrder(spend=FIVE)):
        setting.desk.change(ADMINISTRATOR, key.id, order)
    setting.desk.block(ADMINISTRATOR, key.id, blocked=True)
    setting.desk.rotate(ADMINISTRATOR, key.id, KeyOrder())

    assert len(setting.registry.contents.adjustments) == 1


def test_every_key_and_team_is_reset_and_nobody_else() -> None:
    spent = [_key(number, TWO) for number in range(3)]
    red, user = replace(a_team("red"), spend=FIVE), replace(a_user("u"), spend=FIVE)
    registry = FakeRegistry(*spent, _key(9, ZERO), red, user)
    desk = SpendDesk(AuditedRegistry(registry, lambda: NOW, lambda: "id", lambda: None))

    assert desk.reset_all(ADMINISTRATOR) == 4
    assert desk.reset_all(ADMINISTRATOR) == 0
    assert sorted(name for _, name, _, _ in registry.contents.adjustments) == ["key-0", "key-1", "key-2", "red"]
    assert [(note.kind, note.object_id, note.before, note.after) for note in registry.notes[-1:]] == [
        ("team", "red", {"spend": 5.0}, {"spend": 0.0})
    ]
    kept = registry.contents.user("u")
    assert kept
    assert kept.spend == FIVE


def test_everything_is_reset_by_the_administrator_alone() -> None:
    registry = FakeRegistry(_key(1, TWO))
    desk = SpendDesk(AuditedRegistry(registry, lambda: NOW, lambda: "id", lambda: None))

    with pytest.raises(GatewayError):
        desk.reset_all(an_admin_of("red"))
    assert not registry.contents.adjustments
