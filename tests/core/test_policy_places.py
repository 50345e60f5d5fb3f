"""Regions, addresses and resources: where a call may go, where it may come from, and what it may name."""

from urllib.parse import quote

import pytest

from app.core.accounts import Rights
from app.core.errors import MalformedRequest
from app.core.operations import Operation
from tests.core.judging import CONVERSE, NOVA, TABLE, body_with, caller, judge, refusal, target_of, with_key

ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
PROFILE = f"{ACCOUNT}:application-inference-profile/abc123def456"
ROUTERS = [PROFILE, f"{ACCOUNT}:prompt-router/r", f"{ACCOUNT}:default-prompt-router/anthropic.claude:1"]
RESOURCES = [
    (operation, path) for operation in TABLE.operations for path in operation.resources if not operation.bidirectional
]
KB_ARN = f"{ACCOUNT}:knowledge-base/KB12345678"


def converse(model: str) -> str:
    return CONVERSE.format(quote(model, safe=""))


@pytest.mark.parametrize(
    ("regions", "raw", "passes"),
    [
        (("us-east-1",), NOVA, True),
        (("eu-west-1",), NOVA, False),
        (("us",), NOVA, False),
        (("eu-west-1",), NOVA.replace("/bedrock/", "/bedrock/eu-west-1/"), True),
        (("us-east-1",), NOVA.replace("/bedrock/", "/bedrock/eu-west-1/"), False),
        (("us-east-1",), converse("us.amazon.nova-lite-v1:0"), False),
        (("us-east-1", "eu"), converse("us.amazon.nova-lite-v1:0"), False),
        (("us-east-1", "us"), converse("us.amazon.nova-lite-v1:0"), True),
        (("us-east-1", "us"), converse("global.amazon.nova-lite-v1:0"), False),
        (("us-east-1", "global"), converse("global.amazon.nova-lite-v1:0"), True),
        (("us-east-1", "us"), converse("us-gov.amazon.nova-lite-v1:0"), False),
        (("us-east-1",), converse(f"{ACCOUNT}:inference-profile/us.amazon.nova-lite-v1:0"), False),
        (("us-east-1", "us"), converse(f"{ACCOUNT}:inference-profile/us.amazon.nova-lite-v1:0"), True),
        (("us-east-1", "us"), converse(f"{ACCOUNT}:inference-profile/mx.amazon.nova-lite-v1:0"), False),
        (("us-east-1", "us"), converse(f"{ACCOUNT}:inference-profile/abc"), False),
        (("us-east-1",), converse("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"), True),
        (("us-east-1",), converse(f"{ACCOUNT}:provisioned-model/abc123def456"), True),
        (("us-east-1",), converse("abc123def456"), False),
    ],
)
def test_a_list_of_regions_must_have_where_a_call_runs(regions: tuple[str, ...], raw: str, passes: bool) -> None:
    assert (refusal(with_key(regions=regions), raw) is None) is passes
    assert refusal(with_key(), raw) is None


@pytest.mark.parametrize("arn", ROUTERS)
def test_what_may_route_across_regions_passes_a_list_of_regions_only_by_its_own_name(arn: str) -> None:
    regions = ("us-east-1", "us", "eu", "global")

    assert "may run in other regions" in (refusal(with_key(regions=regions), converse(arn)) or "")
    for models in (("*",), ("all-proxy-models",), (f"{arn[:-1]}*",)):
        assert refusal(with_key(regions=regions, models=models), converse(arn))
    assert refusal(with_key(regions=regions, models=(arn,)), converse(arn)) is None
    elsewhere = caller(key=Rights(regions=regions), team=Rights(models=(arn,)))
    assert "the key's" in (refusal(elsewhere, converse(arn)) or "")


def test_a_model_in_the_body_must_be_in_a_region_of_the_list_too() -> None:
    arn = "arn:aws:bedrock:{}::foundation-model/amazon.rerank-v1:0"
    path = "body.rerankingConfiguration.bedrockRerankingConfiguration.modelConfiguration.modelArn"
    who = with_key(regions=("us-east-1",))

    assert refusal(who, "/bedrock/rerank", body_with(path, arn.format("us-east-1"))) is None
    assert "eu-west-1" in (refusal(who, "/bedrock/rerank", body_with(path, arn.format("eu-west-1"))) or "")
    assert refusal(who, "/bedrock/rerank", body_with(path, "us.amazon.rerank-v1:0"))


