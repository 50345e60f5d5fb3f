"""python -m tests.fuzz: every target for --seconds each, as many side by side as there are cores, or those named.

It prints how they do. What breaks one is written to a file, with the command that shows it again, and the exit status
is 1 then.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import campaign, results
from tests.fuzz.campaign import Run
from tests.fuzz.target import MODULES, load


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", choices=sorted(MODULES), action="append", help="may be said more than once")
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets side by side")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--write", action="store_true", help="also write bench/results/fuzz.md")
    parser.add_argument("--replay", type=Path, help="a file, fed to the one --target")
    options = parser.parse_args(arguments)
    names = options.target or list(MODULES)
    if options.replay:
        load(names[0]).check(options.replay.read_bytes())
        _tell(f"{names[0]} stands it")
        return 0
    guide = "coverage" if campaign.is_guided() else "chance: atheris, which make fuzz installs, is not there"
    _tell(f"seed {options.seed}, {options.seconds:g} s for each of {len(names)} targets, guided by {guide}")
    for name in names:  # here, as threads that import the same at once see it in part
        load(name)
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(lambda name: _run(name, options.seconds, options.seed), names))
    if options.write:
        results.write(runs)
    return int(any(one.finding for one in runs))


def _run(name: str, seconds: float, seed: int) -> Run:
    done = campaign.run(name, seconds, seed, _tell)
    if done.finding:
        _tell("\n".join((*done.tail, f"FOUND {done.told}")))
        _tell(f"show it again: python -m tests.fuzz --target {name} --replay {done.finding}")
    else:
        _tell(f"done  {done.told}, and nothing found")
    return done


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
