"""Who gets in: the master key, or anyone where there is none, and keys that are neither blocked nor over."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.core import targets
from app.core.accounts import KeyGrant
from app.core.callers import ANYONE, MASTER, Caller
from app.core.credentials import scope
from app.core.errors import ClockOff, KeyBlocked, KeyExpired, KeyUnknown, SignatureWrong, Unauthenticated
from app.core.key_pairs import KeyPairs
from app.core.messages import ProxyRequest
from app.gateway.doorman import Doorman, Proof
from tests.fake_keys import NOW, PAIR_ID, SECRET_KEY, TEXT, a_doorman, a_key, a_team, a_user
from tests.gateway_process import MASTER_KEY
from tests.signed_calls import signed_headers

SIGNED = (
    "AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=0123456789abcdef"
)


@pytest.fixture
def doorman() -> Doorman:
    """One who knows the master key."""
    return a_doorman()


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
        a_doorman(master_key=master_key).admit(headers)


def test_without_a_master_key_any_bearer_gets_in() -> None:
    """The quick start; only from this machine (web/access.py)."""
    assert a_doorman(master_key=None).admit({"authorization": "Bearer anything"}) is ANYONE


def test_an_empty_master_key_is_none() -> None:
    """An empty key in the environment must not become the empty key that anyone can present."""
    assert a_doorman(master_key="").admit({"authorization": "Bearer anything"}) is ANYONE


def test_the_doorman_keeps_no_key() -> None:
    """A dump of its state shows a digest."""
    assert MASTER_KEY not in repr(vars(a_doorman()))


BEARER = {"authorization": f"Bearer {TEXT}"}
SECOND = timedelta(seconds=1)


def refusal(grant: KeyGrant, headers: dict[str, str] = BEARER) -> Unauthenticated:
    """How the holder of this key is refused, and that neither key nor digest is shown."""
    with pytest.raises(Unauthenticated) as raised:
        a_doorman(grant).admit(headers)
    assert TEXT not in raised.value.message
    assert grant.key.token not in raised.value.message
    return raised.value


@pytest.mark.parametrize(
    "headers",
    [
        {"litellm-user-api-key": TEXT},
        {"x-litellm-api-key": f"Bearer {TEXT}"},
        BEARER,
        {"x-api-key": TEXT},
        {"api-key": TEXT},
        {"authorization": SIGNED.format(key=TEXT)},
    ],
)
def test_a_virtual_key_opens_in_every_header(headers: dict[str, str]) -> None:
    """As the access key id with whatever secret: it is the key that counts."""
    grant = KeyGrant(a_key(alias="ci", team_id="team-1", user_id="user-1"), a_team(), a_user())
    caller = a_doorman(grant).admit(headers)

    assert (caller.alias, caller.team_id, caller.user_id, caller.grant) == ("ci", "team-1", "user-1", grant)
    assert not caller.may_call_everything


def test_a_virtual_key_of_no_one_is_unknown() -> None:
    """A letter off is another key."""
    with pytest.raises(KeyUnknown, match=r"The key in x-api-key is not known here"):
        a_doorman(KeyGrant(a_key())).admit({"x-api-key": TEXT + "0"})


@pytest.mark.parametrize("text", ["AKIAIOSFODNN7EXAMPLE", "sk-short", "dummy", "sk-a/b/c/d/e/f/g/h/i"])
def test_what_is_no_key_is_refused_without_a_look_up(text: str) -> None:
    """Whoever scans with other vendors' keys costs the database nothing."""
    doorman = a_doorman()
    with pytest.raises(KeyUnknown, match="expected to start with 'sk-'"):
        doorman.admit({"x-api-key": text})

    assert doorman._directory._source.look_ups == []  # type: ignore[attr-defined]  # the fake's


def test_the_id_of_a_pair_says_that_it_is_none_of_a_key() -> None:
    """Both stand in one answer, and only one of them goes into a Bearer header."""
    doorman = a_doorman()
    with pytest.raises(KeyUnknown, match="an issued pair, with which an AWS SDK signs"):
        doorman.admit({"x-api-key": PAIR_ID})

    assert doorman._directory._source.look_ups == []  # type: ignore[attr-defined]  # the fake's


@pytest.mark.parametrize(("ends", "is_over"), [(-SECOND, True), (0 * SECOND, True), (SECOND, False)])
@pytest.mark.parametrize("what", ["key", "text"])
def test_a_key_ends_when_its_time_comes(ends: timedelta, is_over: bool, what: str) -> None:
    """The key's, or the grace of a text that was rotated away."""
    at = NOW + ends
    grant = KeyGrant(a_key(expires_at=at)) if what == "key" else KeyGrant(a_key(), secret_expires_at=at)
    if not is_over:
        assert a_doorman(grant).admit(BEARER).grant is grant
        return
    error = refusal(grant)

    assert isinstance(error, KeyExpired)
    assert error.message.startswith(f"Authentication Error - Expired Key. Key Expiry time {at} and current time {NOW}")
    assert "sk-...cdef" in error.message


def test_a_rotated_text_is_told_to_be_replaced() -> None:
    """Else its holder asks for an extension that helps nobody."""
    assert "use the new one" in refusal(KeyGrant(a_key(), secret_expires_at=NOW)).message


def test_a_blocked_key_is_refused() -> None:
    """By its name."""
    error = refusal(KeyGrant(a_key(alias="ci", blocked=True)))

    assert isinstance(error, KeyBlocked)
    assert error.message.startswith(
        "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin."
    )
    assert "ci" in error.message


