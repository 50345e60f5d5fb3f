"""Whether a list of resources lets pass what a call names: globs over ids and ARNs, and `s3://` prefixes.

An S3 location is written in three ways: `s3://bucket/key`, a bucket's ARN, or a bare bucket name, whose key stands
elsewhere and is not known here: only an entry for the whole bucket lets it pass.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from app.core.globs import matches
from app.core.model_names import looks_like_arn

_S3 = "s3://"
# the longest that AWS has: `flow/FLOW/alias/ALIAS`, without its first part
_MOST_IDS = 4
_BUCKET_ARN = re.compile(r"arn:[^:]+:s3:::(.+)", re.DOTALL)


def allows_resource(resources: tuple[str, ...], value: str) -> bool:
    """Whether a list names a resource: by the value itself, or an ARN's by one of the ids in it."""
    spellings = (value, *_ids_in(value))
    return any(matches(pattern, spelling) for pattern in resources for spelling in spellings)


def allows_location(resources: tuple[str, ...], value: str) -> bool:
    """Whether a list names an S3 location."""
    location = _location(value)
    if _climbs(location):
        return False
    whole, beginnings, others = _locations(resources)
    if location in whole or location.startswith(beginnings):
        return True
    return looks_like_arn(value) and any(matches(pattern, value) for pattern in others)


def _ids_in(value: str) -> tuple[str, ...]:
    """`arn:aws:bedrock:us-east-1:1:agent-alias/AGENT/ALIAS` -> AGENT, ALIAS; a version after a colon is no part."""
    if not looks_like_arn(value):
        return ()
    parts = value.split(":", 5)
    if len(parts) < 6:
        return ()
    segments = parts[5].split("/")[1:]
    if len(segments) > _MOST_IDS:
        return ()
    return tuple(spelling for segment in segments for spelling in {segment, segment.partition(":")[0]})


def _location(value: str) -> str:
    if value[: len(_S3)].lower() == _S3:
        return _S3 + value[len(_S3) :]
    bucket = _BUCKET_ARN.fullmatch(value)
    return _S3 + (bucket[1] if bucket else value)


def _climbs(location: str) -> bool:
    """S3 itself takes keys as they are, but what reads them on the way may resolve dots."""
    return any(part in (".", "..") for part in unquote(location).replace("\\", "/").split("/"))


@lru_cache(maxsize=1024)
def _locations(resources: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """What a list says of S3: whole locations, how locations may begin, and entries that are about something else."""
    whole = frozenset(pattern for pattern in resources if pattern.startswith(_S3) and not pattern.endswith("*"))
    beginnings = [pattern[:-1] for pattern in resources if pattern.startswith(_S3) and pattern.endswith("*")]
    beginnings.extend(pattern if pattern.endswith("/") else f"{pattern}/" for pattern in whole)
    return whole, tuple(beginnings), tuple(pattern for pattern in resources if not pattern.startswith(_S3))
