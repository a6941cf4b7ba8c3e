"""Pictures -> features -> statistics -> figures: what is kept on disk, what figures may be called, who is warned."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from telldraw.errors import DataError, WeightsError
from telldraw.metrics import METRICS, cache, features
from telldraw.metrics.cache import Arrays, Cache
from telldraw.metrics.distribution import frechet_distance, statistics
from telldraw.metrics.features import Collector, FeatureSet, FewPictures, Settings, extract, figures, of_detector
from telldraw.metrics.inception import Inception

few = pytest.mark.filterwarnings("ignore::telldraw.metrics.features.FewPictures")


@dataclass
class Patches:
    """A toy extractor: the means of the quarters of a picture."""

    name: str = "patches"
    checksum: str = "1"
    smallest: int = 2
    seen: int = 0

    def features(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)


@dataclass(frozen=True)
class Random:
    """Pictures of noise."""

    count: int = 40
    seed: int = 0
    split: str = "test"
    size: tuple[int, int] = (8, 8)

    @property
    def name(self) -> str:
        return f"random {self.seed}"

    @property
    def checksum(self) -> str:
        return f"{self.seed}"

    def __len__(self) -> int:
        return self.count

    def batches(self, size: int) -> Iterator[np.ndarray]:
        images = np.random.default_rng(self.seed).integers(0, 256, (self.count, 3, *self.size), dtype=np.uint8)
        yield from (images[start : start + size] for start in range(0, self.count, size))


NOWHERE = Cache(None)


# --- the cache ----------------------------------------------------------------------------------------------------


class Work:
    """Something that takes long."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Arrays:
        self.times += 1
        return {"numbers": np.arange(10.0), "one": np.array(3)}


def test_the_same_is_computed_once_and_other_things_anew(tmp_path: Path) -> None:
    kept, work = Cache(tmp_path / "new" / "folder"), Work()
    first, second = kept.get("stage", {"data": "a"}, work), kept.get("stage", {"data": "a"}, work)
    assert work.times == 1
    assert first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
    for stage, key in (("stage", {"data": "b"}), ("other", {"data": "a"}), ("stage", {"data": "a", "more": 1})):
        kept.get(stage, key, work)
    assert work.times == 4
    assert sorted(path.suffix for path in kept.folder.iterdir()) == [".npz"] * 4 if kept.folder else False


def test_nothing_is_kept_without_a_folder_or_a_key(tmp_path: Path) -> None:
    work = Work()
    for kept, key in ((Cache(None), {"data": "a"}), (Cache(tmp_path), {})):
        kept.get("stage", key, work)
        kept.get("stage", key, work)
    assert work.times == 4 and not list(tmp_path.iterdir())


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(np.arange(10.0).tobytes()) + 9] ^= 1
    path.write_bytes(data)


def pickled(path: Path) -> None:
    np.savez(path, numbers=np.array([{"code": "x"}], dtype=object), key=np.array("x"))


def of_something_else(path: Path) -> None:
    np.savez(path, numbers=np.zeros(3), key=np.array("x"))


def without_a_key(path: Path) -> None:
    np.savez(path, numbers=np.zeros(3))


def no_archive(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.with_suffix(".npy").rename(path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "harm", [truncated, flipped, pickled, of_something_else, without_a_key, no_archive, empty], ids=lambda f: f.__name__
)
def test_what_is_damaged_is_named_and_computed_anew(tmp_path: Path, harm: object) -> None:
    said: list[str] = []
    kept, work = Cache(tmp_path, said.append), Work()
    kept.get("stage", {"data": "a"}, work)
    (path,) = tmp_path.iterdir()
    assert callable(harm)
    harm(path)
    found = kept.get("stage", {"data": "a"}, work)
    assert work.times == 2 and np.array_equal(found["numbers"], np.arange(10.0))
    assert len(said) == 1 and str(path) in said[0] and "damaged" in said[0]
    kept.get("stage", {"data": "a"}, work)
    assert work.times == 2 and len(said) == 1  # repaired


def test_what_cannot_be_kept_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "file").write_text("in the way")
    assert Cache(tmp_path / "file", said.append).get("stage", {"a": 1}, Work())["one"] == 3
    assert "cannot be kept" in said[-1]


