"""The parts that create_app puts together where they are many: the desks of the admin routes, and the money.

Beside app/__init__.py the only file that sees every layer.
"""

import secrets
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import uuid4

import gevent

from app.core.account_changes import AccountChanges
from app.core.errors import StoreUnavailable
from app.core.key_pairs import KeyPairs
from app.core.operation_grants import unknown_operation_entries
from app.core.operations import load_table
from app.core.prices import PriceBook
from app.core.virtual_keys import new_text, token_of
from app.gateway.admission import Admission
from app.gateway.audit_trail import AuditTrail
from app.gateway.audited_changes import AuditedRegistry
from app.gateway.bookkeeping import Bookkeeping
from app.gateway.budget_desk import BudgetDesk
from app.gateway.customer_desk import CustomerDesk
from app.gateway.end_users import EndUsers
from app.gateway.key_changes import KeyChanges, KeyMaker
from app.gateway.key_desk import KeyDesk
from app.gateway.key_directory import KeyDirectory
from app.gateway.member_desk import MemberDesk
from app.gateway.model_resolver import ModelResolver
from app.gateway.ports import Bedrock, UsageReads
from app.gateway.reports import Reports
from app.gateway.spend_desk import SpendDesk
from app.gateway.standings import Standings
from app.gateway.tallies import Backlog
from app.gateway.team_desk import TeamDesk
from app.gateway.user_desk import UserDesk
from app.settings import Settings
from app.store.database import Database
from app.store.identity import identity_of
from app.store.ledger import LedgerStore
from app.store.ledger_writer import LedgerWriter
from app.store.registry import Registry
from app.store.spool import Spool, address_of
from app.store.tickets import TicketStore
from app.store.workers import Heartbeat
from app.web.admin_api import audit, budgets, credentials, customers, global_spend, keys, spend, teams, users
from app.web.admin_api.routes import Route

# within one beat: whoever is not done by then goes on at the next
_ADOPTION_SECONDS = 2.0


def now() -> datetime:
    """The clock of everything that is written down."""
    return datetime.now(UTC)


def unknown_operations(entries: Sequence[str]) -> Sequence[str]:
    """Entries of a list of operations that name none."""
    return unknown_operation_entries(entries, load_table())


class Desks:
    """Where keys and accounts are kept in order."""

    def __init__(
        self, settings: Settings, registry: Registry, after_change: Callable[[], None], reads: UsageReads
    ) -> None:
        audited = AuditedRegistry(registry, now, lambda: str(uuid4()), after_change)
        pairs = KeyPairs(settings.secret_keys)
        maker = KeyMaker(
            new_text=lambda: new_text(secrets.token_urlsafe),
            new_access_key_id=lambda: pairs.new_id(secrets.token_bytes),
            pairs=pairs,
            reserved=frozenset({token_of(settings.master_key)} if settings.master_key else ()),
        )
        changes = AccountChanges(unknown_operations)
        self.keys = KeyDesk(audited, maker, unknown_operations)
        self.teams = TeamDesk(audited, changes)
        self.members = MemberDesk(audited)
        self.users = UserDesk(audited, changes, KeyChanges(maker, unknown_operations))
        self.customers = CustomerDesk(audited, changes)
        self.budgets = BudgetDesk(audited, changes)
        self.audit_trail = AuditTrail(audited)
        self.spend = SpendDesk(audited)
        self.reports = Reports(reads, registry, now)
        self.standings = Standings(reads, registry, now, rates_elsewhere=settings.redis_url is not None)

    def nouns(self) -> dict[str, list[Route[Any, Any]]]:
        """The admin routes, by what they are about."""
        return {
            "keys": keys.routes(self.keys, self.standings),
            "teams": teams.routes(self.teams, self.members, self.standings),
            "users": users.routes(self.users, self.standings),
            "customers": customers.routes(self.customers, self.standings),
            "budgets": budgets.routes(self.budgets),
            "audit": audit.routes(self.audit_trail),
            "spend": [
                *spend.routes(self.reports, self.keys, self.users),
                *global_spend.routes(self.reports, self.spend),
            ],
            "credentials": credentials.routes(),
        }


def _redis_counters(url: str) -> Any:
    """RedisCounters. Its library is a twentieth of a start and 5 MB, so it is imported where there is a Redis alone."""
    return import_module("app.store.redis_counters").RedisCounters(url)


class Money:
    """Where calls are admitted, priced and booked, and what runs beside them."""

    def __init__(self, settings: Settings, database: Database, prices: PriceBook) -> None:
        self._settings = settings
        self._prices = prices
        worker_id = str(uuid4())
        self._ledger_store = LedgerStore(database, now)
        spool = Spool(settings.spool_dir, address_of(database.engine.url), now)
        self.writer = LedgerWriter(
            self._ledger_store,
            spool,
            identify=lambda: identity_of(database),
            disk_is_lost=settings.platform is not None,
            now=now,
        )
        self._tickets = TicketStore(database, worker_id)
        self._counters = _redis_counters(settings.redis_url) if settings.redis_url else None
        self._heartbeat = Heartbeat(
            database,
            worker_id,
            host=socket.gethostname(),
            books=self._ledger_store,
            adopt_spool=self._adopt_spool,
            also=(self._tickets.repay, *((self._counters.renew,) if self._counters else ())),
            now=now,
        )

    def _adopt_spool(self, _: str) -> None:
        """What dead workers had seen the end of is booked before the rest of their calls. Raises StoreUnavailable."""
        if not self.writer.recover(_ADOPTION_SECONDS):
            raise StoreUnavailable("What dead workers left on the disk is not booked yet.", reason="the spool is read")

    def bookkeeping(self, directory: KeyDirectory, bedrock: Bedrock) -> Bookkeeping:
        """For the passage of calls."""
        settings = self._settings
        return Bookkeeping(
            admission=Admission(self._tickets, self._counters, allow_when_down=settings.allow_when_down, now=now),
            ledger=self.writer,
            end_users=EndUsers(directory),
            prices=self._prices,
            resolver=ModelResolver(bedrock, self._prices.knows, time.monotonic),
            hold_output_tokens=settings.hold_output_tokens,
            now=now,
            breathe=gevent.sleep,
        )

    def backlog(self) -> Backlog:
        """How the books stand."""
        status = self.writer.status()
        return Backlog(status.queued, status.spooled, status.kept, status.rejected, status.oldest, status.away_since)

    def beat(self) -> float:
        """To be called again and again: seconds until it is due."""
        self.writer.start()
        return self._heartbeat.beat()

    def close(self, seconds: float) -> None:
        """The process ends: book what is left, or keep it where it will be found, within so many seconds."""
        self.writer.close(seconds)
        self._heartbeat.leave()
