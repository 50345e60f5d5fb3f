"""The examples of the documentation page that this gateway makes true, as they stand there but for host and key."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.gateway_process import GatewayProcess
from tests.raw_client import RawReply, exchange, raw_request
from tests.standin_answers import TEXT
from tests.standin_bedrock import StandinBedrock

# The page's quick start has no key at all and its virtual keys begin with the master key sk-1234: both are served,
# from this machine only.
KEYS = [None, "sk-1234", "sk-0f1e2d3c4b5a69788796a5b4c3d2e1f0"]

AGENTS_SCRIPT = """
import os
import boto3
from botocore.config import Config

# # Define your proxy endpoint
proxy_endpoint = "{url}/bedrock" # your proxy base url

# # Create a Config object with the proxy
# Custom headers
custom_headers = {{
    'litellm_user_api_key': 'Bearer {key}', # your proxy api key
}}


os.environ["AWS_ACCESS_KEY_ID"] = "my-fake-key-id"
os.environ["AWS_SECRET_ACCESS_KEY"] = "my-fake-access-key"


# Create the client
runtime_client = boto3.client(
    service_name="bedrock-agent-runtime",
    region_name="us-west-2",
    endpoint_url=proxy_endpoint
)

# Custom header injection
def inject_custom_headers(request, **kwargs):
    request.headers.update(custom_headers)

# Attach the event to inject custom headers before the request is sent
runtime_client.meta.events.register('before-send.*.*', inject_custom_headers)


response = runtime_client.invoke_agent(
            agentId="L1RT58GYRW",
            agentAliasId="MFPSBCXYTW",
            sessionId="12345",
            inputText="Who do you know?"
        )

completion = ""

for event in response.get("completion"):
    chunk = event["chunk"]
    completion += chunk["bytes"].decode()

print(completion)
"""


@pytest.fixture(scope="module", params=KEYS, ids=lambda key: f"master key {key}")
def page(request: pytest.FixtureRequest, standin_for_all: StandinBedrock) -> Iterator[tuple[GatewayProcess, str]]:
    """A gateway with the master key of the page's chapter, and the key that its callers send."""
    with GatewayProcess({"LITELLM_MASTER_KEY": request.param}, standin_for_all) as running:
        yield running, request.param or "anything"


Page = tuple[GatewayProcess, str]


def _curl(page: Page, target: str, body: str) -> RawReply:
    """What `curl -X POST -H 'Authorization: Bearer ...' -H 'Content-Type: application/json' -d ...` sends."""
    gateway, key = page
    headers = [
        ("User-Agent", "curl/8.5.0"),
        ("Accept", "*/*"),
        ("Authorization", f"Bearer {key}"),
        ("Content-Type", "application/json"),
    ]
    return exchange(gateway.port, raw_request("POST", target, headers, body.encode(), host=f"0.0.0.0:{gateway.port}"))


def test_the_converse_example(page: Page, standin: StandinBedrock) -> None:
    body = """{
    "messages": [
         {"role": "user",
        "content": [{"text": "Hello"}]
    }
    ]
}"""

    reply = _curl(page, "/bedrock/model/cohere.command-r-v1:0/converse", body)

    assert (reply.status, "".join(TEXT).encode() in reply.body) == (200, True)
    assert standin.requests[0].target == "/model/cohere.command-r-v1%3A0/converse"


def test_the_guardrail_example(page: Page, standin: StandinBedrock) -> None:
    body = """{
      "contents": [{"text": {"text": "Hello world"}}],
      "source": "INPUT"
       }"""

    reply = _curl(page, "/bedrock/guardrail/guardrailIdentifier/version/guardrailVersion/apply", body)

    assert (reply.status, b"usage" in reply.body) == (200, True)
    assert standin.requests[0].service == "bedrock-runtime"


def test_the_knowledge_base_example(page: Page, standin: StandinBedrock) -> None:
    """The page's braces and ellipses stand for values: the gateway must not mind what is between them."""
    body = """{
    "nextToken": "string",
    "retrievalConfiguration": {
        "vectorSearchConfiguration": {
          "filter": { ... },
          "numberOfResults": number,
          "overrideSearchType": "string"
        }
    },
    "retrievalQuery": {
        "text": "string"
    }
}"""

    reply = _curl(page, "/bedrock/knowledgebases/{knowledgeBaseId}/retrieve", body)

    assert reply.status == 200
    assert (standin.requests[0].service, standin.requests[0].body) == ("bedrock-agent-runtime", body.encode())


def test_the_agents_script(page: Page, standin: StandinBedrock) -> None:
    gateway, key = page
    script = AGENTS_SCRIPT.format(url=gateway.url, key=key)

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip() == "".join(TEXT)
    assert standin.requests[0].service == "bedrock-agent-runtime"
    assert standin.requests[0].verdict is not None
    assert standin.requests[0].verdict.region == "us-east-1"


def test_the_virtual_key_example(page: Page, standin: StandinBedrock) -> None:
    """Generate one with the master key, then call with it; without a master key the answer says what to set."""
    gateway, key = page

    made = _curl(page, "/key/generate", "{}")
    if key == "anything":
        assert (made.status, b"LITELLM_MASTER_KEY" in made.body) == (401, True)
        return
    key = json.loads(made.body)["key"]
    reply = _curl((gateway, key), "/bedrock/model/cohere.command-r-v1:0/converse", "{}")

    assert (made.status, reply.status) == (200, 200)
    assert standin.requests[0].target == "/model/cohere.command-r-v1%3A0/converse"
