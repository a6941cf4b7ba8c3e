"""`telldraw evaluate`: a drawer whose pictures are known in closed form, and the command on a small data set."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from telldraw import pixels, systems, weights
from telldraw.batches import Dialogues
from telldraw.commands import evaluate as command
from telldraw.data.archive import Dataset, Writer, end_to_end
from telldraw.errors import DataError, TelldrawError, WeightsError
from telldraw.metrics import ROWS
from telldraw.metrics.evaluation import draw, evaluate
from telldraw.metrics.reconstruction import reconstruction
from telldraw.text import PADDING, TELLER, UNKNOWN, Vocabulary
from telldraw.training import checkpoint

FREE, FORCED, COPY, EMPTY, TRUE = ROWS
WORDS = Vocabulary((PADDING, UNKNOWN, TELLER, *"a red blue cube tree on the left right".split()))
CLASSES = ("cube", "tree", "sun")
SIDE = 32
TURNS = {"train": [2, 1], "test": [1, 3, 2, 1, 4]}


# --- a drawer that adds: canvas + 0.1 * the first word ------------------------------------------------------------


class Sum(NamedTuple):
    canvas: Tensor
    heard: Tensor  # [B]


class Adder:
    """Knows the truth exactly, or is off by `error` at every turn."""

    noise_dim = 2

    def __init__(self, error: float = 0.0) -> None:
        self.error, self.sizes = error, list[int]()

    def start(self, batch_size: int = 1) -> Sum:
        return Sum(torch.full((batch_size, 3, 16, 16), -1.0), torch.zeros(batch_size))

    def turn(self, state: Sum, instruction: Tensor, noise: Tensor) -> Sum:
        self.sizes.append(len(instruction))
        step = 0.1 * instruction[:, 0].float() + self.error
        return Sum(state.canvas + step.view(-1, 1, 1, 1), state.heard + 1)


def grey(turns: list[int], steps: list[int]) -> Dialogues:
    """uint8 dialogues in which the canvas of every turn is lighter by 0.1 * steps."""
    levels = []
    at = 0
    for count in turns:
        levels += (-1 + 0.1 * np.cumsum(steps[at : at + count])).tolist()
        at += count
    image = pixels.to_uint8(torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 16, 16))
    count = len(steps)
    return Dialogues(
        torch.zeros(3, 16, 16, dtype=torch.uint8),
        image,
        torch.tensor(steps).view(-1, 1),
        torch.zeros(count, 1),
        torch.zeros(count, 1, 3),
        torch.tensor(turns),
    )


BATCH = grey([1, 3, 2], [2, 1, 1, 2, 3, 1])
ROUNDING = 0.5 / 255


def test_a_perfect_drawer_scores_perfectly_and_the_baselines_score_the_size_of_a_step() -> None:
    measured = evaluate(Adder(), [BATCH], [reconstruction], seed=0)
    assert (measured.dialogues, measured.turns) == (3, 6)
    assert measured.mean(FREE, "l1") == pytest.approx(0, abs=ROUNDING)
    assert measured.mean(FREE, "ssim") == pytest.approx(1, abs=1e-3)
    steps = torch.tensor([2.0, 1, 1, 2, 3, 1])
    assert measured.mean(COPY, "l1") == pytest.approx(0.05 * float(steps.mean()), abs=ROUNDING)
    assert measured.mean(COPY, "l1", last=True) == pytest.approx(0.05 * (2 + 2 + 1) / 3, abs=ROUNDING)
    so_far = torch.tensor([2.0, 1, 2, 4, 3, 4])
    assert measured.mean(EMPTY, "l1") == pytest.approx(0.05 * float(so_far.mean()), abs=ROUNDING)
    assert measured.mean(EMPTY, "l1", last=True) == pytest.approx(0.05 * (2 + 4 + 4) / 3, abs=ROUNDING)


def test_errors_add_up_when_running_free_and_do_not_under_a_teacher() -> None:
    measured = evaluate(Adder(error=0.04), [BATCH], [reconstruction], seed=0)
    depth = torch.tensor([1.0, 1, 2, 3, 1, 2])
    assert measured.mean(FORCED, "l1") == pytest.approx(0.02, abs=ROUNDING)
    assert measured.mean(FREE, "l1") == pytest.approx(0.02 * float(depth.mean()), abs=ROUNDING)
    assert measured.mean(FREE, "l1", last=True) == pytest.approx(0.02 * (1 + 3 + 2) / 3, abs=ROUNDING)
    assert measured.mean(FORCED, "psnr") == pytest.approx(20 * math.log10(50), abs=1.0)


def test_dialogues_that_ended_are_not_drawn_on() -> None:
    system = Adder()
    batch = BATCH._replace(image=pixels.to_float(BATCH.image))
    draw(system, batch, torch.zeros(6, 2), teacher=False)
    assert system.sizes == [3, 2, 1]


def test_figures_do_not_depend_on_the_batch_size() -> None:
    class Noisy(Adder):
        def turn(self, state: Sum, instruction: Tensor, noise: Tensor) -> Sum:
            after = super().turn(state, instruction, noise)
            return after._replace(canvas=after.canvas + 0.1 * noise[:, :1, None, None])

    parts = [grey([1], [2]), grey([3], [1, 1, 2]), grey([2], [3, 1])]
    whole = evaluate(Noisy(), [BATCH], [reconstruction], seed=5)
    split = evaluate(Noisy(), parts, [reconstruction], seed=5)
    other = evaluate(Noisy(), [BATCH], [reconstruction], seed=6)
    assert whole.mean(FREE, "psnr") == pytest.approx(split.mean(FREE, "psnr"))
    assert whole.mean(FREE, "psnr") != other.mean(FREE, "psnr")


def test_losses_are_means_over_turns() -> None:
    def losses(batch: Dialogues) -> dict[str, Tensor]:
        return {"turns": torch.tensor(float(len(batch.image)))}

    measured = evaluate(Adder(), [grey([1], [2]), grey([3], [1, 1, 2])], [], seed=0, losses=losses)
    assert measured.mean_losses() == {"turns": (1 * 1 + 3 * 3) / 4}


def test_a_drawer_of_no_numbers_is_named() -> None:
    with pytest.raises(WeightsError, match="not a number"):
        evaluate(Adder(error=math.nan), [BATCH], [reconstruction], seed=0)


# --- the command, on a small data set -----------------------------------------------------------------------------


def prepared(path: Path, *, side: int = SIDE, words: Vocabulary = WORDS, classes: tuple[str, ...] = CLASSES) -> Path:
    """A data set as `telldraw prepare` writes one, with random pictures."""
    rng = np.random.default_rng(0)
    count = sum(sum(turns) for turns in TURNS.values())
    dialogues, at = {}, 0
    for split, turns in TURNS.items():
        dialogues[split] = []
        for number, length in enumerate(turns):
            dialogues[split].append([f"{split}_{number}", at, at + length])
            at += length
    said = [" ".join(rng.choice(words.words[3:], rng.integers(2, 6))) for _ in range(count)]
    with Writer(path) as writer:
        writer.array("images.npy", rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8))
        writer.array("background.npy", np.full((side, side, 3), 200, np.uint8))
        writer.array("objects.npy", rng.integers(0, 2, (count, len(classes)), dtype=np.uint8))
        writer.array("position.npy", rng.random((count, len(classes), 3), dtype=np.float32))
        encoded = end_to_end([words.encode([TELLER, *line.split()]) for line in said], np.int32)
        typed = end_to_end([np.frombuffer(line.encode(), np.uint8) for line in said], np.uint8)
        for name, (rows, starts) in {"words": encoded, "said": typed}.items():
            writer.array(f"{name}.npy", rows)
            writer.array(f"{name}_at.npy", starts)
        writer.text("vocabulary.json", json.dumps(list(words.words)))
        writer.text("dialogues.json", json.dumps(dialogues))
        facts = {"name": "small", "licence": "none", "protocol": "published", "resolution": side}
        writer.finish({**facts, "classes": list(classes)})
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data") / "small.telldraw")


@pytest.fixture(scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory, small: Path) -> Path:
    """A training run: its state, and the weights that draw in `weights`."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    folder.mkdir()
    geneva = systems.load("geneva")
    torch.manual_seed(0)
    system = geneva.build(geneva.PRESETS["tiny"], Dataset.open(small).facts)
    card = {"system": "geneva", "name": "tiny", "classes": list(CLASSES), "examples": 12}
    weights.save(folder / "weights", system, WORDS, card)
    checkpoint.save(folder, 12, {"average": system.state_dict()})
    return folder


