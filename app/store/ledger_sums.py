"""What a batch of postings moves: per account, and per day and thing. Money is whole 10^-12 USD throughout.

A batch is summed before it is booked, so that a database changes each row once, however many postings move it.
"""

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.core.ledger_entries import OTHER, Account, Posting, Window
from app.core.model_names import foundation_model
from app.store.ledger_lines import Line, capped, moment_of, name_of

TOTALS = (
    "calls",
    "failures",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost",
    "duration_ms",
    "under_100ms",
    "under_300ms",
    "under_1s",
    "under_3s",
    "under_10s",
    "under_30s",
    "under_100s",
    "longer",
)
# a call counts in the first that it is under
_LIMITS_MS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
_BUCKETS = TOTALS[-len(_LIMITS_MS) - 1 :]
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
TotalKey = tuple[str, str, str]  # day, kind, id: the table's primary key
Sum = dict[str, Any]


@dataclass(slots=True)
class Move:
    """What one account's balance gets. `window` is that of the latest posting, which ended at `ended_at`.

    `open`: the cost of postings whose window is not over at `ended_at`; `total`: of all. `tokens`: of postings that
    ended in `minute`, the latest that any did; `tokens_before`: in the one before it.
    """

    ended_at: datetime
    window: Window
    open: int = 0
    total: int = 0
    minute: int = 0
    tokens: int = 0
    tokens_before: int = 0

    def advance(self, at: datetime, window: Window, minute: int) -> None:
        """To a later posting's end."""
        if self.window.resets_at is not None and self.window.resets_at <= at:
            self.open = 0
        if minute > self.minute:
            self.tokens_before = self.tokens if minute == self.minute + 1 else 0
            self.tokens = 0
        self.ended_at, self.window, self.minute = at, window, minute

    def columns(self, account: Account) -> dict[str, Any]:
        """With the account's, as the statements take them: moments as text, in UTC without saying so."""
        resets_at = self.window.resets_at
        return {
            "kind": account.kind,
            "id": account.id,
            "ended_at": moment_of(self.ended_at),
            "duration": self.window.duration,
            "resets_at": resets_at and moment_of(resets_at),
            "open": self.open,
            "total": self.total,
            "minute": self.minute,
            "tokens": self.tokens,
            "tokens_before": self.tokens_before,
        }


@dataclass(slots=True)
class Sums:
    """Of a batch."""

    moves: dict[Account, Move] = field(default_factory=dict)
    # what is counted under the same names is summed before it is counted under each
    _groups: dict[tuple[Any, ...], Sum] = field(default_factory=dict)

    def count(self, line: Line, tags: Iterable[str], claimed_tags: Iterable[str], sign: int = 1) -> None:
        """Into the daily totals; `sign` -1: out of them. Adjustments and carried sums count by their cost alone."""
        model = line["model"]
        if model is not None and _may_be_made_up(line):
            model = OTHER
        names = (line["key_id"], line["team_id"], line["user_id"], line["counted_end_user"], model)
        _add(
            self._groups.setdefault((line["day"], names, tuple(tags), tuple(claimed_tags)), {}),
            _parts_of(line) if line["kind"] == "call" else {"cost": line["cost"] or 0},
            sign,
        )

    def totals(self) -> dict[TotalKey, Sum]:
        """The parts of each day's totals that are not 0."""
        found: dict[TotalKey, Sum] = {}
        for (day, names, tags, claimed_tags), parts in self._groups.items():
            for kind, name in _counted(names, tags, claimed_tags):
                _add(found.setdefault((day, kind, name), {}), parts)
        for total in found.values():
            total["cost"] = capped(total.get("cost", 0))
        return found

    def pay(self, posting: Posting, cost: int, tokens: int) -> None:
        """Onto each of the posting's accounts. Postings come in the order in which they ended."""
        at = posting.entry.ended_at
        minute = int(at.timestamp()) // 60
        for account, window in posting.accounts:
            move = self.moves.get(account)
            if move is None:
                move = self.moves[account] = Move(at, window, minute=minute)
            else:
                move.advance(at, window, minute)
            move.open = capped(move.open + cost)
            move.total = capped(move.total + cost)
            move.tokens += tokens


def sums_of(postings: Iterable[tuple[Posting, Line]], replaced: Mapping[str, Line]) -> Sums:
    """`replaced`: by request id, the lines that are taken out so that these can take their place."""
    sums = Sums()
    # by the time they ended: what is over at the end of a batch shows by then
    for posting, line in sorted(postings, key=lambda one: one[0].entry.ended_at):
        entry = posting.entry
        sums.count(line, entry.key_tags, entry.counted_tags)
        cost, tokens = line["cost"] or 0, line["total_tokens"]
        before = replaced.get(line["request_id"])
        if before is not None:
            counted = before["note"].get("counted_tags", before["claimed_tags"])
            sums.count(before, before["key_tags"], counted, sign=-1)
            cost, tokens = cost - (before["cost"] or 0), tokens - before["total_tokens"]
        sums.pay(posting, cost, tokens)
    return sums


def _add(total: Sum, parts: Sum, sign: int = 1) -> None:
    for part, amount in parts.items():
        total[part] = total.get(part, 0) + sign * amount


def _parts_of(line: Line) -> Sum:
    parts: Sum = {name: line[name] for name in _TOKENS if line[name]}
    parts["calls"] = 1
    if line["status"] == "failure":
        parts["failures"] = 1
    if line["cost"] is None:
        parts["unpriced"] = 1
    else:
        parts["cost"] = line["cost"]
    duration = line["duration_ms"]
    if duration is not None:
        parts["duration_ms"] = duration
        parts[_BUCKETS[bisect(_LIMITS_MS, duration)]] = 1
    return parts


def _counted(
    names: Iterable[str | None], tags: Iterable[str], claimed_tags: Iterable[str]
) -> Iterator[tuple[str, str]]:
    yield "all", ""
    for kind, name in zip(_NAMED, names, strict=True):
        if name is not None:
            yield kind, name_of(name) or ""
    for kind, its_tags in (("tag", tags), ("claimed_tag", claimed_tags)):
        for tag in dict.fromkeys(map(name_of, its_tags)):
            yield kind, tag or ""


_NAMED = ("key", "team", "user", "end_user", "model")
# How AWS refuses a model that there is not, or that the account may not use; 499: its caller did not wait for that
_REFUSED = (400, 403, 404, 499)


def _may_be_made_up(line: Line) -> bool:
    """A model that nobody but the caller names: a day would else have a row for each name that callers make up.

    One that the price book has by this very name is none of these, whatever became of the call.
    """
    if line["status"] != "failure" or line["http_status"] not in _REFUSED:
        return False
    priced = line["model_priced"]
    return priced is None or priced not in (line["model"], foundation_model(line["model"]))
