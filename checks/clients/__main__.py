"""python -m checks.clients [CLIENT ...]: every client, or those whose names hold one of the words."""

import shutil
import sys
from collections.abc import Callable

from checks.clients.answers import THROTTLED, answer
from checks.clients.children import REPOSITORY, Given, Outcome, Running, started
from checks.clients.clients import CLIENTS, ENVIRONMENT, HERE, Client
from checks.clients.judging import Verdict, refused, stands_in_readme, succeeded, throttled
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Recorded

WRONG_KEY = "sk-" + "4Tz9Wc6Jn1Xp8Ld3Rb7Yg2Mh5Vk0Qs4F"
PROMPT = "Hello"  # one word: programs.serving takes a call and a prompt a line


class Check:
    """Drives clients, and keeps what came of it."""

    def __init__(self, gateway: GatewayProcess, standin: StandinBedrock) -> None:
        self._url = gateway.url + "/bedrock"
        self._standin = standin
        self._readme = (REPOSITORY / "README.md").read_text()
        self.passed = 0
        self.failed = 0

    def run(self, client: Client) -> None:
        """Run all calls of a client, the first also throttled by AWS, and with a wrong key."""
        first = client.calls[0]
        with started(client.how, Given(MASTER_KEY, self._url), client.variables) as running:
            for call in client.calls:
                outcome, arrived = self._called(running, call.name, PROMPT)
                self._tell(client, call.name, succeeded(call, outcome, arrived, MASTER_KEY))
            name = client.throttled_by or first.name
            outcome, arrived = self._called(running, name, THROTTLED)
            self._tell(client, f"{name}, throttled", throttled(client, outcome, arrived, MASTER_KEY))
        with started(client.how, Given(WRONG_KEY, self._url), client.variables) as running:
            outcome, arrived = self._called(running, first.name, PROMPT)
            self._tell(client, f"{first.name}, wrong key", refused(client, outcome, arrived))
        if client.readme:
            self._tell(client, "as in README.md", stands_in_readme(client, self._readme))

    def _called(self, running: Running, name: str, prompt: str) -> tuple[Outcome, list[Recorded]]:
        self._standin.reset()
        self._standin.answer = answer
        return running.call(name, prompt), list(self._standin.requests)

    def _tell(self, client: Client, what: str, verdict: Verdict) -> None:
        if verdict.reason:
            self.failed += 1
        else:
            self.passed += 1
        outcome = f"FAILED  {verdict.reason}" if verdict.reason else f"ok      {verdict.note}".rstrip()
        say(f"{client.name:<29}{what:<33}{outcome}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def chosen(words: list[str]) -> Callable[[Client], bool]:
    return lambda client: not words or any(word.lower() in client.name.lower() for word in words)


def main(words: list[str]) -> int:
    if not (ENVIRONMENT / "python").exists() or not (HERE / "node_modules").exists() or not shutil.which("node"):
        say("The clients are not installed, or node is missing: install Node.js 20 or later and say `make clients`.")
        return 1
    with StandinBedrock() as standin, GatewayProcess(standin=standin) as gateway:
        check = Check(gateway, standin)
        for client in filter(chosen(words), CLIENTS):
            check.run(client)
    say(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed or not check.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
