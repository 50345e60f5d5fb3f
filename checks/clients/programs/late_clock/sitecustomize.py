"""Python imports this when it starts: a machine whose clock is 10 minutes behind, for all that ask datetime."""

import datetime as dt

BEHIND = dt.timedelta(minutes=10)


class LateDatetime(dt.datetime):
    """The time as that machine has it."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> "LateDatetime":
        return super().now(tz) - BEHIND


dt.datetime = LateDatetime  # type: ignore[misc]  # that is what this file is for
