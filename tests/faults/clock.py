"""The wall clock of a gateway, which its test sets while it runs."""

import struct
from pathlib import Path

from tests.gateway_process import REPOSITORY

HOUR = 3600.0
STEPS = (HOUR, -HOUR)


class Clock:
    """The wall clock of a gateway."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(REPOSITORY / "tests/faults/shifted_clock"), "FAULT_CLOCK": str(self._file)}

    def set(self, seconds: float) -> None:
        """So many seconds off from now on."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))
