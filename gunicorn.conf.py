"""gunicorn's configuration, loaded by `gunicorn wsgi:app` from the project's root. Values come from app.settings."""

import gc
from importlib import metadata

from gevent import events, monkey

# What a start makes stays: to look for garbage among it again and again is a fifth of a start.
gc.disable()
# gevent goes 25 times through all that is installed for who wants to hear of what it patches. Beside its own warning of
# patching by halves that is mostly nobody.
_points = metadata.entry_points()
_heard = [name for group in _points.groups if group.startswith("gevent.") for name in _points.select(group=group)]
if all(name.value.startswith("gevent.") for name in _heard):
    events.notify_and_call_entry_points = events.notify
# before anything imports ssl or locks: the workers are forked from this process
monkey.patch_all()

import logging  # noqa: E402
import resource  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from app.core.errors import StoreUnavailable  # noqa: E402
from app.environment import SettingsError  # noqa: E402
from app.settings import Settings  # noqa: E402
from app.store import gevent_driver  # noqa: E402
from app.store.database import Database  # noqa: E402
from app.store.schema import Schema  # noqa: E402
from app.store.schema_upgrade import SchemaUpgrade, UpgradeFailed  # noqa: E402
from app.web.request_log import log_events  # noqa: E402

# Nobody looks among it later either, which would also copy the pages that the workers share:
# https://docs.python.org/3/library/gc.html#gc.freeze
gc.freeze()
gc.enable()

# without it a query stops every other call of the worker until it is answered
gevent_driver.patch()

try:
    settings = Settings.load()
except SettingsError as error:
    sys.exit(f"outcrop cannot start: {error}")

# each stream holds two descriptors, and many systems begin with a soft limit of 1024
_, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))

bind = settings.bind
workers = settings.workers
# gevent, and idle connections do not hold up a stop
worker_class = "app.web.gunicorn_worker.DrainingWorker"
# near it the worker closes idle ones
worker_connections = settings.connections
# Heroku's router reuses a connection for 90 s: whoever closes first while it sends makes it answer H13
keepalive = 95
# the heartbeat of the hub, not a limit on calls: streams of any length do not trip it
timeout = 60
# a PaaS kills 30 s after it said to stop; calls have 4 s less (app/web/gunicorn_worker.py)
graceful_timeout = 28
# restarting a worker by count cuts its streams: never
max_requests = 0
preload_app = False
accesslog = None
loglevel = "warning"
limit_request_line = 8190
limit_request_field_size = 16384
limit_request_fields = 100
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a heartbeat file on disk can stall
# on by default since gunicorn 25, in the home directory, where two gateways would collide
control_socket_disable = True
# litellm_user_api_key has underscores, and gunicorn drops such names or believes them all: all in, then all but one out
header_map = "dangerous"
forwarder_headers = ""
# gunicorn answers 400 where these contradict each other, and nothing here asks for the scheme
secure_scheme_headers: dict[str, str] = {}
# of the 4 s that gunicorn's worker keeps of the stop's grace
_CLOSING_SECONDS = 3.0


def on_starting(server: Any) -> None:
    """Not where a running gateway hands its sockets over (USR2): the new first worker looks after the schema then."""
    if not server.master_pid:
        _refuse_taken_addresses(server.cfg.address)
        _bring_schema_up_to_date()


def _refuse_taken_addresses(addresses: list[Any]) -> None:
    """Said at once, instead of after five attempts."""
    for address in addresses:
        if isinstance(address, tuple):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(address)
                except OSError as taken:
                    sys.exit(
                        f"outcrop cannot start: {address[0]}:{address[1]} cannot be listened on ({taken.strerror}). "
                        "Stop what is there, or set another PORT, such as: PORT=4001 make run"
                    )


def _bring_schema_up_to_date() -> None:
    """A database that is away stops nobody: known keys and the master key need none, and the first worker goes on."""
    log_events(settings.log_format)
    database = Database.at(settings.database_url)
    try:
        SchemaUpgrade(Schema(database)).run()
    except StoreUnavailable as error:
        logging.getLogger("app").warning(
            "%s does not answer (%s): its tables will be brought up to date as soon as it does",
            database.describe(),
            error.reason or "no reason given",
        )
    except UpgradeFailed as failure:
        sys.exit(f"outcrop cannot start: the tables of {database.describe()} cannot be brought up to date: {failure}")
    finally:
        database.close()  # workers open their own: a connection cannot be shared


def post_worker_init(worker: Any) -> None:
    """The first worker speaks for all, and looks after the database's tables if it was away at the start."""
    gc.freeze()
    # after each 700 containers it looked through those of all calls under way, which are in few cycles: 4 % of a call
    gc.set_threshold(5_000, 10, 10)
    worker.wsgi.extensions["outcrop"].run(announce=worker.age == 1)
    if worker.age == 1:
        gevent.spawn(SchemaUpgrade(worker.wsgi.extensions["schema"]).run_when_it_answers)


def worker_exit(server: Any, worker: Any) -> None:
    """All calls have ended: what of them is not booked yet is, or is kept where the next start finds it."""
    startup = getattr(worker, "wsgi", None) and worker.wsgi.extensions.get("outcrop")
    if startup:
        startup.close_books(_CLOSING_SECONDS)
