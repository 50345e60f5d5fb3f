"""What a request target may say, and what every spelling of it becomes."""

from urllib.parse import unquote

import pytest

from app.core.errors import MalformedRequest
from app.core.targets import Target, parse

SERVICES = frozenset("bedrock bedrock-runtime bedrock-agent-runtime bedrock-mantle".split())


def parsed(raw: str) -> Target:
    return parse(raw, SERVICES)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("/model/amazon.nova-v1:0/converse", "/model/amazon.nova-v1%3A0/converse"),
        ("/model/amazon.nova-v1%3a0/converse", "/model/amazon.nova-v1%3A0/converse"),
        ("/model/%61mazon%2Enova/converse", "/model/amazon.nova/converse"),
        ("/model/arn:aws:x%2Fabc/converse", "/model/arn%3Aaws%3Ax%2Fabc/converse"),
        ("/model/a%7Eb~c/converse", "/model/a~b~c/converse"),
        ("/model/a+b/converse", "/model/a%2Bb/converse"),
        ("/model/a;b=c,d@e!f$g&h'i(j)k*/converse", "/model/a%3Bb%3Dc%2Cd%40e%21f%24g%26h%27i%28j%29k%2A/converse"),
        ('/model/[a]{b}|c^d`e<f>"g/converse', "/model/%5Ba%5D%7Bb%7D%7Cc%5Ed%60e%3Cf%3E%22g/converse"),
        ("/agents/ABC/", "/agents/ABC/"),
        ("/agents/ABC", "/agents/ABC"),
        ("/Agents/abc", "/Agents/abc"),
    ],
)
def test_every_spelling_of_a_path_becomes_the_same_one(sent: str, canonical: str) -> None:
    assert parsed("/bedrock" + sent).path == canonical


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("", ""),
        ("?", ""),
        ("?&", ""),
        ("?a", "a="),
        ("?=", "="),
        ("?=b", "=b"),
        ("?&a=1&&b=2&", "a=1&b=2"),
        ("?a=1&a=1", "a=1&a=1"),
        ("?b=2&a=1", "b=2&a=1"),
        ("?a=b+c", "a=b%20c"),
        ("?a=b%20c", "a=b%20c"),
        ("?a+b=c%2Bd", "a%20b=c%2Bd"),
        ("?token=AA==", "token=AA%3D%3D"),
        ("?a=b;c=d", "a=b%3Bc%3Dd"),
        ("?a=b?c/d:e@f", "a=b%3Fc%2Fd%3Ae%40f"),
        ("?a=..%2F..", "a=..%2F.."),
        ("?a=%c3%a9%7e", "a=%C3%A9~"),
        ("?a=%2526", "a=%2526"),
    ],
)
def test_every_spelling_of_a_query_becomes_the_same_one(sent: str, canonical: str) -> None:
    assert parsed("/bedrock/x" + sent).query == canonical


def test_path_and_query_has_a_question_mark_only_where_there_is_a_query() -> None:
    assert parsed("/bedrock/x?a=b").path_and_query == "/x?a=b"
    assert parsed("/bedrock/x?").path_and_query == "/x"


DOTS = [
    ".",
    "..",
    "..;",
    "..%3B",
    "..;a=b",
    "%2e",
    "%2E",
    "%2e%2E",
    ".%2e",
    "%2E.",
    "%252e%252e",
    "%252E.",
    "%25252e%25252E",
    "%2525252e",
]


@pytest.mark.parametrize("dots", DOTS)
@pytest.mark.parametrize("around", ["{}", "{}/", "{}/x", "x/{}", "x/{}/y", "us-east-1/{}/x", "model/{}/converse"])
def test_a_dot_segment_is_refused_in_every_encoding(dots: str, around: str) -> None:
    with pytest.raises(MalformedRequest, match="dot segment"):
        parsed("/bedrock/" + around.format(dots))


