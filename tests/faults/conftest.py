"""Room for the thousand connections of a fault: many systems begin with a soft limit of 1024 descriptors."""

import resource
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def room_for_connections() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
