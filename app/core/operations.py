"""The operations table: every Bedrock operation, its method, its path and what the gateway must know of it.

The data is `bedrock_operations.json`, made from botocore's models by tools/operations_table.py, which documents it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

Effect = Literal["inference", "agents", "read", "private", "write", "secret"]
_LABEL = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Service:
    """One of AWS's services.

    `bearer`: it takes a Bedrock API key in place of a signature; `endpoint`: its URL, where no rule makes it.
    """

    service_id: str
    endpoint_prefix: str
    signing_name: str
    bearer: bool = False
    target_prefix: str | None = None
    json_version: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Partition:
    """One of AWS's partitions: which regions are in it, and the DNS suffixes of its hosts."""

    regions: re.Pattern[str]
    dns_suffix: str
    dual_stack_dns_suffix: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table; tools/operations_table.py documents the columns."""

    service: str
    operation: str
    method: str
    path: str
    effect: Effect
    target: str | None = None
    stream: bool | Literal["body"] = False
    billed: bool = False
    unnamed_model: bool = False
    bidirectional: bool = False
    models: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    label_patterns: Mapping[str, str] = field(default_factory=dict)
    arn: Mapping[str, Any] | None = None
    arn_in: str | None = None
    named_only: bool = False
    break_exception: str | None = None


@dataclass(slots=True)
class _Node:
    """A place in the tree of templates: by literal segment, by label, and what ends here."""

    literals: dict[str, "_Node"] = field(default_factory=dict)
    label: "_Node | None" = None
    ends: list[Operation] = field(default_factory=list)


class OperationsTable:
    """All operations, found by method and path."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.services = {name: Service(**facts) for name, facts in data["services"].items()}
        self.partitions = tuple(
            Partition(re.compile(row["regex"]), row["dns_suffix"], row["dual_stack_dns_suffix"])
            for row in data["partitions"]
        )
        self.patterns = {name: re.compile(pattern) for name, pattern in data["patterns"].items()}
        self.operations = tuple(_operation(row) for row in data["operations"])
        self._roots: dict[str, _Node] = {}
        for operation in self.operations:
            self._add(operation)

    def find(self, method: str, segments: Sequence[str], service: str | None) -> tuple[Operation, ...]:
        """The operations of that method whose template is exactly this path.

        Of `service` alone where that is given, else of all but those that another service has under the same path.
        """
        root = self._roots.get(method)
        found = _ends(root, segments, 0) if root else ()
        return tuple(
            operation for operation in found if (operation.service == service if service else not operation.named_only)
        )

    def _add(self, operation: Operation) -> None:
        node = self._roots.setdefault(operation.method, _Node())
        for segment in operation.path.split("/")[1:]:
            if _LABEL.fullmatch(segment):
                node.label = node.label or _Node()
                node = node.label
            else:
                node = node.literals.setdefault(segment, _Node())
        node.ends.append(operation)


def labels(operation: Operation, segments: Sequence[str]) -> dict[str, str]:
    """The path's labels, decoded: {"modelId": "amazon.nova-lite-v1:0"}."""
    names = operation.path.split("/")[1:]
    return {
        found[1]: segment for name, segment in zip(names, segments, strict=True) if (found := _LABEL.fullmatch(name))
    }


@cache
def load_table() -> OperationsTable:
    """The table that ships with the gateway, read once."""
    return OperationsTable(json.loads(resources.files(__package__).joinpath("bedrock_operations.json").read_text()))


def _operation(row: Mapping[str, Any]) -> Operation:
    lists = {name: tuple(row[name]) for name in ("models", "resources") if name in row}
    return Operation(**{**row, **lists})


def _ends(node: _Node, segments: Sequence[str], depth: int) -> Iterator[Operation]:
    if depth == len(segments):
        yield from node.ends
        return
    segment = segments[depth]
    if segment in node.literals:
        yield from _ends(node.literals[segment], segments, depth + 1)
    if node.label and segment:
        yield from _ends(node.label, segments, depth + 1)
