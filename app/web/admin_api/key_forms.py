"""What is asked of the key routes. Null and "" say nothing, as with the peer; empty lists clear lists."""

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.functional_validators import AfterValidator

from app.core.accounts import KeyType, UnmeteredCalls
from app.core.key_orders import KeyOrder
from app.core.registry_messages import KeyQuery
from app.core.virtual_keys import PREFIX, token_of
from app.web.admin_api.fields import (
    MOST_PAGES,
    Count,
    Entries,
    Metadata,
    Moment,
    Name,
    Tags,
    Text,
    Usd,
    storable,
)
from app.web.admin_api.unenforced import refuse_unenforced
from app.web.admin_api.wire_model import WireModel

_AT_ONCE = 500
# a key's text, its token or its id
KeyText = Annotated[str, StringConstraints(max_length=512), AfterValidator(storable)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(storable)]
References = Annotated[list[Reference], Field(fail_fast=True, max_length=_AT_ONCE)]
_NAMES = {"key_alias": "alias", "expires": "expires_at", "duration": "expires_at"}
# the peer's way to say that a key shall not expire
_FOREVER = "-1"
_SAID = frozenset(field.name for field in dataclass_fields(KeyOrder)) - {"text", "duration", "unset"}
_ECHOED = ("aliases", "budget_fallbacks", "config", "permissions", "router_settings")
Unsettable = Literal[
    "addresses", "budget_duration", "budget_id", "duration", "expires", "key_alias", "max_budget",
    "max_parallel_requests", "metadata", "model_max_budget", "models", "operations", "regions", "resources",
    "rpm_limit", "soft_budget", "tags", "team_id", "temp_budget_expiry", "temp_budget_increase", "tpm_limit", "user_id",
]  # fmt: skip  # one a line would be half a page


class KeyFields(WireModel):
    """What can be said of a key. Others are ignored, but for those that restrict in the peer and misspelt ones."""

    model_config = ConfigDict(extra="allow")
    # what would restrict, besides what unenforced.py has, and what to use instead
    unenforced: ClassVar[Mapping[str, str]] = {}
    key_alias: Text | None = None
    duration: Annotated[
        Text | None, Field(description="From now until it expires: 30s, 15m, 12h, 30d, 2w, 1mo; -1: never.")
    ] = None
    team_id: Text | None = None
    user_id: Text | None = None
    budget_id: Text | None = None
    key_type: KeyType | None = None
    models: Annotated[Entries | None, Field(description="Ids, globs and ARNs; empty: all.")] = None
    operations: Annotated[
        Entries | None,
        Field(description="Names, services, or inference, agents, read, all; empty: inference and agents."),
    ] = None
    resources: Annotated[Entries | None, Field(description="Globs over ids and ARNs, s3:// prefixes.")] = None
    regions: Annotated[Entries | None, Field(description="Names, and prefixes of inference profiles.")] = None
    addresses: Annotated[Entries | None, Field(description="Where calls may come from, as CIDR.")] = None
    max_budget: Usd | None = None
    soft_budget: Usd | None = None
    budget_duration: Text | None = None
    rpm_limit: Count | None = None
    tpm_limit: Count | None = None
    max_parallel_requests: Count | None = None
    model_max_budget: Metadata | None = None
    blocked: bool | None = None
    end_user_required: Annotated[bool | None, Field(description="Whether its calls must name an end user.")] = None
    unmetered_calls: Annotated[
        UnmeteredCalls | None,
        Field(description="What becomes of calls that a budget cannot be held against, as AWS does not report them."),
    ] = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    spend: Usd | None = None
    # these restrict nothing, and are answered as they were sent
    aliases: Metadata | None = None
    budget_fallbacks: Metadata | None = None
    config: Metadata | None = None
    permissions: Metadata | None = None
    router_settings: Metadata | None = None

    def order(self, *unset: str, text: str | None = None) -> KeyOrder:
        """For the desk. Raises InvalidField for what restricts in the peer and cannot here."""
        refuse_unenforced(self.model_extra, self.metadata, type(self).model_fields, self.unenforced)
        said = {
            order_name: _frozen(getattr(self, name))
            for name in type(self).model_fields
            if (order_name := _NAMES.get(name, name)) in _SAID
        }
        if self.duration == _FOREVER:
            unset = (*unset, "duration")
        else:
            said["duration"] = self.duration or None
        return KeyOrder(text=text, unset=frozenset(_NAMES.get(name, name) for name in unset), **said)

    def echoed(self) -> dict[str, Any]:
        """What is answered as it was sent."""
        return {name: value for name in _ECHOED if (value := getattr(self, name)) is not None}


