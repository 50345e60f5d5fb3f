"""Prices: well-known calls cost what AWS's lists say, what is unknown costs None, and nothing is rounded on the way."""

import time
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.prices import PriceBook, PriceQuestion, shipped_prices
from app.core.usage import RequestFacts, Usage
from tests.core.priced_calls import CALLS, HAIKU_45, RUNTIME, SONNET_45, TALK, PricedCall

TODAY = date(2026, 11, 25)
BOOK = PriceBook.load(None)
MODELS = sorted(shipped_prices().models)
INPUTS = ("input", "cache_read", "cache_write_5m", "cache_write_1h")


def question(model: str | None, region: str = "us-east-1", tier: str | None = None) -> PriceQuestion:
    return PriceQuestion(model, RUNTIME, region, TODAY, tier)


def used(**counts: int) -> Usage:
    return Usage("reported", counts)


def cost(model: str | None, usage: Usage, tier: str | None = None) -> Decimal | None:
    return BOOK.charge(question(model, tier=tier), usage, 200).cost


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.model}-{call.region}-{call.tier}-{call.cost}")
def test_well_known_calls_cost_what_the_price_lists_say(call: PricedCall) -> None:
    asked = PriceQuestion(call.model, call.service, call.region, TODAY, call.tier)

    assert BOOK.charge(asked, Usage("reported", call.used), 200).cost == Decimal(call.cost)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_of_the_book_has_a_price_for_every_way_to_call_it(model: str) -> None:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{model}"
    for text in (model, f"us.{model}", f"global.{model}", arn):
        price = BOOK.find(question(text))

        assert price is not None
        assert price.model == model
        assert price.kinds or price.image_sizes


def test_what_a_charge_tells_is_enough_to_work_it_out_again() -> None:
    charge = BOOK.charge(question(f"global.{SONNET_45}"), used(**TALK, cache_read=7), 200)

    assert charge.rates == {
        "input": Decimal("0.000003"),
        "output": Decimal("0.000015"),
        "cache_read": Decimal("0.0000003"),
    }
    assert (charge.model, charge.scope, charge.tier) == (SONNET_45, "global", "standard")
    assert charge.entry == f"2026-11-22/{SONNET_45}/global"


@pytest.mark.parametrize(
    ("model", "scope"),
    [(SONNET_45, "in-region"), (f"jp.{SONNET_45}", "geo"), (f"global.{SONNET_45}", "global")],
)
def test_the_scope_is_the_profiles(model: str, scope: str) -> None:
    assert BOOK.charge(question(model), used(**TALK)).scope == scope


def test_a_profile_for_a_place_that_was_opened_since_costs_as_geo_profiles_do() -> None:
    assert BOOK.charge(question(f"in.{HAIKU_45}"), used(**TALK)).cost == Decimal("0.00385")
    assert BOOK.charge(question(f"in.{HAIKU_45}"), used(**TALK)).scope == "geo"


@pytest.mark.parametrize(
    "model",
    [
        None,
        "",
        "does-not-exist-model-v1:0",
        "us.does-not-exist-model-v1:0",
        "us.us.us",
        "x" * 5000,
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc",
        "arn:aws:bedrock:us-east-1:123456789012:imported-model/abc",
        "arn:aws:sagemaker:us-east-1:767398002385:endpoint/endpoint-quick-start-idr7y",
        f"arn:aws:bedrock:us-east-1:123456789012:custom-model/{SONNET_45}",
    ],
)
def test_what_is_not_known_has_no_price(model: str | None) -> None:
    assert BOOK.find(question(model)) is None
    assert cost(model, used(**TALK)) is None
    assert BOOK.hold(question(model), RequestFacts(body_bytes=9, billed=True), 100) is None


def test_use_that_is_unknown_costs_none_and_not_nothing() -> None:
    charge = BOOK.charge(question(SONNET_45), Usage(), 200)

    assert charge.cost is None
    assert charge.model == SONNET_45


@pytest.mark.parametrize(("status", "is_free"), [(200, False), (399, False), (400, True), (503, True), (None, False)])
def test_an_error_that_aws_answered_costs_nothing(status: int | None, is_free: bool) -> None:
    assert (BOOK.charge(question(SONNET_45), Usage(), status).cost == 0) is is_free


