"""The seam to AWS: send(UpstreamRequest) -> reply. Outside errors become ours here and nowhere else."""

from dataclasses import dataclass
from time import monotonic
from typing import Any

from gevent import get_hub
from requests import PreparedRequest
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ReadTimeout, RequestException
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, ReadTimeoutError

from app.core.errors import (
    ClientLeft,
    ClientLeftEarly,
    GatewayError,
    UpstreamBroke,
    UpstreamSilent,
    UpstreamUnreachable,
)
from app.core.header_rules import Headers
from app.core.messages import Cancellation, UpstreamRequest
from app.upstream.connections import Adapter, Line, StaleConnection
from app.upstream.endpoints import Endpoint, Endpoints
from app.upstream.signing import Signer

# One read takes at most this much: large answers move in few steps, and a slow reader holds no more than this.
_READ_BYTES = 64 * 1024
_RETRY_AFTER_SECONDS = 1
_CAUSES = {"gaierror": "host name not found", "ConnectionRefusedError": "connection refused", "timeout": "timed out"}


class _Deadline:
    """Cancels a call that takes too long: until its headers, then until its end."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self._timer: Any = None

    def start(self, seconds: float) -> None:
        """From now on, instead of what was set before."""
        self.stop()
        self._timer = get_hub().loop.timer(seconds)
        self._timer.start(self._cancellation.cancel, "deadline")

    def stop(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None


class Reply:
    """AWS's answer, its body still on the wire."""

    def __init__(self, raw: HTTPResponse, cancellation: Cancellation, deadline: _Deadline, waited_ms: float) -> None:
        self._raw = raw
        self._cancellation = cancellation
        self._deadline = deadline
        self.waited_ms = waited_ms
        self.status: int = raw.status
        self.reason: str = raw.reason or ""
        self.headers: Headers = tuple(raw.headers.iteritems())

    def read_chunk(self) -> bytes:
        """The next piece as soon as there is one, b"" at the end."""
        try:
            piece: bytes = self._raw.read1(_READ_BYTES, decode_content=False)
        except ReadTimeoutError as error:
            raise UpstreamSilent("AWS sent nothing more for OUTCROP_READ_TIMEOUT.") from error
        except (HTTPError, OSError) as error:
            raise self._why_ended() from error
        if not piece and self._cancellation.reason:
            # without chunks and length, having been hung up on looks like the end
            raise self._why_ended()
        return piece

    def _why_ended(self) -> GatewayError:
        if self._cancellation.reason == "client_left":
            return ClientLeft("The caller closed its connection.")
        if self._cancellation.reason == "deadline":
            return UpstreamSilent("The call took longer than OUTCROP_TOTAL_TIMEOUT.")
        return UpstreamBroke("The connection to AWS broke before the end of its answer.")

    def close(self) -> None:
        self._deadline.stop()
        # a connection whose answer was read whole went back to the pool by itself
        if self._raw.connection is not None:
            self._raw.close()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds a call may take from here to the headers of its answer, and to its end."""

    first_byte: float
    total: float


class BedrockClient:
    """Sends calls to AWS over kept-alive connections."""

    def __init__(self, endpoints: Endpoints, signer: Signer, adapter: Adapter, deadlines: Deadlines) -> None:
        self._endpoints = endpoints
        self._signer = signer
        self._adapter = adapter
        self._deadlines = deadlines

    def send(self, request: UpstreamRequest, cancellation: Cancellation) -> Reply:
        """Sign, send and wait for headers.

        Raises CredentialsMissing, UpstreamUnreachable, UpstreamSilent, UpstreamBroke or ClientLeft.
        """
        endpoint = self._endpoints.of(request.service, request.region)
        prepared = _prepared(request, endpoint)
        self._signer.sign(prepared, endpoint)
        line = Line()
        cancellation.on_cancel(line.hang_up)
        deadline = _Deadline(cancellation)
        started = monotonic()
        deadline.start(min(self._deadlines.first_byte, self._deadlines.total))
        try:
            raw = self._send_once_more_if_stale(prepared, line, cancellation)
        except RequestException as error:
            raise _translated(error, cancellation, endpoint, sent=line.sent) from error
        finally:
            deadline.stop()
        waited = monotonic() - started
        deadline.start(max(0.0, self._deadlines.total - waited))
        return Reply(raw, cancellation, deadline, waited * 1000)

    def _send_once_more_if_stale(
        self, prepared: PreparedRequest, line: Line, cancellation: Cancellation
    ) -> HTTPResponse:
        """The one safe resend: on a kept-alive connection that turns out to have been closed, nothing was read."""
        try:
            return self._adapter.send_on(line, prepared)
        except RequestsConnectionError as error:
            if cancellation.reason or not _is_stale(error):
                raise
        self._adapter.close_idle(prepared)
        return self._adapter.send_on(line, prepared)


def _prepared(request: UpstreamRequest, endpoint: Endpoint) -> PreparedRequest:
    """By hand: requests' own preparation rewrites paths and costs more than all the rest of a call."""
    prepared = PreparedRequest()
    prepared.method = request.method
    prepared.url = endpoint.base_url + request.path_and_query
    prepared.headers = CaseInsensitiveDict(request.headers)
    prepared.body = request.body or None  # type: ignore[assignment]  # the stubs know no bytearray
    if request.body or request.method != "GET":
        prepared.headers["Content-Length"] = str(len(request.body))
    if "user-agent" not in prepared.headers:
        prepared.headers["User-Agent"] = "outcrop"
    return prepared


def _is_stale(error: RequestsConnectionError) -> bool:
    """Whether a StaleConnection is inside: requests wraps urllib3's ProtocolError, which wraps it."""
    inner = error.args[0] if error.args else None
    return any(isinstance(part, StaleConnection) for part in getattr(inner, "args", ()))


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
