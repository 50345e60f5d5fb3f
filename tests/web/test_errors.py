"""Errors as callers see them: the status and the code of each, and the headers that SDKs act on."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from app.core import errors
from app.core.errors import GatewayError
from app.web.errors import aws_shaped, litellm_shaped, register, status_of

STATUSES = {
    errors.Unauthenticated: (401, "UnrecognizedClientException"),
    errors.KeyUnknown: (401, "UnrecognizedClientException"),
    errors.KeyExpired: (401, "UnrecognizedClientException"),
    errors.KeyBlocked: (401, "UnrecognizedClientException"),
    errors.NotAdministrator: (401, "UnrecognizedClientException"),
    errors.SignatureWrong: (403, "InvalidSignatureException"),
    errors.ClockOff: (403, "RequestTimeTooSkewed"),
    errors.AccessDenied: (403, "AccessDeniedException"),
    errors.MalformedRequest: (400, "ValidationException"),
    errors.MethodUnknown: (405, "ValidationException"),
    errors.BodyTooLarge: (413, "ValidationException"),
    errors.NeedsFullDuplex: (501, "ValidationException"),
    errors.InvalidField: (400, "ValidationException"),
    errors.DatesMissing: (400, "ValidationException"),
    errors.AlreadyThere: (409, "ValidationException"),
    errors.NotFound: (404, "ResourceNotFoundException"),
    errors.BudgetSpent: (400, "ServiceQuotaExceededException"),
    errors.Throttled: (429, "ThrottlingException"),
    errors.StoreUnavailable: (503, "ServiceUnavailableException"),
    errors.ModelsUnlisted: (503, "ServiceUnavailableException"),
    errors.CredentialsMissing: (500, "InternalServerException"),
    errors.WorkerFull: (503, "ServiceUnavailableException"),
    errors.UpstreamUnreachable: (503, "ServiceUnavailableException"),
    errors.BodyTooSlow: (408, "RequestTimeoutException"),
    errors.UpstreamSilent: (408, "ModelTimeoutException"),
    errors.UpstreamBroke: (424, "ModelErrorException"),
    errors.GatewayError: (500, "InternalServerException"),
}
EVERY_ERROR = sorted(STATUSES, key=lambda kind: kind.__name__)


def _raise(error: Exception) -> Callable[[], NoReturn]:
    def view() -> NoReturn:
        raise error

    return view


def client_of(error: Exception) -> FlaskClient:
    """An application whose routes /bedrock/x and /key/x raise that error, and whose /bedrock/y aborts."""
    app = Flask(__name__)
    register(app, frozenset({"bedrock", "bedrock-agent"}))
    for path in ("/bedrock/x", "/bedrock-agent/x", "/key/x"):
        app.add_url_rule(path, path, _raise(error))
    app.add_url_rule("/bedrock/y", "y", lambda: abort(413))
    return app.test_client()


def test_the_table_has_every_error() -> None:
    """A new one must be given its status here and in web/errors.py."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)}

    nobody_is_told = {errors.ClientLeft, errors.ClientLeftEarly}
    assert kinds - set(STATUSES) == {errors.CallerError, errors.GatewayFault} | nobody_is_told


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_each_error_has_its_status_and_code(kind: type[GatewayError]) -> None:
    """As the design's table says."""
    response = aws_shaped(kind("what happened"), "call-1")

    assert (response.status_code, response.headers["x-amzn-ErrorType"]) == STATUSES[kind]
    assert json.loads(response.data) == {"message": "what happened", "__type": STATUSES[kind][1]}
    assert response.content_type == "application/json"


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_sdks_are_told_not_to_retry_except_where_it_is_safe(kind: type[GatewayError]) -> None:
    """A second attempt may be a second bill."""
    response = aws_shaped(kind("no"), "call-1")
    safe = STATUSES[kind][0] in (429, 503)

    assert response.headers.get("x-should-retry") == (None if safe else "false")


def test_every_error_carries_its_call_id() -> None:
    """Under AWS's name for it, which SDKs print, and under the peer's."""
    response = aws_shaped(GatewayError("no"), "call-1")

    assert response.headers["x-amzn-RequestId"] == "call-1"
    assert response.headers["x-litellm-call-id"] == "call-1"


def test_retry_after_is_told_in_seconds_and_in_milliseconds() -> None:
    """RFC 9110's header, and the one that AWS's SDKs read."""
    response = aws_shaped(errors.WorkerFull("full", retry_after=2), "call-1")

    assert (response.headers["Retry-After"], response.headers["x-amz-retry-after"]) == ("2", "2000")


def test_without_a_wait_no_retry_after_is_told() -> None:
    """Nobody should come back for what will not change."""
    assert "Retry-After" not in aws_shaped(errors.AccessDenied("no"), "call-1").headers


