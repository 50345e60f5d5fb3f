"""Changes of the registry, in the line that they stand in."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

from app.core.callers import Actor, Caller
from app.gateway.audited_changes import AuditedRegistry, Minutes
from tests.fake_registry import NOW, FakeRegistry
from tests.gateway.key_desk_setting import ADMINISTRATOR

TEAM_ADMIN = Actor(Caller(alias="ann", may_call_everything=False, admin_of=frozenset(("red",))))


def test_however_much_a_team_s_admin_changes_the_administrator_has_a_turn() -> None:
    """Else whoever fills the line with large changes could not be blocked."""
    audited = AuditedRegistry(FakeRegistry(), lambda: NOW, lambda: "id", lambda: None)
    entered, ended = Semaphore(0), Event()

    def long(minutes: Minutes) -> str:
        entered.release()
        ended.wait(10)
        return minutes.actor.caller.alias

    with ThreadPoolExecutor(4) as pool:
        changes = [pool.submit(audited.change, TEAM_ADMIN, long) for _ in range(3)]
        assert entered.acquire(timeout=10)
        assert audited.change(ADMINISTRATOR, lambda minutes: minutes.actor.caller.alias) == "master"
        others_entered = entered.acquire(timeout=0.2)
        ended.set()
    assert not others_entered
    assert [change.result() for change in changes] == ["ann"] * 3
