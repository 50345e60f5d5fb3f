"""Where each service answers: as botocore says, or as the operator says."""

from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from app.core.operations import load_table
from app.upstream.endpoints import Endpoint, Endpoints

SERVICES = sorted(set(load_table().services) - {"bedrock-mantle"})
REGIONS = ["us-east-1", "eu-west-1", "ap-southeast-2", "il-central-1", "mx-central-1", "us-gov-west-1", "cn-north-1"]
CLOSED_REGIONS = ["us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1"]
SESSION = botocore.session.Session()


def endpoint(service: str, region: str = "us-east-1", **options: Any) -> Endpoint:
    """The endpoint where nothing is overridden."""
    return Endpoints(load_table(), {}, **options).of(service, region)


def overridden(service: str, overrides: dict[str, str]) -> str:
    """The base URL where something is."""
    return Endpoints(load_table(), overrides).of(service, "eu-west-1").base_url


def botocores(service: str, region: str, **config: Any) -> tuple[str, str]:
    """URL and signing name as botocore has them."""
    client = SESSION.create_client(
        service, region, aws_access_key_id="a", aws_secret_access_key="b", config=Config(**config)
    )
    found = (client.meta.endpoint_url, client.meta.service_model.signing_name)
    client.close()
    return found


@pytest.mark.parametrize("region", [*REGIONS, *CLOSED_REGIONS])
@pytest.mark.parametrize("service", [*SERVICES, "sts"])
def test_hosts_and_signing_names_are_botocores(service: str, region: str) -> None:
    """In every partition."""
    found = endpoint(service, region)

    assert (found.base_url, found.signing_name) == botocores(service, region)


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "ca-central-1", "us-gov-west-1"])
@pytest.mark.parametrize("service", ["bedrock", "bedrock-runtime", "bedrock-agent-runtime"])
def test_fips_hosts_are_botocores(service: str, region: str) -> None:
    """Where AWS offers them."""
    assert endpoint(service, region, fips=True).base_url == botocores(service, region, use_fips_endpoint=True)[0]


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1"])
def test_the_fips_host_of_sts_is_botocores(region: str) -> None:
    """In GovCloud the plain one is it; the doctor asks there."""
    assert endpoint("sts", region, fips=True).base_url == botocores("sts", region, use_fips_endpoint=True)[0]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"])
@pytest.mark.parametrize("service", ["bedrock", "bedrock-runtime", "bedrock-agentcore", "sts"])
@pytest.mark.parametrize("fips", [False, True])
def test_dual_stack_hosts_are_botocores(service: str, region: str, fips: bool) -> None:
    """With FIPS and without."""
    found = endpoint(service, region, dual_stack=True, fips=fips)

    assert found.base_url == botocores(service, region, use_dualstack_endpoint=True, use_fips_endpoint=fips)[0]


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_mantle_has_a_host_of_its_own(region: str) -> None:
    """botocore does not know it; it is always dual-stack."""
    found = endpoint("bedrock-mantle", region)

    assert found.base_url == f"https://bedrock-mantle.{region}.api.aws"
    assert found.signing_name == "bedrock-mantle"


def test_a_region_of_no_known_pattern_is_of_aws_own_partition() -> None:
    """A new region must not wait for a new version."""
    assert endpoint("bedrock-runtime", "xx-north-1").base_url == "https://bedrock-runtime.xx-north-1.amazonaws.com"


@pytest.mark.parametrize("service", sorted({*SERVICES, "bedrock-mantle", "sts"}))
def test_a_bedrock_api_key_goes_only_where_it_is_taken(service: str) -> None:
    """Anywhere else it would be a secret in the wrong hands."""
    assert endpoint(service).bearer == (service in {"bedrock", "bedrock-runtime", "bedrock-mantle"})


def test_a_services_own_url_wins() -> None:
    """PrivateLink for one service."""
    overrides = {"bedrock-runtime": "https://vpce-1.example.com", "": "https://all.example.com"}

    assert overridden("bedrock-runtime", overrides) == "https://vpce-1.example.com"


@pytest.mark.parametrize("service", ["bedrock", "bedrock-mantle", "sts"])
def test_the_url_for_all_services_is_for_all_others(service: str) -> None:
    """Also for those whose host no rule makes."""
    overrides = {"bedrock-runtime": "https://vpce-1.example.com", "": "https://all.example.com"}

    assert overridden(service, overrides) == "https://all.example.com"


def test_a_services_own_url_is_not_for_others() -> None:
    """Names that begin alike are different services."""
    assert overridden("bedrock", {"bedrock-runtime": "http://x"}) == "https://bedrock.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("https://proxy.example.com/bedrock", "https://proxy.example.com/bedrock"),
        ("https://proxy.example.com/a/b/", "https://proxy.example.com/a/b"),
        ("https://[::1]:9000", "https://[::1]:9000"),
    ],
)
def test_an_override_keeps_its_path_and_loses_its_last_slash(url: str, base: str) -> None:
    """Paths begin with a slash of their own."""
    assert overridden("bedrock-runtime", {"bedrock-runtime": url}) == base


def test_an_override_changes_neither_region_nor_signing_name() -> None:
    """The signature is for AWS behind it."""
    found = Endpoints(load_table(), {"": "http://127.0.0.1:1"}).of("bedrock-agentcore-control", "eu-west-1")

    assert (found.region, found.signing_name) == ("eu-west-1", "bedrock-agentcore")


def test_an_override_wins_over_fips_and_dual_stack() -> None:
    """The operator named the host."""
    endpoints = Endpoints(load_table(), {"bedrock": "http://127.0.0.1:1"}, fips=True, dual_stack=True)

    assert endpoints.of("bedrock", "us-east-1").base_url == "http://127.0.0.1:1"


def test_an_endpoint_is_found_once() -> None:
    """It is asked for at every call."""
    endpoints = Endpoints(load_table(), {})

    assert endpoints.of("bedrock", "us-east-1") is endpoints.of("bedrock", "us-east-1")
    assert endpoints.of("bedrock", "us-east-1") != endpoints.of("bedrock", "us-west-2")
