"""Application inference profiles: what AWS answers of one says which model it runs, and where."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.application_profiles import is_application_profile, profiled_model

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"


def answer(*regions: str, model: str = HAIKU) -> dict[str, Any]:
    return {"models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model}"} for region in regions]}


@pytest.mark.parametrize(
    ("regions", "prefix"),
    [
        (("us-east-1",), ""),
        (("", "us-east-1"), "global."),
        (("us-east-1", "us-east-2", "us-west-2"), "us."),
        (("ca-central-1", "us-east-1", "us-east-2"), "us."),
        (("ca-central-1", "ca-west-1"), "ca."),
        (("us-gov-east-1", "us-gov-west-1"), "us-gov."),
        (("eu-central-1", "eu-west-1"), "eu."),
        (("ap-northeast-1", "ap-northeast-3"), "jp."),
        (("ap-southeast-2", "ap-southeast-4"), "au."),
        (("ap-northeast-1", "ap-south-1"), "apac."),
    ],
)
def test_the_regions_of_the_model_say_what_the_profile_was_made_from(regions: tuple[str, ...], prefix: str) -> None:
    assert profiled_model(answer(*regions)) == prefix + HAIKU


def test_one_that_was_recorded_is_a_copy_of_a_global_profile() -> None:
    recorded = json.loads(
        '{"inferenceProfileId":"1arbu5hu2sjr","models":[{"modelArn":"arn:aws:bedrock:::foundation-model/anthropic.'
        'claude-haiku-4-5-20251001-v1:0"},{"modelArn":"arn:aws:bedrock:us-east-1::foundation-model/anthropic.'
        'claude-haiku-4-5-20251001-v1:0"}],"status":"ACTIVE","type":"APPLICATION"}'
    )

    assert profiled_model(recorded) == f"global.{HAIKU}"


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("arn:aws:bedrock:us-east-1::foundation-model/a.b"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("models", "modelArn")), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(("models", "type")), JSON))
@settings(max_examples=50, deadline=None)
def test_an_answer_that_is_not_awss_is_refused(content: dict[str, Any]) -> None:
    try:
        assert profiled_model(content) == "a.b"
    except (ValueError, KeyError, TypeError):
        pass  # which is what it says it raises


def test_a_profile_of_several_models_has_no_price() -> None:
    several = {"models": [*answer("us-east-1")["models"], *answer("us-east-2", model="amazon.nova-pro-v1:0")["models"]]}

    with pytest.raises(ValueError, match="of several"):
        profiled_model(several)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr", True),
        ("arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:application-inference-profile/abc", True),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0", False),
        ("arn:aws:bedrock:us-east-1:12345:application-inference-profile/abc", False),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a/b", False),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a\n", False),
        ("arn:aws:sagemaker:us-east-1:123456789012:application-inference-profile/abc", False),
        ("1arbu5hu2sjr", False),
        ("", False),
    ],
)
def test_only_a_well_formed_arn_of_that_type_is_one(text: str, is_one: bool) -> None:
    assert is_application_profile(text) is is_one
