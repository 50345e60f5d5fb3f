"""What stands beside the gateway in the tables: nginx where it is installed, and the floor."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import floor
from bench.contenders import Contender, Upstream, first_answer, search_path
from bench.machine import Cores, children
from tests.gateway_process import REPOSITORY, free_port

NGINX, FLOOR = "nginx", "floor"
_STOP_SECONDS = 10.0
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
_GUNICORN = """
bind, workers, worker_class, worker_connections = "127.0.0.1:{port}", 1, "gevent", 2000
keepalive, loglevel, control_socket_disable = 95, "warning", True
"""


def nginx_version() -> str:
    """Such as nginx 1.27.3; an empty text where it is not installed."""
    program = shutil.which("nginx", path=search_path())
    if program is None:
        return ""
    told = subprocess.run([program, "-v"], stderr=subprocess.PIPE, text=True, check=True).stderr
    return told.partition("version: ")[2].split()[0].replace("/", " ")


@contextmanager
def running_nginx(upstream: Upstream, cores: Cores) -> Iterator[Contender | None]:
    """None where it is not installed."""
    program = shutil.which("nginx", path=search_path())
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="outcrop-") as home:
        port = free_port()
        configuration = Path(home, "nginx.conf")
        configuration.write_text(_NGINX.format(home=home, port=port, upstream=upstream.port))
        command = [program, "-p", home, "-e", f"{home}/error.log", "-c", str(configuration)]
        with _served(Contender(NGINX, port), command, {}, upstream, cores) as contender:
            yield contender


@contextmanager
def running_floor(upstream: Upstream, cores: Cores) -> Iterator[Contender]:
    """With one worker, as the gateway has."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="outcrop-") as home:
        settings = Path(home, "gunicorn.conf.py")
        settings.write_text(_GUNICORN.format(port=port))
        command = [sys.executable, "-m", "gunicorn", "-c", str(settings), "bench.floor:app"]
        environment = {floor.UPSTREAM: f"http://127.0.0.1:{upstream.port}", "HOME": home}
        contender = Contender(FLOOR, port, floor.PREFIX)
        with _served(contender, command, environment, upstream, cores) as served:
            yield served


@contextmanager
def _served(
    contender: Contender, command: Sequence[str], environment: Mapping[str, str], upstream: Upstream, cores: Cores
) -> Iterator[Contender]:
    began = time.monotonic()
    with subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **environment}) as process:
        try:
            first_answer(contender, upstream, process)
            yield contender.settled(tuple(children(process.pid)), began, cores)
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)
