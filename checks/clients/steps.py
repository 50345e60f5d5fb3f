"""A client of the admin routes, step by step: each sees what those before have left, and says what it did not find."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

import requests

from checks.clients.issuing import Administrator
from checks.clients.judging import Verdict
from tests.standin_bedrock import StandinBedrock

State = TypeVar("State")


class Unmet(Exception):
    """What a step did not find."""


def expect(met: object, reason: str) -> None:
    """Raises Unmet."""
    if not met:
        raise Unmet(reason)


def expect_equal(found: object, expected: object, what: str) -> None:
    """Raises Unmet."""
    expect(found == expected, f"{what}: {found!r} instead of {expected!r}")


@dataclass(frozen=True)
class Site:
    """The gateway that the client is pointed at, as its administrator knows it, and the AWS behind it."""

    administrator: Administrator
    standin: StandinBedrock


@dataclass(frozen=True)
class Story(Generic[State]):
    """opened: the client, ready. A step's name is what is told of it."""

    name: str
    opened: Callable[[Site], AbstractContextManager[State]]
    steps: Sequence[Callable[[State], None]]


def told(story: Story[State], site: Site) -> Iterator[tuple[str, Verdict]]:
    """Run the steps; a step that fails does not end the story."""
    with story.opened(site) as state:
        for step in story.steps:
            try:
                step(state)
                verdict = Verdict()
            except (Unmet, LookupError, TypeError, requests.RequestException) as error:
                verdict = Verdict(f"{type(error).__name__}: {error}")
            yield step.__name__.replace("_", " "), verdict
