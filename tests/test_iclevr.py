"""`telldraw prepare iclevr`: rendering, stopping, sharding, and both published forms with all that can be wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from iclevr_like import NAMES, STORIES, empty, make_packed, make_raw, picture
from telldraw.commands import prepare as command
from telldraw.data import DATASETS
from telldraw.data.archive import Dataset
from telldraw.data.clevr.fast import Renderer
from telldraw.data.clevr.sequences import sequence
from telldraw.data.clevr.stage import CLASSES, STAGE
from telldraw.data.iclevr import prepare
from telldraw.data.iclevr_render import GROUP, Plan, read_group
from telldraw.data.rendering import open_folder, render, render_group
from telldraw.errors import DataError, TelldrawError

if TYPE_CHECKING:
    import h5py

SMALL = Plan(GROUP + 5, 3, 2, resolution=16)  # two groups


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SMALL, in a single run. Do not change the folder."""
    out = tmp_path_factory.mktemp("rendered") / "one.telldraw"
    assert render(SMALL, out) == {"train": 5 * (GROUP + 5), "val": 15, "test": 10}
    return out


# --- rendering ----------------------------------------------------------------------------------------------------


def test_a_rendered_set_holds_its_sequences(rendered: Path) -> None:
    dataset, renderer = Dataset.open(rendered), Renderer(16)
    assert [len(dataset.split(split)) for split in ("train", "val", "test")] == [GROUP + 5, 3, 2]
    dialogues = [dialogue for split in ("train", "val", "test") for dialogue in dataset.split(split)]
    for number, dialogue in enumerate(dialogues):
        assert int(dialogue.id.rpartition("_")[2]) == number
        for row, turn in enumerate(sequence(0, number), dialogue.start):
            assert dataset.said(row) == turn.said and turn.said[0] == "A"
            assert dataset.words(row).tolist() == dataset.vocabulary.encode(turn.said.lower().split()).tolist()
            assert [CLASSES[at] for at in np.flatnonzero(dataset.objects[row])] == sorted(
                (solid.name for solid in turn.solids), key=CLASSES.index
            )
            for solid in turn.solids:
                assert dataset.position[row, solid.category] == pytest.approx(STAGE.project(solid.centre), rel=1e-6)
            assert not dataset.position[row][dataset.objects[row] == 0].any()
    row = dialogues[GROUP + 1].stop - 1
    last = sequence(0, GROUP + 1)[-1].solids
    assert np.array_equal(dataset.images[row], renderer.draw(last).transpose(2, 0, 1))
    assert np.array_equal(dataset.background, renderer.draw(()))
    assert dataset.manifest["canvas"] == [320, 240] and dataset.manifest["axes"] == ["x", "y"]
    assert "CC0" in dataset.licence and dataset.protocol == "rendered"
    assert not rendered.with_name("one.telldraw.rendering").exists()


def test_shards_join_to_the_single_run(rendered: Path, tmp_path: Path) -> None:
    """Each on a machine of its own; then their files are put together."""
    one, other = tmp_path / "1" / "one.telldraw", tmp_path / "2" / "one.telldraw"
    for number, out in ((1, one), (2, other)):
        out.parent.mkdir()
        assert render(SMALL, out, shard=(number, 2)) is None
        assert not out.exists()
    for path in other.with_name("one.telldraw.rendering").glob("*.npz"):
        shutil.copy(path, one.with_name("one.telldraw.rendering"))
    heard: list[tuple[int, int]] = []
    assert render(SMALL, one, progress=lambda *at: heard.append(at)) is not None
    assert heard == [(0, 0)]  # nothing was left to render
    assert contents(one) == contents(rendered)


