"""Which operations each grant lets pass, in every layer, and what needs `all`."""

from datetime import UTC, datetime

import pytest

from app.core.accounts import KeyGrant, KeyType, Rights, Stamps, Team, VirtualKey
from app.core.callers import ANYONE, MASTER, Caller, caller_of
from app.core.errors import AccessDenied
from app.core.operation_grants import grants, unknown_operation_entries
from app.core.operations import Operation
from tests.core.judging import NOVA, TABLE, caller, judge, operation_named, refusal, with_key

EVERY = pytest.mark.parametrize("operation", TABLE.operations, ids=lambda o: f"{o.service} {o.operation}")
STAMPS = Stamps(datetime(2026, 1, 1, tzinfo=UTC), "master", datetime(2026, 1, 1, tzinfo=UTC), "master")
CREATE_AGENT = ("/bedrock/agents/", "PUT")
LIST_AGENTS = ("/bedrock/agents/", "POST")
UNKNOWN = "/bedrock/nothing/of/bedrocks"


@EVERY
def test_each_grant_lets_pass_the_operations_it_is_for(operation: Operation) -> None:
    name, effect = operation.operation, operation.effect
    expected = {
        (): effect in ("inference", "agents"),
        ("inference",): effect == "inference",
        ("agents",): effect == "agents",
        ("read",): effect == "read",
        ("private",): False,
        ("write",): False,
        ("secret",): False,
        ("all",): effect != "secret",
        (operation.service,): effect != "secret",
        (name,): True,
        (f"{operation.service}:{name}",): True,
        (f"other:{name}",): False,
        (name.lower(),): False,
        (f"{name}x",): False,
        ("",): False,
    }

    assert {entries: grants(entries).include(operation) for entries in expected} == expected


def test_two_grants_let_pass_what_either_does() -> None:
    granted = grants(("read", "InvokeInlineAgent"))

    assert [o.operation for o in TABLE.operations if granted.include(o) and o.effect != "read"] == ["InvokeInlineAgent"]


@pytest.mark.parametrize("layer", ["key", "team", "user"])
def test_a_grant_counts_only_where_every_layer_has_it(layer: str) -> None:
    granted = dict.fromkeys(("key", "team", "user"), Rights(operations=("CreateAgent",)))
    raw, method = CREATE_AGENT

    assert refusal(caller(**granted), raw, method=method) is None
    for entries in ((), ("read",), ("bedrock-agent-runtime",)):
        told = refusal(caller(**{**granted, layer: Rights(operations=entries)}), raw, method=method)
        assert told == (
            f"The {layer}'s operations do not include CreateAgent (bedrock-agent, class write): "
            "add it by name, or its service."
        )


def test_all_in_a_narrower_layer_does_not_widen_the_others() -> None:
    who = caller(key=Rights(operations=("all",)), team=Rights())

    assert refusal(who, NOVA) is None
    assert "The team's operations" in (refusal(who, CREATE_AGENT[0], method="PUT") or "")
    assert "the team's operations" in (refusal(who, UNKNOWN) or "")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("ListAgents", "add it by name, its service, or the class read"),
        ("GetSession", "add it by name, or its service"),
        ("GetResourceApiKey", "add it by name, nothing else grants what hands out secrets"),
    ],
)
def test_a_refusal_says_how_the_operation_is_granted(name: str, advice: str) -> None:
    raws = {
        "ListAgents": ("/bedrock/agents/", "POST"),
        "GetSession": ("/bedrock/sessions/x/", "GET"),
        "GetResourceApiKey": ("/bedrock/identities/api-key", "POST"),
    }
    raw, method = raws[name]

    assert advice in (refusal(with_key(operations=("inference",)), raw, method=method) or "")


def test_an_operation_that_its_body_decides_is_judged_once_it_is_known() -> None:
    who = with_key(operations=("bedrock-data-automation:TagResource",))
    arn = "arn:aws:bedrock:us-east-1:123456789012:{}/x"

    assert refusal(who, "/bedrock/tagResource", {"resourceARN": arn.format("blueprint")}) is None
    assert "TagResource (bedrock, class write)" in (
        refusal(who, "/bedrock/tagResource", {"resourceARN": arn.format("guardrail")}) or ""
    )
    assert refusal(with_key(), "/bedrock/tagResource", {"resourceARN": arn.format("guardrail")})


