"""The stored form of sets of pictures: each with its labels and, where there are some, its captions. No dialogues.

A folder, written by `telldraw prepare` through `archive.Writer`, whole or not at all:

    manifest.json    what it is: name, owner, licence, resolution, channels, classes, splits, sizes and checksums
    images.npy       uint8 [N, C, H, W], by split          labels.npy       uint8 [N, K]: 1 for each class it shows
    captions.npy     UTF-8 bytes, all captions end to end  captions_at.npy  int64 [M + 1], where each caption starts
    captions_of.npy  int64 [N + 1], the first caption of each picture
    vocabulary.json  the words of the captions of the training split, those that are there twice or more
    features.npy     float32 [N, D]                        vectors.npy      float32 [K, E], a word vector for each class
    network/         weights of the network whose features these are
    TABLE.npy        numbers [N, S], what else is known of each picture; the manifest names the tables and their columns
    MAP.npy          uint8 [N, H, W], what else is known of each place: a sketch, 255 white paper and 0 dark lines, or
                     the number of the region a place belongs to; the manifest names the maps and their regions

The four files of captions are there only where there are captions, and a table or map where there is one. Features
and word vectors are there where the classes are tags, words that people used for a picture (docs/data/tags.md); the
network, where it is one of telldraw's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from telldraw.data.archive import Writer, checked, end_to_end, verify
from telldraw.errors import DataError
from telldraw.text import Vocabulary, normalise

if TYPE_CHECKING:
    from telldraw.batches import MultimodalFacts, PictureFacts, TagFacts

FORMAT, VERSION = "telldraw pictures", 1
NETWORK = "network"
"""Folder in a prepared set, and beside weights that read its features: the network that looks at pictures."""


class Tagging(NamedTuple):
    """What a set of tagged pictures has beside its pictures and labels."""

    features: np.ndarray  # float32 [N, D], by split
    vectors: np.ndarray  # float32 [K, E]
    network: Path | None = None  # a weights folder, to be copied


class Table(NamedTuple):
    """Numbers that are known of each picture."""

    columns: tuple[str, ...]  # names, S of them
    rows: np.ndarray  # [N, S]

    def of(self, *columns: str) -> np.ndarray:
        """Some of the columns, [N, len(columns)]. Raises DataError naming those there are."""
        for name in columns:
            if name not in self.columns:
                raise DataError(f"there is no column {name!r}; choose from {', '.join(self.columns)}")
        return self.rows[:, [self.columns.index(name) for name in columns]]


class Map(NamedTuple):
    """What is known of each place of each picture."""

    names: tuple[str, ...]  # of the numbers in a map of regions; none of a grey picture, such as a sketch
    rows: np.ndarray | Iterable[np.ndarray]  # uint8 [N, H, W], or blocks of it, one after the other


def write_collection(
    writer: Writer,
    blocks: Iterable[np.ndarray],
    labels: np.ndarray,
    facts: dict[str, Any],
    captions: Sequence[Sequence[str]] | None = None,
    *,
    tagging: Tagging | None = None,
    tables: Mapping[str, Table] | None = None,
    maps: Mapping[str, Map] | None = None,
) -> None:
    """Write a set through an open `Writer`, and finish it.

    blocks: the pictures, uint8 [n, C, H, W] each, by split, one block after the other. labels: uint8 [N, K].
    facts: name, licence, url, resolution, channels, classes, many (whether a picture may show several classes), splits
        {name: [first row, row after the last]}; and what else shall stand in the manifest, such as aspect.
    captions: the sentences that describe each picture.
    tagging: features of each picture and a word vector for each class, where the classes are tags.
    tables: what else is known of each picture, by name.
    maps: what else is known of each place, by name; of blocks each is read once, after the pictures' own.
    """
    count, channels, side = len(labels), facts["channels"], facts["resolution"]
    writer.rows("images.npy", (count, channels, side, side), np.uint8, blocks)
    writer.array("labels.npy", labels.astype(np.uint8))
    if captions is not None:
        every = [np.frombuffer(one.encode(), np.uint8) for own in captions for one in own]
        typed, typed_at = end_to_end(every, np.uint8)
        writer.array("captions.npy", typed)
        writer.array("captions_at.npy", typed_at)
        writer.array("captions_of.npy", np.cumsum([0, *map(len, captions)], dtype=np.int64))
        trained_on = captions[slice(*facts["splits"].get("train", (0, len(captions))))]
        words = words_of(one for own in trained_on for one in own)
        writer.text("vocabulary.json", json.dumps(list(words.words), ensure_ascii=False) + "\n")
    if tagging is not None:
        writer.array("features.npy", tagging.features.astype(np.float32))
        writer.array("vectors.npy", tagging.vectors.astype(np.float32))
        for file in sorted(tagging.network.iterdir()) if tagging.network is not None else ():
            if file.is_file():
                writer.copy(f"{NETWORK}/{file.name}", file)
    tables = tables or {}
    for name, table in tables.items():
        if table.rows.shape != (count, len(table.columns)):
            raise ValueError(f"the table {name} is {table.rows.shape}, for {count} pictures and {table.columns}")
        writer.array(f"{name}.npy", table.rows)
    for name, one in (maps or {}).items():
        parts = [one.rows] if isinstance(one.rows, np.ndarray) else one.rows
        writer.rows(f"{name}.npy", (count, side, side), np.uint8, parts)
    known: dict[str, Any] = {}
    if tables:
        known["tables"] = {name: list(table.columns) for name, table in tables.items()}
    if maps:
        known["maps"] = {name: list(one.names) for name, one in maps.items()}
    writer.finish({**facts, **known, "classes": list(facts["classes"])}, kind=(FORMAT, VERSION))


def words_of(captions: Iterable[str]) -> Vocabulary:
    """The words of captions to be trained on. Those that are there once are unknown: so that one is trained too."""
    return Vocabulary.build((normalise(one) for one in captions), minimum_count=2)


class Collection:
    """A prepared set of pictures, open for reading. The pictures stay on the disk until they are looked at."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        """Load the small arrays and map the large one; use `open`, which checks first."""
        self.path, self.manifest = path, manifest
        self.name: str = manifest["name"]
        self.licence: str = manifest["licence"]
        self.resolution: int = manifest["resolution"]
        self.channels: int = manifest["channels"]
        self.classes: tuple[str, ...] = tuple(manifest["classes"])
        self.many: bool = manifest["many"]
        self.splits: dict[str, range] = {name: range(*ends) for name, ends in manifest["splits"].items()}
        self.images: np.ndarray = np.load(path / "images.npy", mmap_mode="c")
        """uint8 [N, C, H, W], mapped; nothing here can change the file."""
        self.labels: np.ndarray = np.load(path / "labels.npy")
        """uint8 [N, K], 0 or 1."""
        self._captions: tuple[np.ndarray, ...] = ()
        if "captions.npy" in manifest["files"]:
            self._captions = tuple(np.load(path / f"captions{end}.npy") for end in ("", "_at", "_of"))
        self.features: np.ndarray | None = None
        """float32 [N, D], of tagged pictures."""
        self.vectors: np.ndarray | None = None
        """float32 [K, E], of tagged pictures: the word vector of each class."""
        if "features.npy" in manifest["files"]:
            self.features, self.vectors = (np.load(path / f"{name}.npy") for name in ("features", "vectors"))
        self.tables: dict[str, Table] = {
            name: Table(tuple(columns), np.load(path / f"{name}.npy"))
            for name, columns in manifest.get("tables", {}).items()
        }
        """What else is known of each picture, by name."""
        self.maps: dict[str, Map] = {
            name: Map(tuple(names), np.load(path / f"{name}.npy", mmap_mode="c"))
            for name, names in manifest.get("maps", {}).items()
        }
        """What else is known of each place, uint8 [N, H, W] mapped, by name."""

    @classmethod
    def open(cls, path: Path | str) -> "Collection":
        """Open what `telldraw prepare` wrote. Raises DataError when it is not that, not whole, or damaged."""
        path = Path(path)
        return checked(path, FORMAT, VERSION, cls)

    def verify(self) -> None:
        """Read every byte and compare checksums. Raises DataError naming the first damaged file."""
        verify(self.path, self.manifest)

    def __len__(self) -> int:
        """Count the pictures of all splits."""
        return len(self.images)

    @cached_property
    def facts(self) -> "PictureFacts":
        """What a system must know of the pictures before it is built."""
        from telldraw.batches import PictureFacts  # brings torch, which looking at a data set does not need

        own = self.labels[self.splits["train"]] if len(self.splits.get("train", ())) else self.labels
        return PictureFacts(
            name=self.name,
            licence=self.licence,
            resolution=self.resolution,
            channels=self.channels,
            classes=self.classes,
            many=self.many,
            aspect=self.manifest.get("aspect", 1.0),
            shares=tuple(own.mean(0).tolist()) if len(own) else (),
            vocabulary=self.vocabulary,
        )

    @cached_property
    def tag_facts(self) -> "TagFacts":
        """What a system must know of tagged pictures before it is built. Raises DataError when these have no tags."""
        from telldraw.batches import TagFacts

        if self.features is None or self.vectors is None:
            raise DataError(f"{self.path} holds pictures without tags; telldraw data lists the sets that have some")
        own = self.features[self.splits["train"]] if len(self.splits.get("train", ())) else self.features
        return TagFacts(self.facts, self.vectors, own.mean(0), own.std(0))

    @cached_property
    def multimodal_facts(self) -> "MultimodalFacts":
        """What a system must know that reads pictures, sketches, maps of regions and captions alike."""
        from telldraw.batches import MultimodalFacts

        regions = self.maps["regions"].names if "regions" in self.maps else ()
        return MultimodalFacts(self.facts, regions, "sketch" in self.maps)

    @property
    def network(self) -> Path | None:
        """The weights folder of the network whose features these are, if it is one of telldraw's."""
        folder = self.path / NETWORK
        return folder if f"{NETWORK}/config.json" in self.manifest["files"] else None

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        """Words of the captions; None where pictures have none."""
        if not self._captions:
            return None
        if "vocabulary.json" in self.manifest["files"]:
            return Vocabulary.load(self.path / "vocabulary.json")
        # a set prepared before words were written down
        return words_of(one for row in self.splits.get("train", range(len(self))) for one in self.captions(row))

    def split(self, name: str) -> range:
        """Give the rows of one split. Raises DataError naming the splits there are."""
        if name not in self.splits:
            raise DataError(f"{self.path} has no split {name!r}; choose from {', '.join(self.splits)}")
        return self.splits[name]

    def captions(self, row: int) -> list[str]:
        """Give the sentences that describe a picture; none where there are none."""
        if not self._captions:
            return []
        text, at, of = self._captions
        return [text[at[n] : at[n + 1]].tobytes().decode("utf-8") for n in range(of[row], of[row + 1])]

    def shown(self, row: int) -> list[str]:
        """Name the classes that a picture shows."""
        return [name for name, there in zip(self.classes, self.labels[row], strict=True) if there]
