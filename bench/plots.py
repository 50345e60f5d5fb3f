"""Pictures as SVG, written by hand: bars, and lines over a number."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

Points = Sequence[tuple[float, float]]
_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 170, 40, 50
_BAR_LEFT, _BAR_STEP = 170, 30
_COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3")
_TICKS = 5


def bars(title: str, values: Mapping[str, float]) -> str:
    """One for each name, on a logarithmic scale that begins at the power of ten below the least."""
    least, most = floor(log10(min(values.values()))), log10(max(values.values()))
    width = _WIDTH - _BAR_LEFT - _RIGHT / 2
    parts = []
    for number, (name, value) in enumerate(values.items()):
        y, length = _TOP + number * _BAR_STEP, width * (log10(value) - least) / max(most - least, 0.1)
        colour = _COLOURS[number % len(_COLOURS)]
        parts += [
            _text(_BAR_LEFT - 8, y + 15, name, "end"),
            f'<rect x="{_BAR_LEFT}" y="{y}" width="{max(length, 1):.1f}" height="20" fill="{colour}"/>',
            _text(_BAR_LEFT + length + 6, y + 15, f"{value:,.0f}"),
        ]
    return _picture(title, parts, _TOP + len(values) * _BAR_STEP + 10)


def lines(title: str, x_label: str, series: Mapping[str, Points], *, logarithmic: bool = False) -> str:
    """One line for each name. Linear, or with a logarithmic scale upwards."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    ticks = _powers(ys) if logarithmic else _steps(0, max(ys))
    x_ticks = _steps(0, max(xs))
    plot = _Plot(x_ticks[-1], ticks, logarithmic=logarithmic)
    parts = [plot.grid(tick) for tick in ticks]
    parts += [_text(plot.x(tick), _HEIGHT - _BOTTOM + 18, f"{tick:,g}", "middle") for tick in x_ticks]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, x_label, "middle"))
    for number, (name, points) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{plot.x(x):.1f},{plot.y(y):.1f}" for x, y in points)
        y = _TOP + 10 + number * 20
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<rect x="{_WIDTH - _RIGHT + 15}" y="{y}" width="12" height="12" fill="{colour}"/>',
            _text(_WIDTH - _RIGHT + 33, y + 11, name),
        ]
    return _picture(title, parts, _HEIGHT)


class _Plot:
    """Where a value is in the picture."""

    def __init__(self, most_x: float, ticks: Sequence[float], *, logarithmic: bool) -> None:
        self._scale = log10 if logarithmic else float
        self._most_x = most_x
        self._least, self._most = self._scale(ticks[0]), self._scale(ticks[-1])
        self._floor = ticks[0]

    def x(self, value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / self._most_x

    def y(self, value: float) -> float:
        share = (self._scale(max(value, self._floor)) - self._least) / (self._most - self._least)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    def grid(self, tick: float) -> str:
        y = self.y(tick)
        line = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
        return line + _text(_LEFT - 8, y + 4, f"{tick:,g}", "end")


def _powers(values: Sequence[float]) -> list[float]:
    """Of ten, around all that is more than nothing."""
    positive = [value for value in values if value > 0] or [1.0]
    least, most = floor(log10(min(positive))), ceil(log10(max(positive)))
    return [10.0**power for power in range(least, max(most, least + 1) + 1)]


def _steps(least: float, most: float) -> list[float]:
    """Round numbers from `least` to over `most`."""
    rough = max(most - least, 1e-9) / _TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [least + step * number for number in range(ceil((most - least) / step - 1e-9) + 1)]


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _picture(title: str, parts: Sequence[str], height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" font-size="12"'
    body = "\n".join([_text(10, 20, title), *parts])
    return f'{head} font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
