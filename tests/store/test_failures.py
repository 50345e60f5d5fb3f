"""What the driver said of a database that does not answer reaches the operator, and nobody else."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.core.errors import StoreUnavailable
from app.store.database import Database


def _reason(url: str) -> str:
    database = Database.at(url)
    with pytest.raises(StoreUnavailable) as caught, database.statement():
        pass
    database.close()
    assert caught.value.message == "The gateway's database does not answer. Try again in a few seconds."
    assert "topsecret" not in caught.value.reason
    return caught.value.reason


def _away() -> str:
    return "postgresql+psycopg2://u:topsecret@127.0.0.1:1/d"


def test_a_wrong_name_is_told_from_a_server_that_is_not_there(postgresql_url: str) -> None:
    """Both are mended in DATABASE_URL, and in different places of it."""
    there = make_url(postgresql_url)
    no_database = there.set(database="nosuch").render_as_string(hide_password=False)
    no_user = there.set(username="nobody", password="topsecret").render_as_string(hide_password=False)

    assert 'database "nosuch" does not exist' in _reason(no_database)
    assert "nobody" in _reason(no_user)
    assert "Connection refused" in _reason(_away())


def test_a_host_that_is_not_known_is_named() -> None:
    assert "nosuchhost.invalid" in _reason("postgresql+psycopg2://u:topsecret@nosuchhost.invalid/d")


def test_the_reason_is_one_line() -> None:
    """It stands in a line of the log."""
    assert "\n" not in _reason(_away())


def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    assert _reason(f"sqlite:///{tmp_path / 'nowhere' / 'outcrop.db'}") == "unable to open database file"
