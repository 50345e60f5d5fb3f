"""What is fuzzed: by name, the module that has it. Importing this imports none of them, nor anything of the app."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

_READERS = tuple(
    f"app.core.usage_reader{part}" for part in ("", "s", "s_agents", "s_converse", "s_invoke", "s_shaped", "s_units")
)
# by name: what of the app is watched for coverage; all of it takes ten seconds to be made ready for that
WATCHED = {
    "request-targets": ("app.core.targets",),
    "request-heads": ("app.web.server_request", "app.web.punctual_request"),
    "credentials": ("app.core.credentials", "app.core.signature"),
    "admin-bodies": ("app.web.admin_api", "app.gateway.key_desk", "app.gateway.team_desk", "app.gateway.user_desk"),
    "answers": ("app.core.tap", "app.core.event_stream", "app.core.usage", *_READERS),
    "upstream-answers": ("app.upstream.answer", "app.upstream.answer_head", "app.upstream.answer_body"),
    "events": ("app.core.server_sent_events",),
    "json-members": ("app.core.json_scanner", "app.core.json_skim"),
}
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
_MOST_PIECES = 1000
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
    size = max(sizes[seed % len(sizes)], len(data) // _MOST_PIECES)
    first = seed // len(sizes) % size
    starts = [*([0] if first else []), *range(first, len(data), size)]
    cut = (data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=False))
    return [piece for piece in cut if piece]
