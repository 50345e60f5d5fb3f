"""/key routes, /v2/key/info and /key/aliases: virtual keys over HTTP."""

from dataclasses import replace
from typing import Any

from app.core.errors import InvalidField
from app.core.registry_messages import KeyQuery
from app.gateway.key_desk import KeyDesk
from app.gateway.standings import Standings
from app.web.admin_api.account_forms import gently
from app.web.admin_api.key_answers import ChangedKey, KeyDetails, MadeKey
from app.web.admin_api.key_forms import (
    AliasesAsked,
    KeyAsked,
    KeyDeletion,
    KeyNamed,
    KeyRegeneration,
    KeysAsked,
    KeysNamed,
    KeyUpdate,
    KeyUpdates,
    NewKey,
    SpendResetAsked,
)
from app.web.admin_api.key_results import (
    AliasPage,
    DeletedKeys,
    KeyHealth,
    KeyInfo,
    KeyInfos,
    KeyPage,
    ResetSpend,
    UpdatedKeys,
    pages,
)
from app.web.admin_api.routes import AdminCall, Nothing, Route


def routes(desk: KeyDesk, standings: Standings) -> list[Route[Any, Any]]:
    """The routes of virtual keys. The desk looks at whose keys they are about."""
    view = _Views(desk, standings)
    return [
        _changing("/key/generate", "Make a key; its text is shown this once", NewKey, MadeKey, view.generate),
        _changing(
            "/key/service-account/generate",
            "Make a key of a team, of no user",
            NewKey,
            MadeKey,
            view.generate_for_service,
        ),
        _changing("/key/update", "Change a key; null leaves a field as it is", KeyUpdate, ChangedKey, view.update),
        _changing("/key/bulk_update", "Change keys, each by itself", KeyUpdates, UpdatedKeys, view.update_many),
        _changing("/key/delete", "Delete keys, all or none", KeyDeletion, DeletedKeys, view.delete),
        _changing("/key/block", "Refuse a key from now on", KeyNamed, ChangedKey, view.block),
        _changing("/key/unblock", "Let a blocked key go on", KeyNamed, ChangedKey, view.unblock),
        _changing("/key/regenerate", "Give a key another text", KeyRegeneration, MadeKey, view.regenerate),
        _changing("/key/<key>/regenerate", "Give a key another text", KeyRegeneration, MadeKey, view.regenerate),
        _changing("/key/<key>/reset_spend", "Set back what a key spent", SpendResetAsked, ResetSpend, view.reset_spend),
        _reading("/key/info", "A key, or the caller's own", KeyAsked, KeyInfo, view.info),
        _reading("/key/list", "Keys, page by page", KeysAsked, KeyPage, view.page),
        _reading("/key/aliases", "Aliases of keys, page by page", AliasesAsked, AliasPage, view.aliases),
        replace(_changing("/v2/key/info", "Some keys", KeysNamed, KeyInfos, view.infos), reads=True),
        replace(
            _changing("/key/health", "Whether the caller's key works", Nothing, KeyHealth, view.health), reads=True
        ),
    ]


def _changing(rule: str, summary: str, body: Any, answer: Any, view: Any) -> Route[Any, Any]:
    return Route("POST", rule, summary, "holder", Nothing, body, answer, view)


def _reading(rule: str, summary: str, query: Any, answer: Any, view: Any) -> Route[Any, Any]:
    return Route("GET", rule, summary, "holder", query, Nothing, answer, view)


