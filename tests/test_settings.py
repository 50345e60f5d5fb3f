"""Every variable of the environment: left out, given, empty, and wrong."""

import dataclasses
from pathlib import Path
from typing import Any

import certifi
import pytest

from app.environment import SettingsError
from app.settings import Settings

ROOT = Path("/srv/outcrop")
STRONG = "sk-0123456789abcdefghij"
SECRET = "0123456789abcdef" * 2
MIB = 1024 * 1024


def load(**environment: str) -> Settings:
    return Settings.from_environment(environment, ROOT)


def refusal(**environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**environment)
    message = str(caught.value)
    assert message.isprintable(), "one line"
    return message


DEFAULTS: dict[str, Any] = {
    "port": 4000,
    "workers": 1,
    "database_url": "sqlite:////srv/outcrop/instance/outcrop.db",
    "master_key": None,
    "master_key_is_weak": False,
    "secret_keys": (),
    "trusted_hops": 0,
    "known_key_seconds": 300,
    "region": "us-east-1",
    "region_is_assumed": True,
    "regions": frozenset({"us-east-1"}),
    "regions_are_explicit": False,
    "bearer_token": None,
    "endpoint_urls": {},
    "use_fips": False,
    "use_dual_stack": False,
    "ca_bundle": None,
    "max_body_bytes": 32 * MIB,
    "buffer_bytes": 128 * MIB,
    "connect_timeout": 5,
    "first_byte_timeout": 600,
    "read_timeout": 600,
    "total_timeout": 3600,
    "write_timeout": 60,
    "body_timeout": 300,
    "max_in_flight": 1000,
    "redis_url": None,
    "allow_when_down": False,
    "hold_output_tokens": 4096,
    "prices": None,
    "spool_dir": Path("/srv/outcrop/instance/spool"),
    "log_caller_to_aws": False,
    "log_format": "json",
    "platform": None,
}
GIVEN: list[tuple[str, str, str, Any]] = [
    ("PORT", "8080", "port", 8080),
    ("WEB_CONCURRENCY", "4", "workers", 4),
    ("DATABASE_URL", "sqlite:////tmp/x.db", "database_url", "sqlite:////tmp/x.db"),
    ("LITELLM_MASTER_KEY", STRONG, "master_key", STRONG),
    ("MASTER_KEY", STRONG, "master_key", STRONG),
    ("SECRET_KEY", SECRET, "secret_keys", (SECRET,)),
    ("OUTCROP_TRUSTED_HOPS", "2", "trusted_hops", 2),
    ("OUTCROP_KNOWN_KEY_SECONDS", "0.5", "known_key_seconds", 0.5),
    ("REDIS_URL", "redis://:secret@127.0.0.1:6379/1", "redis_url", "redis://:secret@127.0.0.1:6379/1"),
    ("OUTCROP_LIMITS_WHEN_DOWN", "allow", "allow_when_down", True),
    ("OUTCROP_HOLD_OUTPUT_TOKENS", "1000", "hold_output_tokens", 1000),
    ("OUTCROP_PRICES", '{"models": {}}', "prices", '{"models": {}}'),
    ("OUTCROP_SPOOL_DIR", "/tmp/outcrop-spool", "spool_dir", Path("/tmp/outcrop-spool")),  # of a test
    ("OUTCROP_REQUEST_METADATA", "true", "log_caller_to_aws", True),
    ("AWS_REGION_NAME", "eu-west-1", "region", "eu-west-1"),
    ("AWS_REGION", "eu-west-1", "region", "eu-west-1"),
    ("AWS_DEFAULT_REGION", "eu-west-1", "region", "eu-west-1"),
    ("OUTCROP_REGIONS", "us-east-1,eu-west-1", "regions", frozenset({"us-east-1", "eu-west-1"})),
    ("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-x", "bearer_token", "bedrock-api-key-x"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000", "endpoint_urls", {"": "http://127.0.0.1:9000"}),
    ("AWS_ENDPOINT_URL_STS", "https://sts.example.com", "endpoint_urls", {"sts": "https://sts.example.com"}),
    ("AWS_USE_FIPS_ENDPOINT", "true", "use_fips", True),
    ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE", "use_dual_stack", True),
    ("AWS_CA_BUNDLE", certifi.where(), "ca_bundle", certifi.where()),
    ("OUTCROP_MAX_BODY_BYTES", "1024", "max_body_bytes", 1024),
    ("OUTCROP_BUFFER_BYTES", str(32 * MIB), "buffer_bytes", 32 * MIB),
    ("OUTCROP_CONNECT_TIMEOUT", "0.5", "connect_timeout", 0.5),
    ("OUTCROP_FIRST_BYTE_TIMEOUT", "55", "first_byte_timeout", 55.0),
    ("OUTCROP_READ_TIMEOUT", "60", "read_timeout", 60.0),
    ("OUTCROP_TOTAL_TIMEOUT", "900.25", "total_timeout", 900.25),
    ("OUTCROP_WRITE_TIMEOUT", "0.001", "write_timeout", 0.001),
    ("OUTCROP_BODY_TIMEOUT", "30", "body_timeout", 30.0),
    ("OUTCROP_MAX_IN_FLIGHT", "200", "max_in_flight", 200),
    ("LOG_FORMAT", "text", "log_format", "text"),
]
IDS = [row[0] for row in GIVEN]


def test_nothing_need_be_set() -> None:
    assert {field.name: getattr(load(), field.name) for field in dataclasses.fields(Settings)} == DEFAULTS


@pytest.mark.parametrize(("variable", "value", "field", "expected"), GIVEN, ids=IDS)
def test_a_variable_is_read(variable: str, value: str, field: str, expected: object) -> None:
    assert getattr(load(**{variable: value}), field) == expected


@pytest.mark.parametrize(("variable", "value", "field", "expected"), GIVEN, ids=IDS)
def test_blanks_around_a_value_do_not_count(variable: str, value: str, field: str, expected: object) -> None:
    assert getattr(load(**{variable: f" {value}\n"}), field) == expected


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
@pytest.mark.parametrize("variable", IDS)
def test_an_empty_variable_is_unset(variable: str, empty: str) -> None:
    assert load(**{variable: empty}) == load()


NUMBERS = [
    "PORT",
    "WEB_CONCURRENCY",
    "OUTCROP_TRUSTED_HOPS",
    "OUTCROP_MAX_BODY_BYTES",
    "OUTCROP_BUFFER_BYTES",
    "OUTCROP_MAX_IN_FLIGHT",
]
SECONDS = [
    *(f"OUTCROP_{name}_TIMEOUT" for name in ("BODY", "CONNECT", "FIRST_BYTE", "READ", "TOTAL", "WRITE")),
    "OUTCROP_KNOWN_KEY_SECONDS",
]
FLAGS = ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]
REGION_VARIABLES = ["AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"]
WRONG = [
    *(
        (name, value)
        for name in NUMBERS
        for value in ("x", "-1", "+1", "1.5", "1e3", "0x10", "1_000", "1 0", "\u0664", "9" * 16)
    ),
    *(
        (name, value)
        for name in SECONDS
        for value in ("x", "-1", "0", "0.0", "0.000", "1e3", "inf", "nan", "5s", "1" * 7)
    ),
    *((name, value) for name in FLAGS for value in ("yes", "1", "0", "on", "maybe", "true false")),
    *(
        (name, value)
        for name in REGION_VARIABLES
        for value in ("us", "US-EAST-1", "us-east-1a", "us_east_1", "us-east-\u0661")
    ),
    *(("OUTCROP_REGIONS", value) for value in ("x", "us-east-1;eu-west-1", "global", "*")),
    *(("LOG_FORMAT", value) for value in ("xml", "JSON", "json text", "tex")),
    ("OUTCROP_TRUSTED_HOPS", "21"),
    *(("PORT", "0"), ("PORT", "65536"), ("WEB_CONCURRENCY", "0"), ("WEB_CONCURRENCY", "65"), ("LOG_FORMAT", "a\nb")),
    *(("OUTCROP_MAX_BODY_BYTES", "1023"), ("OUTCROP_BUFFER_BYTES", "1023"), ("OUTCROP_REGIONS", "eu-west-1")),
]


