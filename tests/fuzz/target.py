"""What is fuzzed: by name, the module that has it. Importing this imports none of them, nor anything of the app."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

MODULES = {
    "request-targets": "request_targets",
    "request-heads": "request_heads",
    "credentials": "credential_headers",
    "admin-bodies": "admin_bodies",
    "answers": "answers",
    "upstream-answers": "upstream_answers",
    "events": "event_lines",
    "json-members": "json_members",
}
# findings of earlier runs: by name, one file each
REGRESSIONS = Path(__file__).parent / "regressions"


@dataclass(frozen=True, slots=True)
class Target:
    """One reader and what must hold of it.

    `seeds`: what others are made of; `check`: raises AssertionError, or what should never be raised; `words`: what
    matters to the reader, to be put in anywhere; `mend`: puts right what would otherwise be refused at the door, such
    as checksums; `quick`: how many the tests try, a second or two.
    """

    name: str
    seeds: Callable[[], Iterable[bytes]]
    check: Callable[[bytes], None]
    words: tuple[bytes, ...] = ()
    mend: Callable[[bytes], bytes] | None = None
    quick: int = 1000
    longest: int = 4096


def load(name: str) -> Target:
    """The target of that name."""
    target: Target = import_module(f"tests.fuzz.{MODULES[name]}").TARGET
    return target


def regressions(name: str) -> list[Path]:
    """What earlier runs found, and what was mended since."""
    folder = REGRESSIONS / name
    return sorted(folder.iterdir()) if folder.is_dir() else []


def pieces(data: bytes, seed: int) -> list[bytes]:
    """The same bytes cut somewhere, always in the same places for one seed below 256."""
    sizes = (1, 2, 3, 7, 64, 1000)
    size = sizes[seed % len(sizes)]
    first = seed // len(sizes) % size
    starts = [*([0] if first else []), *range(first, len(data), size)]
    cut = (data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=False))
    return [piece for piece in cut if piece]
