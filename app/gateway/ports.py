"""What the gateway needs from outside. Implementers do not import this file; mypy compares the shapes."""

from typing import Protocol

from app.core.header_rules import Headers
from app.core.messages import CallRecord, Cancellation, UpstreamRequest


class Body(Protocol):
    """The body of a call that has arrived, not read yet."""

    def read(self) -> bytes | bytearray:
        """All of it, once. Raises MalformedRequest, BodyTooLarge, WorkerFull or ClientLeft."""

    def release(self) -> None:
        """Let go of what `read` returned, so that its memory counts no longer. Idempotent."""


class Client(Protocol):
    """The caller's side of the connection."""

    def watch(self, cancellation: Cancellation) -> None:
        """From now on a caller that leaves cancels with `client_left`, also while nothing is sent to it."""

    def unwatch(self) -> None:
        """Stop watching. Idempotent."""


class UpstreamReply(Protocol):
    """AWS's answer: its head, and its body piece by piece as it comes."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> Headers:
        """As AWS sent them; repeated ones are repeated, beside each other."""

    @property
    def waited_ms(self) -> float:
        """How long AWS took to answer with headers."""

    def read_chunk(self) -> bytes:
        """The next piece as soon as there is one, b"" at the end. Raises UpstreamBroke or UpstreamSilent."""

    def close(self) -> None:
        """Give the connection back if all was read, else close it. Idempotent."""


class Bedrock(Protocol):
    """The seam to AWS."""

    def send(self, request: UpstreamRequest, cancellation: Cancellation) -> UpstreamReply:
        """Sign, send, and wait for headers.

        Raises CredentialsMissing, UpstreamUnreachable, UpstreamSilent, UpstreamBroke or ClientLeft.
        """


class Ledger(Protocol):
    """Where ended calls are booked."""

    def settle(self, record: CallRecord) -> None:
        """Book an ended call. Called exactly once a call, before its end is visible to the caller. Never raises."""


class Journal(Protocol):
    """Where ended calls are told."""

    def write(self, record: CallRecord) -> None:
        """Tell of an ended call. Never raises."""
