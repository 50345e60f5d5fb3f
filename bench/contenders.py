"""Who is measured: nothing at all, nginx where it is installed, and the gateway. One works at a time."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Job, connect, is_whole, request
from bench.machine import Cores, children, pin, pinned
from tests.gateway_process import MASTER_KEY, REPOSITORY, GatewayProcess, free_port

_START_SECONDS = 10.0
_POLL_SECONDS = 0.02
# what it has to do and nothing else: no log, no buffers that would hold events back
_NGINX = """
daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off; client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
    uwsgi_temp_path {home}; scgi_temp_path {home}; keepalive_timeout 95; keepalive_requests 100000000;
    upstream bedrock {{ server 127.0.0.1:{upstream}; keepalive 2000; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://bedrock; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; proxy_read_timeout 600;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The running stand-in."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Contender:
    """Where calls go. `workers`: the processes that carry them there."""

    name: str
    port: int
    prefix: str = ""
    workers: tuple[int, ...] = ()

    def job(self, upstream: Upstream, cores: Cores) -> Job:
        """One call; the rest is for dataclasses.replace."""
        return Job("calls", self.port, self.prefix, MASTER_KEY, 1, 0, self.workers, upstream.pid, cores.worker)


@contextmanager
def running_upstream(cores: Cores) -> Iterator[Upstream]:
    command = [sys.executable, "-m", "bench.upstream"]
    with (
        pinned(cores.upstream),
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        yield Upstream(int(process.stdout.readline()), process.pid)  # the end of its input ends it


@contextmanager
def running_nginx(upstream: Upstream, cores: Cores) -> Iterator[Contender | None]:
    """None where it is not installed."""
    program = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="outcrop-") as home:
        port = free_port()
        configuration = Path(home, "nginx.conf")
        configuration.write_text(_NGINX.format(home=home, port=port, upstream=upstream.port))
        with subprocess.Popen([program, "-p", home, "-e", f"{home}/error.log", "-c", configuration]) as process:
            try:
                contender = Contender("nginx", port)
                _first_answer(contender.job(upstream, cores))
                workers = tuple(children(process.pid))
                for pid in (process.pid, *workers):
                    pin(pid, cores.worker)
                yield Contender("nginx", port, workers=workers)
            finally:
                process.terminate()


@dataclass(frozen=True, slots=True)
class Gateway:
    """The running gateway, and how long it took from its start to its first answer."""

    process: GatewayProcess
    contender: Contender
    start_seconds: float


@contextmanager
def running_gateway(upstream: Upstream, cores: Cores) -> Iterator[Gateway]:
    """With one worker and a log that somebody reads, as in production."""
    process = GatewayProcess({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{upstream.port}", "WEB_CONCURRENCY": "1"})
    began = time.monotonic()
    with process:
        workers = tuple(process.worker_pids())
        contender = Contender("Outcrop", process.port, "/bedrock", workers)
        _first_answer(contender.job(upstream, cores))
        took = time.monotonic() - began
        for pid in (process.pid, *workers):
            pin(pid, cores.worker)
        yield Gateway(process, contender, took)


def _first_answer(job: Job) -> None:
    """Ask until there is an answer."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with connect(job) as connection:
                connection.sendall(request(job, "converse", 1))
                answer = connection.recv(65536)
                while answer and not is_whole(answer):
                    answer += connection.recv(65536)
        except OSError:
            answer = b""
        if answer.startswith(b"HTTP/1.1 200 "):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer on port {job.port}: {answer[:200]!r}")
        time.sleep(_POLL_SECONDS)
