"""What keeps a deploy from being open, or its secrets from being seen, by accident."""

from pathlib import Path

import pytest

from app.environment import SettingsError
from app.settings import Settings

ROOT = Path("/srv/outcrop")
STRONG = "sk-0123456789abcdefghij"
POSTGRES = "postgres://user:pw-secret@db.example.com:5432/outcrop?sslmode=require"
DEPLOYED = {"LITELLM_MASTER_KEY": STRONG, "DATABASE_URL": POSTGRES}
PLATFORMS = {"DYNO": "Heroku", "RENDER": "Render", "FLY_APP_NAME": "Fly.io", "K_SERVICE": "Cloud Run"}


def load(**environment: str) -> Settings:
    return Settings.from_environment(environment, ROOT)


def refusal(**environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**environment)
    message = str(caught.value)
    assert message.isprintable(), "one line"
    return message


@pytest.mark.parametrize("length", [20, 21, 512])
def test_a_long_master_key_is_strong(length: int) -> None:
    settings = load(LITELLM_MASTER_KEY=("sk-0123456789" * 40)[:length])

    assert (settings.master_key_is_weak, settings.loopback_only, settings.bind) == (False, False, "0.0.0.0:4000")


@pytest.mark.parametrize(
    "key",
    [
        *("sk-0123456789abcdef", "x", "sk-1234", "sk-12345678901234567890", "sk-1234567890abcdef1234567890abcdef"),
        *("sk-litellm-master-key-1234", "sk-your-litellm-master-key", "a" * 40, "abcdefg" * 6),
    ],
)
def test_a_short_uniform_or_published_master_key_is_weak(key: str) -> None:
    settings = load(LITELLM_MASTER_KEY=key)

    assert (settings.master_key_is_weak, settings.loopback_only, settings.bind) == (True, True, "127.0.0.1:4000")


def test_a_master_key_of_eight_different_characters_is_strong() -> None:
    assert not load(LITELLM_MASTER_KEY="abcdefgh" * 5).master_key_is_weak


def test_without_a_master_key_only_this_machine_is_served() -> None:
    settings = load(PORT="8080")

    assert (settings.master_key_is_weak, settings.loopback_only, settings.bind) == (False, True, "127.0.0.1:8080")


def test_litellms_name_of_the_master_key_counts_first() -> None:
    assert load(LITELLM_MASTER_KEY=STRONG, MASTER_KEY="other").master_key == STRONG


@pytest.mark.parametrize("variable", ["LITELLM_MASTER_KEY", "MASTER_KEY"])
@pytest.mark.parametrize(
    "key", ["pw-secret a", "pw-secret,a", 'pw-secret"', "pw-secret\x00", "pw-secreté", "pw-secret" * 57]
)
def test_a_master_key_that_no_header_can_carry_is_wrong_and_not_shown(key: str, variable: str) -> None:
    message = refusal(**{variable: key})

    assert message.startswith(f"{variable}: expected visible ASCII")
    assert "pw-secret" not in message


@pytest.mark.parametrize(("variable", "platform"), PLATFORMS.items())
def test_a_platform_is_told_by_its_variable(variable: str, platform: str) -> None:
    assert load(**DEPLOYED, **{variable: "web.1"}).platform == platform


@pytest.mark.parametrize(("variable", "platform"), PLATFORMS.items())
def test_a_platform_has_no_default_database(variable: str, platform: str) -> None:
    message = refusal(LITELLM_MASTER_KEY=STRONG, **{variable: "web.1"})

    assert message.startswith(f"DATABASE_URL is not set: on {platform} ")


