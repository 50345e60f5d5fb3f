"""Which credential counts: the first header present, well-formed or not."""

import itertools

import pytest

from app.core.credentials import PresentedCredential, Scope, present, scope
from app.core.errors import Unauthenticated

KEY = "sk-team-0123456789abcdef"
# in their order of precedence
KEY_HEADERS = ("litellm-user-api-key", "x-litellm-api-key", "authorization", "x-api-key", "api-key")
SPELT = {"litellm-user-api-key": "litellm_user_api_key", "authorization": "Authorization"}
SIGNED = "Authorization (AWS4-HMAC-SHA256)"
BOTO3 = "content-type;host;x-amz-date"
JS = (
    "amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;"
    "x-amz-content-sha256;x-amz-date;x-amz-user-agent"
)


def sigv4(access_key_id: str = KEY, rest: str = "20261122/us-east-1/bedrock/aws4_request", headers: str = BOTO3) -> str:
    return f"AWS4-HMAC-SHA256 Credential={access_key_id}/{rest}, SignedHeaders={headers}, Signature={'0f' * 32}"


def well_formed(header: str, key: str) -> dict[str, str]:
    return {header: f"Bearer {key}" if header == "authorization" else key}


def refusal(headers: dict[str, str]) -> str:
    with pytest.raises(Unauthenticated) as caught:
        present(headers)
    return caught.value.message


REAL_CLIENTS = [
    ("curl, openai, litellm, langchain", {"authorization": f"Bearer {KEY}"}, "Authorization"),
    (
        "boto3 with a Bedrock API key",
        {"authorization": f"Bearer {KEY}", "accept-encoding": "identity"},
        "Authorization",
    ),
    ("boto3 with keys", {"authorization": sigv4(), "x-amz-date": "20261122T010203Z"}, SIGNED),
    ("boto3 for agentcore", {"authorization": sigv4(rest="20261122/eu-west-1/bedrock-agentcore/aws4_request")}, SIGNED),
    ("AWS's JavaScript SDK", {"authorization": sigv4(headers=JS), "x-amz-content-sha256": "0f" * 32}, SIGNED),
    ("without blanks after the commas", {"authorization": sigv4().replace(", ", ",")}, SIGNED),
    ("anthropic", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}, "x-api-key"),
    ("anthropic's hooks on boto3", {"x-api-key": KEY, "authorization": sigv4("AKIADUMMY")}, "x-api-key"),
    ("Azure-shaped", {"api-key": KEY}, "api-key"),
    ("the page", {"litellm-user-api-key": KEY, "authorization": sigv4("dummy")}, "litellm_user_api_key"),
    ("the page, Bearer", {"litellm-user-api-key": f"Bearer {KEY}"}, "litellm_user_api_key"),
    ("LiteLLM's clients", {"x-litellm-api-key": f"Bearer {KEY}", "authorization": "Bearer other"}, "x-litellm-api-key"),
]


@pytest.mark.parametrize(("headers", "header"), [row[1:] for row in REAL_CLIENTS], ids=[row[0] for row in REAL_CLIENTS])
def test_the_key_of_every_real_client_is_found(headers: dict[str, str], header: str) -> None:
    assert present(headers) == PresentedCredential(header, KEY)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(KEY_HEADERS, 2)))
def test_the_first_header_in_order_counts(first: str, second: str) -> None:
    headers = well_formed(second, "sk-second") | well_formed(first, "sk-first")

    assert present(headers) == PresentedCredential(SPELT.get(first, first), "sk-first")


@pytest.mark.parametrize("header", [name for name in KEY_HEADERS if name != "authorization"])
def test_a_signature_counts_only_without_any_other_key(header: str) -> None:
    assert present({"authorization": sigv4("AKIADUMMY"), header: KEY}).header == SPELT.get(header, header)


