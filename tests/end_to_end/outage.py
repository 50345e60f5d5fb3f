"""A gateway on a database server of its own, which can be stopped, frozen and started again."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from tests.databases import private_postgres
from tests.end_to_end.key_ring import Issued, key_ring
from tests.end_to_end.streams import CONVERSE, converse_request
from tests.gateway_process import GatewayProcess
from tests.raw_client import RawReply, exchange, raw_request
from tests.standin_bedrock import StandinBedrock


class Outage:
    """A gateway on a PostgreSQL server of its own, which can be stopped and started."""

    def __init__(self, stack: ExitStack, standin: StandinBedrock, environment: Mapping[str, str | None]) -> None:
        self._server = private_postgres()
        self.url = stack.enter_context(self._server)
        self.settings = {"DATABASE_URL": self.url, **environment}
        self.gateway = stack.enter_context(GatewayProcess(self.settings, standin))
        with key_ring(self.url) as ring:
            self.warm, self.cold = ring.issue(), ring.issue()

    def stop(self) -> None:
        self._server.stop()
        self.wait_for_readiness(lambda status, body: "keys" in body)

    def start(self) -> None:
        self._server.start()

    def freeze(self) -> None:
        self._server.freeze()

    def thaw(self) -> None:
        self._server.thaw()

    def call(self, issued: Issued) -> RawReply:
        return exchange(self.gateway.port, converse_request(CONVERSE, issued.text))

    def readiness(self) -> tuple[int, dict[str, str]]:
        reply = exchange(self.gateway.port, raw_request("GET", "/health/readiness"))
        return reply.status, json.loads(reply.body)

    def wait_for_readiness(self, holds: Callable[[int, dict[str, str]], bool], timeout: float = 30) -> float:
        """Seconds until it says so."""
        began = time.monotonic()
        while not holds(*self.readiness()):
            assert time.monotonic() < began + timeout, self.readiness()
            time.sleep(0.05)
        return time.monotonic() - began
