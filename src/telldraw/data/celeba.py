"""Faces of CelebA-HQ with what others added to them: Multi-Modal CelebA-HQ, and CelebAMask-HQ by itself.

Multi-Modal CelebA-HQ (Xia et al., CVPR 2021): ten captions each, made from the attributes, masks and sketches.

    image/images/N.jpg, images/N.jpg or CelebA-HQ-img/N.jpg      text/celeba-caption/N.txt or celeba-caption/N.txt
    label/N.png                              sketch/N.png or sketch/N_edges.jpg
    train/filenames.pickle and test/filenames.pickle: lists of names, read without running what else a pickle may hold

CelebAMask-HQ (Lee et al., CVPR 2020): a mask for each part of a face, attributes, and where a face is from.

    CelebA-HQ-img/N.jpg                      CelebAMask-HQ-mask-anno/(N // 2000)/(N as 00000)_PART.png
    CelebAMask-HQ-attribute-anno.txt         CelebA-HQ-to-CelebA-mapping.txt

What of this is missing is taken from the other where both are named; without lists the first four fifths by number are
trained on, as the author says of them. Masks come out numbered as `REGIONS` has them, whatever their order was.
"""

from dataclasses import dataclass
from pathlib import Path

from telldraw.data.captioned import How, Picture, Report, captions_in, owned, store
from telldraw.data.celeba_files import ATTRIBUTES, attributes, beside, pictures_in, roots_of
from telldraw.data.celeba_splits import LISTS, Way, splits_of
from telldraw.data.faults import LeftOut
from telldraw.errors import DataError

CAPTIONS = 10
_TEXTS = ("text/celeba-caption", "celeba-caption", "text")


@dataclass(frozen=True)
class Choices:
    """What is read of these faces."""

    name: str = "mm-celeba"
    """Or celebamask-hq, which has no captions."""
    celebamask: Path | None = None
    """CelebAMask-HQ, for what the first folder lacks."""
    splits: Way = "auto"
    swap: bool = False
    """Take each list of names for the other."""
    sketches: str = "own"
    """own, derived, none, or a folder."""
    regions: bool = True
    order: str = "list2"
    """In which the parts of masks are, or were, merged."""


def prepare_celeba(source: Path, out: Path, how: How, choices: Choices) -> Report:
    """Read one of the two, write the set `out`. Raises DataError naming what is wrong."""
    left_out = LeftOut(how.tell, strict=how.strict)
    roots = roots_of(source, choices.celebamask)
    files = pictures_in(roots)
    texts = None
    if choices.name == "mm-celeba":
        texts = next((root / place for root in roots for place in _TEXTS if (root / place).is_dir()), None)
        if texts is None:
            raise DataError(
                f"{source} has no captions of the faces: {' or '.join(_TEXTS)} was expected; without captions it is "
                "telldraw prepare celebamask-hq"
            )
    split_of, by = splits_of(roots, list(files), choices.splits, choices.swap, how.tell)
    classes, shown = attributes(roots)
    found = beside(roots, choices.sketches, choices.regions, choices.order, left_out)
    pictures = []
    for face, file in files.items():
        try:
            if face not in split_of:
                raise DataError(f"{file} is in neither of the lists of names; take all of one release")
            if classes and face not in shown:
                raise DataError(f"{ATTRIBUTES} has no line for {face}.jpg; take the file of all 30,000 faces")
            captions = captions_in(texts / f"{face}.txt", CAPTIONS) if texts is not None else []
            pictures.append(Picture(file, split_of[face], shown.get(face, ()), captions, maps=found.of(face)))
        except DataError as error:
            left_out(file.name, str(error))
    folder = next(iter(files.values())).parent
    for face in sorted(set(split_of) - set(files), key=int) if by.startswith(LISTS) else ():
        left_out(face, f"{folder / face}.jpg is missing, and the lists of names have it; unpack the pictures again")
    facts = {"classes": classes, "many": bool(classes), "split by": by, "remarks": found.remarks}
    return store(out, pictures, owned(choices.name) | facts | found.facts, left_out, how, maps=found.maps)
