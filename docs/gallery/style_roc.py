"""Draws style-roc.png: `python docs/gallery/style_roc.py PREPARED NAME=RUN|WEIGHTS ... [--out FILE]`.

The curves of several style encoders beside each other, as in Fig. 5 of Reed et al. 2016, and their areas in a table.
"""

import argparse
from pathlib import Path

from telldraw import weights
from telldraw.commands import style_evaluation
from telldraw.commands.picture_evaluation import check_fits
from telldraw.data.collection import Collection


def main() -> None:
    """One figure, and a row of areas for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    parser.add_argument("--split", default="test")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "style-roc.png")
    options = parser.parse_args()
    collection = Collection.open(options.data)
    rows = [row for row in collection.split(options.split) if collection.captions(row)]
    known, found = style_evaluation.labels(collection, rows), {}
    for given in options.runs:
        name, _, run = given.partition("=")
        loaded = weights.load(weights.find(run))
        check_fits(loaded.card, collection)
        vectors = style_evaluation.compared(loaded, collection, rows)
        found[name] = style_evaluation.scores(vectors, known)
        print(
            name,
            *(f"{label} {score.by[style_evaluation.S].mean:.3f}" for label, score in found[name].items()),
            sep="  ",
        )
    style_evaluation.roc_sheet(found).save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
