"""One file of the spool, held by its lock: as long as the lock is held its owner lives."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Self

from app.store.spool_format import Header, Unreadable, frame, header_record, read_header, records_in

_MODE = 0o600
_SHARE_BYTES = 1024 * 1024
_UNBORN = ".new"
# far longer than any takes to get its name
_UNBORN_SECONDS = 60.0


class SpoolFailed(OSError):
    """What was to be kept is not on the disk for sure; why."""


class SpoolFile:
    """Begun by `begin` or taken over by `adopt`. Not for two threads at once."""

    def __init__(self, path: Path, descriptor: int, header: Header, records: int = 0) -> None:
        """`descriptor`: open for reading and appending, with the lock; `records`: how many wait to be booked."""
        self.path = path
        self.header = header
        self.records = records
        self.unreadable: list[Unreadable] = []
        self._descriptor = descriptor
        self._end = os.fstat(descriptor).st_size
        self._reading: Iterator[bytes] | None = None
        self._stream: BinaryIO | None = None
        self._batch: list[bytes] = []

    @classmethod
    def begin(cls, path: Path, header: Header, records: Sequence[bytes]) -> Self:
        """A new file with its first records, on the disk when this returns. Raises SpoolFailed: then there is none.

        It comes by its name once it has its lock and all of these: a caller waits for the disk twice and no more.
        """
        unborn = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_UNBORN}")
        try:
            descriptor = os.open(unborn, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, _MODE)
        except OSError as error:
            raise SpoolFailed(f"{path} cannot be made: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_all(descriptor, b"".join(map(frame, (header_record(header), *records))))
            os.fsync(descriptor)
            unborn.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            for name in (unborn, path):  # before the lock ends, with which another worker could have it
                _remove(name)
            os.close(descriptor)
            raise SpoolFailed(f"{path} cannot be made: {error.strerror}") from None
        return cls(path, descriptor, header, len(records))

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """A file that nobody holds, None where somebody does, or it has gone. Raises OSError, or as read_header."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.stat()  # whoever held it may have booked it meanwhile
            with path.open("rb") as stream:
                header = read_header(next(records_in(stream), None))
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, header)

    def count(self) -> None:
        """Find out how many records an adopted file has, about. Raises OSError."""
        with self.path.open("rb") as stream:
            lines = sum(share.count(b"\n") for share in iter(lambda: stream.read(_SHARE_BYTES), b""))
        self.records = max(0, lines - 1)

    def append(self, records: Sequence[bytes]) -> None:
        """All are on the disk when this returns. Raises SpoolFailed, after which the file is not to be appended to."""
        try:
            _write_all(self._descriptor, b"".join(map(frame, records)))
            os.fsync(self._descriptor)
        except OSError as error:
            # After a failed fsync nobody knows what of it the disk has. What stands here twice is booked once.
            self._cut_back()
            raise SpoolFailed(f"{self.path} cannot be written: {error.strerror}") from None
        self._end = os.fstat(self._descriptor).st_size
        self.records += len(records)

    def batch(self, most: int) -> list[bytes]:
        """The next records, the same again until they are `confirmed`; none at the end. Raises SpoolFailed."""
        if not self._batch:
            try:
                self._reading = self._reading or self._read()
                self._batch = list(islice(self._reading, most))
            except OSError as error:
                raise SpoolFailed(f"{self.path} cannot be read: {error.strerror}") from None
        return self._batch

    def confirm(self) -> None:
        """The batch is booked."""
        self.records = max(0, self.records - len(self._batch))
        self._batch = []

    def left(self) -> Iterator[bytes]:
        """What is not confirmed, to be told elsewhere. Raises OSError."""
        yield from self._batch
        self._reading = self._reading or self._read()
        yield from self._reading

    def remove(self) -> None:
        """All of it is booked."""
        self.path.unlink(missing_ok=True)
        self.release()

    def put_aside(self, suffix: str) -> Path:
        """Kept under another name, for people."""
        aside = self.path.with_suffix(suffix)
        self.path.rename(aside)
        self.release()
        return aside

    def release(self) -> None:
        """Let go of it: whoever comes next may have the lock."""
        if self._stream:
            self._stream.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _read(self) -> Iterator[bytes]:
        self._stream = self.path.open("rb")
        found = records_in(self._stream)
        next(found, None)  # the header
        for record in found:
            if isinstance(record, bytes):
                yield record
            else:
                self.unreadable.append(record)

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self._end)
        except OSError:
            pass  # the end may be torn, which readers know


def set_text(path: Path, text: str, sync: Callable[[int], None] = os.fsync) -> None:
    """Write a small file whole or not at all. Raises OSError."""
    unborn = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_UNBORN}")
    descriptor = os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        _write_all(descriptor, text.encode())
        sync(descriptor)
    finally:
        os.close(descriptor)
    unborn.rename(path)


def clear_unborn(folder: Path, now: float) -> None:
    """Remove what processes that were killed did not come to give its name, which nobody was told of. Raises OSError.

    `now`: seconds since 1970.
    """
    for path in folder.glob(f"*{_UNBORN}"):
        try:
            if now - path.stat().st_mtime > _UNBORN_SECONDS:
                path.unlink()
        except FileNotFoundError:
            pass  # another worker was faster


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _remove(path: Path) -> None:
    """Never raises: whoever finds it books what stands in it, once."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """A new name is on the disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
