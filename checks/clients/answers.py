"""What the stand-in answers the clients: in AWS's shapes (tests.standin_answers), in OpenAI's and in Anthropic's.

A request that holds THROTTLED anywhere is answered 429, in the shape of the API that it was sent to.
"""

import base64
import json
import struct
from collections.abc import Callable, Iterable
from typing import Any

from tests.standin_answers import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    STREAMED_TYPE,
    TEXT,
    chunk_frame,
    default_answer,
)
from tests.standin_messages import (
    Answer,
    Chunk,
    EndChunks,
    Recorded,
    aws_error,
    chunked_answer,
    event_stream,
    json_answer,
)

THROTTLED = "throttle-me"  # a prompt
THROTTLED_MESSAGE = "Too many requests, please wait before trying again."
WHOLE_TEXT = "".join(TEXT)
PROFILED_MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
EMBEDDING = (0.5, -0.25, 0.125)  # exact in 32 bits
Events = Iterable[dict[str, Any]]


def answer(request: Recorded) -> Answer:
    """Answer as the API that the path names."""
    if THROTTLED.encode() in request.raw:
        return throttled(request.path)
    for end, of_its_api in APIS.items():
        if request.path.endswith(end):
            return of_its_api(request)
    return default_answer(request)


def throttled(path: str) -> Answer:
    error = {"type": "rate_limit_error", "message": THROTTLED_MESSAGE}
    if path.startswith("/anthropic/"):
        return json_answer({"type": "error", "error": error}, 429)
    if "/v1/" in path:
        return json_answer({"error": {**error, "param": None, "code": "rate_limit_exceeded"}}, 429)
    return aws_error(429, "ThrottlingException", THROTTLED_MESSAGE)


def asked(request: Recorded) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(request.body)
    return parsed


def server_sent(events: Events, end: bytes = b"", *, named: bool) -> Answer:
    """Answer server-sent events, each in its own chunk."""
    names = (f"event: {event['type']}\n".encode() if named else b"" for event in events)
    data = (b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    steps = [*(Chunk(name + text) for name, text in zip(names, data, strict=True)), *([Chunk(end)] if end else [])]
    return chunked_answer([*steps, EndChunks()], "text/event-stream; charset=utf-8")


# --- Anthropic's Messages, as InvokeModel and as an API of its own


def messages(request: Recorded) -> Answer:
    events = message_events(request)
    return server_sent(events, named=True) if asked(request).get("stream") else invoke(request)


def invoke(request: Recorded) -> Answer:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    content = [{"type": "text", "text": WHOLE_TEXT}]
    return json_answer({**message(content, usage), "stop_reason": "end_turn"})


def invoke_stream(request: Recorded) -> Answer:
    frames = [chunk_frame(json.dumps(event).encode()) for event in message_events(request)]
    return event_stream(frames, headers=STREAMED_TYPE)


def message(content: list[dict[str, str]], usage: dict[str, int]) -> dict[str, Any]:
    return {
        "id": "msg_bdrk_01A2B3C4",
        "type": "message",
        "role": "assistant",
        "model": "claude-3-haiku-20240307",
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def message_events(request: Recorded) -> list[dict[str, Any]]:
    start = message([], {"input_tokens": INPUT_TOKENS, "output_tokens": 1})
    deltas = [{"type": "text_delta", "text": text} for text in TEXT]
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ]


# --- OpenAI's Chat Completions, Responses, Embeddings and Models; Bedrock's own list of profiles


def chat_completions(request: Recorded) -> Answer:
    model, total = asked(request)["model"], INPUT_TOKENS + OUTPUT_TOKENS
    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": total}
    if asked(request).get("stream"):
        chunks = [
            completion_chunk(model, {"role": "assistant", "content": ""}),
            *(completion_chunk(model, {"content": text}) for text in TEXT),
            completion_chunk(model, {}, "stop"),
            {**completion_chunk(model, {}), "choices": [], "usage": usage},
        ]
        return server_sent(chunks, b"data: [DONE]\n\n", named=False)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": WHOLE_TEXT, "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    return json_answer({**completion(model), "object": "chat.completion", "choices": [choice], "usage": usage})


def completion(model: str) -> dict[str, Any]:
    return {"id": "chatcmpl-a1b2c3", "created": 1764547200, "model": model, "service_tier": "default"}


def completion_chunk(model: str, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {**completion(model), "object": "chat.completion.chunk", "choices": [choice]}


def responses(request: Recorded) -> Answer:
    model = asked(request)["model"]
    text = {"type": "output_text", "text": WHOLE_TEXT, "annotations": []}
    item = {"id": "msg_a1b2c3", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    whole = {**response(model, "completed"), "output": [item], "usage": usage}
    if not asked(request).get("stream"):
        return json_answer(whole)
    events = response_events(response(model, "in_progress"), item, whole)
    return server_sent([{**event, "sequence_number": n} for n, event in enumerate(events)], named=True)


def response(model: str, status: str) -> dict[str, Any]:
    return {
        "id": "resp_a1b2c3",
        "object": "response",
        "created_at": 1764547200,
        "status": status,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "usage": None,
    }


def response_events(begun: dict[str, Any], item: dict[str, Any], whole: dict[str, Any]) -> list[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    part = item["content"][0]
    return [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in TEXT),
        {"type": "response.output_text.done", **place, "text": WHOLE_TEXT, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]


def embeddings(request: Recorded) -> Answer:
    packed = base64.b64encode(struct.pack(f"<{len(EMBEDDING)}f", *EMBEDDING)).decode()
    wanted = packed if asked(request).get("encoding_format") == "base64" else EMBEDDING
    found = {"object": "embedding", "index": 0, "embedding": wanted}
    usage = {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS}
    return json_answer({"object": "list", "data": [found], "model": asked(request)["model"], "usage": usage})


def models(request: Recorded) -> Answer:
    model = {"id": "openai.gpt-oss-120b-1:0", "object": "model", "created": 1764547200, "owned_by": "openai"}
    return json_answer({"object": "list", "data": [model]})


def inference_profiles(request: Recorded) -> Answer:
    model = f"arn:aws:bedrock:us-east-1::foundation-model/{PROFILED_MODEL}"
    profile = {
        "inferenceProfileName": "US Anthropic Claude 3 Haiku",
        "description": "Routes requests to Anthropic Claude 3 Haiku in us-east-1 and us-west-2.",
        "createdAt": "2024-08-26T00:00:00Z",
        "updatedAt": "2024-09-06T18:33:08.868243157Z",
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{PROFILED_MODEL}",
        "models": [{"modelArn": model}, {"modelArn": model.replace("us-east-1", "us-west-2")}],
        "inferenceProfileId": f"us.{PROFILED_MODEL}",
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }
    return json_answer({"inferenceProfileSummaries": [profile]})


APIS: dict[str, Callable[[Recorded], Answer]] = {
    "/invoke": invoke,
    "/invoke-with-response-stream": invoke_stream,
    "/v1/messages": messages,
    "/v1/chat/completions": chat_completions,
    "/v1/responses": responses,
    "/v1/embeddings": embeddings,
    "/v1/models": models,
    "/inference-profiles": inference_profiles,
}
