"""The OpenAPI document says what the routes do, and the routes do what it says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.admin_client import MASTER_KEY, AdminClient

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HEADERS = {"Authorization": f"Bearer {MASTER_KEY}"}
# routes that are not described by their declarations
OTHER = {"/bedrock/{path}", "/health/liveliness", "/health/readiness"}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def client(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminClient]:
    """One for all: nothing here is about what is kept."""
    folder = tmp_path_factory.mktemp("description")
    path = folder / "outcrop.db"
    path.write_bytes(sqlite_template.read_bytes())
    client = AdminClient.on(f"sqlite:///{path}", folder)
    yield client
    client.close()


@pytest.fixture(scope="module")
def document(client: AdminClient) -> Any:
    answer = client.get("/openapi.json", None)
    assert answer.status_code == 200
    return answer.json


def test_every_admin_route_is_described_and_no_other(client: AdminClient, document: Any) -> None:
    described = {(path, method) for path, item in document["paths"].items() for method in item} - {
        (path, method) for path in OTHER for method in METHODS
    }
    served = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] not in {"bedrock_proxy", "health", "description", "docs"}
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert described == served
    assert set(document["paths"]) >= OTHER


def test_every_operation_has_a_name_of_its_own_and_names_what_there_is(document: Any) -> None:
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations if "operationId" in operation]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))

    assert len(names) == len(set(names))
    assert all(operation["summary"] for operation in operations)
    assert references <= set(document["components"]["schemas"])
    assert document["openapi"].startswith("3.1")
    assert {"bearer", "header"} == set(document["components"]["securitySchemes"])


def test_only_what_makes_a_key_answers_with_one(document: Any) -> None:
    secret = {
        name for name, schema in document["components"]["schemas"].items() if "token_id" in schema.get("properties", {})
    }
    answering = {
        path
        for path, item in document["paths"].items()
        for operation in item.values()
        if secret & set(re.findall(r"schemas/(\w+)", json.dumps(operation["responses"].get("200", {}))))
    }

    assert answering == {
        "/key/generate",
        "/key/service-account/generate",
        "/key/regenerate",
        "/key/{key}/regenerate",
        "/user/new",
    }


def test_the_page_is_served_whole_and_names_nothing_from_elsewhere(client: AdminClient) -> None:
    page = client.get("/docs/", None)
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.status_code == 200
    assert len(named) >= 4
    assert {name: client.get(name, None).status_code for name in named} == dict.fromkeys(named, 200)
    assert '"url": "/openapi.json"' in page.text
    assert '"validatorUrl": null' in page.text
    assert re.findall(r"https?://", page.text) == []


def test_the_page_is_found_without_its_slash_whatever_the_scheme_in_front(client: AdminClient) -> None:
    answer = client.get("/docs", None)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs/")
    assert "http:" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/docs/../app/settings.py", "/docs/%2e%2e/__init__.py", "/docs/..%2f..%2f..%2fetc/passwd", "/docs//etc/passwd"],
)
def test_the_page_serves_its_own_files_alone(client: AdminClient, path: str) -> None:
    assert client.get(path, None).status_code == 404


def test_what_is_described_holds_whatever_is_sent(client: AdminClient, document: Any) -> None:
    """schemathesis: what fits the document, what does not, and its own favourites, at every admin route."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", client.app).exclude(path=sorted(OTHER))
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]

    for operation in operations:
        _drive(operation.as_strategy(GenerationMode.POSITIVE))
        # of an operation that takes nothing, nothing can be wrong
        if operation.body or operation.query:
            _drive(operation.as_strategy(GenerationMode.NEGATIVE))

    assert len(operations) == sum(len(item) for path, item in document["paths"].items() if path not in OTHER)


def _drive(cases: Any) -> None:
    @settings(max_examples=3, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def test(case: Any) -> None:
        case.call_and_validate(headers=HEADERS, checks=CHECKS)

    test()
