"""Is this gateway able to do its work? Each check asks the real thing and says, in one line, what it found and what to
do about it. For the doctor command and for the start-up line that names the account.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from app.core.errors import CredentialsMissing, GatewayError
from app.core.messages import Cancellation, UpstreamRequest
from app.core.model_names import foundation_model
from app.gateway.ports import Bedrock

# AWS refuses signatures that are more than 5 minutes off
_CLOCK_WARNS_SECONDS = 60
_CLOCK_FAILS_SECONDS = 300
_WHO_AM_I = b"Action=GetCallerIdentity&Version=2011-06-15"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; all is well where there is no `remedy` to it, and well enough where it only warns.

    `text` ends without a full stop: whoever shows it says what follows.
    """

    subject: str
    text: str
    remedy: str | None = None
    warns: bool = False

    @property
    def fails(self) -> bool:
        return self.remedy is not None and not self.warns


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Diagnosis:
    """The checks. None of them raises."""

    def __init__(
        self,
        bedrock: Bedrock,
        region: str,
        *,
        region_is_assumed: bool,
        has_bearer_token: bool = False,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._bedrock = bedrock
        self._region = region
        self._region_is_assumed = region_is_assumed
        self._has_bearer_token = has_bearer_token
        self._now = now or (lambda: datetime.now(UTC))

    def credentials(self) -> Finding:
        """Whose AWS account signs the calls (STS GetCallerIdentity, which every identity may call)."""
        try:
            answer = self._ask("sts", "POST", "/", _WHO_AM_I, (("Content-Type", _FORM),))
        except CredentialsMissing:
            return self._without_keys()
        except GatewayError as error:
            return Finding("credentials", f"found, but STS could not be asked: {error.message.rstrip('.')}", _NETWORK)
        text = answer.body.decode("utf-8", "replace")
        account, arn = _tag(text, "Account"), _tag(text, "Arn")
        if answer.status != 200 or not account:
            problem = _tag(text, "Message") or _tag(text, "Code") or f"status {answer.status}"
            return Finding("credentials", f"AWS refuses them: {problem}", _NEW_CREDENTIALS)
        return Finding("credentials", f"account {account} as {arn}")

    def region(self) -> Finding:
        """Where calls go that name no region."""
        if self._region_is_assumed:
            remedy = "Set AWS_REGION_NAME to where your models are."
            return Finding("region", f"{self._region}, assumed", remedy, warns=True)
        return Finding("region", self._region)

    def models(self, model: str | None = None) -> Finding:
        """Whether models can be used: all that are offered in the region, or one by its id."""
        path = "/foundation-models"
        if model:
            path = f"/foundation-model-availability/{quote(foundation_model(model), safe='')}"
        try:
            answer = self._ask("bedrock", "GET", path, b"", ())
            content = json.loads(answer.body or b"{}")
        except CredentialsMissing:
            return Finding("models", "not asked", _CREDENTIALS_FIRST)
        except GatewayError as error:
            return Finding("models", error.message.rstrip("."), _NETWORK)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            return Finding("models", "the answer is not AWS's", "Check AWS_ENDPOINT_URL_BEDROCK and any proxy.")
        if answer.status != 200:
            code = answer.headers.get("x-amzn-errortype", "").partition(":")[0]
            remedy = _NEW_CREDENTIALS if code in _ABOUT_CREDENTIALS else _NO_RIGHT
            return Finding("models", f"AWS answers {answer.status}: {content.get('message', '')}", remedy)
        return _one_model(model, content) if model else _all_models(self._region, content)

    def clock(self) -> Finding:
        """How far this machine's clock is from AWS's, by the Date of an answer."""
        try:
            answer = self._ask("bedrock", "GET", "/foundation-models", b"", ())
            theirs = parsedate_to_datetime(answer.headers["date"])
            off = abs((self._now() - theirs).total_seconds())
        except CredentialsMissing:
            return Finding("clock", "not compared with AWS's", _CREDENTIALS_FIRST)
        except (GatewayError, KeyError, ValueError, TypeError):
            return Finding("clock", "could not be compared with AWS's", _NETWORK)
        text = f"{off:.0f} s from AWS's"
        if off > _CLOCK_WARNS_SECONDS:
            return Finding("clock", text, f"Set it by NTP: AWS refuses signatures from {_CLOCK_FAILS_SECONDS} s on.")
        return Finding("clock", text)

    def _without_keys(self) -> Finding:
        if self._has_bearer_token:
            return Finding("credentials", "AWS_BEARER_TOKEN_BEDROCK alone: models can be called, agents cannot")
        return Finding("credentials", "none found", _GIVE_CREDENTIALS)

    def _ask(self, service: str, method: str, path: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> _Answer:
        request = UpstreamRequest(service, self._region, method, path, headers, body)
        reply = self._bedrock.send(request, Cancellation())
        try:
            pieces = list(iter(reply.read_chunk, b""))
        finally:
            reply.close()
        return _Answer(reply.status, {name.lower(): value for name, value in reply.headers}, b"".join(pieces))


_ABOUT_CREDENTIALS = ("InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException")
_NETWORK = "Check the network, DNS and the AWS_ENDPOINT_URL variables; in a closed VPC add the interface endpoints."
_NEW_CREDENTIALS = "Renew them, or check the role that the gateway may assume."
_GIVE_CREDENTIALS = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), AWS_PROFILE or "
    "AWS_BEARER_TOKEN_BEDROCK, or give the machine a role."
)
_CREDENTIALS_FIRST = "Give the gateway credentials first."
_NO_RIGHT = "Attach a policy such as docs/iam/inference-only.json to the gateway's identity."


def _all_models(region: str, content: dict[str, object]) -> Finding:
    summaries = content.get("modelSummaries")
    offered = len(summaries) if isinstance(summaries, list) else 0
    if not offered:
        return Finding("models", f"none are offered in {region}", "Choose another region in AWS_REGION_NAME.")
    return Finding("models", f"{offered} offered in {region}; ask for one with --model ID")


def _one_model(model: str, content: dict[str, object]) -> Finding:
    states = {
        name: content.get(name) for name in ("authorizationStatus", "entitlementAvailability", "regionAvailability")
    }
    refused = [f"{name} {state}" for name, state in states.items() if state not in ("AUTHORIZED", "AVAILABLE")]
    if refused:
        return Finding("model", f"{model}: {', '.join(refused)}", "Request access to it in the Bedrock console.")
    return Finding("model", f"{model} can be used")


def _tag(xml: str, name: str) -> str | None:
    """STS answers a handful of flat tags; a parser for hostile XML is not needed to read two of them."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", xml)
    return found[1] if found else None
