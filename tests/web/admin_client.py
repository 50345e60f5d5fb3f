"""The whole application in this process, on a database of the test's own, and whoever calls its admin routes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from app import create_app
from app.settings import Settings
from tests.fakes import FakeBedrock, json_reply

MASTER_KEY = "sk-the-administrator-0123456789"
SECRET_KEY = "0123456789abcdef0123456789abcdef"
# what AWS answers to both questions about its models
MODELS = b"""{
    "modelSummaries": [{
        "modelId": "amazon.nova-lite-v1:0", "modelName": "Nova Lite", "providerName": "Amazon",
        "inputModalities": ["TEXT"], "outputModalities": ["TEXT"], "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"}, "responseStreamingSupported": true
    }],
    "inferenceProfileSummaries": []
}"""


@dataclass(frozen=True)
class Answer:
    """What came back; `json` is None where it is none."""

    status_code: int
    json: Any
    text: str
    headers: dict[str, str]


@dataclass
class AdminClient:
    """Calls the routes by a key: the master key, unless told otherwise."""

    app: Flask

    @classmethod
    def on(cls, database_url: str, folder: Path, bedrock: FakeBedrock | None = None, **variables: str) -> "AdminClient":
        """`variables`: further ones of the environment."""
        environment = {"LITELLM_MASTER_KEY": MASTER_KEY, "DATABASE_URL": database_url, **variables}
        if bedrock is None:
            bedrock = FakeBedrock()
            bedrock.answer = lambda request: json_reply(MODELS)
        return cls(create_app(Settings.from_environment(environment, folder), bedrock))

    def get(self, path: str, /, by: str | None = MASTER_KEY, **query: Any) -> Answer:
        return self._send("GET", path, by, query_string=query)

    def post(self, path: str, /, by: str | None = MASTER_KEY, **body: Any) -> Answer:
        return self._send("POST", path, by, json=body)

    def send(self, path: str, content: bytes, by: str | None = MASTER_KEY) -> Answer:
        """POST these bytes."""
        return self._send("POST", path, by, data=content)

    def made(self, path: str, /, **body: Any) -> Any:
        """What the administrator is answered for what must succeed."""
        answer = self.post(path, **body)
        assert answer.status_code == 200, answer.text
        return answer.json

    def seen(self, path: str, /, by: str | None = MASTER_KEY, **query: Any) -> Any:
        """What is told when it must be."""
        answer = self.get(path, by, **query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def new_key(self, **fields: Any) -> str:
        """The text of a new key."""
        text: str = self.made("/key/generate", **fields)["key"]
        return text

    def close(self) -> None:
        """Close the database's connections."""
        database: SQLAlchemy = self.app.extensions["sqlalchemy"]
        with self.app.app_context():
            database.engine.dispose()

    def _send(self, method: str, path: str, by: str | None, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {by}"} if by else {}
        sent = self.app.test_client().open(path, method=method, headers=headers, buffered=True, **options)
        text = sent.get_data().decode(errors="replace")
        return Answer(sent.status_code, sent.get_json(silent=True), text, dict(sent.headers))


def refusal(answer: Answer) -> tuple[int, str, str]:
    """Status, param and message of a refusal in the peer's form."""
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == str(answer.status_code)
    return answer.status_code, error["param"], error["message"]
