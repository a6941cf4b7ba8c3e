"""The flags of `telldraw prepare` for owners' sets of faces."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from telldraw.commands.prepare_captioned import Common, SetFlags, prepared

Order = Literal["list2", "list1", "parsing"]
Splits = Literal["auto", "lists", "official", "number"]


@dataclass(frozen=True)
class MMCelebA:
    """Prepare Multi-Modal CelebA-HQ: faces with captions and, as far as they are there, sketches, regions, attributes.

    Its pictures and masks are no longer distributed with its captions; --celebamask takes them from CelebAMask-HQ. Any
    of the layouts of docs/data/real-faces.md will do. Then look: telldraw data SET --split test --sheet look.png
    """

    common: SetFlags = field(default_factory=Common)
    celebamask: Path | None = None
    """Folder of CelebAMask-HQ (CelebA-HQ-img, CelebAMask-HQ-mask-anno), for what is not in --from: pictures, masks,
    attributes."""
    splits: Splits = "auto"
    """What is trained on: `lists`, train/filenames.pickle and test/filenames.pickle (24,000 and 6,000); `official`,
    the parts of CelebA by CelebA-HQ-to-CelebA-mapping.txt; `number`, the first four fifths; `auto`, the first of these
    that is there."""
    swap: bool = False
    """Take each of the two lists for the other: some copies have them swapped, which is said where it seems so."""
    sketches: str = "own"
    """The sketches: `own`, those in sketch/; `derived`, lines that telldraw finds in the pictures; `none`; or a folder
    of files 0.png or 0_edges.jpg."""
    regions: bool = True
    """Whether each face has a map of its regions, from label/ or from CelebAMask-HQ-mask-anno/."""
    order: Order = "list2"
    """In which order the masks' parts are merged, or were when label/ was made; regions come out numbered as list2 has
    them. `parsing` is that of face-parsing.PyTorch."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        _celeba("mm-celeba", self, self.celebamask, self.swap)


@dataclass(frozen=True)
class CelebAMaskHQ:
    """Prepare CelebAMask-HQ: faces with maps of 19 regions and 40 attributes, as its archive unpacks.

    Trained on, validated and tested are the parts of CelebA (24,183, 2,993 and 2,824 faces) where its mapping is there.
    """

    common: SetFlags = field(default_factory=Common)
    splits: Splits = "auto"
    """What is trained on: `official`, the parts of CelebA by CelebA-HQ-to-CelebA-mapping.txt; `lists`, those of
    Multi-Modal CelebA-HQ, put beside it; `number`, the first four fifths; `auto`: lists, else official, else number."""
    sketches: str = "none"
    """The sketches: `derived`, lines that telldraw finds in the pictures; `none`; `own`, those in sketch/; or a folder
    of files 0.png or 0_edges.jpg."""
    regions: bool = True
    """Whether each face has a map of its regions, from CelebAMask-HQ-mask-anno/ or label/."""
    order: Order = "list2"
    """In which order the masks' parts are merged, later ones over earlier ones; regions come out numbered as list2 has
    them. `parsing` is that of face-parsing.PyTorch."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        _celeba("celebamask-hq", self, None, False)


def _celeba(name: str, flags: MMCelebA | CelebAMaskHQ, celebamask: Path | None, swap: bool) -> None:
    from telldraw.data.celeba import Choices, prepare_celeba

    choices = Choices(name, celebamask, flags.splits, swap, flags.sketches, flags.regions, flags.order)
    prepared(name, flags.common, "crop", prepare_celeba, choices=choices)


@dataclass(frozen=True)
class FASSEG:
    """Prepare FASSEG: faces with maps of six regions, from the front (70) and from all sides (274).

    The people of multipose01 that are tested on are never trained on; those from the front are, as its owner has it.
    """

    common: SetFlags = field(default_factory=Common)
    part: Literal["all", "frontal01", "frontal02", "multipose01"] = "all"
    """Which of its sets: frontal02 is frontal01 with better masks; `all` is frontal02 and multipose01."""
    fit: Literal["pad", "crop", "stretch"] = "pad"
    """How a picture becomes a square: a border in the colour of what is behind the face; its middle; or squeezed."""
    sketches: str = "derived"
    """The sketches: `derived`, lines that telldraw finds in the pictures; `none`; or a folder of files in the set's own
    folders, such as frontal02/train/rgb/1.png."""
    regions: bool = True
    """Whether each face has a map of its regions. Without, the 116 pictures that have no mask are taken too."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        from telldraw.data.real_faces import prepare_fasseg

        options = {"part": self.part, "regions": self.regions, "sketches": self.sketches}
        prepared("fasseg", self.common, self.fit, prepare_fasseg, **options)


@dataclass(frozen=True)
class CaltechFaces:
    """Prepare the faces of Caltech 101: 345 pictures to train on, 90 of other people to test on."""

    common: SetFlags = field(default_factory=Common)
    fit: Literal["crop", "pad", "stretch"] = "crop"
    """How a picture becomes a square: its middle; a border in the colour of what is behind the face; or squeezed."""
    sketches: str = "derived"
    """The sketches: `derived`, lines that telldraw finds in the pictures; `none`; or a folder of files such as
    image_0001.png."""

    def run(self) -> None:
        """Prepare, then say what there is."""
        from telldraw.data.real_faces import prepare_caltech

        prepared("caltech-faces", self.common, self.fit, prepare_caltech, folder="caltech101", sketches=self.sketches)


REAL_FACES: dict[str, Any] = {
    "mm-celeba": MMCelebA,
    "celebamask-hq": CelebAMaskHQ,
    "fasseg": FASSEG,
    "caltech-faces": CaltechFaces,
}
"""The flags of each set of real faces in the table."""
