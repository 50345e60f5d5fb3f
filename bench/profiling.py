"""Where the worker's CPU goes, by py-spy, which reads a running process from outside: `pip install py-spy`."""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from bench import load
from bench.contenders import Upstream, search_path
from bench.gateways import running_gateway
from bench.machine import Cores

_CONNECTIONS = 32
_SAMPLES_PER_SECOND = 500
_SHOWN = 60
_BESIDE_SECONDS = 1.0
# how gevent's threads wait for work, which py-spy takes for work
_WAITING = "acquire_with_timeout (gevent/_threading.py"


def profiled(upstream: Upstream, cores: Cores, seconds: float) -> str:
    """The functions that most of a unary call's time is spent in, or below."""
    program = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{search_path()}")
    if program is None:
        return "py-spy is not installed"
    with running_gateway(upstream, cores) as gateway, tempfile.TemporaryDirectory(prefix="outcrop-") as home:
        folded = Path(home, "folded")
        [worker] = gateway.contender.workers
        command = [program, "record", "--pid", str(worker), "--duration", str(max(1, round(seconds)))]
        command += ["--rate", str(_SAMPLES_PER_SECOND), "--format", "raw", "--output", str(folded)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL):
            job = gateway.contender.job(upstream, cores)
            load.run(replace(job, connections=_CONNECTIONS, seconds=seconds + _BESIDE_SECONDS))
        return _told(folded.read_text())


def _told(folded: str) -> str:
    """Each line of py-spy's is the functions of a stack, outermost first, and how often it was seen."""
    below: Counter[str] = Counter()
    itself: Counter[str] = Counter()
    total = 0
    for stack, _, count in (line.rpartition(" ") for line in folded.splitlines()):
        functions = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        if functions[-1] == _WAITING:
            continue
        below.update(dict.fromkeys(functions, int(count)))
        itself[functions[-1]] += int(count)
        total += int(count)
    if not total:
        return "py-spy saw nothing"
    lines = [
        f"{100 * seen / total:6.1f}{100 * itself[name] / total:8.1f}  {name}"
        for name, seen in below.most_common(_SHOWN)
    ]
    return "\n".join([" below  itself  % of the worker's samples", *lines])
