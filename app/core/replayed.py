"""What became of lines that were to be booked later."""

from dataclasses import dataclass


@dataclass(slots=True)
class Replayed:
    """Counts. `new`: booked now; `there`: in the ledger before; `rejected`: calls that the database does not take;
    `damaged`: lines that were postings or records, and cannot be read; `passed_over`: other lines."""

    new: int = 0
    there: int = 0
    rejected: int = 0
    damaged: int = 0
    passed_over: int = 0

    @property
    def lines(self) -> int:
        """All that was read."""
        return self.new + self.there + self.rejected + self.damaged + self.passed_over


class NotForThisDatabase(Exception):
    """A file of the spool that was written for another database."""
