"""What is done to thousands of keys at once leaves others their turn, also on SQLite, which answers without a pause."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.core.accounts import Team
from app.core.virtual_keys import token_of
from tests.end_to_end.key_ring import KeyRing, key_ring
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.standin_bedrock import StandinBedrock

KEYS = 1500
# a worker that is held up answers one or two: who came before, and who waits for the end
ANSWERED_MEANWHILE = 10
UPDATES = [{"key": token_of(f"sk-copy-{number}"), "tags": ["a"]} for number in range(500)]


@pytest.fixture(scope="module")
def gateway(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    with GatewayProcess({}, standin_for_all) as running:
        yield running


@pytest.fixture(scope="module")
def ring(gateway: GatewayProcess) -> Iterator[KeyRing]:
    with key_ring(gateway.environment["DATABASE_URL"]) as ring:
        yield ring


def test_others_are_served_while_a_large_team_is_shown_changed_and_deleted(
    gateway: GatewayProcess, ring: KeyRing
) -> None:
    first = ring.issue(team_id="large").key
    ring.put(Team("large", first.stamps))
    ring.multiply(first, KEYS)

    # the best of five: what takes a moment may be over while this test is held up
    shown = max(while_under_way(gateway, lambda: post_or_get(gateway, "/team/info?team_id=large")) for _ in range(5))
    changed = max(
        while_under_way(gateway, lambda: post_or_get(gateway, "/key/bulk_update", keys=UPDATES)) for _ in range(5)
    )
    deleted = while_under_way(gateway, lambda: post_or_get(gateway, "/team/delete", team_ids=["large"]))

    assert min(shown, changed, deleted) >= ANSWERED_MEANWHILE, (shown, changed, deleted)


def while_under_way(gateway: GatewayProcess, request: Callable[[], None]) -> int:
    """How many other requests are answered meanwhile."""
    thread = threading.Thread(target=request)
    thread.start()
    answered = 0
    while thread.is_alive():
        post_or_get(gateway, "/health/liveliness")
        answered += 1
    return answered


def post_or_get(gateway: GatewayProcess, path: str, **content: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    body = json.dumps(content) if content else None
    connection.request("POST" if content else "GET", path, body, {"Authorization": f"Bearer {MASTER_KEY}"})
    reply = connection.getresponse()
    told = reply.read()
    connection.close()
    assert reply.status == 200, told[:200]
