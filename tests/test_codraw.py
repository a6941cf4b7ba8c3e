"""CoDraw: which rounds make a turn, and that the real distribution has as many as published."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codraw_like import Placed, draw_sprites, entry, scene_string, write
from telldraw.data import codraw
from telldraw.data.clipart import Renderer, draw_plainly

SUN, CLOUD, TREE, TABLE = "s_3s.png", "s_2s.png", "p_8s.png", "p_6s.png"
BOY, GIRL, DOG, BALL = "hb0_11s.png", "hb1_7s.png", "a_2s.png", "t_4s.png"


# --- turns --------------------------------------------------------------------------------------------------------

SUN_HERE, SUN_THERE = Placed(SUN, 100, 60, 0, 0), Placed(SUN, 300, 60, 0, 0)
TREE_HERE, BOY_HERE = Placed(TREE, 300, 250, 1, 0), Placed(BOY, 200, 250, 1, 1)


def turns(tmp_path: Path, rounds: list[dict], protocol: codraw.Protocol = "published") -> list[tuple[str, list[str]]]:
    """What is said and what lies on the canvas, turn by turn."""
    draw_sprites_once(tmp_path)
    write(tmp_path, {"train_00001": {"image_id": 1, "dialog": rounds}})
    (one,) = codraw.read(tmp_path, protocol)
    return [(" ".join(turn.words), [clip.sprite for clip in turn.scene]) for turn in one.turns]


def draw_sprites_once(folder: Path) -> None:
    if not (folder / "Pngs").exists():
        (folder / "Pngs").mkdir(parents=True)
        draw_sprites(folder / "Pngs")


def test_rounds_without_a_drawing_join_the_next(tmp_path: Path) -> None:
    rounds = [
        entry("hi", "hello", ""),
        entry("a Sun , left .", "ok", ""),
        entry("big", "how big ?", scene_string([SUN_HERE])),
    ]
    assert turns(tmp_path, rounds) == [("<teller> a sun left <teller> big <drawer> how big", [SUN])]


def test_the_published_turns_end_where_objects_were_added(tmp_path: Path) -> None:
    rounds = [
        entry("a sun", "", scene_string([SUN_HERE])),
        entry("more right", "", scene_string([SUN_THERE])),
        entry("a tree", "", scene_string([SUN_THERE, TREE_HERE])),
        entry("no sun", "", scene_string([TREE_HERE])),
        entry("a boy", "", scene_string([TREE_HERE, BOY_HERE])),
        entry("facing left", "", scene_string([TREE_HERE, BOY_HERE._replace(flip=0)])),
    ]
    assert turns(tmp_path, rounds) == [
        ("<teller> a sun", [SUN]),
        ("<teller> more right <teller> a tree", [SUN, TREE]),
        ("<teller> no sun <teller> a boy", [TREE, BOY]),
    ]
    every = turns(tmp_path, rounds, "all")
    assert [said for said, _ in every] == [f"<teller> {entry['msg_t']}" for entry in rounds]


def test_exchanging_one_object_for_another_is_no_published_turn(tmp_path: Path) -> None:
    rounds = [entry("a sun", "", scene_string([SUN_HERE])), entry("a tree", "", scene_string([TREE_HERE]))]
    assert turns(tmp_path, rounds) == [("<teller> a sun", [SUN])]
    assert [canvas for _, canvas in turns(tmp_path, rounds, "all")] == [[SUN], [TREE]]


def test_a_canvas_that_did_not_change_is_never_a_turn(tmp_path: Path) -> None:
    rounds = [entry("a sun", "", scene_string([SUN_HERE])), entry("nice", "", scene_string([SUN_HERE]))]
    for protocol in ("published", "all"):
        assert len(turns(tmp_path, rounds, protocol)) == 1


def test_something_drawn_in_silence_is_told_by_the_next_words_in_the_published_turns(tmp_path: Path) -> None:
    rounds = [
        entry("hi", "ok", scene_string([SUN_HERE])),
        entry("a sun", "", scene_string([SUN_HERE, TREE_HERE])),
        entry("a tree", "", scene_string([SUN_HERE, TREE_HERE, BOY_HERE])),
    ]
    assert turns(tmp_path, rounds) == [("<teller> a sun", [SUN]), ("<teller> a tree", [SUN, TREE])]
    assert turns(tmp_path, rounds, "all")[0] == ("<teller>", [SUN])


@pytest.fixture(scope="module")
def real(codraw_folder: Path) -> Iterator[Path]:
    """CoDraw's folder, its JSON parsed once for this module."""
    file, _ = codraw.find(codraw_folder)
    loaded = codraw.load(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codraw, "load", lambda path: loaded if path == file else codraw_load(path))
        yield codraw_folder


codraw_load = codraw.load


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("published", {"train": (7989, 34055), "val": (1002, 4185), "test": (1002, 4268)}),
        ("all", {"train": (7989, 45409), "val": (1002, 5610), "test": (1002, 5634)}),
    ],
)
def test_codraw_has_the_published_numbers_of_dialogues_and_turns(
    real: Path, protocol: codraw.Protocol, expected: dict[str, tuple[int, int]]
) -> None:
    faults: list[codraw.Fault] = []
    found = codraw.read(real, protocol, fault=faults.append)
    by_split = {split: [one for one in found if one.split == split] for split in codraw.SPLITS}
    assert {s: (len(some), sum(len(one.turns) for one in some)) for s, some in by_split.items()} == expected
    assert not faults and all(turn.words for one in found for turn in one.turns)
    assert max(len(turn.words) for one in found for turn in one.turns) == {"published": 221, "all": 179}[protocol]


def test_scenes_of_codraw_are_drawn_fast_as_they_are_drawn_plainly(real: Path) -> None:
    pictures = real / "Pngs"
    scenes = [one.turns[-1].scene for one in codraw.read(real, limit=30)]
    renderer = Renderer(pictures, 128)
    for scene in scenes:
        plain = draw_plainly(pictures, scene).resize((128, 128), Image.Resampling.BOX)
        assert np.abs(renderer.draw(scene).astype(float) - np.asarray(plain)).mean() < 1.2