def test_a_broken_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def savez(*args: object, **arrays: object) -> None:
        raise OSError(28, "No space left on device")

    said: list[str] = []
    monkeypatch.setattr(cache.np, "savez", savez)
    Cache(tmp_path, said.append).get("stage", {"a": 1}, Work())
    assert not list(tmp_path.iterdir()) and "No space left" in said[0]


def test_the_usual_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TELLDRAW_CACHE", raising=False)
    assert cache.default_folder() == tmp_path / "telldraw"
    monkeypatch.setenv("TELLDRAW_CACHE", str(tmp_path / "mine"))
    assert cache.default_folder() == tmp_path / "mine"


# --- features -----------------------------------------------------------------------------------------------------


def test_features_are_those_of_each_picture_in_order_whatever_the_batch() -> None:
    told: list[int] = []
    whole = extract(Patches(), Random(), NOWHERE)
    parts = extract(Patches(), Random(), NOWHERE, batch_size=7, progress=told.append)
    assert whole.features.shape == (40, 12) and whole.features.dtype == np.float32
    np.testing.assert_allclose(whole.features, parts.features, atol=1e-6)
    assert told[:3] == [7, 14, 21] and told[-1] == 40


def test_features_are_kept_by_extractor_weights_data_split_and_resolution(tmp_path: Path) -> None:
    eyes, kept = Patches(), Cache(tmp_path)
    first = extract(eyes, Random(), kept)
    assert np.array_equal(extract(eyes, Random(), kept).features, first.features) and eyes.seen == 40
    for other in (replace(eyes, name="x"), replace(eyes, checksum="2")):
        other.seen = 0
        extract(other, Random(), kept)
        assert other.seen == 40
    for pictures in (Random(seed=1), Random(split="val"), Random(count=39), Random(size=(8, 9))):
        eyes.seen = 0
        extract(eyes, pictures, kept)
        assert eyes.seen == len(pictures)


def test_pictures_too_small_for_the_extractor_are_named() -> None:
    with pytest.raises(DataError, match="at least 2 pixels a side; those of random 0 have 1"):
        extract(Patches(), Random(size=(1, 9)), NOWHERE)


@pytest.mark.parametrize("bad", [torch.zeros(3), torch.zeros(2, 5), torch.full((3, 5), torch.nan)])
def test_features_that_are_none_are_refused(bad: Tensor) -> None:
    class Broken(Patches):
        def features(self, images: Tensor) -> Tensor:
            return bad

    with pytest.raises(WeightsError, match="no row of finite features"):
        Collector(Broken()).add(torch.zeros(3, 3, 8, 8))


def test_what_is_drawn_batch_by_batch_is_collected() -> None:
    collector, images = Collector(Patches()), torch.rand(5, 3, 8, 8) * 2 - 1
    collector.add(images[:3])
    collector.add(images[3:])
    np.testing.assert_allclose(collector.features(), Patches().features(images).numpy(), atol=1e-6)


# --- figures ------------------------------------------------------------------------------------------------------


