"""Calls that have nothing to do with the fault, one each tenth of a second: all must be served, and soon."""

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.end_to_end.streams import converse_request
from tests.faults.counts import count
from tests.raw_client import exchange

MODEL = "amazon.nova-micro-v1:0"
REQUEST = converse_request(f"/bedrock/model/{MODEL}/converse")
INTERVAL_SECONDS = 0.1
# far over what a call takes, and far under what it would take behind a fault: machines stand still for a moment
BOUND_SECONDS = count("BOUND_MS", 5000) / 1000


@dataclass(frozen=True)
class Probed:
    """One call: when it began, on the monotonic clock; how long it took; status 0: there was no answer."""

    began: float
    seconds: float
    status: int


class Probe:
    """A context manager. Its calls come on connections of their own, so that accepting is tried too."""

    def __init__(self, port: int, request: bytes = REQUEST) -> None:
        self._port = port
        self._request = request
        self._calls: list[Probed] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(15)

    def assert_served(self, since: float) -> None:
        """All calls since that moment, one that begins now included, were answered 200 within the bound."""
        now = time.monotonic()
        while not any(call.began > now for call in list(self._calls)):
            assert time.monotonic() < now + 15, "the probe's calls come to no end"
            time.sleep(INTERVAL_SECONDS / 10)
        seen = [call for call in list(self._calls) if call.began >= since]
        assert [call for call in seen if call.status != 200 or call.seconds > BOUND_SECONDS] == []

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                status = exchange(self._port, self._request).status
            except OSError:
                status = 0
            self._calls.append(Probed(began, time.monotonic() - began, status))
            self._stopping.wait(INTERVAL_SECONDS)
