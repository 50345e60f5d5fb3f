"""Where ended calls are booked."""

from app.core.messages import CallRecord


class NoLedger:
    """Books nothing: usage and cost are not metered yet. The place where they will be is called all the same."""

    def settle(self, record: CallRecord) -> None:
        """Called exactly once a call, before the caller sees its end."""
