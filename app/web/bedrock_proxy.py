"""The Flask blueprint of /bedrock: raw request target -> ProxyRequest; reply -> response.

Everything is taken from the raw request line (gunicorn's RAW_URI): PATH_INFO is decoded, and what is decoded cannot
be forwarded faithfully.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, request

from app.core import credentials, targets
from app.core.bedrock_calls import METHODS
from app.core.call_ids import call_id
from app.core.errors import GatewayError
from app.core.messages import CallRecord, ProxyRequest
from app.gateway.metered_reply import MeteredReply, ReplyCut
from app.gateway.passage import Passage
from app.web.access import LoopbackOnly, caller_address, requires_virtual_key
from app.web.client_connection import ClientConnection
from app.web.errors import aws_shaped, status_of
from app.web.flask_app import PASSAGE
from app.web.request_body import BodyBudget, Pace, RequestBody
from app.web.request_headers import lower_case_headers

# what must not look like an end to callers who have no other sign of one than the connection's
_CUT = ("upstream_broke", "deadline", "stopped", "client_stalled")
# on routes that take no body worth waiting for
_STALL_SECONDS = 10.0
# routed to the passage all the same, so that their answer too is one that SDKs can read
_OTHER_METHODS = ("HEAD", "OPTIONS", "TRACE", "CONNECT")


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """What the blueprint knows of the settings.

    `services`: the prefixes that name a service outright; `trusted_hops`: how many proxies stand in front.
    """

    services: frozenset[str]
    max_body_bytes: int
    buffer_bytes: int
    stall_seconds: float
    body_seconds: float
    loopback_only: LoopbackOnly | None
    trusted_hops: int = 0


def create_blueprint(passage: Passage, options: ProxyOptions) -> Blueprint:
    """The routes /bedrock, /bedrock/... and /<service>/..., for every method."""
    blueprint = Blueprint(PASSAGE, __name__)
    blueprint.before_request(requires_virtual_key)
    proxy = _Proxy(passage, options)
    for prefix in sorted({"bedrock", *options.services}):
        for rule in (f"/{prefix}", f"/{prefix}/<anything:decoded>"):
            blueprint.add_url_rule(
                rule, "forward", proxy.forward, methods=(*METHODS, *_OTHER_METHODS), provide_automatic_options=False
            )
    return blueprint


class _Proxy:
    """Carries requests into the passage and replies or refusals out of it."""

    def __init__(self, passage: Passage, options: ProxyOptions) -> None:
        self._passage = passage
        self._options = options
        self._budget = BodyBudget(options.buffer_bytes)
        self._pace = Pace(whole_seconds=options.body_seconds)

    def forward(self, decoded: str = "") -> Response:
        """The one view."""
        environ = request.environ
        now = time.time()
        record = CallRecord(
            call_id(int(now * 1000), os.urandom),
            datetime.fromtimestamp(now, UTC),
            time.monotonic(),
            environ["REQUEST_METHOD"],
        )
        client = ClientConnection(environ.get("gunicorn.socket"), self._options.stall_seconds)
        settlement = self._passage.open(record, client)
        body = RequestBody(environ, self._options.max_body_bytes, self._budget, self._pace)
        finish = partial(_finish, body, client, record, environ.get("SERVER_PROTOCOL"))
        reply = None
        error = GatewayError("Something unforeseen went wrong in the gateway; its log says what.")
        try:
            if self._options.loopback_only:
                self._options.loopback_only.check(environ)
            reply = self._passage.run(_request(environ, self._options), body, settlement)
        except GatewayError as refused:
            error = _without_frames(refused)
        finally:
            if reply is None:
                record.status = status_of(error)
                settlement.refuse(error)
        return _Relayed(reply, record, finish) if reply else _refusal(error, record, finish)


def _without_frames(error: GatewayError) -> GatewayError:
    """The error without the frames it came through: they hold the call's body, and would until its answer is read."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def leave_unread_bodies(response: Response) -> Response:
    """On the routes that are not the proxy's: a body that nobody read is not gunicorn's to read to its end."""
    if request.blueprint != PASSAGE:
        environ = request.environ
        body = g.get("request_body") or RequestBody(environ, 0, BodyBudget(0))
        client = ClientConnection(environ.get("gunicorn.socket"), _STALL_SECONDS)
        response.call_on_close(partial(_finish, body, client, None, None))
    return response


def _finish(body: RequestBody, client: ClientConnection, record: CallRecord | None, protocol: str | None) -> None:
    """The server is done with the answer: leave the connection fit for the next request, or end it."""
    if protocol == "HTTP/1.0" and record and record.ended in _CUT:
        client.break_off()
    if record and record.ended in ("stopped", "client_left", "client_stalled"):
        client.release()
        raise ReplyCut("The answer was not sent to its end: nothing may follow it on this connection.")
    if body.discard():
        client.release()
        return
    client.linger()
    client.release()
    raise ReplyCut("The caller's body was not read to its end: the connection cannot be used again.")


class _Relayed(Response):
    """AWS's answer, handed to the server as it is."""

    def __init__(self, reply: MeteredReply, record: CallRecord, finish: Callable[[], None]) -> None:
        super().__init__(status=f"{reply.status} {reply.reason}")
        self._reply = reply
        self._finish = finish
        self._head = [
            *reply.headers,
            ("x-litellm-call-id", record.call_id),
            ("x-outcrop-region", record.region or ""),
            ("x-outcrop-overhead-ms", str(record.overhead_ms)),
            *_money(record),
        ]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        pieces = _Pieces(self._reply, self._finish)
        try:
            start_response(self.status, self._head)
        except BaseException:
            pieces.close()
            raise
        return pieces


def _money(record: CallRecord) -> list[tuple[str, str]]:
    """What is known before the headers leave: of answers that were read whole."""
    known = (("x-litellm-response-cost", record.cost), ("x-litellm-key-spend", record.key_spend))
    return [(name, format(amount.normalize(), "f")) for name, amount in known if amount is not None]


class _Pieces:
    """What the server iterates over and then closes."""

    def __init__(self, reply: MeteredReply, finish: Callable[[], None]) -> None:
        self._reply = reply
        self._finish = finish

    def __iter__(self) -> Iterator[bytes]:
        return self._reply

    def close(self) -> None:
        self._reply.close()
        self._finish()


def _refusal(error: GatewayError, record: CallRecord, finish: Callable[[], None]) -> Response:
    response = aws_shaped(error, record.call_id, request.path)
    response.call_on_close(finish)
    return response


def _request(environ: dict[str, Any], options: ProxyOptions) -> ProxyRequest:
    headers = lower_case_headers(environ)
    return ProxyRequest(
        method=environ["REQUEST_METHOD"],
        target=targets.parse(environ["RAW_URI"], options.services),
        headers=headers,
        scope=credentials.scope(headers),
        raw_target=environ["RAW_URI"],
        address=caller_address(environ, options.trusted_hops),
    )
