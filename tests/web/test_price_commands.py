"""`prices`: what a call costs and why, what AWS's list says, and whether a file can be read."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.core.errors import UpstreamUnreachable
from app.core.price_file import read_price_file
from app.core.prices import PriceBook
from app.web.price_commands import PriceTools, prices_group
from tests.core.price_list_sample import HAIKU_45, LEFT_ALONE, NOVA_PRO, NOVA_PRO_LONDON, OPUS_5, offer

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr"
URL = "https://prices.test/AmazonBedrock/current/index.json"


def run(*arguments: str, overrides: str | None = None, content: bytes | None = None) -> Result:
    """`content`: of every URL, None where there is no way out."""

    def fetch(url: str) -> bytes:
        if content is None:
            raise UpstreamUnreachable(f"{url} could not be read (ConnectionError).")
        return content

    def resolve(model: str | None, region: str) -> str | None:
        return f"global.{SONNET}" if model == PROFILE else model

    tools = PriceTools(PriceBook.load(overrides), "us-east-1", resolve, fetch, (URL,))
    return CliRunner().invoke(prices_group(tools), list(arguments), catch_exceptions=False)


def rows(result: Result) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in result.output.splitlines()]


def test_show_says_what_is_charged_and_which_entry_says_so() -> None:
    result = run("show", f"us.{SONNET}")

    assert result.exit_code == 0
    assert ["entry", f"2026-11-22/{SONNET}/regional"] in rows(result)
    assert ["scope", "geo"] in rows(result)
    assert ["input", "3.3", "1,000,000", "tokens", "-"] in rows(result)
    assert ["input,", "above", "200000", "input", "tokens", "6.6", "1,000,000", "tokens", "-"] in rows(result)


def test_show_takes_region_tier_endpoint_and_day() -> None:
    assert ["input", "0.525", "1,000,000", "tokens", "-"] in rows(
        run("show", "eu.amazon.nova-pro-v1:0", "--region", "eu-west-1", "--tier", "flex")
    )
    assert ["input", "0.6", "1,000,000", "tokens", "-"] in rows(
        run("show", "moonshotai.kimi-k2-thinking", "--region", "eu-west-1", "--mantle")
    )
    later = '{"models": {"amazon.nova-pro-v1:0": {"from": "2027-01-01", "regional": {"input": 9}}}}'
    assert ["input", "9", "1,000,000", "tokens", "-"] in rows(
        run("show", "amazon.nova-pro-v1:0", "--on", "2027-01-01", overrides=later)
    )


def test_show_says_why_where_a_kind_has_no_price_of_its_own() -> None:
    assert "no price of its own: input's" in run("show", "mistral.mistral-7b-instruct-v0:2").output


def test_show_does_not_take_a_misspelt_tier_for_the_standard_one() -> None:
    result = run("show", SONNET, "--tier", "flexx")

    assert result.exit_code == 2
    assert "'standard', 'batch', 'flex'" in result.output


def test_show_says_as_what_an_application_profile_is_priced() -> None:
    result = run("show", PROFILE)

    assert ["asked", "for", PROFILE] in rows(result)
    assert ["priced", "as", f"global.{SONNET}"] in rows(result)


def test_show_says_what_to_do_where_there_is_no_price() -> None:
    result = run("show", "nobody.knows\x1b[2J", "--on", "2027-01-01")

    assert result.exit_code == 1
    assert result.output.startswith("Error: nobody.knows\\x1b[2J has no price in us-east-1 on 2027-01-01")
    assert "OUTCROP_PRICES" in result.output


def test_list_shows_every_model_with_the_operators_prices_in_place_of_the_shipped_ones() -> None:
    result = run("list", overrides='{"models": {"amazon.nova-pro-v1:0": {"regional": {"input": 0.5, "output": 1}}}}')

    assert len(rows(result)) == len(PriceBook.load(None).models()) + 1
    assert ["amazon.nova-pro-v1:0", "0.5", "1", "-", "-", "OUTCROP_PRICES", "amazon.nova-pro-v1:0/regional"] in rows(
        result
    )
    assert ["amazon.titan-embed-text-v2:0", "0.02", "0"] in [row[:3] for row in rows(result)]


def test_import_writes_a_file_that_the_gateway_reads(tmp_path: Path) -> None:
    source, out = tmp_path / "index.json", tmp_path / "prices.json"
    source.write_text(json.dumps(offer(*NOVA_PRO, *NOVA_PRO_LONDON, *HAIKU_45, *OPUS_5, *LEFT_ALONE)))
    result = run("import", "--from", str(source), "--out", str(out))

    assert result.exit_code == 0
    assert " otherwise, written to " in result.output
    assert "rows skipped, a model that the book does not know: USE1-SomethingNew-input-tokens" in result.output
    [entry] = read_price_file(out.read_text()).models["amazon.nova-pro-v1:0"]
    assert (str(entry.since), entry.source) == ("2026-11-20", "AWS price list of 2026-11-20")
    assert run("check", str(out)).output.endswith("all well\n")


def test_import_reads_awss_own_offers_where_nothing_is_named() -> None:
    result = run("import", content=json.dumps(offer(*NOVA_PRO_LONDON)).encode())

    assert f"Reading {URL}" in result.output
    assert '"eu-west-2"' in result.output


@pytest.mark.parametrize(
    ("source", "content", "told"),
    [
        (URL, None, f"{URL} could not be read (ConnectionError)."),
        (URL, b"<html>", f"{URL}: Expecting value"),
        (URL, b"{}", f"{URL}: no offer of AWS's price list"),
        (URL, b"[]", f"{URL}: "),
        (URL, b"\xff", f"{URL}: "),
        (URL, b"[" * 100_000, f"{URL}: "),
        ("/nowhere/index.json", None, "/nowhere/index.json: No such file or directory"),
    ],
)
def test_import_says_in_one_line_why_it_read_nothing(source: str, content: bytes | None, told: str) -> None:
    result = run("import", "--from", source, content=content)

    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(f"Error: {told}")


def test_check_names_the_line_and_the_field(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"models": {\n"a.b": {"regional": {"input": "x"}}}}')
    result = run("check", str(file))

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {file}: line 2: models.a.b.regional.input: expected US dollars")
