"""Calls as an AWS SDK signs them, at any moment and for any host."""

from datetime import datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HOST = "gateway.example.com"


class _SigV4At(SigV4Auth):  # type: ignore[misc]  # botocore ships no types
    """botocore signs at the moment it reads from the clock; this one at the one it is given."""

    def __init__(self, pair: tuple[str, str], at: datetime) -> None:
        super().__init__(Credentials(*pair), "bedrock", "us-east-1")
        self._at = at

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._at.strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)


def signed_headers(
    method: str, target: str, body: bytes, pair: tuple[str, str], at: datetime, *, host: str = HOST
) -> dict[str, str]:
    """The headers, their names in lower case, Host among them."""
    request = AWSRequest(method, f"http://{host}{target}", {"Content-Type": "application/json"}, body)
    _SigV4At(pair, at).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()} | {"host": host}
