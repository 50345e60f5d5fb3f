"""What a caller is told whose call found no room: which limit of which account, its figures, and when to try again."""

from datetime import datetime
from decimal import Decimal

from app.core.errors import AccessDenied, BudgetSpent, CallerError, Throttled
from app.core.limits import Payer
from app.core.tickets import Refusal

# calls in flight end at any moment
_HELD_RETRY_SECONDS = 1
# most of what is held is the output that a call allows, and all that can be written where it says nothing
_SMALLER = " A call that may cost less could still fit: state less output, such as maxTokens."


def refused(refusal: Refusal, payers: tuple[Payer, ...], now: datetime) -> CallerError:
    """The error that a refusal is. `payers`: among them the one that refused."""
    claim, balance = refusal.claim, refusal.balance
    payer = next(payer for payer in payers if payer.account == claim.account)
    who = f"{payer.name[:1].upper()}{payer.name[1:]}"
    next_minute = 60 - now.second
    if refusal.reason == "spent":
        fits_less = claim.budget is not None and balance.spend < claim.budget
        what = "has no room left in its budget for this call" if fits_less else "has spent its budget"
        return BudgetSpent(f"{who} {what}{_spent(refusal, payer)}. {_until(refusal)}{_SMALLER if fits_less else ''}")
    if refusal.reason == "held":
        return Throttled(
            f"{who} has no budget left for this call while others are in flight, whose cost is held until they end"
            f"{_spent(refusal, payer)}. Try again once they have ended.",
            retry_after=_HELD_RETRY_SECONDS,
        )
    if refusal.reason == "rpm":
        return Throttled(
            f"{who} has made its {claim.rpm} requests of this minute (rpm_limit). The next one begins in "
            f"{next_minute} s.",
            retry_after=next_minute,
        )
    if refusal.reason == "tpm":
        used = f"{balance.tokens} of " if payer.discloses else ""
        return Throttled(
            f"{who} has used {used}its {claim.tpm} tokens of this minute (tpm_limit). The next one begins in "
            f"{next_minute} s.",
            retry_after=next_minute,
        )
    return Throttled(
        f"{who} has its {claim.parallel} calls in flight (max_parallel_requests). Try again once one has ended.",
        retry_after=_HELD_RETRY_SECONDS,
    )


def unpriced(payer: Payer, model: str | None) -> AccessDenied:
    """A call that costs nobody knows what, on a budget."""
    return AccessDenied(
        f"{model or 'This call'} has no price here, and {payer.name} has a budget, which it would slip by. Ask the "
        "administrator to add its price to OUTCROP_PRICES, or to set unmetered_calls of the key to allow."
    )


def unmetered(payer: Payer, operation: str | None) -> AccessDenied:
    """A call of which AWS does not tell what it used, on a budget."""
    return AccessDenied(
        f"AWS does not report what {operation or 'this call'} uses, and {payer.name} has a budget, which it would slip "
        "by. Ask the administrator to set unmetered_calls of the key to allow."
    )


def _spent(refusal: Refusal, payer: Payer) -> str:
    claim, balance = refusal.claim, refusal.balance
    if not payer.discloses or claim.budget is None:
        return ""
    said = f": {_usd(balance.spend)} of {_usd(claim.budget)} USD are spent"
    if refusal.reason == "held":
        said += f", {_usd(balance.held)} held"
    return said + (f", and this call may cost {_usd(claim.hold)}" if claim.hold else "")


def _until(refusal: Refusal) -> str:
    resets_at = refusal.balance.window.resets_at
    begins = f"It begins anew at {resets_at:%Y-%m-%dT%H:%M:%SZ}" if resets_at else "It does not begin anew by itself"
    return f"{begins}; the administrator can raise it."


def _usd(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
