"""For whom a call is, by what its caller claims in headers and body. Nothing here is proven, and nothing is logged.

An end user is the first that is named of:

    x-litellm-customer-id, x-litellm-end-user-id        the gateway's own headers
    X-Amzn-Bedrock-AgentCore-Runtime-User-Id            AgentCore's
    requestMetadata                                     Converse: of its pairs `end_user`, else `user`, `user_id`,
                                                        `customer_id`
    X-Amzn-Bedrock-Request-Metadata                     InvokeModel: the same pairs
    user, metadata.user_id, safety_identifier           in the bodies whose shape has them

The gateway's own headers never reach AWS: one that cannot be taken as it stands is refused, as nobody else would say
so. What AWS reads is for AWS to judge: where it cannot be counted under (longer than 256 characters, or not printable,
or no text), it passes and names nobody.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.core.bedrock_calls import BedrockCall
from app.core.errors import MalformedRequest
from app.core.json_bodies import strict_json
from app.core.json_skim import Skimmed
from app.core.usage import NOBODY, Attribution

# For as long as ids and tags are names, people can read them in a table, and an index of any database takes them.
LONGEST_ID = 256
MOST_TAGS = 10
MOST_METADATA_BYTES = 4096
# What is written down is read again by parsers that recurse.
_DEEPEST_METADATA = 32
END_USER_HEADERS = ("x-litellm-customer-id", "x-litellm-end-user-id")
REQUEST_METADATA_HEADER = "x-amzn-bedrock-request-metadata"
_AGENTCORE_USER = "x-amzn-bedrock-agentcore-runtime-user-id"
_TAGS = "x-litellm-tags"
_SPEND_METADATA = "x-litellm-spend-logs-metadata"
_CALL_ID = "x-litellm-call-id"
# The peer takes both as one: what a call is a part of.
_CALLERS_SESSIONS = ("x-litellm-session-id", "x-litellm-trace-id")
_AGENTCORE_SESSIONS = (
    "x-amzn-bedrock-agentcore-runtime-session-id",
    "x-amzn-code-interpreter-session-id",
    "x-amzn-browser-session-id",
)
_HEADERS = frozenset(
    (
        *END_USER_HEADERS,
        REQUEST_METADATA_HEADER,
        _AGENTCORE_USER,
        _TAGS,
        _SPEND_METADATA,
        _CALL_ID,
        *_CALLERS_SESSIONS,
        *_AGENTCORE_SESSIONS,
    )
)
_METADATA_KEYS = ("end_user", "user", "user_id", "customer_id")
_CONVERSE = frozenset(("Converse", "ConverseStream"))
# InvokeModel's bodies are the models' own, and an ARN does not tell of which model: they are read for all shapes.
_ANTHROPIC = frozenset(("AnthropicMessages", "AnthropicCountTokens", "InvokeModel", "InvokeModelWithResponseStream"))
_OPENAI = frozenset(
    (
        "OpenAIChatCompletions",
        "OpenAIResponses",
        "OpenAIEmbeddings",
        "InvokeModel",
        "InvokeModelWithResponseStream",
    )
)
_BODY_SESSIONS = {
    "RetrieveAndGenerate": "sessionId",
    "RetrieveAndGenerateStream": "sessionId",
    "InvokeFlow": "executionId",
}
# The members of a body that `attribution_of` reads.
ATTRIBUTION_MEMBERS = frozenset(("requestMetadata", "user", "metadata", "safety_identifier", *_BODY_SESSIONS.values()))


def attribution_of(call: BedrockCall, skimmed: Skimmed, headers: Mapping[str, str]) -> Attribution:
    """`skimmed`: of ATTRIBUTION_MEMBERS; `headers`: the call's, with lower-case names, as WSGI has them (Latin-1).

    Raises MalformedRequest, which names the header but not what it says.
    """
    says_nothing = _HEADERS.isdisjoint(headers) and ATTRIBUTION_MEMBERS.isdisjoint(skimmed.values)
    if says_nothing and "sessionId" not in call.labels:
        return NOBODY
    end_user, source = next(_end_users(call, skimmed.values, headers), (None, None))
    return Attribution(
        end_user=end_user,
        source=source,
        session_id=_session_id(call, skimmed.values, headers),
        tags=_tags(headers),
        metadata=_spend_metadata(headers),
        call_id=_own(headers, _CALL_ID),
    )


def _end_users(call: BedrockCall, values: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Who is named, and by what, first what counts first."""
    for name in END_USER_HEADERS:
        if own := _own(headers, name):
            yield own, name
    for value, source in _claims(call, values, headers):
        if counted := _counted(value):
            yield counted, source