@pytest.mark.parametrize(("variable", "value"), WRONG)
def test_a_wrong_value_stops_the_start_with_what_is_expected(variable: str, value: str) -> None:
    message = refusal(**{variable: value})

    assert message.startswith(f"{variable}={value!r}: expected ")


@pytest.mark.parametrize(("variable", "lowest", "highest"), [("PORT", 1, 65535), ("WEB_CONCURRENCY", 1, 64)])
def test_the_lowest_and_the_highest_number_are_taken(variable: str, lowest: int, highest: int) -> None:
    settings = [load(**{variable: str(value)}) for value in (lowest, highest)]

    assert [one.port if variable == "PORT" else one.workers for one in settings] == [lowest, highest]


def test_the_first_region_variable_counts() -> None:
    names = dict(zip(REGION_VARIABLES, ["eu-west-1", "eu-west-2", "eu-west-3"], strict=True))

    assert load(**names).region == "eu-west-1"
    assert load(**(names | {"AWS_REGION_NAME": ""})).region == "eu-west-2"


def test_a_named_region_is_not_assumed_and_the_only_one() -> None:
    settings = load(AWS_REGION="eu-west-1")

    assert (settings.region_is_assumed, settings.regions) == (False, frozenset({"eu-west-1"}))


@pytest.mark.parametrize(
    "listed", ["us-east-1 eu-west-1", "us-east-1,eu-west-1", " eu-west-1 ,, us-east-1,", "eu-west-1\tus-east-1"]
)
def test_regions_are_listed_with_commas_or_blanks(listed: str) -> None:
    settings = load(OUTCROP_REGIONS=listed)

    assert (settings.regions, settings.regions_are_explicit) == (frozenset({"us-east-1", "eu-west-1"}), True)


