"""A head is read as gunicorn's own reading has it, whichever way it takes."""

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.web.server_request import BoundedRequest

ADDRESS = ("192.0.2.7", 4711)
NAMES = [
    "Host",
    "content-type",
    "Content-Type",
    "Expect",
    "litellm_user_api_key",
    "X-A",
    "x-a",
    "Accept",
    "a b",
    "",
    "é",
]
VALUES = ["", " ", "v", "100-continue", "\tv \t", "a:b", "é", "\x00", "\x7f", "a\tb", "v\r", "v\n", "x" * 200]


def configured(**values: object) -> Config:
    config = Config()
    given_values = {"header_map": "dangerous", "forwarder_headers": "", "secure_scheme_headers": {}, **values}
    for name, value in given_values.items():
        config.set(name, value)
    return config


def outcome(kind: type[Request], head: bytes, config: Config) -> Any:
    try:
        request = kind(config, IterUnreader([head]), ADDRESS)
    except ParseException as error:
        return type(error).__name__
    line = request.method, request.uri, request.path, request.query, request.fragment, request.version
    return request.headers, request._expected_100_continue, request.scheme, line, request.unreader.read()


def head_of(lines: list[tuple[str, str]]) -> bytes:
    fields = "".join(f"{name}:{value}\r\n" for name, value in lines)
    return f"GET / HTTP/1.1\r\n{fields}\r\n".encode("latin-1")


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=6))
@example([("Host", "a"), ("HOST", "a")])
@example([("Content-Type", "a"), ("Accept", "b"), ("content-type", "a")])
@example([("Expect", "100-continue")])
@example([("X-A", "v\r\n folded")])
@example([("X-A ", "v")])
def test_headers_come_out_as_gunicorn_reads_them(lines: list[tuple[str, str]]) -> None:
    head = head_of(lines)

    assert outcome(BoundedRequest, head, configured()) == outcome(Request, head, configured())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60).filter(lambda data: b"\r\n\r\n" not in data))
def test_bytes_of_any_kind_come_out_as_gunicorn_reads_them(data: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + data + b"\r\n\r\n"

    assert outcome(BoundedRequest, head, configured()) == outcome(Request, head, configured())


@settings(max_examples=600, deadline=None)
@given(
    method=st.one_of(
        st.just("GET"), st.sampled_from(["POST", "get", "GE", "CONNECT", "OPTIONS", "A" * 20, "A" * 21, "G#T", ""])
    ),
    target=st.one_of(
        st.text(st.sampled_from("/?#*:@%2f.ab "), max_size=12).map(lambda text: "/" + text),
        st.text(st.sampled_from("/?#*:@%2f.ab "), max_size=12),
        st.text(st.characters(codec="latin-1"), max_size=8).map(lambda text: "/" + text),
        st.sampled_from(["http://a/b?c#d", "a:80", "//a/b", "/a;b?c=d?e", "/?", "/[", "/a//b"]),
    ),
    version=st.just("HTTP/1.1") | st.sampled_from(["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", ""]),
    after=st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"\r\n\r\n"]),
)
@example("GET", "/a#b?c", "HTTP/1.1", b"")
@example("GET", "//a", "HTTP/1.1", b"")
@example("GET", "/a\x7f", "HTTP/1.1", b"")
@example("GE", "/a", "HTTP/1.1", b"")
@example("A" * 21, "/a", "HTTP/1.1", b"")
@example("CONNECT", "/a", "HTTP/1.1", b"")
def test_request_lines_come_out_as_gunicorn_reads_them(method: str, target: str, version: str, after: bytes) -> None:
    head = f"{method} {target} {version}\r\nHost: a\r\n\r\n".encode("latin-1") + after

    assert outcome(BoundedRequest, head, configured()) == outcome(Request, head, configured())


@pytest.mark.parametrize("size", [63, 64, 65])
def test_the_bound_on_the_request_line_is_gunicorns(size: int) -> None:
    config = configured(limit_request_line=64)
    head = f"GET /{'a' * (size - 14)} HTTP/1.1\r\nHost: a\r\n\r\n".encode()

    assert outcome(BoundedRequest, head, config) == outcome(Request, head, config)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_bound_on_the_number_of_headers_is_gunicorns(count: int) -> None:
    config = configured(limit_request_fields=3)
    head = head_of([(f"X-{number}", "v") for number in range(count)])

    assert outcome(BoundedRequest, head, config) == outcome(Request, head, config)


@pytest.mark.parametrize("size", [95, 96, 97, 98])
def test_the_bound_on_a_header_is_gunicorns(size: int) -> None:
    config = configured(limit_request_field_size=100)
    head = head_of([("X", "v" * size)])

    assert outcome(BoundedRequest, head, config) == outcome(Request, head, config)


def test_a_header_that_tells_the_scheme_is_believed_as_gunicorn_does() -> None:
    config = configured(secure_scheme_headers={"X-FORWARDED-PROTO": "https"}, forwarded_allow_ips="*")
    head = head_of([("X-Forwarded-Proto", "https")])

    assert outcome(BoundedRequest, head, config)[2] == "https"


@pytest.mark.parametrize(("size", "refused"), [(65_000, False), (66_000, True)])
def test_all_headers_together_are_bounded(size: int, *, refused: bool) -> None:
    lines = [(f"X-{number}", "v" * 8_000) for number in range(8)]
    lines.append(("X-Last", "v" * (size - 8 * 8_007)))
    pieces = [head_of(lines)[start : start + 4_096] for start in range(0, size + 4_096, 4_096)]
    config = configured(limit_request_field_size=16_384)

    def read() -> None:
        BoundedRequest(config, IterUnreader([piece for piece in pieces if piece]), ADDRESS)

    if refused:
        with pytest.raises(ParseException):
            read()
    else:
        read()
