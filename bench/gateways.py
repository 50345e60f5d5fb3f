"""The gateway as it is measured: one worker, a caller with a virtual key, policy and ledger on, on either database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

from app.core.accounts import Limits, Rights
from bench.contenders import Contender, Upstream, first_answer
from bench.machine import Cores, pin
from bench.postgres import Postgres
from tests.end_to_end.key_ring import key_ring
from tests.gateway_process import GatewayProcess

# a policy that has to be asked, and that lets the load pass
_RIGHTS = Rights(models=("anthropic.*", "amazon.nova-*"), operations=("inference",), regions=("us-east-1", "us"))
# never reached, but counted
_LIMITS = Limits(max_budget=Decimal(1_000_000), budget_duration="30d", rpm_limit=100_000_000)


@dataclass(frozen=True, slots=True)
class Setting:
    """`postgres`: where the database is PostgreSQL; `limited`: whether the key has a budget and a rate."""

    name: str
    postgres: Postgres | None = None
    limited: bool = False


SQLITE, POSTGRESQL, LIMITED = "Outcrop, SQLite", "Outcrop, PostgreSQL", "Outcrop, limits"
ON_SQLITE = Setting(SQLITE)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The running gateway. `database`: its URL."""

    process: GatewayProcess
    contender: Contender
    database: str


@contextmanager
def running_gateway(upstream: Upstream, cores: Cores, setting: Setting = ON_SQLITE) -> Iterator[Gateway]:
    """With a log that somebody reads, as in production. The key is there before the start: what a restart finds."""
    variables = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{upstream.port}", "WEB_CONCURRENCY": "1"}
    if setting.postgres:
        variables["DATABASE_URL"] = setting.postgres.create()
    process = GatewayProcess(variables)
    database = process.environment["DATABASE_URL"]
    with key_ring(database) as ring:
        issued = ring.issue(rights=_RIGHTS, limits=_LIMITS if setting.limited else Limits())
    began = time.monotonic()
    with process:
        contender = Contender(setting.name, process.port, "/bedrock", key=issued.text)
        first_answer(contender, upstream)
        beside = setting.postgres.processes() if setting.postgres else ()
        contender = contender.settled(tuple(process.worker_pids()), began, cores)
        pin(process.pid, cores.worker)
        yield Gateway(process, replace(contender, beside=beside, forget=process.clear_log), database)
