"""The resolver: AWS is asked once about each application profile, by whoever comes first, and nobody waits for long."""

import json
import threading

import pytest

from app.core.errors import GatewayError, UpstreamUnreachable
from app.core.messages import Cancellation, UpstreamRequest
from app.gateway import model_resolver
from app.gateway.model_resolver import ModelResolver
from tests.fakes import Clock, FakeBedrock, FakeReply, json_reply
from tests.gateway.logged_lines import log  # noqa: F401  # a fixture

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr"
NOVA = "amazon.nova-pro-v1:0"
UNREACHABLE = UpstreamUnreachable("no route to AWS")


def profile(*regions: str) -> FakeReply:
    models = [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{NOVA}"} for region in regions]
    return json_reply(json.dumps({"models": models, "type": "APPLICATION"}).encode())


class Desk:
    """A resolver with its fakes at hand."""

    def __init__(self, *answers: FakeReply | GatewayError, known: tuple[str, ...] = ()) -> None:
        self.bedrock = FakeBedrock(*answers)
        self.clock = Clock()
        self.resolver = ModelResolver(self.bedrock, known.__contains__, self.clock)

    def resolve(self, model: str | None = ARN, region: str = "us-east-1") -> str | None:
        return self.resolver.resolve(model, region)


def test_a_profile_is_priced_as_the_model_that_it_runs() -> None:
    desk = Desk(profile("", "us-east-1"))

    assert desk.resolve() == f"global.{NOVA}"
    [request] = desk.bedrock.requests
    assert (request.service, request.region, request.method, request.body) == ("bedrock", "us-east-1", "GET", b"")
    assert request.path_and_query == (
        "/inference-profiles/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2F"
        "1arbu5hu2sjr"
    )
    assert desk.bedrock.replies[0].closed == 1


def test_aws_is_asked_once_for_each_profile_and_region() -> None:
    desk = Desk(profile("us-east-1"), profile("us-east-1", "us-west-2"))

    assert [desk.resolve(), desk.resolve(), desk.resolve(region="us-west-2"), desk.resolve()] == [
        *(NOVA, NOVA),
        *(f"us.{NOVA}", NOVA),
    ]
    assert len(desk.bedrock.requests) == 2


@pytest.mark.parametrize(
    "model",
    [
        None,
        "",
        NOVA,
        f"us.{NOVA}",
        "1arbu5hu2sjr",
        f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{NOVA}",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc",
        ARN + "/../x",
        ARN.replace("123456789012", "nobody"),
    ],
)
def test_aws_is_asked_about_nothing_else(model: str | None) -> None:
    desk = Desk()

    assert desk.resolve(model) == model
    assert desk.bedrock.requests == []


def test_what_the_operator_prices_is_not_asked_about() -> None:
    desk = Desk(known=(ARN,))

    assert desk.resolve() == ARN
    assert desk.bedrock.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        UNREACHABLE,
        json_reply(b'{"message": "not authorized"}', status=403),
        json_reply(b"<html>"),
        json_reply(b"[]"),
        json_reply(b"{}"),
        json_reply(b'{"models": [5]}'),
        json_reply(b"[" * 100_000),
        FakeReply([b" " * 100_000] * 4),
        FakeReply([b"{", UNREACHABLE]),
    ],
    ids=["unreachable", "refused", "html", "list", "empty", "numbers", "deep", "long", "broken"],
)
def test_a_failure_is_remembered_for_five_minutes(answer: FakeReply | GatewayError) -> None:
    desk = Desk(answer, profile("us-east-1"))
    assert desk.resolve() == ARN
    desk.clock.advance(299.9)
    assert desk.resolve() == ARN
    assert len(desk.bedrock.requests) == 1
    desk.clock.advance(0.1)

    assert desk.resolve() == NOVA
    assert all(reply.closed == 1 for reply in desk.bedrock.replies)


def test_a_failure_is_told_with_what_aws_said(log: list[str]) -> None:  # noqa: F811  # the fixture
    desk = Desk(json_reply(b'{"message": "User is not authorized."}', status=403))
    desk.resolve()

    assert log == [
        f"calls of {ARN} have no price for 300 s: AWS answers 403 to bedrock:GetInferenceProfile: User is not "
        "authorized. See docs/prices.md for other ways to price them."
    ]


def test_profiles_and_failures_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_resolver, "_REMEMBERED", 8)
    desk = Desk()
    desk.bedrock.answer = lambda request: profile("us-east-1") if "good" in request.path_and_query else UNREACHABLE
    for number in range(20):
        desk.resolve(f"{ARN}{'good' if number == 0 else number}")

    assert desk.resolve(f"{ARN}good") == NOVA
    assert len(desk.bedrock.requests) == 20
    assert len(desk.resolver._failures) == 8


class SlowBedrock(FakeBedrock):
    """Answers once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Semaphore(0)
        self.go_on = threading.Event()

    def send(self, request: UpstreamRequest, cancellation: Cancellation) -> FakeReply:
        self.asked.release()
        assert self.go_on.wait(10)
        return super().send(request, cancellation)


@pytest.fixture
def slow() -> SlowBedrock:
    bedrock = SlowBedrock()
    bedrock.answer = lambda request: profile("us-east-1")
    return bedrock


def test_calls_at_once_wait_for_one_answer(slow: SlowBedrock) -> None:
    resolver = ModelResolver(slow, lambda model: False, Clock())
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(resolver.resolve(ARN, "us-east-1"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert slow.asked.acquire(timeout=5)
    slow.go_on.set()
    for thread in threads:
        thread.join(5)

    assert found == [NOVA] * 10
    assert len(slow.requests) == 1


def test_nobody_waits_for_long_and_a_late_answer_is_there_for_the_next(
    slow: SlowBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_resolver, "_PATIENCE_SECONDS", 0.01)
    resolver = ModelResolver(slow, lambda model: False, Clock())
    assert resolver.resolve(ARN, "us-east-1") == ARN
    [answered] = resolver._pending.values()
    slow.go_on.set()
    assert answered.wait(5)

    assert resolver.resolve(ARN, "us-east-1") == NOVA


def test_made_up_profiles_take_no_more_than_a_few_look_ups_at_once(
    slow: SlowBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_resolver, "_PATIENCE_SECONDS", 0.01)
    resolver = ModelResolver(slow, lambda model: False, Clock())
    for number in range(20):
        assert resolver.resolve(f"{ARN}{number}", "us-east-1") == f"{ARN}{number}"

    assert len(resolver._pending) == 8
    slow.go_on.set()
