"""Numbers in sentences: refused where they are too small, and with the right noun behind them."""

from telldraw.errors import TelldrawError


def at_least(*flags: tuple[str, float | None, int]) -> None:
    """Raise TelldrawError for the first (flag, value, least) whose value is below its least one; None is not given."""
    for flag, value, least in flags:
        if value is not None and value < least:
            raise TelldrawError(f"{flag} {value}: at least {least} is needed")


def counted(count: int, one: str, many: str | None = None) -> str:
    """1 picture, 2,000 pictures; `many` where the plural is not `one` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
