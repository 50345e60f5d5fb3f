"""Which operations a list of rights lets pass.

An entry is a class of effects, a service, an operation, or `service:Operation`. What reads other people's data
(private) or changes the account (write) is in no class but `all`; what hands out secrets is granted by name alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from app.core.operations import Operation, OperationsTable

# What an empty list means
DEFAULT = ("inference", "agents")
ALL = "all"
CLASSES = ("inference", "agents", "read")


@dataclass(frozen=True, slots=True)
class Grants:
    """A list of operations, read."""

    entries: frozenset[str]

    @property
    def everything(self) -> bool:
        """Also paths that no operation is known for, and what no finer entry grants."""
        return ALL in self.entries

    def name(self, operation: Operation) -> bool:
        """Whether an entry is this operation's own."""
        return operation.operation in self.entries or f"{operation.service}:{operation.operation}" in self.entries

    def include(self, operation: Operation) -> bool:
        """Whether any entry lets this operation pass."""
        if operation.effect in CLASSES and operation.effect in self.entries:
            return True
        by_more = operation.effect != "secret" and (ALL in self.entries or operation.service in self.entries)
        return by_more or self.name(operation)


@lru_cache(maxsize=2048)
def grants(entries: tuple[str, ...]) -> Grants:
    """The grants of a layer's `operations`."""
    return Grants(frozenset(entries or DEFAULT))


def how_to_grant(operation: Operation) -> str:
    """What an administrator adds to let an operation pass."""
    if operation.effect == "secret":
        return "add it by name, nothing else grants what hands out secrets"
    if operation.effect in CLASSES:
        return f"add it by name, its service, or the class {operation.effect}"
    return "add it by name, or its service"


def unknown_operation_entries(entries: Iterable[str], table: OperationsTable) -> tuple[str, ...]:
    """Those of `entries` that grant nothing: no class, service, operation or service:Operation. Their order is kept."""
    operations = {f"{operation.service}:{operation.operation}" for operation in table.operations}
    names = {operation.operation for operation in table.operations}
    known = {*CLASSES, ALL, *table.services, *operations, *names}
    return tuple(entry for entry in entries if entry not in known)
