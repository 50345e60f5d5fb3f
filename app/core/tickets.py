"""Leave to start a call, taken before it is sent: what it may spend is held, its places are counted.

A ticket takes what all of its claims ask for, or nothing. It ends with the booking of its call, which gives holds and
places back; given back unused, it leaves no trace, also not in the counts of the minute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from app.core.ledger_entries import NO_WINDOW, Account, Window
from app.core.value import value

Reason = Literal["spent", "held", "rpm", "tpm", "parallel"]
_ZERO = Decimal(0)
# AWS refuses signatures of clocks that are more off, so that none that counts calls is for long.
_CLOCKS_DIFFER = timedelta(minutes=5)


@value
class Claim:
    """What one account must have room for. None: no such limit.

    `hold`: the most that the call may cost, US dollars; `budget`: what may be spent in the window.
    """

    account: Account
    window: Window = NO_WINDOW
    hold: Decimal = _ZERO
    budget: Decimal | None = None
    rpm: int | None = None
    tpm: int | None = None
    parallel: int | None = None


@value
class Ticket:
    """`id` is the call's; `claims` are sorted by account, none twice; `call`: what a row must say if the gateway dies.

    `minute`: the UTC minute in which it was asked for, counted from 1970.
    """

    id: str
    taken_at: datetime
    claims: tuple[Claim, ...]
    call: Mapping[str, Any] = field(default_factory=dict)

    @property
    def minute(self) -> int:
        return int(self.taken_at.timestamp()) // 60


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a ticket was not given: the first claim that found no room, and the account's figures at that moment."""

    reason: Reason
    claim: Claim
    balance: "Balance"


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's money and counters. `minute`, with `requests` and `tokens` of it: the last one that had any."""

    spend: Decimal = _ZERO
    total_spend: Decimal = _ZERO
    held: Decimal = _ZERO
    window: Window = NO_WINDOW
    in_flight: int = 0
    minute: int = 0
    requests: int = 0
    tokens: int = 0

    def at(self, window: Window, now: datetime, minute: int) -> "Balance":
        """The same, once its window and its minute have moved on to now.

        A window that is over starts anew; one whose duration was changed keeps its spend and gets the new end. A
        minute never goes back, so that clocks that differ count into one of their minutes, not into both; no more does
        a window. But those of a clock that was wrong and was set back since, which would last until that time comes,
        are left: of such a minute nothing counts, of such a window all that was spent in it.
        """
        balance = self
        if balance.window.resets_at is not None and balance.window.resets_at <= now:
            balance = replace(balance, spend=_ZERO, window=window)
        elif balance.window.duration != window.duration or _is_to_come(balance.window, window, now):
            balance = replace(balance, window=window)
        if minute > balance.minute or balance.minute - minute > _CLOCKS_DIFFER // timedelta(minutes=1):
            balance = replace(balance, minute=minute, requests=0, tokens=0)
        return balance

    def refuses(self, claim: Claim) -> Reason | None:
        """Why there is no room for a claim, at the moment that this balance was brought up to.

        `spent`: not even with nothing held would the hold fit, so that waiting does not help; `held`: it may, once
        calls in flight have ended.
        """
        if claim.budget is not None:
            if self.spend + claim.hold > claim.budget or self.spend >= claim.budget:
                return "spent"
            if self.spend + self.held + claim.hold > claim.budget:
                return "held"
        if claim.rpm is not None and self.requests >= claim.rpm:
            return "rpm"
        if claim.tpm is not None and self.tokens >= claim.tpm:
            return "tpm"
        if claim.parallel is not None and self.in_flight >= claim.parallel:
            return "parallel"
        return None

    def taken(self, claim: Claim) -> "Balance":
        """The same with a claim's hold and places. Every claim counts a request and a place, limited or not."""
        return replace(self, held=self.held + claim.hold, in_flight=self.in_flight + 1, requests=self.requests + 1)

    def given_back(self, claim: Claim, *, minute: int | None) -> "Balance":
        """The same without them; `minute`: the ticket's, where its request must not count either (never sent)."""
        requests = self.requests - (minute is not None and minute == self.minute)
        return replace(
            self,
            held=max(_ZERO, self.held - claim.hold),
            in_flight=max(0, self.in_flight - 1),
            requests=max(0, requests),
        )


def _is_to_come(remembered: Window, window: Window, now: datetime) -> bool:
    """Whether it begins after the window that `now` is in, and not merely by what clocks differ."""
    ends, end = remembered.resets_at, window.resets_at
    return ends is not None and end is not None and ends > end and end - now > _CLOCKS_DIFFER
