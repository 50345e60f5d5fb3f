"""What a worker counts: refusals, which have no row in the ledger."""

from app.gateway.in_flight import InFlight
from app.gateway.tallies import Backlog, CountingJournal, Tally
from tests.fakes import FakeJournal, a_record

BACKLOG = Backlog(queued=1, spooled=2, kept=0, rejected=0, oldest=None, away_since=None)


def test_refusals_are_told_and_counted_by_their_codes() -> None:
    told = FakeJournal()
    journal = CountingJournal(told)
    for ended, error in (("refused", "ThrottlingException"), ("refused", "ThrottlingException"), ("complete", None)):
        record = a_record()
        record.ended, record.error = ended, error  # type: ignore[assignment]  # mypy takes the loop's text for any
        journal.write(record)

    assert journal.refused() == {"ThrottlingException": 2}
    assert len(told.told) == 3


def test_all_that_a_worker_knows_is_asked_when_it_is_told() -> None:
    refused = {"AccessDeniedException": 1}
    calls = InFlight(FakeJournal(), most=1)
    tally = Tally(lambda: refused, lambda: 7, lambda: BACKLOG, calls)
    calls.arrive()
    refused["ThrottlingException"] = 2
    found = tally.now()

    assert (found.refused, found.unpriced, found.backlog) == (refused, 7, BACKLOG)
    assert (found.in_flight, found.turned_away) == (1, 0)
