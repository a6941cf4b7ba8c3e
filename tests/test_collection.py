"""Sets of pictures at rest and as batches."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pictures_like import CLASSES, make_pictures
from telldraw.batches import Pictures
from telldraw.data.archive import Dataset, Writer
from telldraw.data.collection import Collection, Map, Table, write_collection
from telldraw.data.multimodal_loader import MultimodalLoader
from telldraw.data.picture_loader import PictureLoader
from telldraw.data.prepared import open_prepared
from telldraw.errors import DataError


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("bars") / "bars.telldraw", captions=True)


def test_what_was_written_is_read(path: Path) -> None:
    bars = Collection.open(path)
    assert len(bars) == 96 and bars.images.shape == (96, 1, 28, 28)
    assert {name: len(rows) for name, rows in bars.splits.items()} == {"train": 64, "val": 16, "test": 16}
    assert bars.shown(4) == ["middle"] and bars.captions(4) == ["a bar on the middle", "number 4"]
    assert bars.facts.classes == CLASSES and bars.facts.channels == 1 and not bars.facts.many
    assert sum(bars.facts.shares) == pytest.approx(1)
    bars.verify()


def test_the_form_decides_what_opens_it(path: Path, prepared: Path) -> None:
    assert isinstance(open_prepared(path), Collection)
    assert isinstance(open_prepared(prepared), Dataset)


def test_one_kind_is_not_taken_for_the_other(path: Path, prepared: Path) -> None:
    with pytest.raises(DataError, match="holds pictures, and dialogues are needed"):
        Dataset.open(path)
    with pytest.raises(DataError, match="holds dialogues, and pictures are needed"):
        Collection.open(prepared)


def test_pictures_without_captions_have_none(tmp_path: Path) -> None:
    assert Collection.open(make_pictures(tmp_path / "plain.telldraw")).captions(0) == []


def facts_of(count: int) -> dict[str, object]:
    own = {"name": "dots", "licence": "CC0 1.0", "url": "", "resolution": 4, "channels": 1, "many": False}
    return {**own, "classes": ["dot"], "splits": {"train": [0, count]}}


def test_tables_are_kept_beside_the_pictures(tmp_path: Path) -> None:
    light = Table(("azimuth", "height"), np.array([[1.5, 2], [3, np.nan]], np.float32))
    with Writer(tmp_path / "dots.telldraw") as writer:
        images, labels = np.zeros((2, 1, 4, 4), np.uint8), np.ones((2, 1))
        write_collection(writer, [images], labels, facts_of(2), tables={"light": light})
    dots = Collection.open(tmp_path / "dots.telldraw")
    assert list(dots.tables) == ["light"] and dots.tables["light"].columns == light.columns
    assert np.array_equal(dots.tables["light"].rows, light.rows, equal_nan=True)
    assert dots.tables["light"].of("height", "azimuth")[0].tolist() == [2, 1.5]
    assert dots.captions(0) == []
    with pytest.raises(DataError, match="no column 'colour'; choose from azimuth, height"):
        dots.tables["light"].of("colour")
    (tmp_path / "dots.telldraw" / "light.npy").unlink()
    with pytest.raises(DataError, match=r"light\.npy is missing"):
        Collection.open(tmp_path / "dots.telldraw")


def test_a_table_of_another_size_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the table light"), Writer(tmp_path / "dots.telldraw") as writer:
        images, labels = np.zeros((2, 1, 4, 4), np.uint8), np.ones((2, 1))
        write_collection(writer, [images], labels, facts_of(2), tables={"light": Table(("a",), np.zeros((3, 1)))})
    assert not list(tmp_path.iterdir())


def test_sets_without_tables_have_none(path: Path) -> None:
    assert Collection.open(path).tables == {}


def test_an_unknown_split_is_named(path: Path) -> None:
    with pytest.raises(DataError, match="no split 'all'; choose from train, val, test"):
        Collection.open(path).split("all")


def test_damage_is_found(tmp_path: Path) -> None:
    path = make_pictures(tmp_path / "bars.telldraw")
    (path / "labels.npy").write_bytes((path / "labels.npy").read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataError, match=r"labels\.npy is damaged"):
        Collection.open(path)
    manifest = json.loads((path / "manifest.json").read_text())
    del manifest["channels"]
    (path / "manifest.json").write_text(json.dumps(manifest))
    make_pictures(tmp_path / "other.telldraw")
    for name in manifest["files"]:
        (path / name).write_bytes((tmp_path / "other.telldraw" / name).read_bytes())
    with pytest.raises(DataError, match="cannot be read"):
        Collection.open(path)


def test_a_batch_is_what_it_says(path: Path) -> None:
    bars = Collection.open(path)
    batch = PictureLoader(bars, "train", 5, seed=1).batch(3)
    assert isinstance(batch, Pictures) and batch.examples() == 5
    assert batch.image.dtype == torch.uint8 and batch.image.shape == (5, 1, 28, 28)
    assert batch.label.shape == (5, 3) and bool((batch.label.sum(1) == 1).all())
    # the label belongs to the picture: the bar stands where the class says
    column = batch.image.float().mean((1, 2)).view(5, -1)
    thirds = torch.stack([column[:, :9].mean(1), column[:, 9:18].mean(1), column[:, 18:].mean(1)], 1)
    assert torch.equal(thirds.argmax(1), batch.label.argmax(1))


def test_an_epoch_sees_every_picture_of_the_split_once_in_another_order(path: Path) -> None:
    bars = Collection.open(path)
    loader = PictureLoader(bars, "train", 16, seed=1)
    epochs = [torch.cat([loader.batch(4 * epoch + n).image for n in range(4)]) for epoch in range(2)]
    own = sorted(bars.images[n].tobytes() for n in bars.splits["train"])
    assert all(sorted(image.numpy().tobytes() for image in epoch) == own for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_a_batch_depends_on_seed_and_step_alone(path: Path) -> None:
    bars = Collection.open(path)
    batches = PictureLoader(bars, "train", 8, seed=1).iterate(5)
    assert torch.equal(next(batches).image, PictureLoader(bars, "train", 8, seed=1).batch(5).image)
    assert not torch.equal(PictureLoader(bars, "train", 8, seed=2).batch(5).image, next(batches).image)


def test_without_shuffling_a_split_is_read_once_in_its_order(path: Path) -> None:
    bars = Collection.open(path)
    batches = list(PictureLoader(bars, "test", 6, shuffle=False).iterate())
    assert [len(batch.image) for batch in batches] == [6, 6, 4]
    assert np.array_equal(torch.cat([batch.image for batch in batches]).numpy(), bars.images[80:])


def test_a_split_too_small_for_a_batch_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match="has 16 pictures, too few for a batch of 17; choose a smaller --batch-size"):
        PictureLoader(Collection.open(path), "val", 17)


REGIONS = ("background", "l_eye", "r_eye", "l_lip")


@pytest.fixture
def faces(tmp_path: Path) -> Collection:
    """Four pictures whose left half is bright, with a sketch, regions and captions; one has no caption."""
    images = np.zeros((4, 3, 4, 4), np.uint8)
    images[..., :2] = 200
    regions = np.tile(np.array([1, 0, 3, 2], np.uint8), (4, 4, 1))
    maps = {"sketch": Map((), iter([images[:2, 0], images[2:, 0]])), "regions": Map(REGIONS, regions)}
    captions = [["one smiles", "one"], ["two"], [], ["four smiles"]]
    with Writer(tmp_path / "faces.telldraw") as writer:
        write_collection(writer, [images], np.ones((4, 1)), facts_of(4) | {"channels": 3}, captions, maps=maps)
    return Collection.open(tmp_path / "faces.telldraw")


def test_maps_are_kept_beside_the_pictures(faces: Collection) -> None:
    assert faces.maps["regions"].names == REGIONS and faces.maps["sketch"].names == ()
    assert np.array_equal(np.asarray(faces.maps["sketch"].rows), faces.images[:, 0])
    assert faces.multimodal_facts.regions == REGIONS and faces.multimodal_facts.sketch
    faces.verify()


def test_batches_have_all_forms_of_a_picture(faces: Collection) -> None:
    loader = MultimodalLoader(faces, "train", 4, seed=3)
    batch = loader.batch(5)
    assert batch.sketch.shape == (4, 1, 4, 4) and torch.equal(batch.sketch, batch.image[:, :1])
    assert batch.regions.dtype == torch.int64 and batch.regions[0, 0].tolist() == [1, 0, 3, 2]
    assert (batch.words != 0).any(1).sum() == 3  # one has no caption
    again = MultimodalLoader(faces, "train", 4, seed=3).batch(5)
    assert all(torch.equal(one, other) for one, other in zip(batch, again, strict=True))


def test_what_is_left_becomes_right_in_a_mirror(faces: Collection) -> None:
    batch = MultimodalLoader(faces, "train", 4, seed=3, mirror=True).batch(0)
    turned = batch.image[:, 0, 0, 0] == 0
    assert 0 < turned.sum() < 4
    assert torch.equal(batch.sketch, batch.image[:, :1])
    for regions, mirrored in zip(batch.regions, turned, strict=True):
        # the eye on the left of the picture stays called by its side; l_lip is the lower lip
        assert regions[0].tolist() == ([1, 3, 0, 2] if mirrored else [1, 0, 3, 2])


def test_sets_without_other_forms_give_none(path: Path) -> None:
    batch = MultimodalLoader(Collection.open(path), "train", 8).batch(0)
    assert batch.sketch.shape == (0, 1, 28, 28) and batch.regions.shape == (0, 28, 28) and batch.words.shape[0] == 8