def _claims(call: BedrockCall, values: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[tuple[object, str]]:
    """The same of what AWS reads too, as it was sent."""
    yield _text(headers, _AGENTCORE_USER), _AGENTCORE_USER
    if call.name in _CONVERSE:
        yield from _within(values.get("requestMetadata"), _METADATA_KEYS, "requestMetadata")
    yield from _within(_request_metadata(headers), _METADATA_KEYS, REQUEST_METADATA_HEADER)
    if call.name in _OPENAI:
        yield values.get("user"), "user"
    if call.name in _OPENAI | _ANTHROPIC:
        yield from _within(values.get("metadata"), ("user_id",), "metadata")
    if call.name in _OPENAI:
        yield values.get("safety_identifier"), "safety_identifier"


def _within(found: object, names: tuple[str, ...], source: str) -> Iterator[tuple[object, str]]:
    if isinstance(found, dict):
        for name in names:
            yield found.get(name), f"{source}.{name}"


def _request_metadata(headers: Mapping[str, str]) -> object:
    """AWS refuses what is no JSON."""
    try:
        return json.loads(said) if (said := _text(headers, REQUEST_METADATA_HEADER)) else None
    except (ValueError, RecursionError):
        return None


def _session_id(call: BedrockCall, values: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    """An agent's, else the caller's own."""
    claimed: list[object] = [call.labels.get("sessionId")]
    claimed += [values.get(_BODY_SESSIONS.get(call.name or "", ""))]
    claimed += [_text(headers, name) for name in _AGENTCORE_SESSIONS]
    found = next((counted for one in claimed if (counted := _counted(one))), None)
    own = [_own(headers, name) for name in _CALLERS_SESSIONS]
    return found or own[0] or own[1]


def _tags(headers: Mapping[str, str]) -> tuple[str, ...]:
    """In the order given, none twice."""
    listed = (_text(headers, _TAGS) or "").split(",")
    tags = tuple(dict.fromkeys(tag for one in listed if (tag := one.strip())))
    if len(tags) > MOST_TAGS:
        raise MalformedRequest(f"{_TAGS} names {len(tags)} tags: {MOST_TAGS} at most are counted, so name those.")
    for tag in tags:
        _check(tag, "a tag in " + _TAGS)
    return tags


def _spend_metadata(headers: Mapping[str, str]) -> dict[str, object]:
    said = headers.get(_SPEND_METADATA, "")
    if not said:
        return {}
    if len(said) > MOST_METADATA_BYTES:
        raise MalformedRequest(f"{_SPEND_METADATA} must be at most {MOST_METADATA_BYTES} bytes of JSON.")
    try:
        found = strict_json(_text(headers, _SPEND_METADATA) or "{}")
        json.dumps(found, ensure_ascii=False).encode()  # half a character cannot be answered
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or _is_deep(found):
        raise MalformedRequest(f'{_SPEND_METADATA} must be a JSON object, such as {{"job": "nightly"}}.')
    return found


def _is_deep(found: dict[str, object]) -> bool:
    level: list[object] = [found]
    for _ in range(_DEEPEST_METADATA):
        level = [inner for one in level for inner in _parts(one)]
        if not level:
            return False
    return True


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _own(headers: Mapping[str, str], name: str) -> str | None:
    """What a header of the gateway's own says, None if nothing. Raises MalformedRequest."""
    said = _text(headers, name)
    return _check(said, name) if said else None


def _check(said: str, what: str) -> str:
    if not is_name(said):
        raise MalformedRequest(f"{what} must be at most {LONGEST_ID} printable characters.")
    return said


def _counted(value: object) -> str | None:
    """What it can be counted under."""
    return value if isinstance(value, str) and value and is_name(value) else None


def is_name(said: str) -> bool:
    """Whether an end user or a tag can be called so."""
    return len(said) <= LONGEST_ID and said.isprintable()


def _text(headers: Mapping[str, str], name: str) -> str | None:
    """WSGI reads headers as Latin-1, and most clients write UTF-8: what is no UTF-8 stays as it was read."""
    said = headers.get(name, "").strip(" \t")
    if not said or said.isascii():
        return said or None
    try:
        return said.encode("latin-1").decode()
    except UnicodeError:
        return said
