"""What could not be used of a source: told one by one while there are few, counted and kept for the manifest."""

from collections.abc import Callable

from telldraw.errors import DataError

TOLD = 20
"""Faults that are told one by one."""


class LeftOut:
    """Hears of every fault; with `strict` the first one is an error."""

    def __init__(self, tell: Callable[[str], None], *, strict: bool = False) -> None:
        self._tell, self._strict = tell, strict
        self.faults: list[tuple[str, str]] = []
        """What was left out, and why."""

    def __call__(self, name: str, what: str) -> None:
        """Leave `name` out because of `what`. Raises DataError when strict."""
        if self._strict:
            raise DataError(what)
        self.faults.append((name, what))
        if len(self.faults) <= TOLD:
            self._tell(f"left out {name}: {what}")
        elif len(self.faults) == TOLD + 1:
            self._tell("further ones are left out too; the manifest will list them all")
