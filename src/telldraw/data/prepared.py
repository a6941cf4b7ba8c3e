"""Opens a prepared data set of any form. Loads no torch."""

from pathlib import Path

from telldraw.data import archive, collection
from telldraw.data.archive import Dataset
from telldraw.data.collection import Collection

FORMS: dict[str, type[Dataset] | type[Collection]] = {archive.FORMAT: Dataset, collection.FORMAT: Collection}
"""What the manifest says -> what opens it."""


def open_prepared(path: Path | str) -> Dataset | Collection:
    """Open what `telldraw prepare` wrote. Raises DataError when it is not that, not whole, or damaged."""
    path = Path(path)
    form = archive.read_manifest(path)["format"]
    return FORMS.get(form, Dataset).open(path)  # an unknown form is refused, with what it is