def test_shards_of_the_path_tracer_join_too(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba", reason="Mitsuba 3 is not installed: pip install 'telldraw[render]'")
    plan = Plan(GROUP + 1, 0, 0, resolution=16, engine="mitsuba", samples=12)
    one, other = tmp_path / "one.telldraw", tmp_path / "other.telldraw"
    render(plan, one, workers=2)  # in other processes
    for number in (2, 1):
        assert render(plan, other, shard=(number, 2)) is None
    assert render(plan, other) and contents(other) == contents(one)


def test_a_stopped_run_goes_on(rendered: Path, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done:
            raise Stop

    out, told = tmp_path / "one.telldraw", []
    with pytest.raises(Stop):
        render(SMALL, out, progress=stop)
    assert not out.exists()
    with pytest.raises(DataError, match="no data set"):
        Dataset.open(out)
    assert render(SMALL, out, tell=told.append)
    assert told and told[0].startswith(f"{GROUP} sequences were rendered before")
    assert contents(out) == contents(rendered)


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    flags = ["--train", "60", "--resolution", "16", "--workers", "2", "--out", str(tmp_path / "x.telldraw")]
    run = [sys.executable, "-m", "telldraw", "prepare", "iclevr", *flags]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(run, env=environment, stderr=subprocess.DEVNULL)
    folder = tmp_path / "x.telldraw.rendering"
    until = time.monotonic() + 60
    while not list(folder.glob("*.npz")) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    assert kept
    times: dict[Path, int] = {}

    def look(done: int, total: int) -> None:
        times.update({path: path.stat().st_mtime_ns for path in kept})

    plan = Plan(60, 0, 0, resolution=16)
    assert render(plan, tmp_path / "x.telldraw", progress=look) == {"train": 300, "val": 0, "test": 0}
    assert times == kept  # none was rendered again


def test_a_folder_of_another_plan_is_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "x.telldraw"
    open_folder(SMALL, out)
    with pytest.raises(DataError, match="begun with train 30 and not 31, seed 0 and not 1"):
        render(Plan(GROUP + 6, 3, 2, resolution=16, seed=1), out)
    (tmp_path / "x.telldraw.rendering" / "plan.json").write_text("{")
    with pytest.raises(DataError, match="plan.json is damaged"):
        render(SMALL, out)


def test_a_damaged_group_is_named(tmp_path: Path) -> None:
    plan, out = Plan(3, 1, 1, resolution=16), tmp_path / "x.telldraw"
    folder = tmp_path / "x.telldraw.rendering"
    assert render(plan, out, shard=(2, 2)) is None  # nothing in it, but the folder
    (folder / "000000.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="000000.npz is damaged.*remove it"):
        render(plan, out)
    (folder / "000000.npz").unlink()
    assert render(plan, out, shard=(1, 2)) is None and not out.exists()  # a shard is never stored
    assert render(plan, out)
    assert not list(tmp_path.glob("*.rendering"))


def test_a_group_is_damaged_when_a_byte_is(tmp_path: Path) -> None:
    plan = Plan(2, 0, 0, resolution=16)
    render_group(plan, plan.painter(), tmp_path, range(2))
    images, stories = read_group(tmp_path, range(2))
    assert images.shape == (10, 3, 16, 16) and stories == [sequence(0, 0), sequence(0, 1)]
    data = bytearray((tmp_path / "000000.npz").read_bytes())
    data[1000] ^= 1
    (tmp_path / "000000.npz").write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        read_group(tmp_path, range(2))


def test_edits_are_stored_as_they_stand(tmp_path: Path) -> None:
    out = tmp_path / "x.telldraw"
    render(Plan(4, 0, 0, resolution=16, edits=True), out)
    dataset = Dataset.open(out)
    assert dataset.protocol == "rendered with edits"
    for number, dialogue in enumerate(dataset.split("train")):
        turns = sequence(0, number, edits=True)
        counts = [int(dataset.objects[row].sum()) for row in range(dialogue.start, dialogue.stop)]
        assert counts == [len(turn.solids) for turn in turns]


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command_renders_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.telldraw"
    flags = ["iclevr", "--render", "5", "--resolution", "16", "--workers", "1", "--out", str(out)]
    command.run([*flags, "--shard", "2/2"])
    assert "the command without --shard joins" in capsys.readouterr().out
    command.run(flags)
    told = capsys.readouterr()
    assert "train 3 sequences, 15 turns; val 1 sequences" in told.out and "CC0" in told.out
    assert "rendered 5 of 5, 0 s left" in told.err
    with pytest.raises(DataError, match="--overwrite"):
        command.run(flags)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--render", "5", "--shard", "3/2"], "--shard 3/2"),
        (["--render", "5", "--shard", "half"], "for example 2/4"),
        (["--render", "5", "--shard", "0/2"], "--shard 0/2"),
        (["--render", "0"], "nothing to train on"),
        (["--val", "5"], "nothing to train on"),
        (["--train", "5", "--test", "-1"], "nothing to train on"),
        (["--render", "5", "--train", "3"], "give either it, or"),
        (["--render", "5", "--resolution", "8"], "--resolution 8: 16 to 512"),
        (["--render", "5", "--resolution", "1000"], "--resolution 1000"),
        (["--render", "5", "--from", "."], "give one of the two"),
        (["--render", "5", "--workers", "0"], "--workers"),
        (["--render", "5", "--seed", "-1"], "--seed"),
        (["--render", "5", "--engine", "mitsuba", "--samples", "0"], "--samples"),
        (["--render", "5", "--limit", "3"], "--limit goes with --from"),
        (["--from", ".", "--edits"], "--edits and --shard go with --render"),
        (["--shard", "1/2"], "--edits and --shard go with --render"),
        ([], "--render N, or where i-CLEVR is"),
        (["--from", "nowhere"], "there is no folder nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_flags_that_make_no_sense(flags: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TELLDRAW_DATA", raising=False)
    with pytest.raises(TelldrawError) as caught:
        command.run(["iclevr", *flags])
    assert what in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "flags", "remedy"),
    [("mitsuba", ["--render", "5", "--engine", "mitsuba"], "telldraw[render]"), ("h5py", [], "telldraw[hdf5]")],
)
def test_what_is_not_installed_is_named(
    module: str, flags: list[str], remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    if not flags:
        (tmp_path / "clevr_train.h5").touch()
        flags = ["--from", str(tmp_path)]
    with pytest.raises(DataError) as caught:
        command.run(["iclevr", *flags, "--workers", "1", "--out", str(tmp_path / "x.telldraw")])
    assert f"pip install '{remedy}'" in str(caught.value)
    assert not (tmp_path / "x.telldraw").exists()


# --- the published forms ------------------------------------------------------------------------------------------

ORDER = [name for split in ("train", "val", "test") for name in NAMES if f"_{split}_" in name]


@pytest.mark.parametrize("form", ["raw", "packed"])
def test_a_published_set_is_read(form: str, tmp_path: Path) -> None:
    if form == "packed":
        pytest.importorskip("h5py")
    folder = make_raw(tmp_path / "a") if form == "raw" else make_packed(tmp_path / "a")
    report = prepare(folder, tmp_path / "x.telldraw", resolution=64)
    dataset = Dataset.open(tmp_path / "x.telldraw")
    assert report.dialogues == {"train": 2, "val": 1, "test": 1} and not report.faults
    dialogues = [dialogue for split in ("train", "val", "test") for dialogue in dataset.split(split)]
    assert [dialogue.id for dialogue in dialogues] == ORDER
    for dialogue in dialogues:
        turns = STORIES[NAMES.index(dialogue.id)]
        for number, turn in enumerate(turns):
            row = dialogue.start + number
            assert dataset.said(row) == turn.said
            assert set(np.flatnonzero(dataset.objects[row])) == {solid.category for solid in turn.solids}
            for solid in turn.solids:
                place = STAGE.project(solid.centre)
                near = (0.5 / 320, 0.5 / 240, 1e-5) if form == "raw" else (1e-6, 1e-6, 1e-5)
                assert (abs(dataset.position[row, solid.category] - place) <= near).all()
            flat = picture(dialogue.id, number)
            for y, x in ((16, 16), (48, 48)):  # red first, in both forms
                assert abs(dataset.images[row, :, y, x].astype(int) - flat[y * 240 // 64, x * 5]).max() <= 1
    shrunk = np.asarray(Image.fromarray(empty()).resize((64, 64), Image.Resampling.BOX)).astype(int)
    assert abs(dataset.background - shrunk).max() <= 1
    assert dataset.licence.startswith("the owner's terms") and dataset.manifest["url"] == DATASETS["iclevr"].url
    assert dataset.protocol == "published" and dataset.manifest["axes"] == ["x", "y"]


def edit_scene(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        file = folder / "scenes" / "CLEVR_train_000003.json"
        record = json.loads(file.read_text())
        change(record)
        file.write_text(json.dumps(record))

    return edit


SCENE = "CLEVR_train_000003"
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing picture": (lambda f: (f / "images" / f"{SCENE}_3.png").unlink(), f"{SCENE}_3.png is missing"),
    "one picture more": (
        lambda f: shutil.copy(f / "images" / f"{SCENE}_3.png", f / "images" / f"{SCENE}_5.png"),
        "more pictures",
    ),
    "damaged picture": (
        lambda f: (f / "images" / f"{SCENE}_2.png").write_bytes(b"\x89PNG\r\n\x1a\n12"),
        f"{SCENE}_2.png cannot be read",
    ),
    "a line less": (
        lambda f: (f / "text" / f"{SCENE}.txt").write_text("Add a\nAdd b\n"),
        f"{SCENE}.txt has 2 lines for the 5 objects",
    ),
    "empty line": (lambda f: (f / "text" / f"{SCENE}.txt").write_text("a\n\nc\nd\ne\n"), "line 2 of"),
    "no text": (lambda f: (f / "text" / f"{SCENE}.txt").unlink(), f"{SCENE}.txt cannot be read"),
    "cut JSON": (
        lambda f: (f / "scenes" / f"{SCENE}.json").write_text('{"objects": [{"shape'),
        f"{SCENE}.json is not whole JSON",
    ),
    "no objects": (edit_scene(lambda r: r.pop("objects")), "no list of objects"),
    "unknown shape": (
        edit_scene(lambda r: r["objects"][1].update(shape="cone")),
        f"object 2 of {{folder}}/scenes/{SCENE}.json has the unknown shape 'cone'",
    ),
    "unknown colour": (edit_scene(lambda r: r["objects"][4].update(color="pink")), "unknown colour 'pink'"),
    "no place": (edit_scene(lambda r: r["objects"][0].pop("pixel_coords")), "object 1 of"),
    "place of two": (edit_scene(lambda r: r["objects"][0].update(pixel_coords=[1, 2])), "three pixel_coords"),
    "no number": (edit_scene(lambda r: r["objects"][0].update(pixel_coords=[1, float("nan"), 2])), "no numbers"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_scene_is_named_and_left_out_and_strict_stops_at_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, what = FAULTS[name]
    folder, out = make_raw(tmp_path / "raw"), tmp_path / "out.telldraw"
    what = what.format(folder=folder) if "{folder}" in what else what
    edit(folder)
    flags = ["iclevr", "--from", str(folder), "--out", str(out), "--resolution", "16"]
    with pytest.raises(DataError) as caught:
        command.run([*flags, "--strict"])
    assert what in str(caught.value) and SCENE in str(caught.value)
    assert not list(tmp_path.glob("out*"))
    command.run(flags)
    told = capsys.readouterr()
    assert f"left out {SCENE}: " in told.err and what in told.err and "1 left out for faults" in told.out
    dataset = Dataset.open(out)
    assert [d.id for d in dataset.split("train")] == ["CLEVR_train_000000"] and len(dataset) == 15
    assert dataset.manifest["left out"][0][0] == SCENE


def pack(change: Callable[["h5py.Group"], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        import h5py

        with h5py.File(folder / "clevr_train.h5", "r+") as file:
            change(file.require_group("000003"))

    return edit


def put(key: str, value: object) -> Callable[[Path], None]:
    def change(group: "h5py.Group") -> None:
        del group[key]
        group[key] = value

    return pack(change)


PACKED_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no text": (pack(lambda g: g.__delitem__("text")), "group 000003 lacks text"),
    "no pictures": (pack(lambda g: g.__delitem__("images")), "group 000003 lacks images"),
    "no objects": (pack(lambda g: g.__delitem__("objects")), "group 000003 lacks objects"),
    "a line less": (put("text", json.dumps(["a", "b"])), "text is not 5 lines"),
    "text of another kind": (put("text", "Add a"), "group 000003 cannot be read"),
    "pictures of floats": (put("images", np.zeros((5, 8, 8, 3), np.float32)), "images are float32 [5, 8, 8, 3]"),
    "a picture less": (put("images", np.zeros((4, 8, 8, 3), np.uint8)), "images are uint8 [4, 8, 8, 3]"),
    "classes of another kind": (put("objects", np.zeros((5, 58))), "objects or coords are not [5, 24]"),
}


@pytest.mark.parametrize("name", PACKED_FAULTS)
def test_a_faulty_group_is_named_and_left_out(name: str, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    edit, what = PACKED_FAULTS[name]
    folder, out = make_packed(tmp_path / "packed"), tmp_path / "out.telldraw"
    edit(folder)
    with pytest.raises(DataError) as caught:
        prepare(folder, out, resolution=16, strict=True)
    assert what in str(caught.value) and "clevr_train.h5" in str(caught.value)
    report = prepare(folder, out, resolution=16)
    assert report.dialogues["train"] == 1 and report.faults[0].scene == SCENE


def test_a_packed_file_that_is_cut_is_named(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    folder = make_packed(tmp_path / "packed")
    file = folder / "clevr_val.h5"
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match="clevr_val.h5 is no whole HDF5 file"):
        prepare(folder, tmp_path / "x.telldraw")


def test_without_the_empty_stage_nothing_is_prepared(tmp_path: Path) -> None:
    folder = make_raw(tmp_path / "raw")
    (folder / "background.png").unlink()
    with pytest.raises(DataError, match="background.png is missing"):
        prepare(folder, tmp_path / "x.telldraw")
    assert not list(tmp_path.glob("x*"))


def test_nothing_usable_is_said(tmp_path: Path) -> None:
    folder = make_raw(tmp_path / "raw")
    for file in (folder / "text").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no scene of .* can be used; the first, CLEVR_train_000000: .*cannot be read"):
        prepare(folder, tmp_path / "x.telldraw")
    shutil.rmtree(folder / "scenes")
    with pytest.raises(DataError, match="is not i-CLEVR"):
        prepare(folder, tmp_path / "x.telldraw")
