"""A fixture: what the gateway logs during a test, whoever set up logging before."""

import logging
from collections.abc import Iterator

import pytest


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The messages of the gateway's loggers, in order."""
    handler = _Lines()
    logger = logging.getLogger("app.gateway")
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)
