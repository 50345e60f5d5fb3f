"""AWS's lists of models, read: what a call can name, and what each is for."""

from typing import Any

import pytest

from app.core.accounts import KeyType, Rights
from app.core.callers import MASTER, Caller, LayerName
from app.core.offered_models import OfferedModel, offered_models
from app.core.policy import lets_pass_model

FM = "arn:aws:bedrock:us-east-1::foundation-model/"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"


def summary(model_id: str, outputs: tuple[str, ...] = ("TEXT",), **more: Any) -> dict[str, Any]:
    return {
        "modelId": model_id,
        "modelArn": FM + model_id,
        "modelName": model_id.title(),
        "providerName": "Amazon",
        "inputModalities": ["TEXT"],
        "outputModalities": list(outputs),
        "responseStreamingSupported": True,
        "inferenceTypesSupported": ["ON_DEMAND"],
    } | more


def profile(profile_id: str, runs: str, kind: str = "SYSTEM_DEFINED") -> dict[str, Any]:
    return {
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{profile_id}",
        "inferenceProfileName": profile_id.upper(),
        "models": [{"modelArn": FM + runs}],
        "type": kind,
    }


def ids(found: tuple[OfferedModel, ...]) -> list[str]:
    return [model.id for model in found]


def test_models_that_run_on_demand_are_listed_and_others_through_their_profiles() -> None:
    found = offered_models(
        [
            summary("z.on-demand"),
            summary("a.profile-only", inferenceTypesSupported=["INFERENCE_PROFILE"]),
            summary("a.provisioned:0:24k", inferenceTypesSupported=["PROVISIONED"]),
        ],
        [profile("us.a.profile-only", "a.profile-only")],
    )

    assert ids(found) == ["us.a.profile-only", "z.on-demand"]


def test_a_profile_is_for_what_its_model_is_for() -> None:
    model = summary("a.embed", ("EMBEDDING",), responseStreamingSupported=False, inputModalities=["TEXT", "IMAGE"])

    [_, found] = offered_models([model], [profile("us.a.embed", "a.embed")])

    assert (found.kind, found.mode, found.streams, found.inputs) == (
        "inference profile",
        "embedding",
        False,
        ("TEXT", "IMAGE"),
    )
    assert (found.provider, found.name) == ("Amazon", "US.A.EMBED")


def test_a_profile_of_a_model_that_the_region_does_not_list_is_listed_all_the_same() -> None:
    [found] = offered_models([], [profile("global.a.b", "a.b")])

    assert (found.id, found.provider, found.streams, found.mode) == ("global.a.b", "a", None, "chat")


def test_an_application_profile_is_named_by_its_arn() -> None:
    application = profile("abc123", "a.b", "APPLICATION") | {"inferenceProfileArn": APPLICATION}

    [found] = offered_models([], [application])

    assert (found.id, found.kind) == (APPLICATION, "application profile")


@pytest.mark.parametrize(
    ("model_id", "outputs", "mode"),
    [
        ("a.b", ("TEXT",), "chat"),
        ("a.b", (), "chat"),
        ("a.b", ("EMBEDDING",), "embedding"),
        ("a.b", ("IMAGE",), "image_generation"),
        ("a.b", ("TEXT", "IMAGE"), "chat"),
        ("a.b", ("VIDEO",), "video_generation"),
        ("amazon.nova-sonic-v1:0", ("SPEECH", "TEXT"), "realtime"),
        ("cohere.rerank-v3-5:0", ("TEXT",), "rerank"),
    ],
)
def test_what_a_model_makes_says_what_it_is_for(model_id: str, outputs: tuple[str, ...], mode: str) -> None:
    [found] = offered_models([summary(model_id, outputs)], [])

    assert found.mode == mode


@pytest.mark.parametrize("summaries", [[{}], ["a"], [None]])
def test_what_is_not_in_awss_form_is_an_error(summaries: list[Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        offered_models(summaries, [])


def a_caller(*layers: Rights, key_type: KeyType = "default") -> Caller:
    names: tuple[LayerName, ...] = ("key", "team", "user")
    return Caller("a", may_call_everything=False, key_type=key_type, layers=tuple(zip(names, layers, strict=False)))


@pytest.mark.parametrize(
    ("layers", "model", "passes"),
    [
        ((), "a.b", True),
        ((Rights(),), "a.b", True),
        ((Rights(models=("a.*",)),), "a.b", True),
        ((Rights(models=("a.*",)),), "us.a.b", True),
        ((Rights(models=("a.*",)),), "c.d", False),
        ((Rights(models=("a.*",)),), APPLICATION, False),
        ((Rights(models=(APPLICATION,)),), APPLICATION, True),
        ((Rights(models=("a.*",)), Rights(models=("c.*",))), "a.b", False),
        ((Rights(models=("no-default-models",)),), "a.b", False),
        ((Rights(regions=("us-east-1",)),), "us.a.b", False),
        ((Rights(regions=("us-east-1", "us")),), "us.a.b", True),
        ((Rights(),), "a." + "b" * 2050, True),
        ((Rights(models=("a.*",)),), "a." + "b" * 2050, False),
    ],
)
def test_a_model_is_shown_to_whom_every_layer_lets_call_it(
    layers: tuple[Rights, ...], model: str, passes: bool
) -> None:
    assert lets_pass_model(a_caller(*layers), model) == passes


def test_the_master_key_may_call_every_model() -> None:
    assert lets_pass_model(MASTER, APPLICATION)
