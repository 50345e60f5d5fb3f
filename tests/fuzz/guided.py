"""python -m tests.fuzz.guided TARGET FINDINGS, and libFuzzer's options (atheris): one target, guided by coverage."""

import sys
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from random import Random

from tests.fuzz.mutation import Mutator
from tests.fuzz.target import WATCHED, load

# untyped, and there for `make fuzz` alone
atheris = import_module("atheris")


def main(arguments: list[str]) -> None:
    """Never returns."""
    name, findings, *options = arguments
    with atheris.instrument_imports(include=list(WATCHED[name])):
        target = load(name)
    seeds = list(target.seeds())

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        draw = Random(seed)
        if draw.random() < 0.5:
            data = atheris.Mutate(data, longest)
        else:
            data = Mutator(draw, seeds, target.words, longest).spoilt(data)
        return target.mend(data)[:longest] if target.mend and draw.random() < 0.5 else data

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except BaseException:
            path = Path(findings) / f"finding-{sha256(data).hexdigest()[:16]}"
            path.write_bytes(data)
            sys.stderr.write(f"Test unit written to {path}\n")
            raise

    atheris.Setup([sys.argv[0], *options], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