@pytest.mark.parametrize(("variable", "platform"), PLATFORMS.items())
@pytest.mark.parametrize(("key", "fault"), [("", "not set"), ("sk-1234", "weak"), ("a" * 40, "weak")])
def test_a_platform_is_never_open_by_accident(variable: str, platform: str, key: str, fault: str) -> None:
    message = refusal(**(DEPLOYED | {"LITELLM_MASTER_KEY": key, variable: "web.1"}))

    assert message.startswith(f"LITELLM_MASTER_KEY is {fault}: on {platform} ")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_name_of_postgresql_means_psycopg2(scheme: str) -> None:
    url = POSTGRES.replace("postgres", scheme, 1)

    assert load(DATABASE_URL=url).database_url == POSTGRES.replace("postgres", "postgresql+psycopg2", 1)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mysql://user:pw-secret@h/d",
            "postgresql+asyncpg://user:pw-secret@h/d",
            "user:pw-secret@h/d",
            "://pw-secret",
        ),
        *("POSTGRES://user:pw-secret@h/d", "postgres:/user:pw-secret@h/d", "postgres", "sqlite", "postgresql"),
    ],
)
def test_another_database_is_wrong_and_its_password_not_shown(url: str) -> None:
    message = refusal(DATABASE_URL=url)

    assert message == "DATABASE_URL: expected postgres://, postgresql:// or sqlite:///"


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "sqlite:///?x=y", "sqlite:///file:x?uri=true"])
def test_a_database_in_memory_would_be_another_one_for_each_worker(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: expected sqlite:///path/of/a/file"):
        Settings.from_environment({"DATABASE_URL": url}, Path("/srv/outcrop"))


def test_heroku_gives_aws_28_seconds_to_answer() -> None:
    assert load(**DEPLOYED, DYNO="web.1").first_byte_timeout == 28
    assert load(**DEPLOYED, DYNO="web.1", OUTCROP_FIRST_BYTE_TIMEOUT="20").first_byte_timeout == 20


@pytest.mark.parametrize("variable", [name for name in PLATFORMS if name != "DYNO"])
def test_other_platforms_give_aws_ten_minutes(variable: str) -> None:
    assert load(**DEPLOYED, **{variable: "x"}).first_byte_timeout == 600


def test_no_secret_is_in_the_text_of_settings() -> None:
    text = repr(load(**DEPLOYED, AWS_BEARER_TOKEN_BEDROCK="bedrock-api-key-x"))

    assert not any(secret in text for secret in (STRONG, "pw-secret", "db.example.com", "bedrock-api-key-x"))


LONG = "pw-secret-0123456789abcdef012345"


@pytest.mark.parametrize("length", [32, 33])
def test_a_secret_key_has_at_least_32_characters(length: int) -> None:
    assert load(SECRET_KEY="s" * length).secret_keys == ("s" * length,)


@pytest.mark.parametrize("variable", ["SECRET_KEY", "SECRET_KEY_PREVIOUS"])
def test_a_shorter_secret_key_is_wrong_and_not_shown(variable: str) -> None:
    message = refusal(**({"SECRET_KEY": LONG} | {variable: LONG[:31]}))

    assert message.startswith(f"{variable}: expected at least 32 characters")
    assert "pw-secret" not in message


def test_the_secret_key_that_derives_comes_before_the_one_that_still_verifies() -> None:
    assert load(SECRET_KEY_PREVIOUS="p" * 32, SECRET_KEY="s" * 32).secret_keys == ("s" * 32, "p" * 32)


@pytest.mark.parametrize("current", [{}, {"SECRET_KEY": ""}, {"SECRET_KEY": " "}])
def test_a_previous_secret_key_alone_is_wrong(current: dict[str, str]) -> None:
    message = refusal(SECRET_KEY_PREVIOUS=LONG, **current)

    assert message == "SECRET_KEY_PREVIOUS is set without SECRET_KEY: set both, or neither"


def test_no_secret_key_is_shown_by_the_settings() -> None:
    assert "pw-secret" not in repr(load(SECRET_KEY=LONG, SECRET_KEY_PREVIOUS=LONG))


def test_on_heroku_one_router_is_in_front() -> None:
    deployed = DEPLOYED | {"DYNO": "web.1"}

    assert load(**deployed).trusted_hops == 1
    assert load(**deployed, OUTCROP_TRUSTED_HOPS="2").trusted_hops == 2
    assert load(**(DEPLOYED | {"RENDER": "true"})).trusted_hops == 0


@pytest.mark.parametrize("hops", [0, 1, 20])
def test_hops_are_counted_from_none_to_twenty(hops: int) -> None:
    assert load(OUTCROP_TRUSTED_HOPS=str(hops)).trusted_hops == hops
