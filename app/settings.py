"""What the environment says, read once into a frozen Settings. The only reader of the environment.

A value that cannot be right stops the start with one line: the variable, the value (never a secret's), what is
expected.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from app.environment import EnvironmentReader, SettingsError

# Keys that stand in public documentation: whoever scans for open gateways tries these first.
_PUBLISHED_KEYS = frozenset(
    "sk-1234 sk-12345678901234567890 sk-123456789012345678 sk-1234567890abcdef1234567890abcdef sk-litellm-master-key "
    "sk-litellm-master-key-1234 sk-your-litellm-master-key your-litellm-master-key litellm-master-key-here "
    "sk-litellm-static-key sk-my-litellm-master-key sk-your-secure-master-key sk-change-me-please-now "
    "abcdefghijklmnopqrst abcdefghijklmnopqrstuvwxyz sk-abcdefghijklmnopqrstuvwxyz 01234567890123456789".split()
)
_WEAK_LENGTH = 20
_WEAK_VARIETY = 8
_PLATFORMS = {"DYNO": "Heroku", "RENDER": "Render", "FLY_APP_NAME": "Fly.io", "K_SERVICE": "Cloud Run"}
_DEFAULT_REGION = "us-east-1"
_MIB = 1024 * 1024
# Beside those of calls: idle ones, those that are being refused, health checks, admin routes.
_MORE_CONNECTIONS = 1000
# A PaaS router gives up on a call without headers after 30 s, and the caller gets its error page instead of ours.
_HEROKU_FIRST_BYTE_SECONDS = 28.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Seconds, bytes and names as README.md's table of settings describes them.

    `max_in_flight`: calls that a worker holds at once, `body_timeout`: how long one body may take to come, both against
    callers who would keep all others out. `total_timeout` cannot do for the latter: it begins when a call goes to AWS,
    and is as long as the longest answer, while a body that takes five minutes was sent to hold a place.
    """

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
    max_in_flight: int
    body_timeout: float
    connect_timeout: float
    first_byte_timeout: float
    read_timeout: float
    total_timeout: float
    write_timeout: float
    redis_url: str | None = field(repr=False)
    allow_when_down: bool
    hold_output_tokens: int
    prices: str | None = field(repr=False)
    spool_dir: Path
    log_caller_to_aws: bool
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

    @property
    def connections(self) -> int:
        """gunicorn's worker_connections: beyond so many a worker accepts none."""
        return self.max_in_flight + _MORE_CONNECTIONS

    @classmethod
    def load(cls) -> "Settings":
        """From this process's environment. Raises SettingsError."""
        return cls.from_environment(os.environ, Path(__file__).resolve().parent.parent)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], root: Path) -> "Settings":
        """`root`: the project's folder, where SQLite's file lives. Raises SettingsError."""
        read = EnvironmentReader(environment)
        platform = next((name for variable, name in _PLATFORMS.items() if environment.get(variable)), None)
        master_key = read.master_key()
        region = read.region()
        regions = read.regions()
        database_url = read.database_url(root, platform)
        settings = cls(
            port=read.integer("PORT", 4000, lowest=1, highest=65535),
            workers=read.integer("WEB_CONCURRENCY", 1, lowest=1, highest=64),
            database_url=database_url,
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
            max_in_flight=read.integer("OUTCROP_MAX_IN_FLIGHT", 1000, lowest=1, highest=100_000),
            **_timeouts(read, platform),
            redis_url=read.redis_url(),
            allow_when_down=read.choice("OUTCROP_LIMITS_WHEN_DOWN", ("refuse", "allow")) == "allow",
            hold_output_tokens=read.integer("OUTCROP_HOLD_OUTPUT_TOKENS", 4096, lowest=1, highest=10_000_000),
            prices=read.prices(),
            spool_dir=read.spool_dir(root, database_url),
            log_caller_to_aws=read.flag("OUTCROP_REQUEST_METADATA"),
            log_format=cast(Literal["json", "text"], read.choice("LOG_FORMAT", ("json", "text"))),
            platform=platform,
        )
        return _checked(settings)


def _timeouts(read: EnvironmentReader, platform: str | None) -> dict[str, float]:
    first_byte = _HEROKU_FIRST_BYTE_SECONDS if platform == "Heroku" else 600
    return {
        "body_timeout": read.seconds("OUTCROP_BODY_TIMEOUT", 300),
        "connect_timeout": read.seconds("OUTCROP_CONNECT_TIMEOUT", 5),
        "first_byte_timeout": read.seconds("OUTCROP_FIRST_BYTE_TIMEOUT", first_byte),
        "read_timeout": read.seconds("OUTCROP_READ_TIMEOUT", 600),
        "total_timeout": read.seconds("OUTCROP_TOTAL_TIMEOUT", 3600),
        "write_timeout": read.seconds("OUTCROP_WRITE_TIMEOUT", 60),
    }


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
