"""How records stand in a spool file: one a line, `<length> <CRC-32> <record>`, both numbers as eight hex digits.

A record is ASCII without line ends, so whatever was damaged before it, the next one is found: a flipped bit loses one
record. The first record of a file is its header.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO
from zlib import crc32

FORMAT = 1
# A posting has 2 KB, and cannot have more than its request's headers, 64 KB, could say.
LONGEST_RECORD = 1024 * 1024
_FRONT = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8}) ")
_FRONT_BYTES = 18


@dataclass(frozen=True, slots=True)
class Header:
    """For which database a file is. `identity`: its own name, None where it was away and never seen before;
    `address`: a digest of where it is; `begun`: when the file was."""

    identity: str | None
    address: str
    begun: datetime


@dataclass(frozen=True, slots=True)
class Unreadable:
    """`size` bytes that are no record. `torn`: the file's end, where a write was cut off."""

    size: int
    torn: bool


class UnknownFormat(ValueError):
    """A later version wrote the file: it is that version's to read."""


def frame(record: bytes) -> bytes:
    """The record as it is appended. `record`: ASCII, without line ends."""
    return b"%08x %08x %b\n" % (len(record), crc32(record), record)


def records_in(stream: BinaryIO) -> Iterator[bytes | Unreadable]:
    """All that can be read, in order, and what lies between. The stream is read a line at a time."""
    limit = LONGEST_RECORD + _FRONT_BYTES + 1
    while line := stream.readline(limit):
        size, cut = len(line), line
        while len(cut) == limit and not cut.endswith(b"\n"):  # no record is as long: on to the next line
            cut = stream.readline(limit)
            size += len(cut)
            line = b""
        records, rest = split_line(line)
        yield from records
        size -= len(line) - len(rest)
        if size:
            yield Unreadable(size, torn=not cut.endswith(b"\n"))


def split_line(line: bytes) -> tuple[list[bytes], bytes]:
    """The records that a line begins with, and the rest: two where the line end between them was damaged."""
    records = []
    while front := _FRONT.match(line):
        end = _FRONT_BYTES + int(front[1], 16)
        record = line[_FRONT_BYTES:end]
        if len(line) < end or crc32(record) != int(front[2], 16):
            break
        records.append(record)
        line = line[end + 1 :]  # after the line end, or what became of it
    return records, line


def looks_framed(line: bytes) -> bool:
    """Whether the line was written as a record, readable or not: of its text nothing is to be believed then."""
    return _FRONT.match(line) is not None


def header_record(header: Header) -> bytes:
    """A file's first record."""
    said = {"spool": FORMAT, "identity": header.identity, "address": header.address, "begun": header.begun.isoformat()}
    return json.dumps(said).encode()


def read_header(record: bytes | Unreadable | None) -> Header:
    """Raises ValueError where it is none, and UnknownFormat where a later version wrote it."""
    match json.loads(record) if isinstance(record, bytes) else None:
        case {"spool": 1, "identity": str() | None as identity, "address": str() as address, "begun": str() as begun}:
            return Header(identity, address, datetime.fromisoformat(begun))
        case {"spool": int() as other} if other != FORMAT:
            raise UnknownFormat(f"it has format {other}, and this version knows {FORMAT}")
    raise ValueError("it does not begin as a spool file")
