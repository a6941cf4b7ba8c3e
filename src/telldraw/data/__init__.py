"""The data sets telldraw can prepare, and who owns them. Listing them loads nothing heavy.

A new data set is one module here, one line in the table, and its flags in `commands/prepare.py`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One row of the table."""

    summary: str
    """What is in it, in a line."""
    licence: str
    """The owner's terms; they hold for what is prepared from it too."""
    size: str
    """How much there is, and how much room the prepared form takes."""
    batch: str
    """Name of the type in `telldraw.batches` that the loader gives."""
    url: str
    """Where the owner distributes it."""


DATASETS: dict[str, Entry] = {
    "codraw": Entry(
        summary="Abstract Scenes drawn turn by turn: what a Teller said and the Drawer's canvas after it",
        licence="CC BY-NC 4.0",
        size="9,993 dialogues, 42,508 turns; 2.1 GB prepared at 128 x 128",
        batch="Dialogues",
        url="https://github.com/facebookresearch/CoDraw",
    ),
}
