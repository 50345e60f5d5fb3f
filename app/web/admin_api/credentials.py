"""/credentials, which the peer's clients list: this gateway keeps no credentials of others, so there are none."""

from typing import Any

from app.web.admin_api.routes import AdminCall, Nothing, Route
from app.web.admin_api.wire_model import WireModel


class Credentials(WireModel):
    """An empty list."""

    success: bool = True
    credentials: tuple[str, ...] = ()


def routes() -> list[Route[Any, Any]]:
    """/credentials."""

    def view(call: AdminCall[Nothing, Nothing]) -> Credentials:
        return Credentials()

    summary = "List stored credentials: none, the gateway's are its own."
    return [Route("GET", "/credentials", summary, "administrator", Nothing, Nothing, Credentials, view)]
