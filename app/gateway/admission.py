"""May this call start now? Rates, places and budgets of all who pay for it: one ticket, or a refusal that says why."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from app.core import limit_refusals
from app.core.accounts import KeyGrant
from app.core.errors import StoreUnavailable
from app.core.killed_calls import call_of
from app.core.ledger_entries import Account, Entry, Posting, Window
from app.core.limits import Payer, PayingCustomer, accounts_of, budgeted, claims_of, payers_of
from app.core.tickets import Claim, Refusal, Ticket
from app.core.usage import Usage
from app.core.value import value
from app.gateway.ports import Counters, Tickets

_NO_COST = Decimal(0)
_RETRY_AFTER_SECONDS = 1
_log = logging.getLogger(__name__)


@value
class Order:
    """A call that asks to start.

    `entry`: asked for what its row would say if the gateway died now; its request_id names the call. `grant`: None for
    the master key. `models`: the names by which its model is known (core/limits.py). `hold`: asked for the most that
    it may cost, US dollars, None where there is no price. `metered`: whether AWS's answer, or the request, will say
    what it used. `billed`: whether AWS bills the operation at all.
    """

    entry: Callable[[], Entry]
    grant: KeyGrant | None
    customer: PayingCustomer | None = None
    models: tuple[str, ...] = ()
    hold: Callable[[], Decimal | None] = lambda: None
    metered: bool = False
    billed: bool = True


@value
class Admitted:
    """A call that may start: who pays for it, and what was taken for it, in the database and in the counters."""

    payers: tuple[Payer, ...] = ()
    ticket: Ticket | None = None
    counted: Ticket | None = None

    @property
    def ticket_id(self) -> str | None:
        """What its posting must end."""
        return self.ticket.id if self.ticket else None

    def accounts(self, ended_at: datetime) -> tuple[tuple[Account, Window], ...]:
        """What its posting moves."""
        return accounts_of(self.payers, ended_at)


class Admission:
    """Where calls get leave to start. A call that nobody limits costs no query."""

    def __init__(
        self, tickets: Tickets, counters: Counters | None, *, allow_when_down: bool, now: Callable[[], datetime]
    ) -> None:
        """`counters`: where rates and places are counted, None for where the budgets are.

        `allow_when_down`: while one of them is away, calls start that it should have been asked for.
        """
        self._tickets = tickets
        self._counters = counters
        self._allow_when_down = allow_when_down
        self._now = now

    def enter(self, order: Order) -> Admitted:
        """Leave to start. Raises BudgetSpent, Throttled, AccessDenied or StoreUnavailable; then nothing is taken."""
        now = self._now()
        payers = payers_of(order.grant, order.customer, order.models, now)
        claims = claims_of(payers, _hold(order, payers), now)
        if not claims:
            return Admitted(payers)
        counted, ticket = self._split(order, payers, claims, now)
        if self._counters and counted:
            counted = self._take(self._counters, counted, payers)
        decided = False
        try:
            ticket = self._take(self._tickets, ticket, payers) if ticket else None
            decided = True
        finally:
            if not decided:
                self._uncount(counted)
        return Admitted(payers, ticket, counted)

    def leave(self, admitted: Admitted, usage: Usage, *, reached_aws: bool) -> None:
        """The call has ended. `usage`: as far as it is known. Never raises.

        A call that never reached AWS is as if it had not been asked for. What others took in the database is given
        back by the booking of the call.
        """
        if not reached_aws:
            self._uncount(admitted.counted)
            if admitted.ticket:
                self._tickets.give_back(admitted.ticket)
        elif self._counters and admitted.counted:
            self._counters.settle(admitted.counted, usage.total_tokens)

    def _split(
        self, order: Order, payers: tuple[Payer, ...], claims: tuple[Claim, ...], now: datetime
    ) -> tuple[Ticket | None, Ticket | None]:
        """What the counters are to take, and what the database is."""
        counted: tuple[Claim, ...] = ()
        if self._counters:
            counted = tuple(replace(claim, hold=_NO_COST, budget=None) for claim in claims if _counts(claim))
            unrated = (replace(claim, rpm=None, tpm=None, parallel=None) for claim in claims)
            claims = tuple(claim for claim in unrated if claim.budget is not None)
        entry = order.entry()
        call_id = entry.request_id
        ticket = None
        if claims:
            posting = Posting(entry, accounts_of(payers, now), call_id)
            ticket = Ticket(call_id, now, claims, call_of(posting))
        return Ticket(call_id, now, counted) if counted else None, ticket

    def _take(self, source: Tickets | Counters, ticket: Ticket, payers: tuple[Payer, ...]) -> Ticket | None:
        """The ticket, None where it could not be asked for and need not be."""
        try:
            refusal: Refusal | None = source.take(ticket)
        except StoreUnavailable as error:
            if self._allow_when_down:
                return None
            raise StoreUnavailable(
                "The limits of this key cannot be checked at the moment: try again.",
                retry_after=error.retry_after or _RETRY_AFTER_SECONDS,
                reason=error.reason,
            ) from None
        if refusal:
            raise limit_refusals.refused(refusal, payers, ticket.taken_at)
        return ticket

    def _uncount(self, counted: Ticket | None) -> None:
        if self._counters and counted:
            self._counters.give_back(counted)


def _hold(order: Order, payers: tuple[Payer, ...]) -> Decimal | None:
    """What to hold, None for what costs nothing, and for nobody's budget.

    Raises AccessDenied for what a budget could not tell the cost of.
    """
    payer = budgeted(payers)
    if payer is None or not order.billed:
        return None
    hold = order.hold()
    if hold is not None and order.metered:
        return hold
    if not (order.grant and order.grant.key.unmetered_calls == "allow"):
        if not order.metered:  # a price would not help
            raise limit_refusals.unmetered(payer, order.entry().operation)
        raise limit_refusals.unpriced(payer, order.entry().model)
    return hold or _NO_COST


def _counts(claim: Claim) -> bool:
    return claim.rpm is not None or claim.tpm is not None or claim.parallel is not None
