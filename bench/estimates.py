"""How far off estimates are: every recorded stream is cut after each of its events, and what the tap then estimates is
compared with what AWS reported at the end.

The truth at a cut: the input that AWS reported, and of the output the share of all text that had come; at the last cut
before usage is known, all of the output. `cold` knows the ratios that a worker starts with; `warm` has learned from
all the other recordings too, as a worker does.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from app.core.estimates import Ratios
from app.core.json_skim import skim
from app.core.request_facts import FACT_MEMBERS, request_facts
from app.core.tap import Tap
from app.core.usage import CACHE_WRITES, Usage
from app.core.usage_reader import Reader, UsageReader
from app.core.usage_readers import reader_for
from tests.recordings import FOLDER, Recording, recordings

_INPUTS = ("input", "cache_read", *CACHE_WRITES)
FindRatios = Callable[[Recording], Ratios]


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut of one stream: tokens as estimated and as they were, and whether it is the last before usage is known."""

    name: str
    events: int
    output: tuple[int, float]
    total: tuple[int, float]
    last: bool = False


def report() -> str:
    """The table, as text; or what is missing for it."""
    streams = [one for one in recordings() if _reports(one)]
    if not streams:
        return f"no recorded streams in {FOLDER}"
    lines = [
        f"{len(streams)} recorded streams, each cut after every event: relative error of the estimate, p50 and p90",
        f"{'ratios':<8}{'cuts':<12}{'number':>7}   {'output tokens':>17}   {'all tokens':>17}",
    ]
    kinds: tuple[tuple[str, FindRatios], ...] = (
        ("cold", lambda _: Ratios()),
        ("warm", lambda one: _learned(streams, one)),
    )
    for name, ratios in kinds:
        cuts = [cut for one in streams for cut in cuts_of(one, ratios(one))]
        lines += [_line(name, "all", cuts), _line(name, "the last", [cut for cut in cuts if cut.last])]
    return "\n".join(lines)


def cuts_of(recording: Recording, ratios: Ratios) -> Iterator[Cut]:
    """Every cut before the end at which usage is estimated. `ratios` learn nothing from it."""
    pieces = list(_events(recording.body))
    whole, reader = _read(recording, pieces, Ratios(), complete=True)
    text = reader.produced.text_bytes
    found: list[Cut] = []
    for number in range(1, len(pieces)):
        usage, reader = _read(recording, pieces[:number], ratios, complete=False)
        if usage.source != "estimated":
            break
        share = reader.produced.text_bytes / text if text else number / len(pieces)
        truth = max(1.0, whole.output_tokens * share)
        output, total = (usage.output_tokens, truth), (usage.total_tokens, _input(whole) + truth)
        found.append(Cut(recording.name, number, output, total))
    yield from (replace(cut, last=cut is found[-1]) for cut in found)


def _reports(recording: Recording) -> bool:
    if not recording.call.streams or recording.status != 200:
        return False
    usage, _ = _read(recording, [recording.body], Ratios(), complete=True)
    # an agent's traces report as they come, whatever text there is
    return usage.source == "reported" and not usage.by_model


def _read(recording: Recording, pieces: Sequence[bytes], ratios: Ratios, *, complete: bool) -> tuple[Usage, Reader]:
    asked = recording.request_body
    facts = request_facts(recording.call, skim(asked, FACT_MEMBERS), recording.request_headers, asked)
    made: list[UsageReader] = []

    def find(*what: object) -> UsageReader | None:
        reader = reader_for(*what)  # type: ignore[arg-type]  # handed on as they came
        made.extend([reader] if reader else [])
        return reader

    tap = Tap(recording.call, facts, ratios, recording.status, recording.headers, find=find)
    for piece in pieces:
        tap.feed(piece)
    usage = tap.usage(complete=complete)
    reader = made[0]
    assert isinstance(reader, Reader)  # what the table of readers makes
    return usage, reader


def _learned(streams: Sequence[Recording], but: Recording) -> Ratios:
    """After all the others, three times over: a worker sees more than a hundred calls of each kind."""
    ratios = Ratios()
    for _ in range(3):
        for one in streams:
            if one.name != but.name:
                _read(one, [one.body], ratios, complete=True)
    return ratios


def _events(body: bytes) -> Iterator[bytes]:
    """A stream's events, each with its end."""
    if body[:1] != b"\0":
        yield from (block + b"\n\n" for block in body.split(b"\n\n") if block)
        return
    start = 0
    while start + 4 <= len(body):
        (length,) = struct.unpack_from("!I", body, start)
        yield body[start : start + length]
        start += length


def _input(usage: Usage) -> int:
    return sum(usage.counts.get(kind, 0) for kind in _INPUTS)


def _line(name: str, which: str, cuts: Sequence[Cut]) -> str:
    output = sorted(abs(found - truth) / truth for found, truth in (cut.output for cut in cuts))
    total = sorted(abs(found - truth) / truth for found, truth in (cut.total for cut in cuts))
    return f"{name:<8}{which:<12}{len(cuts):>7}   {_percent(output)}   {_percent(total)}"


def _percent(errors: Sequence[float]) -> str:
    p50, p90 = (errors[min(len(errors) - 1, int(len(errors) * part))] for part in (0.5, 0.9))
    return f"{p50:>7.1%} {p90:>9.1%}"
