"""What travels through the gateway: a call as it arrives, as it leaves for AWS, and what is written down of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from app.core.credentials import Scope
from app.core.header_rules import Headers
from app.core.targets import Target
from app.core.usage import UsageSource
from app.core.value import value

Ending = Literal[
    "complete",  # the caller was given all that AWS sent
    "refused",  # the gateway answered, AWS was not called
    "failed",  # AWS could not answer: unreachable, silent, or broken before its first byte
    "upstream_broke",  # AWS broke off after its first byte
    "client_left",  # the caller closed its connection
    "client_stalled",  # the caller took or sent nothing for OUTCROP_WRITE_TIMEOUT
    "deadline",  # OUTCROP_TOTAL_TIMEOUT passed
    "stopped",  # the worker was told to stop and its grace ended
]


@value
class ProxyRequest:
    """One call as it arrived, its body not read yet. Header names are lower-case.

    `raw_target` is the request line's, which a caller's signature covers; `address` the caller's, None where unknown.
    """

    method: str
    target: Target
    headers: Mapping[str, str] = field(repr=False)
    scope: Scope | None
    raw_target: str = ""
    address: str | None = None


@value
class UpstreamRequest:
    """One call as it leaves for AWS, before it is signed."""

    service: str
    region: str
    method: str
    path_and_query: str
    headers: Headers = field(repr=False)
    body: bytes | bytearray = field(repr=False)


class Cancellation:
    """Ends one call from outside it: whoever waits for AWS is woken by its connection being shut down.

    Nothing is thrown into the waiting code: it reads the end of its connection and asks `reason` why. So a
    cancellation can come at any moment, also while the call's accounts are being settled, and disturb nothing.
    """

    __slots__ = ("_hang_up", "reason")

    def __init__(self) -> None:
        self.reason: Ending | None = None
        self._hang_up: Callable[[], None] | None = None

    def on_cancel(self, hang_up: Callable[[], None]) -> None:
        """What to do when the call is cancelled; at once if it already is. Replaces what was set before."""
        self._hang_up = hang_up
        if self.reason:
            hang_up()

    def cancel(self, reason: Ending) -> None:
        """The first reason counts."""
        if self.reason is None:
            self.reason = reason
            if self._hang_up:
                self._hang_up()


@dataclass(slots=True)
class CallRecord:
    """What is written down of one call, filled in on its way. Never a credential, never what was said.

    Times are milliseconds since the call arrived; bytes are of the bodies, as they were on the wire.
    """

    call_id: str
    arrived_at: datetime
    arrived: float  # the monotonic clock, in seconds
    method: str
    caller: str | None = None
    team: str | None = None
    user: str | None = None
    service: str | None = None
    operation: str | None = None
    model: str | None = None
    region: str | None = None
    status: int | None = None
    error: str | None = None
    aws_request_id: str | None = None
    streamed: bool = False
    sent: bool = False  # AWS may have got it
    bytes_in: int = 0
    bytes_out: int = 0
    overhead_ms: float | None = None
    first_byte_ms: float | None = None
    duration_ms: float | None = None
    ended: Ending | None = None
    usage_source: UsageSource | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost: Decimal | None = None  # US dollars; None: there is no price, or nothing was priced
    key_spend: Decimal | None = None  # of the key's budget window, once this call was booked
