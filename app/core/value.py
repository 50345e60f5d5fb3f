"""How values that every call makes are written down: frozen to whoever checks the types, and no dearer than others.

A frozen dataclass sets each field through object.__setattr__, which takes four times as long as setting it.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """As dataclass(frozen=True, slots=True), but that mypy alone refuses changes."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
