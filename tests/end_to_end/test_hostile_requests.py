"""Request lines and headers that mean harm: refused or neutralised, told to nobody, and the worker goes on."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.streams import CONVERSE, converse_request
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import RawConnection, RawReply, exchange, raw_request
from tests.standin_bedrock import StandinBedrock

Header = tuple[str, str]
KEY = ("litellm_user_api_key", MASTER_KEY)
PLANTED = "sk-" + "planted9Xv3Qp7Lm2Tz8Rk4Wd6"  # somebody's key in a place where no key belongs


class Attack:
    """Sends one request and then looks for harm."""

    def __init__(self, gateway: GatewayProcess, standin: StandinBedrock) -> None:
        self.gateway = gateway
        self.standin = standin

    def send(self, request: bytes, *, then_end: bool = False) -> RawReply:
        """The answer, once it is sure that no key was told and that the same worker goes on serving."""
        workers = self.gateway.worker_pids()
        with RawConnection(self.gateway.port, timeout=30) as connection:
            try:
                connection.send(request)
                if then_end:
                    connection.close_sending()
            except OSError:
                pass  # it was refused and closed before all of it was sent
            reply = connection.read_reply(request.partition(b" ")[0].decode("latin-1"))
        assert 200 <= reply.status < 600
        assert PLANTED.encode() not in reply.raw, "the answer repeats a key"
        assert MASTER_KEY.encode() not in reply.raw, "the answer repeats the master key"
        assert self.gateway.worker_pids() == workers
        assert exchange(self.gateway.port, converse_request(CONVERSE)).status == 200
        self.standin.requests.pop()  # the good request
        return reply


@pytest.fixture(scope="module")
def attacked_for_all(standin_for_all: StandinBedrock) -> Iterator[GatewayProcess]:
    """A gateway whose whole output is looked through in the end."""
    running = GatewayProcess(standin=standin_for_all)
    with running:
        yield running
    told = [line for line in [*running.stdout, *running.stderr] if PLANTED in line or MASTER_KEY in line]
    assert told == [], "keys were logged"


@pytest.fixture
def attack(attacked_for_all: GatewayProcess, standin: StandinBedrock) -> Attack:
    return Attack(attacked_for_all, standin)


def _call(*headers: Header, target: str = CONVERSE, method: str = "POST", host: str = "127.0.0.1") -> bytes:
    return raw_request(method, target, [KEY, *headers], b"{}", host=host)


TARGETS = """
    http://127.0.0.1/bedrock/model/x/converse  https://sts.amazonaws.com/bedrock/model/x/converse
    //bedrock/model/x/converse  ///bedrock/model/x/converse  /%62edrock/model/x/converse  /bedrock%2Fmodel/x/converse
    /bedrock//model/x/converse  /bedrock/model//converse  /bedrock/eu-west-1//model/x/converse
    /bedrock/../health/liveliness  /bedrock/./model/x/converse  /bedrock/model/../x/converse
    /bedrock/model/%2e%2e/converse  /bedrock/model/.%2E/converse  /bedrock/model/%252e%252e/converse
    /bedrock/model/%25252e%25252e/converse  /bedrock/model/a%2F..%2Fb/converse  /bedrock/model/a%2f%2e%2e%2fb/converse
    /bedrock/model/a%252F..%252Fb/converse  /bedrock/model/x/converse/..  /bedrock/model/x/converse/%2e
    /bedrock/us-east-1/../model/x/converse  /bedrock-agent/../bedrock/model/x/converse
    /bedrock/model/..\\x/converse  /bedrock/model/..%5Cx/converse  /bedrock/model/x%00/converse
    /bedrock/model/x%0d%0aX-Evil:1/converse  /bedrock/model/x%0A/converse  /bedrock/model/x%7f/converse
    /bedrock/model/x%zz/converse  /bedrock/model/x%/converse  /bedrock/model/%c0%ae%c0%ae/converse
    /bedrock/model/%ff/converse  /bedrock/model/x/converse#fragment  /bedrock/model/x/converse?a=%0d%0aX-Evil:1
    /bedrock/model/x/converse?X-Amz-Signature=00  /bedrock/model/x/converse?X-Amz-Algorithm=AWS4-HMAC-SHA256
    /bedrock/model/x/converse?x-amz-%63redential=a  /bedrock/model/x/converse?a=1&X%2DAmz-Security-Token=b
    /bedrock?X-Amz-Date=20260101T000000Z