@pytest.mark.parametrize("slash", ["%2f", "%2F", "%252F", "%25252f"])
@pytest.mark.parametrize("dots", DOTS)
def test_a_dot_segment_inside_a_label_is_refused(dots: str, slash: str) -> None:
    for label in (f"arn%3Aaws%3A{slash}{dots}{slash}x", f"x{slash}{dots}", f"{dots}{slash}x"):
        with pytest.raises(MalformedRequest, match="dot segment"):
            parsed(f"/bedrock/model/{label}/converse")


@pytest.mark.parametrize("backslash", ["%5c", "%5C", "%255c", "%25255C"])
def test_a_backslash_is_refused_in_every_encoding(backslash: str) -> None:
    for path in (f"a{backslash}b", f"..{backslash}x", f"a{backslash}..%2Fx", backslash):
        with pytest.raises(MalformedRequest, match=r"backslash|dot segment"):
            parsed(f"/bedrock/model/{path}/converse")


@pytest.mark.parametrize("code", [*range(0x20), 0x7F])
def test_a_control_character_is_refused_in_every_encoding(code: int) -> None:
    for spelt in (chr(code), f"%{code:02x}", f"%25{code:02X}", f"%2525{code:02X}"):
        with pytest.raises(MalformedRequest):
            parsed(f"/bedrock/model/a{spelt}b/converse")


@pytest.mark.parametrize("code", [*range(0x20), 0x7F])
def test_a_control_character_in_the_query_is_refused(code: int) -> None:
    for pair in (f"a=b%{code:02x}", f"a%{code:02X}=b", f"a={chr(code)}"):
        with pytest.raises(MalformedRequest):
            parsed(f"/bedrock/x?{pair}")


@pytest.mark.parametrize("path", ["/", "/x", "x//y", "x//", "model//converse", "us-east-1//x", "us-east-1//"])
def test_an_empty_segment_is_refused(path: str) -> None:
    with pytest.raises(MalformedRequest, match="empty segment"):
        parsed("/bedrock/" + path)


@pytest.mark.parametrize(
    "raw", ["#", "x#y", "x?a#b", "x\\y", "x?a\\b", "x y", "é", "x?é", "\x85", "\xa0", "日", "\x7f"]
)
def test_a_character_that_no_url_may_carry_is_refused(raw: str) -> None:
    with pytest.raises(MalformedRequest, match="no URL may carry"):
        parsed("/bedrock/" + raw)


@pytest.mark.parametrize("escape", ["%", "%z", "%zz", "%4", "%4g", "%g4", "%%41", "%u0041", "%-1", "%+1"])
@pytest.mark.parametrize("around", ["{}", "x{}", "x/{}", "x?{}", "x?a={}"])
def test_a_bad_escape_is_refused(escape: str, around: str) -> None:
    with pytest.raises(MalformedRequest, match="hexadecimal digits"):
        parsed("/bedrock/" + around.format(escape))


@pytest.mark.parametrize("escapes", ["%ff", "%C3%28", "%c0%ae", "%e0%80%ae", "%ed%a0%80", "%f4%90%80%80", "%80"])
@pytest.mark.parametrize("around", ["x/{}", "x?{}", "x?a={}"])
def test_escapes_that_are_not_utf_8_are_refused(escapes: str, around: str) -> None:
    with pytest.raises(MalformedRequest, match="not UTF-8"):
        parsed("/bedrock/" + around.format(escapes))


@pytest.mark.parametrize("raw", ["", "*", "bedrock/x", "http://evil/bedrock/x", "HTTPS://evil/bedrock/x", "evil:443"])
def test_a_target_that_is_no_path_is_refused(raw: str) -> None:
    with pytest.raises(MalformedRequest, match="starts with /"):
        parsed(raw)


