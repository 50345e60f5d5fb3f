"""Who gets in: the master key, or anyone where there is none."""

import pytest

from app.core.callers import ANYONE, MASTER
from app.core.errors import Unauthenticated
from app.gateway.doorman import Doorman
from tests.gateway_process import MASTER_KEY

SIGNED = (
    "AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=0123456789abcdef"
)


@pytest.fixture
def doorman() -> Doorman:
    """One who knows the master key."""
    return Doorman(MASTER_KEY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("litellm-user-api-key", MASTER_KEY),
        ("litellm-user-api-key", f"Bearer {MASTER_KEY}"),
        ("x-litellm-api-key", MASTER_KEY),
        ("authorization", f"Bearer {MASTER_KEY}"),
        ("authorization", f"bearer  {MASTER_KEY}"),
        ("x-api-key", MASTER_KEY),
        ("api-key", MASTER_KEY),
        ("authorization", SIGNED.format(key=MASTER_KEY)),
    ],
)
def test_the_master_key_opens_in_every_header(doorman: Doorman, name: str, value: str) -> None:
    """Whichever SDK carries it."""
    assert doorman.admit({name: value}) is MASTER


@pytest.mark.parametrize(
    "key", [MASTER_KEY[:-1], MASTER_KEY + "0", MASTER_KEY.upper(), "sk-1234", MASTER_KEY[1:] + MASTER_KEY[0]]
)
def test_another_key_does_not_open(doorman: Doorman, key: str) -> None:
    """Not shorter, not longer, not in other letters."""
    with pytest.raises(Unauthenticated):
        doorman.admit({"authorization": f"Bearer {key}"})


def test_the_refusal_names_the_header_and_not_the_key(doorman: Doorman) -> None:
    """It is read by whoever presented the key, and stands in their logs."""
    with pytest.raises(Unauthenticated) as raised:
        doorman.admit({"litellm-user-api-key": "sk-secret-of-somebody"})

    assert "litellm_user_api_key" in raised.value.message
    assert "sk-secret" not in raised.value.message


def test_a_wrong_key_is_not_made_good_by_a_right_one_behind_it(doorman: Doorman) -> None:
    """The first header decides."""
    with pytest.raises(Unauthenticated):
        doorman.admit({"x-litellm-api-key": "sk-wrong", "authorization": f"Bearer {MASTER_KEY}"})


def test_a_malformed_header_is_the_answer(doorman: Doorman) -> None:
    """A repeated header comes joined by a comma: whose key would it be?"""
    with pytest.raises(Unauthenticated):
        doorman.admit({"x-litellm-api-key": f"{MASTER_KEY},{MASTER_KEY}", "authorization": f"Bearer {MASTER_KEY}"})


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic dTpw"}, {"authorization": ""}, {"x-api-key": ""}])
@pytest.mark.parametrize("master_key", [MASTER_KEY, None])
def test_without_a_credential_nobody_gets_in(master_key: str | None, headers: dict[str, str]) -> None:
    """Not even where any key does: a page on this machine can send requests, but not with credentials."""
    with pytest.raises(Unauthenticated):
        Doorman(master_key).admit(headers)


def test_without_a_master_key_any_bearer_gets_in() -> None:
    """The quick start; only from this machine (web/access.py)."""
    assert Doorman(None).admit({"authorization": "Bearer anything"}) is ANYONE


def test_an_empty_master_key_is_none() -> None:
    """An empty key in the environment must not become the empty key that anyone can present."""
    assert Doorman("").admit({"authorization": "Bearer anything"}) is ANYONE


def test_the_doorman_keeps_no_key() -> None:
    """A dump of its state shows a digest."""
    assert MASTER_KEY not in repr(vars(Doorman(MASTER_KEY)))
