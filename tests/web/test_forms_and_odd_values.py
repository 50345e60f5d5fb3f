"""Every field of every form, with what is of no or of another type: it is taken or refused, and nothing else."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from app.web import admin_api

ODD: tuple[Any, ...] = (None, True, 1, -1, 1e300, "", "x", [], [None], {}, {"a": None}, {"a": {}}, "\ud800", "a\0")


def _forms() -> Iterator[type[BaseModel]]:
    for module in pkgutil.iter_modules(admin_api.__path__):
        found = importlib.import_module(f"{admin_api.__name__}.{module.name}")
        for kind in vars(found).values():
            if inspect.isclass(kind) and issubclass(kind, BaseModel) and kind.__module__ == found.__name__:
                yield kind


@pytest.mark.parametrize(
    "form", tuple(_forms()), ids=lambda form: f"{form.__module__.rpartition('.')[2]}.{form.__name__}"
)
def test_no_value_of_a_field_is_unforeseen(form: type[BaseModel]) -> None:
    for name in form.model_fields:
        for value in ODD:
            try:
                form.model_validate({name: value})
            except ValidationError:
                continue