def test_the_profile_of_a_shaped_call_must_be_in_the_list() -> None:
    who = with_key(regions=("us-east-1", "us"))

    for model, passes in (("us.anthropic.x", True), ("anthropic.x", True), ("eu.anthropic.x", False)):
        assert (refusal(who, "/bedrock/anthropic/v1/messages", {"model": model}) is None) is passes


@pytest.mark.parametrize(
    ("ranges", "address", "passes"),
    [
        (("10.0.0.0/8",), "9.255.255.255", False),
        (("10.0.0.0/8",), "10.0.0.0", True),
        (("10.0.0.0/8",), "10.255.255.255", True),
        (("10.0.0.0/8",), "11.0.0.0", False),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8",), "::10.1.2.3", False),
        (("::ffff:10.0.0.0/104",), "10.1.2.3", True),
        (("::/0",), "10.1.2.3", False),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("2001:db8::/32",), "2001:db8:ffff::1", True),
        (("2001:db8::/32",), "2001:db9::", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("192.0.2.7",), "192.0.2.7", True),
        (("192.0.2.7",), "192.0.2.8", False),
        (("0.0.0.0/0", "::/0"), None, False),
        (("0.0.0.0/0", "::/0"), "", False),
        (("0.0.0.0/0", "::/0"), "localhost", False),
        (("no range",), "192.0.2.7", False),
        (("no range", "192.0.2.0/24"), "192.0.2.7", True),
        ((), None, True),
    ],
)
def test_a_list_of_addresses_admits_its_ranges_alone(
    ranges: tuple[str, ...], address: str | None, passes: bool
) -> None:
    assert (refusal(with_key(addresses=ranges), NOVA, address=address) is None) is passes


def test_a_refused_address_is_told_with_its_layer() -> None:
    who = caller(key=Rights(), user=Rights(addresses=("10.0.0.0/8",)))

    assert refusal(who, NOVA, address="192.0.2.7") == "The user's addresses do not include your address, 192.0.2.7."
    assert "not known" in (refusal(who, NOVA, address=None) or "")


@pytest.mark.parametrize(("operation", "path"), RESOURCES, ids=lambda value: getattr(value, "operation", value))
def test_every_place_for_a_resource_is_looked_at(operation: Operation, path: str) -> None:
    place, _, name = path.removeprefix("s3:").partition(".")
    allowed, denied = ("s3://ours", "s3://theirs") if path.startswith("s3:") else ("OURS", "THEIRS")
    if place == "path" and name in operation.label_patterns:
        allowed, denied = "us.ours.x", "us.theirs.x"
    who = with_key(resources=(allowed, "X", "arn:*:default-prompt-router/*"), operations=("all", operation.operation))

    for value, passes in ((allowed, True), (denied, False)):
        labels = {name: value} if place == "path" else {}
        if not passes and path in (
            "path.agentAliasId",
            "path.aliasIdentifier",
            "path.dataSourceId",
            "path.flowAliasIdentifier",
        ):
            labels = {name: quote(f"{ACCOUNT}:agent-alias/THEIRS/T", safe="")}
        query = (
            f"?{name}={quote(f'{ACCOUNT}:flow/THEIRS' if not passes else value, safe='')}" if place == "query" else ""
        )
        raw, headers = target_of(operation, labels, query)
        headers |= {name.lower(): value} if place == "header" else {}
        body = (
            body_with(path, value) if place == "body" else {"model": "m"} if "body.model" in operation.models else None
        )
        told = refusal(who, raw, body, method=operation.method, headers=headers)
        assert (told is None) is passes, told


