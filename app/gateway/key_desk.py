"""Where virtual keys are issued, looked at, changed, rotated and revoked: by admin routes, pages and commands alike.

Every method is told who asks, and looks itself whether they may. A key is named by its text, its token or its id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from app.core.account_rules import UnknownEntries, not_negative
from app.core.accounts import Budget, VirtualKey
from app.core.admin_rights import require_administrator, require_key, sees_key, visible_keys
from app.core.callers import Actor
from app.core.errors import AccessDenied, CallerError, InvalidField, NotFound
from app.core.key_orders import KeyOrder
from app.core.registry_messages import KeyQuery, Page
from app.gateway.audited_changes import AuditedRegistry, Minutes
from app.gateway.key_changes import IssuedKey, KeyChanges, KeyMaker, budget_of, find, found, mine
from app.gateway.key_permissions import require_manager
from app.gateway.ports import Records


@dataclass(frozen=True, slots=True)
class SpendReset:
    """A key whose spend was set, and what it was before, in US dollars."""

    key: VirtualKey
    previous: Decimal


class KeyDesk:
    """Raises, in every method, NotAdministrator or AccessDenied for who may not, and StoreUnavailable."""

    def __init__(self, registry: AuditedRegistry, maker: KeyMaker, unknown_operations: UnknownEntries) -> None:
        self._registry = registry
        self._keys = KeyChanges(maker, unknown_operations)

    def now(self) -> datetime:
        """For KeyQuery."""
        return self._registry.now()

    def issue(self, actor: Actor, order: KeyOrder) -> IssuedKey:
        """Make a key. Raises InvalidField."""
        require_manager(actor.caller, "/key/generate")
        return self._registry.change(actor, lambda minutes: self._keys.issue(minutes, order))

    def get(self, actor: Actor, reference: str | None) -> tuple[VirtualKey, Budget | None]:
        """A key, or the caller's own, and the budget that it names. Raises NotFound."""

        def look(records: Records) -> tuple[VirtualKey, Budget | None]:
            key = found(records, reference or actor.caller.key_id or "", "Key not found in database")
            if not sees_key(actor.caller, key):
                raise AccessDenied("This key is not yours to see. Ask without `key` for your own.")
            return key, budget_of(records, key)

        return self._registry.read(look)

    def get_many(self, actor: Actor, references: Sequence[str]) -> list[tuple[str, VirtualKey]]:
        """Those of the keys that are there, each with what it was asked for by. Raises NotFound if none is."""

        def look(records: Records) -> list[tuple[str, VirtualKey]]:
            there = []
            # who sees but its own key looks for no other: neither for what is there, nor for 500 that are not
            others = visible_keys(actor.caller) != (actor.caller.key_id, frozenset())
            for reference in dict.fromkeys(references):
                key = find(records, reference)
                if not (sees_key(actor.caller, key) if key else others):
                    raise AccessDenied("Not all of these keys are yours to see.")
                if key:
                    there.append((reference, key))
            if not there:
                raise NotFound("No keys found", "keys")
            return there

        return self._registry.read(look)

    def page(self, actor: Actor, query: KeyQuery) -> Page[VirtualKey]:
        """A page of the keys that the caller sees."""
        mine = replace(query, visible=visible_keys(actor.caller))
        return self._registry.read(lambda records: records.keys(mine))

    def change(self, actor: Actor, reference: str, order: KeyOrder) -> VirtualKey:
        """Raises NotFound or InvalidField."""
        require_manager(actor.caller, "/key/update")
        return self._registry.change(actor, lambda minutes: self._keys.change(minutes, reference, order))

    def change_named(self, actor: Actor, alias: str, order: KeyOrder) -> VirtualKey:
        """The same, by the alias that it has; of several, the one that has not expired. Raises NotFound."""
        require_manager(actor.caller, "/key/update")

        def work(minutes: Minutes) -> VirtualKey:
            named = minutes.records.keys_named(alias)
            live = [key for key in named if not key.expired(minutes.now)]
            for key in live or named:
                return self._keys.change(minutes, key.id, order)
            raise NotFound("Key not found.", "key_alias")

        return self._registry.change(actor, work)

    def change_many(
        self, actor: Actor, orders: Sequence[tuple[str, KeyOrder]]
    ) -> list[tuple[str, VirtualKey | CallerError]]:
        """Each by itself: the key, or why it was not changed."""
        require_manager(actor.caller, "/key/bulk_update")

        def work(minutes: Minutes) -> list[tuple[str, VirtualKey | CallerError]]:
            results: list[tuple[str, VirtualKey | CallerError]] = []
            for reference, order in orders:
                try:
                    results.append((reference, self._keys.change(minutes, reference, order)))
                except CallerError as error:  # raised before anything of this key was written
                    results.append((reference, error))
            return results

        return self._registry.change(actor, work)

    def block(self, actor: Actor, reference: str, *, blocked: bool) -> VirtualKey:
        """Block a key, or let it go again. Raises NotFound."""
        action = "block" if blocked else "unblock"
        require_manager(actor.caller, f"/key/{action}")

        def work(minutes: Minutes) -> VirtualKey:
            before = mine(minutes, reference, f"/key/{action}")
            after = replace(before, blocked=blocked, stamps=minutes.stamps(before.stamps))
            minutes.put(before, after, f"{action}ed")
            return after

        return self._registry.change(actor, work)

    def delete(self, actor: Actor, references: Sequence[str], aliases: Sequence[str] = ()) -> None:
        """Delete all of them, or none. Raises NotFound."""
        require_manager(actor.caller, "/key/delete")

        def work(minutes: Minutes) -> None:
            keys: dict[str, VirtualKey] = {}
            for reference in references:
                key = found(minutes.records, reference, "No keys found", "keys")
                keys[key.id] = key
            for alias in aliases:
                named = minutes.records.keys_named(alias)
                if not named:
                    raise NotFound(f"No keys found with the alias {alias[:100]!r}", "key_aliases")
                keys |= {key.id: key for key in named}
            for key in keys.values():
                require_key(actor.caller, key, "/key/delete")
            for key in keys.values():
                minutes.remove(key)

        self._registry.change(actor, work)

    def rotate(self, actor: Actor, reference: str, order: KeyOrder, grace: str | None = None) -> IssuedKey:
        """Give a key another text, and what else the order says; `grace`: how long the one before works on.

        Without grace no earlier text works any more. Raises NotFound or InvalidField.
        """
        require_manager(actor.caller, "/key/regenerate")

        return self._registry.change(actor, lambda minutes: self._keys.rotate(minutes, reference, order, grace))

    def reset_spend(self, actor: Actor, reference: str, reset_to: Decimal) -> SpendReset:
        """Set what a key has spent in its budget's window, to at most what it has. Raises NotFound or InvalidField."""
        require_administrator(actor.caller, "/key/reset_spend")
        not_negative("reset_to", reset_to)

        def work(minutes: Minutes) -> SpendReset:
            before = mine(minutes, reference, "/key/reset_spend")
            if reset_to > before.spend:
                raise InvalidField(
                    f"reset_to must be at most the spend, {float(before.spend)}. Received: {float(reset_to)}",
                    "reset_to",
                )
            after = replace(before, spend=reset_to, stamps=minutes.stamps(before.stamps))
            minutes.put(before, after)
            return SpendReset(after, before.spend)

        return self._registry.change(actor, work)
