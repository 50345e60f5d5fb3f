"""The administrator of the gateway that is checked: gives each client a key, and says what the gateway has."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from typing import Any

import requests

from checks.clients.children import Given
from tests.gateway_process import MASTER_KEY

SECONDS = 30


class Administrator:
    """Asks a gateway's admin routes with the master key. What is refused raises requests.HTTPError."""

    def __init__(self, url: str) -> None:
        self.url = url

    def issue(self, alias: str, operations: Sequence[str] = ()) -> Given:
        """Give out a key; without operations it has a key's default rights."""
        made = self.post("/key/generate", {"key_alias": alias, "operations": list(operations)})
        url = self.url + "/bedrock"
        return Given(made["key"], url, made["aws_access_key_id"], made["aws_secret_access_key"])

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._asked("POST", path, json=body)

    def get(self, path: str, **query: Any) -> Any:
        return self._asked("GET", path, params=query)

    def key(self, key: str) -> dict[str, Any]:
        """What /key/info says of a key; nothing once it is deleted."""
        answer = self._answer("GET", "/key/info", params={"key": key})
        if answer.status_code == 404:
            return {}
        answer.raise_for_status()
        info: dict[str, Any] = answer.json()["info"]
        return info

    def all_keys(self) -> list[dict[str, Any]]:
        """All keys, whole, page by page."""
        found: list[dict[str, Any]] = []
        for page in count(1):
            answer = self.get("/key/list", page=page, size=100, return_full_object="true")
            found += answer["keys"]
            if page >= answer["total_pages"]:
                break
        return found

    def key_hash(self, key: str) -> str:
        """What the gateway knows a key by."""
        return sha256(key.encode()).hexdigest()

    def converse(self, key: str, model: str) -> int:
        """The status that a call with this key is answered."""
        body = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
        path = f"/bedrock/model/{model}/converse"
        return self._answer("POST", path, key, json=body).status_code

    def _asked(self, method: str, path: str, **options: Any) -> Any:
        answer = self._answer(method, path, **options)
        answer.raise_for_status()
        return answer.json()

    def _answer(self, method: str, path: str, key: str = MASTER_KEY, **options: Any) -> requests.Response:
        authorization = {"Authorization": f"Bearer {key}"}
        return requests.request(method, self.url + path, headers=authorization, timeout=SECONDS, **options)
