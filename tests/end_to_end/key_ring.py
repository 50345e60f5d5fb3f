"""Keys in the database of a gateway that runs, put there as the store does."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.core.accounts import Record, Rights, Stamps, VirtualKey
from app.core.key_pairs import KeyPairs
from app.core.virtual_keys import name_of, new_text, token_of
from app.store.database import Database
from app.store.registry import Change, Registry

SECRET_KEY = "a5" * 32
EVERYTHING = Rights(operations=("inference", "agents", "read"))


@dataclass(frozen=True)
class Issued:
    """A key, its text, and the AWS key pair that was issued with it."""

    key: VirtualKey
    text: str
    pair: tuple[str, str]


class KeyRing:
    """Issues keys and changes them. `pairs` as of a gateway with SECRET_KEY."""

    def __init__(self, database: Database, secret_key: str = SECRET_KEY) -> None:
        self._registry = Registry(database, lambda: datetime.now(UTC))
        self._pairs = KeyPairs([secret_key])

    def issue(self, **fields: object) -> Issued:
        text = new_text(secrets.token_urlsafe)
        access_key_id = self._pairs.new_id(secrets.token_bytes)
        now = datetime.now(UTC)
        key = VirtualKey(
            id=secrets.token_hex(8),
            token=token_of(text),
            key_name=name_of(text),
            stamps=Stamps(now, "master", now, "master"),
            access_key_id=access_key_id,
            rights=EVERYTHING,
        )
        key = replace(key, **fields)  # type: ignore[arg-type]  # any of its fields
        self.put(key)
        return Issued(key, text, (access_key_id, self._pairs.secret_of(access_key_id)))

    def put(self, record: Record) -> None:
        """Committed when this returns."""
        self._registry.change(lambda records: records.put(record))

    def multiply(self, key: VirtualKey, count: int) -> None:
        """So many keys more of the same kind, whose texts are `sk-copy-0` and so on."""

        def work(records: Change) -> None:
            for number in range(count):
                records.put(
                    replace(key, id=f"{key.id}-{number}", token=token_of(f"sk-copy-{number}"), access_key_id=None)
                )

        self._registry.change(work)

    def block(self, issued: Issued) -> None:
        self.put(replace(issued.key, blocked=True))


@contextmanager
def key_ring(url: str) -> Iterator[KeyRing]:
    """For the database at this URL, which a gateway has made its tables in."""
    database = Database.at(url)
    try:
        yield KeyRing(database)
    finally:
        database.close()
