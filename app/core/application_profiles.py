"""Application inference profiles: which model one runs and where, from what GetInferenceProfile answers of it.

AWS names the model once for each region that the profile may run it in, and once without a region where that is any
(a copy of a global profile). One region alone is a profile that was made from the model itself.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.core.model_names import LONGEST_MODEL

# botocore's pattern for GetInferenceProfile, of this type alone
_ARN = re.compile(
    r"arn:aws(?:-[a-z-]+)?:bedrock:[0-9a-z-]{1,20}:[0-9]{12}:application-inference-profile/[a-zA-Z0-9-]{1,64}"
)
_MODEL_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:([0-9a-z-]{0,20}):[0-9]*:foundation-model/([a-zA-Z0-9.:_-]+)")
# Which geography a profile is for, by the regions that its model runs in. Source: AWS's list of geographic profiles,
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_GEOGRAPHIES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("us-gov", re.compile(r"us-gov-.*")),
    ("us", re.compile(r"us-(?!gov-).*|ca-central-1")),
    ("eu", re.compile(r"eu-.*")),
    ("jp", re.compile(r"ap-northeast-[13]")),
    ("au", re.compile(r"ap-southeast-[246]")),
    ("ca", re.compile(r"ca-.*")),
)
_ELSEWHERE = "apac"


def is_application_profile(text: str) -> bool:
    """Whether a text is the ARN of an application inference profile, as AWS writes them."""
    return _ARN.fullmatch(text) is not None


def profiled_model(content: Mapping[str, Any]) -> str:
    """The id that calls of a profile are priced by: `global.anthropic.claude-haiku-4-5-20251001-v1:0`.

    `content`: what GetInferenceProfile answers. Raises ValueError or KeyError or TypeError where it is not AWS's.
    """
    found = [_MODEL_ARN.fullmatch(model["modelArn"]) for model in content["models"]]
    regions = {match[1] for match in found if match}
    models = {match[2] for match in found if match}
    if len(models) != 1 or None in found:
        raise ValueError("a profile of no model, or of several")
    model = models.pop()
    prefix = _geography(regions)
    name = f"{prefix}.{model}" if prefix else model
    if len(name) > LONGEST_MODEL:
        raise ValueError("no model id is that long")
    return name


def _geography(regions: set[str]) -> str | None:
    if "" in regions:
        return "global"
    if len(regions) == 1:
        return None
    return next(
        (prefix for prefix, places in _GEOGRAPHIES if all(places.fullmatch(region) for region in regions)), _ELSEWHERE
    )
