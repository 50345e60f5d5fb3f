"""Callers who go on calling whatever becomes of the gateway, and remember what each call came to."""

import random
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.core.accounts import Limits, Stamps, Team, User
from app.store.database import Database
from app.store.registry import Change, Registry
from tests.end_to_end.fleet import calling
from tests.end_to_end.key_ring import Issued, key_ring
from tests.end_to_end.ledger_sums import eventually
from tests.end_to_end.streams import CONVERSE, CONVERSE_STREAM
from tests.fake_keys import NOW
from tests.faults.counts import count
from tests.faults.probe import BOUND_SECONDS
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawConnection, RawReply
from tests.standin_answers import converse, converse_frames
from tests.standin_messages import Answer, Recorded, event_stream

ROOMY = Limits(max_budget=Decimal(1000), rpm_limit=10**6, max_parallel_requests=1000)
# how long a worker may not know that keys were changed: then those are unknown until the database is asked
LOOKED_WITHIN_SECONDS = 1.2
# 150 ms are waited, and the rest is the disk's
DELAY_SECONDS = count("DELAY_MS", 1000) / 1000
_STAMPS = Stamps(NOW, "master", NOW, "master")
_PACE_SECONDS = 0.002
_STREAMED_SHARE = 0.4
# so that a gateway that is gone is not asked as fast as a loop turns
_AGAIN_SECONDS = 0.02
CALLERS = 6


def answer(request: Recorded) -> Answer:
    """Of AWS: whole, or as a stream that takes a while."""
    return event_stream(converse_frames(), _PACE_SECONDS) if request.path.endswith("-stream") else converse(request)


@dataclass(frozen=True)
class Keys:
    """`free` have no limit anywhere above them, `limited` have."""

    free: tuple[Issued, ...]
    limited: tuple[Issued, ...]

    @property
    def all(self) -> tuple[Issued, ...]:
        return self.free + self.limited


def some_keys(url: str) -> Keys:
    """Of a team and a user and of none, in a database that has its tables."""
    database = Database.at(url)

    def accounts(change: Change) -> None:
        change.put(Team("red", _STAMPS))
        change.put(Team("blue", _STAMPS, limits=ROOMY))
        change.put(User("ada", _STAMPS))

    Registry(database, lambda: NOW).change(accounts)
    database.close()
    with key_ring(url) as ring:
        return Keys(
            free=(ring.issue(team_id="red", user_id="ada"), ring.issue()),
            limited=(ring.issue(team_id="blue", user_id="ada", limits=ROOMY), ring.issue(limits=ROOMY)),
        )


@dataclass(frozen=True)
class Call:
    """What became of one: `status` 0: nothing came; `whole`: its reply was read to its end."""

    key: str
    streamed: bool
    status: int
    whole: bool
    id: str | None
    retry_after: str | None
    began: float  # time.monotonic()
    seconds: float

    @property
    def served(self) -> bool:
        return self.status == 200 and self.whole

    @property
    def ended(self) -> float:
        return self.began + self.seconds


class Load:
    """So many callers, each with all keys in turn; those of a `with` stop at its end."""

    def __init__(
        self,
        gateway: GatewayProcess,
        keys: Sequence[Issued],
        callers: int = CALLERS,
        *,
        pause: float = 0.0,
        seed: int = 0,
    ) -> None:
        """`pause`: seconds between the calls of a caller, on average."""
        self.calls: list[Call] = []
        self._port = gateway.port
        self._keys = keys
        self._pause = pause
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(seed * callers + one,)) for one in range(callers)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def served(self) -> list[Call]:
        return [call for call in list(self.calls) if call.served]

    def since(self, moment: float) -> list[Call]:
        """Those that began at that moment of time.monotonic(), or later."""
        return [call for call in list(self.calls) if call.began >= moment]

    def before(self, moment: float) -> list[Call]:
        """Those that had ended by then."""
        return [call for call in list(self.calls) if call.ended < moment]

    def warm_up(self) -> None:
        """Until the keys are known to be as they are, and each was served."""
        time.sleep(LOOKED_WITHIN_SECONDS)
        began = time.monotonic()
        names = {issued.key.id for issued in self._keys}
        eventually(lambda: {call.key for call in self.since(began) if call.served} == names)

    def _run(self, seed: int) -> None:
        chance = random.Random(seed)
        connection: RawConnection | None = None
        while not self._stopping.wait(self._pause * 2 * chance.random() if self._pause else 0):
            issued = chance.choice(self._keys)
            target = CONVERSE_STREAM if chance.random() < _STREAMED_SHARE else CONVERSE
            connection, call = self._call(connection, issued, target)
            self.calls.append(call)
            if not call.whole:
                self._stopping.wait(_AGAIN_SECONDS)
        if connection:
            connection.close()

    def _call(self, connection: RawConnection | None, issued: Issued, target: str) -> tuple[RawConnection | None, Call]:
        began = time.monotonic()
        reply: RawReply | None = None
        try:
            connection = connection or RawConnection(self._port, timeout=20)
            connection.send(calling(issued.text, target))
            reply = connection.read_reply()
        except (OSError, ValueError):
            pass  # the gateway is gone, or went within a line
        whole = reply is not None and reply.ended == "clean"
        if connection and not (whole and reply and reply.header("Connection") != "close"):
            connection.close()
            connection = None
        return connection, Call(
            key=issued.key.id,
            streamed=target == CONVERSE_STREAM,
            status=reply.status if reply else 0,
            whole=whole,
            id=reply.header("x-litellm-call-id") if reply else None,
            retry_after=reply.header("Retry-After") if reply else None,
            began=began,
            seconds=time.monotonic() - began,
        )


def of(calls: Iterable[Call], keys: Iterable[Issued]) -> list[Call]:
    """The calls of these keys."""
    ids = {issued.key.id for issued in keys}
    return [call for call in calls if call.key in ids]


def check_delay(calls: Sequence[Call], before: Sequence[Call]) -> None:
    """Three tenths of a second are promised over what calls took `before` the fault, and `make faults` holds them to
    it. Machines are noisy: one call in ten may be later."""
    if not calls:
        return
    took, usual = (sorted(call.seconds for call in some) for some in (calls, before))
    assert took[len(took) * 9 // 10] <= DELAY_SECONDS + usual[len(usual) * 9 // 10]
    assert took[-1] <= BOUND_SECONDS


def spread(calls: Iterable[Call]) -> str:
    """How long they took, in ms, for people."""
    took = sorted(call.seconds * 1000 for call in calls)
    if not took:
        return "none"
    parts = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p100", 1.0))
    said = ", ".join(f"{name} {took[min(len(took) - 1, int(len(took) * part))]:.0f}" for name, part in parts)
    return f"{len(took)} calls, ms: {said}"
