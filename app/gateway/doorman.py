"""Who is calling: the credential in the headers becomes a caller, or the call ends here.

    the master key                  MASTER
    no master key is set            ANYONE (web/access.py then lets in nobody but this machine)
    a virtual key, `sk-...`         its caller, unless the key, its text or its team has ended or is blocked
    the id of an issued key pair    the same, once the signature of the whole call was checked

A pair's caller is known before the body is read, so that what it may not do is refused without reading it, and
proven after: nothing is done for it until then.
"""

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime

from app.core.accounts import KeyGrant, VirtualKey
from app.core.callers import ANYONE, MASTER, Caller, caller_of
from app.core.credentials import PresentedCredential, present
from app.core.errors import KeyBlocked, KeyExpired, KeyUnknown, SignatureWrong
from app.core.key_pairs import KeyPairs, is_access_key_id
from app.core.messages import ProxyRequest
from app.core.signature import SignedCall
from app.core.virtual_keys import is_text, token_of
from app.gateway.key_directory import KeyDirectory


class Proof:
    """What is left to check of a caller once the body is there."""

    def __init__(self, call: SignedCall | None = None, secrets: tuple[str, ...] = ()) -> None:
        """Without a call, nothing is."""
        self._call = call
        self._secrets = secrets

    def check(self, body: bytes | bytearray) -> None:
        """Raises SignatureWrong."""
        if self._call:
            self._call.check_body(body, self._secrets)


_NOTHING_LEFT = Proof()


class Doorman:
    """Turns credentials into callers."""

    def __init__(
        self, master_key: str | None, directory: KeyDirectory, key_pairs: KeyPairs, now: Callable[[], datetime]
    ) -> None:
        """`now` is aware."""
        self._master = token_of(master_key) if master_key else None
        self._directory = directory
        self._key_pairs = key_pairs
        self._now = now

    def admit(self, headers: Mapping[str, str]) -> Caller:
        """The caller whose key is in `headers` (lower-case names), for routes that are not forwarded.

        Raises Unauthenticated, StoreUnavailable or WorkerFull.
        """
        credential = present(headers)
        if self._is_of_issued_pair(credential):
            raise SignatureWrong(
                "An issued key pair signs calls to Bedrock; this route takes the key that it was issued with, as "
                "Authorization: Bearer sk-..."
            )
        return self._caller(credential)

    def admit_call(self, request: ProxyRequest) -> tuple[Caller, Proof]:
        """The caller of a call to Bedrock, and what must be checked against its body before anything is done for it.

        Raises Unauthenticated, StoreUnavailable or WorkerFull.
        """
        credential = present(request.headers)
        if not credential.signature or not self._is_of_issued_pair(credential):
            return self._caller(credential), _NOTHING_LEFT
        if not self._key_pairs.offered:
            raise KeyUnknown(
                f"The key in {credential.header} is of a key pair that a gateway issued, and this one issues none: its "
                "operator has not set SECRET_KEY. Use the key itself (sk-...) as the access key id."
            )
        call = SignedCall(request.method, request.raw_target, request.headers, credential.signature)
        call.check_head(self._now())
        caller = self._of_grant(self._directory.by_access_key_id(credential.secret), credential)
        return caller, Proof(call, self._key_pairs.candidates(credential.secret))

    def _is_of_issued_pair(self, credential: PresentedCredential) -> bool:
        return self._master is not None and credential.signature is not None and is_access_key_id(credential.secret)

    def _caller(self, credential: PresentedCredential) -> Caller:
        token = token_of(credential.secret)
        if self._master is None:
            return ANYONE
        if hmac.compare_digest(token, self._master):
            return MASTER
        if not is_text(credential.secret):
            raise _no_text(credential)
        return self._of_grant(self._directory.by_token(token), credential)

    def _of_grant(self, grant: KeyGrant | None, credential: PresentedCredential) -> Caller:
        if grant is None:
            raise KeyUnknown(
                f"The key in {credential.header} is not known here. Check that it is whole; "
                "the gateway's administrator hands out keys."
            )
        _refuse_ended(grant, self._now())
        return caller_of(grant)


def _no_text(credential: PresentedCredential) -> KeyUnknown:
    if is_access_key_id(credential.secret):
        return KeyUnknown(
            f"The key in {credential.header} is not known here: it is the access key id of an issued pair, with "
            "which an AWS SDK signs. Here a virtual key is expected, which starts with 'sk-'."
        )
    return KeyUnknown(
        f"The key in {credential.header} is not known here: a virtual key is expected to start with 'sk-' and "
        "to have at least 16 characters. The gateway's administrator hands out keys."
    )


def _refuse_ended(grant: KeyGrant, now: datetime) -> None:
    """Raises KeyExpired or KeyBlocked. The messages begin as the peer's, whose clients look for them."""
    key, team = grant.key, grant.team
    if key.blocked:
        raise KeyBlocked(
            f"Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin. {_which(key)}"
        )
    for ends, advice in (
        (key.expires_at, "Ask an administrator for another key, or to extend this one."),
        (grant.secret_expires_at, "It was regenerated, and this former text's grace is over: use the new one."),
    ):
        if ends and ends <= now:
            raise KeyExpired(
                f"Authentication Error - Expired Key. Key Expiry time {ends} and current time {now}. {_which(key)}. "
                f"{advice}"
            )
    if key.team_id is not None and team is None:
        raise KeyBlocked(
            f"Authentication Error, Team={key.team_id} of this key does not exist any more. An administrator can give "
            f"it another team via `/key/update`. {_which(key)}"
        )
    if team and team.blocked:
        raise KeyBlocked(
            f"Authentication Error, Team={team.id} is blocked. Update via `/team/unblock` if you're an admin. "
            f"{_which(key)}"
        )


def _which(key: VirtualKey) -> str:
    return f"Key={key.key_name}" + (f", alias {key.alias!r}" if key.alias else "")
