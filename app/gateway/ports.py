"""What the gateway needs from outside. Implementers do not import this file; mypy compares the shapes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from app.core.accounts import (
    AuditEntry,
    Budget,
    Customer,
    KeyGrant,
    KeySecret,
    Member,
    Record,
    Spender,
    Team,
    User,
    VirtualKey,
)
from app.core.header_rules import Headers
from app.core.ledger_entries import Account, Booked, Entry, Posting
from app.core.limits import PayingCustomer
from app.core.messages import CallRecord, Cancellation, UpstreamRequest
from app.core.registry_messages import AccountQuery, AuditQuery, ChangedName, Changes, KeyQuery, LookUp, Page
from app.core.report_messages import RowGroup, RowsPage, RowsQuery, RowSum, Sum, TotalsQuery
from app.core.tickets import Balance, Refusal, Ticket

T = TypeVar("T")


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
        """As AWS sent them, in its order; repeated ones are repeated."""

    @property
    def waited_ms(self) -> float:
        """How long AWS took to answer with headers."""

    def read_chunk(self) -> bytes:
        """All that has come, or what comes first; b"" at the end. Raises UpstreamBroke or UpstreamSilent."""

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

    def settle(self, posting: Posting) -> Booked:
        """Book an ended call, called exactly once a call, before its end is visible to the caller. Never raises.

        Returns once the entry is committed, or 150 ms later, once it is on a disk from where it will be.
        """


class Tickets(Protocol):
    """Where calls get leave to start: budgets, rates and places, whoever else takes of them at the same moment."""

    def take(self, ticket: Ticket) -> Refusal | None:
        """All that the ticket's claims ask for, or nothing and why. Raises StoreUnavailable."""

    def give_back(self, ticket: Ticket) -> None:
        """The call never reached AWS: as if it had not been asked for, also in its minute. Never raises."""


class Counters(Protocol):
    """Rates and places where they are not counted with the budgets (Redis). Claims' holds and budgets are not its."""

    def take(self, ticket: Ticket) -> Refusal | None:
        """All that the ticket's claims ask for, or nothing and why. Raises StoreUnavailable."""

    def give_back(self, ticket: Ticket) -> None:
        """The call never reached AWS: as if it had not been asked for, also in its minute. Never raises."""

    def settle(self, ticket: Ticket, tokens: int) -> None:
        """The call has ended: its places are free, and its tokens count in this minute. Never raises."""


class UsageReads(Protocol):
    """Where reports of use are read. All raise StoreUnavailable."""

    def totals(self, query: TotalsQuery) -> tuple[Sum, ...]:
        """Sums out of the daily totals: one an id, or one a day and id."""

    def rows(self, query: RowsQuery) -> tuple[Entry, ...]:
        """Rows of the ledger, the newest first."""

    def page(self, query: RowsQuery) -> RowsPage:
        """The same, and how many there are in all."""

    def row_sums(self, query: RowsQuery, groups: Sequence[RowGroup], most: int) -> tuple[RowSum, ...] | None:
        """Sums of rows by these columns; None where there are more rows than `most`."""

    def key_ids(self, token_or_id: str) -> frozenset[str]:
        """The ids of the keys that a token or an id names, also of one that is deleted."""

    def balances(self, accounts: Iterable[Account]) -> Mapping[Account, Balance]:
        """Of those that ever had one, as they stand: windows and minutes that are over are not begun anew."""


class Journal(Protocol):
    """Where ended calls are told."""

    def write(self, record: CallRecord) -> None:
        """Tell of an ended call. Never raises."""


class KeySource(Protocol):
    """Where the directory reads keys and customers from."""

    def by_token(self, token: str) -> LookUp[KeyGrant]:
        """The key of this SHA-256 hex, in one snapshot with the version. Raises StoreUnavailable."""

    def by_access_key_id(self, access_key_id: str) -> LookUp[KeyGrant]:
        """The key of this issued pair, in one snapshot with the version. Raises StoreUnavailable."""

    def customer(self, customer_id: str) -> LookUp[PayingCustomer]:
        """The customer of this id with the budget it names, in one snapshot too. Raises StoreUnavailable."""

    def changes_since(self, version: int) -> Changes:
        """What changed after `version`. Raises StoreUnavailable."""

    def issued_names(self) -> Collection[ChangedName]:
        """Every token, access key id and customer that there is. Raises StoreUnavailable."""


class Records(Protocol):
    """Reads of keys and accounts, all from one snapshot."""

    def key(self, token_or_id: str) -> VirtualKey | None:
        """By its id, its token, or a token in its grace. Deleted keys are not there."""

    def keys_named(self, alias: str) -> tuple[VirtualKey, ...]:
        """All with this alias that are not deleted, the newest first; expired ones too."""

    def keys(self, query: KeyQuery) -> Page[VirtualKey]: ...
    def secrets(self, key_id: str) -> tuple[KeySecret, ...]: ...
    def team(self, team_id: str) -> Team | None: ...
    def teams(self, query: AccountQuery) -> Page[Team]: ...
    def members(self, team_id: str) -> tuple[Member, ...]: ...
    def memberships(self, user_id: str) -> tuple[Member, ...]: ...
    def user(self, user_id: str) -> User | None: ...
    def users(self, query: AccountQuery) -> Page[User]: ...
    def customer(self, customer_id: str) -> Customer | None: ...
    def customers(self, query: AccountQuery) -> Page[Customer]: ...
    def budget(self, budget_id: str) -> Budget | None: ...
    def budgets(self) -> tuple[Budget, ...]: ...
    def audit(self, query: AuditQuery) -> Page[AuditEntry]: ...


class Changing(Records, Protocol):
    """The same within a transaction that changes; one runs at a time, so what was read stays true until it ends."""

    def put(self, record: Record) -> None:
        """Insert, or replace what has the same id (a Member: team and user; a KeySecret: token)."""

    def remove(self, record: Record) -> None:
        """A key's secrets go with it, a team's members too. What history a store keeps is its own affair."""

    def note(self, entry: AuditEntry) -> None:
        """Write to the audit log."""

    def set_spend(self, account: Spender, spend: Decimal, by: str) -> None:
        """Set what an account spent in its budget's window, US dollars; what it spent in all stays. `by` as in Stamps.

        Written to the ledger. At the end of the change, so that calls are not held up: reads do not see it before.
        """

    def carry_spend(self, account: Spender, amount: Decimal, by: str) -> None:
        """The same for what it spent elsewhere, before: added to the window's spend and to all."""

    def reset_spends(self, after: Account | None, by: str) -> tuple[tuple[Account, Decimal], ...]:
        """Set to 0 what keys and teams spent in their windows, of some hundred by their order, from `after` on.

        Those that had spent, each with what; none: there are no more. Written to the ledger.
        """


class Registry(Protocol):
    """Keys and accounts. Both raise StoreUnavailable, and what `work` raises, which undoes a change."""

    def read(self, work: Callable[[Records], T]) -> T:
        """Run `work` in one snapshot."""

    def change(self, work: Callable[[Changing], T]) -> T:
        """Run `work` in one transaction: all of it, or nothing, and a new version if anything was put or removed."""
