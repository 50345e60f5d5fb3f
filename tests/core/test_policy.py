"""In which region a call runs, and who may call what this gateway does not know."""

import pytest

from app.core.bedrock_calls import BedrockCall
from app.core.callers import Caller
from app.core.errors import AccessDenied, MalformedRequest
from app.core.messages import ProxyRequest
from app.core.operations import Operation
from app.core.policy import RegionRules, check_path, choose_region
from app.core.targets import parse

# OUTCROP_REGIONS set, and unset
LISTED = RegionRules("us-east-1", frozenset({"us-east-1", "eu-west-1"}), explicit=True)
DEFAULT_ALONE = RegionRules("us-east-1", frozenset({"us-east-1"}), explicit=False)
BOTH = pytest.mark.parametrize("rules", [LISTED, DEFAULT_ALONE], ids=["listed", "default alone"])

CONVERSE = Operation("bedrock-runtime", "Converse", "POST", "/model/{modelId}/converse", "inference")
KNOWN = BedrockCall("bedrock-runtime", CONVERSE)
UNKNOWN = BedrockCall("bedrock-runtime", None)
ADMINISTRATOR = Caller("master", may_call_everything=True)
CHARLIE = Caller("charlie", may_call_everything=False)
REQUEST = ProxyRequest("POST", parse("/bedrock/x", frozenset()), {}, None)


@BOTH
def test_a_call_that_names_no_region_goes_to_the_default(rules: RegionRules) -> None:
    assert choose_region(rules, None, None, None) == "us-east-1"


@pytest.mark.parametrize("scope", [None, "us-east-1", "eu-west-1", "ap-south-1"])
def test_the_region_in_the_url_counts_whatever_the_signature_says(scope: str | None) -> None:
    assert choose_region(LISTED, "eu-west-1", None, scope) == "eu-west-1"


@pytest.mark.parametrize("scope", [None, "us-east-1", "eu-west-1", "ap-south-1"])
def test_the_region_in_the_paths_arn_counts_whatever_the_signature_says(scope: str | None) -> None:
    assert choose_region(LISTED, None, "eu-west-1", scope) == "eu-west-1"


def test_url_and_arn_may_name_the_same_region() -> None:
    assert choose_region(LISTED, "eu-west-1", "eu-west-1", None) == "eu-west-1"


@BOTH
@pytest.mark.parametrize("url", ["us-east-1", "eu-west-1", "ap-south-1"])
def test_url_and_arn_that_disagree_are_a_malformed_request(rules: RegionRules, url: str) -> None:
    with pytest.raises(MalformedRequest, match=f"The URL says region {url} and the ARN in it says us-west-2"):
        choose_region(rules, url, "us-west-2", None)


@BOTH
@pytest.mark.parametrize(("url", "arn"), [("ap-south-1", None), (None, "ap-south-1"), ("ap-south-1", "ap-south-1")])
@pytest.mark.parametrize("scope", [None, "us-east-1", "ap-south-1"])
def test_a_named_region_that_is_not_served_is_denied(
    rules: RegionRules, url: str | None, arn: str | None, scope: str | None
) -> None:
    with pytest.raises(AccessDenied, match="Region ap-south-1 is not served here"):
        choose_region(rules, url, arn, scope)


def test_the_signatures_region_counts_where_nothing_else_names_one() -> None:
    assert choose_region(LISTED, None, None, "eu-west-1") == "eu-west-1"


def test_a_signatures_region_that_is_not_listed_is_denied() -> None:
    with pytest.raises(AccessDenied, match="Region ap-south-1 is not served here"):
        choose_region(LISTED, None, None, "ap-south-1")


def test_a_signatures_region_means_the_default_where_the_operator_listed_none() -> None:
    assert choose_region(DEFAULT_ALONE, None, None, "ap-south-1") == "us-east-1"


@pytest.mark.parametrize("region", ["US-EAST-1", "us-east-1 ", "us-east-11", "us-east", "us-east-1\n"])
def test_a_region_counts_only_as_it_is_written(region: str) -> None:
    with pytest.raises(AccessDenied):
        choose_region(LISTED, None, region, None)


def test_a_denied_region_says_what_is_served_and_who_can_add_to_it() -> None:
    with pytest.raises(AccessDenied, match=r"served: eu-west-1, us-east-1.*OUTCROP_REGIONS"):
        choose_region(LISTED, "ap-south-1", None, None)


@pytest.mark.parametrize("caller", [ADMINISTRATOR, CHARLIE], ids=["administrator", "charlie"])
def test_a_known_operation_passes(caller: Caller) -> None:
    check_path(caller, KNOWN, REQUEST, "us-east-1")


def test_an_unknown_path_passes_for_who_may_call_everything() -> None:
    check_path(ADMINISTRATOR, UNKNOWN, REQUEST, "us-east-1")


def test_an_unknown_path_is_denied_to_charlie() -> None:
    with pytest.raises(AccessDenied, match="No Bedrock operation known to this gateway"):
        check_path(CHARLIE, UNKNOWN, REQUEST, "us-east-1")
