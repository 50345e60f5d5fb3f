"""What the environment says, read once into a frozen Settings. The only reader of the environment.

A value that cannot be right stops the start with one line: the variable, the value (never a secret's), what is
expected.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from app.core.operations import load_table

# Keys that stand in public documentation: whoever scans for open gateways tries these first.
_PUBLISHED_KEYS = frozenset(
    "sk-1234 sk-12345678901234567890 sk-123456789012345678 sk-1234567890abcdef1234567890abcdef sk-litellm-master-key "
    "sk-litellm-master-key-1234 sk-your-litellm-master-key your-litellm-master-key litellm-master-key-here "
    "sk-litellm-static-key sk-my-litellm-master-key sk-your-secure-master-key sk-change-me-please-now "
    "abcdefghijklmnopqrst abcdefghijklmnopqrstuvwxyz sk-abcdefghijklmnopqrstuvwxyz 01234567890123456789".split()
)
_WEAK_LENGTH = 20
_WEAK_VARIETY = 8
_SECRET_LENGTH = 32
_PLATFORMS = {"DYNO": "Heroku", "RENDER": "Render", "FLY_APP_NAME": "Fly.io", "K_SERVICE": "Cloud Run"}
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}")
_DEFAULT_REGION = "us-east-1"
_MIB = 1024 * 1024
# A PaaS router gives up on a call without headers after 30 s, and the caller gets its error page instead of ours.
_HEROKU_FIRST_BYTE_SECONDS = 28.0


class SettingsError(Exception):
    """One line that says what is wrong with the environment and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Seconds, bytes and names as README.md's table of settings describes them."""

    port: int
    workers: int
    database_url: str = field(repr=False)
    master_key: str | None = field(repr=False)
    master_key_is_weak: bool
    secret_keys: tuple[str, ...] = field(repr=False)
    trusted_hops: int
    known_key_seconds: float
    region: str
    region_is_assumed: bool
    regions: frozenset[str]
    regions_are_explicit: bool
    bearer_token: str | None = field(repr=False)
    endpoint_urls: Mapping[str, str]
    use_fips: bool
    use_dual_stack: bool
    ca_bundle: str | None
    max_body_bytes: int
    buffer_bytes: int
    connect_timeout: float
    first_byte_timeout: float
    read_timeout: float
    total_timeout: float
    write_timeout: float
    log_format: Literal["json", "text"]
    platform: str | None

    @property
    def loopback_only(self) -> bool:
        """Without a strong master key the gateway serves this machine only."""
        return self.master_key is None or self.master_key_is_weak

    @property
    def bind(self) -> str:
        """gunicorn's address."""
        return f"{'127.0.0.1' if self.loopback_only else '0.0.0.0'}:{self.port}"  # noqa: S104  # behind a master key

    @classmethod
    def load(cls) -> "Settings":
        """From this process's environment. Raises SettingsError."""
        return cls.from_environment(os.environ, Path(__file__).resolve().parent.parent)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], root: Path) -> "Settings":
        """`root`: the project's folder, where SQLite's file lives. Raises SettingsError."""
        read = _Reader(environment)
        platform = next((name for variable, name in _PLATFORMS.items() if environment.get(variable)), None)
        master_key = read.master_key()
        region = read.region()
        regions = read.regions()
        settings = cls(
            port=read.integer("PORT", 4000, lowest=1, highest=65535),
            workers=read.integer("WEB_CONCURRENCY", 1, lowest=1, highest=64),
            database_url=read.database_url(root, platform),
            master_key=master_key,
            master_key_is_weak=master_key is not None and _is_weak(master_key),
            secret_keys=read.secret_keys(),
            trusted_hops=read.integer("OUTCROP_TRUSTED_HOPS", int(platform == "Heroku"), lowest=0, highest=20),
            known_key_seconds=read.seconds("OUTCROP_KNOWN_KEY_SECONDS", 300),
            region=region or _DEFAULT_REGION,
            region_is_assumed=region is None,
            regions=regions or frozenset((region or _DEFAULT_REGION,)),
            regions_are_explicit=regions is not None,
            bearer_token=read.bearer_token(),
            endpoint_urls=read.endpoint_urls(),
            use_fips=read.flag("AWS_USE_FIPS_ENDPOINT"),
            use_dual_stack=read.flag("AWS_USE_DUALSTACK_ENDPOINT"),
            ca_bundle=read.ca_bundle(),
            max_body_bytes=read.integer("OUTCROP_MAX_BODY_BYTES", 32 * _MIB, lowest=1024),
            buffer_bytes=read.integer("OUTCROP_BUFFER_BYTES", 128 * _MIB, lowest=1024),
            connect_timeout=read.seconds("OUTCROP_CONNECT_TIMEOUT", 5),
            first_byte_timeout=read.seconds(
                "OUTCROP_FIRST_BYTE_TIMEOUT", _HEROKU_FIRST_BYTE_SECONDS if platform == "Heroku" else 600
            ),
            read_timeout=read.seconds("OUTCROP_READ_TIMEOUT", 600),
            total_timeout=read.seconds("OUTCROP_TOTAL_TIMEOUT", 3600),
            write_timeout=read.seconds("OUTCROP_WRITE_TIMEOUT", 60),
            log_format=cast(Literal["json", "text"], read.choice("LOG_FORMAT", ("json", "text"))),
            platform=platform,
        )
        return _checked(settings)


