"""`telldraw prepare codraw` and `telldraw data`: the whole, and everything that can be wrong with the files."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from codraw_like import entry, make_codraw, write
from telldraw.commands import data as data_command
from telldraw.commands import prepare as command
from telldraw.data import DATASETS, codraw
from telldraw.data.archive import Dataset
from telldraw.data.clipart import Renderer
from telldraw.data.scenes import CLASSES, positions, present
from telldraw.errors import DataError, TelldrawError

SUN = "s_3s.png"


# --- preparing, and what can be wrong -------------------------------------------------------------------------------


def test_a_prepared_set_holds_what_was_distributed(codraw_like: Path, dataset: Dataset) -> None:
    conversations = codraw.read(codraw_like)
    assert {s: [d.id for d in dialogues] for s, dialogues in dataset.splits.items()} == {
        s: [one.id for one in conversations if one.split == s] for s in codraw.SPLITS
    }
    rows = [turn for one in conversations for turn in one.turns]
    assert len(dataset) == len(rows) == dataset.splits["test"][-1].stop
    renderer = Renderer(codraw_like / "Pngs", 32)
    for row, turn in enumerate(rows):
        assert dataset.words(row).tolist() == dataset.vocabulary.encode(turn.words).tolist()
        assert dataset.said(row) == turn.said
        assert np.array_equal(dataset.images[row].transpose(1, 2, 0), renderer.draw(turn.scene))
        assert np.array_equal(dataset.objects[row], present(turn.scene))
        assert np.array_equal(dataset.position[row], positions(turn.scene))
    facts = dataset.facts
    assert (facts.name, facts.resolution, facts.classes) == ("codraw", 32, CLASSES)
    assert facts.axes == ("x", "depth") and dataset.manifest["axes"] == ["x", "depth"]
    assert "NC" in facts.licence and np.array_equal(facts.background, renderer.draw(()))


def test_words_are_those_of_training_seen_twice(codraw_like: Path, dataset: Dataset) -> None:
    from collections import Counter

    train = (one for one in codraw.read(codraw_like) if one.split == "train")
    counts = Counter(word for one in train for turn in one.turns for word in turn.words)
    assert set(dataset.vocabulary.words[2:]) == {word for word, count in counts.items() if count >= 2}


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit the dialogues of a distribution in place."""
    file = folder / "CoDraw_1_0.json.gz"
    data = json.loads(gzip.decompress(file.read_bytes()))["data"]
    edit(data)
    write(folder, data)


