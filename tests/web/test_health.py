"""What probes read: alive without looking at anything, ready with a word about the database and the keys."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.gateway.key_directory import Freshness
from app.web import health

FRESH = Freshness(0.25, expired=False)


class FakeDatabase:
    """Answers or not, and counts how often it was asked."""

    def __init__(self, *, up: bool) -> None:
        self.up = up
        self.asked = 0

    def answers(self) -> bool:
        self.asked += 1
        return self.up


def client_of(database: FakeDatabase, freshness: Freshness | None = FRESH) -> FlaskClient:
    """An application with the health routes alone."""
    app = Flask(__name__)
    app.register_blueprint(health.create_blueprint(database.answers, (lambda: freshness) if freshness else None))
    return app.test_client()


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness"])
def test_it_is_alive_in_the_peers_words(path: str) -> None:
    """Both of its spellings."""
    answer = client_of(FakeDatabase(up=True)).get(path)

    assert (answer.status_code, answer.get_json()) == (200, "I'm alive!")


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness"])
def test_being_alive_asks_nobody(path: str) -> None:
    """A database that hangs must not have the process killed."""
    database = FakeDatabase(up=False)
    client_of(database).get(path)

    assert database.asked == 0


@pytest.mark.parametrize(("up", "db"), [(True, "connected"), (False, "unreachable")])
@pytest.mark.parametrize("freshness", [FRESH, Freshness(1.0, expired=False), None])
def test_it_is_ready_with_and_without_the_database(up: bool, db: str, freshness: Freshness | None) -> None:
    """Keys that are known go on being served; the body says how the database is."""
    answer = client_of(FakeDatabase(up=up), freshness).get("/health/readiness")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "healthy", "db": db})


def test_a_worker_that_cannot_learn_of_revocations_says_for_how_long() -> None:
    """It serves the keys that it knows all the same."""
    answer = client_of(FakeDatabase(up=False), Freshness(42.4, expired=False)).get("/health/readiness")

    assert answer.status_code == 200
    assert answer.get_json() == {"status": "healthy", "db": "unreachable", "keys": "not refreshed for 42 s"}


def test_a_worker_that_serves_no_key_any_more_is_not_ready() -> None:
    """Another may still be able to."""
    answer = client_of(FakeDatabase(up=False), Freshness(300.6, expired=True)).get("/health/readiness")

    assert answer.status_code == 503
    assert answer.get_json() == {"status": "unhealthy", "db": "unreachable", "keys": "not refreshed for 301 s"}


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness", "/health/readiness"])
def test_head_is_answered_and_post_is_not(path: str) -> None:
    """Some probes send HEAD."""
    client = client_of(FakeDatabase(up=True))

    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405
