"""How many refused callers a worker waits for at once: each holds a connection that others want."""


class Patience:
    """So many at once, and then none."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self) -> bool:
        """Whether one more may be waited for."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """One is waited for no longer."""
        self._left += 1


# A third of the connections that a worker has beside its calls. Others see theirs closed, perhaps without their answer.
PATIENCE = Patience(300)
