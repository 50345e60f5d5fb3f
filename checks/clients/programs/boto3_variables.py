"""boto3 with nothing but variables: a key as access key id, or an issued key pair. A call of each of the 8 services."""

import json
from typing import Any

import boto3

from checks.clients.programs.serving import MODEL, serve

AGENT_RUNTIME = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/outcrop-abc1234567"
INVOCATION = "arn:aws:bedrock:us-east-1:123456789012:data-automation-invocation/a1b2c3d4-0000-4000-8000-000000000000"
GUARDED = [{"text": {"text": "Hello"}}]


def messages(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": prompt}]}]


def converse(prompt: str) -> str:
    answer = boto3.client("bedrock-runtime").converse(modelId=MODEL, messages=messages(prompt))
    return str(answer["output"]["message"]["content"][0]["text"])


def converse_stream(prompt: str) -> str:
    answer = boto3.client("bedrock-runtime").converse_stream(modelId=MODEL, messages=messages(prompt))
    deltas = [event["contentBlockDelta"] for event in answer["stream"] if "contentBlockDelta" in event]
    return "".join(delta["delta"]["text"] for delta in deltas)


def invoke_model(prompt: str) -> str:
    answer = boto3.client("bedrock-runtime").invoke_model(modelId=MODEL, body=json.dumps({"prompt": prompt}))
    return str(json.load(answer["body"])["content"][0]["text"])


def apply_guardrail(prompt: str) -> str:
    guarded = boto3.client("bedrock-runtime").apply_guardrail(
        guardrailIdentifier="gr1234567890", guardrailVersion="DRAFT", source="INPUT", content=GUARDED
    )
    return str(guarded["action"])


def list_foundation_models(prompt: str) -> str:
    return str(boto3.client("bedrock").list_foundation_models()["modelSummaries"][0]["modelId"])


def list_agents(prompt: str) -> str:
    return status(boto3.client("bedrock-agent").list_agents())


def retrieve(prompt: str) -> str:
    found = boto3.client("bedrock-agent-runtime").retrieve(
        knowledgeBaseId="KB12345678", retrievalQuery={"text": prompt}
    )
    return str(found["retrievalResults"][0]["content"]["text"])


def invoke_agent(prompt: str) -> str:
    answer = boto3.client("bedrock-agent-runtime").invoke_agent(
        agentId="L1RT58GYRW", agentAliasId="MFPSBCXYTW", sessionId="12345", inputText=prompt
    )
    return "".join(event["chunk"]["bytes"].decode() for event in answer["completion"])


def list_data_automation_projects(prompt: str) -> str:
    return status(boto3.client("bedrock-data-automation").list_data_automation_projects())


def get_data_automation_status(prompt: str) -> str:
    client = boto3.client("bedrock-data-automation-runtime")
    return status(client.get_data_automation_status(invocationArn=INVOCATION))


def invoke_agent_runtime(prompt: str) -> str:
    answer = boto3.client("bedrock-agentcore").invoke_agent_runtime(agentRuntimeArn=AGENT_RUNTIME, payload=b"{}")
    return status(answer)


def list_agent_runtimes(prompt: str) -> str:
    return status(boto3.client("bedrock-agentcore-control").list_agent_runtimes())


def status(answer: dict[str, Any]) -> str:
    return str(answer["ResponseMetadata"]["HTTPStatusCode"])


CALLS = (
    converse,
    converse_stream,
    invoke_model,
    apply_guardrail,
    list_foundation_models,
    list_agents,
    retrieve,
    invoke_agent,
    list_data_automation_projects,
    get_data_automation_status,
    invoke_agent_runtime,
    list_agent_runtimes,
)

if __name__ == "__main__":
    serve({call.__name__: call for call in CALLS})