class NewKey(KeyFields):
    """A key to be made; `key` is its text, for who has a reason not to have one made."""

    unenforced = {"expires": "say by duration how long it lives, such as 30d"}
    key: KeyText | None = None


class KeyUpdate(KeyFields):
    """A key to be changed, named by `key`, or else by the alias it has."""

    key: Reference | None = None
    temp_budget_increase: Usd | None = None
    temp_budget_expiry: Moment | None = None
    unset: Annotated[
        list[Unsettable], Field(fail_fast=True, description="Fields that end up as a new key has them.")
    ] = []

    @model_validator(mode="after")
    def _names_one(self) -> "KeyUpdate":
        if not self.key and not self.key_alias:
            raise ValueError("Either 'key' or 'key_alias' must be provided.")
        return self

    def order(self, *unset: str, text: str | None = None) -> KeyOrder:
        """Raises InvalidField."""
        return super().order(*unset, *self.unset, text=text)


class KeyRegeneration(KeyFields):
    """Another text for a key, made or `new_key`; the one before works on for `grace_period`, else no more."""

    key: Reference | None = None
    new_key: KeyText | None = None
    grace_period: Text | None = None


class KeyUpdates(WireModel):
    """Changes of several keys, each by itself."""

    keys: Annotated[list[KeyUpdate], Field(fail_fast=True, min_length=1, max_length=_AT_ONCE)]


class KeyNamed(WireModel):
    """One key."""

    key: Reference


class KeysNamed(WireModel):
    """Some keys."""

    keys: References


class KeyDeletion(WireModel):
    """Keys to be deleted."""

    keys: References | None = None
    key_aliases: Annotated[list[Name], Field(fail_fast=True, max_length=_AT_ONCE)] | None = None

    @model_validator(mode="after")
    def _names_some(self) -> "KeyDeletion":
        if not self.keys and not self.key_aliases:
            raise ValueError("At least one of 'keys' or 'key_aliases' must be provided.")
        return self


class SpendResetAsked(WireModel):
    """What the spend of the current window is set to, in US dollars."""

    reset_to: Usd


class KeyAsked(WireModel):
    """Which key: without one, the caller's own."""

    key: Reference | None = None


class KeysAsked(WireModel):
    """Which keys are listed, and how."""

    page: Annotated[int, Field(ge=1, le=MOST_PAGES)] = 1
    size: Annotated[int, Field(ge=1, le=100)] = 10
    user_id: Text | None = None
    team_id: Text | None = None
    key_hash: Reference | None = None
    key_alias: Text | None = None
    search: Text | None = None
    created_by: Text | None = None
    # of these there are none here, so nothing belongs to one
    organization_id: Text | None = None
    project_id: Text | None = None
    agent_id: Text | None = None
    status: Literal["active", "expired", "blocked", "revoked", "deleted"] | None = None
    return_full_object: bool = False
    sort_by: Literal["created_at", "updated_at", "key_alias", "spend", "expires"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"

    def names_nothing(self) -> bool:
        """Whether no key can be meant."""
        return self.status == "deleted" or any((self.organization_id, self.project_id, self.agent_id))

    def query(self, now: datetime) -> KeyQuery:
        """For the desk."""
        status = "blocked" if self.status == "revoked" else self.status
        return KeyQuery(
            now=now,
            user_id=self.user_id,
            team_id=self.team_id,
            token=token_of(self.key_hash) if self.key_hash and self.key_hash.startswith(PREFIX) else self.key_hash,
            alias=self.key_alias,
            search=self.search,
            created_by=self.created_by,
            status=status if status != "deleted" else None,
            sort_by=self.sort_by,
            descending=self.sort_order == "desc",
            page=self.page,
            size=self.size,
        )


class AliasesAsked(WireModel):
    """Which aliases are listed."""

    page: Annotated[int, Field(ge=1, le=MOST_PAGES)] = 1
    size: Annotated[int, Field(ge=1, le=100)] = 50
    search: Text | None = None
    team_id: Text | None = None


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else None if value == "" else value
