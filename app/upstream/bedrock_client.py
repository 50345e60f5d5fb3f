"""The seam to AWS: send(UpstreamRequest) -> reply. Outside errors become ours here and nowhere else."""

from time import monotonic
from typing import Any

from gevent import get_hub
from requests import PreparedRequest
from requests.exceptions import ReadTimeout, RequestException

from app.core.errors import (
    ClientLeft,
    ClientLeftEarly,
    GatewayError,
    UpstreamBroke,
    UpstreamSilent,
    UpstreamUnreachable,
)
from app.core.messages import Cancellation, UpstreamRequest
from app.upstream.adapter import Adapter, StaleConnection
from app.upstream.answer import Answer
from app.upstream.answer_head import MalformedAnswer
from app.upstream.connections import Line, Timeouts
from app.upstream.endpoints import Endpoint, Endpoints
from app.upstream.signing import Signer

_RETRY_AFTER_SECONDS = 1
_CAUSES = {"gaierror": "host name not found", "ConnectionRefusedError": "connection refused", "timeout": "timed out"}


class _Watch:
    """One timer a call, which ends it where its headers are late, where AWS falls silent, and where its time is over.

    It looks when the first of these could be, and then when the next could: reads tell it nothing but when they began,
    as a timer for each would cost more than the read does.
    """

    __slots__ = ("_cancellation", "_ends_at", "_headers_at", "_line", "_looks_at", "_silence", "_timer", "silent")

    def __init__(self, line: Line, cancellation: Cancellation, timeouts: Timeouts, now: float) -> None:
        """Times are of the monotonic clock, in seconds."""
        self.silent = False
        self._line = line
        self._cancellation = cancellation
        self._ends_at = now + timeouts.total
        self._headers_at = min(now + timeouts.first_byte, self._ends_at)
        self._silence = timeouts.silence
        self._timer: Any = None
        self._look_at(self._headers_at, now)

    def headers_came(self, now: float) -> None:
        """From here on for silence."""
        self._headers_at = 0.0
        due = min(now + self._silence, self._ends_at)
        if due < self._looks_at:
            self._look_at(due, now)

    def stop(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _look_at(self, due: float, now: float) -> None:
        self.stop()
        self._looks_at = due
        self._timer = get_hub().loop.timer(max(0.0, due - now))
        self._timer.start(self._look)

    def _look(self) -> None:
        now = monotonic()
        since = self._line.waiting_since
        silent_at = (now if since is None else since) + self._silence
        due = self._headers_at or min(silent_at, self._ends_at)
        if now < due:
            self._look_at(due, now)
        elif self._headers_at or due == self._ends_at:
            self._cancellation.cancel("deadline")
        else:
            self.silent = True
            self._line.hang_up()


class Reply:
    """AWS's answer, its body still on the wire."""

    def __init__(self, answer: Answer, cancellation: Cancellation, watch: _Watch, waited_ms: float) -> None:
        self._answer = answer
        self._cancellation = cancellation
        self._watch = watch
        self.waited_ms = waited_ms
        self.status = answer.status
        self.reason = answer.reason
        self.headers = answer.headers

    def read_chunk(self) -> bytes:
        """All that has come, or what comes first; b"" at the end."""
        try:
            piece = self._answer.read()
        except (MalformedAnswer, OSError) as error:
            raise self._why_ended(error) from error
        if not piece and (self._cancellation.reason or self._watch.silent):
            # without chunks and length, having been hung up on looks like the end
            raise self._why_ended(None)
        return piece

    def _why_ended(self, error: Exception | None) -> GatewayError:
        if self._cancellation.reason == "client_left":
            return ClientLeft("The caller closed its connection.")
        if self._cancellation.reason == "deadline":
            return UpstreamSilent("The call took longer than OUTCROP_TOTAL_TIMEOUT.")
        if self._watch.silent or isinstance(error, TimeoutError):
            return UpstreamSilent("AWS sent nothing more for OUTCROP_READ_TIMEOUT.")
        return UpstreamBroke("The connection to AWS broke before the end of its answer.")

    def close(self) -> None:
        """A connection whose answer was read whole went back to its pool by itself."""
        self._watch.stop()
        self._answer.close()


class BedrockClient:
    """Sends calls to AWS over kept-alive connections."""

    def __init__(self, endpoints: Endpoints, signer: Signer, adapter: Adapter, timeouts: Timeouts) -> None:
        self._endpoints = endpoints
        self._signer = signer
        self._adapter = adapter
        self._timeouts = timeouts

    def send(self, request: UpstreamRequest, cancellation: Cancellation) -> Reply:
        """Sign, send and wait for headers.

        Raises CredentialsMissing, UpstreamUnreachable, UpstreamSilent, UpstreamBroke or ClientLeft.
        """
        endpoint = self._endpoints.of(request.service, request.region)
        prepared = _prepared(request, endpoint)
        self._signer.sign(prepared, endpoint)
        line = Line()
        cancellation.on_cancel(line.hang_up)
        started = monotonic()
        watch = _Watch(line, cancellation, self._timeouts, started)
        answer = None
        try:
            answer = self._send_once_more_if_stale(prepared, line, cancellation)
        except RequestException as error:
            raise _translated(error, cancellation, endpoint, sent=line.sent) from error
        finally:
            if answer is None:
                watch.stop()
        now = monotonic()
        watch.headers_came(now)
        return Reply(answer, cancellation, watch, (now - started) * 1000)

    def _send_once_more_if_stale(self, prepared: PreparedRequest, line: Line, cancellation: Cancellation) -> Answer:
        """The one safe resend: on a kept-alive connection that turns out to have been closed, nothing was read."""
        try:
            return self._adapter.send_on(line, prepared)
        except StaleConnection:
            if cancellation.reason:
                raise
        self._adapter.close_idle(prepared)
        return self._adapter.send_on(line, prepared)


def _prepared(request: UpstreamRequest, endpoint: Endpoint) -> PreparedRequest:
    """By hand: requests' own preparation rewrites paths and costs more than all the rest of a call."""
    prepared = PreparedRequest()
    prepared.method = request.method
    prepared.url = endpoint.base_url + request.path_and_query
    headers = {"Host": endpoint.host}
    headers.update(request.headers)
    headers.setdefault("Accept-Encoding", "identity")
    if request.body or request.method != "GET":
        headers["Content-Length"] = str(len(request.body))
    if "user-agent" not in headers:
        headers["User-Agent"] = "outcrop"
    # a plain dict: the caller's names are lower-case already (app/core/header_rules.py)
    prepared.headers = headers  # type: ignore[assignment]  # requests' own folds each name at each look
    prepared.body = request.body or None  # type: ignore[assignment]  # the stubs know no bytearray
    return prepared


def _translated(error: RequestException, cancellation: Cancellation, endpoint: Endpoint, *, sent: bool) -> GatewayError:
    if cancellation.reason == "client_left":
        return (ClientLeft if sent else ClientLeftEarly)("The caller closed its connection.")
    if not sent:
        host = endpoint.base_url.partition("://")[2]
        return UpstreamUnreachable(
            f"The connection to {host} could not be made ({_cause(error)}). Nothing was sent: it is safe to retry.",
            retry_after=_RETRY_AFTER_SECONDS,
        )
    if cancellation.reason == "deadline" or isinstance(error, ReadTimeout):
        return UpstreamSilent(
            "AWS sent no headers within OUTCROP_FIRST_BYTE_TIMEOUT: use a streaming operation, which answers at once."
        )
    return UpstreamBroke(
        "The connection to AWS broke after the request was sent and before any answer. The model may have run, "
        "so the gateway did not send it again."
    )


def _cause(error: BaseException) -> str:
    """What went wrong, by the innermost exception's kind: its text may hold addresses of the operator's network."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return _CAUSES.get(type(error).__name__, type(error).__name__)
