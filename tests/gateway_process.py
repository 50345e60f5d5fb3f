"""Runs the real product: gunicorn in a process of its own, with an environment that holds nothing of this machine."""

import functools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from app.store.database import Database
from app.store.schema import Schema
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY, SIGNING_NAMES, StandinBedrock

MASTER_KEY = "sk-" + "7Qm2xVt9Lr4Zb8Nc1Hw6Ks3Pd5Fg0Jy7"
REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 30  # a cold start imports everything from disk, on a machine that may be busy
STOP_SECONDS = 35  # over any graceful_timeout that fits into a PaaS's 30 s
_PORTS = range(20_000, 32_000)  # below what Linux (32768) and macOS (49152) begin connections from
POLL_SECONDS = 0.02  # for what can only be asked, not awaited: does the port answer yet

Line = dict[str, Any]


class GatewayProcess:
    """Use it as a context manager, which kills it at the end, or start() and stop() it.

    env is added to the environment; a value of None takes a variable away. options go to gunicorn's command line.
    """

    def __init__(
        self,
        env: Mapping[str, str | None] | None = None,
        standin: StandinBedrock | None = None,
        options: Sequence[str] = (),
        *,
        directory: Path = REPOSITORY,
        application: str = "wsgi:app",
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._temporary = tempfile.TemporaryDirectory(prefix="outcrop-", ignore_cleanup_errors=True)
        self.home = Path(self._temporary.name)
        self.environment = self._environment(standin, env or {})
        self._command = [sys.executable, "-m", "gunicorn", *options, application]
        self._directory = directory
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []

    def _environment(self, standin: StandinBedrock | None, env: Mapping[str, str | None]) -> dict[str, str]:
        instance = self.home / "instance"
        instance.mkdir()
        (instance / "outcrop.sqlite3").write_bytes(_database_with_tables())
        merged: dict[str, str | None] = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),  # no ~/.aws, no ~/.netrc
            "TMPDIR": tempfile.gettempdir(),
            "PYTHONUNBUFFERED": "1",
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite:///{instance / 'outcrop.sqlite3'}",
            "LITELLM_MASTER_KEY": MASTER_KEY,
            "AWS_REGION_NAME": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            **(endpoint_variables(standin) if standin else {}),
            **_spool_beside(instance, env),
            **env,
        }
        return {name: value for name, value in merged.items() if value is not None}

    def start(self) -> None:
        """Return once GET /health/liveliness answers 200; raise RuntimeError with the output if it does not."""
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while not self._is_alive():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the gateway did not start: exit {self.process.returncode}\n{self.output()}")
            time.sleep(POLL_SECONDS)

    def launch(self) -> None:
        """Start the process without waiting for it, for tests of a start that must fail."""
        self._process = subprocess.Popen(
            self._command,
            cwd=self._directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # stop() can then end the workers with the master
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        pipes = ((self._process.stdout, self.stdout), (self._process.stderr, self.stderr))
        self._readers = [threading.Thread(target=self._collect, args=pipe, daemon=True) for pipe in pipes]
        for reader in self._readers:
            reader.start()

    def wait_exit(self, timeout: float = START_SECONDS) -> int:
        """Return the exit code once the process has ended by itself and its output has been read."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return code

    def terminate(self) -> None:
        """SIGTERM, as a PaaS sends it, without waiting."""
        self.process.terminate()

    def stop(self) -> None:
        """SIGTERM and wait; what is left after STOP_SECONDS is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._clean_up()

    def kill(self) -> None:
        """SIGKILL to the master and its workers at the same moment."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def _clean_up(self) -> None:
        for reader in self._readers:
            reader.join(10)
        self._temporary.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Killed, as a clean stop takes gunicorn two seconds: what a stop does is for the tests of stops."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._clean_up()

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the gateway was not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def rss_kib(self) -> int:
        """Return the workers' resident memory; the master's is not in it."""
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in self.worker_pids()]
        return sum(int(status.partition("VmRSS:")[2].split()[0]) for status in statuses)

    def open_files(self) -> list[str]:
        """Return what the workers' descriptors stand for, such as "socket:[4711]" or a path."""
        names = []
        for descriptor in [d for pid in self.worker_pids() for d in Path(f"/proc/{pid}/fd").iterdir()]:
            try:
                names.append(str(descriptor.readlink()))
            except FileNotFoundError:
                pass  # closed since it was listed
        return names

    def output(self) -> str:
        return "\n".join(["--- stdout", *self.stdout, "--- stderr", *self.stderr])

    def log_lines(self, event: str | None = "request") -> list[Line]:
        """Return the JSON lines on stdout: those of requests, of another event, or of all events (None)."""
        lines = [line for line in map(_parsed, list(self.stdout)) if line is not None]
        return [line for line in lines if event in (None, line.get("event"))]

    def wait_for_log(
        self, predicate: Callable[[Line], object] = bool, timeout: float = 10, event: str | None = "request"
    ) -> Line:
        """Return the first such line for which the predicate holds, waiting for it to come."""
        with self._changed:
            found = self._changed.wait_for(lambda: [x for x in self.log_lines(event) if predicate(x)], timeout)
        if not found:
            raise TimeoutError(f"no such log line within {timeout} s\n{self.output()}")
        return found[0]

    def wait_for_output(self, text: str, timeout: float = 10) -> None:
        """Wait until the text has appeared on stdout or stderr."""
        with self._changed:
            if not self._changed.wait_for(lambda: text in self.output(), timeout):
                raise TimeoutError(f"{text!r} did not appear within {timeout} s\n{self.output()}")

    def clear_log(self) -> None:
        with self._changed:
            self.stdout.clear()
            self.stderr.clear()

    def _collect(self, pipe: IO[str], lines: list[str]) -> None:
        with pipe:
            for line in pipe:
                with self._changed:
                    lines.append(line.rstrip("\n"))
                    self._changed.notify_all()

    def _is_alive(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                host = f"127.0.0.1:{self.port}"
                request = f"GET /health/liveliness HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                connection.sendall(request.encode())
                return connection.recv(1024).split(b" ")[1:2] == [b"200"]
        except OSError:
            return False


@functools.cache
def _database_with_tables() -> bytes:
    """Return a SQLite file as a gateway leaves it that ran before: a first start takes a second longer."""
    with tempfile.TemporaryDirectory(prefix="outcrop-") as folder:
        path = Path(folder) / "outcrop.sqlite3"
        database = Database.at(f"sqlite:///{path}")
        Schema(database).create()
        database.close()
        return path.read_bytes()


def _spool_beside(instance: Path, env: Mapping[str, str | None]) -> dict[str, str]:
    """Of SQLite it is beside the database; of a database elsewhere it would be in the checkout."""
    return {"OUTCROP_SPOOL_DIR": str(instance / "spool")} if "DATABASE_URL" in env else {}


def endpoint_variables(standin: StandinBedrock) -> dict[str, str]:
    """Return AWS_ENDPOINT_URL_<SERVICE> for each service of the stand-in."""
    return {f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}": standin.url(service) for service in SIGNING_NAMES}


def free_port() -> int:
    """Return a port that nobody has, and that no connection is begun from before a gateway listens there."""
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port


def _parsed(line: str) -> Line | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
