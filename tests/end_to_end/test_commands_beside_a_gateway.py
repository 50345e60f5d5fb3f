"""`flask --app wsgi keys ...` in a process of its own, beside a gateway that runs on the same database."""

import json
import subprocess
import sys
import time
from collections.abc import Callable

import requests

from tests.gateway_process import POLL_SECONDS, REPOSITORY, GatewayProcess

# what revocations promise
_SEEN_SECONDS = 1.0


def _command(gateway: GatewayProcess, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        env=gateway.environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(POLL_SECONDS)
    return condition()


def test_a_key_made_by_a_command_calls_until_another_command_blocks_it(gateway: GatewayProcess) -> None:
    made = _command(gateway, "keys", "generate", "--alias", "by command", "--models", "amazon.*", "--json")
    assert (made.returncode, made.stderr) == (0, "")
    key = json.loads(made.stdout)["key"]

    def status() -> int:
        found = requests.post(
            f"{gateway.url}/bedrock/model/amazon.nova-lite-v1:0/converse",
            json={"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
            headers={"Authorization": f"Bearer {key}"},
            timeout=10,
        )
        return found.status_code

    assert status() == 200
    blocked = _command(gateway, "keys", "block", "by command")
    assert (blocked.returncode, blocked.stderr) == (0, "")
    assert _within(_SEEN_SECONDS, lambda: status() == 401)
    assert key not in gateway.output()


def test_an_error_leaves_standard_output_to_machines(gateway: GatewayProcess) -> None:
    result = _command(gateway, "keys", "info", "nobody's", "--json")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "Error: There is no such key. See them by `flask --app wsgi keys list`.\n"
