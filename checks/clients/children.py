"""Clients as child processes, each in an environment that holds what the client is told and nothing of this machine."""

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import IO, Protocol

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CALL_SECONDS = 90  # some clients import for many seconds, and wait for several between attempts
LOG_BYTES = 200  # of what a program that ended has said on standard error


@dataclass(frozen=True)
class Outcome:
    """What a call came to at its client: a text, or an error as the client tells it."""

    text: str = ""
    error: str = ""


@dataclass(frozen=True)
class Given:
    """What a client may know of the gateway. It stands as $KEY, $URL, $PAIR_ID and $PAIR_SECRET in its configuration.

    The pair is the AWS key pair issued with the key.
    """

    key: str
    url: str
    pair_id: str = ""
    pair_secret: str = ""

    def filled(self, template: str) -> str:
        return Template(template).safe_substitute(
            KEY=self.key, URL=self.url, PAIR_ID=self.pair_id, PAIR_SECRET=self.pair_secret
        )

    def secrets(self) -> tuple[str, ...]:
        """What AWS must never get."""
        return tuple(text for text in (self.key, self.pair_id, self.pair_secret) if text)


class Running(Protocol):
    """A client that takes calls."""

    def call(self, name: str, prompt: str) -> Outcome: ...


class Startable(Protocol):
    """How a client is started, and the text in which README.md's configuration must stand."""

    def running(self, given: Given, variables: Mapping[str, str]) -> Iterator[Running]: ...

    def source(self) -> str: ...


@contextmanager
def started(how: Startable, given: Given, variables: Mapping[str, str]) -> Iterator[Running]:
    """Start a client, and end it."""
    yield from how.running(given, variables)


@dataclass(frozen=True)
class Program:
    """A program of programs/, which stays for several calls and is asked on its standard input."""

    command: Sequence[str]
    file: Path

    def source(self) -> str:
        return self.file.read_text()

    def running(self, given: Given, variables: Mapping[str, str]) -> Iterator[Running]:
        with clean_environment(given, variables) as environment, tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                self.command,
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            with process:
                running = RunningProgram(process, log)
                yield running
                running.end()


class RunningProgram:
    """A program between two calls."""

    def __init__(self, process: subprocess.Popen[str], log: IO[bytes]) -> None:
        self._process = process
        self._log = log

    def call(self, name: str, prompt: str) -> Outcome:
        assert self._process.stdin is not None
        with _killing(self._process):
            try:
                self._process.stdin.write(f"{name} {prompt}\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended: the answer says so
            return self._answer()

    def end(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and its last call has said so
        with _killing(self._process):
            self._process.wait()

    def _answer(self) -> Outcome:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"outcome":'):
                told = json.loads(line)["outcome"]
                return Outcome(told["text"]) if "text" in told else Outcome(error=f"{told['error']}: {told['message']}")
        code = self._process.wait()
        self._log.seek(0)
        last = self._log.read()[-LOG_BYTES:].decode(errors="replace")
        return Outcome(error=f"the program ended with {code}, or was stopped after {CALL_SECONDS} s: {last}")


@dataclass(frozen=True)
class Commands:
    """A command line a call, in which $PROMPT stands for the prompt, and what it reads on standard input."""

    lines: Mapping[str, Sequence[str]]
    inputs: Mapping[str, bytes]

    def source(self) -> str:
        return "\n".join(" ".join(words) for words in self.lines.values())

    def running(self, given: Given, variables: Mapping[str, str]) -> Iterator[Running]:
        with clean_environment(given, variables) as environment:
            yield RunningCommands(self, given, environment)


@dataclass(frozen=True)
class RunningCommands:
    """Commands that know their gateway."""

    commands: Commands
    given: Given
    environment: Mapping[str, str]

    def call(self, name: str, prompt: str) -> Outcome:
        words = [self.given.filled(word).replace("$PROMPT", prompt) for word in self.commands.lines[name]]
        try:
            done = subprocess.run(
                words,
                env=self.environment,
                input=self.commands.inputs.get(name, b""),
                capture_output=True,
                timeout=CALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(error=f"no end after {CALL_SECONDS} s")
        output = done.stdout.decode("latin-1")
        if done.returncode == 0:
            return Outcome(output)
        return Outcome(error=f"exit {done.returncode}: {output}{done.stderr.decode('latin-1')}")


@contextmanager
def clean_environment(given: Given, variables: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables alone, beside a PATH and a home without anyone's AWS configuration."""
    with tempfile.TemporaryDirectory(prefix="outcrop-client-", ignore_cleanup_errors=True) as home:
        filled = {name: given.filled(value) for name, value in variables.items()}
        yield {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, **filled}


@contextmanager
def _killing(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill the process if what follows takes too long."""
    timer = threading.Timer(CALL_SECONDS, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
