"""The parser of credentials, and of the signatures of issued pairs: the first header decides, nothing of it is
repeated, and no signature holds that was not made with the secret.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from app.core import credentials, signature
from app.core.credentials import HEADERS, PresentedCredential
from app.core.errors import SignatureWrong, Unauthenticated
from tests.fuzz.target import Target

_NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
_SECRET = "a secret that no signature of a seed was made with"
_NAMES = (*HEADERS, "host", "x-amz-date", "date", "x-amz-content-sha256", "x-amz-security-token", "content-type")
_WORD = re.compile(r"[!-~]{6,}")
# messages are made of what stands in these
_SOURCES = "".join(Path(str(module.__file__)).read_text() for module in (credentials, signature))


def _check(data: bytes) -> None:
    """Lines of a header's number and its value."""
    headers = _headers(data)
    credentials.scope(headers)
    try:
        found = credentials.present(headers)
    except Unauthenticated as error:
        _says_nothing(str(error), headers)
        return
    deciding = next((name for name in HEADERS if _counts(name, headers)), "authorization")
    assert deciding.replace("litellm-user-api-key", "litellm_user_api_key") in found.header.lower(), headers
    assert found.secret in headers[deciding], headers
    assert re.fullmatch(r'[^\x00-\x20",\x7f-\U0010ffff]{1,512}', found.secret), headers
    assert len(found.secret) < 6 or found.secret not in repr(found) or found.secret in _SOURCES, headers
    _check_signature(found, headers, data)


def _check_signature(found: PresentedCredential, headers: dict[str, str], body: bytes) -> None:
    if found.signature is None:
        return
    call = signature.SignedCall("POST", "/bedrock/model/x%3A0/converse?a=b+c&a=", headers, found.signature)
    try:
        call.check_head(_NOW)
        call.check_body(body, (_SECRET,))
    except SignatureWrong:
        return
    raise AssertionError(f"a signature held that nobody made: {headers}")


def _counts(name: str, headers: dict[str, str]) -> bool:
    return name in headers and not (name == "authorization" and headers[name].startswith("AWS4-HMAC-SHA256"))


def _says_nothing(message: str, headers: dict[str, str]) -> None:
    told = [word for value in headers.values() for word in _WORD.findall(value) if word in message]
    assert all(word in _SOURCES for word in told), (message, told)


def _headers(data: bytes) -> dict[str, str]:
    lines = [line for line in data.split(b"\n") if line]
    return {_NAMES[line[0] % len(_NAMES)]: line[1:].decode("latin-1").strip(" \t") for line in lines}


def _line(name: str, value: str) -> bytes:
    return bytes([_NAMES.index(name)]) + value.encode()


def _seeds() -> list[bytes]:
    scope = "20261126/us-east-1/bedrock/aws4_request"
    signed = (
        f"AWS4-HMAC-SHA256 Credential=AKIAOUTCROP0000000AB/{scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    )
    dated = (_line("host", "localhost:4000"), _line("x-amz-date", "20261126T100000Z"))
    return [
        *(_line(name, value) for name in HEADERS for value in ("sk-1234567890", "Bearer sk-1234567890")),
        b"\n".join((_line("authorization", signed), *dated)),
        b"\n".join((_line("authorization", signed), _line("x-amz-content-sha256", "0" * 64), *dated)),
        b"\n".join((_line("x-api-key", "a,b"), _line("authorization", "Basic QUFB"))),
        b"\n".join((_line("authorization", signed), _line("date", "Thu, 26 Nov 2026 10:00:00 GMT"), dated[0])),
    ]


TARGET = Target(
    "credentials",
    _seeds,
    _check,
    words=(
        *(b"AWS4-HMAC-SHA256 ", b"Credential=", b"SignedHeaders=", b"Signature=", b"/aws4_request", b"Bearer ", b", "),
        *(b"host;x-amz-date", b"\n\x06", b"\n\x02", b"20261126", b"T100000Z", b"0" * 64, b"x-amz-security-token", b":"),
    ),
    quick=3000,
)
