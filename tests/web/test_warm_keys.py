"""What authentication and policy cost the database: nothing for a key that is known, little for those that are not."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from tests.web.admin_client import AdminClient

CONVERSE = "/bedrock/model/us.amazon.nova-lite-v1%3A0/converse"
POLLED = "registry_changes"


@contextmanager
def statements(admin: AdminClient) -> Iterator[list[str]]:
    """What the database is asked by calls before AWS is: less the polls, and what the ledger's own thread books."""
    database: SQLAlchemy = admin.app.extensions["sqlalchemy"]
    with admin.app.app_context():
        engine = database.engine
    seen: list[str] = []
    calls = threading.get_ident()

    def note(*arguments: Any) -> None:
        statement = str(arguments[2])
        if POLLED not in statement and threading.get_ident() == calls:
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def converse(admin: AdminClient, key: str) -> int:
    return admin.post(CONVERSE, by=key, messages=[]).status_code


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"models": ["amazon.*"], "operations": ["inference"], "regions": ["us", "us-east-1"]},
        {"team_id": "team-1", "user_id": "user-1"},
    ],
    ids=["bare", "with lists", "with a team and a user"],
)
def test_a_warm_key_makes_no_query(admin: AdminClient, fields: dict[str, Any]) -> None:
    """Neither to know it nor to judge its call."""
    admin.made("/team/new", team_id="team-1", models=["amazon.*"])
    admin.made("/user/new", user_id="user-1", auto_create_key=False)
    key = admin.new_key(**fields)
    with statements(admin) as cold:
        assert converse(admin, key) == 200
    with statements(admin) as warm:
        assert [converse(admin, key) for _ in range(50)] == [200] * 50

    assert len(cold) == 1
    assert warm == []


def test_a_flood_of_unknown_keys_makes_twenty_look_ups_a_second(admin: AdminClient) -> None:
    """Two thousand of them; and one that is known goes on."""
    key = admin.new_key()
    converse(admin, key)
    began = time.monotonic()
    with statements(admin) as seen:
        answers = [converse(admin, f"sk-unknown-{number:012}") for number in range(2000)]
        assert converse(admin, key) == 200
    seconds = time.monotonic() - began

    assert set(answers) == {401, 503}
    assert answers.count(401) == len(seen)
    assert 20 <= len(seen) <= 20 * (seconds + 1)


def test_a_revoked_key_is_refused_by_the_worker_that_revoked_it_at_once(admin: AdminClient) -> None:
    """And is let in again as soon as it is unblocked; a rotated text has no grace unless it is given one."""
    key = admin.new_key()
    assert converse(admin, key) == 200
    admin.made("/key/block", key=key)
    assert converse(admin, key) == 401
    admin.made("/key/unblock", key=key)
    assert converse(admin, key) == 200
    new = admin.made(f"/key/{key}/regenerate")["key"]

    assert (converse(admin, key), converse(admin, new)) == (401, 200)
