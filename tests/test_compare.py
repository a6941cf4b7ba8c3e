"""`telldraw compare`: folders of pictures and prepared sets, figures and their names, and all that can be wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from telldraw import cli, pixels, systems
from telldraw import weights as weights_folder
from telldraw.commands import compare, distribution
from telldraw.data.archive import Dataset
from telldraw.data.pictures import of_split, open_folder, open_pictures
from telldraw.errors import DataError, WeightsError
from telldraw.metrics.cache import Cache
from telldraw.metrics.evaluation import evaluate
from telldraw.metrics.features import Detector
from telldraw.metrics.inception import Inception
from telldraw.metrics.lpips import LPIPS, diversity
from telldraw.metrics.reconstruction import psnr
from telldraw.text import PADDING, UNKNOWN, Vocabulary
from telldraw.weights import Loaded
from test_architecture import help_of, loaded_after
from test_evaluate import BATCH, FORCED, FREE, Adder
from test_features import Patches, Toy
from test_inception import file, weights, with_its_checksum  # noqa: F401  (fixtures)
from test_lpips import FILES, classifier, heads

Telldraw = Callable[..., tuple[int, str, str]]
SIDE = 32


def fill(folder: Path, count: int, seed: int = 0, *, side: int = SIDE, blend: float = 0.0) -> Path:
    """PNGs of noise on a common ground; with `blend` between 0 and 1 nearer to those of seed 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        mine, first = (np.random.default_rng([which, number]).integers(0, 256, (side, side, 3)) for which in (seed, 0))
        Image.fromarray(((1 - blend) * mine + blend * first).astype(np.uint8)).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture
def telldraw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Telldraw:
    """The command in a folder of its own, with two folders of pictures and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELLDRAW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    fill(Path("real"), 6, 0)
    fill(Path("drawn"), 6, 1, blend=0.7)

    def run(*argv: str) -> tuple[int, str, str]:
        code = cli.main(["compare", *argv])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def toy_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `--detector NAME` loads."""
    monkeypatch.setattr(
        distribution, "_detector", lambda given, device: Detector(Toy().eval(), f"detector {given}", "1")
    )


@pytest.fixture
def lpips_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "lpips"
    folder.mkdir()
    torch.save(classifier("alex"), folder / FILES["alex"][0])
    torch.save(heads("alex"), folder / FILES["alex"][1])
    return folder


# --- what it prints -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("toy_detector")
def test_a_table_of_figures_in_a_detectors_features(telldraw: Telldraw) -> None:
    code, out, err = telldraw("real", "drawn", "--detector", "maps")
    assert code == 0, err
    assert "frechet_detector ↓" in out and "Fréchet distance (detector features); not an FID" in out
    assert "6 pictures of 32x32, real" in out and "features: detector maps, 12 numbers" in out
    assert "fid" not in out.lower().replace("not an fid", "") and "inception" not in out.lower()
    assert "telldraw: 6 pictures are few: below 2,048" in err
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.usefixtures("toy_detector")
def test_a_report_says_what_how_much_and_how(telldraw: Telldraw) -> None:
    code, out, _ = telldraw("real", "drawn", "--detector", "maps", "--json", "--out", "report.json", "--seed", "3")
    report = json.loads(out)
    assert code == 0 and report == json.loads(Path("report.json").read_text())
    assert report["command"].startswith("telldraw compare real drawn --detector maps")
    assert report["real"] == {
        **{"name": "real", "pictures": 6, "resolution": "32x32"},
        "checksum": open_folder(Path("real")).checksum,
    }
    assert report["features"]["extractor"] == "detector maps" and report["features"]["seed"] == 3
    assert report["figures"].keys() == {f"{n}_detector" for n in ("frechet", "kernel", "precision", "recall")}
    assert "2,048" in report["warnings"][0]
    same = json.loads(telldraw("real", "real", "--detector", "maps", "--json")[1])["figures"]
    assert same["frechet_detector"]["value"] == pytest.approx(0, abs=1e-9)
    assert same["precision_detector"]["value"] == same["recall_detector"]["value"] == 1


