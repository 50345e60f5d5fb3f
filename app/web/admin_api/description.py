"""GET /openapi.json and /docs: the admin routes described as OpenAPI 3.1, out of their own declarations.

Anyone may read them: they say what routes there are, and nothing of who uses them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from flask import Blueprint, Response, redirect
from flask_swagger_ui import get_swaggerui_blueprint  # type: ignore[import-untyped]  # it ships no types
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from app.web.access import requires_no_auth
from app.web.admin_api.routes import Nothing, Route

_REFS = "#/components/schemas/{model}"
_ACCESS = {
    "any key": "Every key may.",
    "holder": "Keys of type llm_api may not; others see and do what is theirs.",
    "administrator": "The administrator alone.",
}
_REFUSALS = {
    "400": "A field has a value that cannot be used; the message names it and says what to write.",
    "401": "No key, one that is not known, has expired or is blocked; or this is the administrator's.",
    "403": "The key is known and may not do this.",
    "404": "What was named is not there.",
    "413": "The body is larger than 1 MiB.",
    "503": "The database does not answer, or this worker is full. Retry after as many seconds as Retry-After says.",
}
_ABOUT = (
    "Virtual keys, teams, users, customers and budgets of the gateway, on the wire of LiteLLM's proxy. Calls to "
    "Bedrock itself go to /bedrock, as AWS documents them."
)
_PROXY = {
    "post": {
        "operationId": "bedrock",
        "tags": ["bedrock"],
        "summary": "Any operation of Bedrock, as AWS has it",
        "description": (
            "Every method, path, query and body of Amazon Bedrock's HTTP APIs, from "
            "/bedrock/model/{modelId}/converse on, goes to AWS as it was sent, signed anew, and its answer comes back "
            "byte for byte. AWS SDKs take <gateway>/bedrock as their endpoint URL. The gateway's own refusals have "
            "AWS's form."
        ),
        "parameters": [{"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": {"default": {"description": "As AWS answered."}},
    }
}
_STATUS = {"type": "object", "required": ["status", "db"], "additionalProperties": {"type": "string"}}
_HEALTH: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "/health/liveliness": ("The process answers", {"type": "string"}, ("200",)),
    "/health/readiness": ("Whether keys can be checked", _STATUS, ("200", "503")),
}


def create_blueprints(nouns: Mapping[str, Sequence[Route[Any, Any]]]) -> tuple[Blueprint, Blueprint]:
    """The document of these routes, by the noun they are about, and the page that shows it."""
    described = Blueprint("description", __name__)
    described.before_request(requires_no_auth)
    # made when it is first asked for: a start should not wait for it
    text = cache(lambda: json.dumps(document(nouns)))

    @described.get("/openapi.json")
    def openapi() -> Response:
        return Response(text(), content_type="application/json")

    # Flask's own redirect would name http://, also where TLS ends at a proxy in front
    @described.get("/docs")
    def docs() -> Any:
        return redirect("/docs/")

    # without a validator's badge, which would come from elsewhere, as everything else comes from the package
    settings = {"app_name": "Outcrop", "validatorUrl": None, "oauth2RedirectUrl": "/docs/oauth2-redirect.html"}
    page: Blueprint = get_swaggerui_blueprint("/docs", "/openapi.json", settings, blueprint_name="docs")
    page.before_request(requires_no_auth)
    return described, page


def document(nouns: Mapping[str, Sequence[Route[Any, Any]]]) -> dict[str, Any]:
    """The OpenAPI document."""
    schemas = _Schemas([route for routes in nouns.values() for route in routes])
    paths: dict[str, dict[str, Any]] = {"/bedrock/{path}": _PROXY}
    for path, (summary, schema, statuses) in _HEALTH.items():
        answers = {status: {"description": summary, "content": _json(schema)} for status in statuses}
        paths[path] = {"get": {"tags": ["health"], "summary": summary, "security": [], "responses": answers}}
    for noun, routes in nouns.items():
        for route in routes:
            for rule in (route.rule, *route.also):
                paths.setdefault(_template(rule), {})[route.method.lower()] = _operation(noun, rule, route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Outcrop", "version": "1", "description": _ABOUT},
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-litellm-api-key"},
            },
            "schemas": schemas.components | {"Refusal": _REFUSAL, "Unfit": _UNFIT},
        },
    }


_REFUSAL = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {name: {"type": "string"} for name in ("message", "type", "param", "code")},
        }
    },
}
_UNFIT = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "loc", "msg"],
                "properties": {"type": {"type": "string"}, "loc": {"type": "array"}, "msg": {"type": "string"}},
            },
        }
    },
}


class _Schemas:
    """What pydantic says of all bodies and answers: those that share a name get longer ones."""

    def __init__(self, routes: Iterable[Route[Any, Any]]) -> None:
        adapters: dict[tuple[str, str], tuple[JsonSchemaMode, TypeAdapter[Any]]] = {}
        for route in routes:
            adapters[route.rule + route.method, "body"] = ("validation", TypeAdapter(route.body))
            adapters[route.rule + route.method, "answer"] = ("serialization", route.written)
        found, definitions = TypeAdapter.json_schemas(
            [("/".join(name), mode, adapter) for name, (mode, adapter) in adapters.items()], ref_template=_REFS
        )
        self._found = {name: schema for (name, _), schema in found.items()}
        self.components: dict[str, Any] = definitions.get("$defs", {})

    def of(self, route: Route[Any, Any], part: str) -> dict[str, Any]:
        """`part`: body or answer."""
        return self._found[f"{route.rule}{route.method}/{part}"]


def _operation(noun: str, rule: str, route: Route[Any, Any], schemas: _Schemas) -> dict[str, Any]:
    content = _json(schemas.of(route, "answer")) | (_CSV if route.table else {})
    answer = {"description": route.summary, "content": content}
    refusals = {status: _refusal(text, "Refusal") for status, text in _REFUSALS.items()}
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()} {rule}".translate(_ID),
        "tags": [noun],
        "summary": route.summary,
        "description": _ACCESS[route.access],
        "parameters": [*_path_parameters(rule), *_query_parameters(route.query)],
        "responses": {
            "200": answer,
            **refusals,
            "422": _refusal("What was sent has not the form it must have.", "Unfit"),
        },
    }
    if route.body is not Nothing:
        required = any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": _json(schemas.of(route, "body"))}
    return operation


_CSV = {"text/csv": {"schema": {"type": "string"}}}
_ID = str.maketrans({" ": "_", "/": "_", "<": None, ">": None, ".": "_"})


def _path_parameters(rule: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in rule.split("/") if part.startswith("<")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    schema = query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": one}
        for name, one in schema.get("properties", {}).items()
    ]


def _refusal(text: str, schema: str) -> dict[str, Any]:
    return {"description": text, "content": _json({"$ref": _REFS.format(model=schema)})}


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _template(rule: str) -> str:
    return rule.replace("<", "{").replace(">", "}")
