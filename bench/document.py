"""bench/RESULTS.md, made of parts: each measurement writes one, bench/results/<part>.md, and all are put together.

A part begins with a heading of second order. What it found of what must hold it tells by `held`: those tables are
lifted out of the parts, into one at the top. Pictures lie beside the parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RESULTS, PARTS = "RESULTS.md", "results"
_HELD_HEAD = "| what must hold | measured | holds |"
_HELD_RULE = "|---|---|---|"
# what is not named here comes after, by name
_ORDER = ("bench",)
_INTRODUCTION = """\
# What was measured

Made by `make bench`, `make soak` and others of their kind with `--write`. Each part says when and on what. Machines
differ and are noisy: compare numbers of one run alone, and two versions of the gateway only by runs that alternate.
"""


@dataclass(frozen=True, slots=True)
class Held:
    """Something that must hold, what was found of it, and whether it does."""

    what: str
    measured: str
    holds: bool


def held(found: Sequence[Held]) -> str:
    """The table, for a part."""
    rows = [f"| {one.what} | {one.measured} | {'yes' if one.holds else '**no**'} |" for one in found]
    return "\n".join([_HELD_HEAD, _HELD_RULE, *rows])


def write_part(name: str, text: str, pictures: Mapping[str, str] | None = None, *, folder: Path = HERE) -> None:
    """Keep a part, with its pictures (file name: SVG), in place of what it was, and put the document together again."""
    parts = folder / PARTS
    parts.mkdir(exist_ok=True)
    (parts / f"{name}.md").write_text(text.strip() + "\n")
    for file, picture in (pictures or {}).items():
        (parts / file).write_text(picture)
    assemble(folder)


def assemble(folder: Path = HERE) -> None:
    """Write RESULTS.md from the parts that are there."""
    files = sorted((folder / PARTS).glob("*.md"), key=lambda file: (file.stem not in _ORDER, file.stem))
    bodies, rows = [], []
    for file in files:
        body, lifted = _apart(file.read_text())
        bodies.append(body)
        rows += lifted
    top = "\n".join([_HELD_HEAD, _HELD_RULE, *rows])
    (folder / RESULTS).write_text("\n".join([_INTRODUCTION, f"{top}\n", *bodies]))


def _apart(text: str) -> tuple[str, list[str]]:
    """A part's text without its tables of what must hold, and the rows of these."""
    kept, rows, inside = [], [], False
    for line in text.splitlines():
        inside = line == _HELD_HEAD or (inside and line.startswith("|"))
        if not inside:
            kept.append(line)
        elif line not in (_HELD_HEAD, _HELD_RULE):
            rows.append(line)
    return "\n".join(kept).replace("\n\n\n", "\n\n").strip() + "\n", rows
