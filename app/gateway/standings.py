"""What accounts have left of their budgets and limits now, for whoever may see them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.core.accounts import Budget, Customer, Limits, Team, User, VirtualKey
from app.core.admin_rights import is_administrator, manages_team
from app.core.budget_windows import window_of
from app.core.callers import Actor, Caller
from app.core.ledger_entries import Account
from app.core.limits import key_limits, model_budget_account, model_budget_limits, with_budget
from app.core.tickets import Balance
from app.gateway.ports import Registry, UsageReads

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """An account now. `limits`: those that hold now, a shared budget's and a raise for a time among them.

    `balance` is brought up to now; `rates`: whether its counts of the minute are all there are: they are not where
    nothing limits the account, or where they are counted elsewhere. `models`: its budgets for models, by pattern.
    """

    limits: Limits
    balance: Balance
    rates: bool = True
    models: tuple[tuple[str, "Standing"], ...] = ()

    @property
    def budget(self) -> Decimal | None:
        """What a further call may cost, US dollars: what calls in flight hold is not there. None: no budget."""
        if self.limits.max_budget is None:
            return None
        return max(_ZERO, self.limits.max_budget - self.balance.spend - self.balance.held)

    @property
    def requests(self) -> int | None:
        """How many more may start in this minute. None: no limit, or not known here."""
        return self._left(self.limits.rpm_limit, self.balance.requests)

    @property
    def tokens(self) -> int | None:
        """The same of tokens."""
        return self._left(self.limits.tpm_limit, self.balance.tokens)

    @property
    def parallel_requests(self) -> int | None:
        """How many more may run at once."""
        return self._left(self.limits.max_parallel_requests, self.balance.in_flight)

    def _left(self, limit: int | None, used: int) -> int | None:
        return None if limit is None or not self.rates else max(0, limit - used)


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """A key, and what is above it, where there is any and the caller may see it."""

    key: Standing
    team: Standing | None = None
    user: Standing | None = None


class Standings:
    """Reads balances. Raises StoreUnavailable. Who may see an account is looked at by the desk that shows it."""

    def __init__(
        self, reads: UsageReads, registry: Registry, clock: Callable[[], datetime], *, rates_elsewhere: bool = False
    ) -> None:
        """`clock`: UTC; `rates_elsewhere`: rates and places are not counted with the budgets."""
        self._reads = reads
        self._registry = registry
        self._clock = clock
        self._rates_elsewhere = rates_elsewhere

    def of_key(self, actor: Actor, key: VirtualKey, budget: Budget | None) -> KeyStanding:
        """`budget`: the one that the key names."""
        team, user = self._registry.read(
            lambda records: (
                records.team(key.team_id) if key.team_id else None,
                records.user(key.user_id) if key.user_id else None,
            )
        )
        wanted = {Account("key", key.id): key_limits(key, budget, self._clock())}
        if team and manages_team(actor.caller, team.id, reads=True):
            wanted[Account("team", team.id)] = team.limits
        if user and _sees_user(actor.caller, key):
            wanted[Account("user", user.id)] = user.limits
        found = {account.kind: standing for account, standing in self._standings(wanted).items()}
        return KeyStanding(found["key"], found.get("team"), found.get("user"))

    def of_team(self, team: Team) -> Standing:
        return self._one(Account("team", team.id), team.limits)

    def of_user(self, user: User) -> Standing:
        return self._one(Account("user", user.id), user.limits)

    def of_customer(self, customer: Customer, budget: Budget | None) -> Standing:
        """`budget`: the one that the customer names."""
        return self._one(Account("customer", customer.id), with_budget(customer.limits, budget))

    def _one(self, account: Account, limits: Limits) -> Standing:
        return self._standings({account: limits})[account]

    def _standings(self, wanted: Mapping[Account, Limits]) -> dict[Account, Standing]:
        models = {account: _model_budgets(account, limits) for account, limits in wanted.items()}
        accounts = [*wanted, *(one for found in models.values() for _, one, _ in found)]
        balances = self._reads.balances(accounts)

        def standing(account: Account, limits: Limits) -> Standing:
            now = self._clock()
            balance = balances.get(account, Balance())
            limited = any(
                one is not None
                for one in (limits.max_budget, limits.rpm_limit, limits.tpm_limit, limits.max_parallel_requests)
            )
            return Standing(
                limits=limits,
                balance=balance.at(window_of(limits, now), now, int(now.timestamp()) // 60),
                rates=limited and not self._rates_elsewhere,
                models=tuple((pattern, standing(one, own)) for pattern, one, own in models.get(account, ())),
            )

        return {account: standing(account, limits) for account, limits in wanted.items()}


def _model_budgets(account: Account, limits: Limits) -> list[tuple[str, Account, Limits]]:
    return [
        (pattern, model_budget_account(account, pattern), model_budget_limits(said))
        for pattern, said in limits.model_max_budget.items()
    ]


def _sees_user(caller: Caller, key: VirtualKey) -> bool:
    """A user's own key shows what the user has left; one that was handed to somebody else does not."""
    return is_administrator(caller, reads=True) or (caller.key_id == key.id and not key.delegated)