class Toy(nn.Module):
    """A detector, as far as it matters here."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout()

    def features(self, images: Tensor) -> Tensor:
        return self.drop(nn.functional.adaptive_avg_pool2d(images, 2).flatten(1))


def two_sets(count: int = 50) -> tuple[FeatureSet, FeatureSet]:
    eyes = Patches()
    return extract(eyes, Random(count, 1), NOWHERE), extract(eyes, Random(count, 2), NOWHERE)


@few
def test_figures_in_a_detectors_features_have_their_own_names() -> None:
    eyes = of_detector(Toy(), "maps", "7")
    real, drawn = two_sets()
    found = figures(eyes, real, drawn, NOWHERE)
    assert list(found) == ["frechet_detector", "kernel_detector", "precision_detector", "recall_detector"]
    assert not [name for name in found if name in ("fid", "kid", "inception_score")]
    expected = [statistics(torch.from_numpy(x.features)) for x in (real, drawn)]
    assert found["frechet_detector"]["value"] == pytest.approx(frechet_distance(*expected))


def test_a_detector_with_logits_is_no_inception_either() -> None:
    class Classifier(Toy):
        def logits(self, images: Tensor) -> Tensor:
            return images

    assert features.kind(of_detector(Classifier(), "x", "1")) == "detector"
    assert features.kind(Inception()) == "inception"


@few
def test_figures_in_inceptions_features_have_the_papers_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.distribution, "frechet_distance", lambda real, drawn: 1.0)  # takes its time
    rng = np.random.default_rng(0)
    sets = [FeatureSet(rng.random((12, 2048), np.float32)) for _ in range(2)]
    found = figures(Inception(), sets[0], sets[1], NOWHERE)
    assert list(found) == ["fid", "kid", "precision", "recall", "inception_score"]
    assert {name for name, figure in found.items() if "std" in figure} == {"kid", "inception_score"}


def test_every_name_is_in_the_table_of_metrics() -> None:
    assert {name for names in features.NAMES.values() for name in names.values()} <= METRICS.keys()
    assert {"lpips", "lpips_diversity", "inception_score", "r_precision"} <= METRICS.keys()
    assert METRICS["lpips_diversity"].higher_is_better and not METRICS["lpips"].higher_is_better


def test_a_detector_is_frozen_and_one_without_features_is_refused() -> None:
    toy = Toy().train()
    eyes = of_detector(toy, "maps", "7")
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(eyes.features(images), eyes.features(images)) and eyes.name == "detector maps"
    with pytest.raises(WeightsError, match="geneva gives no features"):
        of_detector(nn.Linear(1, 1), "geneva", "1")


@pytest.mark.parametrize(("real", "drawn", "warns"), [(2048, 2048, False), (2047, 2048, True), (2048, 2047, True)])
def test_fewer_than_2048_pictures_warn(real: int, drawn: int, warns: bool) -> None:
    rng = np.random.default_rng(0)
    sets = [FeatureSet(rng.random((count, 4), np.float32)) for count in (real, drawn)]
    eyes = of_detector(Toy(), "maps", "7")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figures(eyes, sets[0], sets[1], NOWHERE, Settings(subsets=2))
    assert [entry.category for entry in caught] == ([FewPictures] if warns else [])
    assert not warns or "2,047 pictures are few: below 2,048" in str(caught[0].message)


def test_hardly_any_pictures_are_refused() -> None:
    eyes, (real, drawn) = of_detector(Toy(), "maps", "7"), two_sets(3)
    with pytest.raises(DataError, match="3 real and 3 drawn pictures; at least 4 of each"):
        figures(eyes, real, drawn, NOWHERE)


def test_settings_fit_the_number_of_pictures() -> None:
    assert Settings().fitted(5000, 3000) == Settings()
    assert Settings().fitted(500, 3000) == Settings(subset_size=500)
    assert Settings().fitted(500, 500) == Settings(subsets=1, subset_size=500)  # there is one such subset
    assert Settings().fitted(50, 8) == Settings(subset_size=8, splits=8)


@few
def test_statistics_and_figures_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eyes, kept = of_detector(Toy(), "maps", "7"), Cache(tmp_path)
    real, drawn = (extract(eyes, Random(30, seed), kept) for seed in (1, 2))
    first = figures(eyes, real, drawn, kept)
    stages = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert stages == ["features", "features", "figures", "statistics", "statistics"]
    for name in ("statistics", "frechet_distance", "kernel_distance", "precision_recall"):
        monkeypatch.setattr(features.distribution, name, lambda *a, **k: pytest.fail("computed again"))
    assert figures(eyes, real, drawn, kept) == first
    monkeypatch.undo()
    assert figures(eyes, real, drawn, kept, Settings(seed=1, subset_size=10)) != first  # other settings
    assert figures(eyes, drawn, real, kept)["precision_detector"] == first["recall_detector"]  # other roles
