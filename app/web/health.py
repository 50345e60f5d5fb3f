"""GET /health/liveliness, /health/liveness and /health/readiness, as the peer's clients and probes read them."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from app.web.access import requires_no_auth


def create_blueprint(database_answers: Callable[[], bool]) -> Blueprint:
    """`database_answers`: whether the database can be reached now."""
    blueprint = Blueprint("health", __name__, url_prefix="/health")
    blueprint.before_request(requires_no_auth)

    @blueprint.get("/liveliness")
    @blueprint.get("/liveness")
    def liveness() -> Response:
        return jsonify("I'm alive!")

    @blueprint.get("/readiness")
    def readiness() -> Response:
        """200 also without the database: keys that are known go on being served."""
        return jsonify(status="healthy", db="connected" if database_answers() else "unreachable")

    return blueprint
