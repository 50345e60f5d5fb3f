"""The caller who meets the fault, with boto3: what it raises, by name, and by whose name the ledger knows the call."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from botocore.eventstream import ParserError
from botocore.exceptions import ClientError, EventStreamError, HTTPClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from tests.conftest import boto3_client
from tests.end_to_end.key_ring import Issued
from tests.faults.ward import VICTIM, Ward, someone

MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]


@dataclass(frozen=True)
class Met:
    """How a call ended for its caller: the exception's name, or of AWS's errors their code; "" where it was whole."""

    raised: str
    end_user: str


class Victim:
    """Calls by the name of botocore's method; a context manager."""

    def __init__(self, ward: Ward) -> None:
        self._end_user = ""
        self._clients: list[Any] = []
        self._runtime = self._client(ward, "bedrock-runtime", ward.key)
        self._agents = self._client(ward, "bedrock-agent", ward.unbudgeted)
        self._agent_runtime = self._client(ward, "bedrock-agent-runtime", ward.unbudgeted)
        self._calls: dict[str, Callable[[], object]] = {
            "converse": lambda: self._runtime.converse(modelId=VICTIM, messages=MESSAGES),
            "converse_stream": self._stream,
            "list_agents": self._agents.list_agents,
            "retrieve": lambda: self._agent_runtime.retrieve(
                knowledgeBaseId="KB12345678", retrievalQuery={"text": "?"}
            ),
        }

    def __enter__(self) -> "Victim":
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    def call(self, method: str) -> Met:
        self._end_user = someone()
        try:
            self._calls[method]()
        except (EventStreamError, ClientError) as error:
            return Met(error.response["Error"]["Code"], self._end_user)
        except (HTTPClientError, HTTPError, ParserError, ResponseParserError) as error:
            return Met(type(error).__name__, self._end_user)
        return Met("", self._end_user)

    def _client(self, ward: Ward, service: str, key: Issued) -> Any:
        client = boto3_client(service, ward.gateway.url + "/bedrock", key.text, read_timeout=30)
        client.meta.events.register("before-send", self._add_end_user)
        self._clients.append(client)
        return client

    def _stream(self) -> None:
        with closing(self._runtime.converse_stream(modelId=VICTIM, messages=MESSAGES)["stream"]) as events:
            for _ in events:
                pass

    def _add_end_user(self, request: Any, **_: Any) -> None:
        request.headers["x-litellm-end-user-id"] = self._end_user
