"""What was measured: for each contender and each key, a number a round. No number comes from anywhere else."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

CONNECTIONS = (1, 32)


def calls_key(count: int) -> str:
    """What keys of unary calls begin with. `count`: connections."""
    return f"calls {count} "


def streams_key(count: int) -> str:
    return f"streams {count} "


class Samples:
    """By contender and key."""

    def __init__(self) -> None:
        self._samples: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, contender: str, key: str, numbers: Mapping[str, float]) -> None:
        """`key`: what stands before the names of these numbers."""
        for name, number in numbers.items():
            self._samples[contender, key + name].append(number)

    def of(self, contender: str, key: str) -> list[float]:
        return self._samples.get((contender, key), [])

    def median(self, contender: str, key: str) -> float | None:
        """None where it was not measured."""
        found = self.of(contender, key)
        return median(found) if found else None

    def added(self, contender: str, to: str, key: str) -> float | None:
        """What is more than `to` had in the same round, the median."""
        pairs = list(zip(self.of(contender, key), self.of(to, key), strict=False))
        return median(ours - theirs for ours, theirs in pairs) if pairs else None

    def times(self, contender: str, to: str, key: str) -> float | None:
        """How many times what `to` had in the same round, the median; None where that was nothing."""
        pairs = list(zip(self.of(contender, key), self.of(to, key), strict=False))
        return median(ours / theirs for ours, theirs in pairs) if pairs and all(theirs for _, theirs in pairs) else None

    def contenders(self, names: Sequence[str], key: str) -> list[str]:
        """Those of whom there is a number whose key begins so."""
        return [name for name in names if any(who == name and what.startswith(key) for who, what in self._samples)]

    def failures(self, names: Sequence[str]) -> int:
        """Calls and streams of theirs that were not answered as they should have been."""
        found = [sum(numbers) for (who, key), numbers in self._samples.items() if who in names and "failed" in key]
        return int(sum(found))

    def others(self) -> str:
        """How quiet the machine was."""
        found = [
            number for (_, key), all_ in self._samples.items() if key.endswith(" others_percent") for number in all_
        ]
        if not found:
            return ""
        return (
            f"Processes that are no part of this used {median(found):.0f} % of the worker's core, "
            f"and {max(found):.0f} % at worst."
        )
