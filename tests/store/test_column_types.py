"""What a column gives back of what it was given: money to the last digit, moments with their zone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy.exc import StatementError

from app.core.accounts import Limits
from app.core.errors import InvalidField
from app.store.column_types import dump_json
from app.store.registry import Registry
from tests.store.conftest import Put
from tests.store.samples import KEY, NOW, plain_key

LARGEST = Decimal("9223372.036854775807")


def _budget(registry: Registry) -> Decimal | None:
    found = registry.read(lambda records: records.key("key-001"))
    assert found
    return found.limits.max_budget


@pytest.mark.parametrize(
    "dollars",
    ["0", "0.000000000001", "0.3", "0.123456789012", "1234567.890123456789", "-0.000000000001", LARGEST, -LARGEST],
)
def test_money_is_exact_to_the_last_of_its_12_digits(registry: Registry, put: Put, dollars: str | Decimal) -> None:
    put(plain_key(1, limits=Limits(max_budget=Decimal(dollars))))

    assert _budget(registry) == Decimal(dollars)


@pytest.mark.parametrize(("dollars", "kept"), [("0.30000000000000004", "0.3"), ("0.0000000000006", "0.000000000001")])
def test_finer_parts_are_rounded(registry: Registry, put: Put, dollars: str, kept: str) -> None:
    put(plain_key(1, limits=Limits(max_budget=Decimal(dollars))))

    assert _budget(registry) == Decimal(kept)


@pytest.mark.parametrize("dollars", [LARGEST + Decimal("1e-12"), "1e30", "Infinity", "NaN"])
def test_money_that_no_column_holds_is_the_callers_mistake(put: Put, dollars: str | Decimal) -> None:
    with pytest.raises(InvalidField, match=r"at most 9,223,372 US dollars"):
        put(plain_key(1, limits=Limits(max_budget=Decimal(dollars))))


@pytest.mark.parametrize(("number", "fits"), [(2**63 - 2, True), (2**63 - 1, True), (2**63, False)])
def test_whole_numbers_have_64_bits(registry: Registry, put: Put, number: int, fits: bool) -> None:
    key = plain_key(1, limits=Limits(rpm_limit=number))
    if fits:
        put(key)
        assert registry.read(lambda records: records.key("key-001")) == key
    else:
        with pytest.raises(InvalidField, match="A number must be at most"):
            put(key)


def test_moments_of_other_zones_are_the_same_moments(registry: Registry, put: Put) -> None:
    put(replace(KEY, expires_at=NOW.astimezone(timezone(timedelta(hours=-7)))))

    found = registry.read(lambda records: records.key("key-1"))
    assert found
    assert found.expires_at == NOW
    assert found.expires_at.tzinfo is UTC


def test_a_moment_without_a_zone_is_our_own_mistake(put: Put) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        put(replace(KEY, expires_at=NOW.replace(tzinfo=None)))


@pytest.mark.parametrize(
    "moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
)
def test_the_first_and_the_last_moment_are_kept(registry: Registry, put: Put, moment: datetime) -> None:
    put(replace(KEY, expires_at=moment))

    found = registry.read(lambda records: records.key("key-1"))
    assert found
    assert found.expires_at == moment


def test_json_says_decimals_as_numbers_and_moments_in_iso_8601() -> None:
    value = {"a": Decimal("1.50"), "b": Decimal(2), "c": NOW}

    assert dump_json(value) == '{"a":1.5,"b":2,"c":"2026-11-22T10:16:43.407123+00:00"}'
    with pytest.raises(TypeError, match="set does not go into JSON"):
        dump_json({1, 2})