@pytest.fixture
def report(a_run: Path, small: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def measure(*flags: str, of: Path = a_run, data: Path = small) -> dict[str, Any]:
        command.run([str(of), "--data", str(data), "--out", str(tmp_path / "out"), *flags])
        return json.loads((tmp_path / "out" / "evaluation.json").read_text())

    return measure


def test_a_report_says_what_how_much_and_how(report: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    found = report("--seed", "3")
    assert (found["dialogues"], found["turns"], found["seed"]) == (5, 11, 3)
    assert list(found["scores"]) == list(ROWS)
    for row in found["scores"].values():
        assert set(row) == {"all", "last"}
        assert set(row["all"]) == {"psnr", "ssim", "l1"}
    assert {"critic", "painter", "kl"} <= set(found["losses"])
    assert found["turns_per_second"] > 0
    assert found["weights"] == {"name": "tiny", "system": "geneva", "preset": None, "data": None, "examples": 12}
    page = (tmp_path / "out" / "evaluation.md").read_text()
    assert all(row in page for row in ROWS)
    assert "telldraw evaluate" in page and "seed" in page


def test_the_table_is_printed(report: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    report()
    printed = capsys.readouterr().out
    assert all(row in printed for row in ROWS)
    assert "evaluation.json" in printed


def test_baselines_agree_with_the_data(report: Callable[..., dict[str, Any]], small: Path) -> None:
    found, data = report(), Dataset.open(small)
    errors: dict[str, list[float]] = {EMPTY: [], COPY: []}
    for dialogue in data.splits["test"]:
        before = data.background.transpose(2, 0, 1).astype(float)
        for row in range(dialogue.start, dialogue.stop):
            true = data.images[row].astype(float)
            errors[COPY].append(np.abs(true - before).mean() / 255)
            errors[EMPTY].append(np.abs(true - data.background.transpose(2, 0, 1)).mean() / 255)
            before = true
    for row, values in errors.items():
        assert found["scores"][row]["all"]["l1"] == pytest.approx(np.mean(values), abs=1e-5)


def test_batches_and_repetition_change_nothing(report: Callable[..., dict[str, Any]]) -> None:
    first, again, one_by_one = report(), report(), report("--batch-size", "1")
    assert first["scores"] == again["scores"]
    assert first["losses"] == again["losses"]
    for row in ROWS:
        assert one_by_one["scores"][row]["all"] == pytest.approx(first["scores"][row]["all"], abs=1e-4)


def test_a_limit_takes_the_first_dialogues(report: Callable[..., dict[str, Any]]) -> None:
    found = report("--limit", "3", "--batch-size", "2")
    assert (found["dialogues"], found["turns"]) == (3, 6)
    assert report("--limit", "100")["dialogues"] == 5


def test_another_split(report: Callable[..., dict[str, Any]]) -> None:
    assert report("--split", "train")["turns"] == 3


def test_words_are_those_of_the_weights(
    report: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same data with its words numbered otherwise gives the same figures."""
    turned = Vocabulary((PADDING, UNKNOWN, TELLER, *reversed(WORDS.words[3:])))
    first = prepared(tmp_path / "one.telldraw")
    second = prepared(tmp_path / "two.telldraw")
    numbers = np.load(second / "words.npy")
    table = np.array([turned.words.index(word) for word in WORDS.words])
    np.save(second / "words.npy", table[numbers].astype(np.int32))
    (second / "vocabulary.json").write_text(json.dumps(list(turned.words)))
    monkeypatch.setattr("telldraw.data.archive._CHECKED_AT_OPEN", -1)
    manifest = json.loads((second / "manifest.json").read_text())
    manifest["files"]["vocabulary.json"]["bytes"] = (second / "vocabulary.json").stat().st_size
    (second / "manifest.json").write_text(json.dumps(manifest))
    assert report(data=first)["scores"] == report(data=second)["scores"]


def test_a_weights_folder_has_no_losses_and_says_why(
    report: Callable[..., dict[str, Any]], a_run: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    (a_run / "weights").rename(alone)
    try:
        found = report(of=alone)
    finally:
        alone.rename(a_run / "weights")
    assert found["losses"] == {} and "critic" in found["no_losses_because"]
    assert found["scores"] == report()["scores"]


def test_the_report_goes_beside_the_run_unless_said(a_run: Path, small: Path) -> None:
    command.run([str(a_run), "--data", str(small), "--limit", "1"])
    assert (a_run / "evaluation-test" / "evaluation.json").is_file()


def test_lpips_is_a_column_when_its_weights_are_given(report: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    from test_lpips import FILES, classifier, heads

    torch.save(classifier("alex"), tmp_path / FILES["alex"][0])
    torch.save(heads("alex"), tmp_path / FILES["alex"][1])
    found = report("--lpips", str(tmp_path))
    assert all(found["scores"][row]["last"]["lpips"] > 0 for row in ROWS if row != TRUE)
    assert found["scores"][TRUE]["last"]["lpips"] == 0


def test_a_table_takes_any_scorer(report: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the detector's scores will go."""
    seen: list[tuple[int, ...]] = []

    def detector(drawn: Tensor, true: Tensor, objects: Tensor, position: Tensor) -> dict[str, Tensor]:
        seen.append((*drawn.shape[:2], *objects.shape, *position.shape))
        return {"l1": objects.mean(1)}

    monkeypatch.setattr(command, "scorers", lambda options, facts, found: [detector])
    assert set(report()["scores"][FREE]["all"]) == {"l1"}
    assert seen == [(11, 3, 11, 3, 11, 3, 3)] * len(ROWS)


def test_faults_are_sentences(a_run: Path, small: Path, tmp_path: Path) -> None:
    def fails(kind: type[TelldrawError], match: str, *flags: str, of: str = str(a_run), data: Path = small) -> None:
        with pytest.raises(kind, match=match):
            command.run([of, "--data", str(data), *flags])

    fails(DataError, "no split 'exam'.*train", "--split", "exam")
    fails(DataError, "no data set at", data=tmp_path / "nothing")
    fails(WeightsError, "no weights named", of="nobody")
    fails(WeightsError, "alexnet-owt", "--lpips", str(tmp_path))
    fails(TelldrawError, "--limit 0", "--limit", "0")
    fails(TelldrawError, "--batch-size", "--batch-size", "-1")
    fails(TelldrawError, "no such device", "--device", "teapot")
    (tmp_path / "file").write_text("")
    fails(TelldrawError, "cannot be written", "--out", str(tmp_path / "file"), "--limit", "1")


def test_data_of_another_resolution_is_refused_with_the_remedy(a_run: Path, tmp_path: Path) -> None:
    large = prepared(tmp_path / "large.telldraw", side=64)
    with pytest.raises(DataError, match="64x64.*draws 32x32.*--resolution 32"):
        command.run([str(a_run), "--data", str(large)])


def test_data_with_other_objects_has_no_losses(report: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    other = prepared(tmp_path / "other.telldraw", classes=("cube", "tree", "moon"))
    assert "other objects" in report(data=other)["no_losses_because"]


def test_settings_are_checked_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find", lambda name: pytest.fail("weights were looked for"))
    with pytest.raises(TelldrawError, match="--limit"):
        command.run(["x", "--data", "y", "--limit", "0"])
