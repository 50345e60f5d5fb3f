"""Fixtures for tests that drive the real gateway against the stand-in Bedrock with real clients."""

import functools
import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import settings

from tests.databases import (  # noqa: F401  # fixtures: which database a test runs on
    database,
    database_url,
    empty_database_url,
    postgres_server,
    postgresql_template,
    postgresql_url,
    registry,
    sqlite_template,
    sqlite_url,
)
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.standin_bedrock import StandinBedrock

# a machine that stands still for a moment is no fault of what is tested
settings.register_profile("outcrop", deadline=None)
settings.load_profile("outcrop")

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
ClientMaker = Callable[..., Any]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may see this machine's AWS accounts or proxies."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.upper() in PROXY_VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def standin_for_all() -> Iterator[StandinBedrock]:
    """Start one stand-in; tests ask for `standin`."""
    with StandinBedrock() as running:
        yield running


@pytest.fixture
def standin(standin_for_all: StandinBedrock) -> Iterator[StandinBedrock]:
    """Hand out the stand-in as new: nothing recorded, nothing scripted, nothing being answered."""
    standin_for_all.reset()
    yield standin_for_all
    faults = standin_for_all.faults
    standin_for_all.reset()
    assert faults == [], "an answer function of the test raised"


@pytest.fixture(scope="session")
def gateway_for_all(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """Start one gateway with the default settings; tests ask for `gateway`."""
    with GatewayProcess(standin=standin_for_all) as running:
        yield running


@pytest.fixture
def gateway(gateway_for_all: GatewayProcess, standin: StandinBedrock) -> GatewayProcess:
    """Hand out the gateway with an empty log, in front of the stand-in as new."""
    gateway_for_all.clear_log()
    return gateway_for_all


@pytest.fixture
def make_client() -> Iterator[ClientMaker]:
    """Make boto3 clients for any endpoint; each sends the key, if there is one, as litellm_user_api_key."""
    made = []

    def make(service: str, endpoint_url: str, key: str | None = None, **config: Any) -> Any:
        client = boto3_client(service, endpoint_url, key, **config)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def bedrock_client(make_client: ClientMaker, gateway: GatewayProcess) -> ClientMaker:
    """Make boto3 clients that speak to the gateway: bedrock_client(service, key=..., and botocore's Config)."""

    def make(service: str = "bedrock-runtime", key: str | None = MASTER_KEY, **config: Any) -> Any:
        return make_client(service, gateway.url + "/bedrock", key, **config)

    return make


def boto3_client(
    service: str,
    endpoint_url: str,
    key: str | None,
    credentials: tuple[str, str] = ("AKIADUMMY", "dummy"),
    **config: Any,
) -> Any:
    """Make a client that takes nothing from the environment and tries once."""
    retries = {"total_max_attempts": 1, "mode": "standard"}
    options = {"retries": retries, "proxies": {}, "ignore_configured_endpoint_urls": True, **config}
    client = boto3_session().client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id=credentials[0],
        aws_secret_access_key=credentials[1],
        config=Config(**options),
    )
    if key is not None:
        client.meta.events.register("before-send", functools.partial(_add_key, key))
    return client


@functools.cache
def boto3_session() -> Any:
    """Read the service models once for all tests."""
    return boto3.Session()


def _add_key(key: str, request: Any, **_: Any) -> None:
    request.headers["litellm_user_api_key"] = key


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """What is gone by the end held nothing that held it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
