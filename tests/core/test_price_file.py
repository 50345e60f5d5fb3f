"""Price files: what a file may say counts, and whatever is wrong in one is named with its line and field."""

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.price_file import PriceFileError, read_price_file
from app.core.prices import PriceBook, PriceQuestion
from app.core.usage import Usage

MODEL = "amazon.nova-pro-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr"
MILLION = Usage("reported", {"input": 1_000_000})


def cost(overrides: str, model: str = MODEL, region: str = "us-east-1", usage: Usage = MILLION) -> Decimal | None:
    question = PriceQuestion(model, "bedrock-runtime", region, date(2026, 11, 25))
    return PriceBook.load(overrides).charge(question, usage, 200).cost


def entry(**members: object) -> str:
    return json.dumps({"models": {MODEL: members}})


def test_a_models_own_rates_take_the_place_of_the_shipped_ones() -> None:
    assert cost(entry(regional={"input": 0.5, "output": 1})) == Decimal("0.5")
    assert cost(entry(regional={"input": "0.5"}), f"us.{MODEL}") == Decimal("0.5")


def test_a_rate_that_the_operator_does_not_give_is_not_taken_from_the_shipped_block() -> None:
    only_input = entry(regional={"input": 0.5})

    assert cost(only_input, usage=Usage("reported", {"output": 1})) is None
    assert cost(only_input, usage=Usage("reported", {"cache_read": 1_000_000})) == Decimal("0.5")


def test_a_place_that_the_operator_does_not_price_keeps_the_shipped_price() -> None:
    frankfurt = entry(overrides={"eu-central-1": {"input": 0.7, "output": 2}})

    assert cost(frankfurt, region="eu-central-1") == Decimal("0.7")
    assert cost(frankfurt, region="eu-west-1") == Decimal("0.8")
    assert cost(frankfurt, f"eu.{MODEL}", region="eu-central-1") == Decimal("0.7")
    assert cost(frankfurt, f"eu.{MODEL}", region="eu-west-1") == Decimal("1.05")


def test_an_id_with_its_prefix_is_more_particular_than_one_without() -> None:
    both = {f"us.{MODEL}": {"regional": {"input": 3}}, MODEL: {"regional": {"input": 2}}}
    text = json.dumps({"models": both})

    assert cost(text, f"us.{MODEL}") == 3
    assert cost(text, f"eu.{MODEL}") == 2
    assert cost(text, f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}") == 3


def test_a_factor_is_paid_of_every_price() -> None:
    assert cost('{"factor": 0.9}') == Decimal("0.72")
    assert cost(json.dumps({"factor": "0.9", "models": {MODEL: {"regional": {"input": 1}}}})) == Decimal("0.9")
    guarded = Usage("reported", {"topicPolicyUnits": 1000})
    assert cost('{"factor": 0.5}', usage=guarded) == Decimal("0.075")


def test_a_models_own_factor_takes_the_place_of_the_files() -> None:
    text = json.dumps({"factor": 0.9, "models": {MODEL: {"factor": 0.5}, "mine.own": {"regional": {"input": 1}}}})

    assert cost(text) == Decimal("0.4")
    assert cost(text, "mine.own") == Decimal("0.9")
    assert cost(text, "amazon.nova-lite-v1:0") == Decimal("0.054")


def test_an_entry_names_its_file_its_date_and_its_factor() -> None:
    text = json.dumps({"from": "2026-11-01", "factor": 0.5, "models": {MODEL: {"regional": {"input": 1}}}})
    question = PriceQuestion(MODEL, "bedrock-runtime", "us-east-1", date(2026, 11, 25))

    assert PriceBook.load(text).charge(question, MILLION).entry == f"OUTCROP_PRICES 2026-11-01/{MODEL}/regional x 0.5"


def test_an_arn_is_priced_as_the_model_that_the_operator_says() -> None:
    aliases = json.dumps({"aliases": {ARN: f"eu.{MODEL}"}})
    question = PriceQuestion(ARN, "bedrock-runtime", "eu-west-1", date(2026, 11, 25))
    charge = PriceBook.load(aliases).charge(question, MILLION)

    assert (charge.cost, charge.scope, charge.model) == (Decimal("1.05"), "geo", MODEL)
    assert PriceBook.load(aliases).knows(ARN)
    assert not PriceBook.load(None).knows(ARN)


def test_an_arn_may_have_rates_of_its_own() -> None:
    endpoint = "arn:aws:sagemaker:us-east-1:767398002385:endpoint/endpoint-quick-start-idr7y"

    assert cost(json.dumps({"models": {endpoint: {"regional": {"input": 0}}}}), endpoint) == 0


def test_guardrails_may_have_prices_of_their_own() -> None:
    guarded = Usage("reported", {"topicPolicyUnits": 2, "contentPolicyUnits": 1, "newPolicyUnits": 1})
    text = '{"guardrails": {"topicPolicyUnits": 1, "newPolicyUnits": "0.5"}}'

    assert cost(text, usage=guarded) == Decimal("2.50015")


def test_the_same_facts_may_be_written_as_numbers_or_as_text() -> None:
    assert read_price_file(entry(regional={"input": 6e-05})) == read_price_file(entry(regional={"input": "0.00006"}))