def test_an_error_without_an_own_status_has_its_nearest_ancestors() -> None:
    """A subclass that was forgotten in the table is at least of its kind."""
    kind = type("Odd", (errors.AccessDenied,), {})

    assert status_of(kind("no")) == 403


def test_a_message_with_quotes_and_controls_stays_json() -> None:
    """Messages quote what callers sent."""
    response = aws_shaped(errors.MalformedRequest('a "b"\r\n\x00é'), "call-1")

    assert json.loads(response.data)["message"] == 'a "b"\r\n\x00é'


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        (errors.Unauthenticated, "auth_error"),
        (errors.AccessDenied, "auth_error"),
        (errors.MalformedRequest, "invalid_request_error"),
        (errors.CredentialsMissing, "internal_server_error"),
    ],
)
def test_admin_errors_have_the_peers_shape(kind: type[GatewayError], type_: str) -> None:
    """Its clients read error.message, type, param and code."""
    response = litellm_shaped(kind("no"))
    told = {"message": "no", "type": type_, "param": "None", "code": str(STATUSES[kind][0])}

    assert response.status_code == STATUSES[kind][0]
    assert json.loads(response.data) == {"error": told}


@pytest.mark.parametrize("path", ["/bedrock/x", "/bedrock-agent/x"])
def test_an_error_under_an_aws_prefix_is_aws_shaped(path: str) -> None:
    """Its callers are AWS's SDKs."""
    answer = client_of(errors.AccessDenied("no")).get(path)

    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")


def test_an_error_elsewhere_is_litellm_shaped() -> None:
    """Its callers are the peer's."""
    answer = client_of(errors.AccessDenied("no")).get("/key/x")

    assert answer.get_json()["error"]["message"] == "no"
    assert "x-amzn-ErrorType" not in answer.headers


def test_an_unknown_admin_route_answers_as_the_peer_does() -> None:
    """FastAPI's words, which its clients test for."""
    answer = client_of(GatewayError("no")).get("/no/such/route")

    assert (answer.status_code, answer.get_json()["detail"]) == (404, "Not Found")
    assert "Bedrock's paths begin with /bedrock" in answer.get_json()["message"]


def test_an_unknown_method_under_an_aws_prefix_is_405() -> None:
    """In AWS's shape."""
    answer = client_of(GatewayError("no")).delete("/bedrock/x")

    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (405, "ValidationException")


@pytest.mark.parametrize("path", ["/bedrock/y", "/bedrock/none"])
def test_flasks_other_errors_under_an_aws_prefix_are_400(path: str) -> None:
    """No HTML ever reaches an SDK."""
    answer = client_of(GatewayError("no")).get(path)

    assert (answer.status_code, answer.content_type) == (400, "application/json")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the gateway says, also once an application has taken its log for itself."""
    logger = logging.getLogger("app")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.mark.parametrize("path", ["/bedrock/x", "/key/x"])
def test_an_unforeseen_error_is_told_by_number_and_logged_whole(path: str, log: pytest.LogCaptureFixture) -> None:
    """The caller reads nothing of the inside; the log says what it was."""
    answer = client_of(RuntimeError("the inside")).get(path)
    logged = log.records[0]

    assert answer.status_code == 500
    assert "the inside" not in answer.text
    assert logged.args is not None
    assert str(logged.args[0]) in answer.text  # type: ignore[index]  # args is a tuple here
    assert "the inside" in log.text


def test_an_unforeseen_errors_number_is_its_call_id() -> None:
    """Under /bedrock it is in the headers as well."""
    answer = client_of(RuntimeError("the inside")).get("/bedrock/x")

    assert answer.headers["x-amzn-RequestId"] in answer.get_json()["message"]


@pytest.mark.parametrize(
    "path",
    ["/bedrock/openai/v1/chat/completions", "/bedrock/eu-west-1/anthropic/v1/messages", "/bedrock-mantle/v1/responses"],
)
def test_a_shaped_path_is_answered_in_its_own_shape_too(path: str) -> None:
    """OpenAI's and Anthropic's JavaScript clients read `error` alone."""
    body = json.loads(aws_shaped(errors.Unauthenticated("no such key"), "call-1", path).data)

    assert (body["message"], body["__type"]) == ("no such key", "UnrecognizedClientException")
    assert (body["type"], body["error"]["message"]) == ("error", "no such key")


@pytest.mark.parametrize("path", ["/bedrock/model/openai/converse", "/bedrock/v1x/y", "/bedrock"])
def test_other_paths_are_answered_as_aws_does_alone(path: str) -> None:
    """boto3 reads `message`."""
    assert set(json.loads(aws_shaped(errors.Unauthenticated("no"), "call-1", path).data)) == {"message", "__type"}
