"""How much of each fault: a little in `make test`, all of it in `make faults`, by one environment variable each."""

import os


def count(name: str, quick: int) -> int:
    """The value of FAULT_<name>, else `quick`."""
    return int(os.environ.get(f"FAULT_{name}", quick))