@pytest.mark.parametrize("listed", [",", " , ", ",,"])
def test_a_list_of_regions_that_names_none_is_wrong(listed: str) -> None:
    assert refusal(OUTCROP_REGIONS=listed).startswith("OUTCROP_REGIONS=")


def test_only_the_wrong_one_of_the_listed_regions_is_named() -> None:
    assert refusal(OUTCROP_REGIONS="us-east-1,x,eu-west-1").startswith("OUTCROP_REGIONS='x': expected ")


def test_the_default_region_must_be_among_the_listed() -> None:
    message = refusal(OUTCROP_REGIONS="eu-west-2,eu-west-1", AWS_REGION="us-west-2")

    assert message.startswith("OUTCROP_REGIONS='eu-west-1,eu-west-2': expected to contain the default region us-west-2")


@pytest.mark.parametrize("buffer", ["4096", "8192"])
def test_the_buffer_may_be_as_small_as_one_body(buffer: str) -> None:
    assert load(OUTCROP_MAX_BODY_BYTES="4096", OUTCROP_BUFFER_BYTES=buffer).buffer_bytes == int(buffer)


def test_a_buffer_smaller_than_one_body_is_wrong() -> None:
    message = refusal(OUTCROP_MAX_BODY_BYTES="4096", OUTCROP_BUFFER_BYTES="4095")

    assert message == "OUTCROP_BUFFER_BYTES=4095: expected at least OUTCROP_MAX_BODY_BYTES (4096)"


SERVICE_VARIABLES = {
    "AWS_ENDPOINT_URL_BEDROCK": "bedrock",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "bedrock-runtime",
    "AWS_ENDPOINT_URL_BEDROCK_AGENT": "bedrock-agent",
    "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": "bedrock-agent-runtime",
    "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE": "bedrock-agentcore",
    "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL": "bedrock-agentcore-control",
    "AWS_ENDPOINT_URL_BEDROCK_DATA_AUTOMATION": "bedrock-data-automation",
    "AWS_ENDPOINT_URL_BEDROCK_DATA_AUTOMATION_RUNTIME": "bedrock-data-automation-runtime",
    "AWS_ENDPOINT_URL_BEDROCK_MANTLE": "bedrock-mantle",
    "AWS_ENDPOINT_URL_STS": "sts",
    "AWS_ENDPOINT_URL": "",
}


def test_every_service_has_its_endpoint_variable() -> None:
    urls = {variable: f"https://{number}.example.com/p" for number, variable in enumerate(SERVICE_VARIABLES)}

    assert load(**urls).endpoint_urls == {SERVICE_VARIABLES[variable]: url for variable, url in urls.items()}


def test_endpoint_variables_of_other_services_are_not_ours() -> None:
    assert load(AWS_ENDPOINT_URL_S3="https://s3.example.com", AWS_ENDPOINT_URL_X="no URL").endpoint_urls == {}


@pytest.mark.parametrize(("ignore", "count"), [("true", 0), ("TRUE", 0), ("false", 1), ("", 1)])
def test_configured_endpoints_can_be_ignored(ignore: str, count: int) -> None:
    settings = load(AWS_ENDPOINT_URL="https://h", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=ignore)

    assert len(settings.endpoint_urls) == count


@pytest.mark.parametrize(
    "url",
    [
        *(
            "h",
            "h:80",
            "//h",
            "ftp://h",
            "https://",
            "https:///path",
            "https:h",
            "https://?",
            "https://:443",
            "https://h?a=b",
        ),
        *("https://h?", "https://h/#x", "https://h#", "https://h:99999", "https://h:x", "https://[::1", "https://a b"),
        *("https://a\nb", "https://a\tb"),
    ],
)
def test_an_endpoint_that_is_no_plain_url_is_wrong(url: str) -> None:
    assert refusal(AWS_ENDPOINT_URL_STS=url).startswith("AWS_ENDPOINT_URL_STS")


@pytest.mark.parametrize("user", ["pw-secret", "user:pw-secret", ":pw-secret", "user:pw-secret@more"])
def test_an_endpoint_with_a_user_is_wrong_and_its_password_not_shown(user: str) -> None:
    message = refusal(AWS_ENDPOINT_URL=f"https://{user}@h")

    assert message.startswith("AWS_ENDPOINT_URL: expected")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().port = 1  # type: ignore[misc]  # what must not work


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "4321")

    assert Settings.load().port == 4321
