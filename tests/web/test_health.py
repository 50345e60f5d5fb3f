"""What probes read: alive without looking at anything, ready with a word about the database and the keys."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.gateway.registry_watch import Freshness
from app.web import health

FRESH = Freshness(0.25, expired=False, answers=True)


def client_of(freshness: Freshness | None) -> FlaskClient:
    """An application with the health routes alone; None: whoever asks for the keys fails."""

    def keys() -> Freshness:
        assert freshness is not None, "nobody was to be asked"
        return freshness

    app = Flask(__name__)
    app.register_blueprint(health.create_blueprint(keys))
    return app.test_client()


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness"])
def test_it_is_alive_in_the_peers_words_and_asks_nobody(path: str) -> None:
    """Both of its spellings. A database that hangs must not have the process killed."""
    answer = client_of(None).get(path)

    assert (answer.status_code, answer.get_json()) == (200, "I'm alive!")


@pytest.mark.parametrize(("answers", "db"), [(True, "connected"), (False, "unreachable")])
@pytest.mark.parametrize("age", [0.0, 0.25, 1.0])
def test_it_is_ready_with_and_without_the_database(age: float, answers: bool, db: str) -> None:
    """Keys that are known go on being served; the body says how the database is."""
    answer = client_of(Freshness(age, expired=False, answers=answers)).get("/health/readiness")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "healthy", "db": db})


@pytest.mark.parametrize("answers", [True, False])
def test_a_worker_that_cannot_learn_of_revocations_says_for_how_long(answers: bool) -> None:
    """It serves the keys that it knows all the same. A database that hangs has not failed yet."""
    answer = client_of(Freshness(42.4, expired=False, answers=answers)).get("/health/readiness")

    assert answer.status_code == 200
    assert answer.get_json() == {"status": "healthy", "db": "unreachable", "keys": "not refreshed for 42 s"}


def test_a_worker_that_serves_no_key_any_more_is_not_ready() -> None:
    """Another may still be able to."""
    answer = client_of(Freshness(300.6, expired=True, answers=False)).get("/health/readiness")

    assert answer.status_code == 503
    assert answer.get_json() == {"status": "unhealthy", "db": "unreachable", "keys": "not refreshed for 301 s"}


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness", "/health/readiness"])
def test_head_is_answered_and_post_is_not(path: str) -> None:
    """Some probes send HEAD."""
    client = client_of(FRESH)

    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405
