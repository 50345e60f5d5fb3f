"""The gateway's own AWS credentials: botocore's chain, looked up and refreshed beside the request path.

Static keys, session tokens, profiles, assumed roles, web identity, container and instance roles all come from
botocore. A greenlet asks it for the current ones and publishes them; calls only ever read what is published.
"""

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from botocore.credentials import RefreshableCredentials
from botocore.session import Session
from gevent.event import Event

from app.core.errors import CredentialsMissing

_log = logging.getLogger(__name__)
# botocore begins to refresh 15 minutes before the end and insists 10 minutes before it (botocore/credentials.py), so
# a look every 30 s leaves time for twenty failed attempts.
_LOOK_SECONDS = 30.0
# botocore's name for keys in variables, which do not change while a process lives
_FROM_ENVIRONMENT = "env"
# How long the first call may wait for the first look: an instance role takes about a second, a missing one two.
_FIRST_LOOK_SECONDS = 10.0
MISSING = (
    "The gateway has no AWS credentials. Its operator sets AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and "
    "AWS_SESSION_TOKEN), AWS_PROFILE, a role for the machine, or AWS_BEARER_TOKEN_BEDROCK; "
    "`flask --app wsgi doctor` checks."
)


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """One set of credentials, as it is now."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)


def from_botocore() -> Callable[[], AwsCredentials | None]:
    """A look at botocore's chain: each call answers the current credentials, refreshed if need be, or None."""
    session = Session()

    def look() -> AwsCredentials | None:
        nonlocal session
        found = session.get_credentials()
        if not isinstance(found, RefreshableCredentials) and getattr(found, "method", "") != _FROM_ENVIRONMENT:
            # a session keeps what it found for good: the next look takes a new one, and sees a file that was rotated
            session = Session()
            gc.collect()  # the old one holds itself, with 100 kB: 10 ms, as what the start made is frozen
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token)

    return look


class CredentialKeeper:
    """Keeps the current credentials at hand."""

    def __init__(self, look: Callable[[], AwsCredentials | None], look_seconds: float = _LOOK_SECONDS) -> None:
        self._look = look
        self._look_seconds = look_seconds
        self._current: AwsCredentials | None = None
        self._looked = Event()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to look. Idempotent; in the process that serves, after it forked."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._keep)

    def current(self) -> AwsCredentials:
        """The credentials as last published. Raises CredentialsMissing."""
        if self._current is None:
            self.start()
            self._looked.wait(_FIRST_LOOK_SECONDS)
        if self._current is None:
            raise CredentialsMissing(MISSING)
        return self._current

    def _keep(self) -> None:
        while True:
            self._publish()
            gevent.sleep(self._look_seconds)

    def _sendable(self, found: AwsCredentials | None) -> AwsCredentials | None:
        """What a header can carry: a stray newline would otherwise be told in the traceback of every call."""
        parts = (found.access_key_id, found.secret_access_key, found.session_token or "") if found else ()
        if all(part.isascii() and part.isprintable() and " " not in part for part in parts):
            return found
        _log.warning("AWS credentials are malformed: they hold a space, a newline or what is not ASCII")
        return None

    def _publish(self) -> None:
        try:
            found = self._look()
        except Exception as error:  # noqa: BLE001  # botocore lets out whatever an endpoint's answer makes of it
            # what was published goes on until it expires: AWS says so then, in its own words
            _log.warning("AWS credentials could not be refreshed: %s: %s", type(error).__name__, error)
        else:
            self._current = self._sendable(found)
        self._looked.set()
