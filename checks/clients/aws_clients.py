"""AWS's own clients: boto3, the CLI and the JavaScript SDK, with a key as access key id and with an issued pair."""

from collections.abc import Mapping
from dataclasses import dataclass

from checks.clients.children import Commands, Startable
from checks.clients.configurations import (
    AGENTS,
    AWS_ERRORS,
    BOTO3_ERRORS,
    CONTROL,
    ENVIRONMENT,
    HERE,
    MODEL,
    PASSAGE,
    Call,
    Client,
    names,
    node,
    python,
)

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
ISSUED = {"AWS_ACCESS_KEY_ID": "$PAIR_ID", "AWS_SECRET_ACCESS_KEY": "$PAIR_SECRET", "AWS_DEFAULT_REGION": "us-east-1"}
# the JavaScript SDK's name for it
NODE_REGION = {"AWS_REGION": "us-east-1"}
WRONG_SIGNATURE = "The signature is not that of this call with this key pair"
WRONG_SECRET = ("InvalidSignatureException",)
READING = ("inference", "agents", "read")

BOTO3_CALLS = (
    *names("converse", "converse_stream", "invoke_model"),
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
# the status of other people's jobs, and to run an agent of AgentCore, are in no class of operations
BOTO3_OPERATIONS = (*READING, "GetDataAutomationStatus", "InvokeAgentRuntime")

AWS = str(ENVIRONMENT / "aws")
SAID = '[{"role": "user", "content": [{"text": "$PROMPT"}]}]'
# it has no ConverseStream and no InvokeAgent: it leaves out what answers event streams
AWS_CLI = Commands(
    {
        "converse": [AWS, "bedrock-runtime", "converse", "--model-id", MODEL, "--messages", SAID],
        "invoke-model": [
            *(AWS, "bedrock-runtime", "invoke-model", "--model-id", MODEL, "--body", '{"prompt": "$PROMPT"}'),
            "/dev/stdout",
        ],
        "list-foundation-models": [AWS, "bedrock", "list-foundation-models"],
        "retrieve": [
            *(AWS, "bedrock-agent-runtime", "retrieve", "--knowledge-base-id", "KB12345678"),
            *("--retrieval-query", "text=$PROMPT"),
        ],
    },
    {},
)
AWS_CLI_CALLS = (
    *names("converse", "invoke-model"),
    Call("list-foundation-models", MODEL, CONTROL),
    Call("retrieve", PASSAGE, AGENTS),
)
AWS_JS_CALLS = (*names("converse", "converseStream"), Call("listFoundationModels", MODEL, CONTROL))
AWS_JS_ALL_CALLS = (
    *names("converse", "converseStream", "invokeModel"),
    Call("listFoundationModels", MODEL, CONTROL),
    Call("invokeAgent", service=AGENTS),
    Call("retrieve", PASSAGE, AGENTS),
)

AWS_CLIENTS = (
    Client(
        *("boto3", python("boto3_variables"), BOTO3_CALLS, *BOTO3_ERRORS),
        readme="boto3, every service",
        variables={**SIGNING, **ENDPOINTS},
        operations=BOTO3_OPERATIONS,
        beyond_default="list_foundation_models",
    ),
    Client(
        *("boto3, issued pair", python("boto3_variables"), BOTO3_CALLS),
        *(("ClientError", *WRONG_SECRET), BOTO3_ERRORS[1]),
        variables={**ISSUED, **ENDPOINTS},
        operations=BOTO3_OPERATIONS,
        beyond_default="list_foundation_models",
        refusal=WRONG_SIGNATURE,
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
        operations=READING,
        beyond_default="list-foundation-models",
    ),
    Client(
        *("AWS CLI, one variable", AWS_CLI, AWS_CLI_CALLS, *AWS_ERRORS),
        variables={**SIGNING, "AWS_ENDPOINT_URL": "$URL"},
        operations=READING,
    ),
    Client(
        *("AWS CLI, issued pair", AWS_CLI, AWS_CLI_CALLS, WRONG_SECRET, AWS_ERRORS[1]),
        variables={**ISSUED, **ENDPOINTS},
        operations=READING,
        beyond_default="list-foundation-models",
        refusal=WRONG_SIGNATURE,
    ),
    Client(
        *("AWS SDK, JavaScript", node("aws_sdk")),
        (*AWS_JS_CALLS, Call("invokeAgent", service=AGENTS)),
        *AWS_ERRORS,
        readme="AWS SDK for JavaScript",
        operations=READING,
    ),
    Client(
        *("AWS SDK, JavaScript, bearer", node("aws_sdk_bearer"), AWS_JS_CALLS, *AWS_ERRORS),
        variables={"URL": "$URL", "AWS_BEARER_TOKEN_BEDROCK": "$KEY"},
        operations=READING,
    ),
    Client(
        *("AWS SDK, JavaScript, variables", node("aws_sdk_variables"), AWS_JS_ALL_CALLS, *AWS_ERRORS),
        variables={**SIGNING, **NODE_REGION, "AWS_ENDPOINT_URL": "$URL"},
        operations=READING,
        beyond_default="listFoundationModels",
    ),
    Client(
        *("AWS SDK, JavaScript, issued pair", node("aws_sdk_variables"), AWS_JS_ALL_CALLS, WRONG_SECRET, AWS_ERRORS[1]),
        variables={**ISSUED, **NODE_REGION, **ENDPOINTS},
        operations=READING,
        beyond_default="listFoundationModels",
        refusal=WRONG_SIGNATURE,
    ),
)


Attempt = tuple[int, str | None]  # the gateway's status and error
REFUSED: Attempt = (403, "RequestTimeTooSkewed")
SERVED: Attempt = (200, None)


@dataclass(frozen=True)
class LateClient:
    """A client that signs with an issued pair, its clock 10 minutes behind, and how its first two calls are answered.

    told: what it shows of a refusal.
    """

    name: str
    how: Startable
    call: Call
    variables: Mapping[str, str]
    first: tuple[Attempt, ...] = (REFUSED,)
    second: tuple[Attempt, ...] = (REFUSED,)
    told: tuple[str, ...] = ("RequestTimeTooSkewed", "they may differ by 5 minutes")


LATE_CLOCK = HERE / "programs" / "late_clock"
LATE_PYTHON = {**ISSUED, **ENDPOINTS, "PYTHONPATH": str(LATE_CLOCK)}
LATE_CLIENTS = (
    LateClient("boto3, late clock", python("boto3_variables"), Call("converse"), LATE_PYTHON),
    LateClient("AWS CLI, late clock", AWS_CLI, Call("converse"), LATE_PYTHON),
    LateClient(
        *("AWS SDK, JavaScript, late clock", node("aws_sdk_variables"), Call("converse")),
        {**ISSUED, **NODE_REGION, **ENDPOINTS, "NODE_OPTIONS": f"--import {LATE_CLOCK / 'date.mjs'}"},
        first=(REFUSED, SERVED),  # it sets its clock by the Date of a reply that says so
        second=(SERVED,),
    ),
)
