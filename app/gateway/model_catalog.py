"""Which models the gateway's AWS account offers in its default region, asked of AWS and remembered for a while."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from app.core.errors import CredentialsMissing, GatewayError, ModelsUnlisted
from app.core.messages import Cancellation, UpstreamRequest
from app.core.offered_models import OfferedModel, offered_models
from app.gateway.ports import Bedrock, UpstreamReply

# new models come some times a month
_REMEMBERED_SECONDS = 3600.0
# whoever mends the gateway's credentials wants to see it soon, and AWS throttles those who ask at every call
_FAILURE_SECONDS = 30.0
_ANSWER_SECONDS = 20.0
_PAGE = "1000"
# far beyond what an account may have (1,000 application profiles by default)
_MOST_PAGES = 50


class ModelCatalog:
    """The list of one worker. Whoever asks while it is being fetched waits for that one answer."""

    def __init__(self, bedrock: Bedrock, region: str, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._bedrock = bedrock
        self._region = region
        self._clock = clock
        self._fetching = threading.Lock()
        self._models: tuple[OfferedModel, ...] | None = None
        self._failure: GatewayError | None = None
        self._good_until = float("-inf")

    def models(self) -> tuple[OfferedModel, ...]:
        """All of them, sorted by id. Raises CredentialsMissing or ModelsUnlisted where AWS never answered."""
        with self._fetching:
            if self._clock() >= self._good_until:
                self._fetch()
            if self._models is not None:
                return self._models
            failure = self._failure or ModelsUnlisted("AWS has not been asked yet.")
            # a new one: each raise of the same one would add to its traceback
            raise type(failure)(failure.message, retry_after=failure.retry_after)

    def _fetch(self) -> None:
        """Ask AWS. An older answer stays where there is one and no new one comes."""
        try:
            summaries = self._pages("/foundation-models", {}, "modelSummaries")
            profiles = [
                profile
                for kind in ("SYSTEM_DEFINED", "APPLICATION")
                for profile in self._pages(
                    "/inference-profiles", {"maxResults": _PAGE, "type": kind}, "inferenceProfileSummaries"
                )
            ]
            self._models = offered_models(summaries, profiles)
            self._failure = None
            self._good_until = self._clock() + _REMEMBERED_SECONDS
        except (CredentialsMissing, ModelsUnlisted) as error:
            self._fail(error)
        except GatewayError as error:
            self._fail(_unlisted(error.message, _NETWORK))
        except (KeyError, TypeError, ValueError, AttributeError):
            self._fail(_unlisted("the answer is not AWS's", "Check AWS_ENDPOINT_URL_BEDROCK and any proxy."))

    def _fail(self, error: GatewayError) -> None:
        self._failure = error
        self._good_until = self._clock() + _FAILURE_SECONDS

    def _pages(self, path: str, query: dict[str, str], name: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for _ in range(_MOST_PAGES):
            content = self._ask(f"{path}?{urlencode(query)}" if query else path)
            found += content[name]
            if not content.get("nextToken"):
                break
            query = {**query, "nextToken": content["nextToken"]}
        return found

    def _ask(self, path_and_query: str) -> dict[str, Any]:
        request = UpstreamRequest("bedrock", self._region, "GET", path_and_query, (), b"")
        cancellation = Cancellation()
        # the deadlines of calls are made for models that think; whoever asks for a list waits no minutes
        timer = threading.Timer(_ANSWER_SECONDS, cancellation.cancel, ("deadline",))
        timer.daemon = True
        timer.start()
        try:
            reply = self._bedrock.send(request, cancellation)
            try:
                return self._content(reply, path_and_query)
            finally:
                reply.close()
        finally:
            timer.cancel()

    def _content(self, reply: UpstreamReply, path_and_query: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(b"".join(iter(reply.read_chunk, b"")) or b"{}")
        if reply.status != 200:
            action = "ListInferenceProfiles" if "profiles" in path_and_query else "ListFoundationModels"
            told = f"AWS answers {reply.status} to bedrock:{action}: {content.get('message', '')}"
            raise _unlisted(told, _NO_RIGHT)
        return content


_NETWORK = "Check the network, DNS and the AWS_ENDPOINT_URL variables, and see `flask --app wsgi doctor`."
_NO_RIGHT = (
    "Attach a policy such as docs/iam/inference-only.json to the gateway's identity, and see `flask --app wsgi doctor`."
)


def _unlisted(problem: str, remedy: str) -> ModelsUnlisted:
    text = f"The models could not be listed: {problem.rstrip('.')}. {remedy}"
    return ModelsUnlisted(text, retry_after=int(_FAILURE_SECONDS))
