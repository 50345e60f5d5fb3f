"""Which usage reader reads the answer of which operation. A new API shape is one entry here."""

from collections.abc import Callable

from app.core.bedrock_calls import BedrockCall
from app.core.estimates import Ratios
from app.core.model_families import family_of
from app.core.usage import RequestFacts
from app.core.usage_reader import Asked, Unreported, UsageReader
from app.core.usage_readers_agents import Agent
from app.core.usage_readers_converse import Converse, ConverseStream, HarnessStream
from app.core.usage_readers_invoke import InvokeModel, InvokeModelStream
from app.core.usage_readers_shaped import AnthropicMessages, OpenAIChat, OpenAIEmbeddings, OpenAIResponses
from app.core.usage_readers_units import ApplyGuardrail, CountTokens, InvokeGuardrailChecks, Requested

_READERS: dict[str, Callable[[Asked], UsageReader]] = {
    "Converse": Converse,
    "ConverseStream": ConverseStream,
    "InvokeModel": InvokeModel,
    "InvokeModelWithResponseStream": InvokeModelStream,
    "OpenAIChatCompletions": OpenAIChat,
    "OpenAIResponses": OpenAIResponses,
    "OpenAIEmbeddings": OpenAIEmbeddings,
    "AnthropicMessages": AnthropicMessages,
    "CountTokens": CountTokens,
    "AnthropicCountTokens": CountTokens,
    "ApplyGuardrail": ApplyGuardrail,
    "InvokeGuardrailChecks": InvokeGuardrailChecks,
    "Rerank": Requested,
    "StartAsyncInvoke": Requested,
    "InvokeAgent": Agent,
    "InvokeInlineAgent": Agent,
    "InvokeFlow": Agent,
    "InvokeHarness": HarnessStream,
}
# Free of charge, and recorded all the same
_COUNTED = ("CountTokens", "AnthropicCountTokens")


def reader_for(call: BedrockCall, facts: RequestFacts, ratios: Ratios) -> UsageReader | None:
    """The reader of one call's answer; None for an operation that AWS does not bill."""
    name = call.name or ""
    if not facts.billed and name not in _COUNTED:
        return None
    asked = Asked(name, call.streams, family_of(call.model), facts, ratios)
    if asked.family == "twelvelabs" and not facts.reports_usage:
        # its tokens are the least of what AWS bills: what nobody can know makes all of it unknown
        return Unreported(asked)
    return _READERS.get(name, Unreported)(asked)
