"""python -m tests.fuzz.blind: one target, guided by chance alone. It prints its progress as libFuzzer does."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.fuzz.mutation import Mutator
from tests.fuzz.target import Target, load, regressions

_TOLD_EVERY_SECONDS = 5.0
_FOUND = 77  # libFuzzer's exit status for the same


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """The seeds and earlier findings as they are, and then damaged ones without end. The same seed makes the same."""
    draw = Random(seed)
    seeds = [*target.seeds(), *(path.read_bytes() for path in regressions(target.name))]
    mutator = Mutator(draw, seeds, target.words, target.longest)
    yield from seeds
    while True:
        data = mutator.spoilt(draw.choice(seeds))
        yield target.mend(data) if target.mend and draw.random() < 0.5 else data


def main(arguments: Sequence[str]) -> int:
    """Prints what was found, and leaves it in a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.blind", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("findings", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(arguments)
    target = load(options.target)
    began = told = time.monotonic()
    for number, data in enumerate(inputs(target, options.seed)):
        now = time.monotonic()
        if now - told > _TOLD_EVERY_SECONDS:
            told = now
            sys.stderr.write(f"#{number} pulse exec/s: {number / (now - began):.0f}\n")
        if now - began > options.seconds:
            sys.stderr.write(f"#{number} DONE exec/s: {number / (now - began):.0f}\n")
            return 0
        try:
            target.check(data)
        except BaseException:
            path = options.findings / f"finding-{number}"
            path.write_bytes(data)
            sys.stderr.write(f"Test unit written to {path}\n")
            raise
    return _FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
