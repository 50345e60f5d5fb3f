"""How an admin route is declared, and what happens around every one of them.

A Route says its method, path, who may use it, and the pydantic models of its query, body and answer. From that alone
come the check of the caller, the peer's 422 for what does not fit, and its entry in the OpenAPI document.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, NoReturn, TypeVar

from flask import Blueprint, Response, g, request
from pydantic import TypeAdapter, ValidationError

from app.core.address_ranges import admits
from app.core.admin_rights import require_administrator
from app.core.callers import Actor, Caller
from app.core.errors import AccessDenied, BodyTooLarge, NotAdministrator
from app.web.access import requires_admin_key
from app.web.admin_api.csv_tables import Table, csv_response, wants_csv
from app.web.admin_api.fields import storable
from app.web.admin_api.wire_model import WireModel
from app.web.errors import UnfitRequest
from app.web.request_body import BodyBudget, RequestBody

# The largest admin requests are bulk updates: 500 keys of 2 KB. All that a worker reads at once is bounded too.
_BODY_BYTES = 1024 * 1024
_BUDGET = BodyBudget(16 * _BODY_BYTES)
# a parsed object can be twenty times as large as its text
_MOST_CONTAINERS = 50_000
Access = Literal[
    "any key",  # every key may: it says what the key may call
    "holder",  # every key but those for Bedrock alone; the desk looks at whose things they are
    "administrator",  # and viewers, where the route only reads
]


class Nothing(WireModel):
    """No query, or no body: what is sent all the same is ignored."""


Query = TypeVar("Query", bound=WireModel)
Body = TypeVar("Body", bound=WireModel)


@dataclass(frozen=True, slots=True)
class AdminCall(Generic[Query, Body]):
    """A request to an admin route, checked: who asks, and for what. `path` has the rule's variables."""

    actor: Actor
    query: Query
    body: Body
    path: dict[str, str]


@dataclass(frozen=True, slots=True)
class WithHeaders:
    """What a view answers, and headers beside it."""

    answer: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class Route(Generic[Query, Body]):
    """One admin route. `answer` is what pydantic makes the JSON with, such as a model or a list of one.

    `reads`: it changes nothing; `also`: further paths that mean the same; `table`: what may be had as CSV.
    """

    method: str
    rule: str
    summary: str
    access: Access
    query: type[Query]
    body: type[Body]
    answer: Any
    view: Callable[[AdminCall[Query, Body]], Any]
    also: tuple[str, ...] = ()
    reads: bool = False
    table: Table | None = None

    @cached_property
    def written(self) -> "TypeAdapter[Any]":
        return TypeAdapter(self.answer)


@dataclass(frozen=True, slots=True)
class Gate:
    """Who asks. `admit` is the doorman's, by lower-case headers; `address` says where from."""

    admit: Callable[[dict[str, str]], Caller]
    headers: Callable[[Any], dict[str, str]]
    address: Callable[[Any], str | None]

    def actor(self, access: Access, *, reads: bool) -> Actor:
        """Raises Unauthenticated, NotAdministrator or AccessDenied."""
        caller = self.admit(self.headers(request.environ))
        if caller.role == "holder" and caller.grant is None:
            raise NotAdministrator(
                "Without LITELLM_MASTER_KEY there is no administrator: set one of at least 20 characters, such as "
                '"sk-$(openssl rand -hex 32)", and use it here.'
            )
        if access != "any key" and caller.key_type == "llm_api":
            raise AccessDenied("This key's type is llm_api: it calls Bedrock and no admin route.")
        address = self.address(request.environ)
        for layer, rights in caller.layers:
            if rights.addresses and not admits(rights.addresses, address):
                raise AccessDenied(f"The {layer}'s addresses do not include {address or 'one that is not known'}.")
        if access == "administrator":
            require_administrator(caller, request.path, reads=reads)
        return Actor(caller, address)


