"""The models that AWS offers in a region, as its two lists name them: foundation models, and inference profiles.

Listed is what a call can name: foundation models that run on demand, and profiles. Application profiles are named by
their ARN, as nothing but the ARN says whose they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# The peer's words for what a model does; its clients choose by them.
Mode = Literal["chat", "embedding", "image_generation", "video_generation", "realtime", "rerank"]
Kind = Literal["foundation model", "inference profile", "application profile"]


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """One model that a call can name by `id`. Modalities are AWS's: TEXT, IMAGE, VIDEO, SPEECH, EMBEDDING.

    `streams` is None where AWS does not say: profiles of models that the region does not list.
    """

    id: str
    name: str
    provider: str
    mode: Mode
    kind: Kind
    arn: str | None
    streams: bool | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def offered_models(
    summaries: Iterable[Mapping[str, Any]], profiles: Iterable[Mapping[str, Any]]
) -> tuple[OfferedModel, ...]:
    """Those of ListFoundationModels' `modelSummaries` and ListInferenceProfiles' `inferenceProfileSummaries`, by id.

    Raises KeyError, TypeError or ValueError where these are not in AWS's form.
    """
    known = {summary["modelId"]: summary for summary in summaries}
    found = {model_id: _foundation_model(summary) for model_id, summary in known.items() if _on_demand(summary)}
    for profile in profiles:
        model = _profile(profile, known)
        found[model.id] = model
    return tuple(found[model_id] for model_id in sorted(found))


def _on_demand(summary: Mapping[str, Any]) -> bool:
    """Else it is called through a profile or a provisioned throughput alone, and its own id answers an error."""
    types = summary.get("inferenceTypesSupported")
    return types is None or "ON_DEMAND" in types


def _foundation_model(summary: Mapping[str, Any]) -> OfferedModel:
    model_id = str(summary["modelId"])
    outputs = _modalities(summary, "outputModalities")
    return OfferedModel(
        id=model_id,
        name=str(summary.get("modelName") or model_id),
        provider=str(summary.get("providerName") or model_id.partition(".")[0]),
        mode=_mode(model_id, outputs),
        kind="foundation model",
        arn=summary.get("modelArn"),
        streams=summary.get("responseStreamingSupported"),
        inputs=_modalities(summary, "inputModalities"),
        outputs=outputs,
    )


def _profile(profile: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> OfferedModel:
    is_application = profile.get("type") == "APPLICATION"
    arn = str(profile["inferenceProfileArn"])
    profile_id = arn if is_application else str(profile["inferenceProfileId"])
    runs = [str(model["modelArn"]).rpartition("/")[2] for model in profile.get("models") or ()]
    # all of a profile's models are one model in several regions
    base = runs[0] if runs else profile_id
    summary = next((known[model_id] for model_id in runs if model_id in known), {"modelId": base})
    model = _foundation_model(summary)
    return OfferedModel(
        id=profile_id,
        name=str(profile.get("inferenceProfileName") or profile_id),
        provider=model.provider,
        mode=model.mode,
        kind="application profile" if is_application else "inference profile",
        arn=arn,
        streams=model.streams,
        inputs=model.inputs,
        outputs=model.outputs,
    )


def _modalities(summary: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(str(modality) for modality in summary.get(name) or ())


def _mode(model_id: str, outputs: tuple[str, ...]) -> Mode:
    if "rerank" in model_id:  # AWS says TEXT of these
        return "rerank"
    modes: tuple[tuple[str, Mode], ...] = (
        ("EMBEDDING", "embedding"),
        ("SPEECH", "realtime"),
        ("TEXT", "chat"),
        ("IMAGE", "image_generation"),
        ("VIDEO", "video_generation"),
    )
    return next((mode for modality, mode in modes if modality in outputs), "chat")
