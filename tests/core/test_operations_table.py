"""The committed operations table against the installed botocore, which these tests read by themselves."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from tests.core.bedrock_models import (
    Row,
    botocore_rows,
    members_below,
    modelled_operations,
    table_rows,
)
from tools.operations_table import TABLE, build, difference, service_models, written
from tools.table_review import (
    BILLED,
    EFFECT_CLASSES,
    EFFECTS,
    UNNAMED,
    TableError,
    check_billed,
    check_effects,
    check_routes,
    check_unnamed,
    reviewed,
)

INFERENCE = {
    *("InvokeModel", "InvokeModelWithResponseStream", "InvokeModelWithBidirectionalStream", "Converse"),
    *("ConverseStream", "CountTokens", "ApplyGuardrail", "InvokeGuardrailChecks", "Rerank"),
    *("OpenAIChatCompletions", "OpenAIEmbeddings", "OpenAIModels", "OpenAIResponses"),
    *("AnthropicCountTokens", "AnthropicMessages", "AnthropicModels"),
}
AGENTS = {
    *("InvokeAgent", "InvokeFlow", "Retrieve", "RetrieveAndGenerate", "RetrieveAndGenerateStream"),
    *("GenerateQuery", "OptimizePrompt"),
}
SECRET_MEMBER = re.compile(
    r"secret$|(?<!next)(?<!offer)token$|apikey$|password$|credentials?$|privatekey$|signature$|presignedurl$"
    r"|downloadurl$|authorizationurl$|cookies?$|headers$|environmentvariables$|queryparameters$|customparameters$",
    re.IGNORECASE,
)


def is_sensitive(shape: Any) -> bool:
    """Marked by botocore, itself or what it holds."""
    inner = shape.value if shape.type_name == "map" else shape.member if shape.type_name == "list" else shape
    return bool(shape.metadata.get("sensitive") or inner.metadata.get("sensitive"))


def test_the_committed_table_is_what_the_generator_makes() -> None:
    text = written(build(service_models(), reviewed(EFFECTS), reviewed(BILLED), reviewed(UNNAMED)))

    assert difference(text, TABLE.read_text(encoding="utf-8")) == "", "run make table"


def test_every_operation_of_botocore_is_there_with_its_method_path_and_streaming() -> None:
    blobs_that_stream = {("bedrock-agentcore", "InvokeAgentRuntime")}
    expected = {
        (*key, op.http["method"], op.http["requestUri"], op.has_event_stream_output or key in blobs_that_stream)
        for key, op in modelled_operations().items()
    }

    assert expected == {
        (row["service"], row["operation"], row["method"], row["path"], row.get("stream", False))
        for row in botocore_rows()
    }


def test_the_json_protocol_is_told_by_its_target() -> None:
    expected = {
        f"{op.metadata['targetPrefix']}.{name}"
        for (_, name), op in modelled_operations().items()
        if op.metadata["protocol"] == "json"
    }

    assert expected == {row["target"] for row in table_rows() if "target" in row}


def test_only_an_event_stream_in_both_directions_is_bidirectional() -> None:
    both = {
        key for key, op in modelled_operations().items() if op.has_event_stream_input and op.has_event_stream_output
    }

    assert both == {(row["service"], row["operation"]) for row in table_rows() if row.get("bidirectional")}


def test_a_broken_event_stream_can_end_in_an_exception_that_it_models() -> None:
    for row in botocore_rows():
        operation = modelled_operations()[row["service"], row["operation"]]
        if operation.has_event_stream_output:
            union = operation.get_event_stream_output().members
            assert union[row["break_exception"]].metadata.get("exception"), row["operation"]
        else:
            assert "break_exception" not in row


def test_every_row_has_one_of_the_six_effects() -> None:
    assert {row["effect"] for row in table_rows()} == set(EFFECT_CLASSES)


@pytest.mark.parametrize(("effect", "names"), [("inference", INFERENCE), ("agents", AGENTS)])
def test_the_classes_that_a_key_has_by_default_are_written_out(effect: str, names: set[str]) -> None:
    assert {row["operation"] for row in table_rows() if row["effect"] == effect} == names


def test_nothing_that_returns_a_secret_passes_as_reading() -> None:
    for row in botocore_rows():
        output = modelled_operations()[row["service"], row["operation"]].output_shape
        secrets = [n for n, shape in members_below(output) if SECRET_MEMBER.search(n) and is_sensitive(shape)]
        if secrets and row["method"] == "GET":
            assert row["effect"] == "secret", (row["operation"], secrets)
        assert not (secrets and row["effect"] in {"read", "private"}), (row["operation"], secrets)


def test_reading_never_deletes_or_starts_anything() -> None:
    verbs = ("Get", "List", "Export", "Validate", "Search", "Retrieve", "CheckIngested")
    mild = [row for row in table_rows() if row["effect"] in {"read", "private"}]

    assert [row["operation"] for row in mild if not row["operation"].startswith(verbs)] == []
    assert [row["operation"] for row in mild if row["method"] in {"DELETE", "PATCH", "PUT"}] == []


def test_operations_that_share_a_route_are_told_apart() -> None:
    shared: dict[tuple[str, str, str], list[Row]] = {}
    for row in table_rows():
        path = re.sub(r"\{[^}]*\}", "{}", row["path"])
        shared.setdefault((row["method"], path, row.get("target", "")), []).append(row)
    for rows in shared.values():
        owners = [row for row in rows if not row.get("named_only")]
        told = [json.dumps(row.get("arn"), sort_keys=True) for row in owners]
        assert len(owners) == 1 or (len(set(told)) == len(owners) and "null" not in told), owners


def test_no_literal_segment_stands_where_another_operation_has_a_label() -> None:
    def rivals(one: list[str], other: list[str]) -> bool:
        pairs = list(zip(one, other, strict=True))
        return one != other and all(a == b or (a and b and "{}" in (a, b)) for a, b in pairs)

    shapes = {(row["method"], tuple(re.sub(r"\{[^}]*\}", "{}", row["path"]).split("/"))) for row in table_rows()}
    for (method, one), (other_method, other) in itertools.combinations(sorted(shapes), 2):
        if method == other_method and len(one) == len(other):
            assert not rivals(list(one), list(other)), (method, one, other)


def test_the_resource_types_of_data_automation_are_all_that_botocore_allows() -> None:
    pattern = (
        modelled_operations()["bedrock-data-automation", "TagResource"]
        .input_shape.members["resourceARN"]
        .metadata["pattern"]
    )
    allowed = re.search(r":\(([a-z|-]+)\)/", pattern)
    rows = [row for row in table_rows() if row["service"] == "bedrock-data-automation" and "arn" in row]

    assert allowed is not None
    assert [row["arn_in"] for row in rows] == ["body.resourceARN"] * 3
    assert all(sorted(allowed[1].split("|")) == row["arn"]["resource"] for row in rows)


def test_the_arns_of_colliding_operations_match_their_own_pattern_only() -> None:
    def accepts(service: str, arn: str) -> bool:
        shape = modelled_operations()[service, "TagResource"].input_shape.members["resourceArn"]
        # bedrock-agent's pattern has /d where it means \d.
        return re.fullmatch(shape.metadata["pattern"].replace("/d", r"\d"), arn) is not None

    session = "arn:aws:bedrock:us-east-1:123456789012:session/" + "-".join(["a" * n for n in (8, 4, 4, 4, 12)])
    agent = "arn:aws:bedrock:us-east-1:123456789012:agent/ABCDEFGHIJ"
    runtime = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/mine-abc"
    services = ("bedrock-agent-runtime", "bedrock-agent", "bedrock-agentcore-control")

    assert [[accepts(s, arn) for s in services] for arn in (session, agent, runtime)] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


def test_a_new_operation_without_an_effect_stops_the_generator() -> None:
    effects = reviewed(EFFECTS)
    del effects["bedrock-runtime"]["Converse"]

    with pytest.raises(TableError, match=r"bedrock-runtime Converse has no effect: add it to tools/operation_effects"):
        check_effects(service_models(), effects)


def test_an_effect_of_an_operation_that_is_gone_stops_the_generator() -> None:
    effects = reviewed(EFFECTS)
    effects["bedrock"]["ListUnicorns"] = "read"

    with pytest.raises(TableError, match="bedrock ListUnicorns is not in botocore: take it out"):
        check_effects(service_models(), effects)


def test_an_effect_of_no_class_stops_the_generator() -> None:
    effects = reviewed(EFFECTS)
    effects["bedrock-runtime"]["Converse"] = "harmless"

    with pytest.raises(TableError, match="bedrock-runtime Converse has effect 'harmless'"):
        check_effects(service_models(), effects)


def test_a_billed_operation_that_is_gone_stops_the_generator() -> None:
    with pytest.raises(TableError, match="bedrock ListUnicorns: not in botocore"):
        check_billed(service_models(), {"bedrock": ["ListUnicorns"]})


def test_a_new_collision_stops_the_generator() -> None:
    rows = [{"service": s, "operation": "Find", "method": "GET", "path": f"/things/{{{s}}}"} for s in ("a", "b")]

    with pytest.raises(TableError, match=r"GET /things/\{\} is shared by a Find, b Find"):
        check_routes(rows)


def test_counting_tokens_and_listing_models_cost_nothing() -> None:
    free = {"CountTokens", "AnthropicCountTokens", "AnthropicModels", "OpenAIModels", "ListFoundationModels"}
    rows = [row for row in table_rows() if row["operation"] in free]

    assert {row["operation"] for row in rows if "billed" not in row} == free
    assert not any(row.get("billed") for row in rows)


def test_what_is_billed_runs_a_model_that_it_names_or_that_it_does_not_or_none() -> None:
    by_hand = reviewed(UNNAMED)
    unnamed = {(s, n) for s, names in by_hand["unnamed"].items() for n in names}
    none = {(s, n) for s, names in by_hand["none"].items() for n in names}
    rows = {(row["service"], row["operation"]): row for row in table_rows() if row.get("billed")}

    assert {key for key, row in rows.items() if row.get("unnamed_model")} == unnamed
    assert {key for key, row in rows.items() if "models" not in row} <= unnamed | none
    assert not any(row.get("unnamed_model") for row in table_rows() if not row.get("billed"))


def test_an_agent_a_flow_and_a_knowledge_base_run_what_the_call_does_not_name() -> None:
    named = {
        *("InvokeAgent", "InvokeInlineAgent", "InvokeFlow", "StartFlowExecution", "Retrieve", "GenerateQuery"),
        *("AgenticRetrieveStream", "InvokeAgentRuntime", "InvokeHarness", "StartIngestionJob"),
    }
    free = {"ApplyGuardrail", "InvokeGuardrailChecks", "Converse", "InvokeModel", "Rerank", "RetrieveAndGenerate"}

    assert named <= {row["operation"] for row in table_rows() if row.get("unnamed_model")}
    assert not any(row.get("unnamed_model") for row in table_rows() if row["operation"] in free)


def test_a_billed_operation_whose_model_nobody_reviewed_stops_the_generator() -> None:
    rows = [{"service": "bedrock", "operation": "Dream", "billed": True, "models": []}]

    with pytest.raises(TableError, match=r"bedrock Dream is billed and names no model: review tools/unnamed_models"):
        check_unnamed(rows, {"unnamed": {}, "none": {}})


@pytest.mark.parametrize("billed", [True, False])
def test_an_operation_that_is_reviewed_twice_or_is_not_billed_stops_the_generator(billed: bool) -> None:
    rows = [{"service": "bedrock", "operation": "Dream", "billed": billed, "models": []}]
    columns = {"unnamed": {"bedrock": ["Dream"]}, "none": {"bedrock": ["Dream"] if billed else []}}

    with pytest.raises(TableError, match="bedrock Dream is not billed, or stands there twice"):
        check_unnamed(rows, columns)
