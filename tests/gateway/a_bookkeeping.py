"""Bookkeeping with real prices, and fakes at its ports: nobody is registered, and tickets are had for the asking."""

from collections.abc import Iterable
from datetime import UTC, datetime

from app.core.prices import PriceBook
from app.core.tickets import Refusal, Ticket
from app.gateway.admission import Admission
from app.gateway.bookkeeping import Bookkeeping
from app.gateway.end_users import EndUsers
from app.gateway.key_directory import KeyDirectory
from app.gateway.model_resolver import ModelResolver
from app.gateway.ports import Bedrock, Ledger, Tickets
from tests.fake_keys import FakeKeySource
from tests.fakes import Clock, Trace

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class FakeTickets:
    """Gives every ticket, but for those that `refusals` has an answer for, in order."""

    def __init__(self, trace: Trace | None = None, refusals: Iterable[Refusal | Exception | None] = ()) -> None:
        self.taken: list[Ticket] = []
        self.given_back: list[Ticket] = []
        self._refusals = iter(refusals)
        self._trace = trace if trace is not None else []

    def take(self, ticket: Ticket) -> Refusal | None:
        self._trace.append("take ticket")
        refusal = next(self._refusals, None)
        if isinstance(refusal, Exception):
            raise refusal
        if refusal is None:
            self.taken.append(ticket)
        return refusal

    def give_back(self, ticket: Ticket) -> None:
        self._trace.append("give back")
        self.given_back.append(ticket)


def a_bookkeeping(
    ledger: Ledger,
    bedrock: Bedrock,
    tickets: Tickets | None = None,
    source: FakeKeySource | None = None,
    overrides: str | None = None,
) -> Bookkeeping:
    """At NOW. `source`: where customers are; `overrides`: the operator's prices."""
    clock = Clock()
    prices = PriceBook.load(overrides)
    return Bookkeeping(
        admission=Admission(tickets or FakeTickets(), None, allow_when_down=False, now=lambda: NOW),
        ledger=ledger,
        end_users=EndUsers(KeyDirectory(source or FakeKeySource(), 300, clock)),
        prices=prices,
        resolver=ModelResolver(bedrock, prices.knows, clock),
        hold_output_tokens=4096,
        now=lambda: NOW,
    )
