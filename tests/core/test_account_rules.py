"""What keys and accounts may be given."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.core.account_rules import checked_limits, checked_rights
from app.core.accounts import Limits, Rights
from app.core.errors import InvalidField

NOW = datetime(2026, 11, 22, tzinfo=UTC)
AMOUNTS = ("max_budget", "soft_budget", "rpm_limit", "tpm_limit", "max_parallel_requests")


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize(("value", "fits"), [(-1, False), (0, True), (1, True)])
def test_no_limit_is_negative(name: str, value: int, fits: bool) -> None:
    amount = Decimal(value) if name.endswith("budget") else value
    limits = Limits(**{name: amount})  # type: ignore[arg-type]  # any of its amounts

    if fits:
        assert checked_limits(limits, NOW) == limits
    else:
        with pytest.raises(InvalidField, match=f"{name} cannot be negative. Received: -1"):
            checked_limits(limits, NOW)


@pytest.mark.parametrize(("soft", "fits"), [(9, True), (10, True), (11, False)])
def test_the_soft_budget_is_at_most_the_budget(soft: int, fits: bool) -> None:
    limits = Limits(max_budget=Decimal(10), soft_budget=Decimal(soft))

    if fits:
        assert checked_limits(limits, NOW) == limits
    else:
        with pytest.raises(InvalidField, match="cannot be above it"):
            checked_limits(limits, NOW)


def test_a_window_ends_at_the_next_boundary_of_its_duration() -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

    assert checked_limits(Limits(budget_duration="1d"), NOW).budget_reset_at == midnight
    assert checked_limits(Limits(budget_duration="1d"), NOW + timedelta(hours=5)).budget_reset_at == midnight
    assert checked_limits(Limits(budget_reset_at=NOW), NOW).budget_reset_at is None


@pytest.mark.parametrize(
    "address", ["203.0.113.7", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::1", "::ffff:10.0.0.0/104"]
)
def test_addresses_and_ranges_are_taken(address: str) -> None:
    assert checked_rights(Rights(addresses=(address, address)), lambda _: ()).addresses == (address,)


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("2001:db8::1/32", "write 2001:db8::/32"),
        ("10.0.0.0/33", "Write addresses or ranges"),
        ("10.0.0", "Write addresses or ranges"),
        ("fe80::1%eth0", "Write addresses or ranges"),
        ("localhost", "Write addresses or ranges"),
        ("", "Write addresses or ranges"),
        (" 10.0.0.0/8", "Write addresses or ranges"),
    ],
)
def test_what_is_no_address_is_refused_with_what_it_should_be(address: str, advice: str) -> None:
    with pytest.raises(InvalidField, match=advice):
        checked_rights(Rights(addresses=(address,)), lambda _: ())


@pytest.mark.parametrize("region", ["us-east-1", "ap-southeast-4", "us-gov-west-1", "us", "eu", "global"])
def test_regions_and_prefixes_of_profiles_are_taken(region: str) -> None:
    assert checked_rights(Rights(regions=(region,)), lambda _: ()).regions == (region,)


@pytest.mark.parametrize("region", ["us-east", "US-EAST-1", "mars", "us-east-1\n", "*"])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(InvalidField, match="regions: "):
        checked_rights(Rights(regions=(region,)), lambda _: ())


@pytest.mark.parametrize(
    "model", ["anthropic.*", "*", "amazon.nova-lite-v1:0", "all-team-models", "arn:aws:bedrock:*::foundation-model/x"]
)
def test_ids_globs_and_arns_of_models_are_taken(model: str) -> None:
    assert checked_rights(Rights(models=(model,)), lambda _: ()).models == (model,)


@pytest.mark.parametrize("model", ["bedrock/anthropic.claude", "a b", "a\tb", "model/x/converse"])
def test_what_can_match_no_model_is_refused(model: str) -> None:
    with pytest.raises(InvalidField, match="models: "):
        checked_rights(Rights(models=(model,)), lambda _: ())
