"""AWS's public price list, fetched: an unsigned file of some megabytes for each offer."""

import requests

from app.core.errors import UpstreamUnreachable

OFFERS = tuple(
    f"https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{offer}/current/index.json"
    for offer in ("AmazonBedrock", "AmazonBedrockFoundationModels", "AmazonBedrockService")
)
_SECONDS = (5.0, 60.0)
# many times the largest offer of today
_LONGEST = 256 * 1024 * 1024
_PIECE = 1024 * 1024


class PriceList:
    """Reads files by their URLs."""

    def __init__(self, ca_bundle: str | None) -> None:
        """`ca_bundle`: a file of certificates, None for those that requests brings."""
        self._verify: str | bool = ca_bundle or True

    def fetch(self, url: str) -> bytes:
        """The file. Raises UpstreamUnreachable, with a message for whoever typed the command."""
        try:
            with requests.get(url, timeout=_SECONDS, verify=self._verify, stream=True) as answer:
                if answer.status_code != 200:
                    raise UpstreamUnreachable(f"{url} answers {answer.status_code}: no price list was read.")
                found = bytearray()
                for piece in answer.iter_content(_PIECE):
                    found += piece
                    if len(found) > _LONGEST:
                        raise UpstreamUnreachable(f"{url} is longer than any price list: nothing was read.")
                return bytes(found)
        except requests.RequestException as error:
            raise UpstreamUnreachable(
                f"{url} could not be read ({type(error).__name__}). Where this machine has no way to AWS's price list, "
                "fetch the file elsewhere and name it by --from."
            ) from error
