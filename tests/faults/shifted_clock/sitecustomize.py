"""Loaded by an interpreter that has this folder on its PYTHONPATH: a wall clock that a file moves, while it runs.

FAULT_CLOCK names the file: a C double, seconds to add. The monotonic clock is left alone, as when somebody sets a
machine's clock.
"""

import datetime as dt
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Any

_plain_time = time.time
_plain_datetime = dt.datetime
with Path(os.environ["FAULT_CLOCK"]).open("rb") as file:
    _shift = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)


def _shifted_time() -> float:
    shift: float = struct.unpack("d", _shift)[0]
    return _plain_time() + shift


class _Kind(type):
    """Every datetime is one, as those that are made here are plain ones."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _plain_datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _plain_datetime)


class _ShiftedDatetime(_plain_datetime, metaclass=_Kind):
    """datetime, as far as it asks what time it is."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return _plain_datetime(*args, **kwargs)

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return _plain_datetime.fromtimestamp(_shifted_time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return _plain_datetime.fromtimestamp(_shifted_time(), dt.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


def _of_now(convert: Any) -> Any:
    def converted(seconds: float | None = None) -> time.struct_time:
        moment: time.struct_time = convert(_shifted_time() if seconds is None else seconds)
        return moment

    return converted


time.time = _shifted_time
time.gmtime, time.localtime = _of_now(time.gmtime), _of_now(time.localtime)
dt.datetime = _ShiftedDatetime  # type: ignore[misc]  # as a library that freezes time does
