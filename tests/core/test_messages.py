"""What travels through the gateway: cancelling a call, and what must not show."""

from datetime import UTC, datetime

from app.core.messages import CallRecord, Cancellation, ProxyRequest, UpstreamRequest
from app.core.targets import Target

SECRET = "sk-secret-what-was-said"
ROOT = Target(None, None, "/", "", ("",))


class HangUps:
    """Counts how often a connection was shut down."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_a_new_cancellation_has_no_reason() -> None:
    assert Cancellation().reason is None


def test_cancelling_hangs_up_and_keeps_the_reason() -> None:
    cancellation, line = Cancellation(), HangUps()
    cancellation.on_cancel(line)

    cancellation.cancel("deadline")

    assert (cancellation.reason, line.count) == ("deadline", 1)


def test_nothing_is_hung_up_before_it_is_cancelled() -> None:
    cancellation, line = Cancellation(), HangUps()

    cancellation.on_cancel(line)

    assert (cancellation.reason, line.count) == (None, 0)


def test_the_first_reason_counts_and_hangs_up_once() -> None:
    cancellation, line = Cancellation(), HangUps()
    cancellation.on_cancel(line)

    cancellation.cancel("client_left")
    cancellation.cancel("deadline")

    assert (cancellation.reason, line.count) == ("client_left", 1)


def test_a_call_that_is_cancelled_already_hangs_up_at_once() -> None:
    cancellation, line = Cancellation(), HangUps()

    cancellation.cancel("stopped")
    cancellation.on_cancel(line)

    assert (cancellation.reason, line.count) == ("stopped", 1)


def test_cancelling_without_a_connection_yet_only_keeps_the_reason() -> None:
    cancellation = Cancellation()

    cancellation.cancel("client_left")

    assert cancellation.reason == "client_left"


def test_a_second_connection_replaces_the_first() -> None:
    cancellation, first, second = Cancellation(), HangUps(), HangUps()
    cancellation.on_cancel(first)
    cancellation.on_cancel(second)

    cancellation.cancel("deadline")

    assert (first.count, second.count) == (0, 1)


def test_every_connection_after_a_cancellation_is_hung_up() -> None:
    cancellation, first, second = Cancellation(), HangUps(), HangUps()
    cancellation.cancel("deadline")

    cancellation.on_cancel(first)
    cancellation.on_cancel(second)

    assert (first.count, second.count) == (1, 1)


def test_a_hang_up_that_cancels_again_changes_nothing() -> None:
    cancellation, line = Cancellation(), HangUps()

    def hang_up() -> None:
        line()
        cancellation.cancel("upstream_broke")

    cancellation.on_cancel(hang_up)
    cancellation.cancel("client_left")

    assert (cancellation.reason, line.count) == ("client_left", 1)


def test_a_request_shows_no_header_as_text() -> None:
    request = ProxyRequest("POST", ROOT, {"authorization": SECRET}, None)

    assert SECRET not in repr(request)


def test_an_upstream_request_shows_neither_headers_nor_body_as_text() -> None:
    request = UpstreamRequest("bedrock", "us-east-1", "POST", "/", (("x", SECRET),), SECRET.encode())

    assert SECRET not in repr(request)


def test_a_new_record_claims_nothing() -> None:
    record = CallRecord("id", datetime(2026, 1, 2, tzinfo=UTC), 0.0, "POST")

    assert (record.caller, record.status, record.ended, record.streamed) == (None, None, None, False)
    assert (record.bytes_in, record.bytes_out, record.first_byte_ms) == (0, 0, None)
