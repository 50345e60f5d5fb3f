"""Which names there are to be looked up, so that a flood of others cannot keep a worker from looking these up."""

from collections.abc import Iterable

from app.core.registry_messages import ChangedName


class IssuedNames:
    """A set that may say yes to what is not there, never no to what is: a name takes 80 bytes, however long it is.

    Two names may have one hash. That costs a look-up, and python's hashes are salted, so that nobody can look for them.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def __contains__(self, name: ChangedName) -> bool:
        return hash(name) in self._hashes

    def replace(self, names: Iterable[ChangedName]) -> None:
        """All there are now."""
        self._hashes = {hash(name) for name in names}

    def add(self, name: ChangedName) -> None:
        """One more. None is taken out: it is found missing when it is looked up, and then known to be."""
        self._hashes.add(hash(name))
