"""OpenAI- and Anthropic-shaped calls: what goes beyond an answer needs `all`, in every layer."""

import pytest

from app.core.accounts import Rights
from app.core.errors import MalformedRequest
from tests.core.judging import caller, judge, refusal, with_key

RESPONSES = "/bedrock/v1/responses"
OPENAI = [
    "/bedrock/v1/chat/completions",
    RESPONSES,
    "/bedrock/openai/v1/chat/completions",
    "/bedrock/openai/v1/responses",
]
ANTHROPIC = ["/bedrock/anthropic/v1/messages", "/bedrock/v1/messages", "/bedrock/anthropic/v1/messages/count_tokens"]
OPENAI_BEYOND: list[dict[str, object]] = [
    {"background": True},
    {"background": 1},
    {"BACKGROUND": True},
    {"previous_response_id": "resp_1"},
    {"previous_response_id": ""},
    {"conversation": "conv_1"},
    {"conversation": {"id": "conv_1"}},
    {"prompt": {"id": "pmpt_1"}},
    {"web_search_options": {}},
    {"tools": [{"type": "web_search"}]},
    {"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "mcp", "server_url": "https://x"}]},
    {"tools": [{"type": "code_interpreter"}]},
    {"tools": [{"type": "Function"}]},
    {"tools": [{"type": "function", "Type": "mcp"}]},
    {"tools": [{"type": None}]},
    {"tools": [{"name": "f"}]},
    {"tools": ["web_search"]},
    {"tools": {"type": "function"}},
    {"tools": True},
    {"Tools": [{"type": "web_search"}]},
    {"input": [{"type": "item_reference", "id": "msg_1"}]},
    {"input": [{"role": "user", "content": "x"}, {"id": "msg_1"}]},
    {"input": [{"id": "msg_1", "type": None}]},
    {"input": {"type": "item_reference", "id": "msg_1"}},
    {"input": [{"Type": "item_reference", "role": "user", "id": "msg_1"}]},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file_1"}}]}]},
    {"messages": [{"role": "user", "content": [{"image_url": {"url": "s3://theirs/key"}}]}]},
    {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "S3://theirs/key"}]}]},
]
OPENAI_PLAIN: list[dict[str, object]] = [
    {},
    {"background": False, "previous_response_id": None, "conversation": None, "tools": None, "prompt": None},
    {"tools": []},
    {"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}], "tool_choice": "auto"},
    {"functions": [{"name": "f"}]},
    {"input": "a reference to resp_1"},
    {"input": [{"role": "user", "content": "x"}, {"type": "message", "role": "user", "content": []}]},
    {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]},
    {"input": [1, 2, 3]},
    {"input": ["one", "two"]},
    {"store": True, "include": ["reasoning.encrypted_content"]},
    {"messages": [{"role": "user", "content": [{"image_url": {"url": "https://x/s3://y"}}]}]},
    {"messages": [{"role": "user", "content": "s3://theirs/key"}]},
    {"tools": [{"type": "function", "parameters": {"properties": {"file_id": {"type": "string"}}}}]},
]
ANTHROPIC_BEYOND: list[dict[str, object]] = [
    {"mcp_servers": [{"url": "https://x"}]},
    {"mcp_servers": {}},
    {"container": "c_1"},
    {"container": {"id": "c_1"}},
    {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    {"tools": [{"type": "code_execution_20250825"}]},
    {"tools": [{"type": "web_fetch_20250910"}]},
    {"tools": [{"name": "f"}, {"type": "mcp_toolset"}]},
    {"tools": [{"type": "function"}]},
    {"tools": [{"type": "bash"}]},
    {"tools": [{"type": ["custom"]}]},
    {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
]
ANTHROPIC_PLAIN: list[dict[str, object]] = [
    {},
    {"mcp_servers": None, "container": None, "tools": None},
    {"mcp_servers": [], "tools": []},
    {"tools": [{"name": "f", "input_schema": {}}, {"type": "custom", "name": "g"}, {"type": None, "name": "h"}]},
    {"tools": [{"type": "bash_20250124"}, {"type": "text_editor_20250728"}, {"type": "computer_20251124"}]},
    {"tools": [{"type": "memory_20250818", "name": "memory"}]},
    {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]}]},
]


def cases(raws: list[str], bodies: list[dict[str, object]]) -> list[tuple[str, dict[str, object]]]:
    return [(raw, {"model": "m.x", **body}) for raw in raws for body in bodies]


@pytest.mark.parametrize(("raw", "body"), [*cases(OPENAI, OPENAI_BEYOND), *cases(ANTHROPIC, ANTHROPIC_BEYOND)])
def test_what_goes_beyond_an_answer_needs_all(raw: str, body: object) -> None:
    for entries in ((), ("inference",), ("bedrock-mantle", "bedrock-runtime")):
        assert "only `all` grants that" in (refusal(with_key(operations=entries), raw, body) or "")
    assert refusal(with_key(operations=("all",)), raw, body) is None


@pytest.mark.parametrize(("raw", "body"), [*cases(OPENAI, OPENAI_PLAIN), *cases(ANTHROPIC, ANTHROPIC_PLAIN)])
def test_an_answer_and_the_callers_own_tools_need_nothing_more(raw: str, body: object) -> None:
    assert refusal(with_key(), raw, body) is None


def test_embeddings_of_texts_and_of_tokens_need_nothing_more() -> None:
    for texts in ("x", ["x", "y"], [[1, 2], [3]]):
        assert refusal(with_key(), "/bedrock/v1/embeddings", {"model": "m.x", "input": texts}) is None


def test_all_is_needed_in_every_layer() -> None:
    body = {"model": "m.x", "background": True}
    everything = Rights(operations=("all",))

    assert refusal(caller(key=everything, team=everything), RESPONSES, body) is None
    assert refusal(caller(key=everything, team=Rights()), RESPONSES, body) == (
        "The team's operations do not include `background`: only `all` grants that."
    )


def test_a_shaped_body_is_read_strictly() -> None:
    with pytest.raises(MalformedRequest, match="a key stands twice"):
        judge(with_key(), RESPONSES, b'{"model": "m.x", "background": false, "background": true}')


def test_what_openai_calls_beyond_is_nothing_to_anthropic_and_the_reverse() -> None:
    assert refusal(with_key(), ANTHROPIC[0], {"model": "m.x", "background": True}) is None
    assert refusal(with_key(), RESPONSES, {"model": "m.x", "mcp_servers": [1]}) is None