def test_a_key_of_a_blocked_team_is_refused() -> None:
    """With what the administrator can do."""
    error = refusal(KeyGrant(a_key(team_id="team-1"), a_team(blocked=True)))

    assert isinstance(error, KeyBlocked)
    assert error.message.startswith("Authentication Error, Team=team-1 is blocked. Update via `/team/unblock`")


def test_a_key_whose_team_is_gone_is_refused() -> None:
    """Its team's limits would be gone with it."""
    error = refusal(KeyGrant(a_key(team_id="team-1"), team=None))

    assert isinstance(error, KeyBlocked)
    assert "Team=team-1 of this key does not exist any more" in error.message


def test_a_key_of_a_user_who_has_no_account_is_let_in() -> None:
    """Scripts name whomever they like."""
    assert a_doorman(KeyGrant(a_key(user_id="anyone"))).admit(BEARER).user_id == "anyone"


PAIR = KeyGrant(a_key(access_key_id=PAIR_ID))
PATH = "/bedrock/model/x/converse"


def a_call(secret_key: str = SECRET_KEY, at: datetime = NOW, added: Mapping[str, str] | None = None) -> ProxyRequest:
    """One that an SDK signed with the issued pair, over the body `{}`."""
    secret = KeyPairs([secret_key]).secret_of(PAIR_ID)
    headers = signed_headers("POST", PATH, b"{}", (PAIR_ID, secret), at) | dict(added or {})
    return ProxyRequest("POST", targets.parse(PATH, frozenset()), headers, scope(headers), PATH)


def admitted(doorman: Doorman, call: ProxyRequest, body: bytes = b"{}") -> Caller:
    caller, proof = doorman.admit_call(call)
    proof.check(body)
    return caller


def test_an_issued_pair_opens_with_its_signature() -> None:
    """The same caller as with the key."""
    assert admitted(a_doorman(PAIR), a_call()) == a_doorman(PAIR).admit(BEARER)


@pytest.mark.parametrize("secret_key", [SECRET_KEY, "p" * 32])
def test_a_pair_of_the_current_and_of_the_previous_secret_key_opens(secret_key: str) -> None:
    """SECRET_KEY can be changed without taking everybody's pair away at once."""
    admitted(a_doorman(PAIR, secret_keys=(SECRET_KEY, "p" * 32)), a_call(secret_key))


def test_a_wrong_secret_does_not_open() -> None:
    """It is known to be wrong when the body is there."""
    with pytest.raises(SignatureWrong):
        admitted(a_doorman(PAIR), a_call("w" * 32))


def test_a_changed_body_does_not_open() -> None:
    """Whoever sits in between can change nothing."""
    with pytest.raises(SignatureWrong):
        admitted(a_doorman(PAIR), a_call(), b"{ }")


@pytest.mark.parametrize("off", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_a_clock_that_is_off_is_told_before_the_body_is_read(off: timedelta) -> None:
    """SDKs correct theirs by it."""
    with pytest.raises(ClockOff):
        a_doorman(PAIR).admit_call(a_call(at=NOW + off))


def test_a_header_that_was_added_is_told_before_the_body_is_read() -> None:
    """What acts upon the call must be signed."""
    with pytest.raises(SignatureWrong, match="x-outcrop-thing"):
        a_doorman(PAIR).admit_call(a_call(added={"x-outcrop-thing": "x"}))


def test_the_id_of_a_pair_alone_opens_nothing() -> None:
    """It is in every call, for everyone on the way to read."""
    for headers in ({"x-api-key": PAIR_ID}, {"authorization": f"Bearer {PAIR_ID}"}):
        with pytest.raises(KeyUnknown):
            a_doorman(PAIR).admit(headers)


def test_a_blocked_pair_is_refused_before_its_body_is_read() -> None:
    """As the key itself."""
    with pytest.raises(KeyBlocked):
        a_doorman(KeyGrant(a_key(access_key_id=PAIR_ID, blocked=True))).admit_call(a_call())


def test_an_unknown_pair_is_refused() -> None:
    """One that was rotated away, say."""
    with pytest.raises(KeyUnknown):
        a_doorman().admit_call(a_call())


def test_without_a_secret_key_a_pair_is_told_so() -> None:
    """It may have been issued by another gateway, or before the operator took SECRET_KEY away."""
    with pytest.raises(KeyUnknown, match="SECRET_KEY"):
        a_doorman(PAIR, secret_keys=()).admit_call(a_call())


def test_routes_that_are_not_forwarded_take_no_pair() -> None:
    """Their body is read by others: nobody would check it."""
    with pytest.raises(SignatureWrong, match="takes the key"):
        a_doorman(PAIR).admit(a_call().headers)


def test_a_key_as_access_key_id_leaves_nothing_to_check() -> None:
    """Any secret will do, and any clock."""
    headers: dict[str, Any] = {"authorization": SIGNED.format(key=TEXT)}
    request = ProxyRequest("POST", targets.parse(PATH, frozenset()), headers, None, PATH)

    assert admitted(a_doorman(KeyGrant(a_key())), request, b"anything").alias == "sk-...cdef"


def test_without_a_master_key_a_pair_is_any_credential() -> None:
    """The quick start, with whatever the machine's SDK is set up with."""
    assert admitted(a_doorman(master_key=None, secret_keys=()), a_call(), b"other") is ANYONE


def test_nothing_left_to_check_lets_every_body_pass() -> None:
    """The proof of whoever was known by the headers alone."""
    Proof().check(b"anything")
