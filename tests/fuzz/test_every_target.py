"""A short run of every fuzz target, always the same one; and what longer runs found once."""

from itertools import islice
from random import Random

import pytest

from tests.fuzz.blind import inputs
from tests.fuzz.mutation import Mutator
from tests.fuzz.target import MODULES, load, pieces, regressions


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_target_stands_what_nobody_would_send(name: str) -> None:
    target = load(name)
    for data in islice(inputs(target, 1), target.quick):
        target.check(data)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_what_was_found_once_is_mended(name: str) -> None:
    target = load(name)
    for path in regressions(name):
        target.check(path.read_bytes())


@pytest.mark.parametrize("seed", range(0, 256, 5))
@pytest.mark.parametrize("size", [0, 1, 2, 9, 5000])
def test_pieces_are_all_of_it(size: int, seed: int) -> None:
    data = bytes(range(250)) * 20

    assert b"".join(pieces(data[:size], seed)) == data[:size]
    assert all(pieces(data[:size], seed))


def test_damage_is_of_many_kinds_and_within_its_bound() -> None:
    mutator = Mutator(Random(1), [b"first", b"second"], [b"word"], 100)
    made = {mutator.spoilt(b"first") for _ in range(500)}

    assert len(made) > 100
    assert max(map(len, made)) <= 100
    assert any(b"word" in one for one in made)
