"""Answers are read alike in whatever pieces they come, and one that is cut or malformed never looks whole."""

from collections.abc import Iterator
from http.client import HTTPException

import pytest

from app.upstream.answer import Answer
from app.upstream.answer_head import MalformedAnswer
from tests.upstream.answers import CHUNKED, HEAD, SAMPLES, FakeWire, Read, Sample, read, read_by_http_client

EACH = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
CLOSED = pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES.values() if not sample.open_ended], ids=[*SAMPLES][:-1]
)
# what ends lines, sizes, names and values, or is nearly that
ODD = b"\r\n\t :;,0189afgACx+-_\x00\x7f\x85\xb2\xff"
KIB = 1024


def in_every_way(raw: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and in two pieces."""
    yield [raw]
    yield [raw[at : at + 1] for at in range(len(raw))]
    for at in range(1, len(raw)):
        yield [raw[:at], raw[at:]]


@EACH
def test_an_answer_is_what_http_client_reads(sample: Sample) -> None:
    """Status, reason, headers and body."""
    found = read(FakeWire([sample.raw]), sample.method)

    assert found == read_by_http_client(sample.raw, sample.method)
    assert found.body == sample.body


@EACH
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(sample: Sample) -> None:
    """And its connection goes where it should each time."""
    whole = read(FakeWire([sample.raw]), sample.method)
    for pieces in in_every_way(sample.raw):
        wire = FakeWire(pieces)

        assert read(wire, sample.method) == whole
        assert wire.ended == ("given back" if sample.reused else "closed")


@CLOSED
def test_what_comes_after_an_answer_costs_its_connection(sample: Sample) -> None:
    """It would be the beginning of the next one; none of it is handed out."""
    raw = sample.raw + b"HTTP/1.1 200 OK\r\n"
    for at in range(1, len(sample.raw)):
        wire = FakeWire([raw[:at], raw[at:]])

        assert read(wire, sample.method).body == sample.body
        assert wire.ended == "closed"


@CLOSED
@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_that_is_cut_anywhere_does_not_look_whole(sample: Sample, reset: bool) -> None:
    """By FIN and by RST, after each of its bytes."""
    for at in range(len(sample.raw)):
        for pieces in in_every_way(sample.raw[:at]):
            with pytest.raises(ConnectionResetError if reset else MalformedAnswer):
                read(FakeWire(pieces, reset=reset), sample.method)


@EACH
def test_what_is_changed_anywhere_is_refused_or_read_as_http_client_does(sample: Sample) -> None:
    """Each byte left out, doubled, and replaced: http.client may take what is refused here, and not the reverse."""
    for raw in changed(sample.raw):
        wire = FakeWire([raw])
        try:
            found = read(wire, sample.method)
        except MalformedAnswer:
            continue
        theirs = by_http_client(raw, sample.method)
        if theirs is not None or wire.ended == "given back":
            assert found == theirs, raw


def changed(raw: bytes) -> Iterator[bytes]:
    for at in range(len(raw)):
        yield raw[:at] + raw[at + 1 :]
        for odd in ODD:
            yield raw[:at] + bytes((odd,)) + raw[at + 1 :]
            yield raw[:at] + bytes((odd,)) + raw[at:]


def by_http_client(raw: bytes, method: str) -> Read | None:
    try:
        return read_by_http_client(raw, method)
    except (HTTPException, ValueError):
        return None


def test_all_chunks_that_came_together_are_one_piece() -> None:
    """A read for each would cost a busy worker more than it has."""
    answer = Answer(FakeWire([CHUNKED, b"1\r\na\r\n2\r\nbc\r\n3\r\nd", b"ef\r\n0\r\n\r\n"]), "POST")

    assert [answer.read(), answer.read(), answer.read(), answer.read()] == [b"abcd", b"ef", b"", b""]


def test_a_piece_does_not_wait_for_the_rest_of_its_chunk() -> None:
    """Nor for the line after it."""
    answer = Answer(FakeWire([CHUNKED + b"5\r\nab", b"cde", b"\r", b"\n1\r", b"\nf\r\n"]), "POST")

    assert [answer.read(), answer.read(), answer.read()] == [b"ab", b"cde", b"f"]


def test_a_body_that_came_with_its_head_needs_no_other_read() -> None:
    """Its connection is free before it is looked at."""
    wire = FakeWire([SAMPLES["one chunk"].raw])
    answer = Answer(wire, "POST")

    assert (wire.ended, answer.read(), answer.read()) == ("given back", b"{}", b"")


@pytest.mark.parametrize(
    "bad",
    [
        b"zz\r\n",
        b"\r\n",
        b"2\r\nabc\r\n",
        b"1\na\r\n0\r\n\r\n",
        b"1\r\na\n",
        b"0\r\n\n\r\n\r\n",
        b"0\r\nX Y: z\r\n\r\n",
    ],
)
def test_what_came_before_a_malformed_chunk_is_handed_out(bad: bytes) -> None:
    """Then it is a break, and nothing more is waited for."""
    wire = FakeWire([CHUNKED + b"4\r\nhalf\r\n" + bad, b"more"])
    answer = Answer(wire, "POST")

    assert answer.read().startswith(b"half")
    with pytest.raises(MalformedAnswer):
        answer.read()
    assert next(wire._left, None) == b"more"


MALFORMED = {
    "a coding before chunks": b"Transfer-Encoding: gzip, chunked",
    "a coding on a line before": b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "another coding": b"Transfer-Encoding: identity\r\nContent-Length: 2",
    "an empty coding": b"Transfer-Encoding:\r\nContent-Length: 2",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3",
    "the same length twice": b"Content-Length: 2\r\nContent-Length: 2",
    "a list of lengths": b"Content-Length: 2, 2",
    "a length with a sign": b"Content-Length: +2",
    "a negative length": b"Content-Length: -2",
    "a length that is no number": b"Content-Length: two",
    "a length of superscripts": b"Content-Length: \xb2",
    "no length": b"Content-Length:",
    "a folded line": b"X-A: b\r\n c\r\nContent-Length: 2",
    "a space before the colon": b"Content-Length : 2",
    "no colon": b"Content-Length 2",
    "no name": b": 2",
    "bare LF": b"X-A: b\nContent-Length: 2",
    "bare CR": b"X-A: b\rContent-Length: 2",
    "a control": b"X-A: \x00\r\nContent-Length: 2",
}


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED)
def test_a_head_that_can_be_read_in_two_ways_is_refused(header: bytes) -> None:
    """Guessing is how half an answer comes to look whole."""
    body = b"2\r\n{}\r\n0\r\n\r\n" if b"chunked" in header else b"{}"
    with pytest.raises(MalformedAnswer):
        read(FakeWire([HEAD + header + b"\r\n\r\n" + body]))


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("length", [b"two", b"-2", b"2, 2", b"\xb2", b"9" * 5000])
def test_a_length_that_is_none_is_refused_also_where_there_is_no_body(status: int, length: bytes) -> None:
    """The caller gets it too, and python reads no more than 4,300 digits."""
    with pytest.raises(MalformedAnswer):
        read(FakeWire([b"HTTP/1.1 %d None\r\nContent-Length: %b\r\n\r\n" % (status, length)]))


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2 200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 099 No",
        b"HTTP/1.1  200 OK",
        b"nonsense",
        b"",
        b"HTTP/1.1 200 O\x00K",
    ],
)
def test_a_status_line_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read(FakeWire([line + b"\r\nContent-Length: 2\r\n\r\n{}"]))


@pytest.mark.parametrize("status", [101, 102, 103])
def test_an_interim_answer_that_nobody_asked_for_is_refused(status: int) -> None:
    with pytest.raises(MalformedAnswer, match=str(status)):
        read(FakeWire([b"HTTP/1.1 %d Wait\r\n\r\n" % status + SAMPLES["a length"].raw]))


def test_as_many_headers_as_http_client_reads_are_read() -> None:
    """One more is refused."""
    lines = [b"X-%d: y\r\n" % number for number in range(99)]
    tail = b"Content-Length: 2\r\n\r\n{}"

    assert len(read(FakeWire([b"HTTP/1.1 200 OK\r\n", *lines, tail])).headers) == 100
    with pytest.raises(MalformedAnswer, match="100"):
        read(FakeWire([b"HTTP/1.1 200 OK\r\n", *lines, b"X: y\r\n", tail]))


@pytest.mark.parametrize("endless", [b"HTTP/1.1 200 OK\r\n", b"x", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_head_without_end_is_refused(endless: bytes) -> None:
    """Within 64 KiB and one read more."""
    wire = FakeWire([*[endless * (KIB // len(endless))] * 100])
    with pytest.raises(MalformedAnswer, match="head"):
        read(wire)

    assert next(wire._left, None)


# what comes before, how it begins, how it ends, what follows, and how long it may be
BOUNDED = {
    "head": (b"", HEAD + b"Content-Length: 0\r\nX-A: ", b"\r\n\r\n", b"", 64 * KIB + 4),
    "size line": (CHUNKED, b"0;", b"\r\n", b"\r\n", KIB),
    "trailer": (CHUNKED + b"0\r\n", b"X-A: ", b"\r\n\r\n", b"", 16 * KIB),
}


@pytest.mark.parametrize("part", BOUNDED)
def test_what_is_as_long_as_it_may_be_is_read_and_what_is_longer_refused_however_it_comes(part: str) -> None:
    """Found by fuzzing: a size line of 1,100 bytes was read where it came whole, and refused in two pieces."""
    before, begun, end, rest, most = BOUNDED[part]
    found = {}
    for size in (most, most + 1):
        raw = before + begun + b"x" * (size - len(begun) - len(end)) + end + rest
        cuts = [*range(1, len(raw), 997), *range(len(raw) - 8, len(raw))]
        found[size] = {_outcome([raw]), *(_outcome([raw[:at], raw[at:]]) for at in cuts)}

    assert found == {most: {"read"}, most + 1: {"refused"}}


def _outcome(pieces: list[bytes]) -> str:
    try:
        read(FakeWire(pieces))
    except MalformedAnswer:
        return "refused"
    return "read"


@pytest.mark.parametrize("begun", [b"9", b"1;", b"1;x=", b"0\r\nX-A: ", b"0\r\nX-A: b\r\nX-C:"])
def test_lines_between_chunks_have_an_end(begun: bytes) -> None:
    """Nothing grows for as long as AWS sends: not a size, an extension or a trailer."""
    wire = FakeWire([CHUNKED + begun, *[b"1" * KIB] * 100])
    with pytest.raises(MalformedAnswer, match="malformed"):
        read(wire)

    assert next(wire._left, None)


@pytest.mark.parametrize(
    ("raw", "ended"), [(CHUNKED + b"1\r\na\r\n", "closed"), (SAMPLES["a length"].raw, "given back")]
)
def test_closing_costs_the_connection_of_an_answer_that_is_not_read_whole(raw: bytes, ended: str) -> None:
    """Once, and never one that was given back."""
    answer = Answer(wire := FakeWire([raw]), "POST")
    answer.read()
    answer.close()
    answer.close()

    assert wire.ended == ended