def test_an_operation_that_aws_does_not_bill_costs_nothing() -> None:
    asked = replace(question(None), billed=False)

    assert BOOK.charge(asked, Usage(), 200).cost == 0
    assert BOOK.hold(asked, RequestFacts(body_bytes=10**6), 100) == 0


def test_counted_tokens_are_free_whatever_the_model() -> None:
    assert cost(SONNET_45, used(counted=18)) == 0
    assert cost("nobody.knows", used(counted=18)) == 0


def test_the_tier_that_aws_used_counts_and_not_the_one_asked_for() -> None:
    answered = replace(used(**TALK), tier="default")

    assert cost("amazon.nova-pro-v1:0", used(**TALK), "flex") == Decimal("0.0012")
    assert cost("amazon.nova-pro-v1:0", answered, "flex") == Decimal("0.0024")
    assert cost("amazon.nova-pro-v1:0", replace(answered, tier="flex")) == Decimal("0.0012")


def test_a_tier_without_prices_costs_the_standard_one_and_says_so() -> None:
    charge = BOOK.charge(question("amazon.nova-lite-v1:0", tier="priority"), used(**TALK))

    assert (charge.cost, charge.tier) == (Decimal("0.00018"), "standard")
    assert charge.entry == "2026-11-22/amazon.nova-lite-v1:0/regional (no priority price)"


def test_what_a_tier_does_not_price_past_a_threshold_is_never_too_low() -> None:
    charge = BOOK.charge(question(SONNET_45, tier="batch"), used(input=200_001))

    assert charge.cost == Decimal("1.3200066")


def test_a_cache_without_a_price_costs_what_input_costs_and_says_so() -> None:
    charge = BOOK.charge(question("mistral.mistral-7b-instruct-v0:2"), used(cache_read=1000, cache_write_5m=1000))

    assert charge.cost == Decimal("0.0003")
    assert charge.entry
    assert charge.entry.endswith("; cache_read at input; cache_write_5m at input")


def test_a_long_cache_without_a_price_costs_at_least_what_a_short_one_does() -> None:
    assert cost("anthropic.claude-sonnet-4-20250514-v1:0", used(cache_write_1h=1000)) == Decimal("0.00375")


def test_a_kind_without_a_price_leaves_the_call_without_one() -> None:
    charge = BOOK.charge(question("mistral.mistral-7b-instruct-v0:2"), used(**TALK, output_image=1))

    assert charge.cost is None
    assert charge.entry
    assert charge.entry.endswith("; no price for output_image")


def test_text_given_to_a_model_that_is_billed_by_images_is_free_once_the_images_are_counted() -> None:
    assert cost("amazon.nova-canvas-v1:0", used(input=20, output_image=1)) == Decimal("0.06")
    assert cost("amazon.nova-canvas-v1:0", used(input=20)) is None


@pytest.mark.parametrize(
    ("size", "price"),
    [
        ("1024-x-1024/50-steps", "0.04"),
        ("512-x-512/30-steps", "0.04"),
        ("1024-x-1024/51-steps", "0.08"),
        ("1024-x-1024/max-steps", "0.08"),
    ],
)
def test_an_image_costs_what_the_smallest_size_that_holds_it_costs(size: str, price: str) -> None:
    images = replace(used(output_image=2), image_size=size)

    assert cost("stability.stable-diffusion-xl-v1", images) == 2 * Decimal(price)


@pytest.mark.parametrize("size", ["1025-x-1024/50-steps", None, "large"])
def test_an_image_of_a_size_without_a_price_has_none(size: str | None) -> None:
    assert cost("stability.stable-diffusion-xl-v1", replace(used(output_image=2), image_size=size)) is None
    assert cost("amazon.nova-canvas-v1:0", replace(used(output_image=2), image_size=size)) == Decimal("0.12")


