"""Scene strings of CoDraw and the pictures drawn from them."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from codraw_like import Placed, scene_string
from telldraw.data import codraw
from telldraw.data.clipart import CANVAS, Clip, Renderer, draw_all, draw_plainly, in_drawing_order
from telldraw.data.scenes import CLASSES, parse_scene, positions, present

SUN, CLOUD, TREE, TABLE = "s_3s.png", "s_2s.png", "p_8s.png", "p_6s.png"
BOY, GIRL, DOG, BALL = "hb0_11s.png", "hb1_7s.png", "a_2s.png", "t_4s.png"


placements = st.lists(
    st.builds(
        Placed,
        st.sampled_from([SUN, CLOUD, TREE, TABLE, BOY, GIRL, DOG, BALL]),
        st.integers(-40, 650) | st.floats(0, 650).map(lambda x: round(x, 3)),
        st.integers(-189, 704),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    unique_by=lambda one: one.sprite,
)


# --- scene strings ------------------------------------------------------------------------------------------------


@given(placements)
def test_a_scene_string_is_read_as_it_was_written(placed: list[Placed]) -> None:
    scene = parse_scene(scene_string(placed))
    found = sorted((clip.sprite, clip.x, clip.y, clip.depth, int(clip.flip)) for clip in scene)
    assert found == sorted((p.sprite, float(f"{p.x:g}"), p.y, p.depth, p.flip) for p in placed)
    assert present(scene).sum() == len(placed)
    table = positions(scene)
    for clip in scene:
        expected = clip.x / CANVAS[0], clip.y / CANVAS[1], clip.depth / 2
        assert table[clip.category] == pytest.approx(expected, rel=1e-6)
    assert not table[present(scene) == 0].any()


def test_the_classes_are_those_of_the_paper() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 58
    scene = parse_scene(scene_string([Placed(s, 10, 10, 0, 0) for s in (SUN, TREE, BOY, GIRL, DOG, BALL)]))
    assert [CLASSES[clip.category] for clip in scene] == ["sun", "oaktree", "boy", "girl", "dog", "soccerball"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "starts with the number of its objects, not ''"),
        ("sun", "starts with the number of its objects, not 'sun'"),
        ("2,s_3s.png,0,3,0,253,64,0,1", "2 objects has 17 fields, this one 9"),
        ("1,s_3s.png,0,3,0,253,64,0", "1 objects has 9 fields, this one 8"),
        ("1,s_3s.png,0,3,0,left,64,0,1", "x is 'left', not a number"),
        ("1,s_3s.png,0,3,0,253,nan,0,1", "y is 'nan', not a number"),
        ("1,s_3s.png,0,3,0,253,64,3,1", "depth 3 and flip 1"),
        ("1,s_3s.png,0,3,0,253,64,0,2", "depth 0 and flip 2"),
        ("1,s_9s.png,0,9,0,253,64,0,1", "no object 9 of type 0"),
        ("1,s_3s.png,0,3,8,253,64,0,1", "no object 3 of type 8"),
        ("1,s_3s.png,0,2.5,0,253,64,0,1", "no object 2.5 of type 0"),
        ("1,../s_3s.png,0,3,0,253,64,0,1", "picture '../s_3s.png' is not that of object 3"),
        ("1,s_3s.png,0,3,0,5000,64,0,1", "far outside the canvas, at 5000, 64"),
        ("1,s_3s.png,0,3,0,-9999,64,0,1", "far outside the canvas, at -9999, 64"),
    ],
)
def test_a_bad_scene_string_is_refused_with_what_is_wrong(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        parse_scene(text)


@given(st.text(alphabet="0123456789,.-spng_inf", max_size=80))
def test_no_scene_string_fails_in_any_other_way(text: str) -> None:
    try:
        clips = parse_scene(text)
    except ValueError as error:
        assert str(error)  # what is wrong, in words
    else:
        assert len(clips) <= int(float(text.partition(",")[0] or 0))


# --- pictures -----------------------------------------------------------------------------------------------------


def clip(sprite: str, x: float = 250, y: float = 200, depth: int = 0, flip: bool = False, slot: int = 0) -> Clip:
    return parse_scene(scene_string([Placed(sprite, x, y, depth, int(flip))]))[0]._replace(slot=slot)


def names(*clips: Clip) -> list[str]:
    return [one.sprite for one in in_drawing_order(clips)]


def test_far_is_drawn_before_near_and_sky_before_all() -> None:
    assert names(clip(BALL, depth=1), clip(TREE, depth=2), clip(BOY, depth=0)) == [TREE, BALL, BOY]
    assert names(clip(TREE, depth=2), clip(CLOUD, depth=0)) == [CLOUD, TREE]
    assert names(clip(CLOUD, depth=0), clip(SUN, depth=1)) == [SUN, CLOUD]


def test_the_sun_lies_behind_the_sky_of_its_depth_and_slots_order_the_rest() -> None:
    assert names(clip(CLOUD, slot=0), clip(SUN, slot=1)) == [SUN, CLOUD]
    assert names(clip(SUN, depth=0), clip(CLOUD, depth=1)) == [CLOUD, SUN]
    assert names(clip(BOY, slot=5), clip(TREE, slot=3), clip(DOG, slot=9)) == [TREE, BOY, DOG]


def test_what_lies_left_of_the_canvas_is_hidden_but_present() -> None:
    scene = (clip(SUN, x=-1),)
    assert names(*scene) == [] and present(scene).sum() == 1
    assert names(clip(SUN, x=0)) == [SUN]


@pytest.fixture(scope="session")
def pictures(codraw_like: Path) -> Path:
    return codraw_like / "Pngs"


def test_a_sprite_is_centred_and_scaled_by_depth(pictures: Path) -> None:
    empty = np.asarray(draw_plainly(pictures, ())).astype(int)
    for depth, side in enumerate((60, 42, 29)):
        scene = [clip(BALL, x=300, y=150, depth=depth)]
        ys, xs = np.nonzero(np.abs(np.asarray(draw_plainly(pictures, scene)).astype(int) - empty).sum(2) > 30)
        assert abs(xs.min() + xs.max() + 1 - 600) <= 2 and abs(ys.min() + ys.max() + 1 - 300) <= 2
        assert abs(xs.max() - xs.min() + 1 - side) <= 2 and abs(ys.max() - ys.min() + 1 - side) <= 2


def test_a_flip_mirrors_about_the_centre(pictures: Path) -> None:
    plain, flipped = (
        np.asarray(draw_plainly(pictures, [clip(TABLE, x=250, y=300, flip=flip)])) for flip in (False, True)
    )
    assert not np.array_equal(plain, flipped)
    assert np.array_equal(plain, flipped[:, ::-1])


@pytest.mark.parametrize(("resolution", "most"), [(64, 1.0), (128, 0.7), (256, 0.7), (100, 0.9)])
def test_the_fast_renderer_agrees_with_the_plain_one(codraw_like: Path, resolution: int, most: float) -> None:
    scenes = [turn.scene for one in codraw.read(codraw_like, limit=8) for turn in one.turns]
    renderer = Renderer(codraw_like / "Pngs", resolution)
    for scene in scenes:
        fast = renderer.draw(scene)
        plain = draw_plainly(codraw_like / "Pngs", scene).resize((resolution, resolution), Image.Resampling.BOX)
        assert fast.shape == (resolution, resolution, 3) and fast.dtype == np.uint8
        assert np.abs(fast.astype(float) - np.asarray(plain)).mean() < most


def test_processes_draw_the_same_in_order(codraw_like: Path) -> None:
    scenes = [turn.scene for one in codraw.read(codraw_like) for turn in one.turns]
    alone = np.concatenate(list(draw_all(codraw_like / "Pngs", 16, scenes, workers=1)))
    together = np.concatenate(list(draw_all(codraw_like / "Pngs", 16, scenes, workers=2, chunk=7)))
    assert len(alone) == len(scenes) and np.array_equal(alone, together)
