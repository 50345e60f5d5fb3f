"""What the ledger books: a row for each call, and what it moves on the accounts that pay for it.

An account's money stands apart from its settings (`balances` beside `virtual_keys`, `teams`, ...): changes of settings
and bookings lock no row in common, except where a change is one of money.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from app.core.usage import NOBODY, UNKNOWN, Attribution, Usage
from app.core.value import value

# Who pays. A budget for one model (`model_max_budget`) is an account of its own, a `model_budget`: its id begins with
# the kind and id of the account that has it, and ends with the model's pattern, parted by colons.
AccountKind = Literal["customer", "key", "model_budget", "team", "user"]
EntryKind = Literal["call", "adjustment", "carried"]
EntryStatus = Literal["success", "failure"]
Ended = Literal["complete", "client_gone", "upstream_broken", "stopped", "gateway_killed"]
PriceScope = Literal["in-region", "geo", "global"]
# Under this name all end users (or claimed tags) are counted that are too many to be counted apart.
OTHER = "(other)"


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """Who pays; sorted by kind, then id, which is the order in which rows are locked."""

    kind: AccountKind
    id: str


@value
class Window:
    """The budget window that an account is in now: `duration` as its settings say, and the window's end.

    Both None for an account without budget_duration: its window never ends. An account's spend is set to 0 by the
    first booking or ticket after the end that it remembers; another duration moves that end and keeps the spend.
    """

    duration: str | None = None
    resets_at: datetime | None = None


NO_WINDOW = Window()


@value
class Charge:
    """What a call cost, and how that was found.

    `cost`: US dollars, None where there is no price; `model`: the model priced, by its name in the price book;
    `rates`: US dollars for one unit (one token, not a million) of each kind in the counts; `entry`: the price entry
    used, with its date, such as "2026-11-22/anthropic.claude-sonnet-4-5-20250929-v1:0/global".
    """

    cost: Decimal | None = None
    model: str | None = None
    scope: PriceScope | None = None
    tier: str | None = None
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    entry: str | None = None


UNPRICED = Charge()


@value
class Entry:
    """One row of the ledger. Names are as they were at the time; moments are UTC; times milliseconds.

    `request_id`: the reply's x-litellm-call-id; `model`: as it was asked for; `counted_end_user` and `counted_tags`:
    the names under which daily totals count them, OTHER where there are too many; `note`: what an adjustment did, such
    as {"spend_from": "1.5", "spend_to": "0", "by": "master"}.
    """

    request_id: str
    started_at: datetime
    ended_at: datetime
    kind: EntryKind = "call"
    status: EntryStatus = "success"
    http_status: int | None = None
    error: str | None = None
    ended: Ended = "complete"
    key_id: str | None = None
    key_token: str | None = None
    key_alias: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    user_id: str | None = None
    attribution: Attribution = NOBODY
    counted_end_user: str | None = None
    key_tags: tuple[str, ...] = ()
    counted_tags: tuple[str, ...] = ()
    service: str | None = None
    operation: str | None = None
    model: str | None = None
    region: str | None = None
    usage: Usage = UNKNOWN
    charge: Charge = UNPRICED
    duration_ms: float | None = None
    first_byte_ms: float | None = None
    streamed: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    address: str | None = None
    aws_request_id: str | None = None
    note: Mapping[str, Any] = field(default_factory=dict)


@value
class Posting:
    """An entry, and what its booking moves.

    `accounts`: who pays the entry's cost, each with its window at `entry.ended_at`, sorted, none twice; `ticket`: the
    id of the ticket to end, which gives its holds and slots back, None where none was taken.
    """

    entry: Entry
    accounts: tuple[tuple[Account, Window], ...] = ()
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change of what an account spent that no call made. US dollars; `by` as in Stamps.

    `spend`: what the window's spend is set to, of which total_spend knows nothing; None: `carried` is brought along
    from elsewhere, and added to both. `names`: fields of Entry that say whose it is.
    """

    account: Account
    window: Window
    by: str
    spend: Decimal | None = None
    carried: Decimal = Decimal(0)
    names: Mapping[str, Any] = field(default_factory=dict)


@value
class Booked:
    """What `settle` knows when it returns. `key_spend`: of the key's window, None where it was not committed yet.

    `spends`: of every account that the posting moved.
    """

    committed: bool
    key_spend: Decimal | None = None
    spends: Mapping[Account, Decimal] = field(default_factory=dict)
