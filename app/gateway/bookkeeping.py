"""The money of a call: what it may cost before it is sent, what it cost once it has ended.

open    what the request says of itself, for whom it is, what it may cost; leave to start (admission.py)
close   what AWS's answer says was used (core/tap.py), its price, its row; booked before the caller sees the end
void    the call was never sent: everything that was taken for it is given back
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from app.core.attribution import ATTRIBUTION_MEMBERS, attribution_of
from app.core.bedrock_calls import BedrockCall
from app.core.billed_models import model_in, model_members
from app.core.callers import Caller
from app.core.errors import UpstreamSilent
from app.core.estimates import Ratios
from app.core.header_rules import Headers
from app.core.json_skim import Skimmed, skim
from app.core.ledger_entries import NO_WINDOW, Account, Charge, Ended, Entry, Posting, Window
from app.core.messages import CallRecord, Ending, ProxyRequest
from app.core.prices import PriceBook, PriceQuestion
from app.core.request_facts import FACT_MEMBERS, request_facts
from app.core.tap import Tap
from app.core.usage import UNKNOWN, Attribution, RequestFacts, Usage
from app.gateway.admission import Admission, Admitted, Order
from app.gateway.counted_names import CountedNames
from app.gateway.end_users import EndUsers
from app.gateway.model_resolver import ModelResolver
from app.gateway.ports import Ledger
from app.gateway.soft_budgets import SoftBudgets
from app.gateway.unpriced import UnpricedCalls

# all else is AWS's doing
_ENDED: Mapping[Ending, Ended] = {
    "complete": "complete",
    "client_left": "client_gone",
    "client_stalled": "client_gone",
    "stopped": "stopped",
}
_ERROR = 400
_SUCCESS = 200
_UNAVAILABLE = 503
_NO_HEADERS: Headers = ()
_NOTHING_READ = Skimmed()
NOBODY_PAYS = Admitted()
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tab:
    """What is known of one call's money while it is under way.

    `counted_end_user`, `counted_tags`: as in Entry; `admitted`: once it may start; `tap`, `status`: once AWS has
    answered.
    """

    call: BedrockCall
    facts: RequestFacts
    caller: Caller
    address: str | None
    attribution: Attribution
    question: PriceQuestion
    counted_end_user: str | None = None
    counted_tags: tuple[str, ...] = ()
    admitted: Admitted = NOBODY_PAYS
    tap: Tap | None = None
    status: int | None = None


class Bookkeeping:
    """Keeps the books of one worker's calls."""

    def __init__(  # noqa: PLR0913  # the collaborators, each by name
        self,
        *,
        admission: Admission,
        ledger: Ledger,
        end_users: EndUsers,
        prices: PriceBook,
        resolver: ModelResolver,
        hold_output_tokens: int,
        now: Callable[[], datetime],
        breathe: Callable[[], object] = lambda: None,
    ) -> None:
        """`hold_output_tokens`: held for a call that states no maximum; `now` is aware; `breathe` lets others go on."""
        self._admission = admission
        self._ledger = ledger
        self._end_users = end_users
        self._prices = prices
        self._resolver = resolver
        self._hold_output_tokens = hold_output_tokens
        self._now = now
        self._breathe = breathe
        self._ratios = Ratios()
        self._names = CountedNames()
        self._soft_budgets = SoftBudgets()
        self._unpriced = UnpricedCalls()

    @property
    def unpriced(self) -> int:
        """How many calls had no price since the start."""
        return self._unpriced.count

    def open(
        self, caller: Caller, call: BedrockCall, request: ProxyRequest, content: bytes | bytearray, record: CallRecord
    ) -> Tab:
        """Leave to start a call whose body is read.

        Raises BudgetSpent, Throttled, AccessDenied, MalformedRequest, StoreUnavailable or WorkerFull.
        """
        said = _said(call, content, self._breathe)
        facts = request_facts(call, said, request.headers, content)
        attribution = attribution_of(call, said, request.headers)
        customer = self._end_users.check(caller, attribution)
        if call.operation and call.model is None:
            record.model = model_in(call.operation, said.values)
        question = self._question(call, facts, record)
        tab = Tab(call, facts, caller, request.address, attribution, question)
        self._count_names(tab, record.arrived_at.date(), registered=customer is not None)
        order = Order(
            entry=lambda: _entry(tab, record, ended_at=record.arrived_at),
            grant=caller.grant,
            customer=customer,
            models=tuple(model for model in {record.model, question.model} if model),
            hold=lambda: self._prices.hold(question, facts, self._hold_output_tokens),
            metered=facts.reports_usage,
            billed=facts.billed,
        )
        tab.admitted = self._admission.enter(order)
        return tab

    def answered(self, tab: Tab, status: int, headers: Headers) -> Tap:
        """AWS has answered: what reads its answer."""
        tab.status = status
        tab.tap = Tap(tab.call, tab.facts, self._ratios, status, headers)
        return tab.tap

    def close(self, tab: Tab, record: CallRecord, *, reached_aws: bool) -> None:
        """Book a call that has ended. `reached_aws`: whether AWS may have got it. Never raises."""
        usage = self._usage(tab, record)
        charge = self._charge(tab, record, usage, reached_aws=reached_aws)
        self._admission.leave(tab.admitted, usage, reached_aws=reached_aws)
        now = self._now()
        ended = _ENDED.get(record.ended or "failed", "upstream_broken")
        failed = (record.status or 0) >= _ERROR or ended == "upstream_broken"
        entry = _entry(
            tab,
            record,
            ended_at=now,
            status="failure" if failed else "success",
            ended=ended,
            usage=usage,
            charge=charge,
        )
        ticket = tab.admitted.ticket_id if reached_aws else None
        booked = self._ledger.settle(Posting(entry, _accounts(tab, now), ticket))
        _note(record, usage, charge)
        record.key_spend = booked.key_spend
        if booked.spends:
            self._soft_budgets.look(tab.admitted.payers, booked.spends, now)

    def void(self, tab: Tab) -> None:
        """A call that was not sent, and of which no row will tell. Never raises."""
        self._admission.leave(tab.admitted, UNKNOWN, reached_aws=False)

    def _count_names(self, tab: Tab, day: date, *, registered: bool) -> None:
        """Under what names daily totals are to count the call."""
        key_id, named = tab.caller.key_id, tab.attribution
        if named.tags:
            tab.counted_tags = self._names.tags(key_id, named.tags, day)
        if named.end_user:
            tab.counted_end_user = self._names.end_user(key_id, named.end_user, day, registered=registered)

    def _question(self, call: BedrockCall, facts: RequestFacts, record: CallRecord) -> PriceQuestion:
        region = record.region or ""
        model = self._resolver.resolve(record.model, region) if facts.billed else record.model
        return PriceQuestion(
            model, call.service, region, record.arrived_at.date(), facts.tier, call.name, billed=facts.billed
        )

    def _usage(self, tab: Tab, record: CallRecord) -> Usage:
        complete = record.ended == "complete"
        if tab.tap:
            return tab.tap.usage(complete=complete)
        gave_up = _ENDED.get(record.ended or "failed") in ("client_gone", "stopped")
        if gave_up or record.error == UpstreamSilent.code:
            # whoever gives up while the model reads, caller or gateway, has it read all the same
            facts = replace(tab.facts, text_bytes=tab.facts.text_bytes or tab.facts.body_bytes)
            call = replace(tab.call, streams=True)
            return Tap(call, facts, self._ratios, _SUCCESS, _NO_HEADERS).usage(complete=False)
        return UNKNOWN

    def _charge(self, tab: Tab, record: CallRecord, usage: Usage, *, reached_aws: bool) -> Charge:
        # AWS's status: an error of our own says nothing about what AWS did with the call
        charge = self._prices.charge(tab.question, usage, tab.status if reached_aws else _UNAVAILABLE)
        if usage.problem:
            _log.warning(
                "the usage of call %s (%s, %s) is unknown: %s",
                record.call_id,
                record.operation,
                ascii(record.model),
                usage.problem,
            )
        elif charge.cost is None and usage.source != "unknown":
            self._unpriced.note(tab.question.model, record.operation, record.region, charge.entry)
        return charge


