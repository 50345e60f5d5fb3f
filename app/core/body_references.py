"""What a body names at the places that the operations table lists, such as `body.messages[].content[].image.uri`.

Lists are looked through wherever they stand and names are compared without regard to case, so that what passes for
another spelling is found too. Nothing recurses: a body may be nested as deeply as the parser lets it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from app.core.errors import MalformedRequest
from app.core.json_bodies import JsonBody
from app.core.model_names import LONGEST_MODEL
from app.core.value import value

_ANY_DEPTH = "**"
_EACH_VALUE = "{}"
_LOCATION = "s3:"
# Each is compared with every entry of three lists, and a body has room for a million: more than any call that AWS
# takes, whose largest are 1,000 images in S3 for one of its models, and a flow of some ten nodes.
_MOST_LOCATIONS = 1000
_MOST_OTHERS = 250


@value
class Reference:
    """One value that a body names, and the table's path of its place."""

    path: str
    value: str


@dataclass(slots=True)
class _Step:
    """A place in the tree of paths. `deep`: the names below may stand at any depth."""

    below: dict[str, "_Step"] = field(default_factory=dict)
    path: str | None = None
    deep: bool = False


@dataclass(frozen=True, slots=True)
class BodyPaths:
    """Paths of the table that begin with `body.`. `names`: of each path one, which a body that uses it must hold."""

    root: _Step
    names: tuple[bytes, ...]

    def references(self, body: JsonBody) -> tuple[Reference, ...]:
        """What a body names there; it is not parsed where its bytes show that it names nothing.

        Raises MalformedRequest.
        """
        return _bounded(_walk(body.content(), self.root)) if body.may_hold(self.names) else ()


@lru_cache(maxsize=2048)
def body_paths(paths: tuple[str, ...]) -> BodyPaths | None:
    """Those of the table's paths that are in the body, `s3:` in front or not; None if none is."""
    root = _Step()
    names = set()
    for path in paths:
        if not path.removeprefix("s3:").startswith("body."):
            continue
        steps = _steps(path)
        _add(root, steps, path)
        # the longest is the rarest; of two, the one nearer to the value
        names.add(max((step for step in reversed(steps) if step.isalnum()), key=len).encode())
    return BodyPaths(root, tuple(sorted(names))) if names else None


def _steps(path: str) -> list[str]:
    """`body.a[].b{}.**.C` -> a, b, {}, **, c."""
    found = []
    for part in path.removeprefix("s3:").split(".")[1:]:
        name = part.replace("[]", "")
        found.append(name.replace(_EACH_VALUE, "").lower())
        found.extend([_EACH_VALUE] * name.count(_EACH_VALUE))
    return found


def _add(root: _Step, steps: list[str], path: str) -> None:
    step = root
    for name in steps:
        step = step.below.setdefault(name, _Step(deep=name == _ANY_DEPTH))
    step.path = path


def _bounded(references: Iterator[Reference]) -> tuple[Reference, ...]:
    found: list[Reference] = []
    left = {True: _MOST_LOCATIONS, False: _MOST_OTHERS}
    for reference in references:
        path = reference.path.removeprefix(_LOCATION)
        is_location = reference.path != path
        left[is_location] -= 1
        if left[is_location] < 0:
            raise MalformedRequest(f"The body names more models, resources or locations than AWS takes: {path}.")
        if len(reference.value) > LONGEST_MODEL:
            raise MalformedRequest(f"What {path} names is longer than any id, ARN or location that AWS takes.")
        found.append(reference)
    return tuple(found)


def _walk(content: Any, root: _Step) -> Iterator[Reference]:
    waiting: list[tuple[Any, _Step]] = [(content, root)]
    while waiting:
        value, step = waiting.pop()
        if isinstance(value, list):
            waiting.extend((item, step) for item in value)
        elif isinstance(value, dict):
            if step.path and not step.below and not _within_opaque(step.path):
                raise MalformedRequest(f"{step.path.removeprefix('s3:')} must be text.")
            waiting.extend(_inside(value, step))
        elif step.path and value is not None:
            yield Reference(step.path, value if isinstance(value, str) else str(value))


def _inside(value: dict[str, Any], step: _Step) -> Iterator[tuple[Any, _Step]]:
    below = step.below
    if _ANY_DEPTH in below:
        yield value, below[_ANY_DEPTH]
    each = below.get(_EACH_VALUE)
    for name, inner in value.items():
        found = below.get(name.lower())
        if found and not found.deep and found is not each:
            yield inner, found
        if each:
            yield inner, each
        if step.deep and isinstance(inner, dict | list):
            yield inner, step


def _within_opaque(path: str) -> bool:
    """What stands at any depth of a body that is not modelled may be something else of the same name."""
    return _ANY_DEPTH in path
