"""Who pays for a call, what each of them limits, and what a ticket must claim for it.

A key's or a customer's own limits win over those of the budget it names, field by field. A budget for one model is an
account of its own beside the account that has it. A new limit is one more field of a Claim.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Any

from app.core import model_names
from app.core.accounts import Budget, Customer, KeyGrant, Limits, VirtualKey
from app.core.budget_windows import window_of
from app.core.ledger_entries import Account, Window
from app.core.tickets import Claim
from app.core.value import value

# what the database counts money in: a hold that is rounded there would come back as another
_SMALLEST_USD = Decimal("1e-12")
# no call costs more, whatever its body says; some dozens of such holds still fit into the database's numbers
_DEAREST_USD = Decimal(100_000)
_MODEL_BUDGET_AMOUNTS = ("budget_limit", "max_budget")
_MODEL_BUDGET_SPANS = ("time_period", "budget_duration")
_ZERO = Decimal(0)
_UNLIMITED = (None, None, None)


@value
class Payer:
    """An account that pays for a call, with the limits that hold for it now, its budget's among them.

    `name`: for messages to the caller, such as `key "ci"`; `discloses`: whether the caller may read its figures, which
    of an account that others use too would tell of theirs.
    """

    account: Account
    limits: Limits
    name: str
    discloses: bool = True


@dataclass(frozen=True, slots=True)
class PayingCustomer:
    """An end user who is known, and the budget it names."""

    customer: Customer
    budget: Budget | None = None


def payers_of(
    grant: KeyGrant | None, customer: PayingCustomer | None, models: tuple[str, ...], now: datetime
) -> tuple[Payer, ...]:
    """All whom a call moves, sorted by account, none twice.

    `grant` is None for the master key, which nobody pays for; `models`: the names by which the call's model is known,
    as it was asked for and as what that stands for, none where no model can be told.
    """
    layers = _layers(grant, raised=_is_raised(grant.key, now)) if grant else ()
    if customer:
        layers = (*layers, _customer(customer))
    budgets = [payer for layer in layers if layer.limits.model_max_budget for payer in _model_budgets(layer, models)]
    if not customer and not budgets:
        return layers
    return tuple(sorted((*layers, *budgets), key=lambda payer: payer.account))


def accounts_of(payers: tuple[Payer, ...], at: datetime) -> tuple[tuple[Account, Window], ...]:
    """What a posting moves: each account with its window at that moment."""
    return tuple((payer.account, window_of(payer.limits, at)) for payer in payers)


def claims_of(payers: tuple[Payer, ...], hold: Decimal | None, now: datetime) -> tuple[Claim, ...]:
    """What a call asks for, of the accounts that limit anything. `hold`: US dollars, None for what costs nothing."""
    claims = []
    for payer in payers:
        limits = payer.limits
        rates = (limits.rpm_limit, limits.tpm_limit, limits.max_parallel_requests)
        # what costs nothing may run on a budget that is spent
        budget = None if hold is None else limits.max_budget
        if budget is None and rates == _UNLIMITED:
            continue
        held = _ZERO if budget is None or hold is None else _countable(hold)
        claims.append(Claim(payer.account, window_of(limits, now), held, budget, *rates))
    return tuple(claims)


def budgeted(payers: tuple[Payer, ...]) -> Payer | None:
    """The first that has a budget, if any: calls that cannot be metered would slip by it."""
    return next((payer for payer in payers if payer.limits.max_budget is not None), None)


def soft_budget_passed(limits: Limits, spend: Decimal) -> bool:
    """Whether it is time to warn. `spend`: US dollars in the window."""
    return limits.soft_budget is not None and spend >= limits.soft_budget


def with_budget(own: Limits, budget: Budget | None) -> Limits:
    """`own`, and the budget's where it says nothing."""
    if budget is None:
        return own
    unsaid = {field.name for field in fields(Limits) if getattr(own, field.name) in (None, {})}
    return replace(own, **{name: getattr(budget.limits, name) for name in unsaid})


def key_limits(key: VirtualKey, budget: Budget | None, now: datetime) -> Limits:
    """A key's limits now: its own, its budget's, and a raise that ends by itself."""
    return _key_limits(key, budget, raised=_is_raised(key, now))


def model_budget_account(owner: Account, pattern: str) -> Account:
    """`key:<id>:<pattern>`; colons in ids are written %3A, so that no two accounts have one name."""
    return Account("model_budget", f"{owner.kind}:{owner.id.replace('%', '%25').replace(':', '%3A')}:{pattern}")


def model_budget_limits(said: Mapping[str, Any]) -> Limits:
    """Of one entry in `model_max_budget`, by either of the peer's names for its fields."""
    amount = next((said[name] for name in _MODEL_BUDGET_AMOUNTS if said.get(name) is not None), None)
    span = next((said[name] for name in _MODEL_BUDGET_SPANS if said.get(name) is not None), None)
    return Limits(max_budget=None if amount is None else Decimal(str(amount)), budget_duration=span)


def _is_raised(key: VirtualKey, now: datetime) -> bool:
    return key.temp_budget_expiry is not None and key.temp_budget_expiry > now


def _key_limits(key: VirtualKey, budget: Budget | None, *, raised: bool) -> Limits:
    limits = with_budget(key.limits, budget)
    if limits.max_budget is None or key.temp_budget_increase is None or not raised:
        return limits
    return replace(limits, max_budget=limits.max_budget + key.temp_budget_increase)


@lru_cache(maxsize=4096)
def _layers(grant: KeyGrant, *, raised: bool) -> tuple[Payer, ...]:
    """A team or user that is gone still pays: a key outlives them, and says so."""
    key, team, user = grant.key, grant.team, grant.user
    limits = _key_limits(key, grant.budget, raised=raised)
    layers = [Payer(Account("key", key.id), limits, _named("key", key.alias, key.key_name))]
    if key.team_id is not None:
        name = _named("team", team.alias if team else None, key.team_id)
        layers.append(Payer(Account("team", key.team_id), team.limits if team else Limits(), name))
    if key.user_id is not None:
        name = _named("user", user.alias if user else None, key.user_id)
        limits = user.limits if user else Limits()
        # whoever was handed a delegated key is somebody else than its user
        layers.append(Payer(Account("user", key.user_id), limits, name, discloses=not key.delegated))
    return tuple(layers)  # key, team, user: sorted


def _customer(paying: PayingCustomer) -> Payer:
    customer = paying.customer
    name = _named("end user", None, customer.id)  # as the caller calls it: an alias may be another team's word
    limits = with_budget(customer.limits, paying.budget)
    return Payer(Account("customer", customer.id), limits, name, discloses=customer.team_id is not None)


def _model_budgets(payer: Payer, models: tuple[str, ...]) -> list[Payer]:
    return [
        Payer(
            model_budget_account(payer.account, pattern),
            model_budget_limits(said),
            f"{payer.name} for {pattern}",
            payer.discloses,
        )
        for pattern, said in payer.limits.model_max_budget.items()
        if any(len(model) <= model_names.LONGEST_MODEL and model_names.allows((pattern,), model) for model in models)
    ]


def _named(kind: str, alias: str | None, otherwise: str) -> str:
    return f'{kind} "{alias or otherwise}"'


def _countable(hold: Decimal) -> Decimal:
    return min(max(hold, _ZERO), _DEAREST_USD).quantize(_SMALLEST_USD, ROUND_CEILING)
