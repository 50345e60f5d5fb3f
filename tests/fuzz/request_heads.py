"""The quick reading of a request's headers: what it lets pass, gunicorn's own reading reads alike."""

from collections.abc import Iterator
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
        ("limit_request_field_size", 16384),
        ("header_map", "dangerous"),
        ("forwarder_headers", ""),
        ("secure_scheme_headers", {}),
    ):
        config.set(name, value)
    return config


_CONFIG = _config()


def _request() -> BoundedRequest:
    def plain() -> Iterator[bytes]:
        yield b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    return BoundedRequest(_CONFIG, IterUnreader(plain()), _ADDRESS)


def _check(data: bytes) -> None:
    assert _read(BoundedRequest, data) == _read(Request, data), data


def _read(kind: Any, data: bytes) -> object:
    request = _request()
    try:
        headers = kind.parse_headers(request, data)
    except ParseException as error:
        return type(error)
    return headers, request.scheme, request._expected_100_continue


def _seeds() -> list[bytes]:
    return [
        b"Host: a\r\nContent-Length: 2\r\nx-api-key: sk-1\r\nAccept: */*",
        b"Host: a\r\nlitellm_user_api_key: sk-1\r\nX-Forwarded-Proto: https\r\nExpect: 100-continue",
        b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\nContent-Type: text/plain",
        b"A:\r\nB: \t x \t\r\nC: \xe9",
        b"Folded: a\r\n b\r\nHost: a",
    ]


TARGET = Target(
    "request-heads",
    _seeds,
    _check,
    words=(
        *(b"\r\n", b":", b" ", b"\t", b"_", b"Host: b", b"Expect: 100-continue", b"Content-Length: 1", b"\r", b"\n"),
        *(b"SCRIPT_NAME: x", b"X-Forwarded-Proto: https", b"\x00", b"\x7f", b"\xdf", b"a" * 20000, b"a:\r\n" * 99),
    ),
    quick=2000,
    longest=32768,
)
