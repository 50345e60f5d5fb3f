"""Signature Version 4 by requests-aws4auth, or a Bedrock API key for the services that take one."""

from gevent import get_hub
from requests import PreparedRequest
from requests_aws4auth import AWS4Auth

from app.upstream.credentials import AwsCredentials, CredentialKeeper
from app.upstream.endpoints import Endpoint

# A body is hashed at about 1.5 GB/s: 1 MiB takes 0.7 ms, in which no other call of this worker moves. Above that the
# hash runs in a thread, where hashlib lets go of the interpreter.
_HASHED_IN_PLACE_BYTES = 1024 * 1024


class _Signature(AWS4Auth):  # type: ignore[misc]  # requests-aws4auth ships no types
    """AWS4Auth that folds white space in header values as botocore does, instead of by the rules of a shell."""

    @staticmethod
    def amz_norm_whitespace(text: str) -> str:
        return " ".join(text.split())


class Signer:
    """Signs requests with the gateway's own credentials."""

    def __init__(self, credentials: CredentialKeeper, bearer_token: str | None) -> None:
        self._credentials = credentials
        self._bearer_token = bearer_token
        self._signatures: dict[tuple[str, str], tuple[AwsCredentials, _Signature]] = {}

    def sign(self, request: PreparedRequest, endpoint: Endpoint) -> None:
        """Add what authenticates `request` to `endpoint`. Raises CredentialsMissing."""
        if self._bearer_token and endpoint.bearer:
            request.headers["Authorization"] = f"Bearer {self._bearer_token}"
            return
        credentials = self._credentials.current()
        if request.body is not None and len(request.body) > _HASHED_IN_PLACE_BYTES:
            # an instance of its own: they change while they sign, and this one does so in another thread
            get_hub().threadpool.apply(_signature(credentials, endpoint), (request,))
        else:
            self._signature(credentials, endpoint)(request)

    def _signature(self, credentials: AwsCredentials, endpoint: Endpoint) -> _Signature:
        scope = (endpoint.signing_name, endpoint.region)
        known = self._signatures.get(scope)
        if known is None or known[0] != credentials:
            known = self._signatures[scope] = (credentials, _signature(credentials, endpoint))
        return known[1]


def _signature(credentials: AwsCredentials, endpoint: Endpoint) -> _Signature:
    return _Signature(
        credentials.access_key_id,
        credentials.secret_access_key,
        endpoint.region,
        endpoint.signing_name,
        session_token=credentials.session_token,
    )