@pytest.mark.parametrize("header", KEY_HEADERS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_case_of_the_scheme_does_not_count(header: str, scheme: str) -> None:
    assert present({header: f"{scheme} {KEY}"}).secret == KEY


@pytest.mark.parametrize("header", KEY_HEADERS)
@pytest.mark.parametrize("value", [f"Bearer   {KEY}", f"Bearer\t{KEY}", f"Bearer {KEY} ", f"Bearer \t{KEY}\t "])
def test_blanks_around_a_bearer_key_do_not_count(header: str, value: str) -> None:
    assert present({header: value}).secret == KEY


MALFORMED = [
    *("", " ", "Bearer ", "Bearer  ", f"{KEY},{KEY}", f"{KEY}, {KEY}", f"Bearer {KEY},Bearer {KEY}"),
    *(f"Bearer {KEY}, {sigv4()}", f"{KEY} {KEY}", f"Bearer Bearer {KEY}", f'"{KEY}"', f'Bearer "{KEY}"', "sk-é"),
    *("sk-\x00", "sk-\x7f", f"Basic {KEY}", f"Basic {KEY}==", f"Digest username={KEY}, realm=x", f"{KEY}\t{KEY}"),
]


@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize("header", KEY_HEADERS)
def test_a_malformed_first_header_never_falls_through(header: str, value: str) -> None:
    later = KEY_HEADERS[KEY_HEADERS.index(header) + 1 :]
    headers = {header: value} | {name: text for other in later for name, text in well_formed(other, KEY).items()}

    message = refusal(headers)

    assert SPELT.get(header, header) in message


@pytest.mark.parametrize("header", [name for name in KEY_HEADERS if name != "authorization"])
@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_key_never_falls_through_to_a_signature(header: str, value: str) -> None:
    refusal({header: value, "authorization": sigv4()})


@pytest.mark.parametrize("header", [name for name in KEY_HEADERS if name != "authorization"])
def test_a_signature_in_the_header_of_a_key_is_malformed(header: str) -> None:
    refusal({header: sigv4(), "authorization": sigv4()})


@pytest.mark.parametrize(
    "value",
    [
        *(KEY, "Bearer", f"Token {KEY}", "Basic dXNlcjpwYXNz", "Negotiate YII=", f"Bearer{KEY}", f" Bearer {KEY}"),
        *(sigv4().lower(), "AWS4-ECDSA-P256-SHA256 Credential=x", f"AWS AKID:{KEY}", f"x{sigv4()}"),
    ],
)
def test_an_authorization_of_another_scheme_is_refused_before_any_later_header(value: str) -> None:
    assert "neither" in refusal({"authorization": value, "x-api-key": KEY})


@pytest.mark.parametrize("length", [1, 511, 512])
def test_a_key_may_be_as_long_as_512_characters(length: int) -> None:
    assert present({"x-api-key": "k" * length}).secret == "k" * length


def test_a_key_of_more_than_512_characters_is_refused() -> None:
    refusal({"x-api-key": "k" * 513})


def test_a_key_may_hold_all_visible_ascii_but_comma_and_quote() -> None:
    visible = "".join(map(chr, range(0x21, 0x7F))).replace(",", "").replace('"', "")

    assert present({"x-api-key": visible}).secret == visible


@pytest.mark.parametrize(
    "headers", [{}, {"cookie": KEY}, {"proxy-authorization": f"Bearer {KEY}"}, {"x-amz-date": "x"}]
)
def test_without_a_credential_the_message_says_how_to_send_one(headers: dict[str, str]) -> None:
    assert refusal(headers).startswith("No credential. Send your key as Authorization: Bearer")


@pytest.mark.parametrize(
    "value",
    [
        *(
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 ",
            "AWS4-HMAC-SHA256-EXTRA Credential=x",
            "AWS4-HMAC-SHA256Credential=x",
        ),
        *("AWS4-HMAC-SHA256,AWS4-HMAC-SHA256", f"AWS4-HMAC-SHA256 {KEY}", f"AWS4-HMAC-SHA256\t{sigv4()[17:]}"),
        *(f"{sigv4()},", f"{sigv4()}, {sigv4()}", f"{sigv4()}, Credential=a", f"{sigv4()}, Signature=00"),
        *(f"{sigv4()}, Extra=1", f"{sigv4()}, Bearer {KEY}", sigv4().replace("Signature=", "signature=")),
        *(sigv4().replace("SignedHeaders=", ""), sigv4().partition(", Sign")[0], sigv4().rpartition(", ")[0]),
        sigv4().replace("Credential=", "Kredential="),
    ],
)
def test_a_signature_without_its_three_parts_once_each_is_refused(value: str) -> None:
    assert "once each" in refusal({"authorization": value})


@pytest.mark.parametrize(
    "credential",
    [
        *("", KEY, f"{KEY}/20261122/us-east-1/bedrock", f"{KEY}/20261122/us-east-1/bedrock/aws4_request/"),
        *(f"{KEY}/2026112/us-east-1/bedrock/aws4_request", f"{KEY}/202611222/us-east-1/bedrock/aws4_request"),
        *(f"{KEY}/20261122/US-EAST-1/bedrock/aws4_request", f"{KEY}/20261122//bedrock/aws4_request"),
        *(f"{KEY}/20261122/us_east/bedrock/aws4_request", f"{KEY}/20261122/us-east-1/Bedrock/aws4_request"),
        *(f"{KEY}/20261122/us-east-1//aws4_request", f"{KEY}/20261122/us-east-1/bedrock/aws4_REQUEST"),
        *(f"{KEY}/20261122/us-east-1/bedrock/aws5_request", f"{KEY}/date/us-east-1/bedrock/aws4_request"),
        *(f"{KEY}/20261122/{'a' * 41}/bedrock/aws4_request", f"{KEY}/20261122/us-east-1/{'a' * 61}/aws4_request"),
        *("/20261122/us-east-1/bedrock/aws4_request", "a b/20261122/us-east-1/bedrock/aws4_request"),
        *("é/20261122/us-east-1/bedrock/aws4_request", f"{'k' * 513}/20261122/us-east-1/bedrock/aws4_request"),
    ],
)
def test_a_bad_credential_scope_is_refused(credential: str) -> None:
    header = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00"

    assert "is not <key>/<date>/<region>/<service>/aws4_request" in refusal({"authorization": header})


@pytest.mark.parametrize("key", ["a/b", "a/b/c/d/e", "/", "a/20261122/us-east-1/bedrock/aws4_request", "a=b", "a==/b"])
def test_a_key_with_slashes_is_read_from_the_right(key: str) -> None:
    assert present({"authorization": sigv4(key)}).secret == key


def test_the_scope_is_what_the_signature_was_made_for() -> None:
    header = sigv4(rest="20261122/ap-northeast-1/bedrock-agentcore/aws4_request")

    assert scope({"authorization": header}) == Scope("20261122", "ap-northeast-1", "bedrock-agentcore")


def test_the_scope_is_read_whoever_the_caller_is() -> None:
    found = scope({"authorization": sigv4("AKIADUMMY"), "x-api-key": KEY})

    assert found == Scope("20261122", "us-east-1", "bedrock")


@pytest.mark.parametrize("value", ["", f"Bearer {KEY}", "AWS4-HMAC-SHA256", sigv4(rest="x"), f"{sigv4()}, {sigv4()}"])
def test_without_a_well_formed_signature_there_is_no_scope(value: str) -> None:
    assert scope({"authorization": value}) is None
    assert scope({}) is None


@pytest.mark.parametrize("header", [*KEY_HEADERS, "signature"])
def test_a_secret_is_absent_from_every_text_of_its_credential(header: str) -> None:
    headers = {"authorization": sigv4()} if header == "signature" else well_formed(header, KEY)
    credential = present(headers)

    assert KEY not in f"{credential} {credential!r}"


@pytest.mark.parametrize(
    "value", [f"{KEY},{KEY}", f"Bearer {KEY} {KEY}", f"Basic {KEY}", sigv4(rest="x"), f"{sigv4()},"]
)
@pytest.mark.parametrize("header", KEY_HEADERS)
def test_a_refusal_never_repeats_what_it_refuses(header: str, value: str) -> None:
    message = refusal({header: value})

    assert KEY not in message
    assert "0f0f" not in message
