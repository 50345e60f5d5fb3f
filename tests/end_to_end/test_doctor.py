"""`flask --app wsgi doctor` as an operator runs it: a process of its own, which says what is wrong and what to do."""

import subprocess
import sys

import pytest

from tests.gateway_process import REPOSITORY, GatewayProcess, free_port
from tests.standin_answers import ACCOUNT
from tests.standin_bedrock import SECRET_ACCESS_KEY, StandinBedrock
from tests.standin_messages import Answer, Reply, Send, aws_error, body_answer, json_answer

NO_MODELS: Reply = json_answer({"modelSummaries": []})
DATE_WITHOUT_ZONE = Answer(
    headers=[("Date", "Mon, 23 Nov 2026 01:49:27 -0000"), ("Content-Length", "2")], steps=[Send(b"{}")]
)
SKEWED = Answer(headers=[("Date", "Mon, 23 Nov 2020 01:49:27 GMT"), ("Content-Length", "2")], steps=[Send(b"{}")])


class Doctor:
    """Runs the command in the gateway's environment, altered."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def run(self, *options: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        merged = {**self._environment, **changes}
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", "doctor", *options],
            env={name: value for name, value in merged.items() if value is not None},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def doctor(gateway: GatewayProcess) -> Doctor:
    return Doctor(gateway.environment)


def _told(result: subprocess.CompletedProcess[str], subject: str) -> str:
    """The one line about a subject."""
    [line] = [line for line in result.stdout.splitlines() if line[5:].startswith(subject)]
    return line


def test_where_all_is_well_it_says_so_and_exits_0(doctor: Doctor) -> None:
    result = doctor.run()

    assert (result.returncode, result.stderr) == (0, "")
    assert [line[:4] for line in result.stdout.splitlines()] == ["ok  "] * 5
    assert f"account {ACCOUNT}" in _told(result, "credentials")


def test_one_model_can_be_asked_for(doctor: Doctor, standin: StandinBedrock) -> None:
    result = doctor.run("--model", "amazon.nova-lite-v1:0")

    assert result.returncode == 0
    assert "amazon.nova-lite-v1:0 can be used" in result.stdout
    assert "/foundation-model-availability/amazon.nova-lite-v1%3A0" in [request.path for request in standin.requests]


def test_a_model_without_access_has_its_remedy(doctor: Doctor, standin: StandinBedrock) -> None:
    standin.answer = lambda request: json_answer({"authorizationStatus": "NOT_AUTHORIZED", "modelSummaries": [{}]})
    result = doctor.run("--model", "x")

    assert result.returncode == 1
    assert "authorizationStatus NOT_AUTHORIZED" in result.stdout
    assert "Request access to it in the Bedrock console" in result.stdout


def test_a_wrong_secret_is_named_with_its_remedy(doctor: Doctor) -> None:
    result = doctor.run(AWS_SECRET_ACCESS_KEY="wrong")

    assert result.returncode == 1
    assert "AWS refuses them: the signature does not match" in _told(result, "credentials")
    assert "-> Renew them" in _told(result, "credentials")


def test_no_credentials_are_named_with_the_variables(doctor: Doctor) -> None:
    result = doctor.run(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    assert result.returncode == 1
    assert "none found -> " in _told(result, "credentials")
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in _told(result, "credentials")


@pytest.mark.parametrize("subject", ["models", "clock"])
def test_without_credentials_no_check_sends_the_operator_to_the_network(doctor: Doctor, subject: str) -> None:
    result = doctor.run(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    assert "Check the network" not in _told(result, subject)


def test_a_region_without_models_has_its_remedy(doctor: Doctor, standin: StandinBedrock) -> None:
    standin.answer = lambda request: NO_MODELS
    result = doctor.run(AWS_REGION_NAME="eu-west-3")

    assert result.returncode == 1
    assert "none are offered in eu-west-3 -> Choose another region in AWS_REGION_NAME" in _told(result, "models")


def test_an_assumed_region_has_its_remedy(doctor: Doctor) -> None:
    result = doctor.run(AWS_REGION_NAME=None)

    assert result.returncode == 0  # it is the documented default
    assert "Set AWS_REGION_NAME" in _told(result, "region")


def test_an_identity_without_rights_is_shown_the_policy(doctor: Doctor, standin: StandinBedrock) -> None:
    standin.answer = lambda request: aws_error(403, "AccessDeniedException", "User is not authorized")
    result = doctor.run()

    assert result.returncode == 1
    assert "AWS answers 403: User is not authorized -> Attach a policy" in _told(result, "models")


@pytest.mark.parametrize(("service", "subject"), [("BEDROCK", "models"), ("STS", "credentials")])
def test_a_dead_endpoint_has_its_remedy(doctor: Doctor, service: str, subject: str) -> None:
    port = free_port()
    result = doctor.run(**{f"AWS_ENDPOINT_URL_{service}": f"http://127.0.0.1:{port}"})

    assert result.returncode == 1
    assert f"The connection to 127.0.0.1:{port} could not be made" in _told(result, subject)
    assert "-> Check the network, DNS and the AWS_ENDPOINT_URL variables" in _told(result, subject)


def test_a_dead_database_has_its_remedy_and_keeps_its_password(doctor: Doctor) -> None:
    result = doctor.run(DATABASE_URL="postgres://outcrop:topsecret@127.0.0.1:1/outcrop?password=topsecret")

    assert result.returncode == 1
    assert "Connection refused) -> Check DATABASE_URL" in _told(result, "database")
    assert "topsecret" not in result.stdout + result.stderr


def test_a_clock_that_is_off_has_its_remedy(doctor: Doctor, standin: StandinBedrock) -> None:
    standin.answer = lambda request: SKEWED
    result = doctor.run()

    assert result.returncode == 1
    assert "Set it by NTP" in _told(result, "clock")


@pytest.mark.parametrize(
    "answer",
    [body_answer(b"<html>", "text/html"), json_answer([]), json_answer({"modelSummaries": None}), DATE_WITHOUT_ZONE],
    ids=["HTML", "a list", "null", "a date without a zone"],
)
def test_an_answer_of_something_else_is_no_traceback(doctor: Doctor, standin: StandinBedrock, answer: Answer) -> None:
    standin.answer = lambda request: answer
    result = doctor.run()

    assert (result.returncode, result.stderr) == (1, "")
    assert "->" in _told(result, "models")


def test_a_wrong_setting_is_one_line(doctor: Doctor) -> None:
    result = doctor.run(AWS_REGION_NAME="Virginia")

    assert result.returncode != 0
    assert len(result.stderr.splitlines()) == 1
    assert "AWS_REGION_NAME='Virginia'" in result.stderr


def test_it_never_tells_a_secret(doctor: Doctor, gateway: GatewayProcess) -> None:
    result = doctor.run()

    assert SECRET_ACCESS_KEY not in result.stdout + result.stderr
    assert gateway.environment["LITELLM_MASTER_KEY"] not in result.stdout + result.stderr
