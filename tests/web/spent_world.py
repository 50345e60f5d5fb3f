"""A gateway where something was spent: by whom, on which day, and how much, for the tests of spend routes.

day         key   team  user  end user  tags            model   cost
2026-11-20  ci    red   rita  carol     prod / nightly  SONNET  1.5, and one unpriced
2026-11-21  ci    red   rita            prod            NOVA    0.25
2026-11-21  boss  red   boss            -               NOVA    a failure, 0
2026-11-21  blue  blue  -     dave      -               NOVA    4
2026-11-21  -     -     -                               NOVA    the administrator's, 8
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.core.ledger_entries import UNPRICED, Account, Charge, Entry, Posting, Window
from app.core.usage import Attribution, Usage
from app.core.virtual_keys import token_of
from app.store.database import Database
from app.store.ledger import LedgerStore
from tests.databases import KINDS, PostgresServer
from tests.web.admin_client import AdminClient

SONNET, NOVA = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-lite-v1:0"
FIRST, SECOND = "2026-11-20", "2026-11-21"
DATES = {"start_date": FIRST, "end_date": SECOND}
RATES = {"input": Decimal("0.003"), "output": Decimal("0.012")}


@dataclass
class SpentWorld:
    """The administrator's client, and the texts of the keys; `viewer` and `outsider` spent nothing."""

    client: AdminClient
    ledger: LedgerStore
    keys: dict[str, str]

    @classmethod
    def made(cls, client: AdminClient, database: Database) -> "SpentWorld":
        for team, alias in (("red", "Red"), ("blue", None)):
            client.made("/team/new", team_id=team, team_alias=alias)
        for user, role in (("eye", "proxy_admin_viewer"), ("boss", "internal_user"), ("rita", "internal_user")):
            client.made("/user/new", user_id=user, user_role=role, auto_create_key=False)
        client.made("/team/member_add", team_id="red", member={"role": "admin", "user_id": "boss"})
        keys = {
            "ci": client.new_key(team_id="red", user_id="rita", key_alias="ci"),
            "boss": client.new_key(team_id="red", user_id="boss", key_alias="boss"),
            "blue": client.new_key(team_id="blue", key_alias="=blue"),
            "viewer": client.new_key(user_id="eye"),
            "outsider": client.new_key(),
        }
        world = cls(client, LedgerStore(database), keys)
        world._spend()
        return world

    def id_of(self, name: str) -> str:
        key_id: str = self.client.seen("/key/info", self.keys[name])["info"]["key_id"]
        return key_id

    def token(self, name: str) -> str:
        return token_of(self.keys[name])

    def book(self, request_id: str, day: str, cost: str | None, key: str | None = None, **values: Any) -> None:
        """A call at noon. `key`: whose; its team and user are in `values`."""
        start = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        entry = Entry(
            request_id=request_id,
            started_at=start,
            ended_at=start + timedelta(milliseconds=518),
            key_id=self.id_of(key) if key else None,
            key_token=self.token(key) if key else None,
            key_alias=key,
            service="bedrock-runtime",
            operation="Converse",
            model=NOVA,
            region="us-east-1",
            usage=Usage("reported", {"input": 10, "output": 2}, "converse"),
            charge=UNPRICED if cost is None else Charge(Decimal(cost), NOVA, "in-region", "standard", RATES, "entry"),
            duration_ms=518.2,
            first_byte_ms=100.0,
            address="203.0.113.9",
            aws_request_id=f"aws-{request_id}",
        )
        entry = replace(entry, **values)
        accounts = ((Account("key", entry.key_id), Window()),) if entry.key_id else ()
        self.ledger.book([Posting(entry, accounts)])

    def _spend(self) -> None:
        rita: dict[str, Any] = {"key": "ci", "team_id": "red", "team_alias": "Red", "user_id": "rita"}
        carol: dict[str, Any] = rita | {
            "attribution": Attribution("carol", "user", "session-1", ("nightly",), {"job": 7}, "mine"),
            "counted_end_user": "carol",
            "key_tags": ("prod",),
            "counted_tags": ("nightly",),
            "model": SONNET,
            "usage": Usage(
                "reported", {"input": 100, "output": 100, "cache_read": 50, "cache_write_5m": 7}, "converse"
            ),
        }
        self.book("one", FIRST, "1.5", **carol)
        self.book("two", FIRST, None, **carol | {"usage": Usage()})
        self.book("three", SECOND, "0.25", **rita, key_tags=("prod",))
        failed = {"status": "failure", "http_status": 400, "error": "ValidationException"}
        self.book("four", SECOND, "0", "boss", team_id="red", user_id="boss", **failed)
        dave = Attribution("dave", "header")
        self.book("five", SECOND, "4", "blue", team_id="blue", attribution=dave, counted_end_user="dave")
        self.book("six", SECOND, "8")


@pytest.fixture(scope="module", params=KINDS)
def spent(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SpentWorld]:
    """One for all of a module's tests that only look, on each database."""
    folder = tmp_path_factory.mktemp("spent")
    url, give_back = f"sqlite:///{folder / 'outcrop.db'}", None
    if request.param == "sqlite":
        shutil.copyfile(sqlite_template, folder / "outcrop.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.borrow(request.getfixturevalue("postgresql_template"))
        give_back = server.give_back
    client, database = AdminClient.on(url, folder), Database.at(url)
    yield SpentWorld.made(client, database)
    client.close()
    database.close()
    if give_back:
        give_back(url)


@pytest.fixture
def world(admin: AdminClient, database: Database) -> SpentWorld:
    """For a test that changes something."""
    return SpentWorld.made(admin, database)
