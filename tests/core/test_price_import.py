"""AWS's price list: what can be read for sure becomes a price file, everything else is told and left alone."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.aws_price_list import Meter, meter_of, model_key
from app.core.price_import import Imported, NoPriceList, PriceImport
from app.core.prices import PriceBook, PriceQuestion, shipped_prices
from app.core.usage import Usage
from tests.core.price_list_sample import HAIKU_45, LEFT_ALONE, NEW_MODEL, NOVA_PRO, NOVA_PRO_LONDON, OPUS_5, Row, offer

HAIKU_ID = "anthropic.claude-haiku-4-5-20251001-v1:0"


def imported(*rows: Row, region: str | None = None) -> Imported:
    reader = PriceImport(shipped_prices(), region)
    reader.read(offer(*rows))
    return reader.result()


def cost(found: Imported, model: str, region: str, usage: Usage, **more: Any) -> Decimal | None:
    book = PriceBook.load(json.dumps({"models": found.models}))
    asked = PriceQuestion(model, more.get("service", "bedrock-runtime"), region, date(2026, 11, 25), more.get("tier"))
    return book.charge(asked, usage, 200).cost


@pytest.mark.parametrize(
    ("usage_type", "meter"),
    [
        ("USE1-MP:USE1_InputTokenCount-Units", Meter("input")),
        ("USE1-MP:USE1_InputTokenCount_Global_Batch-Units", Meter("input", "global", "batch")),
        ("USE1-MP:USE1_OutputTokenCount_LCtx-Units", Meter("output", long_context=True)),
        ("USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units", Meter("cache_write_1h", "global")),
        ("USE1_input_tokens_standard-Units", Meter("input")),
        ("USW2-MP:USW2_cache_write_tokens_1h_global_standard-Units", Meter("cache_write_1h", "global")),
        ("USW2-MP:USW2_output_tokens_long_ctx_standard-Units", Meter("output", long_context=True)),
        ("USE1-NovaPro-input-tokens-flex", Meter("input", tier="flex", model="NovaPro")),
        (
            "USE1-Nova2.0Lite-output-tokens-flex-cross-region-global",
            Meter("output", "global", "flex", model="Nova2.0Lite"),
        ),
        (
            "USE1-Nova2.0Lite-input-tokens-cross-region-global-batch",
            Meter("input", "global", "batch", model="Nova2.0Lite"),
        ),
        ("EU-qwen.qwen3-32b-mantle-input-tokens-standard", Meter("input", "mantle", model="qwen.qwen3-32b")),
        (
            "USE1-xai.grok-4.3-mantle-cache-read-tokens-flex",
            Meter("cache_read", "mantle", "flex", model="xai.grok-4.3"),
        ),
        ("USE1-NovaLite-input-tokens-custom-model", None),
        ("USE1-MP:USE1_InputImageCount-Units", None),
        ("USE1-MP:USE1_InputTokenCount_Regional-Units", None),
        ("USE1-MP:USE1_output_tokens_1h_standard-Units", None),
        ("USE1-MP:USE1_cache_write_tokens_30m_standard-Units", None),
        ("USE1-MP:USE1_Reserved_1Month_InputTPM_Geo-Units", None),
        ("USE1-NovaSonic-input-audio-second", None),
        ("", None),
    ],
)
def test_a_usage_type_is_read_whole_or_not_at_all(usage_type: str, meter: Meter | None) -> None:
    assert meter_of(usage_type) == meter


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Claude Haiku 4.5 (Amazon Bedrock Edition)", HAIKU_ID),
        ("Claude 3.5 Sonnet v2 (Amazon Bedrock Edition)", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("Claude Fable 5.1", "anthropic.claude-fable-5-1"),
        ("Nova 2.0 Lite", "amazon.nova-2-lite-v1:0"),
        ("Llama3-3-70B", "meta.llama3-3-70b-instruct-v1:0"),
        ("gpt-oss-120b", "openai.gpt-oss-120b-1:0"),
        ("Qwen3-32B", "qwen.qwen3-32b-v1:0"),
    ],
)
def test_a_name_and_an_id_of_one_model_have_one_key(name: str, model: str) -> None:
    assert model_key(name) == model_key(model)


def test_prices_that_the_book_has_are_not_written_again() -> None:
    found = imported(*NOVA_PRO)

    assert (found.models, found.read, found.agreeing) == ({}, 4, 1)
    assert found.published == "2026-11-20"


def test_a_region_whose_prices_differ_is_written_whole() -> None:
    found = imported(*NOVA_PRO, *NOVA_PRO_LONDON)

    assert found.models == {
        "amazon.nova-pro-v1:0": {
            "overrides": {
                "eu-west-2": {
                    "input": "1.2",
                    "output": "4.8",
                    "cache_read": "0.3",
                    "tiers": {"priority": {"input": "2.1", "output": "8.4"}},
                }
            }
        }
    }


def test_calls_are_charged_by_what_was_imported_and_others_by_the_book() -> None:
    found = imported(*NOVA_PRO_LONDON, *HAIKU_45, *OPUS_5, *NEW_MODEL)
    usage = Usage("reported", {"input": 1_000_000})

    assert cost(found, "eu.amazon.nova-pro-v1:0", "eu-west-2", usage) == Decimal("1.2")
    assert cost(found, "eu.amazon.nova-pro-v1:0", "eu-west-2", usage, tier="priority") == Decimal("2.1")
    assert cost(found, "eu.amazon.nova-pro-v1:0", "eu-west-1", usage) == Decimal("1.05")
    assert cost(found, f"global.{HAIKU_ID}", "eu-west-1", usage) == Decimal("0.9")
    assert cost(found, f"global.{HAIKU_ID}", "eu-west-1", usage, tier="batch") == Decimal("0.45")
    assert cost(found, f"us.{HAIKU_ID}", "us-east-1", usage) == Decimal("1.1")
    assert cost(found, "us.anthropic.claude-opus-5", "us-west-2", usage) == Decimal("5.6")
    assert cost(found, "us.anthropic.claude-opus-5", "us-east-1", usage) == Decimal("5.5")
    assert cost(found, "maker.new-model", "us-east-1", usage, service="bedrock-mantle") == Decimal("0.2")
    assert cost(found, "maker.new-model", "us-east-1", usage) is None


def test_one_region_may_be_read_alone() -> None:
    assert list(imported(*NOVA_PRO_LONDON, *OPUS_5, region="us-west-2").models) == ["anthropic.claude-opus-5"]


def test_what_is_not_sure_is_left_alone_and_told() -> None:
    found = imported(*LEFT_ALONE)

    assert found.models == {}
    assert {reason: len(rows) for reason, rows in found.skipped.items()} == {
        "another product than tokens on demand, or none that is known": 7,
        "a price too far from the book's to be for the unit that it states": 1,
        "no one price in dollars for tokens": 3,
        "a model that the book does not know": 1,
        "past a threshold that the book does not know": 1,
        "a place of which not every price is named": 1,
    }


def test_two_prices_for_one_thing_are_none() -> None:
    found = imported(*HAIKU_45, *(row._replace(usd="0.95", region="us-west-2") for row in HAIKU_45[2:3]))

    assert found.models == {}
    assert set(found.skipped["two prices for one thing, such as a global profile that differs by region"]) == {
        "USE1-MP:USE1_InputTokenCount_Global-Units"
    }


JSON = st.recursive(
    st.none() | st.text(max_size=4) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ("attributes", "usagetype", "regionCode", "priceDimensions", "unit", "pricePerUnit", "USD", "SKU0")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(JSON, JSON)
@settings(max_examples=30, deadline=None)
def test_no_offer_is_met_with_anything_but_prices_or_a_refusal(products: object, terms: object) -> None:
    whole = offer(*NOVA_PRO_LONDON)
    for content in (
        {"products": products, "terms": terms},
        whole | {"products": products},
        whole | {"terms": {"OnDemand": terms}},
        whole | {"terms": {"OnDemand": {"SKU0": terms}}},
        whole | {"products": {"SKU0": {"attributes": products}}},
    ):
        try:
            PriceImport(shipped_prices()).read(content)
        except NoPriceList:
            pass  # which is what it says it raises