@pytest.mark.parametrize(
    ("pattern", "value", "passes"),
    [
        ("KB12345678", "KB12345678", True),
        ("KB12345678", "kb12345678", False),
        ("KB1234567", "KB12345678", False),
        ("KB*", "KB12345678", True),
        ("*", "KB12345678", True),
        ("KB12345678", KB_ARN, True),
        ("KB*", KB_ARN, True),
        (KB_ARN, KB_ARN, True),
        (KB_ARN, "KB12345678", False),
        (f"{ACCOUNT}:knowledge-base/*", KB_ARN, True),
        ("knowledge-base", KB_ARN, False),
        ("arn:aws:bedrock:*:999999999999:*/*", KB_ARN, False),
        ("", "KB12345678", False),
    ],
)
def test_a_resource_is_matched_by_id_or_arn(pattern: str, value: str, passes: bool) -> None:
    raw = f"/bedrock/knowledgebases/{quote(value, safe='')}/retrieve"

    assert (refusal(with_key(resources=(pattern,)), raw) is None) is passes


@pytest.mark.parametrize(
    ("alias", "passes"),
    [
        ("TSTALIASID", True),
        (f"{ACCOUNT}:agent-alias/AGENT/ALIAS", True),
        (f"{ACCOUNT}:agent-alias/OTHER/ALIAS", False),
        ("ARN:aws:bedrock:us-east-1:123456789012:agent-alias/OTHER/ALIAS", False),
    ],
)
def test_an_alias_passes_with_its_agent_unless_it_is_anothers(alias: str, passes: bool) -> None:
    raw = f"/bedrock/agents/AGENT/agentAliases/{quote(alias, safe='')}/sessions/s/text"

    assert (refusal(with_key(resources=("AGENT",)), raw) is None) is passes
    assert refusal(with_key(resources=("ALIAS", "TSTALIASID")), raw.replace("/AGENT/", "/OTHER/"))


def test_the_version_of_a_prompt_or_guardrail_is_no_part_of_its_id() -> None:
    arn = f"{ACCOUNT}:prompt/ABCDEFGHIJ:3"

    assert refusal(with_key(resources=("ABCDEFGHIJ",)), converse(arn)) is None
    assert "resources do not include" in (refusal(with_key(resources=("ABCDEFGHIX",)), converse(arn)) or "")


@pytest.mark.parametrize("arn", [PROFILE, f"{ACCOUNT}:provisioned-model/abc123def456"])
def test_an_opaque_model_is_a_resource_too(arn: str) -> None:
    assert refusal(with_key(resources=("KB",)), converse(arn))
    assert refusal(with_key(resources=("KB", "abc123def456")), converse(arn)) is None
    assert refusal(with_key(resources=("KB",)), NOVA) is None


def test_a_guardrail_in_a_header_or_a_body_must_be_in_the_list() -> None:
    invoke = NOVA.replace("/converse", "/invoke")
    who = with_key(resources=("g1",))

    for guardrail, passes in (("g1", True), ("g2", False), ("g1,g2", False)):
        headers = {"x-amzn-bedrock-guardrailidentifier": guardrail}
        assert (refusal(who, invoke, {}, headers=headers) is None) is passes
        body = {"guardrailConfig": {"guardrailIdentifier": guardrail}}
        assert (refusal(who, NOVA, body) is None) is passes


def test_a_refused_resource_is_told_with_its_layer() -> None:
    who = caller(key=Rights(), team=Rights(resources=("KB*",)))

    assert refusal(who, "/bedrock/knowledgebases/OTHER/retrieve") == (
        "The team's resources do not include OTHER: add its id or ARN."
    )


@pytest.mark.parametrize(("count", "passes"), [(249, True), (250, True), (251, False)])
def test_a_body_names_at_most_so_many_resources(count: int, passes: bool) -> None:
    """A million fit in a body, and each is compared with every entry of every list."""
    body = {"guardrailConfig": {"guardrailIdentifier": ["mine"] * count}}

    if passes:
        assert refusal(with_key(resources=("mine",)), NOVA, body) is None
    else:
        with pytest.raises(MalformedRequest, match="names more models, resources or locations than AWS takes"):
            judge(with_key(resources=("mine",)), NOVA, body)


@pytest.mark.parametrize(("path", "passes"), [("flow/F/alias/A/B", True), ("flow/F/alias/A/B/C", False)])
def test_an_arn_of_more_parts_than_any_passes_by_none_of_them(path: str, passes: bool) -> None:
    body = {"guardrailConfig": {"guardrailIdentifier": f"{ACCOUNT}:{path}"}}

    assert (refusal(with_key(resources=("F",)), NOVA, body) is None) is passes
