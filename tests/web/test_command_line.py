"""The doctor: a line for each check, its remedy beside it, and an exit status that scripts can use."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from app.core.errors import CredentialsMissing, GatewayError, UpstreamUnreachable
from app.core.messages import UpstreamRequest
from app.gateway.diagnosis import Diagnosis, Finding
from app.web.command_line import doctor_command
from tests.fakes import FakeBedrock, FakeReply, json_reply

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
IDENTITY = b"<Arn>arn:aws:iam::123456789012:user/outcrop</Arn><Account>123456789012</Account>"
AVAILABLE = {
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}
DATABASE = "sqlite:///instance/outcrop.db"
MODEL = "amazon.nova-lite-v1:0"


@dataclass
class Patient:
    """A gateway to be examined, in good health until a field says otherwise."""

    sts: GatewayError | bytes = IDENTITY
    models: GatewayError | bytes = b'{"modelSummaries": [{}]}'
    model: bytes = json.dumps(AVAILABLE).encode()
    date: str = "Sun, 22 Nov 2026 12:00:01 GMT"
    database: bool = True
    region_is_assumed: bool = False

    def examined(self, *arguments: str) -> tuple[int, str]:
        """The exit status and what was printed."""
        bedrock = FakeBedrock()
        bedrock.answer = self._answer
        diagnosis = Diagnosis(bedrock, "eu-west-1", region_is_assumed=self.region_is_assumed, now=lambda: NOW)
        database = Finding("database", DATABASE, None if self.database else "Check DATABASE_URL.")
        command = doctor_command(diagnosis, lambda: database)
        result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
        return result.exit_code, result.output

    def _answer(self, request: UpstreamRequest) -> FakeReply | GatewayError:
        availability = request.path_and_query.startswith("/foundation-model-availability/")
        answer = self.sts if request.service == "sts" else self.model if availability else self.models
        if isinstance(answer, GatewayError):
            return answer
        return json_reply(answer, headers=(("Date", self.date),))


def failures(output: str) -> list[str]:
    """The subjects of the lines that are not well."""
    return [line.split()[1] for line in output.splitlines() if line.startswith("FAIL")]


def test_all_is_well() -> None:
    """Five lines, no remedy, status 0."""
    status, output = Patient().examined()

    assert status == 0
    assert failures(output) == []
    assert [line.split()[1] for line in output.splitlines()] == ["credentials", "region", "models", "database", "clock"]
    assert "->" not in output


def test_a_model_is_checked_when_it_is_named() -> None:
    """A line of its own, after the list."""
    status, output = Patient().examined("--model", MODEL)

    assert status == 0
    assert f"{MODEL} can be used" in output
    assert len(output.splitlines()) == 6


def test_an_assumed_region_is_a_warning() -> None:
    """It is the documented default: said, and no failure."""
    status, output = Patient(region_is_assumed=True).examined()

    assert (status, failures(output)) == (0, [])
    assert "warn region" in output
    assert "Set AWS_REGION_NAME" in output


@pytest.mark.parametrize(
    ("patient", "subjects", "remedy"),
    [
        (Patient(sts=CredentialsMissing("none")), ["credentials"], "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (Patient(sts=b"<Code>ExpiredToken</Code>"), ["credentials"], "Renew them"),
        (Patient(sts=UpstreamUnreachable("no route")), ["credentials"], "AWS_ENDPOINT_URL"),
        (Patient(models=b'{"modelSummaries": []}'), ["models"], "AWS_REGION_NAME"),
        (Patient(models=b"<html>"), ["models"], "AWS_ENDPOINT_URL_BEDROCK"),
        (Patient(models=UpstreamUnreachable("no route")), ["models", "clock"], "DNS"),
        (Patient(database=False), ["database"], "DATABASE_URL"),
        (Patient(date="Sun, 22 Nov 2026 11:50:00 GMT"), ["clock"], "NTP"),
    ],
)
def test_what_is_not_well_fails_with_its_remedy(patient: Patient, subjects: list[str], remedy: str) -> None:
    """Status 1, and the others are still checked."""
    status, output = patient.examined()

    assert status == 1
    assert failures(output) == subjects
    assert remedy in output
    assert len(output.splitlines()) == 5


def test_a_model_that_may_not_be_used_fails() -> None:
    """Where it can be asked for is said."""
    refused = json.dumps({**AVAILABLE, "authorizationStatus": "NOT_AUTHORIZED"}).encode()
    status, output = Patient(model=refused).examined("--model", MODEL)

    assert status == 1
    assert f"{MODEL}: authorizationStatus NOT_AUTHORIZED -> Request access" in output


def test_the_database_is_named() -> None:
    """So that nobody looks at another one."""
    assert DATABASE in Patient().examined()[1]
