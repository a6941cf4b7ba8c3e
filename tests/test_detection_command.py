"""A detector from the command line: trained, shown, listed, measured, and scoring what a drawer draws."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from telldraw import systems, weights
from telldraw.commands import detection, sheets
from telldraw.commands import evaluate as evaluating
from telldraw.commands import train as training
from telldraw.commands import weights as listing
from telldraw.commands.report import beside_published
from telldraw.data.archive import Dataset
from telldraw.drawing.marks import COLOURS, Kind, Mark, marked
from telldraw.errors import DataError, TelldrawError, TrainingError, WeightsError
from telldraw.metrics import ROWS
from telldraw.metrics.published import PUBLISHED

FREE, *_, TRUE = ROWS


@pytest.fixture(scope="module")
def run(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector trained for some steps."""
    folder = tmp_path_factory.mktemp("runs") / "detector"
    flags = ["--preset", "tiny", "--batch-size", "4", "--examples", "40", "--sheet-every", "20", "--out", str(folder)]
    training.run(["detector", "--data", str(prepared), *flags])
    return folder


@pytest.fixture(scope="module")
def drawer(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawer that has learned nothing, for the same data."""
    geneva = systems.load("geneva")
    torch.manual_seed(0)
    facts = Dataset.open(prepared).facts
    folder = tmp_path_factory.mktemp("drawer") / "geneva-tiny"
    card = {"system": "geneva", "name": "geneva-tiny", "classes": list(facts.classes)}
    system = geneva.build(geneva.PRESETS["tiny"], facts)
    weights.save(folder, system, facts.vocabulary, card)
    return folder


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are those the test puts into `weights` in its own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(weights, "CHECKOUT", tmp_path)


def evaluated(of: Path | str, data: Path, *flags: str) -> dict[str, Any]:
    evaluating.run([str(of), "--data", str(data), "--out", "out", *flags])
    return json.loads(Path("out/evaluation.json").read_text())


def test_a_run_leaves_weights_without_words_and_sheets(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(path.name for path in (run / "weights").iterdir()) == [
        *("README.md", "config.json", "model.safetensors")
    ]
    assert len(list((run / "sheets").glob("*.png"))) == 2
    loaded = weights.load(run / "weights")
    assert loaded.card["system"] == "detector" and len(loaded.vocabulary) == 2
    config: Any = loaded.system.config
    assert config.num_objects == 58 and config.coordinates == 3


def test_it_goes_on_and_says_how_good_it_is(
    run: Path, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(run, folder)
    flags = ["--preset", "tiny", "--batch-size", "4", "--examples", "48", "--sheet-every", "20", "--out", str(folder)]
    training.run(["detector", "--data", str(prepared), *flags])
    said = capsys.readouterr().err
    assert "going on after 40 examples" in said and "val pictures: samples F1 0." in said


def test_a_detector_is_measured_on_true_pictures(run: Path, prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(run, prepared)
    dataset = Dataset.open(prepared)
    rows = [row for d in dataset.splits["test"] for row in range(d.start, d.stop)]
    assert (found["pictures"], found["dialogues"]) == (len(rows), len(dataset.splits["test"]))
    assert list(found["classes"]) == list(dataset.classes)
    assert 0 <= found["f1_samples"] <= 1 and found["axes"] == ["x", "depth"]
    page, printed = Path("out/evaluation.md").read_text(), capsys.readouterr().out
    assert all(name in page and name in printed for name in ("sunglasses", "position off by", "telldraw evaluate"))
    assert evaluated(run, prepared, "--limit", "1")["dialogues"] == 1
    assert evaluated(run, prepared)["classes"] == pytest.approx(found["classes"], nan_ok=True)


def test_figures_go_into_the_card_and_are_listed_with_the_place(
    run: Path, prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run / "weights", "weights/detector-mine")
    found = evaluated("detector-mine", prepared, "--into-card")
    figures = weights.card(Path("weights/detector-mine"))["figures"]["test"]
    assert figures["F1 samples"] == pytest.approx(found["f1_samples"], abs=1e-4)
    assert weights.load(Path("weights/detector-mine")).system is not None
    capsys.readouterr()
    listing.run([])
    printed = capsys.readouterr().out
    assert "detector-mine" in printed and "F1 samples" in printed
    assert str(Path("weights/detector-mine/model.safetensors")) in printed


def test_a_drawer_is_scored_by_the_detector_at_hand(run: Path, drawer: Path, prepared: Path) -> None:
    assert evaluated(drawer, prepared)["detector"] is None, "none is at hand yet"
    shutil.copytree(run / "weights", "weights/detector-mine")
    found = evaluated(drawer, prepared)
    assert found["detector"]["name"] == "detector-tiny"
    assert "not exactly comparable" in found["note"]
    true = found["scores"][TRUE]["all"]
    assert true["object_precision"] == true["object_recall"] == true["relations"], "a picture agrees with itself"
    alone = evaluated("detector-mine", prepared)
    for turns in ("all", "last"):
        assert found["scores"][TRUE][turns]["relations_labels"] == pytest.approx(alone["relations"][turns], abs=1e-5)
    assert true["object_f1_labels"] == pytest.approx(alone["f1_samples"], abs=1e-5)
    assert true["object_f1_harmonic_labels"] == pytest.approx(alone["f1_harmonic"], abs=1e-5)
    published = beside_published(found)
    assert [row[0] for row in published][-len(PUBLISHED["codraw"]) :] == [row.method for row in PUBLISHED["codraw"]]
    assert published[0][0].startswith("ours: geneva") and "58.83" in published[5]
    assert evaluated(drawer, prepared, "--detector", "none")["detector"] is None


def test_the_page_has_the_published_rows_with_their_sources(run: Path, drawer: Path, prepared: Path) -> None:
    evaluated(drawer, prepared, "--detector", str(run))
    page = Path("out/evaluation.md").read_text()
    assert "LatteGAN" in page and "Matsumori" in page and "harmonic" in page and "ceiling" in page
    assert "x and depth" in page and "not exactly comparable" in page


def test_the_authors_detector_is_said_to_be_theirs(prepared: Path) -> None:
    detector: Any = systems.load("detector")
    with torch.device("meta"):
        system = detector.System(detector.PRESETS["inception"])
    facts = Dataset.open(prepared).facts
    loaded = weights.Loaded("codraw_best", system, facts.vocabulary, {"system": "detector", "published": True})
    found, sentence = detection.about(loaded, facts)
    assert found == {"name": "codraw_best", "network": "inception", "weights": 26_546_376}
    assert "GeNeVA's authors" in sentence and "32x32" in sentence


def test_without_a_detector_the_report_says_how_to_get_one(
    drawer: Path, prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(drawer, prepared)
    assert set(found["scores"][FREE]["all"]) == {"psnr", "ssim", "l1"}
    assert "telldraw train detector" in found["note"] and "telldraw train detector" in capsys.readouterr().out


def test_faults_are_sentences(run: Path, drawer: Path, prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="names no objects"):
        evaluated(drawer, prepared, "--detector", str(drawer))
    with pytest.raises(WeightsError, match="no weights named 'nobody'"):
        evaluated(drawer, prepared, "--detector", "nobody")
    with pytest.raises(TelldrawError, match="no such device"):
        evaluated(run, prepared, "--device", "teapot")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        evaluated(tmp_path / "nothing.pth", prepared)
    other = tmp_path / "other"
    shutil.copytree(run / "weights", other)
    card = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(card | {"classes": [*card["classes"][:-1], "moon"]}))
    with pytest.raises(DataError, match="other objects"):
        evaluated(drawer, prepared, "--detector", str(other))
    card["config"]["resolution"] = 64
    (other / "config.json").write_text(json.dumps(card))
    with pytest.raises(DataError, match="looks at 64x64.*32x32.*train one"):
        evaluated(drawer, prepared, "--detector", str(other))


def test_a_capability_without_a_sheet_is_refused() -> None:
    assert sheets.of(("Conversational",)) == [sheets.strips] and sheets.of(("Detector",)) == [sheets.findings]
    with pytest.raises(TrainingError, match="Forecaster"):
        sheets.of(("Forecaster",))
    for name, entry in systems.SYSTEMS.items():
        assert sheets.of(entry.capabilities), name


# --- marks --------------------------------------------------------------------------------------------------------


def colours_of(image: Image.Image) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()}


def test_each_kind_of_mark_has_its_colour_at_its_place() -> None:
    blank = Image.new("RGB", (300, 200), (90, 160, 90))
    for kind in Kind:
        image = marked(blank, [Mark(0.5, 0.25, kind, "pie")])
        assert COLOURS[kind] in colours_of(image) and blank.getpixel((150, 50)) == (90, 160, 90), "the copy is marked"
        ring = np.argwhere((np.asarray(image) == COLOURS[kind]).all(2))[:, ::-1]
        assert np.abs(ring - (149.5, 49.75)).sum(1).min() < 7


def test_names_do_not_cover_each_other_or_leave_the_picture() -> None:
    marks = [Mark(0.99, 0.5, Kind.FOUND, "helicopter"), Mark(1.2, 0.5, Kind.MISSED, "hotairballoon")]
    image = np.asarray(marked(Image.new("RGB", (300, 200)), marks))
    assert all((image == COLOURS[mark.kind]).all(2).sum() > 30 for mark in marks)
    rows = [np.argwhere((image == COLOURS[mark.kind]).all(2))[:, 0] for mark in marks]
    assert abs(np.median(rows[0]) - np.median(rows[1])) > 8


def test_a_crowd_of_marks_fits_somehow() -> None:
    marks = [Mark(0.5, 0.5, Kind.FALSE, f"object {number}") for number in range(80)]
    assert marked(Image.new("RGB", (64, 64)), marks).size == (64, 64)


# --- beginning with weights ---------------------------------------------------------------------------------------


def test_a_run_begins_with_given_weights(run: Path, prepared: Path, tmp_path: Path) -> None:
    flags = ["--data", str(prepared), "--preset", "tiny", "--batch-size", "4", "--examples", "4", "--config.rate", "0"]
    training.run(["detector", *flags, "--start-from", str(run), "--out", "again", "--weights-dtype", "float32"])
    before, after = weights.load(run / "weights").system, weights.load(Path("again/weights")).system
    for (name, value), other in zip(after.named_parameters(), before.parameters(), strict=True):
        assert torch.equal(value, other), name
    with pytest.raises(TrainingError, match="other settings.*start_from"):
        training.run(["detector", *flags, "--out", "again"])


def test_weights_to_begin_with_have_to_fit(run: Path, drawer: Path, prepared: Path) -> None:
    flags = ["detector", "--data", str(prepared), "--preset", "tiny", "--out", "new", "--batch-size", "4"]
    with pytest.raises(TrainingError, match="--start-from .*of other sizes: channels .* there, 8 24 here"):
        training.run([*flags, "--start-from", str(run), "--config.channels", "8", "24"])
    with pytest.raises(TrainingError, match="--start-from .*another system"):
        training.run([*flags, "--start-from", str(drawer)])
    with pytest.raises(WeightsError, match="no weights named 'nobody'"):
        training.run([*flags, "--start-from", "nobody"])