class _Reader:
    """Typed reads; empty means unset, as in the AWS SDKs."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, *names: str) -> str | None:
        """The first of `names` that is set."""
        return next((value for name in names if (value := self._environment.get(name, "").strip())), None)

    def integer(self, name: str, default: int, *, lowest: int, highest: int = 2**40) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,15}", value) or not lowest <= int(value) <= highest:
            raise SettingsError(f"{name}={value!r}: expected a whole number from {lowest} to {highest}")
        return int(value)

    def seconds(self, name: str, default: float) -> float:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", value) or float(value) <= 0:
            raise SettingsError(f"{name}={value!r}: expected seconds above 0, such as {default:g}")
        return float(value)

    def flag(self, name: str) -> bool:
        value = (self.text(name) or "false").lower()
        if value not in ("true", "false"):
            raise SettingsError(f"{name}={value!r}: expected true or false")
        return value == "true"

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of `choices`; the first where unset."""
        value = self.text(name) or choices[0]
        if value not in choices:
            raise SettingsError(f"{name}={value!r}: expected {' or '.join(choices)}")
        return value

    def master_key(self) -> str | None:
        for name in ("LITELLM_MASTER_KEY", "MASTER_KEY"):
            if key := self.text(name):
                if not re.fullmatch(r"[!#-+\--~]{1,512}", key):
                    raise SettingsError(f"{name}: expected visible ASCII without spaces, commas and double quotes")
                return key
        return None

    def secret_keys(self) -> tuple[str, ...]:
        """SECRET_KEY, which derives secrets, and the one before it, which still verifies them."""
        found = {name: self.text(name) for name in ("SECRET_KEY", "SECRET_KEY_PREVIOUS")}
        for name, value in found.items():
            if value and len(value) < _SECRET_LENGTH:
                raise SettingsError(
                    f"{name}: expected at least {_SECRET_LENGTH} characters, such as openssl rand -hex 32"
                )
        if found["SECRET_KEY_PREVIOUS"] and not found["SECRET_KEY"]:
            raise SettingsError("SECRET_KEY_PREVIOUS is set without SECRET_KEY: set both, or neither")
        return tuple(value for value in found.values() if value)

    def bearer_token(self) -> str | None:
        token = self.text("AWS_BEARER_TOKEN_BEDROCK")
        if token and not re.fullmatch(r"[!-~]+", token):
            raise SettingsError("AWS_BEARER_TOKEN_BEDROCK: expected visible ASCII without spaces")
        return token

    def ca_bundle(self) -> str | None:
        path = self.text("AWS_CA_BUNDLE")
        if path and not Path(path).is_file():
            raise SettingsError(f"AWS_CA_BUNDLE={path!r}: expected a file of certificates")
        return path

    def region(self) -> str | None:
        for name in ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"):
            if value := self.text(name):
                return _region(name, value)
        return None

    def regions(self) -> frozenset[str] | None:
        value = self.text("OUTCROP_REGIONS")
        if value is None:
            return None
        parts = [part for part in re.split(r"[,\s]+", value) if part]
        return frozenset(_region("OUTCROP_REGIONS", part) for part in parts or [value])

    def endpoint_urls(self) -> dict[str, str]:
        """AWS's endpoint variables by service name, and by "" the one for all services.

        Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        """
        if self.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
            return {}
        names = {service: facts.service_id for service, facts in load_table().services.items()} | {"sts": "STS"}
        variables = {f"AWS_ENDPOINT_URL_{name.upper().replace(' ', '_')}": service for service, name in names.items()}
        found = {service: self._url(variable) for variable, service in ({"AWS_ENDPOINT_URL": ""} | variables).items()}
        return {service: url for service, url in found.items() if url}

    def database_url(self, root: Path, platform: str | None) -> str:
        value = self.text("DATABASE_URL")
        if value is None:
            if platform:
                raise SettingsError(
                    f"DATABASE_URL is not set: on {platform} the disk is wiped, attach a PostgreSQL database"
                )
            return _with_folder(f"sqlite:///{root / 'instance' / 'outcrop.db'}")
        scheme, found, rest = value.partition("://")
        if found and scheme in ("postgres", "postgresql", "postgresql+psycopg2"):
            if not _is_url(value):
                raise SettingsError("DATABASE_URL: expected postgresql://user:password@host:port/name")
            return f"postgresql+psycopg2://{rest}"
        if value.startswith("sqlite:///"):
            return _with_folder(value)
        raise SettingsError("DATABASE_URL: expected postgres://, postgresql:// or sqlite:///")

    def _url(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"https?://[^\s\x00-\x20?#@\\/]+[^\s\x00-\x20?#@\\]*", value) or not _is_url(value):
            raise SettingsError(f"{name}: expected a URL such as https://host/path, without user, query and fragment")
        return value


