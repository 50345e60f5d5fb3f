"""The model lists that clients read: OpenAI's at /models, the peer's at /model/info and /model_group/info.

They show what AWS offers in the gateway's region, as far as the caller's own lists let it pass.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from app.core.callers import Actor
from app.core.errors import NotFound
from app.core.offered_models import OfferedModel
from app.core.policy import lets_pass_model
from app.gateway.model_catalog import ModelCatalog
from app.web.admin_api.account_forms import Dollars
from app.web.admin_api.fields import Name
from app.web.admin_api.routes import AdminCall, Nothing, Route
from app.web.admin_api.wire_model import WireModel

# AWS tells no moment for most; OpenAI's clients insist on one, and this is what the peer tells
_CREATED = 1677610602
# US dollars for one unit of each kind (core/usage.py), by model
Rates = Callable[[str], Mapping[str, Decimal]]
Rate = Dollars | None


class ListedModel(WireModel):
    """A model as OpenAI's list has it."""

    id: str
    object: str = "model"
    created: int = _CREATED
    owned_by: str
    mode: str
    max_input_tokens: None = None
    max_output_tokens: None = None


class ModelList(WireModel):
    """OpenAI's list."""

    data: list[ListedModel]
    object: str = "list"


class ModelParams(WireModel):
    """How the peer would call it."""

    model: str
    custom_llm_provider: str = "bedrock"


class ModelFacts(WireModel):
    """What is known of a model. Sizes are null: AWS does not tell them here; a price is null where there is none."""

    id: str
    key: str
    db_model: bool = False
    mode: str
    litellm_provider: str = "bedrock"
    name: str
    owned_by: str
    kind: str
    arn: str | None
    input_modalities: list[str]
    output_modalities: list[str]
    supports_native_streaming: bool | None
    supports_vision: bool
    max_tokens: None = None
    max_input_tokens: None = None
    max_output_tokens: None = None
    input_cost_per_token: Rate = None
    output_cost_per_token: Rate = None
    cache_read_input_token_cost: Rate = None
    cache_creation_input_token_cost: Rate = None


class ModelInfo(WireModel):
    """A model as the peer tells of one."""

    model_name: str
    litellm_params: ModelParams
    model_info: ModelFacts


class ModelInfos(WireModel):
    """The peer's list."""

    data: list[ModelInfo]


class ModelGroup(WireModel):
    """A name that can be called; here each is one model."""

    model_group: str
    providers: tuple[str, ...] = ("bedrock",)
    mode: str
    max_input_tokens: None = None
    max_output_tokens: None = None
    input_cost_per_token: Rate = None
    output_cost_per_token: Rate = None
    tpm: None = None
    rpm: None = None
    supports_vision: bool
    supports_native_streaming: bool | None


class ModelGroups(WireModel):
    """The peer's list of them."""

    data: list[ModelGroup]


class ModelAsked(WireModel):
    """One model, or all."""

    litellm_model_id: Annotated[Name | None, Field(description="Only the model with this id.")] = None


class GroupAsked(WireModel):
    """One group, or all."""

    model_group: Name | None = None


class ModelViews:
    """What the routes do."""

    def __init__(self, catalog: ModelCatalog, rates: Rates) -> None:
        self._catalog = catalog
        self._rates = rates

    def list(self, call: AdminCall[Nothing, Nothing]) -> ModelList:
        found = self._visible(call.actor)
        return ModelList(data=[ListedModel(id=one.id, owned_by=one.provider, mode=one.mode) for one in found])

    def info(self, call: AdminCall[ModelAsked, Nothing]) -> ModelInfos:
        wanted = call.query.litellm_model_id
        visible = (model for model in self._visible(call.actor) if wanted in (None, model.id))
        found = [_info(model, self._rates(model.id)) for model in visible]
        if wanted is not None and not found:
            raise NotFound(f"Model id = {wanted} not found on litellm proxy", "litellm_model_id")
        return ModelInfos(data=found)

    def groups(self, call: AdminCall[GroupAsked, Nothing]) -> ModelGroups:
        wanted = call.query.model_group
        found = (one for one in self._visible(call.actor) if wanted in (None, one.id))
        return ModelGroups(data=[_group(one, self._rates(one.id)) for one in found])

    def _visible(self, actor: Actor) -> tuple[OfferedModel, ...]:
        return tuple(model for model in self._catalog.models() if lets_pass_model(actor.caller, model.id))


def routes(catalog: ModelCatalog, rates: Rates) -> list[Route[Any, Any]]:
    """The model lists, for every key."""
    views = ModelViews(catalog, rates)
    get = partial(Route, method="GET", access="any key", body=Nothing)
    return [
        get(
            rule="/models",
            also=("/v1/models",),
            summary="List the models that this key may call, as OpenAI does.",
            query=Nothing,
            answer=ModelList,
            view=views.list,
        ),
        get(
            rule="/model/info",
            also=("/v1/model/info",),
            summary="Tell what is known of the models that this key may call.",
            query=ModelAsked,
            answer=ModelInfos,
            view=views.info,
        ),
        get(
            rule="/model_group/info",
            summary="List the models that this key may call, by name.",
            query=GroupAsked,
            answer=ModelGroups,
            view=views.groups,
        ),
    ]


def _info(model: OfferedModel, rates: Mapping[str, Decimal]) -> ModelInfo:
    facts = ModelFacts(
        id=model.id,
        key=model.id,
        mode=model.mode,
        name=model.name,
        owned_by=model.provider,
        kind=model.kind,
        arn=model.arn,
        input_modalities=list(model.inputs),
        output_modalities=list(model.outputs),
        supports_native_streaming=model.streams,
        supports_vision="IMAGE" in model.inputs,
        input_cost_per_token=rates.get("input"),
        output_cost_per_token=rates.get("output"),
        cache_read_input_token_cost=rates.get("cache_read"),
        cache_creation_input_token_cost=rates.get("cache_write_5m"),
    )
    return ModelInfo(model_name=model.id, litellm_params=ModelParams(model=f"bedrock/{model.id}"), model_info=facts)


def _group(model: OfferedModel, rates: Mapping[str, Decimal]) -> ModelGroup:
    return ModelGroup(
        model_group=model.id,
        mode=model.mode,
        supports_vision="IMAGE" in model.inputs,
        supports_native_streaming=model.streams,
        input_cost_per_token=rates.get("input"),
        output_cost_per_token=rates.get("output"),
    )
