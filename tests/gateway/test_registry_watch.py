"""When a call has to ask what changed, instead of the poller."""

import pytest

from app.core.registry_messages import Changes
from app.gateway.registry_watch import RegistryWatch
from tests.fake_keys import FakeKeySource
from tests.fakes import Clock

LATE = 0.5


class SlowSource(FakeKeySource):
    """Each poll takes so long."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._seconds = seconds

    def changes_since(self, version: int) -> Changes:
        self._clock.advance(self._seconds)
        return super().changes_since(version)


@pytest.mark.parametrize(("seconds", "due_after"), [(0.0, 0.25), (0.2, 0.05), (0.25, 0.0), (0.8, 0.0), (3.0, 0.0)])
@pytest.mark.parametrize(("too_late", "polls"), [(0.0, 1), (0.01, 2)])
def test_a_call_asks_where_the_poller_is_late_and_not_where_its_poll_took_long(
    seconds: float, due_after: float, too_late: float, polls: int
) -> None:
    clock = Clock()
    source = SlowSource(clock, seconds)
    watch = RegistryWatch(source, 300.0, clock)
    assert watch.poll() == pytest.approx(due_after)

    clock.advance(due_after + LATE - 1e-6 + too_late)
    watch.poll_if_late()

    assert len(source.polls) == polls