def create_blueprint(name: str, routes: Sequence[Route[Any, Any]], gate: Gate) -> Blueprint:
    """A blueprint of these routes."""
    blueprint = Blueprint(name, __name__)
    blueprint.before_request(requires_admin_key)
    for route in routes:
        for rule in (route.rule, *route.also):
            blueprint.add_url_rule(
                rule, f"{route.method} {rule}".replace(".", "_"), _handler(route, gate), methods=[route.method]
            )
    return blueprint


def _handler(route: Route[Any, Any], gate: Gate) -> Callable[..., Response]:
    def handle(**path: str) -> Response:
        actor = gate.actor(route.access, reads=route.reads or route.method == "GET")
        call = AdminCall(actor, _query(route.query), _body(route.body), _path(path))
        answer = route.view(call)
        if isinstance(answer, Response):
            return answer
        headers = answer.headers if isinstance(answer, WithHeaders) else {}
        answer = answer.answer if isinstance(answer, WithHeaders) else answer
        if route.table and wants_csv():
            response = csv_response(route.table, answer)
        else:
            response = Response(route.written.dump_json(answer), content_type="application/json")
        response.headers.update(headers)
        return response

    return handle


def _path(given: dict[str, str]) -> dict[str, str]:
    for name, value in given.items():
        try:
            storable(value)
        except ValueError as error:
            raise UnfitRequest([_unfit("value_error", f"Value error, {error}", ["path", name])]) from None
    return given


def _query(model: type[Query]) -> Query:
    """The query string; an empty value counts as absent, as the peer's clients send them."""
    sent: dict[str, Any] = {name: values[-1] for name, values in request.args.lists() if values[-1] != ""}
    for name, field in model.model_fields.items():
        if name in sent and "list" in str(field.annotation):
            sent[name] = request.args.getlist(name)
    return _checked(model, sent, "query")


def _body(model: type[Body]) -> Body:
    if model is Nothing:
        return model()
    g.request_body = body = RequestBody(request.environ, _BODY_BYTES, _BUDGET)
    try:
        content = bytes(body.read())
    except BodyTooLarge:
        raise BodyTooLarge(f"Admin requests are at most {_BODY_BYTES} bytes: send less at once.") from None
    finally:
        body.release()
    return _checked(model, _json(content) if content.strip() else {}, "body")


def _json(content: bytes) -> Any:
    position, problem = 0, f"more than {_MOST_CONTAINERS} objects and lists"
    if content.count(b"{") + content.count(b"[") <= _MOST_CONTAINERS:
        try:
            return json.loads(content, parse_constant=_no_constant, object_pairs_hook=_without_duplicates)
        except json.JSONDecodeError as error:
            position, problem = error.pos, error.msg
        except _Duplicate as error:
            problem = f"the name {str(error)[:100]!r} stands twice in one object"
        except (ValueError, RecursionError):
            problem = "not UTF-8, a number without bounds, or nested without end"
    unfit = _unfit("json_invalid", "JSON decode error", ["body", position])
    raise UnfitRequest([unfit | {"ctx": {"error": problem}}])


class _Duplicate(ValueError):
    """Parsers differ on which of two counts."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Duplicate(name)
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _checked(model: type[Query], sent: Any, where: str) -> Query:
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        raise UnfitRequest(
            [
                _unfit(*_AS_THE_PEER.get(one["type"], (one["type"], one["msg"])), [where, *one["loc"]])
                for one in error.errors(include_input=False)
            ]
        ) from None


# money is a Decimal here and a float there
_AS_THE_PEER = {
    "decimal_parsing": ("float_parsing", "Input should be a valid number, unable to parse string as a number"),
    "decimal_type": ("float_type", "Input should be a valid number"),
}


def _unfit(kind: str, message: str, loc: Sequence[str | int]) -> dict[str, Any]:
    return {"type": kind, "loc": list(loc), "msg": message}
