"""Without a strong master key the gateway serves this machine only, however a request got here."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.streams import CONVERSE
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawConnection, RawReply, exchange, raw_request
from tests.standin_bedrock import StandinBedrock

Header = tuple[str, str]
ANY_KEY = ("Authorization", "Bearer anything-at-all")
WEAK_KEY = "sk-1234"
LISTENING = "0A"
LOOPBACK, EVERYWHERE = "0100007F", "00000000"  # as /proc/net/tcp writes 127.0.0.1 and 0.0.0.0


@pytest.fixture(scope="module")
def open_for_all(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    with GatewayProcess(env={"LITELLM_MASTER_KEY": None}, standin=standin_for_all) as running:
        yield running


@pytest.fixture(scope="module")
def weak(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    with GatewayProcess(env={"LITELLM_MASTER_KEY": WEAK_KEY}, standin=standin_for_all) as running:
        yield running


@pytest.fixture
def open_gateway(open_for_all: GatewayProcess, standin: StandinBedrock) -> GatewayProcess:
    """A gateway without a master key."""
    return open_for_all


@pytest.mark.parametrize(
    "header",
    [
        ANY_KEY,
        ("litellm_user_api_key", "sk-1"),
        ("x-api-key", "x"),
        ("api-key", "x"),
        ("x-litellm-api-key", "Bearer x"),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ],
)
def test_any_key_may_call_while_there_is_no_master_key(
    open_gateway: GatewayProcess, standin: StandinBedrock, header: Header
) -> None:
    assert _send(open_gateway, header).status == 200
    assert len(standin.requests) == 1


@pytest.mark.parametrize("headers", [[], [("Authorization", "Basic eDp5")], [("x-api-key", "")], [("Cookie", "a=b")]])
def test_a_call_without_a_key_is_refused_all_the_same(
    open_gateway: GatewayProcess, standin: StandinBedrock, headers: list[Header]
) -> None:
    assert _send(open_gateway, *headers).status == 401
    assert standin.requests == []


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:{port}", "localhost:{port}", "127.0.0.1", "127.8.9.1:{port}", "[::1]:{port}", "[::1]"],
)
def test_a_host_of_this_machine_is_served(open_gateway: GatewayProcess, host: str) -> None:
    assert _send(open_gateway, ANY_KEY, host=host.format(port=open_gateway.port)).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "0.0.0.0:{port}"])
def test_the_address_of_the_quick_start_is_served(open_gateway: GatewayProcess, host: str) -> None:
    assert _send(open_gateway, ANY_KEY, host=host.format(port=open_gateway.port)).status == 200


FOREIGN_HOSTS = """
    evil.example evil.example:{port} localhost.evil.example 127.0.0.1.evil.example localhost@evil.example 10.0.0.1
    192.0.2.1:{port} [::] [fd00::1]:{port} [::ffff:10.0.0.1] 2130706433 127.1 0x7f000001 0 localhost:x@evil [ @ , -
    169.254.169.254 localhost,evil.example http://localhost localhost\xe9
""".split()


@pytest.mark.parametrize("target", [CONVERSE, "/health/liveliness", "/nothing", "/"])
@pytest.mark.parametrize("host", [*FOREIGN_HOSTS, ""])
def test_a_foreign_host_is_refused_on_every_route(
    open_gateway: GatewayProcess, standin: StandinBedrock, host: str, target: str
) -> None:
    host = host.format(port=open_gateway.port)
    reply = exchange(open_gateway.port, raw_request("GET", target, [ANY_KEY], host=host))

    assert reply.status in {400, 403}
    assert standin.requests == []


def test_a_request_without_a_host_is_refused(open_gateway: GatewayProcess, standin: StandinBedrock) -> None:
    request = f"GET {CONVERSE} HTTP/1.0\r\nAuthorization: Bearer x\r\n\r\n".encode()

    assert exchange(open_gateway.port, request).status == 403
    assert standin.requests == []


@pytest.mark.parametrize("form", ["http://localhost/bedrock/model/x/converse", "http://evil.example/bedrock/model/x"])
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_an_absolute_target_does_not_stand_in_for_the_host(
    open_gateway: GatewayProcess, standin: StandinBedrock, form: str, host: str
) -> None:
    assert exchange(open_gateway.port, raw_request("POST", form, [ANY_KEY], b"{}", host=host)).status in {400, 403}
    assert standin.requests == []


PROXIED = [
    ("Origin", "http://evil.example"),
    ("Origin", "https://localhost.evil.example"),
    ("Origin", "null"),
    ("Origin", ""),
    ("Origin", "http://127.0.0.1@evil.example"),
    ("Origin", "file://"),
    ("Forwarded", "for=127.0.0.1"),
    ("Forwarded", ""),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-For", ""),
    ("X-Forwarded-Host", "localhost"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Anything", "x"),
    ("x-real-ip", "127.0.0.1"),
    ("Via", "1.1 proxy"),
]


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "FOO"])
@pytest.mark.parametrize("header", PROXIED, ids=[f"{name}: {value}" for name, value in PROXIED])
def test_a_call_of_a_page_or_through_a_proxy_is_refused(
    open_gateway: GatewayProcess, standin: StandinBedrock, header: Header, method: str
) -> None:
    reply = exchange(open_gateway.port, raw_request(method, CONVERSE, [ANY_KEY, header], b"{}"))

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (403, "AccessDeniedException")
    assert b"LITELLM_MASTER_KEY" in reply.body
    assert standin.requests == []


@pytest.mark.parametrize("header", PROXIED, ids=[f"{name}: {value}" for name, value in PROXIED])
def test_so_is_its_call_of_a_health_route(open_gateway: GatewayProcess, header: Header) -> None:
    assert exchange(open_gateway.port, raw_request("GET", "/health/readiness", [header])).status == 403


def test_a_page_of_this_machine_may_call(open_gateway: GatewayProcess) -> None:
    assert _send(open_gateway, ANY_KEY, ("Origin", "http://localhost:3000"), host="localhost").status == 200


def test_no_answer_lets_a_browser_read_it(open_gateway: GatewayProcess) -> None:
    preflight = [("Origin", "http://evil.example"), ("Access-Control-Request-Method", "POST")]
    reply = exchange(open_gateway.port, raw_request("OPTIONS", CONVERSE, preflight))

    assert not [name for name, _ in reply.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("which", ["open_for_all", "weak"])
def test_it_listens_on_loopback_alone(which: str, request: pytest.FixtureRequest) -> None:
    gateway: GatewayProcess = request.getfixturevalue(which)

    assert _listened_on(gateway.port) == {LOOPBACK}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", gateway.port), timeout=5)


def test_a_strong_key_listens_everywhere(gateway: GatewayProcess) -> None:
    assert _listened_on(gateway.port) == {EVERYWHERE}


def test_who_comes_from_another_address_is_refused_even_where_gunicorn_is_told_to_listen(
    standin: StandinBedrock,
) -> None:
    address = _other_address()
    if address is None:
        pytest.skip("this machine has loopback alone")
    gateway = GatewayProcess(env={"LITELLM_MASTER_KEY": None}, standin=standin)
    gateway.environment["GUNICORN_CMD_ARGS"] = f"--bind 0.0.0.0:{gateway.port}"
    with gateway, socket.create_connection((address, gateway.port), timeout=10) as connection:
        connection.sendall(raw_request("POST", CONVERSE, [ANY_KEY, ("Connection", "close")], b"{}", host="localhost"))
        head = connection.recv(65536)
    assert head.startswith(b"HTTP/1.1 403 ")
    assert standin.requests == []


@pytest.mark.parametrize(("key", "status"), [(WEAK_KEY, 200), ("sk-12345", 401), ("sk-123", 401), (MASTER_KEY, 401)])
def test_a_weak_key_is_a_key_on_this_machine(
    weak: GatewayProcess, standin: StandinBedrock, key: str, status: int
) -> None:
    assert _send(weak, ("Authorization", f"Bearer {key}")).status == status
    assert len(standin.requests) == (status == 200)


@pytest.mark.parametrize("header", PROXIED[::4], ids=[f"{name}: {value}" for name, value in PROXIED[::4]])
def test_a_weak_key_does_not_work_through_a_proxy(
    weak: GatewayProcess, standin: StandinBedrock, header: Header
) -> None:
    assert _send(weak, ("Authorization", f"Bearer {WEAK_KEY}"), header).status == 403
    assert standin.requests == []


def test_a_start_that_is_open_says_so(open_gateway: GatewayProcess, weak: GatewayProcess) -> None:
    open_gateway.wait_for_log(lambda line: "any key is accepted, from this machine" in line["message"], event="log")
    weak.wait_for_log(lambda line: "is weak" in line["message"], event="log")
    assert WEAK_KEY not in weak.output()


PLATFORMS = {"DYNO": "web.1", "RENDER": "true", "FLY_APP_NAME": "outcrop", "K_SERVICE": "outcrop"}


@pytest.mark.parametrize(("platform", "key"), [("DYNO", WEAK_KEY), *((name, None) for name in PLATFORMS)])
def test_on_a_platform_it_does_not_start_without_a_strong_key(platform: str, key: str | None) -> None:
    gateway = GatewayProcess(env={"LITELLM_MASTER_KEY": key, platform: PLATFORMS[platform]})
    started = time.monotonic()
    gateway.launch()

    assert gateway.wait_exit() != 0
    assert time.monotonic() - started < 15
    [line] = gateway.stderr
    assert "LITELLM_MASTER_KEY" in line
    assert "20 characters" in line
    assert WEAK_KEY not in line
    gateway.stop()


def _send(gateway: GatewayProcess, *headers: Header, host: str = "localhost") -> RawReply:
    with RawConnection(gateway.port) as connection:
        connection.send(raw_request("POST", CONVERSE, headers, b"{}", host=host))
        return connection.read_reply()


def _listened_on(port: int) -> set[str]:
    """The addresses on which somebody listens at that port, IPv6 too, as the kernel writes them."""
    tables = [Path(f"/proc/{os.getpid()}/net/{name}") for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    local = [row[1].split(":") for row in rows if row[3] == LISTENING]
    return {address for address, hexadecimal in local if int(hexadecimal, 16) == port}


def _other_address() -> str | None:
    """An address of this machine that is not loopback; connecting by UDP sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.254", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith("127.") else address
