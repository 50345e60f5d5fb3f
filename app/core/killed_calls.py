"""What is booked of a call whose gateway died: that it was, for whom, and that nobody knows what it used."""

from dataclasses import replace
from datetime import datetime

from app.core.budget_windows import window
from app.core.ledger_entries import NO_WINDOW, UNPRICED, Entry, Posting
from app.core.posting_json import line_of, posting_of
from app.core.tickets import Ticket
from app.core.usage import UNKNOWN

_POSTING = "posting"


def call_of(posting: Posting) -> dict[str, str]:
    """What a ticket keeps (Ticket.call), so that its call can be booked by others. Raises ValueError."""
    return {_POSTING: line_of(posting)}


def killed(ticket: Ticket, at: datetime) -> Posting:
    """The posting that ends a ticket whose worker is dead. `at`: when that was noticed."""
    posting = _kept(ticket)
    entry = replace(
        posting.entry,
        ended_at=at,
        ended="gateway_killed",
        status="failure",
        http_status=None,
        usage=UNKNOWN,
        charge=UNPRICED,
    )
    accounts = tuple((account, window(kept.duration, at)) for account, kept in posting.accounts)
    return Posting(entry, accounts, ticket.id)


def _kept(ticket: Ticket) -> Posting:
    try:
        return posting_of(str(ticket.call.get(_POSTING, "")))
    except ValueError:  # of another version, or none: then the accounts that hold something are all that is known
        entry = Entry(request_id=ticket.id, started_at=ticket.taken_at, ended_at=ticket.taken_at)
        return Posting(entry, tuple((claim.account, NO_WINDOW) for claim in ticket.claims), ticket.id)
