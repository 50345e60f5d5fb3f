"""GET /health/liveliness, /health/liveness and /health/readiness, as the peer's clients and probes read them."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from app.gateway.key_directory import Freshness
from app.web.access import requires_no_auth

# A revocation must have arrived by then: a worker that cannot promise it says so.
_FRESH_SECONDS = 1.0


def create_blueprint(database_answers: Callable[[], bool], keys: Callable[[], Freshness] | None) -> Blueprint:
    """`database_answers`: whether the database can be reached now. `keys`: how fresh they are; None: none are used."""
    blueprint = Blueprint("health", __name__, url_prefix="/health")
    blueprint.before_request(requires_no_auth)

    @blueprint.get("/liveliness")
    @blueprint.get("/liveness")
    def liveness() -> Response:
        return jsonify("I'm alive!")

    @blueprint.get("/readiness")
    def readiness() -> tuple[Response, int]:
        """200 also without the database, as long as keys that are known go on being served."""
        answer = {"status": "healthy", "db": "connected" if database_answers() else "unreachable"}
        freshness = keys() if keys else Freshness(0, expired=False)
        if freshness.age > _FRESH_SECONDS:
            answer["keys"] = f"not refreshed for {freshness.age:.0f} s"
        if freshness.expired:
            answer["status"] = "unhealthy"
        return jsonify(answer), 503 if freshness.expired else 200

    return blueprint