def test_fid_and_its_kin_with_inceptions_weights(
    telldraw: Telldraw,
    file: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_its_checksum(file, monkeypatch)
    monkeypatch.setattr(  # at 2,048 features the real one takes its time
        "telldraw.metrics.distribution.frechet_distance", lambda a, b: float((a.mean - b.mean).square().sum())
    )
    four = fill(Path("four"), 4, 0), fill(Path("others"), 4, 1)
    code, out, err = telldraw(*map(str, four), "--inception", str(file), "--json")
    assert code == 0, err
    report = json.loads(out)
    assert list(report["figures"]) == ["fid", "kid", "precision", "recall", "inception_score"]
    assert report["features"]["extractor"] == Inception.name and report["features"]["numbers"] == 2048
    monkeypatch.setattr(Inception, "features", lambda *_: pytest.fail("features were kept"))
    again = json.loads(telldraw(*map(str, four), "--inception", str(file), "--json")[1])
    assert again["figures"] == report["figures"]


@pytest.mark.usefixtures("toy_detector")
def test_a_damaged_cache_is_named_and_mended(telldraw: Telldraw) -> None:
    first = json.loads(telldraw("real", "drawn", "--detector", "maps", "--json")[1])["figures"]
    for damaged in Path("cache").glob("*.npz"):
        damaged.write_bytes(damaged.read_bytes()[:-30])
    code, out, err = telldraw("real", "drawn", "--detector", "maps", "--json")
    assert code == 0 and json.loads(out)["figures"] == first
    assert err.count("is damaged") == 5 and "cache/features-" in err
    assert "is damaged" not in telldraw("real", "drawn", "--detector", "maps")[2]


@pytest.mark.usefixtures("toy_detector")
def test_nothing_is_kept_when_not_wanted(telldraw: Telldraw) -> None:
    assert telldraw("real", "drawn", "--detector", "maps", "--no-cache")[0] == 0
    assert not Path("cache").exists()
    assert telldraw("real", "drawn", "--detector", "maps", "--cache-folder", "mine")[0] == 0
    assert len(list(Path("mine").glob("*.npz"))) == 5


def test_pairs_need_no_weights(telldraw: Telldraw) -> None:
    code, out, _ = telldraw("real", "drawn", "--measure", "pairs", "--batch-size", "4", "--json")
    found = json.loads(out)["figures"]
    assert code == 0 and list(found) == ["psnr", "ssim", "l1"]
    true, given = (
        pixels.to_float(torch.from_numpy(next(open_folder(Path(name)).batches(6)))) for name in ("real", "drawn")
    )
    assert found["psnr"]["value"] == pytest.approx(float(psnr(given, true).mean()))
    assert "dB" in telldraw("real", "drawn", "--measure", "pairs")[1]


def test_lpips_to_the_real_picture_and_diversity_are_named_apart(telldraw: Telldraw, lpips_folder: Path) -> None:
    for group in range(3):
        fill(Path(f"groups/{group}"), 3, group + 5, side=40)
    pairs = json.loads(telldraw("real", "drawn", "--measure", "pairs", "--lpips", str(lpips_folder), "--json")[1])
    assert pairs["figures"]["lpips"]["value"] > 0 and "lpips_diversity" not in pairs["figures"]
    code, out, _ = telldraw("real", "groups", "--measure", "diversity", "--lpips", str(lpips_folder), "--json")
    report = json.loads(out)
    assert code == 0 and list(report["figures"]) == ["lpips_diversity"]
    assert report["groups"] == {"folders": 3, "pictures": 9}
    for group in range(3):
        for picture in sorted(Path(f"groups/{group}").iterdir())[1:]:
            shutil.copy(f"groups/{group}/000.png", picture)
    out = telldraw("real", "groups", "--measure", "diversity", "--lpips", str(lpips_folder), "--json")[1]
    assert json.loads(out)["figures"]["lpips_diversity"]["value"] == 0


@pytest.mark.usefixtures("toy_detector")
def test_a_prepared_data_set_is_a_set_of_pictures(telldraw: Telldraw, prepared: Path) -> None:
    data = Dataset.open(prepared)
    for number, row in enumerate(range(data.splits["test"][0].start, data.splits["test"][-1].stop)):
        Image.fromarray(data.images[row].transpose(1, 2, 0)).save(Path("drawn") / f"{number:03d}.png")
    code, out, err = telldraw(str(prepared), "drawn", "--detector", "maps", "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["real"]["name"] == f"{prepared}, split test"
    count = sum(dialogue.stop - dialogue.start for dialogue in data.splits["test"])
    assert report["real"]["pictures"] == count
    if count >= 6:  # then every picture of `drawn` is one of the data set
        assert report["figures"]["frechet_detector"]["value"] == pytest.approx(0, abs=1e-6)


def test_help_is_light() -> None:
    assert not loaded_after(help_of("compare", "--help")) & {"torch", "numpy", "PIL", "scipy", "torchmetrics"}


# --- what can be wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["real", "drawn"], "the FID needs pt_inception-2015-12-05-6726825d.pth (95 MB), which is not in"),
        (["real", "drawn"], "--detector WEIGHTS for a Fréchet distance in the features of a telldraw detector, "),
        (["real", "drawn", "--inception", "no.pth"], "there is no weight file no.pth"),
        (["real", "drawn", "--inception", "real/000.png"], "its SHA-256 begins with"),
        (["real", "drawn", "--detector", "nobody"], "no weights named 'nobody'"),
        (["real", "drawn", "--detector", "geneva-iclevr-64"], "geneva-iclevr-64 gives no features of pictures"),
        (["real", "drawn", "--detector", "a", "--inception", "b"], "--inception and --detector are two kinds"),
        (["real", "nowhere", "--measure", "pairs"], "there is no folder nowhere"),
        (["real", "empty", "--measure", "pairs"], "empty has no pictures (.png, .jpg"),
        (["real", "nested", "--measure", "pairs"], ".webp, .bmp); it has folders, such as inner"),
        (["real", "real/000.png", "--measure", "pairs"], "real/000.png is a file; name the folder"),
        (["real", "text", "--measure", "pairs"], "text/a.png is not a picture that can be read"),
        (["real", "cut", "--measure", "pairs"], "cut/000.png is not a picture that can be read"),
        (["real", "deep", "--measure", "pairs"], "deep/a.png has more than 8 bits a channel"),
        (["real", "mixed", "--measure", "pairs"], "different sizes: 000.png is 32x32, 001.png 40x40"),
        (["real", "large", "--measure", "pairs"], "real has pictures of 32x32, large of 40x40; bring them to one size"),
        (["real", "more", "--measure", "pairs"], "do not have the same file names (006 is in one of them alone)"),
        (["small", "small", "--measure", "pairs"], "SSIM needs pictures of at least 11 pixels a side"),
        (["real", "drawn", "--measure", "pairs", "--lpips", "empty"], "no weights for LPIPS in empty"),
        (["real", "drawn", "--measure", "diversity"], "needs the weights of LPIPS; name their folder with --lpips"),
        (["real", "drawn", "--batch-size", "0"], "--batch-size 0: at least 1"),
        (["real", "drawn", "--seed=-1"], "--seed -1"),
        (["real", "drawn", "--device", "quantum"], "--device quantum: there is no such device"),
        (["real", "drawn", "--out", "no/report.json"], "--out no/report.json: there is no folder no"),
        (["real", "drawn", "--out", "real"], "--out real: this is a folder"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(telldraw: Telldraw, argv: list[str], sentence: str) -> None:
    for name in ("empty", "text", "cut", "deep", "nested/inner"):
        Path(name).mkdir(parents=True)
    Path("text/a.png").write_text("not a picture")
    fill(Path("cut"), 6)
    Path("cut/000.png").write_bytes(Path("cut/000.png").read_bytes()[:900])
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint16)).save("deep/a.png")
    fill(Path("mixed"), 1)
    shutil.copy(fill(Path("large"), 2, side=40) / "001.png", "mixed/001.png")
    fill(Path("more"), 7)
    fill(Path("small"), 4, side=8)
    code, out, err = telldraw(*argv)
    last = err.strip().splitlines()[-1]
    assert (code, out) == (2, "") and last.startswith("telldraw: ") and "Traceback" not in err
    assert sentence in last, last


@pytest.mark.usefixtures("toy_detector")
def test_too_few_pictures_for_anything(telldraw: Telldraw) -> None:
    fill(Path("three"), 3)
    code, _, err = telldraw("real", "three", "--detector", "maps")
    assert code == 2 and "there are 6 real and 3 drawn pictures; at least 4 of each are needed" in err


def test_one_drawing_has_no_diversity(telldraw: Telldraw, lpips_folder: Path) -> None:
    fill(Path("groups/a"), 1, side=40)
    code, _, err = telldraw("real", "groups", "--measure", "diversity", "--lpips", str(lpips_folder))
    assert code == 2 and "groups/a has one picture" in err
    code, _, err = telldraw("real", "drawn", "--measure", "diversity", "--lpips", str(lpips_folder))
    assert code == 2 and "drawn has no folders" in err


# --- pictures -----------------------------------------------------------------------------------------------------


def test_pictures_are_read_in_the_order_of_their_names_whatever_their_kind(tmp_path: Path) -> None:
    base = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    colour = Image.fromarray(base)
    colour.save(tmp_path / "b.png")
    colour.convert("L").save(tmp_path / "a.png")
    colour.quantize(8).save(tmp_path / "c.png", transparency=0)
    colour.convert("RGBA").save(tmp_path / "d.webp", lossless=True)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_text("no picture")
    pictures = open_folder(tmp_path)
    assert pictures.names == ["a", "b", "c", "d"] and pictures.size == (8, 9) and len(pictures) == 4
    together = np.concatenate(list(pictures.batches(3)))
    assert together.shape == (4, 3, 8, 9) and together.dtype == np.uint8
    assert np.array_equal(together[1], base.transpose(2, 0, 1)) and np.array_equal(together[3], together[1])
    assert np.array_equal(together[0, 0], together[0, 2])


def test_a_changed_picture_is_another_set(tmp_path: Path) -> None:
    before = open_folder(fill(tmp_path / "a", 3)).checksum
    assert open_folder(fill(tmp_path / "b", 3)).checksum == before
    assert open_folder(fill(tmp_path / "a", 3, seed=1)).checksum != before


def test_a_split_has_its_turns_in_order(dataset: Dataset) -> None:
    split = of_split(dataset, "train", limit=2)
    rows = [row for dialogue in dataset.splits["train"][:2] for row in range(dialogue.start, dialogue.stop)]
    assert len(split) == len(rows)
    assert np.array_equal(np.concatenate(list(split.batches(3))), dataset.images[rows])
    assert split.checksum == of_split(dataset, "train").checksum and len(split) < len(of_split(dataset, "train"))
    with pytest.raises(DataError, match="no split 'nothing'"):
        open_pictures(dataset.path, "nothing")


# --- what a drawer draws ------------------------------------------------------------------------------------------


class Truth:
    """The true pictures of BATCH."""

    name, split, checksum, size = "true", "test", "1", (16, 16)

    def __len__(self) -> int:
        return len(BATCH.image)

    def batches(self, size: int) -> Any:
        yield BATCH.image.numpy()


def test_the_distribution_of_a_drawer_is_collected_while_it_is_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    eyes = Patches()
    watcher = distribution.Watcher(eyes, Cache(tmp_path), rows=(FREE, FORCED))
    evaluate(Adder(), [BATCH], [], seed=0, watch=watcher.see)
    found = watcher.report(Truth())
    assert list(found["figures"]) == [FREE, FORCED]
    assert found["figures"][FREE]["frechet_detector"]["value"] == pytest.approx(0, abs=1e-3)  # it draws the truth
    assert found["figures"][FREE]["recall_detector"]["value"] == 1
    assert len(found["warnings"]) == 1 and "6 pictures are few" in found["warnings"][0]
    worse = distribution.Watcher(eyes, Cache(tmp_path))
    evaluate(Adder(error=0.3), [BATCH], [], seed=0, watch=worse.see)
    eyes.seen = 0
    figures = worse.report(Truth())["figures"]
    assert list(figures) == [FREE] and eyes.seen == 0  # the true features were kept
    assert figures[FREE]["frechet_detector"]["value"] > 1
    assert json.dumps(found)
    text = "\n".join(distribution.page(found))
    assert f"| {FREE} | | |" in text and "| frechet_detector ↓ | " in text and "*6 pictures are few" in text
    distribution.show(found)
    shown = capsys.readouterr()
    assert f"all pictures together, {FORCED}, in the features of patches" in shown.out and "few" in shown.err


def loaded(system: nn.Module) -> Loaded:
    return Loaded("maps", system, Vocabulary((PADDING, UNKNOWN)), {"system": "detector"})


def test_evaluation_watches_with_the_eyes_that_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert distribution.watching("none", None, None, "cpu") is None
    watcher = distribution.watching("detector", None, loaded(Toy()), "cpu")
    assert watcher is not None and watcher.eyes.name == "detector maps"
    with pytest.raises(WeightsError, match="name one with --detector"):
        distribution.watching("detector", None, None, "cpu")
    with pytest.raises(WeightsError, match="pt_inception.* or use --distribution detector"):
        distribution.watching("inception", None, loaded(Toy()), "cpu")


def test_evaluate_reports_the_distribution_of_what_was_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_evaluate import CLASSES, prepared

    monkeypatch.setenv("TELLDRAW_CACHE", str(tmp_path / "cache"))
    data = prepared(tmp_path / "small.telldraw")
    facts = Dataset.open(data).facts
    for name, kind in (("drawer", "geneva"), ("eyes", "detector")):
        module = systems.load(kind)
        card = {"system": kind, "name": name, "classes": list(CLASSES)}
        weights_folder.save(tmp_path / name, module.build(module.PRESETS["tiny"], facts), facts.vocabulary, card)
    argv = ["evaluate", str(tmp_path / "drawer"), "--data", str(data), "--detector", str(tmp_path / "eyes")]
    assert cli.main([*argv, "--distribution", "detector", "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text())["distribution"]
    assert report["figures"][FREE].keys() == {f"{n}_detector" for n in ("frechet", "kernel", "precision", "recall")}
    assert report["features"]["extractor"] == "detector eyes"
    assert "frechet_detector" in capsys.readouterr().out
    assert "frechet_detector" in (tmp_path / "out" / "evaluation.md").read_text()


def test_other_weights_of_a_detector_are_other_eyes() -> None:
    class Linear(nn.Linear):
        def features(self, images: Tensor) -> Tensor:
            return self(images.mean((2, 3)))

    one, other = Linear(3, 2), Linear(3, 2)
    checksums = [distribution.detector_features(loaded(system)).checksum for system in (one, one, other)]
    assert checksums[0] == checksums[1] != checksums[2]


# --- diversity ----------------------------------------------------------------------------------------------------


def test_diversity_is_the_mean_over_pairs() -> None:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().flatten(1).mean(1)

    levels = torch.tensor([[0.0, 0.1, 0.4], [0.5, 0.5, 0.5]])
    drawings = levels.view(2, 3, 1, 1, 1).expand(2, 3, 3, 4, 4)
    expected = torch.tensor([(0.1 + 0.4 + 0.3) / 3, 0.0])
    torch.testing.assert_close(diversity(distance, drawings), expected)
    torch.testing.assert_close(diversity(distance, drawings.flip(1)), expected)
    for bad in (drawings[:, :1], drawings[0]):
        with pytest.raises(ValueError, match="at least 2"):
            diversity(distance, bad)


def test_diversity_takes_lpips() -> None:
    drawings = torch.rand(2, 3, 3, 40, 40) * 2 - 1
    assert diversity(LPIPS("alex"), drawings).shape == (2,)
    assert compare.WINDOW == 11
