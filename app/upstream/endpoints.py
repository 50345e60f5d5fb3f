"""Where each AWS service answers: AWS's own hosts, or what the AWS_ENDPOINT_URL variables say."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core.operations import OperationsTable, Partition, Service


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service in one region. `base_url` has no slash at its end; `bearer`: it takes a Bedrock API key.

    `host` is the header's value, which is signed too: with a port only where it is not the scheme's own.
    """

    base_url: str
    host: str
    region: str
    signing_name: str
    bearer: bool


class Endpoints:
    """Finds endpoints, and remembers them."""

    def __init__(
        self, operations: OperationsTable, overrides: Mapping[str, str], *, fips: bool = False, dual_stack: bool = False
    ) -> None:
        """`overrides`: URL by service name, and by "" for all the others."""
        self._operations = operations
        self._overrides = overrides
        self._fips = fips
        self._dual_stack = dual_stack
        self._known: dict[tuple[str, str], Endpoint] = {}

    def of(self, service: str, region: str) -> Endpoint:
        """The endpoint of a service named in the operations table, or of `sts`."""
        known = self._known.get((service, region))
        if known is None:
            known = self._known[service, region] = self._find(service, region)
        return known

    def _find(self, service: str, region: str) -> Endpoint:
        facts = self._operations.services.get(service) or Service(service, service, service)
        url = self._overrides.get(service) or self._overrides.get("")
        if not url and facts.endpoint:
            url = facts.endpoint.replace("{region}", region)
        base_url = (url or self._url(facts.endpoint_prefix, region)).rstrip("/")
        return Endpoint(
            base_url=base_url,
            host=_host(base_url),
            region=region,
            signing_name=facts.signing_name,
            bearer=facts.bearer,
        )

    def _url(self, prefix: str, region: str) -> str:
        """Source: AWS's partitions and https://docs.aws.amazon.com/general/latest/gr/rande.html."""
        partition = self._partition(region)
        suffix = partition.dual_stack_dns_suffix if self._dual_stack else partition.dns_suffix
        # in GovCloud the plain host of STS is the FIPS one already
        plain = prefix == "sts" and region.startswith("us-gov-") and not self._dual_stack
        fips = self._fips and not plain
        return f"https://{prefix}{'-fips' if fips else ''}.{region}.{suffix}"

    def _partition(self, region: str) -> Partition:
        """AWS's own partition first in the table is the one for regions that no pattern knows yet."""
        partitions = self._operations.partitions
        return next((found for found in partitions if found.regions.match(region)), partitions[0])


def _host(base_url: str) -> str:
    parts = urlsplit(base_url)
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    return name if parts.port in (None, standard) else f"{name}:{parts.port}"
