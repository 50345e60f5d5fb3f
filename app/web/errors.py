"""Errors become responses, here and nowhere else: AWS-shaped on /bedrock, LiteLLM-shaped on every other route.

AWS's SDKs raise their typed exception from the header `x-amzn-ErrorType` and its text from `message`; OpenAI's and
Anthropic's show `message` too. `x-should-retry: false` stops those that would pay for a second attempt.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from app.core.bedrock_calls import method_unknown
from app.core.errors import (
    AccessDenied,
    AlreadyThere,
    BodyTooLarge,
    BodyTooSlow,
    BudgetSpent,
    ClientLeft,
    CredentialsMissing,
    DatesMissing,
    GatewayError,
    InvalidField,
    KeyExpired,
    KeyUnknown,
    MalformedRequest,
    MethodUnknown,
    ModelsUnlisted,
    NeedsFullDuplex,
    NotFound,
    SignatureWrong,
    StoreUnavailable,
    Throttled,
    Unauthenticated,
    UpstreamBroke,
    UpstreamSilent,
    UpstreamUnreachable,
    WorkerFull,
)

_STATUSES: dict[type[GatewayError], int] = {
    GatewayError: 500,
    Unauthenticated: 401,
    SignatureWrong: 403,
    AccessDenied: 403,
    BudgetSpent: 400,
    Throttled: 429,
    InvalidField: 400,
    AlreadyThere: 409,
    NotFound: 404,
    MalformedRequest: 400,
    MethodUnknown: 405,
    BodyTooLarge: 413,
    BodyTooSlow: 408,
    NeedsFullDuplex: 501,
    CredentialsMissing: 500,
    WorkerFull: 503,
    StoreUnavailable: 503,
    ModelsUnlisted: 503,
    UpstreamUnreachable: 503,
    UpstreamSilent: 408,
    UpstreamBroke: 424,
    ClientLeft: 499,  # nginx's number: nobody reads it but the log
}
_LITELLM_TYPES: dict[type[GatewayError], str] = {
    KeyUnknown: "token_not_found_in_db",
    KeyExpired: "expired_key",
    InvalidField: "bad_request_error",
    DatesMissing: "bad_request",
    NotFound: "not_found_error",
}
_SHAPED_PATH = re.compile(r"/[^/]+(/[^/]+-\d+)?/(openai|anthropic|v1)/")
_RETRIED = (429, 503)
_log = logging.getLogger(__name__)


class UnfitRequest(Exception):
    """An admin request whose query or body does not have the form that its route takes."""

    def __init__(self, problems: Sequence[Mapping[str, Any]]) -> None:
        """`problems` as pydantic lists them: type, loc and msg each."""
        super().__init__("the request does not fit")
        self.problems = problems


def register(app: Flask, aws_prefixes: frozenset[str]) -> None:
    """Give every error of `app` its shape. `aws_prefixes`: first path segments whose callers are AWS SDKs."""

    def is_aws() -> bool:
        return request.path.split("/", 2)[1] in aws_prefixes

    @app.errorhandler(GatewayError)
    def gateway_error(error: GatewayError) -> Response:
        return aws_shaped(error, str(uuid4()), request.path) if is_aws() else litellm_shaped(error)

    @app.errorhandler(UnfitRequest)
    def unfit_request(error: UnfitRequest) -> Response:
        return Response(json.dumps({"detail": error.problems}), 422, content_type="application/json")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        if not is_aws():
            return detail_shaped(status, error.name.title(), request.path)
        told = (
            method_unknown(request.method) if status == 405 else MalformedRequest(f"{error.name}: {error.description}")
        )
        return aws_shaped(told, str(uuid4()))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        call_id = str(uuid4())
        _log.exception("unforeseen error, told to the caller as %s", call_id, exc_info=error)
        told = GatewayError(f"Something unforeseen went wrong in the gateway. Its log has more under {call_id}.")
        return aws_shaped(told, call_id) if is_aws() else litellm_shaped(told)


def status_of(error: GatewayError) -> int:
    """The HTTP status of an error: its own class's, else the nearest above it."""
    return next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)


def aws_shaped(error: GatewayError, call_id: str, path: str = "") -> Response:
    """An error as AWS's services write theirs; on OpenAI- and Anthropic-shaped paths, also as those write theirs."""
    status = status_of(error)
    body: dict[str, object] = {"message": error.message, "__type": error.code}
    if _SHAPED_PATH.match(path):
        # OpenAI's and Anthropic's JavaScript clients read `error` alone
        body |= {"type": "error", "error": {"type": error.code, "code": error.code, "message": error.message}}
    response = Response(json.dumps(body), status, content_type="application/json")
    response.headers["x-amzn-ErrorType"] = error.code
    response.headers["x-amzn-RequestId"] = call_id
    response.headers["x-litellm-call-id"] = call_id
    if status not in _RETRIED:
        response.headers["x-should-retry"] = "false"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
        response.headers["x-amz-retry-after"] = str(error.retry_after * 1000)
    return response


def litellm_shaped(error: GatewayError) -> Response:
    """An error as the peer's admin routes write theirs; its clients read `error` on some routes, `detail` on others."""
    status = status_of(error)
    kind = next((_LITELLM_TYPES[kind] for kind in type(error).__mro__ if kind in _LITELLM_TYPES), None)
    param = getattr(error, "param", "None")
    body: dict[str, object] = {
        "error": {"message": error.message, "type": kind or _litellm_type(status), "param": param, "code": str(status)}
    }
    if isinstance(error, InvalidField | NotFound):
        body["detail"] = {"error": error.message}
    response = Response(json.dumps(body), status, content_type="application/json")
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _litellm_type(status: int) -> str:
    if status in (401, 403):
        return "auth_error"
    return "invalid_request_error" if status < 500 else "internal_server_error"


def detail_shaped(status: int, detail: str, path: str) -> Response:
    """What the peer answers for a route that is not there: {"detail": "Not Found"}; and what SDKs show of it."""
    body = {"detail": detail}
    if status == 404:
        body["message"] = (
            f"Nothing is served at {path[:100]!r}: Bedrock's paths begin with /bedrock, such as "
            "/bedrock/model/<id>/converse. /docs shows the admin routes."
        )
    return Response(json.dumps(body), status, content_type="application/json")