""".split()


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_that_two_servers_could_read_differently_is_refused(attack: Attack, target: str) -> None:
    reply = attack.send(_call(target=target))

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (400, "ValidationException")
    assert attack.standin.requests == []


@pytest.mark.parametrize(
    "target", ["/BEDROCK/model/x/converse", "/bedrock;a/model/x", "/health/../bedrock/model/x/converse", "/bedrockx/y"]
)
def test_what_only_looks_like_the_prefix_is_not_found(attack: Attack, target: str) -> None:
    assert attack.send(_call(target=target)).status == 404
    assert attack.standin.requests == []


@pytest.mark.parametrize(
    "header",
    [
        ("X-Amz-Target", "AmazonBedrockControlPlane.DeleteGuardrail"),
        ("X-Amz-Target", ""),
        ("Content-Type", "application/x-amz-json-1.1"),
        ("Content-Type", "APPLICATION/X-AMZ-JSON-1.0; charset=utf-8"),
    ],
)
def test_a_header_that_chooses_another_operation_is_refused(attack: Attack, header: Header) -> None:
    reply = attack.send(_call(header))

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (400, "ValidationException")
    assert attack.standin.requests == []


# each with a value that must not arrive, under no name at all
NEUTRALISED = """
    X-HTTP-Method X-HTTP-Method-Override X-Method-Override X-Original-URL X-Original-URI X-Rewrite-URL
    Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-Anything X-Real-IP Via
    Cookie Proxy-Authorization Proxy-Connection TE Trailer Upgrade HTTP2-Settings Keep-Alive
    Date X-Amz-Date X-Amz-Security-Token X-Amz-Content-Sha256 amz-sdk-request amz-sdk-invocation-id
    X-LiteLLM-Call-Id x-litellm-tags x-outcrop-region x-outcrop-anything X-Goog-Api-Key Ocp-Apim-Subscription-Key
    SCRIPT_NAME PATH_INFO X_Forwarded_For X_Real_IP litellm_user-api_key litellm-user_api-key LITELLM_MASTER_KEY
    X_Amz_Target Content_Length Transfer_Encoding Content_Type RAW_URI REMOTE_ADDR HTTP_HOST wsgi_url_scheme _
