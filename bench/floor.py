"""The least that this stack can do: gunicorn, gevent, Flask, an adapter of requests, and AWS4Auth.

No keys, no policy, no ledger, no rules for headers, no deadlines worth the name: what a call costs here is what the
given libraries cost, on whatever machine. Served by bench/proxies.py.
"""

import os
from collections.abc import Iterator

from flask import Flask, Response, request
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests_aws4auth import AWS4Auth
from urllib3 import BaseHTTPResponse

PREFIX = "/bedrock"
UPSTREAM = "FLOOR_UPSTREAM"
_PIECE_BYTES = 65536
_TIMEOUTS = (5.0, 600.0)

app = Flask(__name__)
_adapter = HTTPAdapter(pool_maxsize=1000)
_auth = AWS4Auth("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "bedrock")


@app.post(PREFIX + "/<path:_>")
def forward(_: str) -> Response:
    """Signed, sent, and returned whole, or piece by piece where the upstream does not say how long it is."""
    body = request.get_data()
    signed = PreparedRequest()
    signed.method = "POST"
    signed.url = os.environ[UPSTREAM] + request.environ["RAW_URI"].removeprefix(PREFIX)
    signed.headers = CaseInsensitiveDict(
        {"Content-Type": "application/json", "Host": "127.0.0.1", "Content-Length": str(len(body))}
    )
    signed.body = body
    signed.hooks = {"response": []}
    reply = _adapter.send(_auth(signed), stream=True, timeout=_TIMEOUTS)
    if "Content-Length" in reply.headers:
        data = reply.raw.read(decode_content=False)
        return Response(data, reply.status_code, list(reply.headers.items()))
    kind = reply.headers["Content-Type"]
    return Response(_pieces(reply.raw), reply.status_code, content_type=kind)


def _pieces(raw: BaseHTTPResponse) -> Iterator[bytes]:
    yield from raw.stream(_PIECE_BYTES, decode_content=False)
