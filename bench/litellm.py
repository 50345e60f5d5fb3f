"""LiteLLM's proxy in its lightest setting: a master key, no database, one worker, its own defaults.

It is looked for at $LITELLM, then on the PATH; `pip install 'litellm[proxy]'` in an environment of its own. Calls go to
its /bedrock route, which AWS_BEDROCK_RUNTIME_ENDPOINT points at the stand-in.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contenders import Contender, Upstream, first_answer
from bench.machine import Cores, children
from bench.progress import say
from tests.gateway_process import MASTER_KEY, free_port
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY

LITELLM = "LiteLLM"
_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_VERSION = "from importlib.metadata import version; print(version('litellm'))"


def found(given: str | None = None) -> str | None:
    """The program. `given`: where it is, or `no`."""
    if given == "no":
        return None
    return shutil.which(given or os.environ.get("LITELLM") or "litellm")


def installed_version(program: str) -> str:
    """As the program's own Python tells it: to ask the program itself takes ten seconds."""
    interpreter = Path(program).read_text().partition("\n")[0].removeprefix("#!").strip()
    done = subprocess.run([interpreter, "-c", _VERSION], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def running_litellm(program: str | None, upstream: Upstream, cores: Cores) -> Iterator[Contender | None]:
    """None where it is not, or does not start."""
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="outcrop-") as home:
        contender = Contender(LITELLM, free_port(), "/bedrock", key=MASTER_KEY)
        command = [program, "--host", "127.0.0.1", "--port", str(contender.port), "--num_workers", "1"]
        log, began = Path(home, "log"), time.monotonic()
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command, cwd=home, env=_environment(home, upstream), stdout=output, stderr=output
            ) as process,
        ):
            try:
                yield _started(process, contender, upstream, began, cores)
            finally:
                process.terminate()
                process.wait(_STOP_SECONDS)


def _started(
    process: subprocess.Popen[bytes], contender: Contender, upstream: Upstream, began: float, cores: Cores
) -> Contender | None:
    try:
        first_answer(contender, upstream, process, _START_SECONDS)
    except (TimeoutError, ValueError) as error:
        say(f"LiteLLM is left out: {error}")
        return None
    return contender.settled((process.pid, *children(process.pid)), began, cores)


def _environment(home: str, upstream: Upstream) -> dict[str, str]:
    """Nothing of this machine; no list of prices fetched at the start, no telemetry, no log of each call."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "LITELLM_MASTER_KEY": MASTER_KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOG": "ERROR",
        "AWS_BEDROCK_RUNTIME_ENDPOINT": f"http://127.0.0.1:{upstream.port}",
        "AWS_REGION_NAME": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
