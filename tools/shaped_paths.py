"""The HTTP APIs that AWS offers in the shapes of OpenAI and Anthropic, listed by hand: botocore does not model them.

bedrock-runtime has them below /openai and /anthropic, bedrock-mantle also at the root.
"""

from __future__ import annotations

from typing import Any

# The host is the same in every partition that offers it.
MANTLE = {
    "service_id": "Bedrock Mantle",
    "endpoint_prefix": "bedrock-mantle",
    "signing_name": "bedrock-mantle",
    "bearer": True,
    "target_prefix": None,
    "json_version": None,
    "endpoint": "https://bedrock-mantle.{region}.api.aws",
}

# name, method, path below the prefix, what decides streaming, billed
OPENAI = (
    ("OpenAIChatCompletions", "POST", "/v1/chat/completions", "body", True),
    ("OpenAIEmbeddings", "POST", "/v1/embeddings", None, True),
    ("OpenAIModels", "GET", "/v1/models", None, False),
    ("OpenAIResponses", "POST", "/v1/responses", "body", True),
)
ANTHROPIC = (
    ("AnthropicCountTokens", "POST", "/v1/messages/count_tokens", None, False),
    ("AnthropicMessages", "POST", "/v1/messages", "body", True),
    ("AnthropicModels", "GET", "/v1/models", None, False),
)


def shaped_rows() -> list[dict[str, Any]]:
    """Their rows, on both services."""
    rows = []
    for shaped, prefix in ((OPENAI, "/openai"), (ANTHROPIC, "/anthropic")):
        for name, method, path, stream, billed in shaped:
            posted = method == "POST"
            row = {
                "operation": name,
                "method": method,
                "stream": stream,
                "billed": billed,
                "effect": "inference",
                "models": ["body.model"] if posted else None,
            }
            guardrail = ["header.X-Amzn-Bedrock-GuardrailIdentifier"] if posted else None
            rows.append({"service": "bedrock-runtime", "path": prefix + path, "resources": guardrail, **row})
            rows.append({"service": "bedrock-mantle", "path": prefix + path, "named_only": True, **row})
            if name != "AnthropicModels":  # at the root there is one list, in OpenAI's shape
                rows.append({"service": "bedrock-mantle", "path": path, **row})
    return rows
