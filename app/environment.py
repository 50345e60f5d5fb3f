"""Typed reads of the environment: a value that cannot be right raises SettingsError, one line that says what is."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from app.core.operations import load_table
from app.core.price_file import PriceFileError, read_price_file

_SECRET_LENGTH = 32
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}")


class SettingsError(Exception):
    """One line that says what is wrong with the environment and what to do."""


class EnvironmentReader:
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

    def redis_url(self) -> str | None:
        value = self.text("REDIS_URL")
        if value and not (re.fullmatch(r"rediss?://\S+|unix://\S+", value) and _is_url(value)):
            raise SettingsError(
                "REDIS_URL: expected redis://, rediss:// or unix://, such as redis://:password@host:6379/0"
            )
        return value

    def prices(self) -> str | None:
        """OUTCROP_PRICES's JSON, which may stand in a file, once it is sure that it can be read as prices."""
        value = self.text("OUTCROP_PRICES")
        if value is None:
            return None
        text = value
        if not value.startswith("{"):
            try:
                text = Path(value).read_text(encoding="utf-8-sig")
            except (OSError, ValueError) as error:
                raise SettingsError(
                    f"OUTCROP_PRICES={value!r}: expected a JSON file that can be read, or the JSON itself ({error})"
                ) from None
        try:
            read_price_file(text)
        except PriceFileError as error:
            raise SettingsError(f"OUTCROP_PRICES{'' if text is value else f'={value!r}'}: {error}") from None
        return text

    def spool_dir(self, root: Path, database_url: str) -> Path:
        """Where rows wait while the database is away, once the folder is there."""
        value = self.text("OUTCROP_SPOOL_DIR")
        folder = Path(value) if value else root / "instance" / "spool"
        if value is None and database_url.startswith("sqlite:///"):
            folder = Path(database_url.removeprefix("sqlite:///").partition("?")[0]).parent / "spool"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"OUTCROP_SPOOL_DIR: expected a folder that can be made, not {folder} ({error.strerror})"
            ) from None
        return folder

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
