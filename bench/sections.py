"""The measurements: unary calls, streams, and what a gateway takes from its start on. Rounds alternate, every other one
in the contrary order, so that nobody is always first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench import load
from bench.contenders import STRAIGHT, Contender, Upstream
from bench.gateways import SQLITE, Setting, running_gateway
from bench.litellm import LITELLM
from bench.machine import Cores, megabytes
from bench.progress import say
from bench.samples import CONNECTIONS, Samples, calls_key, streams_key

LITELLM_STREAMS = (100, 200)
# nine seconds to the first byte were seen of LiteLLM; it is measured without what more it takes
_LITELLM_SLACK_SECONDS = 20.0
_LIFE_SECONDS = 2.0
_WARM_UP_CALLS = 16
_WARM_UP_STREAMS = 4
_WARM_UP_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Field:
    """What all measurements share. `seconds`: of each; `calls`, `few_calls`: after which memory is read (LiteLLM's)."""

    cores: Cores
    upstream: Upstream
    samples: Samples
    seconds: float
    rounds: int
    calls: int
    few_calls: int

    def job(self, contender: Contender) -> load.Job:
        return replace(contender.job(self.upstream, self.cores), seconds=self.seconds)

    def warm_up(self, contender: Contender) -> None:
        """So that nothing is done for the first time while it is measured."""
        job = replace(self.job(contender), seconds=_WARM_UP_SECONDS)
        load.run(replace(job, connections=_WARM_UP_CALLS))
        load.run(replace(job, kind="streams", connections=_WARM_UP_STREAMS))
        contender.forget()


def measure_calls(field: Field, contenders: Sequence[Contender]) -> None:
    """Each of them at each number of connections, round by round."""
    for contender in contenders:
        field.warm_up(contender)
    for number in range(field.rounds):
        say(f"calls, round {number + 1} of {field.rounds}")
        for count in CONNECTIONS:
            for contender in contenders[:: -1 if number % 2 else 1]:
                _calls(field, contender, count)


def _calls(field: Field, contender: Contender, count: int) -> None:
    numbers = load.run(replace(field.job(contender), connections=count))
    field.samples.add(contender.name, calls_key(count), numbers)
    contender.forget()
    used = f", {numbers['cpu_us']:,.0f} us of CPU a call" if "cpu_us" in numbers else ""
    say(
        f"  {contender.name:<20}{count:>3} connections: {numbers['per_second']:8,.0f} calls per second, "
        f"p50 {numbers['took_p50_ms']:8.3f} ms{used}"
    )


class Streams:
    """Few before many, each round at a gateway that has just started: memory that more streams, or calls, had taken
    would hide what these take. The others' is read in the first round alone.
    """

    def __init__(self, field: Field, contenders: Sequence[Contender], counts: Sequence[int], rounds: int) -> None:
        """`counts`: how many at once; the beginning and the middle of them for those that stand beside."""
        self._field = field
        self._others = contenders
        self._counts = counts
        self._rounds = rounds

    def run(self) -> None:
        for number in range(self._rounds):
            say(f"streams, round {number + 1} of {self._rounds}")
            with running_gateway(self._field.upstream, self._field.cores) as gateway:
                contenders = [other for other in self._others if other.name != LITELLM or number == 0]
                self._round([*contenders, gateway.contender][:: -1 if number % 2 else 1], first=number == 0)

    def _round(self, contenders: Sequence[Contender], *, first: bool) -> None:
        for contender in contenders:
            self._field.warm_up(contender)
        idle = {contender.name: megabytes(contender.workers) for contender in contenders}
        for count in sorted({*self._counts, *LITELLM_STREAMS} if self._has_litellm() else self._counts):
            for contender in contenders:
                if count in self._of(contender):
                    self._streams(contender, count, idle[contender.name] if first or contender.name == SQLITE else None)

    def _has_litellm(self) -> bool:
        return any(other.name == LITELLM for other in self._others)

    def _of(self, contender: Contender) -> Sequence[int]:
        if contender.name == LITELLM:
            return LITELLM_STREAMS
        whole = contender.name in (STRAIGHT, SQLITE)
        return self._counts if whole else (self._counts[0], self._counts[len(self._counts) // 2])

    def _streams(self, contender: Contender, count: int, idle_mb: float | None) -> None:
        slack = _LITELLM_SLACK_SECONDS if contender.name == LITELLM else 0.0
        job = replace(self._field.job(contender), kind="streams", connections=count, slack=slack)
        numbers = load.run(job)
        if contender.workers and idle_mb is not None:
            numbers["stream_kb"] = (numbers["rss_kib"] * 1.024 - 1000 * idle_mb) / count
        self._field.samples.add(contender.name, streams_key(count), numbers)
        contender.forget()
        say(
            f"  {contender.name:<20}{count:>4} streams: {numbers['per_second']:7,.0f} events per second, "
            f"first byte p99 {numbers['first_byte_p99_ms']:7.1f} ms, delay p99 {numbers['delay_p99_ms']:7.2f} ms, "
            f"{numbers['failed']:.0f} incomplete"
        )


def measure_life(field: Field, settings: Sequence[Setting], litellm: Contender | None, rounds: int) -> None:
    """How long a start takes, and memory then; in the last round also after many calls."""
    for number in range(rounds):
        for setting in settings:
            with running_gateway(field.upstream, field.cores, setting) as gateway:
                _life(field, gateway.contender, field.calls if number == rounds - 1 else 0)
    if litellm:
        _life(field, litellm, field.few_calls)


def _life(field: Field, contender: Contender, calls: int) -> None:
    numbers = {"start_seconds": contender.start_seconds, "idle_mb": megabytes(contender.workers)}
    if calls:
        before = field.upstream.calls()
        while field.upstream.calls() < before + calls:
            load.run(replace(field.job(contender), connections=CONNECTIONS[-1], seconds=_LIFE_SECONDS))
            contender.forget()
        numbers["after_mb"] = megabytes(contender.workers)
    field.samples.add(contender.name, "", numbers)
    then = f", {numbers['after_mb']:.1f} MB after {calls:,} calls" if calls else ""
    begun = f"{numbers['start_seconds']:.2f} s to the first answer, {numbers['idle_mb']:.1f} MB"
    say(f"  {contender.name:<20}{begun}{then}")
