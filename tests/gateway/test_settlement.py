"""One end of one call, whoever sees it first and however many see it."""

from collections.abc import Callable

import pytest

from app.core.errors import (
    AccessDenied,
    BodyTooLarge,
    ClientLeft,
    ClientLeftEarly,
    CredentialsMissing,
    GatewayError,
    MalformedRequest,
    StoreUnavailable,
    Unauthenticated,
    UpstreamBroke,
    UpstreamSilent,
    UpstreamUnreachable,
    WorkerFull,
)
from app.core.messages import CallRecord, Cancellation
from app.gateway.bookkeeping import Tab
from app.gateway.in_flight import InFlight
from app.gateway.settlement import Settlement
from tests.fakes import Books, FakeBookkeeping, a_tab

REFUSED = (
    Unauthenticated,
    AccessDenied,
    MalformedRequest,
    BodyTooLarge,
    CredentialsMissing,
    StoreUnavailable,
    WorkerFull,
)


@pytest.fixture
def books() -> Books:
    """A settlement with its fakes."""
    return Books()


def test_a_call_is_booked_before_it_is_told(books: Books) -> None:
    """A line in the log means a row in the ledger."""
    books.settlement.settle("complete")

    assert books.trace == ["settle", "tell"]


def test_the_first_ending_counts(books: Books) -> None:
    """Two parties may see the end; it is one call."""
    books.settlement.settle("client_left")
    books.settlement.settle("complete")

    assert books.settled == ["client_left"]
    assert [record.ended for record in books.journal.told] == ["client_left"]


def test_a_settled_call_cannot_be_refused(books: Books) -> None:
    """Nor told a second time."""
    books.settlement.settle("complete")
    books.settlement.refuse(GatewayError("late"))

    assert [record.ended for record in books.journal.told] == ["complete"]


def test_the_caller_is_watched_no_longer_when_it_is_booked(books: Books) -> None:
    """Its next request on the same connection is not its leaving."""
    books.client.watch(Cancellation())
    books.settlement.settle("complete")

    assert not books.client.watching


def test_a_refused_caller_is_watched_no_longer(books: Books) -> None:
    """Also when the call never got a reply."""
    books.client.watch(Cancellation())
    books.settlement.refuse(CredentialsMissing("none"))

    assert not books.client.watching


def test_duration_is_fixed_at_the_end(books: Books) -> None:
    """A second settling does not move it."""
    books.clock.advance(1.5)
    books.settlement.settle("complete")
    books.clock.advance(1)
    books.settlement.settle("complete")

    assert books.record.duration_ms == 1500.0


def test_elapsed_is_in_milliseconds_since_arrival(books: Books) -> None:
    """To the hundredth."""
    books.clock.advance(0.0123456)

    assert books.settlement.elapsed_ms() == 12.35


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_is_told_and_not_booked(books: Books, kind: type[GatewayError]) -> None:
    """AWS was not called: there is nothing to account for."""
    books.settlement.refuse(kind("no"))

    assert books.settled == []
    assert [(record.ended, record.error) for record in books.journal.told] == [("refused", kind.code)]


@pytest.mark.parametrize("kind", [UpstreamUnreachable, UpstreamSilent, UpstreamBroke, GatewayError])
def test_a_call_that_may_have_reached_aws_is_booked_as_failed(books: Books, kind: type[GatewayError]) -> None:
    """The model may have run; of an unforeseen error nobody knows."""
    books.record.sent = True
    books.settlement.refuse(kind("no"))

    assert books.settled == ["failed"]
    assert books.journal.told[0].error == kind.code


def test_a_caller_that_left_is_booked_as_such(books: Books) -> None:
    """While AWS was silent."""
    books.record.sent = True
    books.settlement.refuse(ClientLeft("gone"))

    assert books.settled == ["client_left"]


def test_a_caller_that_left_before_aws_was_called_is_told_and_not_booked(books: Books) -> None:
    """While it was still sending its body."""
    books.settlement.refuse(ClientLeft("gone"))

    assert books.settled == []
    assert books.journal.told[0].ended == "client_left"


def test_a_caller_that_left_while_aws_was_called_is_told_and_pays_nothing(books: Books) -> None:
    """Nothing was sent."""
    books.record.sent = True
    books.settlement.refuse(ClientLeftEarly("gone"))

    assert books.settled == []
    assert books.journal.told[0].ended == "client_left"


def test_the_first_error_counts(books: Books) -> None:
    """What broke the reply is the reason, not what came of it."""
    books.record.error = "ModelErrorException"
    books.settlement.refuse(GatewayError("later"))

    assert books.journal.told[0].error == "ModelErrorException"


def test_refused_twice_is_told_once(books: Books) -> None:
    """As with settling."""
    books.settlement.refuse(AccessDenied("no"))
    books.settlement.refuse(AccessDenied("no"))

    assert len(books.journal.told) == 1


@pytest.mark.parametrize(
    ("kind", "reached"),
    [(UpstreamUnreachable, False), (UpstreamSilent, True), (UpstreamBroke, True), (ClientLeft, True)],
)
def test_only_a_call_whose_connection_was_not_made_is_known_not_to_have_reached_aws(
    books: Books, kind: type[GatewayError], reached: bool
) -> None:
    books.record.sent = True
    books.settlement.refuse(kind("no"))

    assert books.booked.reached == [reached]


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("sent", [False, True])
def test_what_was_taken_for_a_call_that_is_refused_is_given_back(
    books: Books, kind: type[GatewayError], sent: bool
) -> None:
    """Also where it was on its way: without credentials nothing leaves."""
    books.record.sent = sent
    books.settlement.refuse(kind("no"))

    assert (books.booked.voided, books.settled) == ([books.settlement.tab], [])


def test_a_call_that_is_refused_before_anything_was_taken_is_told_alone(books: Books) -> None:
    books.settlement.tab = None
    books.settlement.refuse(AccessDenied("no"))

    assert books.trace == ["tell"]


class FaultyBooks(FakeBookkeeping):
    """Fails in a way that nobody foresaw."""

    def close(self, tab: Tab, record: CallRecord, *, reached_aws: bool) -> None:
        raise ArithmeticError

    def void(self, tab: Tab) -> None:
        raise ArithmeticError


def _settled(settlement: Settlement) -> None:
    settlement.settle("complete")


def _failed(settlement: Settlement) -> None:
    settlement.record.sent = True
    settlement.refuse(UpstreamBroke("no"))


def _refused(settlement: Settlement) -> None:
    settlement.refuse(AccessDenied("no"))


@pytest.mark.parametrize("end", [_settled, _failed, _refused])
def test_a_call_whose_booking_fails_is_told_and_gives_its_place_back(
    books: Books, end: Callable[[Settlement], None]
) -> None:
    """As many of them as a worker may hold would else be the end of it."""
    in_flight = InFlight(books.journal, 1)
    in_flight.arrive()
    settlement = Settlement(books.record, books.client, FaultyBooks(), in_flight, books.clock)
    settlement.tab = a_tab()
    with pytest.raises(ArithmeticError):
        end(settlement)

    assert (in_flight.held, len(books.journal.told)) == (0, 1)
