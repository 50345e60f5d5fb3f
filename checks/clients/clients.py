"""The clients, their configuration, and the calls of each. The first call of a client also meets the errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from checks.clients.answers import WHOLE_TEXT
from checks.clients.children import REPOSITORY, Commands, Program, Startable

HERE = Path(__file__).resolve().parent
ENVIRONMENT = REPOSITORY / ".venv-clients" / "bin"
LITELLM_ENVIRONMENT = REPOSITORY / ".venv-clients" / "litellm" / "bin"
TOLD = {"KEY": "$KEY", "URL": "$URL"}  # for programs that configure their client in code

RUNTIME, CONTROL, AGENTS, MANTLE = "bedrock-runtime", "bedrock", "bedrock-agent-runtime", "bedrock-mantle"
MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
OPENAI_MODEL = "openai.gpt-oss-120b-1:0"
PASSAGE = "An outcrop is visible bedrock."
# The key as AWS access key id. boto3 finds each service's address in a variable of its own.
SIGNING = {"AWS_ACCESS_KEY_ID": "$KEY", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
ENDPOINTS = {
    f"AWS_ENDPOINT_URL_BEDROCK{service}": "$URL"
    for service in (
        "",
        "_RUNTIME",
        "_AGENT",
        "_AGENT_RUNTIME",
        "_AGENTCORE",
        "_AGENTCORE_CONTROL",
        "_DATA_AUTOMATION",
        "_DATA_AUTOMATION_RUNTIME",
    )
}


@dataclass(frozen=True)
class Call:
    """A call, what of the answer its client must show, and the service that must get it, with the body if it counts."""

    name: str
    text: str = WHOLE_TEXT
    service: str = RUNTIME
    body: bytes = b""


@dataclass(frozen=True)
class Client:
    """refused and throttled: words of the client's own error, when the key is wrong and when AWS throttles."""

    name: str
    how: Startable
    calls: tuple[Call, ...]
    refused: tuple[str, ...]
    throttled: tuple[str, ...]
    readme: str = ""  # its row in README.md's table
    throttled_by: str = ""  # the call that meets the throttling, where the first one would try again for minutes
    variables: Mapping[str, str] = field(default_factory=lambda: TOLD)


def python(name: str, environment: Path = ENVIRONMENT) -> Program:
    command = [str(environment / "python"), "-m", f"checks.clients.programs.{name}"]
    return Program(command, HERE / "programs" / f"{name}.py")


def node(name: str) -> Program:
    file = HERE / "programs" / f"{name}.mjs"
    return Program(["node", str(file)], file)


def names(*calls: str) -> tuple[Call, ...]:
    return tuple(Call(name) for name in calls)


AWS_ERRORS = ("UnrecognizedClientException",), ("ThrottlingException",)
BOTO3_ERRORS = ("ClientError", "UnrecognizedClientException"), ("ThrottlingException",)
SDK_ERRORS = ("AuthenticationError",), ("RateLimitError",)

AWS_CLI = Commands(
    {
        "converse": [
            *(str(ENVIRONMENT / "aws"), "bedrock-runtime", "converse", "--model-id", MODEL),
            *("--messages", '[{"role": "user", "content": [{"text": "$PROMPT"}]}]'),
        ],
        "list-foundation-models": [str(ENVIRONMENT / "aws"), "bedrock", "list-foundation-models"],
        "retrieve": [
            *(str(ENVIRONMENT / "aws"), "bedrock-agent-runtime", "retrieve", "--knowledge-base-id", "KB12345678"),
            *("--retrieval-query", "text=$PROMPT"),
        ],
    },
    {},
)
AWS_CLI_CALLS = (
    Call("converse"),
    Call("list-foundation-models", MODEL, CONTROL),
    Call("retrieve", PASSAGE, AGENTS),
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

BOTO3_CALLS = (
    *names("converse", "converse_stream"),
    Call("apply_guardrail", "NONE"),
    Call("list_foundation_models", MODEL, CONTROL),
    Call("list_agents", "200", "bedrock-agent"),
    Call("retrieve", PASSAGE, AGENTS),
    Call("invoke_agent", service=AGENTS),
    Call("list_data_automation_projects", "200", "bedrock-data-automation"),
    Call("get_data_automation_status", "200", "bedrock-data-automation-runtime"),
    Call("invoke_agent_runtime", "200", "bedrock-agentcore"),
    Call("list_agent_runtimes", "200", "bedrock-agentcore-control"),
)

OPENAI_CALLS = (
    *names("chat", "chat_stream", "responses", "responses_stream"),
    Call("embeddings", "-0.25"),
    Call("models", OPENAI_MODEL),
    Call("mantle_chat", service=MANTLE),
    Call("mantle_chat_stream", service=MANTLE),
    Call("mantle_models", OPENAI_MODEL, MANTLE),
)
AWS_JS_CALLS = (*names("converse", "converseStream"), Call("listFoundationModels", MODEL, CONTROL))

CLIENTS = (
    Client("curl", CURL_COMMANDS, CURL_CALLS, AWS_ERRORS[0], ("error: 429",), readme="curl"),
    Client(
        *("boto3", python("boto3_variables"), BOTO3_CALLS, *BOTO3_ERRORS),
        readme="boto3, every service",
        variables={**SIGNING, **ENDPOINTS},
    ),
    Client(
        *("boto3, header hook", python("boto3_hook")),
        (Call("retrieve", PASSAGE, AGENTS), Call("invoke_agent", service=AGENTS)),
        *BOTO3_ERRORS,
    ),
    Client(
        *("AWS CLI", AWS_CLI, AWS_CLI_CALLS, *AWS_ERRORS),
        readme="boto3, every service",
        variables={**SIGNING, **ENDPOINTS},
    ),
    Client(
        *("AWS CLI, one variable", AWS_CLI, AWS_CLI_CALLS, *AWS_ERRORS),
        variables={**SIGNING, "AWS_ENDPOINT_URL": "$URL"},
    ),
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
        *("AWS SDK, JavaScript", node("aws_sdk")),
        (*AWS_JS_CALLS, Call("invokeAgent", service=AGENTS)),
        *AWS_ERRORS,
        readme="AWS SDK for JavaScript",
    ),
    Client(
        *("AWS SDK, JavaScript, bearer", node("aws_sdk_bearer"), AWS_JS_CALLS, *AWS_ERRORS),
        variables={"URL": "$URL", "AWS_BEARER_TOKEN_BEDROCK": "$KEY"},
    ),
    Client(
        *("AnthropicBedrock, JavaScript", node("anthropic_bedrock"), names("create", "stream"), *SDK_ERRORS),
        readme="AnthropicBedrock, JavaScript",
    ),
    Client(
        *("OpenAI, JavaScript", node("openai_sdk")),
        tuple(call for call in OPENAI_CALLS if call.name not in ("responses_stream", "mantle_models")),
        *SDK_ERRORS,
    ),
    Client(
        *("Vercel AI SDK", node("ai_sdk"), names("generateText", "streamText")),
        *(("AI_APICallError",), ("AI_RetryError",)),
        readme="Vercel AI SDK",
    ),
)
