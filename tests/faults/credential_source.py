"""Where a gateway gets AWS credentials that last seconds: an endpoint on loopback, as containers have one.

A process for `credential_process` that asks the same endpoint is the other way to it.
"""

import json
import shlex
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.standin_answers import default_answer
from tests.standin_messages import Recorded, Reply, aws_error

TOKEN = "session-token//of+the+tests=="
SECRET = "issued/secret+access/key/for/outcrop00000"
_ASKING = "import urllib.request as r; print(r.urlopen({url!r}, timeout=10).read().decode())"


class CredentialSource:
    """A context manager. `lasting`: seconds until credentials that are issued now expire."""

    def __init__(self, lasting: float) -> None:
        self._lasting = lasting
        self._expires: dict[str, float] = {}
        self._fails = False
        self._answering = threading.Event()
        self._answering.set()
        handler = type("Handler", (_Handler,), {"source": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/role"

    def __enter__(self) -> "CredentialSource":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._answering.set()
        self._server.shutdown()
        self._server.server_close()

    def as_container(self) -> Mapping[str, str]:
        """A gateway's environment."""
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url}

    def as_process(self, folder: Path) -> Mapping[str, str]:
        """The same, with a file of AWS's configuration in the folder."""
        command = shlex.join([sys.executable, "-c", _ASKING.format(url=self.url)])
        (config := folder / "config").write_text(f"[default]\ncredential_process = {command}\n")
        return {"AWS_CONFIG_FILE": str(config)}

    def stall(self) -> None:
        """Answer nobody from now on."""
        self._answering.clear()

    def fail(self) -> None:
        """Answer 500 from now on."""
        self._fails = True
        self._answering.set()

    def heal(self) -> None:
        """Issue credentials again."""
        self._fails = False
        self._answering.set()

    def wait_until_all_expired(self) -> None:
        """Whatever was issued."""
        time.sleep(max(0.0, max(self._expires.values()) - time.monotonic()))

    def verify(self, request: Recorded) -> Reply:
        """What AWS says to a call that is signed with credentials of now, and what to one with others."""
        used = request.verdict.access_key_id if request.verdict else ""
        if self._expires.get(used, 0.0) < time.monotonic():
            return aws_error(403, "ExpiredTokenException", "The security token included in the request is expired")
        return default_answer(request)

    def answer(self) -> tuple[int, dict[str, object]]:
        """To whoever asks for credentials."""
        self._answering.wait(30)
        if self._fails:
            return 500, {"message": "no credentials today"}
        access_key_id = f"ASIAISSUED{len(self._expires):010d}"
        self._expires[access_key_id] = time.monotonic() + self._lasting
        ends = datetime.now(UTC) + timedelta(seconds=self._lasting)
        tokens = {"Token": TOKEN, "SessionToken": TOKEN}  # as containers and processes call it
        issued = {"Version": 1, "AccessKeyId": access_key_id, "SecretAccessKey": SECRET, **tokens}
        return 200, {**issued, "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}


class _Handler(BaseHTTPRequestHandler):
    source: CredentialSource

    def do_GET(self) -> None:
        status, said = self.source.answer()
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
