"""boto3 calls each operation twice, straight at the stand-in and through the gateway: AWS must see the same call."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from app.core.operations import OperationsTable, load_table
from tests.conftest import boto3_client, boto3_session
from tests.end_to_end.sample_inputs import sample
from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.standin_bedrock import ACCESS_KEY_ID, SECRET_ACCESS_KEY, StandinBedrock
from tests.standin_messages import Recorded, json_answer

SERVICES = sorted(name for name in load_table().services if name != "bedrock-mantle")
# InvokeModelWithBidirectionalStream is the 523rd: it needs HTTP/2, and boto3 does not offer it either
OPERATIONS = 522
# What belongs to one hop or one attempt, or is the signature itself
OWN_TO_EACH = frozenset(
    "host authorization x-amz-date x-amz-security-token x-amz-content-sha256 connection "
    "amz-sdk-invocation-id amz-sdk-request".split()
)


@pytest.fixture
def answers_nothing(standin: StandinBedrock) -> StandinBedrock:
    standin.answer = lambda request: json_answer({})
    return standin


def test_boto3_reaches_every_operation_as_if_there_were_no_gateway(
    answers_nothing: StandinBedrock, gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    same, different = 0, []
    for service in SERVICES:
        straight = boto3_client(
            service, answers_nothing.url(service), None, credentials=(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
        )
        through = boto3_client(service, gateway.url + "/bedrock", MASTER_KEY)
        for operation, method in _operations(straight):
            content = _input(service, operation)
            problem = _difference(
                _recorded(answers_nothing, partial(_call, straight, method, content)),
                _recorded(answers_nothing, partial(_call, through, method, content)),
            )
            if problem:
                different.append(f"{service} {operation}: {problem}")
            else:
                same += 1
    with capsys.disabled():
        sys.stdout.write(f" {same}/{OPERATIONS} ")

    assert different == []
    assert same == OPERATIONS


def _operations(client: Any) -> list[tuple[str, str]]:
    """The client's methods with their operations; what boto3 names without offering it is left out."""
    named = client.meta.method_to_api_mapping.items()
    return sorted((operation, method) for method, operation in named if hasattr(client, method))


def _call(client: Any, method: str, content: dict[str, Any]) -> None:
    reply = getattr(client, method)(**content)
    for member in reply.values():
        if hasattr(member, "close"):
            member.close()


def _input(service: str, operation: str) -> dict[str, Any]:
    table = load_table()
    row = next(row for row in table.operations if (row.service, row.operation) == (service, operation))
    patterns = {label: table.patterns[name] for label, name in row.label_patterns.items()}
    model = boto3_session()._session.get_service_model(service)
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return {}
    return sample(shape, patterns, _arns(table, service, operation))


def _arns(table: OperationsTable, service: str, operation: str) -> dict[str, str]:
    """An ARN of the service's own for the operations that two services share."""
    row = next(row for row in table.operations if (row.service, row.operation) == (service, operation))
    if not row.arn:
        return {}
    of = row.arn.get("service", "bedrock")
    kind = (row.arn.get("resource") or ["knowledge-base" if service == "bedrock-agent" else "runtime"])[-1]
    arn = f"arn:aws:{of}:us-east-1:123456789012:{kind}/abc-1.2"
    return {"resourceArn": arn, "resourceARN": arn}


def _recorded(standin: StandinBedrock, call: Callable[[], None]) -> Recorded:
    before = len(standin.requests)
    call()
    assert len(standin.requests) == before + 1

    return standin.requests[-1]


def _difference(straight: Recorded, through: Recorded) -> str | None:
    """What of the call AWS would see otherwise, or None."""
    if MASTER_KEY.encode() in through.raw:
        return "the key was forwarded"
    if through.verdict is None or not through.verdict.ok:
        return f"the signature does not hold: {through.verdict}"
    for what in ("service", "method", "target", "body"):
        if getattr(straight, what) != getattr(through, what):
            return f"{what}: {getattr(straight, what)!r} became {getattr(through, what)!r}"
    first, second = _end_to_end(straight), _end_to_end(through)
    if first != second:
        return f"headers: {sorted(first ^ second)}"
    return None


def _end_to_end(request: Recorded) -> set[tuple[str, str]]:
    headers = ((name.lower(), value) for name, value in request.headers)
    return {(name, value) for name, value in headers if name not in OWN_TO_EACH}
