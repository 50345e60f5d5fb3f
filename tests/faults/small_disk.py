"""Disks that get full, as this machine and its user can make them: a small one of its own, or a bound on files."""

import ctypes
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from tests.faults.counts import count
from tests.gateway_process import GatewayProcess

# over what a write-ahead log of SQLite grows to by itself
_SIZE_BYTES = 16 * 1024 * 1024
# some rows of calls more, and a part of one
_LEFT_BYTES = 8192
_BALLAST = "ballast"
_DETACH = 2


class Disk(Protocol):
    """Where a gateway may have files. `what`: the gateway's log has it where the disk is full."""

    folder: Path
    what: str

    def fill(self, gateway: GatewayProcess) -> None:
        """From now on next to nothing can be written."""

    def make_room(self, gateway: GatewayProcess) -> None:
        """Everything can, also after the gateway was killed."""


class _Mounted:
    """A file system in memory, full as a disk is: ENOSPC."""

    what = "No space left on device"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, gateway: GatewayProcess) -> None:
        content = b"\0" * _SIZE_BYTES
        with (self.folder / _BALLAST).open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(content)
            except OSError:
                ballast.truncate(ballast.tell() - _LEFT_BYTES)

    def make_room(self, gateway: GatewayProcess) -> None:
        (self.folder / _BALLAST).unlink()


class _Bounded:
    """A bound on the size of the files that the workers write: EFBIG, in the middle of a row."""

    what = "File too large"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bounds = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    def fill(self, gateway: GatewayProcess) -> None:
        for pid in gateway.worker_pids():
            self._bounds = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (_LEFT_BYTES, self._bounds[1]))

    def make_room(self, gateway: GatewayProcess) -> None:
        for pid in gateway.worker_pids() if gateway.process.poll() is None else ():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, self._bounds)


@contextmanager
def _mounted() -> Iterator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="outcrop-disk-"))
    _mount(folder)
    try:
        yield _Mounted(folder)
    finally:
        _unmount(folder)
        folder.rmdir()


@contextmanager
def _bounded() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="outcrop-disk-", ignore_cleanup_errors=True) as folder:
        yield _Bounded(Path(folder))


def _mount(folder: Path) -> None:
    """Raises OSError where this user may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={_SIZE_BYTES},mode=700".encode()
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options):
        raise OSError(ctypes.get_errno(), "tmpfs cannot be mounted")


def _unmount(folder: Path) -> None:
    ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(folder), _DETACH)


def _may_mount() -> bool:
    with tempfile.TemporaryDirectory(prefix="outcrop-disk-") as folder:
        try:
            _mount(Path(folder))
        except (OSError, AttributeError):  # another user, or another system
            return False
        _unmount(Path(folder))
        return True


_ALL: dict[str, Callable[[], AbstractContextManager[Disk]]] = {"a bound on files": _bounded}
if _may_mount():
    _ALL = {"a full disk": _mounted, **_ALL}
# the truest that there is here, or more of them
DISKS = dict(list(_ALL.items())[: count("DISKS", 1)])
