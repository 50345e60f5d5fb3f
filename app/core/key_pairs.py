"""AWS key pairs that the gateway issues: an unmodified AWS SDK signs with one, and no secret crosses the wire.

The secret is derived from the access key id and SECRET_KEY, so it is never stored; whoever reads the database cannot
sign. A label of its own keeps it apart from whatever else SECRET_KEY derives. The id is not a secret: it stands in
every signed request.
"""

import base64
import hmac
import re
from collections.abc import Callable, Sequence

_PREFIX = "OCAK"
_ID_BYTES = 10  # 16 characters of base32, so that an id is as long as AWS's own
_ID = re.compile(rf"{_PREFIX}[A-Z2-7]{{16}}")
_SECRET_BYTES = 30  # 40 characters of base64, as AWS's
_LABEL = b"outcrop issued key pair 1\0"


def is_access_key_id(text: str) -> bool:
    """Whether this can be the id of an issued pair."""
    return _ID.fullmatch(text) is not None


class KeyPairs:
    """Makes ids and the secrets that belong to them."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """`secret_keys`: the one that derives, then those before it, whose pairs still verify. Empty: none issued."""
        self._secret_keys = tuple(key.encode() for key in secret_keys)

    @property
    def offered(self) -> bool:
        """Whether pairs are issued here: without SECRET_KEY they are not."""
        return bool(self._secret_keys)

    def new_id(self, random_bytes: Callable[[int], bytes]) -> str:
        """An id nobody has yet. `random_bytes`: so many random bytes, such as secrets.token_bytes."""
        return _PREFIX + base64.b32encode(random_bytes(_ID_BYTES)).decode()

    def secret_of(self, access_key_id: str) -> str:
        """The secret access key to hand out with the id. Only where pairs are offered."""
        return _derived(self._secret_keys[0], access_key_id)

    def candidates(self, access_key_id: str) -> tuple[str, ...]:
        """The secrets that a signature with this id may be made with."""
        return tuple(_derived(key, access_key_id) for key in self._secret_keys)


def _derived(secret_key: bytes, access_key_id: str) -> str:
    digest = hmac.digest(secret_key, _LABEL + access_key_id.encode(), "sha256")
    return base64.b64encode(digest[:_SECRET_BYTES]).decode()
