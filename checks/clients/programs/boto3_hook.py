"""boto3 with any AWS credentials, and the key in a header that a hook adds: README.md's script."""

import os
from typing import Any

import boto3

from checks.clients.programs.serving import KEY, URL, serve

proxy_endpoint = URL
custom_headers = {"litellm_user_api_key": f"Bearer {KEY}"}

os.environ["AWS_ACCESS_KEY_ID"] = "my-fake-key-id"
os.environ["AWS_SECRET_ACCESS_KEY"] = "my-fake-access-key"

runtime_client = boto3.client(
    service_name="bedrock-agent-runtime",
    region_name="us-west-2",
    endpoint_url=proxy_endpoint,
)


def inject_custom_headers(request: Any, **kwargs: Any) -> None:
    request.headers.update(custom_headers)


runtime_client.meta.events.register("before-send.*.*", inject_custom_headers)


def invoke_agent(prompt: str) -> str:
    response = runtime_client.invoke_agent(
        agentId="L1RT58GYRW",
        agentAliasId="MFPSBCXYTW",
        sessionId="12345",
        inputText=prompt,
    )
    completion = ""
    for event in response.get("completion"):
        completion += event["chunk"]["bytes"].decode()
    return completion


def retrieve(prompt: str) -> str:
    found = runtime_client.retrieve(knowledgeBaseId="KB12345678", retrievalQuery={"text": prompt})
    return str(found["retrievalResults"][0]["content"]["text"])


if __name__ == "__main__":
    serve({"retrieve": retrieve, "invoke_agent": invoke_agent})
