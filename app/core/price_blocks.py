"""Blocks of prices as a price file writes them, and what becomes of one when newer prices are laid over it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.core.price_entries import EXACT, STANDARD, Block, Prices, Rates
from app.core.usage import TOKEN_KINDS

_MILLION = Decimal(1_000_000)
_MILLIONTH = Decimal("0.000001")


def overlaid(block: Block | None, rates: Mapping[tuple[str, int | None, str], Decimal]) -> Block:
    """A block with other rates in place of its own. `rates`: by tier, threshold and kind, for a million tokens."""
    block = block or Block()
    tiers = {STANDARD: block.standard, **block.tiers}
    for (tier, threshold, kind), price in rates.items():
        old = tiers.get(tier, Rates())
        rate = EXACT.multiply(price, _MILLIONTH)
        if threshold is None:
            tiers[tier] = Rates({**old.kinds, kind: rate}, old.above)
        else:
            above = dict(old.above)
            above[threshold] = {**above.get(threshold, {}), kind: rate}
            tiers[tier] = Rates(old.kinds, tuple(sorted(above.items())))
    return Block(tiers.pop(STANDARD), tiers)


def standard_prices(block: Block) -> dict[tuple[int | None, str], Decimal]:
    """The standard tier's dollars for a million tokens, by threshold and kind, without what is free."""
    steps: list[tuple[int | None, Prices]] = [(None, block.standard.kinds), *block.standard.above]
    return {
        (threshold, kind): EXACT.multiply(kinds[kind], _MILLION)
        for threshold, kinds in steps
        for kind in TOKEN_KINDS
        if kinds.get(kind)
    }


def free_part(block: Block) -> Block:
    """A block without the prices of tokens, but with what is free and with what is no token."""
    kinds = {kind: rate for kind, rate in block.standard.kinds.items() if kind not in TOKEN_KINDS or rate == 0}
    return Block(Rates(kinds))


def block_written(block: Block) -> dict[str, Any]:
    """As a price file has it: dollars for a million tokens and for one unit, as text."""
    written = _rates(block.standard)
    if block.tiers:
        written["tiers"] = {tier: _rates(rates) for tier, rates in sorted(block.tiers.items())}
    return written


def price_written(price: Decimal) -> str:
    """In plain notation, without zeros that say nothing."""
    return f"{price.normalize(EXACT):f}"


def _rates(rates: Rates) -> dict[str, Any]:
    written: dict[str, Any] = _tokens(rates.kinds)
    units = {kind: price_written(price) for kind, price in rates.kinds.items() if kind not in TOKEN_KINDS}
    if units:
        written["units"] = units
    if rates.above:
        written["above"] = {str(threshold): _tokens(kinds) for threshold, kinds in rates.above}
    return written


def _tokens(kinds: Prices) -> dict[str, str]:
    return {kind: price_written(EXACT.multiply(kinds[kind], _MILLION)) for kind in TOKEN_KINDS if kind in kinds}
