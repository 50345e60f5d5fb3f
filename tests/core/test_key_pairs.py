"""The pairs that AWS SDKs sign with: ids at random, secrets derived."""

import secrets

import pytest

from app.core.key_pairs import KeyPairs, is_access_key_id

OLD, NEW = "o" * 32, "n" * 32


def test_an_id_looks_like_awss_and_says_whose_it_is() -> None:
    access_key_id = KeyPairs([NEW]).new_id(lambda size: bytes(range(size)))

    assert access_key_id == "OCAKAAAQEAYEAUDAOCAJ"
    assert is_access_key_id(access_key_id)


def test_a_secret_is_as_long_as_awss() -> None:
    assert len(KeyPairs([NEW]).secret_of("OCAKAAAQEAYEAUDAOCAJ")) == 40


def test_the_secret_is_the_same_in_every_worker_and_another_for_every_id() -> None:
    first, second = (KeyPairs([NEW]).new_id(secrets.token_bytes) for _ in range(2))

    assert KeyPairs([NEW]).secret_of(first) == KeyPairs([NEW]).secret_of(first)
    assert KeyPairs([NEW]).secret_of(first) != KeyPairs([NEW]).secret_of(second)


def test_a_secret_does_not_change_between_versions() -> None:
    """Whoever was given one goes on signing with it."""
    assert KeyPairs([NEW]).secret_of("OCAKAAAQEAYEAUDAOCAJ") == "UQqYsuvLOAX4zkX9lG+vHFo8LG0JDnpyfvhcGvhh"


def test_a_pair_of_the_previous_secret_key_still_verifies() -> None:
    access_key_id = KeyPairs([OLD]).new_id(secrets.token_bytes)

    assert KeyPairs([NEW, OLD]).candidates(access_key_id) == (
        KeyPairs([NEW]).secret_of(access_key_id),
        KeyPairs([OLD]).secret_of(access_key_id),
    )


@pytest.mark.parametrize(("secret_keys", "offered"), [((), False), ((NEW,), True), ((NEW, OLD), True)])
def test_pairs_are_offered_with_a_secret_key(secret_keys: tuple[str, ...], offered: bool) -> None:
    assert KeyPairs(secret_keys).offered is offered


@pytest.mark.parametrize(
    "text",
    [
        *("", "OCAK", "OCAKAAAQEAYEAUDAOCA", "OCAKAAAQEAYEAUDAOCAJJ", "AKIAAAAQEAYEAUDAOCAJ", "ocakaaaqeayeaudaocaj"),
        *("OCAKAAAQEAYEAUDAOCA1", "OCAKAAAQEAYEAUDAOCAJ\n", "sk-0123456789abcdefgh"),
    ],
)
def test_what_no_gateway_issued_is_no_id(text: str) -> None:
    assert not is_access_key_id(text)


def test_no_secret_key_is_shown() -> None:
    assert NEW not in repr(KeyPairs([NEW]))
