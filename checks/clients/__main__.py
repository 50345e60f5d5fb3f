"""python -m checks.clients [CLIENT ...]: every client, or those whose names hold one of the words."""

import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial

from checks.clients.answers import THROTTLED, answer
from checks.clients.aws_clients import LATE_CLIENTS, LateClient
from checks.clients.children import REPOSITORY, Given, Outcome, Running, started
from checks.clients.clients import CLIENTS
from checks.clients.configurations import ENVIRONMENT, HERE, Client
from checks.clients.issuing import Administrator
from checks.clients.judging import Verdict, answered_so, refused, stands_in_readme, succeeded, throttled
from checks.clients.litellm_commands import LITE
from checks.clients.litellm_library import LIBRARY
from checks.clients.steps import Site, State, Story, told
from tests.gateway_process import GatewayProcess
from tests.standin_bedrock import StandinBedrock
from tests.standin_messages import Recorded

WRONG_KEY = "sk-" + "4Tz9Wc6Jn1Xp8Ld3Rb7Yg2Mh5Vk0Qs4F"
WRONG_SECRET = "Wr0ng/Secret+Access/Key/For/The/Pair000"
SECRET_KEY = "a secret key of the check, as long as one must be"
BEYOND_DEFAULT = ("AccessDeniedException", "operations do not include")
PROMPT = "Hello"  # one word: programs.serving takes a call and a prompt a line


class Check:
    """Drives clients, and keeps what came of it."""

    def __init__(self, gateway: GatewayProcess, standin: StandinBedrock) -> None:
        self._gateway = gateway
        self._administrator = Administrator(gateway.url)
        self._standin = standin
        self._readme = (REPOSITORY / "README.md").read_text()
        self.passed = 0
        self.failed = 0

    def run(self, client: Client) -> None:
        """Run all calls of a client with a key of its own, one also throttled by AWS, and what must be refused."""
        first = client.calls[0]
        given = self._administrator.issue(client.name, client.operations)
        with started(client.how, given, client.variables) as running:
            for call in client.calls:
                outcome, arrived = self._called(running, call.name, PROMPT)
                self._tell(client.name, call.name, succeeded(call, outcome, arrived, given))
            name = client.throttled_by or first.name
            outcome, arrived = self._called(running, name, THROTTLED)
            self._tell(client.name, f"{name}, throttled", throttled(client, outcome, arrived, given))
        if client.beyond_default:
            small = self._administrator.issue(f"{client.name}, default rights")
            what = f"{client.beyond_default}, default rights"
            self._tell(client.name, what, self._refused(client, small, client.beyond_default, BEYOND_DEFAULT))
        wrong = Given(WRONG_KEY, given.url, given.pair_id, WRONG_SECRET)
        words = (*client.refused, client.refusal)
        self._tell(client.name, f"{first.name}, wrong key", self._refused(client, wrong, first.name, words))
        logged = self._gateway.log_lines()
        named = any(line["key_alias"] == client.name for line in logged)
        self._tell(client.name, "in the request log", Verdict("" if named else "no line names the key's alias"))
        if client.readme:
            self._tell(client.name, "as in README.md", stands_in_readme(client, self._readme))

    def run_late(self, client: LateClient) -> None:
        """Run a client whose clock is late, with a pair that is right."""
        given = self._administrator.issue(client.name)
        with started(client.how, given, client.variables) as running:
            for what, attempts in (("first call", client.first), ("second call", client.second)):
                self._gateway.clear_log()
                outcome, arrived = self._called(running, client.call.name, PROMPT)
                status = attempts[-1][0]
                try:
                    self._gateway.wait_for_log(partial(has_status, status))
                except TimeoutError:
                    pass  # what was answered instead is told below
                if status == 200:
                    verdict = succeeded(client.call, outcome, arrived, given)
                else:
                    verdict = refused(client.told, outcome, arrived)
                answered = tuple((line["status"], line["error"]) for line in self._gateway.log_lines())
                self._tell(client.name, what, verdict if verdict.reason else answered_so(answered, attempts))

    def run_story(self, story: Story[State]) -> None:
        """Run the steps of an administrator's client, which each see what those before have left."""
        self._standin.reset()
        self._standin.answer = answer
        for what, verdict in told(story, Site(self._administrator, self._standin)):
            self._tell(story.name, what, verdict)

    def _refused(self, client: Client, given: Given, name: str, words: tuple[str, ...]) -> Verdict:
        with started(client.how, given, client.variables) as running:
            outcome, arrived = self._called(running, name, PROMPT)
        return refused(words, outcome, arrived)

    def _called(self, running: Running, name: str, prompt: str) -> tuple[Outcome, list[Recorded]]:
        self._standin.reset()
        self._standin.answer = answer
        return running.call(name, prompt), list(self._standin.requests)

    def _tell(self, name: str, what: str, verdict: Verdict) -> None:
        if verdict.reason:
            self.failed += 1
        else:
            self.passed += 1
        outcome = f"FAILED  {verdict.reason}" if verdict.reason else f"ok      {verdict.note}".rstrip()
        say(f"{name:<34}{what:<48}{outcome}")


def has_status(status: int, line: Mapping[str, object]) -> bool:
    return line["status"] == status


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def chosen(words: list[str]) -> Callable[[str], bool]:
    return lambda name: not words or any(word.lower() in name.lower() for word in words)


def main(words: list[str]) -> int:
    if not (ENVIRONMENT / "python").exists() or not (HERE / "node_modules").exists() or not shutil.which("node"):
        say("The clients are not installed, or node is missing: install Node.js 20 or later and say `make clients`.")
        return 1
    wanted = chosen(words)
    with StandinBedrock() as standin, GatewayProcess({"SECRET_KEY": SECRET_KEY}, standin) as gateway:
        check = Check(gateway, standin)
        for client in CLIENTS:
            if wanted(client.name):
                check.run(client)
        for late in LATE_CLIENTS:
            if wanted(late.name):
                check.run_late(late)
        if wanted(LITE.name):
            check.run_story(LITE)
        if wanted(LIBRARY.name):
            check.run_story(LIBRARY)
        if gateway.process.poll() is not None:
            say(f"The gateway has ended meanwhile.\n{gateway.output()[-2000:]}")
    say(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed or not check.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
