"""A request's environ is the one that gunicorn would make, less what is left out on purpose."""

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.web.server_environ import base_environ, environ_of

LEFT_OUT = {"wsgi.file_wrapper", "wsgi.early_hints", "wsgi.multithread", "wsgi.errors"}
PEER, LISTENER = ("192.0.2.7", 4711), ("127.0.0.1", 4000)


def read(head: str, **values: object) -> tuple[Config, Request]:
    config = Config()
    for name, value in {"header_map": "dangerous", "forwarder_headers": "", **values}.items():
        config.set(name, value)
    return config, Request(config, IterUnreader([head.encode("latin-1")]), PEER)


def ours(head: str, peer: Any = PEER, listener: Any = LISTENER, **values: object) -> dict[str, Any]:
    config, request = read(head, **values)
    return environ_of(base_environ(config), request, "the connection", peer, listener)


def theirs(head: str, **values: object) -> dict[str, Any]:
    config, request = read(head, **values)
    _, environ = wsgi.create(request, "the connection", PEER, LISTENER, config)
    return dict(environ)


def comparable(environ: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in environ.items() if name not in {*LEFT_OUT, "wsgi.input"}}


@settings(max_examples=200, deadline=None)
@given(
    target=st.sampled_from(["/", "/a%2Fb%20c?d=%41&e", "/%e9%C3%A9", "//a", "/a?", "http://b/c?d", "/%zz"]),
    lines=st.lists(st.tuples(st.sampled_from(["Host", "X-A", "x-a", "Accept"]), st.sampled_from(["", "1", "é"]))),
    version=st.sampled_from(["1.0", "1.1"]),
)
@example("/", [("X-A", "1"), ("Accept", "2"), ("x-a", "3"), ("X-A", "")], "1.1")
def test_it_is_gunicorns(target: str, lines: list[tuple[str, str]], version: str) -> None:
    unique = [line for number, line in enumerate(lines) if line[0] != "Host" or "Host" not in dict(lines[:number])]
    head = f"POST {target} HTTP/{version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in unique) + "\r\n"

    assert comparable(ours(head)) == comparable(theirs(head))


@pytest.mark.parametrize("framing", ["Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", ""])
def test_the_body_is_framed_and_described_as_gunicorn_does(framing: str) -> None:
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n{framing}\r\n3\r\nabc\r\n0\r\n\r\n"

    assert comparable(ours(head)) == comparable(theirs(head))
    assert ours(head)["wsgi.input"].read() == theirs(head)["wsgi.input"].read()


def test_several_workers_are_told_of_each_other() -> None:
    assert [ours("GET / HTTP/1.1\r\n\r\n", workers=n)["wsgi.multiprocess"] for n in (1, 2)] == [False, True]


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "X_Forwarded_For", "CONTENT_LENGTH", "Content_Type"])
def test_names_with_an_underscore_never_reach_it(name: str) -> None:
    plain = ours("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")

    assert comparable(ours(f"GET /a HTTP/1.1\r\nHost: a\r\n{name}: /b\r\n\r\n")) == comparable(plain)


def test_but_for_the_one_in_which_litellms_callers_send_their_key() -> None:
    environ = ours("GET / HTTP/1.1\r\nlitellm_user_api_key: sk-1\r\n\r\n")

    assert environ["HTTP_LITELLM_USER_API_KEY"] == "sk-1"


@pytest.mark.parametrize("length", [64, 65, 4000])
def test_a_name_may_be_long(length: int) -> None:
    assert ours(f"GET / HTTP/1.1\r\n{'a' * length}: 1\r\n\r\n")["HTTP_" + "A" * length] == "1"


def test_a_proxy_that_says_for_whom_it_is_is_believed_where_gunicorn_believes_it() -> None:
    head = "PROXY TCP4 198.51.100.1 203.0.113.1 5000 443\r\nGET / HTTP/1.1\r\n\r\n"
    proxied: dict[str, Any] = {"proxy_protocol": True, "proxy_allow_ips": "*"}

    assert ours(head, **proxied)["REMOTE_ADDR"] == "198.51.100.1"
    assert comparable(ours(head, **proxied)) == comparable(theirs(head, **proxied))


@pytest.mark.parametrize("peer", ["", b""])
def test_behind_a_unix_socket_nobody_has_an_address(peer: str | bytes) -> None:
    environ = ours("GET / HTTP/1.1\r\n\r\n", peer=peer, listener="/run/outcrop.sock")

    assert (environ["REMOTE_ADDR"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("", "localhost", "")