def last(record: dict[str, Any]) -> dict[str, Any]:
    return record["dialog"][-1]


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "too few fields": (lambda r: last(r).update(abs_d=last(r)["abs_d"][:-9]), "of 28 objects has 225 fields, this one"),
    "not a number": (
        lambda r: last(r).update(abs_d=last(r)["abs_d"].replace("-10000", "oops", 1)),
        "x is 'oops', not a number",
    ),
    "far outside": (
        lambda r: last(r).update(abs_d=last(r)["abs_d"].replace("-10000", "4711", 1)),
        "far outside the canvas",
    ),
    "empty dialogue": (lambda r: r.update(dialog=[]), "it is empty"),
    "no dialogue": (lambda r: r.pop("dialog"), "no list of rounds"),
    "nothing drawn": (lambda r: r.update(dialog=[entry("hi", "hi", "")]), "nothing is drawn"),
    "no message": (lambda r: last(r).pop("msg_t"), "lacks msg_t, msg_d or abs_d"),
    "message of another kind": (lambda r: last(r).update(msg_d=None), "are not all text"),
    "round of another kind": (lambda r: r["dialog"].append(7), "lacks msg_t, msg_d or abs_d"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_dialogue_is_named_and_left_out_and_strict_stops_at_it(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, what = FAULTS[name]
    folder, out = make_codraw(tmp_path / "raw", 12), tmp_path / "out.telldraw"
    change(folder, lambda data: edit(data["train_00003"]))
    flags = ["codraw", "--from", str(folder), "--out", str(out), "--resolution", "16", "--workers", "1"]
    with pytest.raises(DataError) as caught:
        command.run([*flags, "--strict"])
    assert what in str(caught.value) and "CoDraw_1_0.json.gz, dialogue train_00003" in str(caught.value)
    assert not list(tmp_path.glob("out*"))
    command.run(flags)
    told = capsys.readouterr()
    assert what in told.err and "left out train_00003: CoDraw_1_0.json.gz" in told.err
    assert "1 left out for faults" in told.out and "train 9 dialogues" in told.out
    assert "train_00003" not in [d.id for d in Dataset.open(out).splits["train"]]


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_missing_or_damaged_sprite_leaves_out_the_dialogues_that_need_it(tmp_path: Path, damage: str) -> None:
    folder = make_codraw(tmp_path / "raw")
    sprite = folder / "Pngs" / SUN
    needing = {one.id for one in codraw.read(folder) if any(c.sprite == SUN for t in one.turns for c in t.scene)}
    sprite.unlink() if damage == "missing" else sprite.write_bytes(sprite.read_bytes()[:100])
    faults: list[codraw.Fault] = []
    found = codraw.read(folder, fault=faults.append)
    assert needing <= {fault.dialogue for fault in faults} and not needing & {one.id for one in found}
    assert all(f"{sprite}, which is {damage}" in fault.what for fault in faults)
    with pytest.raises(DataError, match=f"dialogue .* needs the sprite .*{SUN}, which is {damage}"):
        codraw.read(folder)


def test_when_nothing_can_be_used_the_first_reason_is_given(tmp_path: Path) -> None:
    folder = make_codraw(tmp_path / "raw", 3)
    change(folder, lambda data: data.update({name: data[name] | {"dialog": []} for name in data}))
    with pytest.raises(DataError, match="no dialogue of .* can be used; the first, train_00000: it is empty"):
        codraw.read(folder, fault=lambda fault: None)


def cut(folder: Path) -> None:
    file = folder / "CoDraw_1_0.json.gz"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garble(folder: Path) -> None:
    file = folder / "CoDraw_1_0.json.gz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def unzip_and_cut(folder: Path) -> None:
    file = folder / "CoDraw_1_0.json.gz"
    text = gzip.decompress(file.read_bytes())
    file.unlink()
    (folder / "CoDraw_1_0.json").write_bytes(text[: len(text) // 2])


DISTRIBUTIONS: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut gzip": (cut, r"CoDraw_1_0\.json\.gz is damaged or cut short .* download it again"),
    "garbled gzip": (garble, r"CoDraw_1_0\.json\.gz (is damaged|cannot be read|is not whole).* download it again"),
    "no gzip": (lambda f: (f / "CoDraw_1_0.json.gz").write_bytes(b"{}"), r"CoDraw_1_0\.json\.gz cannot be read"),
    "cut JSON": (unzip_and_cut, r"CoDraw_1_0\.json is not whole JSON .* download it again"),
    "other JSON": (lambda f: (f / "CoDraw_1_0.json").write_text("[]"), r"CoDraw_1_0\.json is not CoDraw"),
    "no JSON": (
        lambda f: (f / "CoDraw_1_0.json.gz").unlink(),
        "no CoDraw_1_0.json or CoDraw_1_0.json.gz in .* should hold",
    ),
    "no pictures": (lambda f: (f / "Pngs").rename(f / "pictures"), "no folder Pngs in .* should hold"),
    "no folder": (lambda f: f.rename(f.with_name("elsewhere")), "there is no folder .* should hold"),
    "no background": (lambda f: (f / "Pngs" / "background.png").unlink(), r"there is no .*background\.png"),
    "damaged background": (
        lambda f: (f / "Pngs" / "background.png").write_bytes(b"x"),
        r"background\.png cannot be read",
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_that_cannot_be_used_ends_with_one_sentence_and_leaves_nothing(
    tmp_path: Path, name: str
) -> None:
    damage, what = DISTRIBUTIONS[name]
    folder = make_codraw(tmp_path / "raw", 4)
    damage(folder)
    with pytest.raises(DataError, match=what) as caught:
        codraw.prepare(folder, tmp_path / "out.telldraw", resolution=16)
    assert "\n" not in str(caught.value) and not list(tmp_path.glob("out*"))


# --- the commands -------------------------------------------------------------------------------------------------


def test_prepare_without_or_with_an_unknown_name_lists_the_data_sets() -> None:
    for argv in ([], ["imagenet"]):
        with pytest.raises(TelldrawError, match="codraw +Abstract Scenes"):
            command.run(argv)


@pytest.mark.parametrize("flags", [["--resolution", "4"], ["--workers", "0"], ["--limit", "0"]])
def test_values_out_of_range_are_refused_before_any_work(flags: list[str], codraw_like: Path) -> None:
    with pytest.raises(TelldrawError, match=flags[0]):
        command.run(["codraw", "--from", str(codraw_like), *flags])


def test_the_owners_folder_may_come_from_the_environment(
    codraw_like: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TELLDRAW_DATA", raising=False)
    with pytest.raises(DataError, match="--from FOLDER; its owner distributes it at https"):
        command.run(["codraw"])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "codraw").symlink_to(codraw_like)
    monkeypatch.setenv("TELLDRAW_DATA", str(tmp_path / "data"))
    command.run(["codraw", "--resolution", "16", "--limit", "10", "--workers", "1"])
    assert {s: len(d) for s, d in Dataset.open("codraw-16.telldraw").splits.items()} == {
        "train": 8,
        "val": 1,
        "test": 1,
    }
    assert "licence of the data: CC BY-NC 4.0" in capsys.readouterr().out
    with pytest.raises(DataError, match="there already; add --overwrite"):
        command.run(["codraw", "--resolution", "16"])


def test_data_lists_and_describes(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data_command.run([])
    listed = capsys.readouterr().out
    assert all(name in listed and entry.licence in listed for name, entry in DATASETS.items())
    sheet = tmp_path / "new" / "sheet.png"
    data_command.run([str(prepared), "--sheet", str(sheet), "--split", "train", "--verify"])
    described = capsys.readouterr().out
    for part in (
        "codraw, 32 x 32",
        "protocol published",
        "CC BY-NC 4.0",
        "20 dialogues",
        "58 classes",
        "checksum is right",
    ):
        assert part in described
    with Image.open(sheet) as image:
        assert image.width > 500 and image.getcolors(1 << 20)
    with pytest.raises(DataError, match="say which"):
        data_command.run(["--verify"])


def test_listing_needs_no_torch(prepared: Path) -> None:
    program = f"""
import sys
from telldraw.commands import data, prepare
data.run([]); data.run([{str(prepared)!r}])
from telldraw.data import codraw
assert "torch" not in sys.modules
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_is_never_taken_for_whole_and_the_next_cleans_up(
    tmp_path: Path, how: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = make_codraw(tmp_path / "raw", 300), tmp_path / "out.telldraw"
    program = "import sys; from telldraw.cli import main; sys.exit(main())"
    flags = ["codraw", "--from", str(folder), "--out", str(out), "--workers", "1", "--resolution", "256"]
    process = subprocess.Popen([sys.executable, "-c", program, "prepare", *flags], stderr=subprocess.DEVNULL)
    pictures = tmp_path / "out.telldraw.part" / "images.npy"
    while not (pictures.exists() and pictures.stat().st_size > 1 << 20):
        assert process.poll() is None, "it ended before it could be interrupted"
        time.sleep(0.005)
    with pytest.raises(DataError, match="being written by another run"):
        codraw.prepare(folder, out, resolution=16)
    process.send_signal(how)
    process.wait(30)
    assert process.returncode == (130 if how == signal.SIGINT else -how) and not out.exists()
    assert pictures.parent.exists() == (how == signal.SIGKILL)
    with pytest.raises(DataError, match="never finished" if how == signal.SIGKILL else "no data set at"):
        Dataset.open(out)
    command.run([*flags[:-1], "16"])
    assert ("which an earlier run left half-written" in capsys.readouterr().err) == (how == signal.SIGKILL)
    assert len(Dataset.open(out).splits["train"]) == 240 and not pictures.parent.exists()
