"""How a batch's moves change a balance, in the SQL of both databases: the rules of core/tickets.py, for many at once.

`b` is the balance's row, and each `{m}name` a value of ledger_sums.Move; without a posting (a ticket alone ends) all of
them are NULL but the amounts, which are 0.
- A window that was over when the latest posting ended starts anew with what belongs to that posting's window.
- What ended in an earlier window than the balance's is no part of the spend that is told; total_spend has it.
- Another duration keeps the spend and moves the window's end, unless the posting is so old that its window is over:
  such a one says what window it was in only to a balance that nothing ever moved (its minute is 0).
- Tokens count in the minute in which their call ended, or in the next, where clocks differ; older ones throttle nobody.
"""

from collections.abc import Mapping

# A sum past what a column holds stays at that: the ledger's lines tell the truth, and later ones can still be booked.
_MOST = 2**63 - 1
POSTGRESQL: Mapping[str, str] = {
    "m": "m.",
    "now": "$5",
    "same": "IS NOT DISTINCT FROM",
    "other": "IS DISTINCT FROM",
    "most": "greatest",
    "least": "least",
    # a sum of two bigints can be more than one
    "wide": "::numeric",
    "narrow": "::bigint",
}
SQLITE: Mapping[str, str] = {
    "m": ":",
    "now": ":now",
    "same": "IS",
    "other": "IS NOT",
    "most": "max",
    "least": "min",
    "wide": "",
    "narrow": "",
}
_OVER = "b.resets_at <= {m}ended_at"
_EARLIER = "(b.duration {same} {m}duration AND {m}resets_at < b.resets_at)"
_OTHER_WINDOW = """({m}ended_at IS NOT NULL AND ({over} OR
            (b.duration {other} {m}duration AND ({m}resets_at IS NULL OR {m}resets_at > {now} OR b.minute = 0))))"""
_SUM = "{least}({limit}, {one}{wide} + {other}){narrow}"
_MOVED: Mapping[str, str] = {
    "spend": """CASE WHEN {over} THEN {m}open WHEN {earlier} THEN b.spend
            ELSE {spend} END""",
    "total_spend": "{total_spend}",
    "duration": "CASE WHEN {other_window} THEN {m}duration ELSE b.duration END",
    "resets_at": "CASE WHEN {other_window} THEN {m}resets_at ELSE b.resets_at END",
    "minute": "CASE WHEN {m}minute > b.minute THEN {m}minute ELSE b.minute END",
    "requests": "CASE WHEN {m}minute > b.minute THEN 0 ELSE b.requests END",
    "tokens": """CASE WHEN {m}minute > b.minute THEN {m}tokens
            WHEN {m}minute = b.minute THEN b.tokens + {m}tokens + {m}tokens_before
            WHEN {m}minute = b.minute - 1 THEN b.tokens + {m}tokens ELSE b.tokens END""",
}


def moved(words: Mapping[str, str]) -> dict[str, str]:
    """An expression for each column that a posting moves. `words`: POSTGRESQL or SQLITE."""
    parts = {
        "over": _OVER.format_map(words),
        "earlier": _EARLIER.format_map(words),
        "spend": sum_of(words, "b.spend", f"{words['m']}open"),
        "total_spend": sum_of(words, "b.total_spend", f"{words['m']}total"),
    }
    parts["other_window"] = _OTHER_WINDOW.format_map({**words, **parts})
    return {column: rule.format_map({**words, **parts}) for column, rule in _MOVED.items()}


def sum_of(words: Mapping[str, str], one: str, other: str) -> str:
    """Of two amounts of money."""
    return _SUM.format_map({**words, "limit": _MOST, "one": one, "other": other})


def assigned(expressions: Mapping[str, str]) -> str:
    """For SET."""
    return ",\n        ".join(f"{column} = {expression}" for column, expression in expressions.items())
