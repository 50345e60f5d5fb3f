"""Each check says what it found, and what to do where that is not well. None of them raises."""

import json
from datetime import UTC, datetime

import pytest

from app.core.errors import CredentialsMissing, GatewayError, UpstreamBroke, UpstreamSilent, UpstreamUnreachable
from app.core.messages import UpstreamRequest
from app.gateway.diagnosis import Diagnosis, Finding
from tests.fakes import FakeBedrock, FakeReply, json_reply
from tests.standin_answers import ACCOUNT

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
IDENTITY = (
    f"<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/outcrop</Arn><Account>{ACCOUNT}</Account>".encode()
)
AVAILABLE = {
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}
FAULTS = [UpstreamUnreachable("no route"), UpstreamSilent("silent."), UpstreamBroke("It broke.")]


def diagnosis(bedrock: FakeBedrock, *, region_is_assumed: bool = False) -> Diagnosis:
    """One that believes it is noon."""
    return Diagnosis(bedrock, "eu-west-1", region_is_assumed=region_is_assumed, now=lambda: NOW)


def answering(*answers: FakeReply | GatewayError) -> Diagnosis:
    """One whose AWS answers so."""
    return diagnosis(FakeBedrock(*answers))


def dated(date: str) -> FakeReply:
    """An answer with that Date."""
    return json_reply(b"{}", headers=(("Date", date),))


def models(content: object, model: str | None = None, status: int = 200) -> Finding:
    """What the check of models makes of that answer."""
    return answering(json_reply(json.dumps(content).encode(), status)).models(model)


def test_credentials_are_named_by_account_and_identity() -> None:
    """Whose bill it will be."""
    found = answering(json_reply(IDENTITY)).credentials()

    assert found == Finding("credentials", f"account {ACCOUNT} as arn:aws:iam::{ACCOUNT}:user/outcrop")


def test_credentials_are_asked_of_sts_in_the_default_region() -> None:
    """GetCallerIdentity, which every identity may call."""
    bedrock = FakeBedrock(json_reply(IDENTITY))
    diagnosis(bedrock).credentials()
    (asked,) = bedrock.requests

    assert (asked.service, asked.region, asked.method, asked.path_and_query) == ("sts", "eu-west-1", "POST", "/")
    assert asked.body == b"Action=GetCallerIdentity&Version=2011-06-15"
    assert dict(asked.headers)["Content-Type"].startswith("application/x-www-form-urlencoded")


def test_missing_credentials_come_with_what_to_set() -> None:
    """In the words of a remedy, and without sending the reader back to the doctor."""
    found = answering(CredentialsMissing("ask the doctor")).credentials()

    assert (found.subject, found.text, found.fails) == ("credentials", "none found", True)
    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in (found.remedy or "")


@pytest.mark.parametrize("fault", FAULTS)
def test_an_sts_out_of_reach_is_told_as_such(fault: GatewayError) -> None:
    """There are credentials; whether AWS takes them is not known."""
    found = answering(fault).credentials()

    assert found.text.endswith(f": {fault.message.rstrip('.')}"), "whoever shows it says what follows"
    assert found.remedy is not None
    assert "AWS_ENDPOINT_URL" in found.remedy


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>", "The token has expired"),
        (b"<Error><Code>InvalidClientTokenId</Code></Error>", "InvalidClientTokenId"),
        (b"\xff\xfe no XML at all", "status 403"),
    ],
)
def test_refused_credentials_come_with_aws_own_words(body: bytes, problem: str) -> None:
    """As far as there are any."""
    found = answering(json_reply(body, status=403)).credentials()

    assert found.text == f"AWS refuses them: {problem}"
    assert found.remedy


def test_an_sts_that_answers_something_else_is_not_well() -> None:
    """A proxy's 200 is not an identity."""
    assert answering(json_reply(b"<html>log in</html>")).credentials().remedy


def test_the_region_is_named() -> None:
    """Where calls go that name none."""
    assert answering().region() == Finding("region", "eu-west-1")


def test_an_assumed_region_comes_with_what_to_set() -> None:
    """A default that nobody chose is seldom where the models are."""
    found = diagnosis(FakeBedrock(), region_is_assumed=True).region()

    assert found.text == "eu-west-1, assumed"
    assert "AWS_REGION_NAME" in (found.remedy or "")


def test_models_are_counted() -> None:
    """As many as the region offers."""
    assert models({"modelSummaries": [{}, {}]}) == Finding(
        "models", "2 offered in eu-west-1; ask for one with --model ID"
    )


