"""The gateway in this process, as an administrator and others call its admin routes."""

import json
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.settings import Settings
from tests.fakes import FakeBedrock

MASTER_KEY = "sk-test-f3b1c2a4d5e6f7a8b9c0d1e2f3a4b5c6"


class Gateway:
    """One gateway on one database, called with the master key unless another is given."""

    def __init__(self, database_url: str, root: Path, bedrock: FakeBedrock | None = None) -> None:
        environment = {"LITELLM_MASTER_KEY": MASTER_KEY, "DATABASE_URL": database_url, "AWS_REGION_NAME": "us-east-1"}
        self.bedrock = bedrock or FakeBedrock()
        self.app: Flask = create_app(Settings.from_environment(environment, root), self.bedrock)

    def get(self, path: str, key: str | None = MASTER_KEY, **query: Any) -> TestResponse:
        return self.app.test_client().get(path, headers=_headers(key), query_string=query)

    def post(self, path: str, key: str | None = MASTER_KEY, **body: Any) -> TestResponse:
        return self.send(path, json.dumps(body), key)

    def send(self, path: str, content: str | bytes, key: str | None = MASTER_KEY) -> TestResponse:
        """A POST of anything at all."""
        headers = _headers(key) | {"Content-Type": "application/json"}
        return self.app.test_client().post(path, data=content, headers=headers)

    def made(self, path: str, **body: Any) -> Any:
        """What comes of a POST that must succeed."""
        response = self.post(path, **body)
        assert response.status_code == 200, response.text
        return response.json

    def seen(self, path: str, key: str | None = MASTER_KEY, **query: Any) -> Any:
        """What a GET tells that must succeed."""
        response = self.get(path, key, **query)
        assert response.status_code == 200, response.text
        return response.json

    def key(self, **order: Any) -> str:
        """The text of a new key."""
        text: str = self.made("/key/generate", **order)["key"]
        return text


def refusal(response: TestResponse) -> tuple[int, str, str]:
    """Status, param and message of a refusal in the peer's form."""
    error = response.json["error"] if response.json else {}
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == str(response.status_code)
    return response.status_code, error["param"], error["message"]


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
