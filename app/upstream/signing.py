"""Signature Version 4 by requests-aws4auth, or a Bedrock API key for the services that take one."""

import hmac
from hashlib import sha256
from time import gmtime, strftime
from typing import cast

from gevent import get_hub
from requests import PreparedRequest
from requests_aws4auth import AWS4Auth

from app.upstream.credentials import AwsCredentials, CredentialKeeper
from app.upstream.endpoints import Endpoint

# A body is hashed at about 1.5 GB/s: 1 MiB takes 0.7 ms, in which no other call of this worker moves. Above that the
# hash runs in a thread, where hashlib lets go of the interpreter.
_HASHED_IN_PLACE_BYTES = 1024 * 1024
# and all that begin with x-amz-
_SIGNED = ("host", "content-type")
# canonical paths that are remembered, of each service in each region
_KNOWN_PATHS, _LONGEST_KNOWN_PATH = 256, 256


class _Signature(AWS4Auth):  # type: ignore[misc]  # requests-aws4auth ships no types
    """AWS4Auth for requests as the gateway makes them, in a third of its time: no header of theirs is a date.

    White space in values is folded as botocore does it, instead of by the rules of a shell.
    """

    def __init__(self, *args: str | None, **options: str | None) -> None:
        super().__init__(*args, **options)
        self._paths: dict[str, str] = {}

    def __call__(self, req: PreparedRequest) -> PreparedRequest:
        moment = strftime("%Y%m%dT%H%M%SZ", gmtime())
        if moment[:8] != self.date:
            self.regenerate_signing_key(date=moment[:8])
        headers = req.headers
        headers["x-amz-date"] = moment
        digest = sha256(cast(bytes, req.body or b"")).hexdigest()
        headers["x-amz-content-sha256"] = digest
        if self.session_token:
            headers["x-amz-security-token"] = self.session_token
        signed = sorted(
            (low, " ".join(value.split()))
            for low, value in ((name.lower(), value) for name, value in headers.items())
            if low in _SIGNED or low.startswith("x-amz-")
        )
        names = ";".join([name for name, _ in signed])
        url = req.url or ""
        path, _, query = url[url.index("/", 8) :].partition("?")
        lines = [str(req.method), self._canonical(path), query and self.amz_cano_querystring(query)]
        lines += [*(f"{name}:{value}" for name, value in signed), "", names, digest]
        canonical = sha256("\n".join(lines).encode()).hexdigest()
        key = self.signing_key
        text = f"AWS4-HMAC-SHA256\n{moment}\n{key.scope}\n{canonical}"
        signature = hmac.digest(key.key, text.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_id}/{key.scope}, SignedHeaders={names}, Signature={signature}"
        )
        return req

    def _canonical(self, path: str) -> str:
        """Callers name few models, again and again."""
        known = self._paths.get(path)
        if known is None:
            known = self.amz_cano_path(path)
            if len(path) <= _LONGEST_KNOWN_PATH:
                if len(self._paths) >= _KNOWN_PATHS:
                    self._paths.clear()
                self._paths[path] = known
        return str(known)


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
        if known is None or known[0] is not credentials:
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
