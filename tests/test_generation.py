"""What `telldraw evaluate` says of a system that draws from noise and a label."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from pictures_like import make_pictures
from telldraw import pixels, weights
from telldraw.cli import main
from telldraw.commands import generation
from telldraw.commands.counting import counted
from telldraw.commands.picture_evaluation import check_fits
from telldraw.data.collection import Collection
from telldraw.errors import DataError
from telldraw.metrics.conditional import KINDS


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("bars") / "bars.telldraw", side=20, count=192)


def train(system: str, data: Path, out: Path, *more: str) -> Path:
    often = ("--decay", "0.9", "--batch-size", "32", "--sheet-every", "100000")
    words = ["train", system, "--data", str(data), "--preset", "tiny", "--out", str(out), *often, *more]
    assert main(words) == 0
    return out


@pytest.fixture(scope="module")
def judge(bars: Path) -> Path:
    return train("classifier", bars, bars.parent / "judge", "--examples", "3200")


@pytest.fixture(scope="module")
def run(bars: Path) -> Path:
    return train("cgan", bars, bars.parent / "run", "--examples", "19200", "--config.resolution", "20")


@pytest.fixture(scope="module")
def report(run: Path, judge: Path, bars: Path) -> dict[str, Any]:
    words = ["evaluate", str(run), "--data", str(bars), "--classifier", str(judge), "--samples", "300"]
    assert main(words) == 0
    return json.loads((run / "evaluation-test" / "evaluation.json").read_text())


def value(report: dict[str, Any], name: str) -> Any:
    return report["figures"][name]["value"]


def test_labels_are_obeyed_and_the_judge_is_sure_of_true_pictures(report: dict[str, Any]) -> None:
    assert value(report, "classifier_accuracy") == 1.0
    assert value(report, "conditional_accuracy") > 0.9


def test_the_table_counts_what_the_accuracy_says(report: dict[str, Any]) -> None:
    ((heads, *rows),) = report["tables"].values()
    assert heads == ["", "left", "middle", "right"]
    counts = [[int(cell) for cell in row[1:]] for row in rows]
    assert [sum(row) for row in counts] == [100, 100, 100]  # all classes alike
    assert sum(counts[n][n] for n in range(3)) / 300 == pytest.approx(value(report, "conditional_accuracy"))


def test_the_figures_are_those_of_the_pictures_it_draws(report: dict[str, Any], run: Path, bars: Path) -> None:
    """Parzen, spread and nearest picture, computed again from the weights with torch alone."""
    system: Any = weights.load(run / "weights").system
    collection = Collection.open(bars)
    asked = torch.arange(300) % 3
    z = torch.stack([torch.from_numpy(generation.noise(0, n, system.noise_dim)) for n in range(300)])
    with torch.inference_mode():
        drawn = (system.generate(z, torch.eye(3)[asked]) + 1) / 2
    known, test = ((pixels.to_float(torch.from_numpy(collection.images[range(*ends)])) + 1) / 2
                   for ends in ((0, 128), (160, 192)))  # fmt: skip
    spread = torch.stack([drawn[asked == c].flatten(1).std(0).mean() for c in range(3)]).mean()
    assert value(report, "class_spread") == pytest.approx(float(spread), rel=1e-4)
    for name, pictures in (("nearest_drawn", drawn), ("nearest_true", test)):
        distance = torch.cdist(pictures.flatten(1), known.flatten(1)).min(1).values.median()
        assert value(report, name) == pytest.approx(float(distance), rel=1e-4)
    sigma = float(report["figures"]["parzen"]["what"].partition("width ")[2].split()[0])
    window = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(300)),
        torch.distributions.Independent(torch.distributions.Normal(drawn.flatten(1), round(sigma, 3)), 1),
    )
    # the width is told to three digits, its square counts 64 times
    assert value(report, "parzen") == pytest.approx(float(window.log_prob(test.flatten(1)).mean()), abs=0.5)


def test_the_discriminator_of_the_run_is_asked_about_all_four_kinds(report: dict[str, Any]) -> None:
    names = [kind.replace(" picture, ", "_").replace(" label", "") for kind in KINDS]
    assert all(0 <= value(report, f"judged_{name}") <= 1 for name in names)
    assert all(0 <= value(report, f"auc_{name}") <= 1 for name in names[1:])
    assert "auc_true_right" not in report["figures"]


def test_its_sheet_has_a_column_for_each_class(report: dict[str, Any], run: Path) -> None:
    with Image.open(run / "evaluation-test" / "samples.png") as sheet:
        assert sheet.size == (3 * 64 - 4, 10 * 64 - 4)
    assert "![samples](samples.png)" in (run / "evaluation-test" / "evaluation.md").read_text()


def test_weights_alone_hold_no_discriminator(run: Path, bars: Path, tmp_path: Path, capsys: Any) -> None:
    import shutil

    shutil.copytree(run / "weights", tmp_path / "weights")
    assert main(["evaluate", str(tmp_path / "weights"), "--data", str(bars), "--samples", "30"]) == 0
    found = json.loads((tmp_path / "weights" / "evaluation-test" / "evaluation.json").read_text())["figures"]
    assert not [name for name in found if name.startswith(("judged", "auc"))]
    assert found["conditional_accuracy"]["value"] == "not measured"  # and nobody to judge at hand
    assert "parzen" in found and "class_spread" in found


def test_who_judges_must_be_a_classifier_of_these_classes(run: Path, judge: Path, bars: Path, capsys: Any) -> None:
    assert main(["evaluate", str(run), "--data", str(bars), "--samples", "3", "--classifier", str(run)]) == 2
    said = capsys.readouterr().err
    assert "holds cgan, which does not classify pictures" in said and "Traceback" not in said
    assert "drawn" not in said, "before anything is drawn"


def test_a_judge_of_other_pictures_is_refused(run: Path, bars: Path, tmp_path: Path, capsys: Any) -> None:
    larger = make_pictures(tmp_path / "larger.telldraw", side=28)
    other = train("classifier", larger, tmp_path / "other", "--examples", "32")
    assert main(["evaluate", str(run), "--data", str(bars), "--classifier", str(other)]) == 2
    said = capsys.readouterr().err
    assert f"--classifier {other} does not judge these pictures" in said and "--resolution 28" in said


def test_there_are_two_samples_of_each_class_at_least(run: Path, bars: Path, capsys: Any) -> None:
    for count in ("2", "5"):
        assert main(["evaluate", str(run), "--data", str(bars), "--samples", count]) == 2
        said = capsys.readouterr().err
        assert f"--samples {count}: at least 6 are needed, two of each of 3 classes" in said


@pytest.mark.parametrize(
    ("channels", "side", "words"),
    [(3, 8, "has colour pictures and the network is for grey ones"), (1, 12, "give --config.resolution 12")],
)
def test_training_on_pictures_of_another_kind_is_refused(
    channels: int, side: int, words: str, tmp_path: Path, capsys: Any
) -> None:
    data = make_pictures(tmp_path / "other.telldraw", side=side, channels=channels)
    asked = ["train", "cgan", "--data", str(data), "--preset", "tiny", "--out", str(tmp_path / "run")]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_class_that_is_none_cannot_be_drawn(run: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["generate", str(run), "--label", "above", "--out", str(tmp_path / "x.png")]) == 2
    assert "--label above: there is no such class; choose from left, middle, right" in capsys.readouterr().err


# --- pictures that do not fit ---------------------------------------------------------------------------------------


def known(**changes: Any) -> Any:
    facts = {"path": "set", "resolution": 20, "channels": 1, "classes": ("a", "b")}
    return SimpleNamespace(**(facts | changes))


CARD = {"name": "it", "system": "cgan", "data": "bars", "resolution": 20, "channels": 1, "classes": ["a", "b"]}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"resolution": 28},
            "set has pictures of 28x28 pixels, it was trained on 20x20; prepare it with --resolution 20",
        ),
        (
            {"channels": 3},
            "set has pictures in colour, it was trained on pictures in grey; take a set in grey, or train",
        ),
        ({"classes": ("a",)}, "set has other classes than it was trained on; take a set with the same, such as bars"),
    ],
)
def test_pictures_of_another_kind_are_refused_with_a_remedy(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=re.escape(sentence)):
        check_fits({**CARD, "config": {"num_classes": 2}}, known(**changes))
    check_fits({**CARD, "config": {"num_classes": 2}}, known())


@pytest.mark.parametrize(
    ("system", "config"),
    [("vae", {"latents": 2}), ("dcgan", {}), ("pixelcnn", {"num_classes": 2, "conditional": False})],
)
def test_who_takes_no_label_does_not_care_for_classes(system: str, config: dict[str, Any]) -> None:
    check_fits({**CARD, "system": system, "config": config}, known(classes=("c",)))


def test_a_judge_for_rejection_says_what_differs(run: Path, tmp_path: Path, capsys: Any) -> None:
    larger = make_pictures(tmp_path / "larger.telldraw", side=28)
    other = train("classifier", larger, tmp_path / "other", "--examples", "32")
    words = ["--reject", "0.5", "--judge", str(other), "--out", str(tmp_path / "x.png")]
    assert main(["generate", str(run), *words]) == 2
    assert "was trained on pictures of another resolution than cgan-tiny" in capsys.readouterr().err


# --- sentences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["generate", "--seed", "-1"], "--seed -1: a whole number from 0"),
        (["interpolate", "--from-seed", "-1"], "--from-seed -1: a whole number from 0"),
        (["interpolate", "--to-seed", "-1"], "--to-seed -1: a whole number from 0"),
        (["interpolate", "--from-label", "left", "--to-label", "33"], "--to-label 33: there is no such class"),
        (["interpolate", "--from-label", "33", "--to-label", "left"], "--from-label 33: there is no such class"),
    ],
)
def test_the_flag_that_is_wrong_is_named(
    run: Path, tmp_path: Path, words: list[str], sentence: str, capsys: Any
) -> None:
    assert main([words[0], str(run), *words[1:], "--out", str(tmp_path / "x.png")]) == 2
    assert sentence in capsys.readouterr().err


def test_numbers_have_the_right_noun() -> None:
    found = counted(1, "fault"), counted(2000, "fault"), counted(1, "class", "classes"), counted(0, "class", "classes")
    assert found == ("1 fault", "2,000 faults", "1 class", "0 classes")
