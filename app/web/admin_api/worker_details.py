"""GET /health/readiness/details: what the worker that answers has counted since it started, and how its books stand."""

from typing import Annotated, Any

from pydantic import Field

from app.gateway.tallies import Tally
from app.web.admin_api.key_answers import OffsetMoment
from app.web.admin_api.routes import AdminCall, Nothing, Route
from app.web.admin_api.wire_model import WireModel


class LedgerDetails(WireModel):
    """Ended calls that are not in the database yet."""

    queued: int
    spooled: Annotated[int, Field(description="On the disk, to be booked when the database answers.")]
    kept: Annotated[int, Field(description="In memory and in the log alone: the disk takes nothing.")]
    rejected: Annotated[int, Field(description="Set aside since the start: see the log.")]
    oldest: OffsetMoment | None
    away_since: OffsetMoment | None


class WorkerDetails(WireModel):
    """Of one worker: each counts for itself."""

    status: str = "healthy"
    db: Annotated[str, Field(description="connected, or unreachable by what was booked last.")]
    refused: Annotated[dict[str, int], Field(description="Calls that were refused, by the error's code.")]
    in_flight: Annotated[int, Field(description="Calls that it holds now.")]
    turned_away: Annotated[int, Field(description="Calls that were refused as it held OUTCROP_MAX_IN_FLIGHT others.")]
    unpriced: Annotated[int, Field(description="Calls whose model has no price.")]
    ledger: LedgerDetails


def routes(tally: Tally) -> list[Route[Any, Any]]:
    """/health/readiness/details."""

    def view(call: AdminCall[Nothing, Nothing]) -> WorkerDetails:
        found = tally.now()
        backlog = found.backlog
        ledger = LedgerDetails(
            queued=backlog.queued,
            spooled=backlog.spooled,
            kept=backlog.kept,
            rejected=backlog.rejected,
            oldest=backlog.oldest,
            away_since=backlog.away_since,
        )
        db = "unreachable" if backlog.away_since else "connected"
        return WorkerDetails(
            db=db,
            refused=dict(found.refused),
            in_flight=found.in_flight,
            turned_away=found.turned_away,
            unpriced=found.unpriced,
            ledger=ledger,
        )

    summary = "Tell what the worker that answers has refused, and what it has not booked yet."
    return [
        Route(
            "GET",
            "/health/readiness/details",
            summary,
            "administrator",
            Nothing,
            Nothing,
            WorkerDetails,
            view,
            reads=True,
        )
    ]
