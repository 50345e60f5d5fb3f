"""What the stand-in Bedrock answers when a test scripts nothing: the common operations in AWS's shapes, else `{}`.

The usage is the same everywhere (INPUT_TOKENS, OUTPUT_TOKENS), so that a test can say what a call must cost.
"""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from tests.event_frames import event_frame
from tests.standin_messages import Answer, Recorded, aws_error, body_answer, event_stream, json_answer

INPUT_TOKENS = 12
OUTPUT_TOKENS = 34
TEXT = ("Hello", " from", " the", " outcrop", ".")
ACCOUNT = "123456789012"
# what AssumeRole hands out; the stand-in knows the pair and insists on the token
ASSUMED_ACCESS_KEY_ID = "ASIAOUTCROPSTANDIN00"
ASSUMED_SECRET = "assumed/secret+access/key/for/outcrop000"
ASSUMED_TOKEN = "assumed-session-token//for+outcrop=="
PADDING = "abcdefghijklmnop"  # AWS pads its frames so, against guessing the text by the frames' sizes
STREAMED_TYPE = [("X-Amzn-Bedrock-Content-Type", "application/json")]
STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def default_answer(request: Recorded) -> Answer:
    """Answer as the operation that the method and the path name."""
    for method, pattern, answer in OPERATIONS:
        if request.method == method and pattern.fullmatch(request.path):
            return answer(request)
    return json_answer({})


def converse(request: Recorded) -> Answer:
    return json_answer(
        {
            "metrics": {"latencyMs": 551},
            "output": {"message": {"content": [{"text": "".join(TEXT)}], "role": "assistant"}},
            "stopReason": "end_turn",
            "usage": usage(),
        }
    )


def converse_frames() -> list[bytes]:
    """Return the frames of a ConverseStream, metadata with the usage last."""
    deltas = [{"contentBlockIndex": 0, "delta": {"text": text}, "p": PADDING} for text in TEXT]
    return [
        event_frame("messageStart", {"p": PADDING, "role": "assistant"}),
        *(event_frame("contentBlockDelta", delta) for delta in deltas),
        event_frame("contentBlockStop", {"contentBlockIndex": 0, "p": PADDING}),
        event_frame("messageStop", {"p": PADDING, "stopReason": "end_turn"}),
        event_frame("metadata", {"metrics": {"latencyMs": 551}, "p": PADDING, "usage": usage()}),
    ]


def usage() -> dict[str, int]:
    return {
        "inputTokens": INPUT_TOKENS,
        "outputTokens": OUTPUT_TOKENS,
        "totalTokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }


def invoke_model(request: Recorded) -> Answer:
    headers = [
        ("X-Amzn-Bedrock-Invocation-Latency", "551"),
        ("X-Amzn-Bedrock-Input-Token-Count", str(INPUT_TOKENS)),
        ("X-Amzn-Bedrock-Output-Token-Count", str(OUTPUT_TOKENS)),
    ]
    return json_answer(
        {
            "id": "msg_bdrk_01",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "".join(TEXT)}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
        },
        headers=headers,
    )


def invoke_frames() -> list[bytes]:
    """Return the frames of an Anthropic model's InvokeModelWithResponseStream, AWS's metrics in the last."""
    start = {"role": "assistant", "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1}}
    metrics = {
        "inputTokenCount": INPUT_TOKENS,
        "outputTokenCount": OUTPUT_TOKENS,
        "invocationLatency": 551,
        "firstByteLatency": 120,
    }
    texts = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in TEXT
    ]
    events = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *texts,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics},
    ]
    return [chunk_frame(json.dumps(event).encode()) for event in events]


def chunk_frame(content: bytes) -> bytes:
    """Return a `chunk` event, which carries its bytes in base64."""
    return event_frame("chunk", {"bytes": base64.b64encode(content).decode(), "p": PADDING})


def apply_guardrail(request: Recorded) -> Answer:
    units = {
        "topicPolicyUnits": 1,
        "contentPolicyUnits": 1,
        "wordPolicyUnits": 1,
        "sensitiveInformationPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 1,
        "contextualGroundingPolicyUnits": 0,
    }
    return json_answer({"action": "NONE", "assessments": [], "outputs": [], "usage": units})