def _accounts(tab: Tab, at: datetime) -> tuple[tuple[Account, Window], ...]:
    """Who pays, and the end user, registered or not: whoever is registered later has spent what the rows say."""
    found = tab.admitted.accounts(at)
    if tab.counted_end_user is None:
        return found
    customer = Account("customer", tab.counted_end_user)
    return found if any(account == customer for account, _ in found) else tuple(sorted((*found, (customer, NO_WINDOW))))


def _said(call: BedrockCall, content: bytes | bytearray, breathe: Callable[[], object]) -> Skimmed:
    """Of a body that AWS bills; others are nobody's business here."""
    if not call.operation or not call.operation.billed:
        return _NOTHING_READ
    return skim(content, _members(call.operation.models), breathe)


@lru_cache(maxsize=1024)
def _members(models: tuple[str, ...]) -> frozenset[str]:
    """What is read of a body. `models`: an operation's."""
    return FACT_MEMBERS | ATTRIBUTION_MEMBERS | model_members(models)


def _entry(tab: Tab, record: CallRecord, **closing: Any) -> Entry:
    """The row of a call. `closing`: what is known at its end; `ended_at` alone: what it says if the gateway dies."""
    caller, grant = tab.caller, tab.caller.grant
    key, team = (grant.key, grant.team) if grant else (None, None)
    return Entry(
        record.call_id,
        record.arrived_at,
        **closing,
        http_status=record.status,
        error=record.error,
        key_id=key.id if key else None,
        key_token=key.token if key else None,
        key_alias=key.alias if key else caller.alias,
        team_id=key.team_id if key else None,
        team_alias=team.alias if team else None,
        user_id=key.user_id if key else None,
        attribution=tab.attribution,
        counted_end_user=tab.counted_end_user,
        key_tags=_tags(key.tags if key else (), team.tags if team else ()),
        counted_tags=tab.counted_tags,
        service=record.service,
        operation=record.operation,
        model=record.model,
        region=record.region,
        duration_ms=record.duration_ms,
        first_byte_ms=record.first_byte_ms,
        streamed=record.streamed,
        bytes_in=record.bytes_in,
        bytes_out=record.bytes_out,
        address=tab.address,
        aws_request_id=record.aws_request_id,
    )


def _tags(key: tuple[str, ...], team: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key + team)) if key or team else ()


def _note(record: CallRecord, usage: Usage, charge: Charge) -> None:
    record.cost = charge.cost
    record.usage_source = usage.source
    if usage.source == "unknown":
        return
    record.input_tokens, record.output_tokens = usage.input_tokens, usage.output_tokens
    record.cache_read_tokens, record.cache_write_tokens = usage.counts.get("cache_read", 0), usage.cache_write_tokens
