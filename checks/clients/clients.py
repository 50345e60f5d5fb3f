"""The clients, their configuration, and the calls of each. The first call of a client also meets the errors."""

import json

from checks.clients.aws_clients import AWS_CLIENTS
from checks.clients.children import Commands
from checks.clients.configurations import (
    AWS_ERRORS,
    BOTO3_ERRORS,
    LITELLM_ENVIRONMENT,
    MANTLE,
    MODEL,
    OPENAI_MODEL,
    SDK_ERRORS,
    TOLD,
    Call,
    Client,
    names,
    node,
    python,
)

BIG_BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "rock " * 420_000}]}]}).encode()  # 2.1 MB
SMALL_BODY = '{"messages": [{"role": "user", "content": [{"text": "$PROMPT"}]}]}'
CURL = ["curl", "-sS", "--fail-with-body", "-X", "POST", "-H", "Content-Type: application/json"]
BEARER = ["-H", "Authorization: Bearer $KEY"]
CONVERSE = f"$URL/model/{MODEL}/converse"
CURL_COMMANDS = Commands(
    {
        "bearer": [*CURL, *BEARER, CONVERSE, "-d", SMALL_BODY],
        "x-api-key": [*CURL, "-H", "x-api-key: $KEY", CONVERSE, "-d", SMALL_BODY],
        "litellm_user_api_key": [*CURL, "-H", "litellm_user_api_key: $KEY", CONVERSE, "-d", SMALL_BODY],
        "stream": [*CURL, *BEARER, "-N", CONVERSE + "-stream", "-d", SMALL_BODY, "--output", "-"],
        # above 1 MiB curl asks before it sends: Expect: 100-continue
        "2 MB": [*CURL, *BEARER, "--expect100-timeout", "60", CONVERSE, "--data-binary", "@-"],
        "2 MB, chunked": [*CURL, *BEARER, "-H", "Transfer-Encoding: chunked", CONVERSE, "--data-binary", "@-"],
    },
    {"2 MB": BIG_BODY, "2 MB, chunked": BIG_BODY},
)
CURL_CALLS = (
    *names("bearer", "x-api-key", "litellm_user_api_key"),
    Call("stream", '{"text":" outcrop"}'),
    Call("2 MB", body=BIG_BODY),
    Call("2 MB, chunked", body=BIG_BODY),
)

OPENAI_CALLS = (
    *names("chat", "chat_stream", "responses", "responses_stream"),
    Call("embeddings", "-0.25"),
    Call("models", OPENAI_MODEL),
    Call("mantle_chat", service=MANTLE),
    Call("mantle_chat_stream", service=MANTLE),
    Call("mantle_models", OPENAI_MODEL, MANTLE),
)

CLIENTS = (
    Client("curl", CURL_COMMANDS, CURL_CALLS, AWS_ERRORS[0], ("error: 429",), readme="curl"),
    *AWS_CLIENTS,
    Client("Anthropic", python("anthropic_sdk"), names("create", "stream"), *SDK_ERRORS, readme="Anthropic, Python"),
    Client(
        *("AnthropicBedrock", python("anthropic_bedrock"), names("create", "stream"), *SDK_ERRORS),
        readme="AnthropicBedrock, Python",
    ),
    Client("OpenAI", python("openai_sdk"), OPENAI_CALLS, *SDK_ERRORS, readme="OpenAI, Python"),
    Client(
        *("LangChain", python("langchain_sdk"), names("invoke", "stream"), *BOTO3_ERRORS),
        readme="LangChain",
    ),
    Client(
        *("LiteLLM SDK", python("litellm_sdk", LITELLM_ENVIRONMENT), names("completion", "stream"), *SDK_ERRORS),
        readme="LiteLLM SDK",
        # else it fetches a price list from the Internet when it is imported
        variables={**TOLD, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    ),
    Client(
        *("LlamaIndex", python("llama_index_sdk"), names("complete", "stream_complete"), *BOTO3_ERRORS),
        readme="LlamaIndex",
        throttled_by="complete_impatiently",
    ),
    Client(
        *("Pydantic AI", python("pydantic_ai_sdk"), names("run", "run_stream")),
        *(("ModelAuthenticationError",), ("ModelRateLimitError",)),
        readme="Pydantic AI",
    ),
    Client(
        *("Strands", python("strands_sdk"), names("agent", "stream_async")),
        *(BOTO3_ERRORS[0], ("ModelThrottledException",)),
        readme="Strands",
    ),
    Client(
        *("AnthropicBedrock, JavaScript", node("anthropic_bedrock"), names("create", "stream"), *SDK_ERRORS),
        readme="AnthropicBedrock, JavaScript",
    ),
    Client(
        *("OpenAI, JavaScript", node("openai_sdk")),
        tuple(call for call in OPENAI_CALLS if call.name not in ("responses_stream", "mantle_models")),
        *SDK_ERRORS,
        readme="OpenAI, JavaScript",
    ),
    Client(
        *("Vercel AI SDK", node("ai_sdk"), names("generateText", "streamText")),
        *(("AI_APICallError",), ("AI_RetryError",)),
        readme="Vercel AI SDK",
    ),
)
