"""What recorded exchanges used, read plainly out of their whole bodies: a second opinion on the usage readers.

Nothing of the product is imported: event streams are decoded by botocore, JSON by the standard library, and each family
of models has its own few lines. Slow and trusting, as no gateway could be.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from botocore.eventstream import ChecksumMismatch, EventStreamBuffer


@dataclass(frozen=True)
class Exchange:
    """Operation and model of the call, and all of the answer. `headers`: with lower-case names."""

    operation: str
    model: str
    status: int
    headers: dict[str, str]
    body: bytes
    request: bytes


Counts = dict[str, int]


def expected_usage(exchange: Exchange) -> tuple[str, Counts]:
    """The source ("reported" or "unknown") and the counts, without those that are 0."""
    if exchange.status != 200:
        return "unknown", {}
    found = _streamed(exchange) if exchange.body[:1] == b"\0" or exchange.body[:5] == b"data:" else _whole(exchange)
    return ("unknown", {}) if found is None else ("reported", {kind: count for kind, count in found.items() if count})


def _whole(exchange: Exchange) -> Counts | None:
    body = json.loads(exchange.body)
    match exchange.operation:
        case "CountTokens":
            return {"counted": body["inputTokens"]}
        case "ApplyGuardrail":
            return _units(body["usage"])
        case "Converse" if "usage" in body:
            return _converse(body["usage"]) | _inline(body.get("trace", {}))
        case "OpenAIChatCompletions" | "OpenAIResponses":
            return _openai(body["usage"])
    return _invoked(exchange, body) if exchange.operation == "InvokeModel" else None


def _invoked(exchange: Exchange, body: dict[str, Any]) -> Counts | None:
    usage = body.get("usage") or {}
    if "input_tokens" in usage:
        found = _anthropic(usage)
    elif "outputTokens" in usage:  # a guardrail that masks the output leaves it out
        found = _converse(usage)
    elif "prompt_tokens" in usage:
        found = _openai(usage)
    elif "prompt_token_count" in body:
        found = {"input": body["prompt_token_count"], "output": body["generation_token_count"]}
    elif "inputTextTokenCount" in body:
        results = body.get("results", [])
        found = {"input": body["inputTextTokenCount"], "output": sum(result["tokenCount"] for result in results)}
    elif "x-amzn-bedrock-input-token-count" in exchange.headers:
        found = _from_headers(exchange.headers)
    elif "rerank" in exchange.model:
        found = {"query": -(-len(json.loads(exchange.request)["documents"]) // 100)}
    else:
        return None
    trace = body.get("amazon-bedrock-trace", {}).get("guardrail", {})
    assessments = [*trace.get("input", {}).values()]
    for output in trace.get("outputs", []):
        assessments.extend(output.values())
    return found | _sum_of_units(assessments)


def _from_headers(headers: dict[str, str]) -> Counts:
    names = {
        "input": "input-token-count",
        "output": "output-token-count",
        "cache_read": "cache-read-input-token-count",
        "cache_write_5m": "cache-write-input-token-count",
    }
    return {kind: int(headers.get(f"x-amzn-bedrock-{name}", 0)) for kind, name in names.items()}


def _streamed(exchange: Exchange) -> Counts | None:
    if exchange.body[:1] != b"\0":
        return _sent(exchange.body)
    events = _events(exchange.body)
    if events is None:
        return None
    match exchange.operation:
        case "ConverseStream":
            ends = [content for name, content in events if name == "metadata"]
            return _converse(ends[-1]["usage"]) | _inline(ends[-1].get("trace", {})) if ends else None
        case "InvokeModelWithResponseStream":
            chunks = [json.loads(base64.b64decode(content["bytes"])) for name, content in events if name == "chunk"]
            return _chunked(chunks)
        case "InvokeAgent" | "InvokeInlineAgent":
            return _traced([content["trace"] for name, content in events if name == "trace"])
    return None


def _events(body: bytes) -> list[tuple[str, Any]] | None:
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    try:
        found = list(buffer)
    except ChecksumMismatch:
        return None
    return [(event.headers.get(":event-type", ""), json.loads(event.payload)) for event in found]


def _chunked(chunks: list[dict[str, Any]]) -> Counts | None:
    begun = next((chunk["message"]["usage"] for chunk in chunks if chunk.get("type") == "message_start"), None)
    ended = [chunk["usage"] for chunk in chunks if chunk.get("type") == "message_delta"]
    if begun and ended:
        return _anthropic({**begun, "output_tokens": ended[-1]["output_tokens"]})
    for chunk in chunks:
        if "metadata" in chunk:
            return _converse(chunk["metadata"]["usage"])
    last = chunks[-1] if chunks else {}
    if "totalOutputTextTokenCount" in last:
        return {"input": last["inputTextTokenCount"], "output": last["totalOutputTextTokenCount"]}
    metrics = last.get("amazon-bedrock-invocationMetrics")
    if metrics is None:
        return None
    return {
        "input": metrics["inputTokenCount"],
        "output": metrics["outputTokenCount"],
        "cache_read": metrics.get("cacheReadInputTokenCount", 0),
        "cache_write_5m": metrics.get("cacheWriteInputTokenCount", 0),
    }


def _traced(traces: list[dict[str, Any]]) -> Counts | None:
    found: Counts = {}
    for trace in traces:
        for step in trace.values():
            usage = step.get("modelInvocationOutput", {}).get("metadata", {}).get("usage", {})
            for kind, name in (("input", "inputTokens"), ("output", "outputTokens")):
                if name in usage:
                    found[kind] = found.get(kind, 0) + usage[name]
    return found or None


def _sent(body: bytes) -> Counts | None:
    """Server-sent events: the last usage that any of them holds."""
    found = None
    for line in body.decode().splitlines():
        if line.startswith("data: {"):
            content = json.loads(line.removeprefix("data: "))
            usage = content.get("usage") or content.get("response", {}).get("usage")
            found = _openai(usage) if usage else found
    return found


def _converse(usage: dict[str, Any]) -> Counts:
    written = usage.get("cacheWriteInputTokens", usage.get("cacheWriteInputTokenCount", 0)) or 0
    details = usage.get("cacheDetails") or []
    long = sum(detail["inputTokens"] for detail in details if detail["ttl"] == "1h")
    return {
        "input": usage["inputTokens"],
        "output": usage["outputTokens"],
        "cache_read": usage.get("cacheReadInputTokens", usage.get("cacheReadInputTokenCount", 0)) or 0,
        "cache_write_5m": written - long,
        "cache_write_1h": long,
    }


def _anthropic(usage: dict[str, Any]) -> Counts:
    written = usage.get("cache_creation_input_tokens") or 0
    long = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens", 0)
    return {
        "input": usage["input_tokens"],
        "output": usage["output_tokens"],
        "cache_read": usage.get("cache_read_input_tokens") or 0,
        "cache_write_5m": written - long,
        "cache_write_1h": long,
    }


def _openai(usage: dict[str, Any]) -> Counts:
    whole = usage["prompt_tokens"] if "prompt_tokens" in usage else usage["input_tokens"]
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    read, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    output = usage["completion_tokens"] if "completion_tokens" in usage else usage.get("output_tokens", 0)
    return {"input": whole - read - written, "output": output, "cache_read": read, "cache_write_5m": written}


def _inline(trace: dict[str, Any]) -> Counts:
    guardrail = trace.get("guardrail", {})
    assessments = [*guardrail.get("inputAssessment", {}).values()]
    for outputs in guardrail.get("outputAssessments", {}).values():
        assessments.extend(outputs)
    return _sum_of_units(assessments)


def _sum_of_units(assessments: list[dict[str, Any]]) -> Counts:
    found: Counts = {}
    for assessment in assessments:
        for kind, units in _units(assessment.get("invocationMetrics", {}).get("usage", {})).items():
            found[kind] = found.get(kind, 0) + units
    return found


def _units(usage: dict[str, Any]) -> Counts:
    return {name: units for name, units in usage.items() if name.endswith("Units")}