class _Views:
    """From forms to the desk, and from the desk to answers."""

    def __init__(self, desk: KeyDesk, standings: Standings) -> None:
        self._desk = desk
        self._standings = standings

    def generate(self, call: AdminCall[Nothing, NewKey]) -> MadeKey:
        return MadeKey.of(self._desk.issue(call.actor, call.body.order(text=call.body.key)), call.body.echoed())

    def generate_for_service(self, call: AdminCall[Nothing, NewKey]) -> MadeKey:
        order = call.body.order(text=call.body.key)
        if order.team_id is None:
            raise InvalidField("team_id is required for service account keys. Please specify `team_id`.", "team_id")
        return MadeKey.of(self._desk.issue(call.actor, replace(order, user_id=None)), call.body.echoed())

    def update(self, call: AdminCall[Nothing, KeyUpdate]) -> ChangedKey:
        form = call.body
        if form.key:
            return ChangedKey.named(form.key, self._desk.change(call.actor, form.key, form.order()))
        key = self._desk.change_named(call.actor, form.key_alias or "", form.order())
        return ChangedKey.named(key.token, key)

    def update_many(self, call: AdminCall[Nothing, KeyUpdates]) -> UpdatedKeys:
        orders = []
        for form in call.body.keys:
            if not form.key:
                raise InvalidField("keys: each names its key.", "keys")
            orders.append((form.key, form.order()))
        return UpdatedKeys.of(self._desk.change_many(call.actor, orders))

    def delete(self, call: AdminCall[Nothing, KeyDeletion]) -> DeletedKeys:
        keys, aliases = call.body.keys or [], call.body.key_aliases or []
        self._desk.delete(call.actor, keys, aliases)
        return DeletedKeys(deleted_keys=[*keys, *aliases])

    def block(self, call: AdminCall[Nothing, KeyNamed]) -> ChangedKey:
        key = call.body.key
        return ChangedKey.named(key, self._desk.block(call.actor, key, blocked=True))

    def unblock(self, call: AdminCall[Nothing, KeyNamed]) -> ChangedKey:
        key = call.body.key
        return ChangedKey.named(key, self._desk.block(call.actor, key, blocked=False))

    def regenerate(self, call: AdminCall[Nothing, KeyRegeneration]) -> MadeKey:
        form = call.body
        key = call.path.get("key") or form.key
        if not key:
            raise InvalidField("Name the key in `key`, by its text, its token or its id.", "key")
        grace = form.grace_period or None
        issued = self._desk.rotate(call.actor, key, form.order(text=form.new_key), grace)
        return MadeKey.of(issued, form.echoed())

    def reset_spend(self, call: AdminCall[Nothing, SpendResetAsked]) -> ResetSpend:
        return ResetSpend.of(self._desk.reset_spend(call.actor, call.path["key"], call.body.reset_to))

    def info(self, call: AdminCall[KeyAsked, Nothing]) -> KeyInfo:
        key, budget = self._desk.get(call.actor, call.query.key)
        details = KeyDetails.at(self._desk.now(), key, budget)
        return KeyInfo.of(call.query.key or key.token, details, self._standings.of_key(call.actor, key, budget))

    def infos(self, call: AdminCall[Nothing, KeysNamed]) -> KeyInfos:
        found = self._desk.get_many(call.actor, call.body.keys)
        now = self._desk.now()
        return KeyInfos(key=[name for name, _ in found], info=[KeyDetails.at(now, key) for _, key in gently(found)])

    def page(self, call: AdminCall[KeysAsked, Nothing]) -> KeyPage:
        asked = call.query
        now = self._desk.now()
        if asked.names_nothing():
            return KeyPage(keys=[], total_count=0, current_page=asked.page, total_pages=0)
        found = self._desk.page(call.actor, asked.query(now))
        return KeyPage(
            keys=[KeyDetails.at(now, key) for key in found.items]
            if asked.return_full_object
            else [key.token for key in found.items],
            total_count=found.total,
            current_page=asked.page,
            total_pages=pages(found.total, asked.size),
        )

    def aliases(self, call: AdminCall[AliasesAsked, Nothing]) -> AliasPage:
        asked = call.query
        query = KeyQuery(
            now=self._desk.now(),
            named=True,
            search=asked.search,
            team_id=asked.team_id,
            sort_by="key_alias",
            descending=False,
            page=asked.page,
            size=asked.size,
        )
        found = self._desk.page(call.actor, query)
        return AliasPage(
            aliases=[key.alias for key in found.items if key.alias is not None],
            total_count=found.total,
            current_page=asked.page,
            total_pages=pages(found.total, asked.size),
            size=asked.size,
        )

    def health(self, _: AdminCall[Nothing, Nothing]) -> KeyHealth:
        return KeyHealth()
