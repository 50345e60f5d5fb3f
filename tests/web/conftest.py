"""Fixtures of the web's tests: the admin routes, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.admin_client import SECRET_KEY, AdminClient
from tests.web.spent_world import spent, world  # noqa: F401  # fixtures: where something was spent


@pytest.fixture
def admin(database_url: str, tmp_path: Path) -> Iterator[AdminClient]:
    """On each database in turn."""
    client = AdminClient.on(database_url, tmp_path)
    yield client
    client.close()


@pytest.fixture
def admin_on_sqlite(sqlite_url: str, tmp_path: Path) -> Iterator[AdminClient]:
    """For what no database makes a difference to; with a SECRET_KEY."""
    client = AdminClient.on(sqlite_url, tmp_path, SECRET_KEY=SECRET_KEY)
    yield client
    client.close()