def test_the_example_of_the_documents_can_be_read() -> None:
    document = (Path(__file__).resolve().parents[2] / "docs" / "prices.md").read_text()
    [example] = re.findall(r"```json\n(.*?)```", document, re.DOTALL)
    found = read_price_file(example)

    assert len(found.models) == 4
    assert cost(example, f"eu.{MODEL}", "eu-west-1") == Decimal("0.945")


WRONG = [
    ("", 1, "no JSON"),
    ("[]", 1, "the file: expected an object"),
    ('{"models": []}', 1, "models: expected an object"),
    ('{\n "model": {}}', 2, "model: expected one of"),
    ('{\n\n "factor": -1}', 3, "factor: expected"),
    ('{"factor": "cheap"}', 1, "factor: expected"),
    ('{"factor": null}', 1, "factor: expected"),
    ('{"factor": true}', 1, "factor: expected"),
    ('{"factor": NaN}', 1, "factor: expected"),
    ('{"factor": 1e999999999999}', 1, "factor: expected"),
    ('{"from": "tomorrow"}', 1, "from: expected a day"),
    ('{"from": "2026-02-30"}', 1, "from: expected a day"),
    ('{"models": {"a.b": {}},\n "models": {}}', 2, "models: stands twice"),
    (
        '{"models": {"a.b": {"regional": {"input": 1}},\n"c.d": {"regional": {\n"input": 1,\n"input": 2}}}, x',
        4,
        "models.c.d",
    ),
    ('{"models": {"a.b":\n [\n  {}, \n  5]}}', 4, "models.a.b.1: expected an object"),
    ('{"models": {"a.b": []}}', 1, "models.a.b: expected an entry"),
    ('{"models": {"a.b": [{}, {}]}}', 1, "models.a.b: expected entries with different"),
    ('{"models": {"a b": {}}}', 1, "models.a b: expected a model id"),
    (
        '{"models": {\n"a.b": {\n"regional": {\n"input": 1,\n"output": -1}}}}',
        5,
        "models.a.b.regional.output: expected US",
    ),
    ('{"models": {"a.b": {"regional": {"input": "3,30"}}}}', 1, "models.a.b.regional.input: expected US"),
    ('{"models": {"a.b": {"regional": {"input": Infinity}}}}', 1, "models.a.b.regional.input: expected US"),
    ('{"models": {"a.b": {"regional": {"input": 1000001}}}}', 1, "models.a.b.regional.input: expected US"),
    ('{"models": {"a.b": {"regional": {"inputs": 1}}}}', 1, "models.a.b.regional.inputs: expected one of input"),
    ('{"models": {"a.b": {"regional": {"units": {"pixel": 1}}}}}', 1, "models.a.b.regional.units.pixel: expected one"),
    ('{"models": {"a.b": {"regional": {"above": {"many": {}}}}}}', 1, "models.a.b.regional.above.many: expected a num"),
    ('{"models": {"a.b": {"regional": {"tiers": {"gold": {}}}}}}', 1, "models.a.b.regional.tiers.gold: expected one"),
    ('{"models": {"a.b": {"overrides": {"Frankfurt": {}}}}}', 1, "models.a.b.overrides.Frankfurt: expected a region"),
    ('{"models": {"a.b": {"image_sizes": {"big": 1}}}}', 1, "models.a.b.image_sizes.big: expected a size"),
    ('{"models": {"a.b": {"note": 5}}}', 1, "models.a.b.note: expected text"),
    ('{"aliases": {"' + ARN + '": 5}}', 1, f"aliases.{ARN}: expected a model id"),
    ('{"guardrails": {"words": 1}}', 1, "guardrails.words: expected AWS's name"),
    ('{"guardrails": {\n"topicPolicyUnits": "x"}}', 2, "guardrails.topicPolicyUnits: expected US"),
    ('{"factor": 1', 1, "no JSON"),
    ('{"a\\nb": 1}', 1, "a\\nb: expected one of"),
    ("[" * 100_000, 1, "no JSON"),
]


@pytest.mark.parametrize(("text", "line", "told"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_told_with_its_line_and_field(text: str, line: int, told: str) -> None:
    with pytest.raises(PriceFileError) as raised:
        read_price_file(text)

    assert str(raised.value).startswith(f"line {line}: {told}")
    assert "\n" not in str(raised.value)


def test_the_line_is_that_of_the_field_in_a_file_that_people_wrote() -> None:
    text = json.dumps({"models": {f"a.b{n}": {"regional": {"input": n, "output": 1}} for n in range(20)}}, indent=2)
    broken = text.replace('"input": 7,', '"input": -7,')

    with pytest.raises(PriceFileError, match=r"^line 47: models\.a\.b7\.regional\.input: "):
        read_price_file(broken)
    assert broken.splitlines()[46].strip() == '"input": -7,'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("models", "aliases", "guardrails", "factor", "from", "a.b", "regional", "input", "above", "tiers")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from((None, 1)))
@settings(max_examples=200, deadline=None)
def test_no_json_is_met_with_anything_but_prices_or_one_line(content: object, indent: int | None) -> None:
    text = json.dumps(content, indent=indent)
    try:
        read_price_file(text)
    except PriceFileError as error:
        assert 1 <= int(str(error).split()[1].rstrip(":")) <= text.count("\n") + 1  # noqa: PT017  # any may raise it
