"""The short way to the passage: a view is called as Flask would call it, and its errors end as they would there."""

import logging
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from flask import Blueprint, Flask, Response, abort, has_app_context, has_request_context, request
from werkzeug.test import EnvironBuilder

from app.core.errors import AccessDenied
from app.web.errors import register
from app.web.flask_app import PASSAGE, OutcropFlask

Answer = tuple[str, dict[str, str], bytes]
IDS = ("x-amzn-RequestId", "x-litellm-call-id")


def raises(error: Exception) -> Callable[[], NoReturn]:
    def view() -> NoReturn:
        raise error

    return view


VIEWS: dict[str, Callable[[], Any]] = {
    "a response": lambda: Response("hello", 201, {"x-a": "1"}),
    "what Flask makes a response of": lambda: ({"path": request.path}, 202),
    "an error of ours": raises(AccessDenied("No.")),
    "an HTTP error": lambda: abort(413),
    "an unforeseen error": raises(ZeroDivisionError()),
    "nothing": lambda: None,
}


def served(kind: type[Flask], view: Callable[[], Any], path: str = "/bedrock/x", **environ: str) -> Answer:
    app = OutcropFlask("app") if kind is OutcropFlask else Flask("app")
    blueprint = Blueprint(PASSAGE, __name__)
    rule = "/bedrock/<anything:decoded>" if kind is OutcropFlask else "/bedrock/<path:decoded>"
    blueprint.add_url_rule(rule, "forward", lambda decoded="": view())
    app.register_blueprint(blueprint)
    register(app, frozenset({"bedrock"}))
    told: list[Any] = []
    made = EnvironBuilder(path).get_environ() | environ

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        told.extend((status, headers))
        return told.append

    body = b"".join(app(made, start_response))
    return told[0], {name: value for name, value in told[1] if name not in IDS}, body


@pytest.mark.parametrize("name", VIEWS)
def test_what_a_view_answers_or_raises_becomes_what_flask_would_make_of_it(name: str) -> None:
    ours, flasks = served(OutcropFlask, VIEWS[name]), served(Flask, VIEWS[name])

    assert ours[:2] == flasks[:2]
    if name not in ("an unforeseen error", "nothing"):  # the log's number for it
        assert ours[2] == flasks[2]


def test_an_unforeseen_error_is_told_as_ours_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        status, headers, body = served(OutcropFlask, VIEWS["an unforeseen error"])

    assert (status, headers["x-amzn-ErrorType"]) == ("500 INTERNAL SERVER ERROR", "InternalServerException")
    assert b"Something unforeseen went wrong" in body
    assert "ZeroDivisionError" in caplog.text


def test_the_view_is_called_for_every_method_and_path_below_the_segment() -> None:
    asked: list[tuple[str, str]] = []

    def view() -> Response:
        asked.append((request.method, request.path))
        assert request.url_rule is not None
        assert request.url_rule.endpoint == f"{PASSAGE}.forward"
        return Response()

    for method, path in (("GET", "/bedrock/a"), ("TRACE", "/bedrock/a//b"), ("BREW", "/bedrock")):
        served(OutcropFlask, view, path, REQUEST_METHOD=method)

    assert asked == [("GET", "/bedrock/a"), ("TRACE", "/bedrock/a//b"), ("BREW", "/bedrock")]


@pytest.mark.parametrize("path", ["/", "//bedrock/x", "/BEDROCK/x", "/bedrockx", "/x/bedrock"])
def test_other_paths_are_found_as_flask_finds_them(path: str) -> None:
    assert served(OutcropFlask, VIEWS["a response"], path)[0] == "404 NOT FOUND"


def test_a_websocket_is_refused_as_flask_refuses_it() -> None:
    upgrade = {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"}

    assert served(OutcropFlask, VIEWS["a response"], **upgrade)[0] == "400 BAD REQUEST"


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("name", ["a response", "an error of ours", "an unforeseen error"])
def test_a_request_is_gone_once_it_was_served(name: str) -> None:
    seen: list[weakref.ref[Any]] = []

    def view() -> Any:
        seen.append(weakref.ref(request._get_current_object()))  # type: ignore[attr-defined]  # what the proxy stands for
        return VIEWS[name]()

    served(OutcropFlask, view)

    assert [one() for one in seen] == [None]
    assert not has_request_context()
    assert not has_app_context()
