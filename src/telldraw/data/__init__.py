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
    flags: tuple[str, ...] = ("--from FOLDER",)
    """What `telldraw prepare` needs to be told, one way or the other."""


DATASETS: dict[str, Entry] = {
    "codraw": Entry(
        summary="Abstract Scenes drawn turn by turn: what a Teller said and the Drawer's canvas after it",
        licence="CC BY-NC 4.0",
        size="9,993 dialogues, 42,508 turns; 2.1 GB prepared at 128 x 128",
        batch="Dialogues",
        url="https://github.com/facebookresearch/CoDraw",
    ),
    "iclevr": Entry(
        summary="CLEVR's solids added turn by turn by instructions: the published set, or rendered here (--render)",
        licence="published: its owner's terms, in GeNeVA-v1.zip; rendered here: CC0 1.0",
        size="10,000 sequences of 5 turns published, 2.5 GB prepared at 128 x 128; rendered, as many as you ask for",
        batch="Dialogues",
        url="https://www.microsoft.com/en-us/research/project/generative-neural-visual-artist-geneva/",
        flags=("--from FOLDER", "--render 10000"),
    ),
    "mnist": Entry(
        summary="handwritten digits, grey, one of ten classes each; Fashion-MNIST's files are told apart by their sums",
        licence="CC BY-SA 3.0 (as commonly stated; its owner's page gives none)",
        size="70,000 pictures of 28 x 28; 55 MB prepared",
        batch="Pictures",
        url="http://yann.lecun.com/exdb/mnist/",
    ),
    "codraw-scenes": Entry(
        summary="what each dialogue of CoDraw came to: the last canvas, its classes, and what the Teller said",
        licence="CC BY-NC 4.0",
        size="9,993 pictures, several of 58 classes each; 0.12 GB prepared at 64 x 64",
        batch="Pictures",
        url="https://github.com/facebookresearch/CoDraw",
    ),
    "codraw-objects": Entry(
        summary="every object of those scenes by itself, cut out with what lies around it",
        licence="CC BY-NC 4.0",
        size="62,708 pictures of one of 58 classes each; 0.2 GB prepared at 32 x 32",
        batch="Pictures",
        url="https://github.com/facebookresearch/CoDraw",
    ),
    "folder": Entry(
        summary="pictures of your own: a folder, in it classes as folders, or a file of captions, where there are some",
        licence="the pictures' own; --licence writes it down",
        size="as many as there are",
        batch="Pictures",
        url="docs/data/folder.md says how to lay them out",
        flags=("--from FOLDER --resolution 64", "--from FOLDER --resolution 64 --captions FILE"),
    ),
    "codraw-tags": Entry(
        summary="the scenes of CoDraw with the words their Tellers used, as tags; features and word vectors",
        licence="CC BY-NC 4.0",
        size="9,993 pictures, 362 tags; 0.13 GB prepared at 64 x 64",
        batch="Tags",
        url="https://github.com/facebookresearch/CoDraw",
    ),
    "mirflickr": Entry(
        summary="25,000 photographs from Flickr with the tags of their owners; features and word vectors",
        licence="Creative Commons, another one for each photograph (meta/license of the distribution)",
        size="25,000 pictures; 0.4 GB prepared at 64 x 64",
        batch="Tags",
        url="https://press.liacs.nl/mirflickr/",
        flags=("--from FOLDER --features FILE", "--from FOLDER --network WEIGHTS"),
    ),
    "clevr-birds": Entry(
        summary="one or two of CLEVR's solids on floors of all colours, captions of the solids alone; rendered here",
        licence="CC0 1.0",
        size="as many pictures as you ask for; 12,000 take 155 MB prepared at 64 x 64",
        batch="Pictures",
        url="docs/data/clevr-birds.md says what it is made of",
        flags=("--render 12000",),
    ),
    "faces": Entry(
        summary="portraits of CelebA's attributes: regions, sketches, ten captions each; drawn here",
        licence="CC0 1.0",
        size="as many pictures as you ask for; 12,000 take 260 MB prepared at 64 x 64",
        batch="Pictures",
        url="docs/data/faces.md says what they are made of",
        flags=("--render 12000",),
    ),
    "cub": Entry(
        summary="birds of 200 kinds, each picture said in ten sentences; tested on kinds that were never seen",
        licence="pictures: non-commercial research and education, the photographers' terms; captions: none stated",
        size="11,788 pictures; 0.15 GB prepared at 64 x 64",
        batch="Captioned",
        url="https://www.vision.caltech.edu/datasets/cub_200_2011/, captions: https://github.com/reedscot/cvpr2016",
    ),
    "oxford-102": Entry(
        summary="flowers of 102 kinds, each picture said in ten sentences; tested on kinds that were never seen",
        licence="none stated; the photographers' terms",
        size="8,189 pictures; 0.1 GB prepared at 64 x 64",
        batch="Captioned",
        url="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/, captions: https://github.com/reedscot/cvpr2016",
    ),
    "coco": Entry(
        summary="scenes of daily life, each said in five sentences or more (MS-COCO)",
        licence="captions: CC BY 4.0; pictures: their photographers' terms",
        size="123,287 pictures; 1.5 GB prepared at 64 x 64",
        batch="Captioned",
        url="https://cocodataset.org",
    ),
    "mm-celeba": Entry(
        summary="faces, each said in ten sentences; their regions, sketches and attributes (Multi-Modal CelebA-HQ)",
        licence="pictures: non-commercial research; captions: none stated",
        size="30,000 pictures; 0.7 GB prepared at 64 x 64",
        batch="Multimodal",
        url="https://github.com/IIGROUP/MM-CelebA-HQ-Dataset",
        flags=("--from FOLDER", "--from FOLDER --celebamask FOLDER"),
    ),
    "celebamask-hq": Entry(
        summary="the same faces without captions: masks of 19 regions, 40 attributes (CelebAMask-HQ)",
        licence="non-commercial research and education",
        size="30,000 pictures; 0.5 GB prepared at 64 x 64",
        batch="Multimodal",
        url="https://github.com/switchablenorms/CelebAMask-HQ",
    ),
    "fasseg": Entry(
        summary="faces from the front and from all sides, each with a mask of six regions (FASSEG)",
        licence="none stated: research, with its papers cited; the terms of MIT-CBCL, FEI and Pointing'04",
        size="344 pictures with a mask, of 460; 7 MB prepared at 64 x 64",
        batch="Multimodal",
        url="https://github.com/massimomauro/FASSEG-repository",
    ),
    "caltech-faces": Entry(
        summary="faces in front of offices and trees (Caltech 101, Faces_easy), with sketches made from them",
        licence="CC BY 4.0 (as commonly stated)",
        size="435 pictures; 7 MB prepared at 64 x 64",
        batch="Multimodal",
        url="https://data.caltech.edu/records/mzrjq-6wc02",
    ),
}