def test_an_unknown_path_needs_all_in_every_layer() -> None:
    everything = Rights(operations=("all",))

    assert refusal(caller(key=everything, team=everything, user=everything), UNKNOWN) is None
    for entries in ((), ("read", "inference"), ("bedrock-runtime",)):
        told = refusal(caller(key=everything, team=Rights(operations=entries), user=everything), UNKNOWN)
        assert "the team's operations do not include `all`" in (told or "")


@pytest.mark.parametrize("lists", [{"models": ("*",)}, {"regions": ("us-east-1",)}, {"resources": ("*",)}])
def test_an_unknown_path_passes_no_list_of_what_it_may_name(lists: dict[str, tuple[str, ...]]) -> None:
    told = refusal(with_key(operations=("all",), **lists), UNKNOWN)

    assert f"the key's {next(iter(lists))} cannot be applied" in (told or "")


@pytest.mark.parametrize("who", [MASTER, ANYONE])
def test_who_may_call_everything_is_asked_nothing(who: Caller) -> None:
    for raw, body in ((UNKNOWN, None), (NOVA, b"\xff no JSON"), ("/bedrock/identities/api-key", None)):
        judge(who, raw, body)
    judge(who, "/bedrock/v1/responses", {"model": "x", "background": True})


def test_a_caller_without_layers_has_the_default_alone() -> None:
    assert refusal(caller(), NOVA) is None
    assert refusal(caller(), CREATE_AGENT[0], method="PUT")


@pytest.mark.parametrize(
    ("kind", "passes"), [("default", True), ("llm_api", True), ("management", False), ("read_only", False)]
)
def test_a_key_for_the_admin_routes_may_not_call_bedrock(kind: KeyType, passes: bool) -> None:
    who = Caller("ci", may_call_everything=False, key_type=kind, layers=(("key", Rights(operations=("all",))),))
    told = refusal(who, NOVA)

    assert (told is None) is passes
    assert passes or f"key_type is {kind}" in (told or "")


def test_a_key_whose_team_is_gone_is_refused() -> None:
    key = VirtualKey("k1", "0" * 64, "sk-...abcd", STAMPS, team_id="t1")

    assert "team of this key is gone" in (refusal(caller_of(KeyGrant(key)), NOVA) or "")
    assert refusal(caller_of(KeyGrant(key, Team("t1", STAMPS))), NOVA) is None


@pytest.mark.parametrize(
    "entry",
    ["inference", "agents", "read", "all", "bedrock-agent", "Converse", "bedrock-runtime:Converse", "OpenAIResponses"],
)
def test_an_entry_that_grants_something_is_known(entry: str) -> None:
    assert unknown_operation_entries((entry,), TABLE) == ()


@pytest.mark.parametrize(
    "entry",
    [
        "private",
        "write",
        "secret",
        "converse",
        "CreateAgnet",
        "bedrock-agent:Converse",
        "",
        "*",
        "bedrock:",
        ":Converse",
    ],
)
def test_an_entry_that_grants_nothing_is_told(entry: str) -> None:
    assert unknown_operation_entries(("Converse", entry, "all"), TABLE) == (entry,)


@EVERY
def test_every_entry_that_is_not_known_grants_nothing(operation: Operation) -> None:
    for entry in ("private", "write", "secret", "*", "", operation.operation.lower(), f"{operation.service}:"):
        assert unknown_operation_entries((entry,), TABLE) == (entry,)
        assert not grants((entry,)).include(operation)


def test_the_default_reaches_what_a_key_is_for_and_nothing_else() -> None:
    with pytest.raises(AccessDenied, match="InvokeInlineAgent"):
        judge(with_key(), "/bedrock/agents/session-1")
    with pytest.raises(AccessDenied, match="StartAsyncInvoke"):
        judge(with_key(), "/bedrock/async-invoke")
    judge(with_key(), "/bedrock/agents/A/agentAliases/B/sessions/C/text")
    judge(with_key(), "/bedrock/knowledgebases/KB/retrieve")
    assert operation_named("Rerank").effect == "inference"