def test_an_image_of_a_quality_without_a_price_costs_what_any_does_and_says_so() -> None:
    images = replace(used(output_image=1), image_size="1024-x-1024/premium")
    charge = BOOK.charge(question("amazon.nova-canvas-v1:0"), images)
    own = PriceBook.load('{"models": {"amazon.nova-canvas-v1:0": {"image_sizes": {"max-x-max/premium": "0.08"}}}}')

    assert charge.cost == Decimal("0.06")
    assert charge.entry
    assert charge.entry.endswith("; no price for 1024-x-1024/premium: any size's")
    assert own.charge(question("amazon.nova-canvas-v1:0"), images).cost == Decimal("0.08")


def test_guardrails_cost_beside_the_model_and_alone() -> None:
    guarded = used(**TALK, contentPolicyUnits=2, topicPolicyUnits=1, wordPolicyUnits=5)

    assert cost(SONNET_45, guarded) == Decimal("0.01155") + Decimal("0.00045")
    assert cost(None, used(contentPolicyUnits=2, sensitiveInformationPolicyFreeUnits=9)) == Decimal("0.0003")
    assert cost(None, used(newPolicyUnits=2)) is None


def test_an_agents_models_are_each_charged_at_their_own_price() -> None:
    usage = Usage(
        "reported",
        {"input": 3000, "output": 1000, "topicPolicyUnits": 1},
        by_model={"amazon.nova-pro-v1:0": {"input": 1000, "output": 500}, HAIKU_45: {"input": 2000, "output": 500}},
    )
    charge = BOOK.charge(question(None), usage)

    assert charge.cost == Decimal("0.0024") + Decimal("0.00495") + Decimal("0.00015")
    assert charge.model == f"amazon.nova-pro-v1:0, {HAIKU_45}"
    assert charge.rates[f"{HAIKU_45}/input"] == Decimal("0.0000011")


def test_an_agent_with_one_model_that_has_no_price_has_none() -> None:
    split = {"amazon.nova-pro-v1:0": {"input": 1}, "nobody.knows": {"input": 1}}

    assert cost(None, Usage("reported", {"input": 2}, by_model=split)) is None


def test_what_an_agents_traces_give_to_no_model_is_not_free() -> None:
    split = {"amazon.nova-pro-v1:0": {"input": 1}}

    assert cost(None, Usage("reported", {"input": 2}, by_model=split)) is None


def test_a_cost_is_rounded_once_at_its_end_to_a_picodollar() -> None:
    own = '{"models": {"a.b": {"regional": {"input": "0.0000005", "output": "0.0000015"}}}}'
    book = PriceBook.load(own)

    assert book.charge(question("a.b"), used(input=1)).cost == 0  # half to even
    assert book.charge(question("a.b"), used(input=1, output=1)).cost == Decimal("0.000000000002")
    assert book.charge(question("a.b"), used(input=10**12)).cost == Decimal("0.5")


def test_a_later_price_stands_beside_an_earlier_one_and_the_day_of_the_call_decides() -> None:
    entries = '[{"from": "2026-12-01", "regional": {"input": 2}}, {"from": "2026-11-01", "regional": {"input": 1}}]'
    book = PriceBook.load('{"models": {"amazon.nova-pro-v1:0": ' + entries + "}}")
    costs = [
        book.charge(replace(question("amazon.nova-pro-v1:0"), at=day), used(input=10**6)).cost
        for day in (date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 30), date(2026, 12, 1))
    ]

    assert costs == [Decimal("0.8"), 1, 1, 2]  # before the operator's first day the shipped price counts


def test_no_price_is_known_from_before_the_first_so_that_one_counts() -> None:
    asked = replace(question("amazon.nova-pro-v1:0"), at=date(2020, 1, 1))

    assert BOOK.charge(asked, used(input=10**6)).cost == Decimal("0.8")


def test_a_hold_takes_the_dearest_rates_that_may_count() -> None:
    facts = RequestFacts(body_bytes=301, max_output_tokens=10, billed=True)

    # 101 tokens written to the cache for an hour, 10 out
    assert BOOK.hold(question(SONNET_45), facts, 4096) == Decimal("0.0006666") + Decimal("0.000165")
    assert BOOK.hold(question(SONNET_45), replace(facts, max_output_tokens=None), 20) == Decimal("0.0009966")
    # asked for flex, may get the standard tier
    assert BOOK.hold(question("amazon.nova-pro-v1:0", tier="flex"), facts, 0) == Decimal("0.0000808") + Decimal(
        "0.000032"
    )