def _region(name: str, value: str) -> str:
    if not _REGION.fullmatch(value):
        raise SettingsError(f"{name}={value!r}: expected AWS regions such as us-east-1")
    return value


def _with_folder(url: str) -> str:
    """SQLite's URL, once the folder of its file is there."""
    path = url.removeprefix("sqlite:///").partition("?")[0]
    if not path or path.startswith((":", "file:")):
        raise SettingsError("DATABASE_URL: expected sqlite:///path/of/a/file, as each worker would have its own memory")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"DATABASE_URL: expected a file in a folder that can be made, not {path} ({error.strerror})"
        ) from None
    return url


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.port != 0 and not (parts.scheme.startswith("http") and not parts.hostname)
    except ValueError:
        return False


def _is_weak(key: str) -> bool:
    return len(key) < _WEAK_LENGTH or len(set(key)) < _WEAK_VARIETY or key.lower() in _PUBLISHED_KEYS


def _checked(settings: Settings) -> Settings:
    if settings.platform and settings.loopback_only:
        raise SettingsError(
            f"LITELLM_MASTER_KEY is {'weak' if settings.master_key else 'not set'}: on {settings.platform} the gateway "
            'would be open to everyone. Set at least 20 characters, such as "sk-$(openssl rand -hex 32)"'
        )
    if settings.region not in settings.regions:
        raise SettingsError(
            f"OUTCROP_REGIONS={','.join(sorted(settings.regions))!r}: expected to contain the default region "
            f"{settings.region} (AWS_REGION_NAME)"
        )
    if settings.buffer_bytes < settings.max_body_bytes:
        raise SettingsError(
            f"OUTCROP_BUFFER_BYTES={settings.buffer_bytes}: expected at least OUTCROP_MAX_BODY_BYTES "
            f"({settings.max_body_bytes})"
        )
    return settings
