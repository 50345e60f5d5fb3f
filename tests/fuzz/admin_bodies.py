"""The admin routes: whatever is posted to them, the answer is one that they mean to give."""

import atexit
import json
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from app.store.schema import Schema
from tests.fuzz.target import Target
from tests.web.admin_client import MASTER_KEY, AdminClient

_ANSWERS = {200, 400, 401, 403, 404, 405, 409, 413, 422}
# these ask AWS, whose stand-in here knows nothing of them
_LEFT_OUT = ("/health/test_connection",)


@cache
def _client() -> AdminClient:
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outcrop-fuzz-")))
    client = AdminClient.on(f"sqlite:///{folder / 'fuzz.db'}", folder, SECRET_KEY="0123456789abcdef" * 2)
    stack.callback(client.close)
    with client.app.app_context():
        schema: Schema = client.app.extensions["schema"]
        schema.create()
    return client


@cache
def _routes() -> list[str]:
    rules = {rule.rule for rule in _client().app.url_map.iter_rules() if rule.methods and "POST" in rule.methods}
    return sorted(rule for rule in rules if "<" not in rule and rule not in _LEFT_OUT and "bedrock" not in rule)


def _check(data: bytes) -> None:
    """The first byte says which route."""
    routes = _routes()
    route = routes[(data[0] if data else 0) % len(routes)]
    answer = _client().send(route, data[1:], MASTER_KEY)
    assert answer.status_code in _ANSWERS, (route, answer.status_code, answer.text[:500])
    assert answer.json is not None, (route, answer.text[:500])


def _seeds() -> list[bytes]:
    bodies: tuple[object, ...] = (
        {},
        {"models": ["amazon.*"], "max_budget": 1.5, "budget_duration": "30d", "rpm_limit": 10, "metadata": {"a": [1]}},
        {"key": "sk-1", "key_alias": "a", "duration": "1h", "team_id": "t", "user_id": "u", "blocked": True},
        {"team_alias": "t", "members_with_roles": [{"role": "admin", "user_id": "u"}], "tpm_limit": 1},
        {"team_id": "t", "member": {"role": "user", "user_id": "u", "user_email": "a@example.com"}},
        {"user_id": "u", "end_user_id": "e", "budget_id": "b", "soft_budget": 0, "allowed_routes": ["/x"]},
        {"keys": ["sk-1"], "team_ids": ["t"], "user_ids": ["u"], "budgets": ["b"], "key_aliases": ["a"]},
    )
    return [bytes([route]) + json.dumps(body).encode() for route in range(0, 60, 2) for body in bodies]


TARGET = Target(
    "admin-bodies",
    _seeds,
    _check,
    words=(
        *(b'"key":', b'"models":', b'"max_budget":', b'"duration":', b'"metadata":', b"1e308", b"1e-400", b"NaN"),
        *(b'"\\ud800"', b'"\\u0000"', b"9" * 400, b"-1", b'"30d"', b'"9999999999999d"', b"[[]]", b'{"a":1,"a":2}'),
        *(b'"2026-11-26T10:00:00Z"', b'"0001-01-01"', b'"team_id":', b'"user_id":', b'"budget_id":'),
    ),
    quick=250,
)