def test_a_hold_counts_what_the_request_states_in_units() -> None:
    rerank = RequestFacts(body_bytes=30_000, units={"query": 3}, billed=True)
    images = RequestFacts(body_bytes=300, units={"output_image": 2}, billed=True)

    assert BOOK.hold(question("cohere.rerank-v3-5:0"), rerank, 4096) == Decimal("0.006")
    assert BOOK.hold(question("stability.stable-diffusion-xl-v1"), images, 4096) == Decimal("0.16")
    assert BOOK.hold(question("cohere.rerank-v3-5:0"), replace(rerank, units={}), 4096) is None
    assert BOOK.hold(question("cohere.rerank-v3-5:0"), replace(rerank, units={"output_image": 1}), 4096) is None


def test_a_guardrail_that_is_called_alone_is_held_by_its_text() -> None:
    asked = replace(question(None), operation="ApplyGuardrail")
    held = BOOK.hold(asked, RequestFacts(body_bytes=1001, billed=True), 4096)

    assert held is not None
    assert held >= (cost(None, used(contentPolicyUnits=2, topicPolicyUnits=2, contextualGroundingPolicyUnits=2)) or 1)


COUNTS = st.dictionaries(st.sampled_from((*INPUTS, "output")), st.integers(0, 400_000), min_size=1)
TIERS = st.sampled_from((None, "flex", "priority", "ultrafast", "batch", "default", "nonsense"))


@given(model=st.sampled_from(MODELS), counts=COUNTS, tier=TIERS, place=st.sampled_from(("us.", "global.", "", "eu.")))
@settings(max_examples=100, deadline=None)
def test_a_charge_is_never_negative_and_grows_with_what_was_used(
    model: str, counts: dict[str, int], tier: str | None, place: str
) -> None:
    asked = question(place + model, tier=tier)
    costs = [BOOK.charge(asked, used(**{kind: n * times for kind, n in counts.items()})).cost for times in (0, 1, 2)]

    assert costs[0] == 0
    for less, more in pairwise(costs):
        assert less is None or more is None or 0 <= less <= more


@given(model=st.sampled_from(MODELS), counts=COUNTS, tier=TIERS)
@settings(max_examples=100, deadline=None)
def test_a_charge_is_the_sum_of_counts_times_the_rates_that_it_tells(
    model: str, counts: dict[str, int], tier: str | None
) -> None:
    charge = BOOK.charge(question(model, tier=tier), used(**counts))

    if charge.cost is not None:
        assert charge.cost == sum(
            (charge.rates.get(kind, Decimal(0)) * count for kind, count in counts.items()), Decimal(0)
        )


@given(
    model=st.sampled_from(MODELS),
    counts=COUNTS,
    tier=TIERS,
    spare=st.integers(0, 300_000),
    answered=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_what_is_held_is_never_less_than_a_call_within_it_costs(
    model: str, counts: dict[str, int], tier: str | None, spare: int, answered: bool
) -> None:
    tokens = sum(counts.get(kind, 0) for kind in INPUTS) + spare
    facts = RequestFacts(body_bytes=3 * tokens, max_output_tokens=counts.get("output", 0), billed=True)
    held = BOOK.hold(question(model, tier=tier), facts, 4096)
    charged = BOOK.charge(
        question(model, tier=tier), replace(used(**counts), tier="default" if answered else None)
    ).cost

    if held is not None and charged is not None:
        assert held >= charged


def test_what_callers_name_is_remembered_within_bounds() -> None:
    book = PriceBook.load(None)
    for number in range(5000):
        book.find(question(f"nobody.model-{number}", tier=str(number)))

    assert book._find.cache_info().currsize <= 2048


def test_pricing_a_call_takes_microseconds() -> None:
    asked, usage = question(f"us.{SONNET_45}"), used(**TALK, cache_read=1000)
    times = []
    for _ in range(200):
        start = time.thread_time()
        BOOK.charge(asked, usage, 200)
        times.append(time.thread_time() - start)

    assert sorted(times)[len(times) // 2] < 0.0003  # thirty measured; ten times that on a machine that is busy
