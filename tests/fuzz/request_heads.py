"""The quick reading of a request's head: what it takes comes out as gunicorn's own reading would have it."""

from typing import Any

from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from app.web.server_request import BoundedRequest
from tests.fuzz.target import Target

_ADDRESS = ("127.0.0.1", 1)


def _config() -> Config:
    """As gunicorn.conf.py has it."""
    config = Config()
    for name, value in (
        ("limit_request_line", 8190),
        ("limit_request_field_size", 16384),
        ("limit_request_fields", 100),
        ("header_map", "dangerous"),
        ("forwarder_headers", ""),
        ("secure_scheme_headers", {}),
    ):
        config.set(name, value)
    return config


_CONFIG = _config()


def _check(data: bytes) -> None:
    assert _read(BoundedRequest, data) == _read(Request, data), data


def _read(kind: type[Request], data: bytes) -> object:
    """All that was read of a request, or why none was; and what is left for its body and the next one."""
    try:
        request = kind(_CONFIG, IterUnreader([data]), _ADDRESS)
    except (ParseException, StopIteration, OSError) as error:
        return type(error)
    line = (request.method, request.uri, request.path, request.query, request.fragment, request.version)
    rules = (request.scheme, request._expected_100_continue, request.should_close())
    return line, request.headers, rules, _framing(request), request.unreader.read()


def _framing(request: Any) -> tuple[str, object]:
    reader = request.body.reader
    return type(reader).__name__.replace("_ShortLines", "ChunkedReader"), getattr(reader, "length", None)


def _seeds() -> list[bytes]:
    lines = (
        b"GET / HTTP/1.1",
        b"POST /bedrock/model/a%3A0/converse?b=%2F HTTP/1.1",
        b"OPTIONS * HTTP/1.0",
        b"GET /a#b HTTP/1.1",
    )
    fields = (
        b"Host: a\r\nContent-Length: 2\r\nx-api-key: sk-1\r\nAccept: */*\r\n\r\n{}GET / HTTP/1.1",
        b"Host: a\r\nlitellm_user_api_key: sk-1\r\nX-Forwarded-Proto: https\r\nExpect: 100-continue\r\n\r\n",
        b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\n\r\n",
        b"A:\r\nB: \t x \t\r\nC: \xe9\r\nConnection: close\r\n\r\n",
        b"Folded: a\r\n b\r\nHost: a\r\n\r\n",
    )
    return [b"%b\r\n%b" % (line, field) for line in lines for field in fields]


TARGET = Target(
    "request-heads",
    _seeds,
    _check,
    words=(
        *(b"\r\n", b":", b" ", b"\t", b"_", b"Host: b", b"Expect: 100-continue", b"Content-Length: 1", b"\r", b"\n"),
        *(b"SCRIPT_NAME: x", b"X-Forwarded-Proto: https", b"\x00", b"\x7f", b"\xdf", b"a" * 20000, b"a:\r\n" * 99),
        *(
            b"\r\n\r\n",
            b"HTTP/1.0",
            b"HTTP/1.1",
            b"GET",
            b"CONNECT",
            b"//",
            b"#",
            b"?",
            b"http://a/b",
            b"*",
            b"chunked",
        ),
    ),
    quick=2000,
    longest=32768,
)
