"""`telldraw train` as a user meets it: on a small data set, stopped, killed, gone on with, and told nonsense."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from telldraw import systems, weights
from telldraw.cli import main
from telldraw.data.archive import Dataset, Writer, end_to_end
from telldraw.errors import TrainingError
from telldraw.text import PADDING, TELLER, UNKNOWN, Vocabulary
from telldraw.training import checkpoint
from telldraw.training.log import Log
from telldraw.training.schedule import Schedule

WORDS = Vocabulary((PADDING, UNKNOWN, TELLER, *"a red blue cube tree on the left right".split()))
CLASSES = ("cube", "tree", "sun")
TURNS = {"train": [2, 1, 3, 2, 4, 1, 2, 3], "val": [3, 1]}
geneva = systems.load("geneva")


def prepared(path: Path, words: Vocabulary = WORDS) -> Path:
    """A data set as `telldraw prepare` writes one, with random pictures and words."""
    rng = np.random.default_rng(0)
    count = sum(map(sum, TURNS.values()))
    listed, at = {}, 0
    for split, turns in TURNS.items():
        listed[split] = []
        for number, length in enumerate(turns):
            listed[split].append([f"{split}_{number}", at, at + length])
            at += length
    said = [" ".join(rng.choice(words.words[3:], rng.integers(2, 6))) for _ in range(count)]
    with Writer(path) as writer:
        writer.array("images.npy", rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8))
        writer.array("background.npy", np.full((32, 32, 3), 200, np.uint8))
        writer.array("objects.npy", rng.integers(0, 2, (count, 3), dtype=np.uint8))
        writer.array("position.npy", rng.random((count, 3, 3), dtype=np.float32))
        encoded = end_to_end([words.encode([TELLER, *line.split()]) for line in said], np.int32)
        typed = end_to_end([np.frombuffer(line.encode(), np.uint8) for line in said], np.uint8)
        for name, (rows, starts) in {"words": encoded, "said": typed}.items():
            writer.array(f"{name}.npy", rows)
            writer.array(f"{name}_at.npy", starts)
        writer.text("vocabulary.json", json.dumps(list(words.words)))
        writer.text("dialogues.json", json.dumps(listed))
        facts = {"name": "small", "licence": "CC BY 4.0", "protocol": "published", "resolution": 32}
        writer.finish({**facts, "classes": list(CLASSES)})
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data") / "small.telldraw")


def flags(data: Path, out: Path, *more: str, examples: int = 64) -> list[str]:
    """A run of 16 steps; a row of the log, and a state, at each."""
    every = ("--log-every", "0", "--save-every", "0", "--measure-batches", "2")
    size = ("--batch-size", "4", "--sheet-dialogues", "1", "--examples", str(examples))
    return ["train", "geneva", "--data", str(data), "--preset", "tiny", "--out", str(out), *size, *every, *more]


def final(run: Path) -> dict[str, Any]:
    return torch.load(checkpoint.states(run)[0], weights_only=True)


def same(one: Any, other: Any) -> bool:
    """Bit for bit."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def rows(run: Path) -> list[dict[str, float]]:
    """The log without its times."""
    lines = (run / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in ("seconds", "rate")} for line in lines]


def assert_same_run(run: Path, straight: Path) -> None:
    assert same(final(run), final(straight))
    assert rows(run) == rows(straight)
    for name in ("model.safetensors", "vocabulary.json"):
        assert (run / "weights" / name).read_bytes() == (straight / "weights" / name).read_bytes()


