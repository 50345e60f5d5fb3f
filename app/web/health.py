"""GET /health/liveliness, /health/liveness and /health/readiness, as the peer's clients and probes read them."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from app.gateway.registry_watch import Freshness
from app.web.access import requires_no_auth

# A revocation must have arrived by then: a worker that cannot promise it says so.
_FRESH_SECONDS = 1.0


def create_blueprint(keys: Callable[[], Freshness]) -> Blueprint:
    """`keys`: how fresh they are, which also says how the database is: a probe must not wait for one that hangs."""
    blueprint = Blueprint("health", __name__, url_prefix="/health")
    blueprint.before_request(requires_no_auth)

    @blueprint.get("/liveliness")
    @blueprint.get("/liveness")
    def liveness() -> Response:
        return jsonify("I'm alive!")

    @blueprint.get("/readiness")
    def readiness() -> tuple[Response, int]:
        """200 also without the database, as long as keys that are known go on being served."""
        freshness = keys()
        is_fresh = freshness.age <= _FRESH_SECONDS
        answer = {
            "status": "unhealthy" if freshness.expired else "healthy",
            "db": "connected" if freshness.answers and is_fresh else "unreachable",
        }
        if not is_fresh:
            answer["keys"] = f"not refreshed for {freshness.age:.0f} s"
        return jsonify(answer), 503 if freshness.expired else 200

    return blueprint