def retrieve(request: Recorded) -> Answer:
    location = {"s3Location": {"uri": "s3://outcrop-documents/geology.txt"}, "type": "S3"}
    result = {
        "content": {"text": "An outcrop is visible bedrock.", "type": "TEXT"},
        "location": location,
        "score": 0.71,
    }
    return json_answer({"guardrailAction": None, "retrievalResults": [result]})


def invoke_agent(request: Recorded) -> Answer:
    session = request.path.split("/")[-2]
    headers = [
        ("x-amzn-bedrock-agent-content-type", "application/json"),
        ("x-amz-bedrock-agent-session-id", session),
    ]
    return event_stream([chunk_frame(text.encode()) for text in TEXT], headers=headers)


def list_foundation_models(request: Recorded) -> Answer:
    summary = {
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "inputModalities": ["TEXT", "IMAGE"],
        "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
        "modelId": "anthropic.claude-3-haiku-20240307-v1:0",
        "modelLifecycle": {"status": "ACTIVE"},
        "modelName": "Claude 3 Haiku",
        "outputModalities": ["TEXT"],
        "providerName": "Anthropic",
        "responseStreamingSupported": True,
    }
    return json_answer({"modelSummaries": [summary]})


def list_inference_profiles(request: Recorded) -> Answer:
    """One of AWS's own, and none of the account's."""
    profile_id = "us.anthropic.claude-3-haiku-20240307-v1:0"
    model = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
    profile = {
        "createdAt": "2024-08-26T00:00:00Z",
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{profile_id}",
        "inferenceProfileId": profile_id,
        "inferenceProfileName": "US Anthropic Claude 3 Haiku",
        "models": [{"modelArn": model}],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }
    return json_answer({"inferenceProfileSummaries": [] if "type=APPLICATION" in request.target else [profile]})


def foundation_model_availability(request: Recorded) -> Answer:
    return json_answer(
        {
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "modelId": request.path.rpartition("/")[2].replace("%3A", ":"),
            "regionAvailability": "AVAILABLE",
        }
    )


def sts_answer(request: Recorded) -> Answer:
    """Answer GetCallerIdentity or AssumeRole, both of which are XML."""
    action = parse_qs(request.body.decode()).get("Action", ["GetCallerIdentity"])[0]
    if action == "AssumeRole":
        result = (
            f"<Credentials><AccessKeyId>{ASSUMED_ACCESS_KEY_ID}</AccessKeyId>"
            f"<SecretAccessKey>{ASSUMED_SECRET}</SecretAccessKey><SessionToken>{ASSUMED_TOKEN}</SessionToken>"
            "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        )
    else:
        result = (
            f"<Arn>arn:aws:iam::{ACCOUNT}:user/outcrop</Arn><UserId>AIDAOUTCROP</UserId><Account>{ACCOUNT}</Account>"
        )
    body = (
        f'<{action}Response xmlns="{STS_NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{request.request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
    return body_answer(body.encode(), "text/xml")


def refusal(request: Recorded, reason: str) -> Answer:
    """Refuse a signature; STS says it in XML."""
    code = "InvalidSignatureException"
    if request.service != "sts":
        return aws_error(403, code, reason)
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(reason)}</Message></Error>"
    body = f'<ErrorResponse xmlns="{STS_NAMESPACE}">{error}<RequestId>{request.request_id}</RequestId></ErrorResponse>'
    return body_answer(body.encode(), "text/xml", 403)


OPERATIONS: list[tuple[str, re.Pattern[str], Callable[[Recorded], Answer]]] = [
    (method, re.compile(path.replace("{}", "[^/]+")), answer)
    for method, path, answer in (
        ("POST", "/model/{}/converse", converse),
        ("POST", "/model/{}/converse-stream", lambda request: event_stream(converse_frames())),
        ("POST", "/model/{}/count-tokens", lambda request: json_answer({"inputTokens": INPUT_TOKENS})),
        ("POST", "/model/{}/invoke", invoke_model),
        (
            "POST",
            "/model/{}/invoke-with-response-stream",
            lambda request: event_stream(invoke_frames(), headers=STREAMED_TYPE),
        ),
        ("POST", "/guardrail/{}/version/{}/apply", apply_guardrail),
        ("POST", "/knowledgebases/{}/retrieve", retrieve),
        ("POST", "/agents/{}/agentAliases/{}/sessions/{}/text", invoke_agent),
        ("GET", "/foundation-models", list_foundation_models),
        ("GET", "/inference-profiles", list_inference_profiles),
        ("GET", "/foundation-model-availability/{}", foundation_model_availability),
    )
]
