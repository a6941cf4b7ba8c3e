"""Draws tags-codraw.png here: `python docs/gallery/tags.py RUN|WEIGHTS PREPARED`. Nothing is picked.

Its scenes are CoDraw's own, CC BY-NC 4.0, so the picture is not kept in this repository.
"""

import sys
from pathlib import Path

from telldraw import weights
from telldraw.commands import tags
from telldraw.data.collection import Collection
from telldraw.drawing.sheet import contact_sheet

OUT = Path("tags-codraw.png")


def main() -> None:
    """The words people used for ten scenes, and those that the tagger found."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    system = weights.load(weights.find(sys.argv[1])).system
    collection = Collection.open(sys.argv[2])
    sheet = contact_sheet(tags.sheet(system, collection, collection.split("test")[:10]))  # type: ignore[arg-type]
    sheet.save(OUT, optimize=True)
    print(OUT)


if __name__ == "__main__":
    main()
