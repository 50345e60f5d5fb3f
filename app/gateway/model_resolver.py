"""Which model an application inference profile runs, asked of AWS once and remembered: its price is that model's."""

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from app.core.application_profiles import is_application_profile, profiled_model
from app.core.errors import GatewayError
from app.core.messages import Cancellation, UpstreamRequest
from app.gateway.ports import Bedrock

# A call waits no longer than this to be priced: what comes later is there for the next one.
_PATIENCE_SECONDS = 3.0
_ANSWER_SECONDS = 20.0
# Whoever gives the gateway the right to ask wants to see prices soon, and AWS throttles those who ask at every call.
_FAILURE_SECONDS = 300.0
# An account has 1,000 application profiles by default. ARNs come from callers: failures push out failures alone.
_REMEMBERED = 2048
# Callers that make up ARNs get no more of AWS's patience than this.
_AT_ONCE = 8
_LONGEST_ANSWER = 256 * 1024
_log = logging.getLogger(__name__)
_Key = tuple[str, str]


class ModelResolver:
    """The profiles that one worker has met. Calls that ask for one at once wait for one answer."""

    def __init__(self, bedrock: Bedrock, knows: Callable[[str], bool], clock: Callable[[], float]) -> None:
        """`knows`: whether the operator's prices have this very ARN; `clock`: monotonic seconds."""
        self._bedrock = bedrock
        self._knows = knows
        self._clock = clock
        self._lock = threading.Lock()
        self._models: OrderedDict[_Key, str] = OrderedDict()
        self._failures: OrderedDict[_Key, float] = OrderedDict()
        self._pending: dict[_Key, threading.Event] = {}

    def resolve(self, model: str | None, region: str) -> str | None:
        """The id by which calls of `model` are priced: itself, but for an application profile's ARN that AWS explains.

        Waits at most 3 s, where AWS has not been asked about it yet. Never raises.
        """
        if model is None or not is_application_profile(model) or self._knows(model):
            return model
        key = (model, region)
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
                return self._models[key]
            answered = self._pending.get(key)
            if answered is None:
                if self._failures.get(key, float("-inf")) > self._clock() or len(self._pending) >= _AT_ONCE:
                    return model
                answered = self._pending[key] = threading.Event()
                threading.Thread(target=self._look_up, args=(key, answered), daemon=True).start()
        answered.wait(_PATIENCE_SECONDS)
        with self._lock:
            return self._models.get(key, model)

    def _look_up(self, key: _Key, answered: threading.Event) -> None:
        found, problem = None, "the look-up ended early"
        try:
            found = self._ask(*key)
        except GatewayError as error:
            problem = error.message
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            problem = "the answer is not AWS's"
        finally:
            with self._lock:
                if found:
                    _keep(self._models, key, found)
                else:
                    _keep(self._failures, key, self._clock() + _FAILURE_SECONDS)
                del self._pending[key]
            answered.set()
        if not found:
            _log.warning(
                "calls of %s have no price for %d s: %s. See docs/prices.md for other ways to price them.",
                key[0],
                _FAILURE_SECONDS,
                problem.rstrip("."),
            )

    def _ask(self, arn: str, region: str) -> str:
        request = UpstreamRequest("bedrock", region, "GET", f"/inference-profiles/{quote(arn, safe='')}", (), b"")
        cancellation = Cancellation()
        # the deadlines of calls are made for models that think
        timer = threading.Timer(_ANSWER_SECONDS, cancellation.cancel, ("deadline",))
        timer.daemon = True
        timer.start()
        try:
            reply = self._bedrock.send(request, cancellation)
            try:
                content = _content(reply.read_chunk)
            finally:
                reply.close()
        finally:
            timer.cancel()
        if reply.status != 200:
            said = str(content.get("message", ""))[:300]
            raise GatewayError(f"AWS answers {reply.status} to bedrock:GetInferenceProfile: {said}")
        return profiled_model(content)


def _content(read: Callable[[], bytes]) -> dict[str, Any]:
    """Raises ValueError where it is no JSON object, or longer than any profile's."""
    raw = bytearray()
    while piece := read():
        raw += piece
        if len(raw) > _LONGEST_ANSWER:
            raise ValueError("too long")
    content = json.loads(bytes(raw) or b"{}")
    if not isinstance(content, dict):
        raise TypeError("no object")
    return content


def _keep(kept: OrderedDict[_Key, Any], key: _Key, value: object) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
