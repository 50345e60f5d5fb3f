"""The product, with a window into the worker: GET /worker-holds says what it holds at that moment.

The objects of calls are counted, as a call that has ended must leave none: what a descriptor or a row does not show.
"""

import gc
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from gevent import Greenlet

from app.core.messages import Cancellation
from app.gateway.metered_reply import MeteredReply
from app.gateway.settlement import Settlement
from app.upstream.answer import Answer
from app.upstream.bedrock_client import Reply
from app.upstream.connections import Line
from app.web.client_connection import ClientConnection
from app.web.request_body import BodyBudget, RequestBody
from wsgi import app

__all__ = ["app"]
PATH = "/worker-holds"
# CallRecord and what else has no own members to reach others by is not tracked; these hold it
OF_CALLS = (Answer, Cancellation, ClientConnection, Line, MeteredReply, Reply, RequestBody, Settlement)


_budgets: list[BodyBudget] = []


def holdings() -> dict[str, int]:
    """How many of each there are more than when this was asked first, and the bytes of bodies that are counted."""
    gc.collect()
    found = gc.get_objects()
    if not _budgets:
        _budgets.extend(one for one in found if type(one) is BodyBudget)
        gc.freeze()  # a look through all of the product takes 0.3 s; from now on it passes over what is there
        found = []
    counted = Counter(type(one).__name__ for one in found if type(one) in OF_CALLS)
    # those of the thread pool come and go by themselves, and are none of these
    greenlets = sum(isinstance(one, Greenlet) and not one.dead for one in found)
    return {**counted, "greenlets": greenlets, "body_bytes": sum(budget.held for budget in _budgets)}


class _Window:
    """Answers PATH, and hands everything else on."""

    def __init__(self, wsgi: Callable[[dict[str, Any], Any], Iterable[bytes]]) -> None:
        self._wsgi = wsgi

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["RAW_URI"] != PATH:
            return self._wsgi(environ, start_response)
        body = json.dumps(holdings()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


app.wsgi_app = _Window(app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way to put middleware in
