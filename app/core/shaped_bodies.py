"""What OpenAI- and Anthropic-shaped bodies ask for beyond an answer: work in the background, what is stored at AWS,
tools that AWS runs. None of it is bound by lists of models or resources, so only `all` grants it.

Names are compared without regard to case: what passes for another spelling is counted as a hit.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.core.operations import Operation

_MODEL = "body.model"
# Members that ask for more by being there. `prompt` (of OpenAI's responses) is a template stored at AWS.
_OPENAI = frozenset(("background", "previous_response_id", "conversation", "prompt", "web_search_options"))
_ANTHROPIC = frozenset(("mcp_servers", "container"))
# Tools that the caller itself runs; every other kind is AWS's
_OPENAI_TOOLS = ("function", "custom")
_ANTHROPIC_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
_LINKS = frozenset(("url", "uri", "image_url", "file_url"))


def is_shaped(operation: Operation | None) -> bool:
    """Whether the model is in the body, and whether the answer is a stream."""
    return operation is not None and _MODEL in operation.models


def asks_beyond(operation: Operation, content: Mapping[str, Any]) -> str | None:
    """What a body asks for that only `all` grants, in words; None if nothing."""
    openai = operation.operation.startswith("OpenAI")
    for name, value in content.items():
        low = name.lower()
        if value is None or value is False or value == []:
            continue
        if low in (_OPENAI if openai else _ANTHROPIC):
            return f"`{name}`"
        if low == "tools" and not _all_run_by_caller(value, openai=openai):
            return "a tool that AWS runs"
        if low == "input" and _refers(value):
            return "a reference to a stored item in `input`"
    return next(_stored(content), None)


def _all_run_by_caller(tools: object, *, openai: bool) -> bool:
    return isinstance(tools, list) and all(_run_by_caller(tool, openai=openai) for tool in tools)


def _run_by_caller(tool: object, *, openai: bool) -> bool:
    if not isinstance(tool, dict):
        return False
    kinds = [value for name, value in tool.items() if name.lower() == "type"] or [None]
    if openai:
        return all(kind in _OPENAI_TOOLS for kind in kinds)
    return all(
        kind is None or kind == "custom" or (isinstance(kind, str) and kind.startswith(_ANTHROPIC_TOOLS))
        for kind in kinds
    )


def _refers(items: object) -> bool:
    items = [items] if isinstance(items, dict) else items
    return isinstance(items, list) and any(isinstance(item, dict) and _is_reference(item) for item in items)


def _is_reference(item: Mapping[str, Any]) -> bool:
    """A reference may leave out its type; whatever else does has a role."""
    kinds = [value for name, value in item.items() if name.lower() == "type" and value is not None]
    return "item_reference" in kinds or (not kinds and item.get("role") is None)


def _stored(content: Mapping[str, Any]) -> Iterator[str]:
    """Files that were uploaded before, and S3 locations, however deep."""
    waiting: list[Any] = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(item for item in value if isinstance(item, list | dict))
        elif isinstance(value, dict):
            for name, inner in value.items():
                low = name.lower()
                if low == "file_id" and isinstance(inner, str):
                    yield f"`{name}`, a file stored at AWS"
                elif low in _LINKS and isinstance(inner, str) and inner[:5].lower() == "s3://":
                    yield f"an s3:// location in `{name}`"
                elif isinstance(inner, list | dict):
                    waiting.append(inner)