def test_a_region_without_models_is_not_well() -> None:
    """Another region may have them."""
    assert "AWS_REGION_NAME" in (models({"modelSummaries": []}).remedy or "")


def test_a_refused_list_of_models_is_told_in_aws_words() -> None:
    """Most often a policy is missing."""
    found = models({"message": "not authorized to perform bedrock:ListFoundationModels"}, status=403)

    assert found.text == "AWS answers 403: not authorized to perform bedrock:ListFoundationModels"
    assert "policy" in (found.remedy or "")


def test_one_model_is_asked_for_by_its_encoded_id() -> None:
    """A colon in a path is not a colon on AWS's wire."""
    bedrock = FakeBedrock(json_reply(json.dumps(AVAILABLE).encode()))
    found = diagnosis(bedrock).models("amazon.nova-lite-v1:0")

    assert bedrock.requests[0].path_and_query == "/foundation-model-availability/amazon.nova-lite-v1%3A0"
    assert found == Finding("model", "amazon.nova-lite-v1:0 can be used")


@pytest.mark.parametrize("missing", AVAILABLE)
def test_a_model_that_lacks_one_state_is_not_well(missing: str) -> None:
    """Authorisation, entitlement and region: all three are needed."""
    found = models({**AVAILABLE, missing: "NOT_AVAILABLE"}, "m")

    assert f"{missing} NOT_AVAILABLE" in found.text
    assert "console" in (found.remedy or "")


@pytest.mark.parametrize("fault", FAULTS)
def test_models_out_of_reach_are_told_as_such(fault: GatewayError) -> None:
    """In the error's own words."""
    found = answering(fault).models()

    assert found.text == fault.message.rstrip(".")
    assert found.remedy


def test_without_credentials_the_rest_is_not_asked() -> None:
    """It is no matter of the network: their remedy comes first."""
    missing = CredentialsMissing("none")

    assert "credentials" in (answering(missing).models().remedy or "")
    assert "credentials" in (answering(missing).clock().remedy or "")


def test_a_bedrock_api_key_alone_is_well() -> None:
    """STS cannot be asked without keys, and models need none."""
    bedrock = FakeBedrock(CredentialsMissing("none"))
    found = Diagnosis(bedrock, "eu-west-1", region_is_assumed=False, has_bearer_token=True).credentials()

    assert "AWS_BEARER_TOKEN_BEDROCK" in found.text
    assert found.remedy is None


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[]", b'"text"', b"null", b'{"modelSummaries": null}'])
def test_an_answer_that_is_not_aws_does_not_raise(body: bytes) -> None:
    """Behind a captive proxy anything may answer."""
    assert answering(json_reply(body)).models().remedy


@pytest.mark.parametrize(
    ("date", "seconds", "well"),
    [
        ("Sun, 22 Nov 2026 12:00:00 GMT", 0, True),
        ("Sun, 22 Nov 2026 12:00:59 GMT", 59, True),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60, True),
        ("Sun, 22 Nov 2026 12:01:01 GMT", 61, False),
        ("Sun, 22 Nov 2026 11:54:59 GMT", 301, False),
    ],
)
def test_the_clock_may_be_a_minute_off(date: str, seconds: int, well: bool) -> None:
    """AWS allows five, and clocks drift."""
    found = answering(dated(date)).clock()

    assert found.text == f"{seconds} s from AWS's"
    assert (found.remedy is None) == well


@pytest.mark.parametrize(
    "answer", [json_reply(b"{}"), dated("yesterday"), dated("Sun, 22 Nov 2026 12:00:00 -0000"), *FAULTS]
)
def test_a_clock_that_cannot_be_compared_does_not_raise(answer: FakeReply | GatewayError) -> None:
    """No Date, an unreadable one, one without a zone, or no answer."""
    found = answering(answer).clock()

    assert found.subject == "clock"


def test_an_answer_that_breaks_in_its_body_is_told_and_closed() -> None:
    """Each check gives AWS's connection back."""
    reply = FakeReply([b"{", UpstreamBroke("broke")])

    assert answering(reply).models().text == "broke"
    assert reply.closed == 1


def test_every_check_asks_as_the_gateway_does() -> None:
    """No header but its own: nothing of a caller's can be in it."""
    asked: list[UpstreamRequest] = []

    def answer(request: UpstreamRequest) -> FakeReply:
        asked.append(request)
        return json_reply(b"{}")

    bedrock = FakeBedrock()
    bedrock.answer = answer
    made = diagnosis(bedrock)
    made.models()
    made.clock()

    assert [request.headers for request in asked] == [(), ()]
