"""Who is calling: the credential in the headers becomes a caller, or the call ends here.

Three doors so far: the master key; any bearer while no master key is set (web/access.py then lets in nobody but this
machine); nobody else. Virtual keys will be looked up between the two.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from app.core.callers import ANYONE, MASTER, Caller
from app.core.credentials import PresentedCredential, present
from app.core.errors import Unauthenticated


class Doorman:
    """Turns credentials into callers."""

    def __init__(self, master_key: str | None) -> None:
        self._master = sha256(master_key.encode()).digest() if master_key else None

    def admit(self, headers: Mapping[str, str]) -> Caller:
        """The caller whose credential is in `headers` (lower-case names). Raises Unauthenticated."""
        credential = present(headers)
        if self._master is None:
            return ANYONE
        if self._is_master(credential):
            return MASTER
        raise Unauthenticated(
            f"The key in {credential.header} is not known here. Check that it is whole; "
            "the gateway's administrator hands out keys."
        )

    def _is_master(self, credential: PresentedCredential) -> bool:
        presented = sha256(credential.secret.encode()).digest()
        return self._master is not None and hmac.compare_digest(presented, self._master)
