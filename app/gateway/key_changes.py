"""How a key comes to be, changes and gets another text, within one change of the registry.

All that can be refused is refused before anything is written, so that of several keys each can fail by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.core.account_rules import UnknownEntries, end_of
from app.core.accounts import Budget, KeySecret, VirtualKey
from app.core.admin_rights import is_administrator, require_key
from app.core.callers import Caller
from app.core.errors import InvalidField, NotFound
from app.core.key_orders import KeyOrder, carried_out
from app.core.key_pairs import KeyPairs
from app.core.virtual_keys import PREFIX, check_chosen, name_of, token_of
from app.gateway.audited_changes import Minutes
from app.gateway.key_permissions import require_no_gain, require_order
from app.gateway.ports import Records


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """What new keys are made of. `reserved`: tokens no key may have, such as the master key's."""

    new_text: Callable[[], str]
    new_access_key_id: Callable[[], str]
    pairs: KeyPairs
    reserved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key and, this once, its text; `secret_access_key` of its pair, where pairs are offered."""

    key: VirtualKey
    text: str = field(repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    budget: Budget | None = None


class KeyChanges:
    """What the desk lets happen to keys."""

    def __init__(self, maker: KeyMaker, unknown_operations: UnknownEntries) -> None:
        self._maker = maker
        self._unknown_operations = unknown_operations

    def issue(self, minutes: Minutes, order: KeyOrder) -> IssuedKey:
        """Make a key. Raises InvalidField or AccessDenied."""
        blank = VirtualKey(minutes.new_id(), "", "", minutes.stamps())
        made = self._carried_out(minutes, order, None, blank)
        made = replace(made, total_spend=made.spend)
        issued = self._with_text(minutes, made, order)
        minutes.put(None, issued.key)
        minutes.records.put(KeySecret(issued.key.token, issued.key.id, issued.key.access_key_id))
        return issued

    def change(self, minutes: Minutes, reference: str, order: KeyOrder) -> VirtualKey:
        """Raises NotFound, InvalidField, AccessDenied or NotAdministrator."""
        before = mine(minutes, reference, "/key/update")
        after = self._carried_out(minutes, order, before, before)
        minutes.put(before, after)
        return after

    def rotate(self, minutes: Minutes, reference: str, order: KeyOrder, grace: str | None) -> IssuedKey:
        """Raises NotFound, InvalidField, AccessDenied or NotAdministrator."""
        before = mine(minutes, reference, "/key/regenerate")
        require_no_gain(minutes.records, minutes.actor.caller, before)
        changed = self._carried_out(minutes, order, before, before)
        if changed.expired(minutes.now):
            raise InvalidField("This key has expired, and so would its new text: give a duration too.", "duration")
        issued = self._with_text(minutes, changed, order)
        after = replace(
            issued.key,
            rotation_count=before.rotation_count + 1,
            last_rotation_at=minutes.now,
            # within the grace, those who have an earlier text have the key
            delegated=issued.key.delegated or (bool(grace) and changed.delegated),
        )
        _end_earlier_texts(minutes, before, grace)
        minutes.put(before, after, "rotated")
        minutes.records.put(KeySecret(after.token, after.id, after.access_key_id))
        return replace(issued, key=after)

    def _carried_out(self, minutes: Minutes, order: KeyOrder, before: VirtualKey | None, key: VirtualKey) -> VirtualKey:
        after = replace(
            carried_out(order, key, minutes.now, self._unknown_operations),
            stamps=minutes.stamps(before.stamps if before else None),
        )
        caller = minutes.actor.caller
        require_order(minutes.records, caller, order, (before, after))
        _check_accounts(minutes.records, order)
        _check_alias(minutes, after)
        if before and before.user_id != after.user_id and not is_administrator(caller):
            # whoever has its text got it as another user's
            return replace(after, delegated=True)
        return after

    def _with_text(self, minutes: Minutes, key: VirtualKey, order: KeyOrder) -> IssuedKey:
        maker = self._maker
        text = order.text if order.text is not None else maker.new_text()
        token = token_of(check_chosen(text))
        if token in maker.reserved or minutes.records.key(token):
            raise InvalidField("This key is taken: choose another, or leave it out to have one made.", "key")
        access_key_id = maker.new_access_key_id() if maker.pairs.offered else None
        return IssuedKey(
            key=replace(
                key,
                token=token,
                key_name=name_of(text),
                access_key_id=access_key_id,
                delegated=_is_delegated(minutes.actor.caller, key),
            ),
            text=text,
            secret_access_key=maker.pairs.secret_of(access_key_id) if access_key_id else None,
            budget=budget_of(minutes.records, key),
        )


def find(records: Records, reference: str) -> VirtualKey | None:
    """A key by its text, its token or its id."""
    return records.key(token_of(reference) if reference.startswith(PREFIX) else reference)


def found(records: Records, reference: str, message: str, param: str = "key") -> VirtualKey:
    """The same. Raises NotFound, with a message that shows no key's text."""
    key = find(records, reference)
    if key is None:
        if not reference:
            raise NotFound(f"{message}: name one in {param}.", param)
        if reference.startswith(PREFIX):
            raise NotFound(f"{message}: {name_of(reference)}", param)
        raise NotFound(f"{message}: {reference[:100]}. A key is named by its text, its token or its key_id.", param)
    return key


def mine(minutes: Minutes, reference: str, action: str) -> VirtualKey:
    """A key that the actor may change. Raises NotFound, NotAdministrator or AccessDenied."""
    key = found(minutes.records, reference, "Key not found.")
    require_key(minutes.actor.caller, key, action)
    return key


def budget_of(records: Records, key: VirtualKey) -> Budget | None:
    """The budget that a key names."""
    return records.budget(key.budget_id) if key.budget_id else None


def _is_delegated(caller: Caller, key: VirtualKey) -> bool:
    """Whether the caller, who is handed the key's text, is neither an administrator nor the key's user."""
    return not is_administrator(caller) and caller.user_id != key.user_id


def _check_accounts(records: Records, order: KeyOrder) -> None:
    if order.team_id is not None and records.team(order.team_id) is None:
        raise InvalidField(
            f"Unable to find team object in database. Team ID: {order.team_id}. Make it by /team/new.", "team_id"
        )
    if order.budget_id is not None and records.budget(order.budget_id) is None:
        raise InvalidField(
            f"Unable to find budget in database. Budget ID: {order.budget_id}. Make it by /budget/new.", "budget_id"
        )


def _check_alias(minutes: Minutes, key: VirtualKey) -> None:
    """Of the keys that have not expired, only one has the alias: people delete keys by it."""
    if key.alias is None or key.expired(minutes.now):
        return
    others = [other for other in minutes.records.keys_named(key.alias) if other.id != key.id]
    if any(not other.expired(minutes.now) for other in others):
        raise InvalidField(
            f"Key with alias '{key.alias}' already exists. Unique key aliases across all keys are required.",
            "key_alias",
        )


def _end_earlier_texts(minutes: Minutes, key: VirtualKey, grace: str | None) -> None:
    end = end_of(minutes.now, grace, "grace_period") if grace else None
    for secret in minutes.records.secrets(key.id):
        if end is None or (secret.expires_at is not None and secret.expires_at <= minutes.now):
            minutes.records.remove(secret)
        else:
            minutes.records.put(replace(secret, expires_at=min(end, secret.expires_at or end)))