""".split()


@pytest.mark.parametrize("name", NEUTRALISED)
def test_a_header_that_orders_a_server_about_does_not_arrive(attack: Attack, name: str) -> None:
    assert attack.send(_call((name, f"/health/{PLANTED}"))).status == 200

    [request] = attack.standin.requests
    names = [header.lower() for header, _ in request.headers]
    assert PLANTED.encode() not in request.raw
    assert name.lower() not in set(names) - {"x-amz-date", "x-amz-content-sha256"}
    assert len(names) == len(set(names))
    assert (request.service, request.target) == (
        "bedrock-runtime",
        CONVERSE.removeprefix("/bedrock").replace(":", "%3A"),
    )
    assert request.verdict is not None
    assert request.verdict.ok


@pytest.mark.parametrize("proto", ["http", "https", "ssl", "on"])
def test_headers_about_the_scheme_neither_arrive_nor_disturb(attack: Attack, proto: str) -> None:
    told = [("X-Forwarded-Proto", proto), ("X-Forwarded-Ssl", "off"), ("X-Forwarded-Protocol", "http")]

    assert attack.send(_call(*told)).status == 200
    assert b"forwarded" not in attack.standin.requests[0].raw.lower()


@pytest.mark.parametrize("named", ["X-Odd", "x-odd", "close, X-Odd", "X-Odd,a b", ",X-Odd,"])
def test_a_header_that_connection_names_ends_here(attack: Attack, named: str) -> None:
    assert attack.send(_call(("X-Odd", "1"), ("Connection", named))).status == 200
    assert attack.standin.requests[0].header("x-odd") is None


@pytest.mark.parametrize("named", ["X-Amzn-Bedrock-GuardrailIdentifier", "x-amzn-bedrock-guardrailidentifier, close"])
def test_connection_cannot_take_away_a_part_of_the_call(attack: Attack, named: str) -> None:
    reply = attack.send(_call(("X-Amzn-Bedrock-GuardrailIdentifier", "abcdefghij"), ("Connection", named)))

    assert (reply.status, reply.header("x-amzn-ErrorType")) == (400, "ValidationException")
    assert attack.standin.requests == []


@pytest.mark.parametrize("name", ["litellm_user_api_key", "Host", "Content-Length", "Content-Type", "Authorization"])
def test_connection_cannot_take_away_what_the_gateway_needs(attack: Attack, name: str) -> None:
    assert attack.send(_call(("Connection", name))).status == 200
    assert attack.standin.requests[0].body == b"{}"
    assert attack.standin.requests[0].header("authorization")


@pytest.mark.parametrize("value", ['"quoted', '"', "'", "a\\b", "a  b\tc", "%0d%0a", "\xe9\xff", "<script>", "{{7*7}}"])
def test_an_odd_header_value_arrives_as_it_was_sent(attack: Attack, value: str) -> None:
    assert attack.send(_call(("X-Odd", value))).status == 200
    assert attack.standin.requests[0].header("x-odd") == value


@pytest.mark.parametrize("name", ["X-Amzn-Bedrock-Trace", "X-Amz-Meta", "X-Amz-User-Agent"])
@pytest.mark.parametrize("value", ['"quoted', "'", "a  b\tc", "a\\b"])
def test_a_signed_header_of_odd_value_is_signed_right(attack: Attack, name: str, value: str) -> None:
    assert attack.send(_call((name, value))).status == 200
    assert attack.standin.requests[0].header(name) == value


def test_a_signed_header_beyond_ascii_is_refused(attack: Attack) -> None:
    assert attack.send(_call(("X-Amz-Meta", "\xe9"))).status == 400
    assert attack.standin.requests == []


HOSTS = ["", "[", "[::1", "a b", "\xe9.com", "x:abc", "x:99999", "a,b", "a/b", "@", "..", ".a", "a..b", "x" * 300, "%"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_none_is_refused_or_ignored(attack: Attack, host: str) -> None:
    reply = attack.send(_call(host=host))

    assert reply.status in {200, 400}
    assert all(request.header("host") != host for request in attack.standin.requests)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
def test_a_method_that_the_path_does_not_have_is_not_turned_into_one_that_it_has(attack: Attack, method: str) -> None:
    attack.send(_call(("X-HTTP-Method-Override", "POST"), method=method))

    assert [request.method for request in attack.standin.requests] == [method]


# What gunicorn refuses by itself, with a key in the part that it dislikes
UNREADABLE = {
    "a header without a colon": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {PLANTED}\r\n\r\n",
    "a header of spaces": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\n x-api-key: {PLANTED}\r\n\r\n",
    "a folded header": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\r\n {PLANTED}\r\n\r\n",
    "a header named as the key": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\n{PLANTED}@: x\r\n\r\n",
    "NUL in a header": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PLANTED}\0\r\n\r\n",
    "a control in a header": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PLANTED}\x07\r\n\r\n",
    "bare LF": f"POST {CONVERSE} HTTP/1.1\nHost: x\nAuthorization: Bearer {PLANTED}\n\n",
    "bare LF in a header": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nx-api-key: {PLANTED}\nX: y\r\n\r\n",
    "bare CR in a header": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nx-api-key: {PLANTED}\rX: y\r\n\r\n",
    "two hosts": f"POST {CONVERSE} HTTP/1.1\r\nHost: {PLANTED}\r\nHost: b\r\n\r\n",
    "a key for a request line": f"{PLANTED}\r\n\r\n",
    "a key for a method": f"{PLANTED} / HTTP/1.1\r\n\r\n",
    "a key for a version": f"GET / {PLANTED}\r\n\r\n",
    "a key in a target beyond ASCII": f"GET /bedrock/\xe9?key={PLANTED} HTTP/1.1\r\n\r\n",
    "a key in a relative target": f"GET {PLANTED} HTTP/1.1\r\n\r\n",
    "a key in Expect": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nExpect: {PLANTED}\r\n\r\n",
    "a key in Transfer-Encoding": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {PLANTED}\r\n\r\n",
    "a key in Content-Length": f"POST {CONVERSE} HTTP/1.1\r\nHost: x\r\nContent-Length: {PLANTED}\r\n\r\n",
    "9 KB of request line": f"POST {CONVERSE}?key={PLANTED}{'a' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "20 KB of header": f"POST {CONVERSE} HTTP/1.1\r\nx-api-key: {PLANTED}{'a' * 20_000}\r\n\r\n",
    "200 headers": f"POST {CONVERSE} HTTP/1.1\r\n" + f"x-api-key: {PLANTED}\r\n" * 200 + "\r\n",
    "100 KB of keys": PLANTED * 3500,
    "100 KB of garbage": bytes(range(256)).decode("latin-1") * 400,
    "HTTP/2": f"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{PLANTED}",
    "HTTP/3.0": f"GET /bedrock/?{PLANTED} HTTP/3.0\r\n\r\n",
    "the PROXY protocol": f"PROXY TCP4 127.0.0.1 127.0.0.1 1 {PLANTED}\r\nGET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("request_text", UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_cannot_be_read_is_refused_without_repeating_it(attack: Attack, request_text: str) -> None:
    before = len(attack.gateway.stderr)
    reply = attack.send(request_text.encode("latin-1"), then_end=True)

    assert reply.status in {400, 414, 417, 431, 501, 505}
    assert attack.standin.requests == []
    assert [line for line in attack.gateway.stderr[before:] if PLANTED in line] == []


def test_what_cannot_be_read_is_refused_in_a_shape_that_sdks_can_read(attack: Attack) -> None:
    reply = attack.send(_call(*[(f"X-{number}", "x") for number in range(200)]))

    assert reply.header("x-amzn-ErrorType") == "ValidationException"
