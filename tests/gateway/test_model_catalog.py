"""The catalog: AWS is asked once an hour by whoever comes first, and what went wrong is said with what to do."""

import json
import threading
from typing import Any

import pytest

from app.core.errors import CredentialsMissing, GatewayError, ModelsUnlisted, UpstreamUnreachable
from app.core.messages import UpstreamRequest
from app.gateway.model_catalog import ModelCatalog
from tests.fakes import Clock, FakeBedrock, FakeReply, json_reply

MODELS = {"modelSummaries": [{"modelId": "a.b"}, {"modelId": "c.d"}]}


def profile(name: str) -> dict[str, Any]:
    return {"inferenceProfileId": name, "inferenceProfileArn": f"arn:{name}", "models": [], "type": "SYSTEM_DEFINED"}


class Aws:
    """What AWS answers, and a catalog that asks it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.bedrock = FakeBedrock()
        self.bedrock.answer = self._answer
        self.models: FakeReply | GatewayError | dict[str, Any] = MODELS
        self.profiles: dict[str | None, dict[str, Any]] = {None: {"inferenceProfileSummaries": []}}
        self.status = 200
        self.catalog = ModelCatalog(self.bedrock, "eu-west-1", self.clock)

    @property
    def asked(self) -> list[str]:
        return [request.path_and_query for request in self.bedrock.requests]

    def ids(self) -> list[str]:
        return [model.id for model in self.catalog.models()]

    def _answer(self, request: UpstreamRequest) -> FakeReply | GatewayError:
        assert (request.service, request.region, request.method) == ("bedrock", "eu-west-1", "GET")
        content: Any = self.models
        if "inference-profiles" in request.path_and_query:
            _, _, token = request.path_and_query.partition("nextToken=")
            content = self.profiles[token or None]
        if isinstance(content, FakeReply | GatewayError):
            return content
        return json_reply(json.dumps(content).encode(), self.status)


def test_foundation_models_and_both_kinds_of_profiles_are_asked_for() -> None:
    aws = Aws()

    assert aws.ids() == ["a.b", "c.d"]
    assert aws.asked == [
        "/foundation-models",
        "/inference-profiles?maxResults=1000&type=SYSTEM_DEFINED",
        "/inference-profiles?maxResults=1000&type=APPLICATION",
    ]


def test_all_pages_of_profiles_are_read() -> None:
    aws = Aws()
    aws.profiles = {
        None: {"inferenceProfileSummaries": [profile("us.one")], "nextToken": "t/2"},
        "t%2F2": {"inferenceProfileSummaries": [profile("us.two")]},
    }

    assert aws.ids() == ["a.b", "c.d", "us.one", "us.two"]


def test_pages_without_end_are_given_up() -> None:
    aws = Aws()
    endless = {"inferenceProfileSummaries": [], "nextToken": "t"}
    aws.profiles = {None: endless, "t": endless}

    aws.ids()

    assert len(aws.asked) == 1 + 2 * 50


@pytest.mark.parametrize(("passed", "times"), [(3599.9, 1), (3600.0, 2), (3600.1, 2)])
def test_an_answer_is_good_for_an_hour(passed: float, times: int) -> None:
    aws = Aws()
    aws.ids()
    aws.clock.advance(passed)
    aws.ids()

    assert aws.asked.count("/foundation-models") == times


@pytest.mark.parametrize(("passed", "times"), [(29.9, 1), (30.0, 2), (30.1, 2)])
def test_a_failure_is_good_for_half_a_minute(passed: float, times: int) -> None:
    aws = Aws()
    aws.models = CredentialsMissing("Set AWS_ACCESS_KEY_ID.")
    for wait in (0.0, passed):
        aws.clock.advance(wait)
        with pytest.raises(CredentialsMissing, match="Set AWS_ACCESS_KEY_ID"):
            aws.catalog.models()

    assert aws.asked.count("/foundation-models") == times


def test_an_older_answer_is_given_while_aws_does_not_tell_a_new_one() -> None:
    aws = Aws()
    aws.ids()
    aws.clock.advance(3600)
    aws.models = UpstreamUnreachable("AWS could not be reached.")

    assert aws.ids() == ["a.b", "c.d"]
    aws.models = {"modelSummaries": [{"modelId": "e.f"}]}
    assert aws.ids() == ["a.b", "c.d"]
    aws.clock.advance(30)
    assert aws.ids() == ["e.f"]


def test_a_refusal_of_aws_says_which_action_to_permit() -> None:
    aws = Aws()
    aws.models, aws.status = {"message": "User is not authorized"}, 403

    with pytest.raises(ModelsUnlisted, match="403 to bedrock:ListFoundationModels: User is not authorized") as caught:
        aws.catalog.models()

    assert "docs/iam/inference-only.json" in caught.value.message
    assert caught.value.retry_after == 30


@pytest.mark.parametrize(
    "answer",
    [
        json_reply(b"<html>"),
        json_reply(b"[]"),
        json_reply(b"{}"),
        json_reply(b'{"modelSummaries": [1]}'),
        json_reply(b'{"modelSummaries": null}'),
        json_reply(b"\xff"),
    ],
    ids=["html", "a list", "nothing", "a number", "null", "no text"],
)
def test_an_answer_that_is_not_awss_says_where_to_look(answer: FakeReply) -> None:
    aws = Aws()
    aws.models = answer

    with pytest.raises(ModelsUnlisted, match="the answer is not AWS's"):
        aws.catalog.models()

    assert answer.closed == 1


def test_a_network_that_fails_says_where_to_look() -> None:
    aws = Aws()
    aws.models = UpstreamUnreachable("The connection was refused.")

    with pytest.raises(ModelsUnlisted, match=r"The connection was refused\. Check the network"):
        aws.catalog.models()


def test_whoever_asks_meanwhile_waits_for_the_one_answer() -> None:
    aws = Aws()
    arrived, release = threading.Barrier(5), threading.Event()
    answer = aws.bedrock.answer

    def slowly(request: UpstreamRequest) -> FakeReply | GatewayError:
        assert release.wait(10)
        return answer(request)

    aws.bedrock.answer = slowly
    found: list[list[str]] = []

    def ask() -> None:
        arrived.wait(10)
        found.append(aws.ids())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    arrived.wait(10)
    release.set()
    for thread in threads:
        thread.join(10)

    assert found == [["a.b", "c.d"]] * 4
    assert aws.asked.count("/foundation-models") == 1
