"""GET /health/readiness/details: what the worker that answers has counted."""

from tests.web.admin_client import AdminClient

CONVERSE = "/bedrock/model/{}/converse"


def test_refusals_and_calls_without_a_price_are_counted(admin: AdminClient) -> None:
    key = admin.new_key(models=["acme.*"])
    for _ in range(2):
        assert admin.post(CONVERSE.format("amazon.nova-lite-v1%3A0"), by=key, messages=[]).status_code == 403
    assert admin.post(CONVERSE.format("acme.new-v1%3A0"), by=key, messages=[]).status_code == 200
    found = admin.get("/health/readiness/details").json

    assert (found["status"], found["db"], found["refused"]) == ("healthy", "connected", {"AccessDeniedException": 2})
    assert found["ledger"]["rejected"] == 0


def test_it_is_for_administrators(admin: AdminClient) -> None:
    assert admin.get("/health/readiness/details", by=admin.new_key()).status_code == 401
