"""Bodies that decide something: read as AWS will read them, or refused."""

import sys

import pytest

from app.core.errors import MalformedRequest
from app.core.json_bodies import strict_object

SECRET = "what-was-said"


def refusal(body: bytes) -> str:
    with pytest.raises(MalformedRequest) as caught:
        strict_object(body)
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b"{}", {}),
        (b' \r\n\t{"model": "x"} \n', {"model": "x"}),
        ('{"text": "é日"}'.encode(), {"text": "é日"}),
        (b'{"text": "\\u00e9\\ud83d\\ude00"}', {"text": "é😀"}),
        (b'{"a": {"b": 1}, "b": [{"a": 1}, {"a": 2}]}', {"a": {"b": 1}, "b": [{"a": 1}, {"a": 2}]}),
        (b'{"a": 1, "A": 2}', {"a": 1, "A": 2}),
        (b'{"n": [0, -1, 1.5, 1e3, true, false, null]}', {"n": [0, -1, 1.5, 1000.0, True, False, None]}),
    ],
)
def test_an_object_is_read(body: bytes, content: dict[str, object]) -> None:
    assert strict_object(body) == content


def test_a_body_may_be_a_bytearray() -> None:
    assert strict_object(bytearray(b'{"model": "x"}')) == {"model": "x"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "a", "model": "b"}',
        b'{"model": "a", "model": "a"}',
        b'{"model": "a", "mod\\u0065l": "b"}',
        b'{"x": {"model": 1, "model": 2}}',
        b'{"x": [{"model": 1, "y": 0, "model": 2}]}',
        b'{"": 1, "": 2}',
    ],
)
def test_a_key_that_stands_twice_is_refused(body: bytes) -> None:
    assert "a key stands twice" in refusal(body)


@pytest.mark.parametrize("body", [b"[]", b"[{}]", b'"model"', b"1", b"true", b"null"])
def test_what_is_json_but_no_object_is_refused(body: bytes) -> None:
    assert "must be a JSON object" in refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"{", b"}", b"{}{}", b"{} x", b'{"a": 1,}', b"{'a': 1}", b"{a: 1}", b'{"a": 01}', b'{"a": +1}'),
        *(b'{"a": .5}', b'{"a": 0x1}', b'{"a": "\n"}', b'{"a": "\\x41"}', b"{} // c", b'{"a": 1}\x00', b"model=x"),
        *(b"\xef\xbb\xbf{}", b"\xc2\xa0{}", b'{"a": True}', b'{"a" "b"}', b'{"a":}', b'{"a": "\\u12"}'),
    ],
)
def test_what_is_no_json_is_refused_at_a_place(body: bytes) -> None:
    assert " at character " in refusal(body)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_another_encoding_than_utf_8_is_refused(encoding: str) -> None:
    refusal('{"model": "é"}'.encode(encoding))


@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"])
def test_bytes_that_are_not_utf_8_are_refused(raw: bytes) -> None:
    assert "not UTF-8 at byte 7" in refusal(b'{"a": "' + raw + b'"}')


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(name: str) -> None:
    assert f"{name} is not JSON" in refusal(f'{{"a": {name}}}'.encode())


@pytest.mark.parametrize("number", ["1e309", "-1e309", "1e999999"])
def test_a_number_beyond_every_float_is_refused_as_infinity_is(number: str) -> None:
    refusal(f'{{"a": {number}}}'.encode())


@pytest.mark.parametrize("digits", [sys.get_int_max_str_digits() + 1, 1_000_000])
def test_an_integer_of_too_many_digits_is_refused(digits: int) -> None:
    refusal(b'{"a": ' + b"9" * digits + b"}")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_body_nested_too_deeply_is_refused(opening: bytes) -> None:
    assert "nested too deeply" in refusal(b'{"a":' + opening * 90_000)


@pytest.mark.parametrize(
    "body",
    [
        f'{{"{SECRET}": 1, "{SECRET}": 2}}'.encode(),
        f'{{"a": "{SECRET}", }}'.encode(),
        f'{{"a": "{SECRET}\xff"}}'.encode("latin-1"),
        f'["{SECRET}"]'.encode(),
        f"{SECRET}".encode(),
    ],
)
def test_a_refusal_never_quotes_the_body(body: bytes) -> None:
    assert SECRET not in refusal(body)


@pytest.mark.parametrize(("part", "most"), [(b"[]", 100_000), (b"{}", 100_000), (b"1", 1_000_000)])
def test_a_body_of_too_many_parts_is_refused_before_it_is_parsed(part: bytes, most: int) -> None:
    fits = b'{"a":[' + b",".join([part] * (most - 2)) + b"]}"
    assert len(strict_object(fits)["a"]) == most - 2

    with pytest.raises(MalformedRequest, match="too many parts"):
        strict_object(b'{"a":[' + b",".join([part] * (most + 2)) + b"]}")
