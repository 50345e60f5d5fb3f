"""The reader of AWS's HTTP: however an answer is cut it is read alike, and what is let pass http.client reads alike."""

from dataclasses import dataclass, field
from typing import Any

from app.upstream.answer import Answer
from app.upstream.answer_head import MalformedAnswer
from tests.fuzz.target import Target, pieces
from tests.upstream.answers import SAMPLES, read_by_http_client

_METHODS = ("POST", "GET", "HEAD")


@dataclass
class _Wire:
    """Hands out these pieces, and then its end."""

    left: list[bytes]
    given_back: bool = False
    closed: bool = False
    taken: list[bytes] = field(default_factory=list)

    def receive(self) -> bytes:
        assert not self.given_back, "an answer reads on a connection that it gave back"
        assert not self.closed, "an answer reads on a connection that it closed"
        self.taken.append(self.left.pop(0) if self.left else b"")
        return self.taken[-1]

    def give_back(self) -> None:
        self.given_back = True

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class _Read:
    """What an answer was read as; `whole`: to its end."""

    status: int
    reason: str
    headers: Any
    body: bytes
    whole: bool
    left: bytes


def _check(data: bytes) -> None:
    """The first two bytes say what was asked for, and how the answer is cut."""
    method, cut = _METHODS[(data[0] if data else 0) % len(_METHODS)], data[1] if len(data) > 1 else 0
    raw = data[2:]
    whole, split = _read([raw], method), _read(pieces(raw, cut), method)
    if whole is None or split is None:
        assert whole is split, raw
        return
    facts = [(one.status, one.reason, one.headers, one.whole) for one in (whole, split)]
    assert facts[0] == facts[1], (raw, facts)
    if whole.whole:
        assert whole.body == split.body, (raw, whole, split)
        _compare(raw, method, whole)


def _read(cut: list[bytes], method: str) -> _Read | None:
    """None where there is no head that can be read."""
    wire = _Wire([piece for piece in cut if piece])
    try:
        answer = Answer(wire, method)
    except MalformedAnswer:
        return None
    body, whole = bytearray(), True
    try:
        while piece := answer.read():
            body += piece
    except MalformedAnswer:
        whole = False
    assert not (wire.given_back and wire.closed)
    assert wire.given_back or wire.closed or not whole, "an answer that ended keeps its connection"
    assert not (wire.given_back and not whole), "an answer that broke gives its connection to the next call"
    answer.close()
    return _Read(answer.status, answer.reason, answer.headers, bytes(body), whole, b"".join(wire.left))


def _compare(raw: bytes, method: str, found: _Read) -> None:
    if method == "HEAD" or found.status in (204, 304):
        assert found.body == b"", raw  # http.client reads chunks also where there can be no body
        return
    standard = read_by_http_client(raw, method)
    assert (standard.status, standard.body) == (found.status, found.body), (raw, found)


def _seeds() -> list[bytes]:
    return [
        bytes([_METHODS.index(sample.method), cut]) + sample.raw for sample in SAMPLES.values() for cut in (0, 8, 200)
    ]


TARGET = Target(
    "upstream-answers",
    _seeds,
    _check,
    words=(
        *(b"\r\n", b"\r\n\r\n", b"HTTP/1.1 ", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        *(b"Connection: close\r\n", b"100 Continue", b"ffffffffffffffff", b"1;a=b\r\n", b" ", b"\t", b"\n\n", b"-1"),
    ),
    quick=3000,
)