@pytest.mark.parametrize(
    "raw",
    [
        *(
            "/",
            "//",
            "/%62edrock/x",
            "//bedrock/x",
            "///bedrock/x",
            "/Bedrock/x",
            "/BEDROCK",
            "/bedrockx",
            "/bedrock-/x",
        ),
        *("/bedrock;a/x", "/bedrock%2Fx", "/bedrock%3Fx", "/bedroc/x", "/./bedrock/x", "/x/bedrock/y", "/bedrock:x"),
        *("/bedrock-runtime2/x", "/Bedrock-Runtime/x", "/bedrock%2Druntime/x", "/?bedrock", "//evil/bedrock/x"),
    ],
)
def test_only_a_literal_prefix_is_a_prefix(raw: str) -> None:
    with pytest.raises(MalformedRequest, match="must start with /bedrock/"):
        parsed(raw)


@pytest.mark.parametrize("raw", ["/bedrock", "/bedrock/", "/bedrock/us-east-1", "/bedrock/us-east-1/", "/bedrock?"])
def test_the_prefix_alone_is_the_root(raw: str) -> None:
    assert (parsed(raw).path, parsed(raw).segments) == ("/", ("",))


@pytest.mark.parametrize(
    ("raw", "service", "region", "path"),
    [
        ("/bedrock/model/x/converse", None, None, "/model/x/converse"),
        ("/bedrock/eu-west-1/model/x/converse", None, "eu-west-1", "/model/x/converse"),
        ("/bedrock-agent-runtime/flows/F", "bedrock-agent-runtime", None, "/flows/F"),
        ("/bedrock-mantle/us-gov-west-1/v1/models", "bedrock-mantle", "us-gov-west-1", "/v1/models"),
        ("/bedrock/eusc-de-east-1/x", None, "eusc-de-east-1", "/x"),
        ("/bedrock/us-isob-east-12/x", None, "us-isob-east-12", "/x"),
        ("/bedrock/x/eu-west-1/y", None, None, "/x/eu-west-1/y"),
        ("/bedrock/us-east-1/eu-west-1/y", None, "us-east-1", "/eu-west-1/y"),
    ],
)
def test_service_and_region_are_read_from_the_front(
    raw: str, service: str | None, region: str | None, path: str
) -> None:
    target = parsed(raw)

    assert (target.service, target.region, target.path) == (service, region, path)


@pytest.mark.parametrize(
    "segment", "us-east us-east-123 US-EAST-1 us-east-1x u-east-1 europe-west-1 us--1 us%2Deast-1".split()
)
def test_what_does_not_look_like_a_region_is_a_part_of_the_path(segment: str) -> None:
    target = parsed(f"/bedrock/{segment}/x")

    assert (target.region, target.segments) == (None, (unquote(segment), "x"))


@pytest.mark.parametrize("name", "Algorithm Credential Date Expires Security-Token Signature SignedHeaders".split())
def test_presigned_queries_are_refused_in_any_case_and_encoding(name: str) -> None:
    full = f"X-Amz-{name}"
    for spelt in (full, full.lower(), full.upper(), full.replace("-", "%2D"), f"%{ord('X'):02x}{full[1:]}"):
        for query in (f"{spelt}=1", f"a=b&{spelt}", f"&&{spelt}=&c=d"):
            with pytest.raises(MalformedRequest, match="Presigned"):
                parsed(f"/bedrock/x?{query}")


@pytest.mark.parametrize(
    "query", ["x-amz-user-agent=a", "a=X-Amz-Signature", "Signature=a", "x-amz-dates=1", "xamzdate=1"]
)
def test_a_query_that_only_resembles_a_presigned_one_passes(query: str) -> None:
    assert parsed(f"/bedrock/x?{query}").query == query


def nested(layers: int) -> str:
    """An escape within so many others: %41, %2541, %252541, ..."""
    return "%" + "25" * layers + "41"


@pytest.mark.parametrize("layers", [0, 1, 6, 7])
def test_a_label_may_hold_escapes_within_escapes(layers: int) -> None:
    assert parsed(f"/bedrock/{nested(layers)}").segments == (unquote(nested(layers)),)


@pytest.mark.parametrize("layers", [8, 9, 2000])
def test_escapes_within_escapes_have_a_bound(layers: int) -> None:
    with pytest.raises(MalformedRequest, match="beyond reason"):
        parsed(f"/bedrock/{nested(layers)}")
