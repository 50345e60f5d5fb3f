"""Which model a call is billed for, where its body names it: among a body's models, the one nearest to its top.

Policy looks at every model that a body names, in any spelling (body_references.py); this looks for one, as AWS spells
it, in what was read of the body already.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from app.core.model_names import LONGEST_MODEL
from app.core.operations import Operation

_Paths = tuple[tuple[str, ...], ...]


def model_members(models: tuple[str, ...]) -> frozenset[str]:
    """The top-level members of the body in which its model may be named. `models`: an operation's."""
    return frozenset(path[0] for path in _paths(models))


def model_in(operation: Operation, values: Mapping[str, Any]) -> str | None:
    """The model that a body names, None if none. `values`: its top-level members, as far as they were read."""
    for path in _paths(operation.models):
        found = _at(values, path)
        if isinstance(found, str) and 0 < len(found) <= LONGEST_MODEL and found.isprintable():
            return found
    return None


@lru_cache(maxsize=1024)
def _paths(models: tuple[str, ...]) -> _Paths:
    """`body.a[].modelId` -> (a, modelId), the shortest first."""
    in_body = (path.removeprefix("body.") for path in models if path.startswith("body.") and "*" not in path)
    return tuple(sorted((tuple(path.replace("[]", "").split(".")) for path in in_body), key=len))


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values
    for name in path:
        if isinstance(found, list):
            found = found[0] if found else None
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found
