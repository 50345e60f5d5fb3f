"""python -m tests.fuzz.guided TARGET, and libFuzzer's options: one target, guided by coverage of app/, with atheris."""

import sys
from importlib import import_module
from random import Random

from tests.fuzz.mutation import Mutator
from tests.fuzz.target import load

# untyped, and there for `make fuzz` alone
atheris = import_module("atheris")


def main(arguments: list[str]) -> None:
    """Never returns."""
    name, *options = arguments
    with atheris.instrument_imports(include=["app"]):
        target = load(name)
    seeds = list(target.seeds())

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        draw = Random(seed)
        if draw.random() < 0.5:
            data = atheris.Mutate(data, longest)
        else:
            data = Mutator(draw, seeds, target.words, longest).spoilt(data)
        return target.mend(data)[:longest] if target.mend and draw.random() < 0.5 else data

    atheris.Setup([sys.argv[0], *options], target.check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
