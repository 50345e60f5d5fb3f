"""Rates and places in Redis, 6 or later: each question is one script, which takes all that a ticket asks or nothing.

Of each account there is a hash of its last minute {minute, requests, tokens}, by Redis's own clock, and where places
are limited a sorted set of leases: the calls in flight, each until when it is believed without being renewed. All keys
share one hash tag, so that they live on one node of a cluster, as a script must have it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from app.core.errors import GatewayError, StoreUnavailable
from app.core.tickets import Balance, Claim, Reason, Refusal, Ticket
from app.store.batching import SILENCE_SECONDS, Batching
from app.store.breaker import Breaker
from app.store.redis_scripts import GIVE_BACK, RENEW, SETTLE, TAKE, Script

# A connection is waited for longer than callers wait, and then given up, so that a new one can be tried.
_GIVEN_UP_SECONDS = 1.0
# an idle connection is looked at before it is used: firewalls forget such
_IDLE_SECONDS = 15
LEASE_SECONDS = 20.0
_NO_LIMIT = -1
_REASONS: Sequence[Reason] = ("rpm", "tpm", "parallel")
# leases that one script renews, so that it holds up nobody
_RENEWED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Run:
    """A script to be run. `ticket`: the one that it takes, None for all other scripts."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[str | int]
    ticket: Ticket | None = None


class RedisCounters:
    """The port Counters."""

    def __init__(
        self,
        url: str,
        *,
        lease_seconds: float = LEASE_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`url`: redis:// or rediss://. `silence_seconds`: how long Redis may say nothing before it is away.

        Nothing connects yet. Raises ValueError, without the URL, for what is none.
        """
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=_GIVEN_UP_SECONDS,
                socket_connect_timeout=_GIVEN_UP_SECONDS,
                health_check_interval=_IDLE_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:  # its text may repeat a part of the URL, and so of the password
            raise ValueError("no URL of a Redis server: write redis://:password@host:6379/0") from None
        self._breaker = Breaker("the Redis of limits", clock)
        self._runs: Batching[_Run, Sequence[int]] = Batching(self, self._breaker, clock, silence_seconds)
        self._lease_ms = int(lease_seconds * 1000)
        self._lock = Lock()
        # Of each call in flight the minute that it counts in, by Redis's clock, and its accounts' keys of leases
        self._minutes: dict[str, int] = {}
        self._leases: dict[str, tuple[str, ...]] = {}

    def take(self, ticket: Ticket) -> Refusal | None:
        """All that the ticket's claims ask for, or nothing and why. Raises StoreUnavailable."""
        self._breaker.check()
        limits = [_NO_LIMIT if one is None else one for claim in ticket.claims for one in _limits(claim)]
        answer = self._runs.ask(_Run(TAKE, _keys(ticket), [self._lease_ms, ticket.id, *limits], ticket))
        number, reason, minute, requests, tokens, in_flight = answer
        if number:
            balance = Balance(minute=minute, requests=requests, tokens=tokens, in_flight=in_flight)
            return Refusal(_REASONS[reason], ticket.claims[number - 1], balance)
        leases = tuple(_lease_key(claim) for claim in ticket.claims if claim.parallel is not None)
        with self._lock:
            self._minutes[ticket.id] = minute
            if leases:
                self._leases[ticket.id] = leases
        return None

    def give_back(self, ticket: Ticket) -> None:
        """The call never reached AWS: as if it had not been asked for, also in its minute. Never raises."""
        minute = self._forget(ticket)
        if minute is not None:
            self._tell(_Run(GIVE_BACK, _keys(ticket), [ticket.id, minute]))

    def settle(self, ticket: Ticket, tokens: int) -> None:
        """The call has ended: its places are free, and its tokens count in this minute. Never raises."""
        if self._forget(ticket) is not None:
            self._tell(_Run(SETTLE, _keys(ticket), [ticket.id, max(0, tokens)]))

    def renew(self) -> None:
        """Go on believing in this worker's calls; to be called several times within a lease. Never raises.

        One whose lease ran out is not taken up again: it may have ended meanwhile.
        """
        try:
            self._breaker.check()
        except StoreUnavailable:
            return
        with self._lock:
            leases = sorted({(key, name) for name, keys in self._leases.items() for key in keys})
        for start in range(0, len(leases), _RENEWED_AT_ONCE):
            some = leases[start : start + _RENEWED_AT_ONCE]
            self._ask(_Run(RENEW, [key for key, _ in some], [self._lease_ms, *(name for _, name in some)]))

    def answer(self, questions: Sequence[_Run]) -> Sequence[Sequence[int]]:
        """For Batching. Raises StoreUnavailable."""
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for run in questions:
                    pipeline.evalsha(run.script.sha, len(run.keys), *run.keys, *run.arguments)
                answers = pipeline.execute(raise_on_error=False)
            return [self._checked(run, answer) for run, answer in zip(questions, answers, strict=True)]
        except RedisError as error:
            raise self._breaker.unavailable(type(error).__name__) from None

    def unheard(self, question: _Run, answer: Sequence[int]) -> None:
        """For Batching: a ticket that was taken for nobody."""
        if question.ticket and not answer[0]:
            self._runs.post(_Run(GIVE_BACK, question.keys, [question.ticket.id, answer[2]]))

    def failed(self, question: _Run) -> None:
        """For Batching. What is not told to a Redis that is away, it forgets by itself."""

    def close(self) -> None:
        """Close the connections, once nobody waits for what comes over them, or it was given up."""
        self._runs.wait_until_idle(2 * _GIVEN_UP_SECONDS)
        self._redis.close()

    def _forget(self, ticket: Ticket) -> int | None:
        with self._lock:
            self._leases.pop(ticket.id, None)
            return self._minutes.pop(ticket.id, None)

    def _tell(self, run: _Run) -> None:
        if not self._breaker.is_open:
            self._ask(run)

    def _ask(self, run: _Run) -> None:
        try:
            self._runs.ask(run)
        except GatewayError:
            pass  # as `failed` says

    def _checked(self, run: _Run, answer: Any) -> Sequence[int]:
        """Raises RedisError."""
        if isinstance(answer, NoScriptError):  # a Redis that was started anew, or never saw it
            answer = self._redis.eval(run.script.text, len(run.keys), *run.keys, *run.arguments)
        if isinstance(answer, Exception):
            raise answer
        return [int(number) for number in answer]


def _limits(claim: Claim) -> tuple[int | None, int | None, int | None]:
    return claim.rpm, claim.tpm, claim.parallel


def _keys(ticket: Ticket) -> list[str]:
    return [key for claim in ticket.claims for key in (_minute_key(claim), _lease_key(claim))]


def _minute_key(claim: Claim) -> str:
    return f"{{outcrop}}:minute:{claim.account.kind}:{claim.account.id}"


def _lease_key(claim: Claim) -> str:
    return f"{{outcrop}}:leases:{claim.account.kind}:{claim.account.id}"
