"""AWS's price list is fetched from its public URLs, and where that cannot be, one line says so."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.core.errors import UpstreamUnreachable
from app.upstream import price_list
from app.upstream.price_list import OFFERS, PriceList


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/index.json"
        content = b'{"products": {}}' if found else b"not here"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_is_read(url: str) -> None:
    assert PriceList(None).fetch(f"{url}/index.json") == b'{"products": {}}'


def test_another_answer_than_the_file_is_told(url: str) -> None:
    with pytest.raises(UpstreamUnreachable, match=r"/nothing\.json answers 404: no price list was read"):
        PriceList(None).fetch(f"{url}/nothing.json")


def test_without_a_way_out_the_remedy_is_told() -> None:
    with pytest.raises(UpstreamUnreachable, match=r"could not be read .*name it by --from"):
        PriceList(None).fetch("http://127.0.0.1:1/index.json")


def test_what_is_longer_than_any_price_list_is_not_kept(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_list, "_LONGEST", 8)

    with pytest.raises(UpstreamUnreachable, match="longer than any price list"):
        PriceList(None).fetch(f"{url}/index.json")


def test_the_three_offers_are_awss() -> None:
    assert [url.split("/")[6] for url in OFFERS] == [
        "AmazonBedrock",
        "AmazonBedrockFoundationModels",
        "AmazonBedrockService",
    ]
    assert all(url.startswith("https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/") for url in OFFERS)
