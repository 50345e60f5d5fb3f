"""The operations table as it is searched."""

import dataclasses
import re

import pytest

from app.core.operations import Operation, OperationsTable, labels, load_table

SERVICE = {"service_id": "One", "endpoint_prefix": "one", "signing_name": "one"}


def row(service: str, operation: str, line: str, **more: object) -> dict[str, object]:
    method, path = line.split(" ")
    return {"service": service, "operation": operation, "method": method, "path": path, "effect": "read", **more}


def table(*rows: dict[str, object]) -> OperationsTable:
    return OperationsTable(
        {
            "services": {"one": SERVICE, "two": SERVICE},
            "partitions": [{"regex": "^us-", "dns_suffix": "aws", "dual_stack_dns_suffix": "api.aws"}],
            "patterns": {"Id": "[a-z]+"},
            "operations": list(rows),
        }
    )


THINGS = table(
    row("one", "List", "GET /things/"),
    row("one", "Get", "GET /things/{id}"),
    row("one", "GetPart", "GET /things/{id}/parts/{part}"),
    row("one", "GetSpecial", "GET /things/special/parts/{name}"),
    row("one", "Make", "POST /things"),
    row("one", "Root", "POST /", target="One.Root"),
    row("one", "Tag", "PUT /tags/{arn}"),
    row("two", "Tag", "PUT /tags/{resource}"),
    row("two", "Make", "POST /things", named_only=True),
)


def names(method: str, path: str, service: str | None = None) -> list[str]:
    found = THINGS.find(method, path.split("/")[1:], service)
    return [f"{operation.service}.{operation.operation}" for operation in found]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("GET /things/", ["one.List"]),
        ("GET /things", []),
        ("GET /things/a", ["one.Get"]),
        ("GET /things/a/", []),
        ("GET /things/a/parts/b", ["one.GetPart"]),
        ("GET /things/a/parts/", []),
        ("GET /things//parts/b", []),
        ("GET /things/a/Parts/b", []),
        ("GET /things/a/parts/b/c", []),
        ("GET /THINGS/", []),
        ("POST /things", ["one.Make"]),
        ("POST /things/", []),
        ("POST /", ["one.Root"]),
        ("GET /", []),
        ("DELETE /things/a", []),
        ("get /things/a", []),
        ("GET /things/{id}", ["one.Get"]),
    ],
)
def test_method_and_path_must_fit_exactly(line: str, found: list[str]) -> None:
    assert names(*line.split(" ")) == found


def test_a_label_is_one_segment_whatever_it_holds() -> None:
    assert THINGS.find("GET", ("things", "a/b c%2F"), None)[0].operation == "Get"


def test_a_literal_does_not_hide_a_label() -> None:
    assert sorted(names("GET", "/things/special/parts/b")) == ["one.GetPart", "one.GetSpecial"]


def test_services_that_share_a_path_are_both_found() -> None:
    assert names("PUT", "/tags/a") == ["one.Tag", "two.Tag"]


@pytest.mark.parametrize("service", ["one", "two"])
def test_a_named_service_finds_its_own(service: str) -> None:
    assert names("PUT", "/tags/a", service) == [f"{service}.Tag"]


def test_a_service_without_the_path_finds_nothing() -> None:
    assert names("GET", "/things/", "two") == []


def test_what_is_meant_by_name_only_is_found_by_name_only() -> None:
    assert names("POST", "/things") == ["one.Make"]
    assert names("POST", "/things", "two") == ["two.Make"]


def test_labels_are_taken_from_their_places() -> None:
    operation = THINGS.find("GET", ("things", "a", "parts", "b"), None)[0]

    assert labels(operation, ("things", "a", "parts", "b/c")) == {"id": "a", "part": "b/c"}


def test_services_that_share_a_path_keep_their_own_names_of_labels() -> None:
    one, two = THINGS.find("PUT", ("tags", "x"), None)

    assert (labels(one, ("tags", "x")), labels(two, ("tags", "x"))) == ({"arn": "x"}, {"resource": "x"})


def test_lists_of_a_row_become_tuples() -> None:
    found = table(row("one", "Get", "GET /a", models=["path.id"], resources=["body.x"])).operations[0]

    assert (found.models, found.resources) == (("path.id",), ("body.x",))


def test_patterns_and_partitions_are_ready_to_match() -> None:
    assert THINGS.patterns == {"Id": re.compile("[a-z]+")}
    assert THINGS.partitions[0].regions == re.compile("^us-")


def test_an_operation_cannot_be_changed() -> None:
    operation = THINGS.operations[0]

    with pytest.raises(dataclasses.FrozenInstanceError):
        operation.effect = "inference"  # type: ignore[misc]  # what must not work


def test_the_table_that_ships_is_read_once() -> None:
    assert load_table() is load_table()


def test_every_service_of_an_operation_is_described() -> None:
    assert {operation.service for operation in load_table().operations} == set(load_table().services)


def test_every_pattern_that_an_operation_names_exists() -> None:
    def unknown(operation: Operation) -> set[str]:
        return set(operation.label_patterns.values()) - set(load_table().patterns)

    assert [operation for operation in load_table().operations if unknown(operation)] == []


def test_only_what_botocore_says_takes_a_bearer_token() -> None:
    bearers = {name for name, service in load_table().services.items() if service.bearer}

    assert bearers == {"bedrock", "bedrock-runtime", "bedrock-mantle"}


@pytest.mark.parametrize(
    ("region", "dns_suffix"),
    [
        ("us-east-1", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-iso-east-1", "c2s.ic.gov"),
        ("us-isob-east-1", "sc2s.sgov.gov"),
    ],
)
def test_a_region_is_in_one_partition(region: str, dns_suffix: str) -> None:
    assert [found.dns_suffix for found in load_table().partitions if found.regions.match(region)] == [dns_suffix]
