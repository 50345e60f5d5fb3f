"""Outcrop: one URL in front of AWS Bedrock.

    web ──> gateway ──> core <── upstream, store

`create_app`, with app/assembly.py, is the only place that sees all of them. Each package's own __init__ states its
rule, and tests/test_architecture.py holds them.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask, request

from app.assembly import Desks, Money, now
from app.core.errors import StoreUnavailable
from app.core.key_pairs import KeyPairs
from app.core.operations import load_table
from app.core.policy import RegionRules
from app.core.prices import PriceBook
from app.gateway.bookkeeping import Bookkeeping
from app.gateway.diagnosis import Diagnosis, Finding
from app.gateway.doorman import Doorman
from app.gateway.key_directory import KeyDirectory
from app.gateway.model_catalog import ModelCatalog
from app.gateway.model_resolver import ModelResolver
from app.gateway.passage import Passage
from app.gateway.ports import Bedrock, Journal
from app.gateway.price_desk import PriceDesk
from app.gateway.tallies import CountingJournal, Tally
from app.settings import Settings
from app.store.database import Database, engine_options, engine_url
from app.store.ledger import LedgerStore
from app.store.registry import Registry
from app.store.replay import Replay
from app.store.rows import db
from app.store.schema import Migrations, Schema, State
from app.store.usage_reports import UsageReports
from app.upstream.adapter import Adapter
from app.upstream.bedrock_client import BedrockClient
from app.upstream.connections import Timeouts
from app.upstream.credentials import CredentialKeeper, from_botocore
from app.upstream.endpoints import Endpoints
from app.upstream.price_list import OFFERS, PriceList
from app.upstream.signing import Signer
from app.web import bedrock_proxy, command_line, errors, health
from app.web.access import LoopbackOnly, caller_address
from app.web.admin_api import (
    description,
    models,
    spend_calculation,
    worker_details,
)
from app.web.admin_api.routes import Gate, Route, create_blueprint
from app.web.bedrock_proxy import ProxyOptions
from app.web.desk_commands import CommandDesks
from app.web.flask_app import PASSAGE, OutcropFlask
from app.web.key_commands import keys_group
from app.web.price_commands import PriceTools, prices_group
from app.web.request_headers import lower_case_headers
from app.web.request_log import RequestLog, log_events
from app.web.schema_commands import SchemaCommands
from app.web.startup import Startup
from app.web.team_commands import teams_group
from app.web.usage_commands import usage_group
from app.web.usage_replay_command import replay_command
from app.web.user_commands import users_group


def create_app(settings: Settings | None = None, bedrock: Bedrock | None = None) -> Flask:
    """The WSGI application. Raises SettingsError where `settings` are to be read and are wrong."""
    settings = settings or Settings.load()
    log_events(settings.log_format)
    app = OutcropFlask(__name__)
    database = _database(app, settings.database_url)
    credentials = CredentialKeeper(from_botocore())
    bedrock = bedrock or _bedrock_client(settings, credentials)
    directory = KeyDirectory(Registry(database, now), settings.known_key_seconds, time.monotonic)
    doorman = Doorman(settings.master_key, directory, KeyPairs(settings.secret_keys), now)
    prices = PriceBook.load(settings.prices)
    money = Money(settings, database, prices)
    bookkeeping = money.bookkeeping(directory, bedrock)
    journal = CountingJournal(RequestLog(settings.log_format))
    passage = _passage(settings, doorman, bedrock, bookkeeping, journal)
    options = _proxy_options(settings, frozenset(load_table().services))
    app.register_blueprint(bedrock_proxy.create_blueprint(passage, options))
    desks = Desks(settings, Registry(database, now), directory.refresh, UsageReports(database))
    price_desk = PriceDesk(prices, settings.region, now)
    nouns = {
        "models": models.routes(ModelCatalog(bedrock, settings.region, time.monotonic), price_desk.rates),
        "prices": spend_calculation.routes(price_desk),
        "worker": worker_details.routes(_tally(journal, bookkeeping, money, passage)),
    }
    _serve(app, _gate(doorman, settings), desks.nouns() | nouns)
    app.register_blueprint(health.create_blueprint(directory.freshness))
    _surround(app, options)
    diagnosis = _diagnosis(bedrock, settings)
    _add_commands(app, desks, database, diagnosis)
    app.cli.add_command(prices_group(_price_tools(settings, bedrock, prices)))
    app.extensions["outcrop"] = Startup(
        settings,
        keep_credentials=credentials.start,
        loops=(directory.poll, money.beat),
        close_books=money.close,
        diagnosis=diagnosis,
        database=database.describe(),
        database_answers=database.answers,
    )
    return app


def _tally(journal: CountingJournal, bookkeeping: Bookkeeping, money: Money, passage: Passage) -> Tally:
    return Tally(journal.refused, lambda: bookkeeping.unpriced, money.backlog, passage.in_flight)


def _passage(
    settings: Settings, doorman: Doorman, bedrock: Bedrock, bookkeeping: Bookkeeping, journal: Journal
) -> Passage:
    return Passage(
        doorman=doorman,
        operations=load_table(),
        regions=RegionRules(settings.region, settings.regions, settings.regions_are_explicit),
        bedrock=bedrock,
        bookkeeping=bookkeeping,
        journal=journal,
        clock=time.monotonic,
        most_in_flight=settings.max_in_flight,
        tells_aws_who=settings.log_caller_to_aws,
    )


def _surround(app: Flask, options: ProxyOptions) -> None:
    """What holds for every route."""
    if options.loopback_only:
        app.before_request(_guard(options.loopback_only))
    app.after_request(bedrock_proxy.leave_unread_bodies)
    errors.register(app, options.services | {"bedrock"})


def _gate(doorman: Doorman, settings: Settings) -> Gate:
    return Gate(doorman.admit, lower_case_headers, partial(caller_address, trusted_hops=settings.trusted_hops))


def _serve(app: Flask, gate: Gate, nouns: dict[str, list[Route[Any, Any]]]) -> None:
    for noun, routes in nouns.items():
        app.register_blueprint(create_blueprint(noun, routes, gate))
    for blueprint in description.create_blueprints(nouns):
        app.register_blueprint(blueprint)


def _add_commands(app: Flask, desks: Desks, database: Database, diagnosis: Diagnosis) -> None:
    finding = partial(_database_finding, app.extensions["schema"], database)
    app.cli.add_command(command_line.doctor_command(diagnosis, finding))
    ledger = LedgerStore(database, now)
    found = CommandDesks(
        desks.keys, desks.teams, desks.users, desks.reports, desks.standings, prune=ledger.prune, database=finding
    )
    for make in (keys_group, teams_group, users_group):
        app.cli.add_command(make(found))
    app.cli.add_command(usage_group(found, replay_command(Replay(ledger, database))))


def _price_tools(settings: Settings, bedrock: Bedrock, prices: PriceBook) -> PriceTools:
    resolver = ModelResolver(bedrock, prices.knows, time.monotonic)
    return PriceTools(prices, settings.region, resolver.resolve, PriceList(settings.ca_bundle).fetch, OFFERS)


def _database_finding(schema: Schema, database: Database) -> Finding:
    """Whether the database can be used, and what to do where it cannot."""
    name = database.describe()
    try:
        state = schema.state()
    except StoreUnavailable as error:
        said = f" ({error.reason})" if error.reason else ""
        return Finding("database", f"{name} does not answer{said}", "Check DATABASE_URL and that the server runs.")
    text, remedy = {
        State.BEHIND: (" has not this version's tables", "Run `flask --app wsgi db upgrade`; a start does it too."),
        State.AHEAD: (" has a later version's tables", "Run the version that made them, or a later one."),
    }.get(state, ("", None))
    return Finding("database", name + text, remedy, warns=state is State.BEHIND)


def _database(app: Flask, url: str) -> Database:
    """Flask-SQLAlchemy owns the engine; nothing connects yet."""
    app.config.update(SQLALCHEMY_DATABASE_URI=engine_url(url), SQLALCHEMY_ENGINE_OPTIONS=engine_options(url))
    db.init_app(app)
    with app.app_context():
        database = Database(db.engine)
    app.extensions["migrate"] = migrations = Migrations(database)
    app.extensions["schema"] = Schema(database)
    app.cli.add_command(SchemaCommands(migrations.commands))
    return database


def _diagnosis(bedrock: Bedrock, settings: Settings) -> Diagnosis:
    return Diagnosis(
        bedrock,
        settings.region,
        region_is_assumed=settings.region_is_assumed,
        has_bearer_token=settings.bearer_token is not None,
    )


def _bedrock_client(settings: Settings, credentials: CredentialKeeper) -> BedrockClient:
    timeouts = Timeouts(
        connect=settings.connect_timeout,
        first_byte=settings.first_byte_timeout,
        silence=settings.read_timeout,
        total=settings.total_timeout,
    )
    endpoints = Endpoints(
        load_table(), settings.endpoint_urls, fips=settings.use_fips, dual_stack=settings.use_dual_stack
    )
    # as many idle connections to AWS are kept as calls may run: one less costs a TLS handshake on the request path
    kept = settings.max_in_flight
    return BedrockClient(
        endpoints,
        Signer(credentials, settings.bearer_token),
        Adapter(timeouts, kept, settings.ca_bundle),
        timeouts,
    )


def _proxy_options(settings: Settings, services: frozenset[str]) -> ProxyOptions:
    return ProxyOptions(
        services=services,
        max_body_bytes=settings.max_body_bytes,
        buffer_bytes=settings.buffer_bytes,
        stall_seconds=settings.write_timeout,
        body_seconds=settings.body_timeout,
        loopback_only=LoopbackOnly() if settings.loopback_only else None,
        trusted_hops=settings.trusted_hops,
    )


def _guard(loopback_only: LoopbackOnly) -> Callable[[], None]:
    """For the routes that are not the proxy's: it looks for itself, so that its refusals are logged as calls."""

    def guard() -> None:
        if request.blueprint != PASSAGE:
            loopback_only.check(request.environ)

    return guard