@pytest.fixture(scope="module")
def straight(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    run = tmp_path_factory.mktemp("runs") / "straight"
    assert main(flags(data, run)) == 0
    return run


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """The sentence with which a command ends."""
    capsys.readouterr()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("telldraw: ") and error.count("\n") == 1, error
    return error


# --- a run --------------------------------------------------------------------------------------------------------


def test_a_run_leaves_what_it_promises(straight: Path, data: Path) -> None:
    assert [row["examples"] for row in rows(straight)] == list(range(4, 68, 4))
    assert {"critic", "painter", "kl", "penalty"} <= set(rows(straight)[-1])
    assert final(straight)["seen"] == 64 and len(checkpoint.states(straight)) == 2
    with Image.open(straight / "sheets" / "0000000064.png") as sheet:
        assert sheet.width > 60 and sheet.height > 60
    assert any((straight / "tensorboard").iterdir())
    loaded = weights.load(weights.find(str(straight)))
    assert loaded.card["data"] == "small" and loaded.card["licence"] == "CC BY 4.0"
    assert loaded.card["examples"] == 64 and loaded.card["dtype"] == "bfloat16"
    readme = (straight / "weights" / "README.md").read_text()
    assert "CC BY 4.0" in readme and "telldraw train geneva --data" in readme
    state = final(straight)["average"]
    found = loaded.system.state_dict()
    for name in ("generator.picture.weight", "sentence_encoder.words.weight"):
        torch.testing.assert_close(found[name], state[name], rtol=2**-8, atol=1e-8)


def test_the_folder_of_the_run_is_all_that_is_printed(
    data: Path, straight: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run again, a run that is done does nothing more, and says so."""
    before = final(straight)
    assert main(flags(data, straight)) == 0
    out, err = capsys.readouterr()
    assert out == f"{straight}\n"
    assert "going on after 64 examples" in err and "all examples seen" in err
    assert same(final(straight), before)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_same_command_goes_on(
    data: Path,
    straight: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ending: signal.Signals,
) -> None:
    step = geneva.System.training_step

    def stopped(self: Any, batch: Any, update: Any) -> None:
        if update.step == 5:
            os.kill(os.getpid(), ending)  # in the middle: the step is finished all the same
        step(self, batch, update)

    before = signal.getsignal(ending)
    words = flags(data, tmp_path / "run", "--save-every", "1000")
    with monkeypatch.context() as patch:
        patch.setattr(geneva.System, "training_step", stopped)
        assert main(words) == 128 + ending
    assert signal.getsignal(ending) is before
    said = capsys.readouterr().err
    assert "stopping after this step" in said
    assert "stopped after 24 examples; the same command goes on" in said
    assert final(tmp_path / "run")["seen"] == 24
    assert main(words) == 0
    assert_same_run(tmp_path / "run", straight)


def test_a_second_ctrl_c_ends_it_at_once_with_the_state_before(
    data: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = geneva.System.training_step

    def stopped(self: Any, batch: Any, update: Any) -> None:
        if update.step == 5:
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)
            pytest.fail("the step went on")
        step(self, batch, update)

    words = flags(data, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(geneva.System, "training_step", stopped)
        assert main(words) == 130
    assert final(tmp_path / "run")["seen"] == 20
    assert main(words) == 0
    assert_same_run(tmp_path / "run", straight)


def test_killed_at_any_moment_the_same_command_arrives_at_the_same_weights(
    data: Path, straight: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = flags(data, run)
    code = f"import sys; sys.path[:] = {sys.path!r}; from telldraw.cli import main; sys.exit(main({words!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    give_up = time.monotonic() + 120
    try:
        while process.poll() is None and time.monotonic() < give_up:
            if any(path.stem >= "state-0000000012" for path in checkpoint.states(run)):
                break
            time.sleep(0.002)
    finally:
        process.kill()
        error = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, error
    assert 12 <= final(run)["seen"] < 64, "it was killed in the middle"
    assert main(words) == 0
    assert_same_run(run, straight)


def test_time_stops_it_and_the_same_command_goes_on(
    data: Path, straight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = flags(data, tmp_path / "run")
    assert main([*words, "--max-minutes", "0.0001"]) == 0
    assert "time is up; the same command goes on: 4 examples" in capsys.readouterr().err
    assert main(words) == 0
    assert_same_run(tmp_path / "run", straight)


def test_batches_of_so_many_turns_go_on_exactly_too(data: Path, tmp_path: Path) -> None:
    for name in ("straight", "stopped"):
        assert main(flags(data, tmp_path / name, "--batch-turns", "6", examples=20 if name == "straight" else 9)) == 0
    assert final(tmp_path / "stopped")["seen"] < 20 <= final(tmp_path / "straight")["seen"]
    assert main(flags(data, tmp_path / "stopped", "--batch-turns", "6", examples=20)) == 0
    assert_same_run(tmp_path / "stopped", tmp_path / "straight")


def test_a_damaged_state_is_named_and_the_one_before_goes_on(
    data: Path, straight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(flags(data, run, examples=32)) == 0
    checkpoint.states(run)[0].write_bytes(b"damaged")
    assert main(flags(data, run)) == 0
    said = capsys.readouterr().err
    assert "state-0000000032.pt is damaged" in said and "going on after 28 examples" in said
    assert_same_run(run, straight)


def test_bf16_trains_and_draws(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(flags(data, run, "--bf16", "--weights-dtype", "float32", examples=8)) == 0
    assert weights.load(run / "weights").card["dtype"] == "float32"
    assert all(np.isfinite(list(row.values())).all() for row in rows(run))


def test_the_drawer_that_is_not_iterative_trains(data: Path, tmp_path: Path) -> None:
    assert main(flags(data, tmp_path / "run", "--config.no-iterative", examples=8)) == 0
    assert (tmp_path / "run" / "weights" / "config.json").is_file()


# --- figures that are none, and what cannot be written ------------------------------------------------------------


def test_a_loss_that_is_no_number_is_named_and_the_run_kept(
    data: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step, run = geneva.System.training_step, tmp_path / "run"

    def spoilt(self: Any, batch: Any, update: Any) -> None:
        if update.step == 4:
            batch = batch._replace(image=batch.image * float("nan"))
        step(self, batch, update)

    with monkeypatch.context() as patch:
        patch.setattr(geneva.System, "training_step", spoilt)
        assert main(flags(data, run)) == 2
    said = capsys.readouterr().err
    assert "the loss 'critic' was not a finite number after 20 examples" in said
    assert "state-0000000016.pt, is kept" in said
    assert "Traceback" not in said
    assert main(flags(data, run)) == 0
    assert_same_run(run, straight)


def test_a_full_disk_is_a_sentence(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*given: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        assert main(flags(data, tmp_path / "states")) == 2
        assert "state-0000000004.pt cannot be written" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(weights, "save", full)
        assert main(flags(data, tmp_path / "weights", examples=4)) == 2
        assert "cannot be written" in capsys.readouterr().err
        assert final(tmp_path / "weights")["seen"] == 4, "the state came first"


# --- a run's folder -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--seed", "3"), "(seed)"),
        (("--config.penalty-weight", "1"), "(config.penalty_weight)"),
        (("--decay", "0.5", "--config.no-wrong-pairs"), "(decay, config.wrong_pairs)"),
        (("--batch-size", "8"), "(batch_size)"),
    ],
)
def test_a_run_with_other_settings_is_refused_by_name(
    data: Path, straight: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], named: str
) -> None:
    before = final(straight)
    error = refused(capsys, [*flags(data, straight), *more])
    assert named in error and str(straight) in error and "--out" in error
    assert same(final(straight), before)


def test_a_run_is_not_gone_on_with_in_other_words(
    straight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turned = Vocabulary((PADDING, UNKNOWN, TELLER, *reversed(WORDS.words[3:])))
    assert "(vocabulary)" in refused(capsys, flags(prepared(tmp_path / "other.telldraw", turned), straight))


def test_a_run_of_an_earlier_version_goes_on(data: Path, tmp_path: Path) -> None:
    """What it did not write down had its default."""
    run = tmp_path / "run"
    assert main(flags(data, run, examples=8)) == 0
    found = json.loads((run / "run.json").read_text())
    del found["vocabulary"], found["decay"], found["config"]["own_canvas"]
    (run / "run.json").write_text(json.dumps(found))
    assert main(flags(data, run, "--config.own-canvas", "0.5", examples=12)) == 2
    assert main(flags(data, run, "--decay", "0.5", examples=12)) == 2
    assert main(flags(data, run, examples=12)) == 0


@pytest.mark.parametrize("content", ["", "{", "[1]", "null"])
def test_a_damaged_note_of_the_settings_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(content)
    assert "run.json is damaged" in refused(capsys, flags(data, run))


def test_without_the_note_a_state_is_still_a_run(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(flags(data, run, examples=8)) == 0
    (run / "run.json").unlink()
    assert main(flags(data, run, examples=12)) == 0
    assert final(run)["seen"] == 12


def test_a_folder_of_other_things_is_left_alone(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run writes `weights` and `sheets`: nothing of the user's may be where they go."""
    mine = tmp_path / "home" / "weights" / "mine.bin"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"years of work")
    assert "holds other files and no run" in refused(capsys, flags(data, tmp_path / "home"))
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["weights"]
    assert mine.read_bytes() == b"years of work"


def test_two_processes_do_not_train_in_one_folder(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fcntl = pytest.importorskip("fcntl")
    run = tmp_path / "run"
    assert main(flags(data, run, examples=4)) == 0
    with (run / "lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another process is training" in refused(capsys, flags(data, run))
    assert main(flags(data, run, examples=8)) == 0


def test_a_place_that_cannot_be_written_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        assert f"--out {out} cannot be written" in refused(capsys, flags(data, out))


# --- words that cannot be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--batch-size", "1"), "--batch-size 1: at least 2"),
        (("--batch-size", "50"), "8 dialogues, too few for a batch of 50"),
        (("--seed", "-1"), "--seed -1"),
        (("--decay", "1"), "--decay 1.0"),
        (("--sheet-dialogues", "0"), "--sheet-dialogues 0"),
        (("--examples", "0"), "--examples 0"),
        (("--sheet-every", "0"), "--sheet-every 0"),
        (("--measure-batches", "0"), "--measure-batches 0"),
        (("--device", "teapot"), "--device teapot: there is no such device"),
        (("--device", "cuda:7"), "--device cuda:7: there is no such device"),
        (("--config.resolution", "48"), "--config.resolution 48"),
        (("--config.glove", "/nowhere/glove.txt"), "no word vectors at /nowhere/glove.txt"),
    ],
)
def test_settings_that_cannot_be_are_sentences(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused(capsys, flags(data, tmp_path / "run", *more))


def test_what_is_refused_leaves_no_run_behind(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that the command, put right, is not told of other settings."""
    run = tmp_path / "run"
    refused(capsys, flags(data, run, "--config.glove", "/nowhere/glove.txt"))
    refused(capsys, [*flags(data, run), "--batch-size", "50"])
    assert main(flags(data, run, examples=4)) == 0


def test_what_is_refused_leaves_the_folder_as_it_was(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, [*flags(data, tmp_path / "new"), "--batch-size", "50"])
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    refused(capsys, [*flags(data, tmp_path / "empty"), "--batch-size", "50"])
    assert not list((tmp_path / "empty").iterdir())


def test_a_run_refused_at_its_first_step_is_none(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(self: Any, batch: Any, update: Any) -> None:
        raise TrainingError("not like this")

    with monkeypatch.context() as patch:
        patch.setattr(geneva.System, "training_step", never)
        assert main(flags(data, tmp_path / "run", "--seed", "1")) == 2
    assert "telldraw: not like this" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main(flags(data, tmp_path / "run", examples=4)) == 0


def test_the_status_line_does_not_count_beyond_the_end(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = Log(tmp_path, 0, stream=stream, tensorboard=False)
    log.figures(64, 16, {})
    log.close()
    said = stream.getvalue()
    assert said.startswith("64 examples") and " 0 s left" in said and "-0" not in said


def test_a_missing_data_set_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, flags(tmp_path / "nothing", tmp_path / "run"))
    assert "no data set at" in error and "telldraw prepare" in error
    assert not (tmp_path / "run").exists()


def test_a_preset_of_another_size_names_the_remedy(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "geneva", "--data", str(data), "--preset", "codraw-64", "--out", str(tmp_path / "run")]
    assert "--resolution 64" in refused(capsys, [*words, "--batch-size", "4"])


@pytest.mark.parametrize("words", [("--preset", "huge"), ("--preset=huge",), ("--preset",)])
def test_an_unknown_preset_lists_those_there_are(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    error = refused(capsys, ["train", "geneva", "--data", "x", *words])
    assert "no preset" in error and all(name in error for name in geneva.PRESETS)


def test_the_system_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert "name the system first: telldraw train geneva --data x" in refused(capsys, ["train", "--data", "x"])
    assert "no system 'dali'; choose from bicyclegan, cgan, " in refused(capsys, ["train", "dali", "--data", "x"])


def test_a_data_set_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "geneva", "--preset", "tiny"]) == 2
    assert "--data" in "".join(capsys.readouterr())


# --- help ---------------------------------------------------------------------------------------------------------


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["train", "--help"], ["train"]):
        assert main(words) == 0
        text = capsys.readouterr().out
        assert "telldraw train SYSTEM --data" in text
        assert "the same command goes on" in text
        assert "geneva" in text and all(preset in text for preset in geneva.PRESETS)


def test_help_of_a_system_mentions_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "geneva", "--help"]) == 0
    text = capsys.readouterr().out
    for group, kind in (("config.", geneva.Config), ("", Schedule)):
        for field in fields(kind):
            assert f"--{group}{field.name.replace('_', '-')}" in text, field.name
    flat = " ".join(text.replace("\u2502", " ").split())
    assert "Length of the augmented condition code." in flat, "the line under a setting is its help"
    assert all(preset in flat for preset in geneva.PRESETS)


def test_help_shows_the_defaults_of_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    for preset, side in (("codraw-128", 128), ("tiny", 32)):
        assert main(["train", "geneva", "--preset", preset, "--help"]) == 0
        shown = capsys.readouterr().out.split("--config.resolution")[1].split("--config")[0]
        assert f"(default: {side})" in shown


def test_the_data_set_fits_its_splits(data: Path) -> None:
    """The data set of these tests is what they take it for."""
    opened = Dataset.open(data)
    assert {split: len(rows) for split, rows in opened.splits.items()} == {"train": 8, "val": 2}
