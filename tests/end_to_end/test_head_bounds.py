"""All headers of a request together are bounded, finished or not: the parser looks through them at every piece."""

from tests.end_to_end.streams import CONVERSE, converse_request
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.raw_client import exchange, raw_request


def _with_headers(size: int) -> bytes:
    headers = [("Authorization", f"Bearer {MASTER_KEY}"), *((f"X-A{n}", "a" * 8000) for n in range(size // 8000))]
    return raw_request("POST", CONVERSE, headers, b"{}")


def test_headers_of_48_kilobytes_pass(gateway: GatewayProcess) -> None:
    assert exchange(gateway.port, _with_headers(48_000)).status == 200


def test_headers_of_80_kilobytes_are_refused_and_the_worker_goes_on(gateway: GatewayProcess) -> None:
    assert exchange(gateway.port, _with_headers(80_000)).status == 431
    assert exchange(gateway.port, converse_request(CONVERSE)).status == 200


def test_headers_that_never_end_are_refused_too(gateway: GatewayProcess) -> None:
    endless = _with_headers(80_000).partition(b"\r\n\r\n")[0]

    assert exchange(gateway.port, endless).status == 431
