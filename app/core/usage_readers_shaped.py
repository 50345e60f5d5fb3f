"""OpenAI- and Anthropic-shaped operations of bedrock-runtime and bedrock-mantle, as JSON or as server-sent events."""

from app.core import usage_forms
from app.core.json_skim import Skimmed
from app.core.model_events import ModelEvents
from app.core.request_facts import tier_name
from app.core.usage_forms import Tokens, members, parsed
from app.core.usage_reader import Reader

_BLOCK = (b'"usage":{', b'"usage": {')
# Also what a request says, which its events repeat: their own word for themselves counts.
_FAILED = b'"response.failed"'


class OpenAIChat(ModelEvents):
    """Chat completions: a stream says usage if `stream_options.include_usage` asks for it."""

    wants = frozenset(("usage", "service_tier"))
    method = "openai_chat"

    def read_body(self, skimmed: Skimmed) -> None:
        self.native = usage_forms.openai(members(skimmed.values.get("usage")))
        self.tier = tier_name(skimmed.values.get("service_tier")) or self.tier

    def read_event(self, name: str, payload: bytes) -> None:
        if name == "error" or payload.startswith(b'{"error"'):
            self.failed = True
        else:
            self.read_model_event(payload)


class OpenAIResponses(Reader):
    """Responses: the last event is the whole response, its usage with it."""

    wants = frozenset(("usage", "service_tier"))
    method = "openai_responses"

    def read_body(self, skimmed: Skimmed) -> None:
        self.native = usage_forms.openai(members(skimmed.values.get("usage")))
        self.tier = tier_name(skimmed.values.get("service_tier")) or self.tier

    def read_event(self, name: str, payload: bytes) -> None:
        if b'.delta"' in payload:
            self.produced.add(payload)
        elif b'"function_call"' in payload and b'.added"' in payload:
            self.produced.tool_calls += 1
        elif name == "error" or (_FAILED in payload and parsed(payload).get("type") == "response.failed"):
            self.failed = True
        if any(sign in payload for sign in _BLOCK):
            response = members(parsed(payload).get("response"))
            found = usage_forms.openai(members(response.get("usage")))
            if found:
                self.native, self.final = found, True
                self.tier = tier_name(response.get("service_tier")) or self.tier


class OpenAIEmbeddings(OpenAIChat):
    """Embeddings: there is no output."""

    method = "openai_embeddings"

    def enough(self, tokens: Tokens, *, complete: bool) -> bool:
        return complete and tokens.input is not None


class AnthropicMessages(ModelEvents):
    """Messages of Anthropic's own API."""

    wants = frozenset(("usage",))
    method = "anthropic_messages"

    def read_body(self, skimmed: Skimmed) -> None:
        self.native = usage_forms.anthropic(members(skimmed.values.get("usage")))

    def read_event(self, name: str, payload: bytes) -> None:
        if name == "error":
            self.failed = True
        else:
            self.read_model_event(payload)
