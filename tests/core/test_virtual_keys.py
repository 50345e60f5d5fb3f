"""What a key's text may be, and what is kept of it."""

import secrets
from hashlib import sha256

import pytest

from app.core import virtual_keys
from app.core.credentials import present
from app.core.errors import InvalidField

TEXT = "sk-0123456789abc"


def test_a_new_key_has_at_least_128_random_bits() -> None:
    """Asked for in bytes."""
    asked: list[int] = []

    def random_text(size: int) -> str:
        asked.append(size)
        return "random"

    assert virtual_keys.new_text(random_text) == "sk-random"
    assert asked[0] * 8 >= 128


def test_a_new_key_is_a_key_every_header_can_carry() -> None:
    """As a bearer, and as the access key id of a signature."""
    text = virtual_keys.new_text(secrets.token_urlsafe)

    assert virtual_keys.is_text(text)
    assert present({"authorization": f"Bearer {text}"}).secret == text


@pytest.mark.parametrize("text", [TEXT, TEXT + "d", "sk-" + "x" * 509, "sk-" + "!#$%&'()*+.:;<>?@[]^_`{|}~-\\"])
def test_an_administrator_may_choose_a_text(text: str) -> None:
    assert virtual_keys.check_chosen(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "sk-", TEXT[:-1], "sk-" + "x" * 510, "pk-0123456789abcdef", "SK-0123456789abcdef", "0123456789abcdefgh"),
        *(f"sk-0123456789abc{bad}def" for bad in ',"/= \t\n\x00\x7fé\u0661\U0001f511'),
        *(f"{TEXT}\n", f" {TEXT}"),
    ],
)
def test_another_text_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(InvalidField, match="must start with 'sk-'") as caught:
        virtual_keys.check_chosen(text)

    assert caught.value.param == "key"
    assert not text or text not in caught.value.message or text == "sk-"


def test_the_token_is_the_sha256_in_hex() -> None:
    assert virtual_keys.token_of(TEXT) == sha256(TEXT.encode()).hexdigest()


def test_the_name_shows_the_last_four_characters() -> None:
    assert virtual_keys.name_of(TEXT) == "sk-...9abc"
