"""Where postings wait on a disk while the database is away: a folder, where each worker appends to a file of its own.

A file is booked into the database that it was for and no other: its header has the database's own name. A worker that
starts while the database is away has the name from a file beside, where it was written when last known; where it never
was, a digest of the database's address decides.
"""

import hashlib
import logging
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event, Lock
from typing import Any

from sqlalchemy import URL

from app.store.disk_thread import off_the_hub
from app.store.spool_file import SpoolFailed, SpoolFile, clear_unborn, set_text
from app.store.spool_format import LONGEST_RECORD, Header, UnknownFormat

_log = logging.getLogger(__name__)
_WAITING, _DAMAGED, _REJECTED, _NAME = ".spool", ".damaged", ".rejected", ".database"
_FOLDER_MODE = 0o700
_DIGEST_LETTERS = 16


def address_of(url: URL) -> str:
    """A digest of which database is meant, whoever asks it: without user and password, which may change."""
    host = url.query.get("host", "")
    place = [url.get_backend_name(), str(url.host or host), str(url.port or ""), str(url.database)]
    return hashlib.sha256("\n".join(place).encode()).hexdigest()[:_DIGEST_LETTERS]


class Spool:
    """One worker's: it appends, and books what nobody holds any more. Any number of threads may append at once."""

    def __init__(
        self, folder: Path, address: str, now: Callable[[], datetime], run: Callable[..., Any] = off_the_hub
    ) -> None:
        """`address`: of the database, by `address_of`; `run`: calls where the disk may be waited for."""
        self.waiting: deque[SpoolFile] = deque()
        self._folder = folder
        self._address = address
        self._now = now
        self._run = run
        self._identity: str | None = None
        self._own: SpoolFile | None = None
        self._rejected: SpoolFile | None = None
        self._queue: list[_Waiting] = []
        self._queueing, self._turn = Lock(), Lock()
        self._is_led = False
        self._told: set[str] = set()

    def know(self, identity: str | None) -> None:
        """The database has said its name."""
        if identity is None or identity == self._identity:
            return
        self._identity = identity
        if self._remembered() != identity:
            try:
                self._make_folder()
                set_text(self._name_file(), identity)
            except (OSError, SpoolFailed) as error:
                _log.warning("the database's name cannot be written to %s: %s", self._name_file(), error)

    @property
    def identity(self) -> str | None:
        """The database's name, as far as this machine has heard it."""
        return self._identity or self._remembered()

    def append(self, records: Sequence[bytes]) -> None:
        """All are on the disk when this returns; whoever else waits to append shares the wait. Raises SpoolFailed."""
        if any(len(record) > LONGEST_RECORD for record in records):
            raise SpoolFailed(f"a record is longer than {LONGEST_RECORD:,} bytes")
        waiting = _Waiting(records)
        with self._queueing:
            self._queue.append(waiting)
            waiting.leads, self._is_led = not self._is_led, True
        try:
            if not waiting.leads:
                # not for a lock: gevent's are taken by whoever comes first, and others would wait for ever
                waiting.woken.wait()
            if waiting.leads:
                with self._turn:
                    self._append_all()
        finally:
            self._leave(waiting)
        if waiting.failure:
            raise SpoolFailed(waiting.failure)

    def set_aside(self, record: bytes) -> Path:
        """Keep what the database does not take, for people. Raises SpoolFailed."""
        with self._turn:
            rejected, self._rejected = self._rejected, None
            try:
                self._rejected = self._appended(rejected, _REJECTED, [record])
            except SpoolFailed:
                if rejected:
                    rejected.release()
                raise
            return self._rejected.path

    def collect(self) -> None:
        """Put its own file, if there is one, and those that nobody holds among `waiting`. Never raises.

        The database should have been asked for its name before: files are for it, or are left alone.
        """
        with self._turn:
            own, self._own = self._own, None
        found: list[tuple[Path, SpoolFile | str]] = [(own.path, own)] if own else []
        held = {file.path for file in self.waiting}
        try:
            found += self._run(lambda: list(self._adopted(held)))
        except OSError as error:
            self._tell_once(self._folder, f"cannot be looked through: {error}")
        for path, file in found:
            if isinstance(file, str):
                self._tell_once(path, file)
            elif not self._is_for_this_database(file.header):
                file.release()
                self._tell_once(path, "is for another database, and left as it is")
            else:
                if file is not own:
                    self._run(file.count)
                    _log.info("%s was left behind: about %d calls of it are booked now", path, file.records)
                self.waiting.append(file)

    def settle(self, file: SpoolFile) -> None:
        """All that can be read of it is booked. What was damaged is kept, and told. Raises OSError."""
        lost = [gap for gap in file.unreadable if not gap.torn]
        for gap in file.unreadable:
            if gap.torn:
                _log.warning("%s ends in %d bytes of a record that was not written to its end", file.path, gap.size)
        if not lost:
            file.remove()
            self.waiting.remove(file)
            return
        aside = file.put_aside(_DAMAGED)
        self.waiting.remove(file)
        size = sum(gap.size for gap in lost)
        _log.error("%d bytes of the spool are no record any more: the rest is booked, all is kept as %s", size, aside)

    def drop(self, file: SpoolFile) -> None:
        """It is not to be booked by this process, nor by another while this one lives."""
        self.waiting.remove(file)

    @property
    def has_own(self) -> bool:
        """Whether anything was appended since files were collected."""
        return self._own is not None

    def records(self) -> int:
        """How many wait to be booked, as far as files were looked through."""
        return sum(file.records for file in self._held())

    def oldest(self) -> datetime | None:
        """When the oldest file that waits was begun."""
        return min((file.header.begun for file in self._held()), default=None)

    def release(self) -> None:
        """Let go of all files: another worker, or the next start, books what waits."""
        with self._turn:
            held = [*self._held(), *([self._rejected] if self._rejected else [])]
            self.waiting.clear()
            self._own = self._rejected = None
        for file in held:
            file.release()

    def _held(self) -> list[SpoolFile]:
        own = self._own
        return [*self.waiting, own] if own else list(self.waiting)

    def _append_all(self) -> None:
        """In one write, for all who wait."""
        with self._queueing:
            queue, self._queue = self._queue, []
        failure = "interrupted"
        try:
            self._own = self._appended(self._own, _WAITING, [record for waiting in queue for record in waiting.records])
            failure = ""
        except SpoolFailed as error:
            failure = str(error)
        finally:
            if failure:
                self._give_up_own()
            for waiting in queue:
                waiting.failure = failure
                waiting.woken.set()

    def _leave(self, waiting: "_Waiting") -> None:
        """Whoever led hands that on to one who came meanwhile."""
        with self._queueing:
            if waiting in self._queue:  # interrupted
                self._queue.remove(waiting)
            if not waiting.leads:
                return
            self._is_led = bool(self._queue)
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].woken.set()

    def _give_up_own(self) -> None:
        """Nothing is added to it any more."""
        own, self._own = self._own, None
        if own:
            self.waiting.append(own)

    def _appended(self, file: SpoolFile | None, suffix: str, records: Sequence[bytes]) -> SpoolFile:
        """`file`, or a new one, with `records` on the disk. Raises SpoolFailed."""
        written: SpoolFile = self._run(self._append_to, file, suffix, records)
        return written

    def _append_to(self, file: SpoolFile | None, suffix: str, records: Sequence[bytes]) -> SpoolFile:
        if file:
            file.append(records)
            return file
        self._make_folder()
        now = self._now()
        name = f"{now:%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}{suffix}"
        return SpoolFile.begin(self._folder / name, Header(self.identity, self._address, now), records)

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise SpoolFailed(f"{self._folder} cannot be made: {error.strerror}") from None

    def _adopted(self, held: set[Path]) -> Iterator[tuple[Path, SpoolFile | str]]:
        """The files that nobody else holds, each as it was taken over, or why it was not. In another thread."""
        clear_unborn(self._folder, self._now().timestamp())
        for path in sorted(self._folder.glob(f"*{_WAITING}")):
            if path in held:
                continue
            try:
                if file := SpoolFile.adopt(path):
                    yield path, file
            except (UnknownFormat, OSError) as error:
                yield path, f"is left as it is: {error}"
            except ValueError as error:
                aside = path.with_suffix(_DAMAGED)
                path.rename(aside)
                yield path, f"cannot be booked by itself ({error}), but by: flask --app wsgi usage replay {aside}"

    def _is_for_this_database(self, header: Header) -> bool:
        identity = self.identity
        if header.identity and identity:
            return header.identity == identity
        return header.address == self._address

    def _tell_once(self, path: Path, what: str) -> None:
        if path.name not in self._told:
            self._told.add(path.name)
            _log.error("%s %s", path, what)

    def _remembered(self) -> str | None:
        try:
            return self._name_file().read_text().strip() or None
        except (OSError, ValueError):
            return None

    def _name_file(self) -> Path:
        return self._folder / f"{self._address}{_NAME}"


class _Waiting:
    """Records that somebody waits for, until they are written or it is up to them to write."""

    __slots__ = ("failure", "leads", "records", "woken")

    def __init__(self, records: Sequence[bytes]) -> None:
        self.records = records
        self.leads = False
        self.woken = Event()
        self.failure = ""
