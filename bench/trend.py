"""Whether a number goes up: the slope of its points, by the median of all pairs' slopes, which outliers do not move.

Theil and Sen; the interval is Sen's, of 95 %: Journal of the American Statistical Association 63 (1968), 1379-1389.
Memory moves in steps, so that neighbouring samples say the same: blocks of them are taken as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, floor, sqrt
from statistics import median

_NORMAL_95 = 1.96
_BLOCKS = 30
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Trend:
    """Units of y for each of x, with the interval in which the slope is at 95 %."""

    slope: float
    low: float
    high: float

    @property
    def rises(self) -> bool:
        """More than noise does."""
        return self.low > 0


def trend(points: Sequence[Point]) -> Trend:
    """Raises ValueError with fewer than two points, or no two that differ in x."""
    blocks = _blocks(points)
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(blocks, 2) if a[0] != b[0])
    if not slopes:
        raise ValueError("a trend takes two points")
    count = len(blocks)
    spread = _NORMAL_95 * sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, floor((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, ceil((len(slopes) + spread) / 2))
    return Trend(median(slopes), slopes[low], slopes[high])


def _blocks(points: Sequence[Point]) -> list[Point]:
    """The medians of at most so many parts."""
    size = ceil(len(points) / _BLOCKS) or 1
    parts = [points[begin : begin + size] for begin in range(0, len(points), size)]
    return [(median(x for x, _ in part), median(y for _, y in part)) for part in parts]
