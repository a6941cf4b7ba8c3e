"""CoDraw as pictures: the last canvases, and their objects one by one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codraw_like import Placed, entry, make_codraw, scene_string, write
from telldraw.commands import prepare as command
from telldraw.data import codraw, codraw_pictures
from telldraw.data.clipart import CANVAS, Clip, Renderer, draw_plainly
from telldraw.data.codraw_pictures import Stage
from telldraw.data.collection import Collection
from telldraw.data.scenes import CLASSES, parse_scene
from telldraw.errors import DataError, TelldrawError

BALL, TREE, TABLE, SUN = "t_4s.png", "p_8s.png", "p_6s.png", "s_3s.png"


@pytest.fixture(scope="module")
def scenes(codraw_like: Path, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    out = tmp_path_factory.mktemp("scenes") / "scenes.telldraw"
    codraw_pictures.prepare_scenes(codraw_like, out, resolution=32)
    return Collection.open(out)


@pytest.fixture(scope="module")
def objects(codraw_like: Path, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    out = tmp_path_factory.mktemp("objects") / "objects.telldraw"
    codraw_pictures.prepare_objects(codraw_like, out, resolution=24)
    return Collection.open(out)


# --- what a dialogue came to --------------------------------------------------------------------------------------


def test_a_finished_dialogue_has_the_last_canvas_and_what_was_told(codraw_like: Path) -> None:
    data = codraw.load(codraw_like / "CoDraw_1_0.json.gz")
    for one in codraw.read_finished(codraw_like):
        rounds = data[one.id]["dialog"]
        assert one.scene == parse_scene([entry["abs_d"] for entry in rounds if entry["abs_d"]][-1])
        assert one.told == tuple(entry["msg_t"] for entry in rounds if entry["msg_t"] != "hi")
        assert one.split == one.id.partition("_")[0]


def test_the_last_canvas_counts_though_nothing_is_added_to_it(tmp_path: Path) -> None:
    folder = make_codraw(tmp_path, 1)
    before, after = Placed(BALL, 100, 300, 0, 0), Placed(BALL, 400, 300, 0, 0)
    rounds = [entry("a ball", "ok", scene_string([before])), entry("further right", "ok", scene_string([after]))]
    write(folder, {"train_00000": {"dialog": [*rounds, entry("thanks", "bye", "")]}})
    (one,) = codraw.read_finished(folder)
    assert one.scene[0].x == 400 and one.told == ("a ball", "further right")


def test_a_dialogue_that_draws_nothing_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_codraw(tmp_path / "raw", 3)
    data = codraw.load(folder / "CoDraw_1_0.json.gz")
    data["train_00001"]["dialog"] = [entry("a sun", "ok", scene_string([]))]
    write(folder, data)
    flags = ["codraw-scenes", "--from", str(folder), "--out", str(tmp_path / "out"), "--resolution", "16"]
    with pytest.raises(DataError, match="dialogue train_00001: nothing is drawn in it"):
        command.run([*flags, "--strict"])
    command.run(flags)
    told = capsys.readouterr()
    assert "left out train_00001" in told.err and "1 dialogue left out for faults" in told.out
    assert [name for name, _ in Collection.open(tmp_path / "out").manifest["left out"]] == ["train_00001"]


# --- scenes -------------------------------------------------------------------------------------------------------


def test_scenes_are_drawn_labelled_and_told(codraw_like: Path, scenes: Collection) -> None:
    finished, renderer = codraw.read_finished(codraw_like), Renderer(codraw_like / "Pngs", 32)
    assert len(scenes) == len(finished) == 24
    for row, one in enumerate(finished):
        assert np.array_equal(scenes.images[row].transpose(1, 2, 0), renderer.draw(one.scene))
        assert set(scenes.shown(row)) == {CLASSES[clip.category] for clip in one.scene}
        assert tuple(scenes.captions(row)) == one.told
        assert row in scenes.splits[one.split]
    assert scenes.facts.many and scenes.facts.aspect == 1.25 and "NC" in scenes.licence


def test_what_lies_left_of_the_canvas_is_not_on_it(tmp_path: Path) -> None:
    folder = make_codraw(tmp_path / "raw", 1)
    drawn = scene_string([Placed(SUN, -5, 80, 0, 0), Placed(BALL, 250, 300, 0, 0)])
    write(folder, {"train_00000": {"dialog": [entry("a ball", "ok", drawn)]}})
    codraw_pictures.prepare_scenes(folder, tmp_path / "out", resolution=16)
    assert Collection.open(tmp_path / "out").shown(0) == ["soccerball"]


# --- objects ------------------------------------------------------------------------------------------------------


def clips(*placed: Placed) -> tuple[Clip, ...]:
    return parse_scene(scene_string(list(placed)))


@pytest.fixture(scope="module")
def stage(codraw_like: Path) -> Stage:
    return Stage(codraw_like / "Pngs")


def test_the_stage_paints_what_is_painted_plainly(codraw_like: Path, stage: Stage) -> None:
    for one in codraw.read_finished(codraw_like):
        plain = draw_plainly(codraw_like / "Pngs", one.scene)
        assert np.array_equal(np.asarray(stage.paint(one.scene)), np.asarray(plain))


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_box_is_a_square_around_the_object(stage: Stage, depth: int) -> None:
    (seen,) = stage.look(clips(Placed(TABLE, 250, 280, depth, 0)), context=1.2)
    width = round(180 * (1.0, 0.7, 0.49)[depth])
    left, top, right, bottom = seen.box
    assert right - left == pytest.approx(1.2 * width) and bottom - top == pytest.approx(right - left)
    assert abs((left + right) / 2 - 250) <= 1 and abs((top + bottom) / 2 - 280) <= 1
    assert seen.share == 1 and CLASSES[seen.category] == "table"


def test_what_is_outside_or_covered_is_not_seen(stage: Stage) -> None:
    (half,) = stage.look(clips(Placed(TABLE, 0, 280, 0, 0)))
    assert half.share == pytest.approx(0.5, abs=0.01) and half.box[0] == 0
    # a table of 180 x 90 before a dog of 77 x 63: over all of it, then over its right half
    hidden, near = stage.look(clips(Placed("a_2s.png", 250, 280, 1, 0), Placed(TABLE, 250, 280, 0, 0)))
    assert hidden.share == 0 and near.share == 1
    part, _ = stage.look(clips(Placed("a_2s.png", 250, 280, 1, 0), Placed(TABLE, 250 + 90, 280, 0, 0)))
    assert part.share == pytest.approx(0.5, abs=0.03)


def test_what_is_not_on_the_canvas_at_all_is_no_object(stage: Stage) -> None:
    assert stage.look(clips(Placed(BALL, 600, 280, 0, 0))) == []
    assert stage.look(clips(Placed(BALL, -1, 280, 0, 0))) == []  # left of it: hidden, as the owner's viewer does


def test_boxes_lie_on_the_canvas(codraw_like: Path, stage: Stage) -> None:
    for one in codraw.read_finished(codraw_like):
        for seen in stage.look(one.scene, context=4):
            left, top, right, bottom = seen.box
            assert 0 <= left < right <= CANVAS[0] and 0 <= top < bottom <= CANVAS[1]
            assert right - left == pytest.approx(bottom - top) and 0 <= seen.share <= 1


def test_objects_are_cut_from_their_scene(codraw_like: Path, objects: Collection, stage: Stage) -> None:
    row = 0
    for one in codraw.read_finished(codraw_like):
        canvas = draw_plainly(codraw_like / "Pngs", one.scene)
        for seen in stage.look(one.scene):
            if seen.share < 0.5:
                continue
            crop = canvas.resize((24, 24), Image.Resampling.BICUBIC, box=seen.box)
            assert np.array_equal(objects.images[row].transpose(1, 2, 0), np.asarray(crop))
            assert objects.shown(row) == [CLASSES[seen.category]] and row in objects.splits[one.split]
            row += 1
    assert row == len(objects) > 60 and not objects.facts.many


def test_processes_cut_the_same(tmp_path: Path) -> None:
    folder = make_codraw(tmp_path / "raw", 40)
    for workers in (1, 2):
        codraw_pictures.prepare_objects(folder, tmp_path / f"{workers}", resolution=16, workers=workers)
    alone, together = (Collection.open(tmp_path / f"{workers}") for workers in (1, 2))
    assert np.array_equal(alone.images, together.images) and np.array_equal(alone.labels, together.labels)


def test_less_is_kept_where_more_must_be_seen(
    codraw_like: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = []
    for visible in ("0.01", "0.5", "1"):
        flags = ["--visible", visible, "--resolution", "8", "--out", str(tmp_path / visible), "--workers", "1"]
        command.run(["codraw-objects", "--from", str(codraw_like), *flags])
        sizes.append(len(Collection.open(tmp_path / visible)))
    assert sizes[0] >= sizes[1] > sizes[2] > 0
    assert "objects left out: less than 100% can be seen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["codraw-objects", "--context", "0.5"], "--context 0.5: 1 cuts at"),
        (["codraw-objects", "--visible", "0"], "--visible 0: a share above 0"),
        (["codraw-scenes", "--resolution", "4"], "--resolution 4: 8 to 512"),
        (["codraw-scenes", "--workers", "0"], "--workers 0: at least 1 is needed"),
    ],
)
def test_flags_out_of_range_are_named(codraw_like: Path, flags: list[str], what: str) -> None:
    with pytest.raises(TelldrawError, match=what):
        command.run([flags[0], "--from", str(codraw_like), *flags[1:]])


def test_the_real_ones(codraw_folder: Path) -> None:
    finished = codraw.read_finished(codraw_folder)
    assert len(finished) == 9993 and sum(len(one.scene) for one in finished) == 64533
    assert all(len({clip.category for clip in one.scene}) == len(one.scene) for one in finished)
    stage = Stage(codraw_folder / "Pngs")
    seen = [seen for one in finished[::100] for seen in stage.look(one.scene)]
    assert 0.9 < np.mean([one.share >= 0.5 for one in seen]) < 1
