"""Flask, with what every call pays for and none uses taken out of its way: 50 of 100 us.

Werkzeug binds its URL map to each request anew, host and scheme and all, and walks a state machine over 80 routes; the
passage's are told by their first segment. A session is opened and saved for each request; nothing here keeps one.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import BaseConverter, MapAdapter, Rule

PASSAGE = "bedrock_proxy"


class OutcropFlask(Flask):
    """The application object."""

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.session_interface = _NoSessions()
        self.url_map.merge_slashes = False
        self.url_map.converters["anything"] = _Anything
        self._passages: dict[str, Rule] = {}

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the rule of a request."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        path = environ["PATH_INFO"]
        rule = self._passage(path.split("/", 2)[1]) if path.startswith("/") else None
        if rule is None or "HTTP_UPGRADE" in environ:  # werkzeug knows what to say to a WebSocket
            return super().create_url_adapter(request)
        return _Passage(self, environ, rule)

    def _passage(self, segment: str) -> Rule | None:
        if not self._passages:
            rules = (rule for rule in self.url_map.iter_rules() if rule.endpoint.startswith(PASSAGE + "."))
            self._passages = {rule.rule.split("/", 2)[1]: rule for rule in rules}
        return self._passages.get(segment)


class _Passage(MapAdapter):
    """For a request whose rule is known."""

    def __init__(self, app: Flask, environ: Mapping[str, Any], rule: Rule) -> None:
        scheme, method = environ["wsgi.url_scheme"], environ["REQUEST_METHOD"]
        super().__init__(app.url_map, "localhost", "/", "", scheme, environ["PATH_INFO"], method)
        self._rule = rule

    def match(self, *args: Any, **kwargs: Any) -> Any:
        """The rule, whatever the method: the passage has its own words for one that it does not take."""
        return self._rule, {}


class _NoSessions(SessionInterface):
    """One for all, in which nothing can be kept."""

    _session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._session

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        """Nothing to save."""


class _Anything(BaseConverter):
    """The rest of a path, whatever it is: the raw request line is what counts."""

    regex = ".*"
    part_isolating = False
