"""`telldraw prepare clevr-birds`: scenes as they should be, captions true of them, content and style apart, splits."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telldraw.commands import prepare as command
from telldraw.data.caption_loader import CaptionLoader
from telldraw.data.clevr.birds import (
    EVERY,
    HELD_OUT,
    SPLITS,
    TRAINED,
    UNHIDDEN,
    Scene,
    draw_content,
    draw_style,
    lab,
    scene,
    streams,
    unlab,
)
from telldraw.data.clevr.captions import FULL, captions, parse
from telldraw.data.clevr.geometry import Rays
from telldraw.data.clevr.stage import COLOURS, SHAPES
from telldraw.data.clevr_birds import CAPTIONS, CLASSES, CONTENT, KINDS, SIZES, STYLE, Plan, read_group
from telldraw.data.collection import Collection
from telldraw.data.rendering import render
from telldraw.errors import DataError, TelldrawError

SMALL = Plan(7, 3, 2, resolution=16)
numbers = st.tuples(st.integers(0, 20), st.sampled_from(SPLITS), st.integers(0, 2000))


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "group", 5)


def said_of(seed: int, split: str, number: int) -> tuple[Scene, list[str]]:
    return scene(seed, split, number), captions(streams(seed, split, number)[3], scene(seed, split, number), CAPTIONS)


# --- scenes -------------------------------------------------------------------------------------------------------


def test_a_scene_depends_on_seed_split_and_number_alone() -> None:
    alone = scene(3, "val", 5)
    scene(3, "val", 4)
    assert scene(3, "val", 5) == alone
    assert len({str(other) for other in (alone, scene(4, "val", 5), scene(3, "test", 5), scene(3, "val", 6))}) == 4


@given(numbers)
@settings(max_examples=30, deadline=None)
def test_solids_are_whole_apart_and_unhidden(which: tuple[int, str, int]) -> None:
    """By rays: none along the border of the picture meets a solid, and few that meet the one meet the other before."""
    shown = scene(*which)
    camera = shown.style.camera()
    side = (np.arange(100) + 0.5) / 100
    edge = np.concatenate([np.stack([side, np.full(100, v)], 1) for v in (0.0, 1.0)])
    edge = np.concatenate([edge, edge[:, ::-1]])
    border = Rays(camera.place.astype(np.float32), camera.rays(edge[:, 0], edge[:, 1]).astype(np.float32))
    assert not [solid for solid in shown.solids if len(border.meet(solid)[0])]
    down, across = (np.mgrid[0:75, 0:75].reshape(2, -1) + 0.5) / 75
    inside = Rays(camera.place.astype(np.float32), camera.rays(across, down).astype(np.float32))
    depth = np.full((len(shown.solids), len(inside)), np.inf)
    for number, solid in enumerate(shown.solids):
        met, at = inside.meet(solid)
        depth[number, met] = at
        assert len(met) > 40  # 0.7 % of the picture
    for own, other in zip(depth, depth[::-1], strict=True):
        assert (own <= other)[np.isfinite(own)].mean() > UNHIDDEN - 0.05  # counted on another raster
    if len(shown.solids) == 2:
        a, b = shown.solids
        assert math.hypot(a.x - b.x, a.y - b.y) > a.half + b.half


def test_sizes_can_be_told_apart_in_the_picture() -> None:
    """The nearest small one of a shape looks smaller than the farthest large one: pixels of a 100 x 100 picture."""
    down, across = (np.mgrid[0:100, 0:100].reshape(2, -1) + 0.5) / 100
    seen: dict[tuple[str, str], list[int]] = {}
    for number in range(120):
        shown = scene(0, "train", number)
        camera = shown.style.camera()
        rays = Rays(camera.place.astype(np.float32), camera.rays(across, down).astype(np.float32))
        for kind, solid in zip(shown.content.kinds, shown.solids, strict=True):
            seen.setdefault((kind.shape, kind.size), []).append(len(rays.meet(solid)[0]))
    for shape in SHAPES:
        assert max(seen[shape, "small"]) < min(seen[shape, "large"])


# --- content and style --------------------------------------------------------------------------------------------


def contents(split: str, count: int = 600, *, mixed: bool = False) -> list[set[tuple[str, str]]]:
    drawn = (draw_content(streams(0, split, n)[0], split, mixed=mixed) for n in range(count))
    return [{kind.pair for kind in content.kinds} for content in drawn]


def test_held_out_combinations_are_in_their_split_alone() -> None:
    held = {split: set(pairs) for split, pairs in HELD_OUT.items()}
    assert held["val"].isdisjoint(held["test"]) and len(TRAINED) == 18 and len(EVERY) == 24
    assert set().union(*contents("train")) == set(EVERY) - held["val"] - held["test"]
    for split, other in (("val", "test"), ("test", "val")):
        pairs = contents(split)
        assert all(shown & held[split] for shown in pairs) and not set().union(*pairs) & held[other]
        assert set().union(*pairs) == set(EVERY) - held[other]
    assert {colour for colour, _ in TRAINED} == set(COLOURS) and {shape for _, shape in TRAINED} == set(SHAPES)


def test_mixed_splits_have_every_combination() -> None:
    assert all(set().union(*contents(split, mixed=True)) == set(EVERY) for split in SPLITS)


def correlations(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """How many standard errors each pair of columns is off independence."""
    one, other = ((part - part.mean(0)) / part.std(0) for part in (rows, columns))
    return np.abs(one.T @ other) / math.sqrt(len(rows))


def test_style_varies_and_says_nothing_of_the_content() -> None:
    count = 1500
    facts, styles = [], []
    for number in range(count):
        of_content, of_style, *_ = streams(1, "train", number)
        content, style = draw_content(of_content, "train"), draw_style(of_style)
        first = content.kinds[0]
        named = [name in first for name in CLASSES]
        facts.append([*named, len(content.kinds) == 2, content.behind, content.right])
        floor = lab(np.array(style.floor))
        angles = [math.sin(math.radians(style.azimuth)), math.cos(math.radians(style.azimuth))]
        styles.append([*style.floor, *floor, *style.lamp, *style[2:6], *angles, style.height, style.distance])
    off = correlations(np.array(facts, float), np.array(styles, float))
    assert off.max() < 4.2, "of 37,000 independent pairs one is as far off"
    leaking = np.array(styles)[:, :1] + 0.1 * np.array(facts, float)[:, 1:2]
    assert correlations(np.array(facts, float), leaking).max() > 6, "a small leak would be seen"
    floors = np.array(styles)[:, 3:6]
    hues = np.histogram(np.arctan2(floors[:, 2], floors[:, 1]), 8, (-np.pi, np.pi))[0]
    assert hues.min() > count / 80 and np.ptp(floors[:, 0]) > 35
    chroma = np.hypot(floors[:, 1], floors[:, 2])
    assert (chroma < 15).mean() > 0.05 < (chroma > 45).mean()


def test_no_floor_is_like_a_solid() -> None:
    painted = np.array(list(COLOURS.values())) / 255
    encoded = 1.055 * painted ** (1 / 2.4) - 0.055
    floors = np.array([draw_style(streams(2, "train", n)[1]).floor for n in range(200)])
    apart = np.linalg.norm(lab(floors)[:, None] - lab(encoded)[None], axis=2)
    assert apart.min() > 23.9 and floors.min() >= 0 and floors.max() <= 1


def test_lab_is_the_standards() -> None:
    assert lab(np.array([1.0, 1, 1])) == pytest.approx([100, 0, 0], abs=0.02)
    assert lab(np.array([1.0, 0, 0])) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)  # as commonly tabled
    assert unlab(lab(np.array([0.2, 0.5, 0.9]))) == pytest.approx([0.2, 0.5, 0.9], abs=1e-6)


# --- captions -----------------------------------------------------------------------------------------------------


@given(numbers)
@settings(max_examples=60, deadline=None)
def test_captions_are_different_and_true_of_the_picture(which: tuple[int, str, int]) -> None:
    """Read back, and compared with where the solids are in the picture."""
    shown, said = said_of(*which)
    assert len(said) == len(set(said)) == CAPTIONS
    camera = shown.style.camera()
    for caption in said:
        told = parse(caption)
        assert told.fits(shown) and len(told.named) == len(shown.solids)
        found = [next(s for s in shown.solids if (s.colour, s.shape) == named[:2]) for named in told.named]
        for named, solid in zip(told.named, found, strict=True):
            kind = shown.content.kinds[shown.solids.index(solid)]
            assert named.size in ("", kind.size)
        if len(found) == 2:
            first, second = (camera.project(np.array([s.x, s.y, 0.0])) for s in found)
            first_at, second_at = (camera.project(s.centre)[0] for s in found)
            assert told.side in ("", "right" if first_at > second_at else "left")
            assert told.depth in ("", "behind" if first[1] < second[1] else "in front of")
    full = parse(said[FULL])
    assert all(named.size for named in full.named) and (len(full.named) == 1 or (full.depth and full.side))


def test_a_caption_does_not_fit_another_scene() -> None:
    checked = 0
    for number in range(40):
        shown, said = said_of(5, "train", number)
        content = shown.content
        turned = shown._replace(content=content._replace(behind=not content.behind, right=not content.right))
        sizes = tuple(k._replace(size={"small": "large", "large": "small"}[k.size]) for k in content.kinds)
        grown = shown._replace(content=content._replace(kinds=sizes))
        fewer = shown._replace(content=content._replace(kinds=content.kinds[:1]))
        for told in map(parse, said):
            if len(content.kinds) == 2:
                assert told.fits(turned) == (not told.depth and not told.side) and not told.fits(fewer)
            assert told.fits(grown) == (not any(named.size for named in told.named))
            checked += 1
    assert checked == 400


def test_captions_name_nothing_but_the_solids() -> None:
    words = {word for n in range(150) for said in said_of(6, "train", n)[1] for word in re.findall(r"[a-z]+", said)}
    solids = {*COLOURS, "cube", "block", "sphere", "ball", "cylinder", "large", "big", "small", "tiny"}
    relations = {"behind", "in", "front", "of", "to", "left", "right", "it", "its", "with", "stands"}
    assert words == solids | relations | {"a", "the", "one", "there", "here", "this", "that", "is", "are", "and"}


@pytest.mark.parametrize("caption", ["", "a red one", "a large cube", "a red cube, a blue cube and a gray cube"])
def test_what_is_no_caption_is_refused(caption: str) -> None:
    with pytest.raises(ValueError, match="does not name"):
        parse(caption)


@pytest.mark.parametrize(
    ("caption", "depth", "side"),
    [
        ("a red cube behind a blue ball", "behind", ""),
        ("a red cube with a blue ball behind it", "in front of", ""),
        ("to the left of the red cube stands a blue ball", "", "right"),
        ("a big red cube and, in front of it and to its left, a blue ball", "behind", "right"),
        ("a red cube and a blue ball", "", ""),
    ],
)
def test_relations_are_read_as_the_first_seen_from_the_second(caption: str, depth: str, side: str) -> None:
    told = parse(caption)
    assert [named[:2] for named in told.named] == [("red", "cube"), ("blue", "sphere")]
    assert (told.depth, told.side) == (depth, side)


# --- the prepared set ---------------------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SMALL, in a single run. Do not change the folder."""
    out = tmp_path_factory.mktemp("birds") / "one.telldraw"
    assert render(SMALL, out) == {"train": 7, "val": 3, "test": 2}
    return out


def test_a_set_holds_its_scenes(rendered: Path) -> None:
    birds, painter = Collection.open(rendered), SMALL.painter()
    birds.verify()
    assert len(birds) == 12 and birds.many and "CC0" in birds.licence and birds.facts.channels == 3
    content, style = birds.tables["content"], birds.tables["style"]
    assert content.columns == CONTENT and style.columns == STYLE
    for split, rows in birds.splits.items():
        for number, row in enumerate(rows):
            shown = scene(0, split, number)
            assert birds.captions(row) == said_of(0, split, number)[1]
            assert set(birds.shown(row)) == {name for kind in shown.content.kinds for name in kind}
            kinds = content.rows[row, :6].reshape(2, 3)[: len(shown.content.kinds)]
            named = [(SIZES[size], list(COLOURS)[colour], SHAPES[shape]) for size, colour, shape in kinds]
            assert named == [tuple(kind) for kind in shown.content.kinds]
            assert style.rows[row, :3] == pytest.approx(shown.style.floor, rel=1e-6)
            places = style.of("across 1", "down 1", "across 2", "down 2")[row].reshape(2, 2)
            assert np.isnan(places).sum() == 2 * (len(shown.solids) == 1)
            seen = [shown.style.camera().project(solid.centre)[:2] for solid in shown.solids]
            assert places[: len(seen)] == pytest.approx(np.array(seen), rel=1e-5)
            if number == 0:
                assert np.array_equal(birds.images[row], painter.draw(shown))


def test_a_mismatch_by_content_is_true_of_neither_picture(rendered: Path) -> None:
    """Every caption of the one is false of the other, whatever of size and place it leaves out."""
    birds = Collection.open(rendered)
    loader = CaptionLoader(birds, "train", 7, mismatch="content", seed=3)
    for step in range(20):
        batch = loader.batch(step)
        for one, two in zip(batch.row.tolist(), batch.wrong_row.tolist(), strict=True):
            for said_of_one, shown in ((one, two), (two, one)):
                for caption in birds.captions(said_of_one):
                    named = {(each.colour, each.shape) for each in parse(caption).named}
                    there = {kind.pair for kind in scene(0, "train", shown).content.kinds}
                    assert not named <= there, f"{caption!r} is true of another picture"


def test_shards_join_and_a_stopped_run_goes_on(rendered: Path, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done:
            raise Stop

    out, told = tmp_path / "one.telldraw", []
    assert render(SMALL, out, shard=(2, 3)) is None
    with pytest.raises(Stop):
        render(SMALL, out, progress=stop)
    assert not out.exists()
    assert render(SMALL, out, tell=told.append) and told[0].startswith("10 pictures were rendered before")
    assert files(out) == files(rendered)


def test_more_training_pictures_leave_the_others_as_they_are(rendered: Path, tmp_path: Path) -> None:
    render(Plan(9, 3, 2, resolution=16), tmp_path / "more.telldraw")
    few, more = Collection.open(rendered), Collection.open(tmp_path / "more.telldraw")
    for split, rows in few.splits.items():
        start = more.splits[split].start
        assert np.array_equal(few.images[rows], more.images[start : start + len(rows)])


def test_kinds_are_other_labels_of_the_same_pictures(rendered: Path, tmp_path: Path) -> None:
    out = tmp_path / "kinds.telldraw"
    assert render(SMALL, out, shard=(1, 2)) is None  # what was rendered for the one serves the other
    render(replace(SMALL, kinds=True), out)
    single, kinds = Collection.open(rendered), Collection.open(out)
    assert kinds.classes == KINDS and len(set(KINDS)) == 48 and single.classes == CLASSES
    for row in range(len(kinds)):
        assert kinds.captions(row) == single.captions(row)
        shown = parse(kinds.captions(row)[FULL]).named
        assert sorted(kinds.shown(row)) == sorted(f"{n.size} {n.colour} {n.shape}" for n in shown)
    same = {name for name in files(out) if name not in ("labels.npy", "manifest.json")}
    assert "images.npy" in same
    assert all(files(out)[name] == files(rendered)[name] for name in same)


def test_a_damaged_group_is_named(tmp_path: Path) -> None:
    assert render(SMALL, tmp_path / "x.telldraw", shard=(1, 3)) is None
    folder = tmp_path / "x.telldraw.rendering"
    images, scenes = read_group(folder, range(5))
    assert images.shape == (5, 3, 16, 16) and scenes == [scene(0, "train", n) for n in range(5)]
    (folder / "000000.npz").write_bytes((folder / "000000.npz").read_bytes()[:-9])
    with pytest.raises(DataError, match="000000.npz is damaged.*remove it"):
        render(SMALL, tmp_path / "x.telldraw")


def test_it_agrees_with_the_path_tracer() -> None:
    pytest.importorskip("mitsuba", reason="Mitsuba 3 is not installed: pip install 'telldraw[render]'")
    shown = scene(0, "train", 0)
    fast, traced = (
        Plan(1, 0, 0, resolution=32, engine=e, samples=96).painter().draw(shown) for e in ("fast", "mitsuba")
    )
    apart = np.abs(fast.astype(int) - traced)
    assert apart.mean() < 4 and np.percentile(apart, 95) < 16


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command_renders_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "clevr-birds",
        "--render",
        "8",
        "--resolution",
        "16",
        "--workers",
        "1",
        "--out",
        str(tmp_path / "x.telldraw"),
    ]
    command.run([*flags, "--shard", "2/2"])
    assert "the command without --shard joins" in capsys.readouterr().out
    command.run(flags)
    told = capsys.readouterr()
    assert "train 6 pictures, val 1 pictures, test 1 pictures" in told.out and "CC0" in told.out
    with pytest.raises(DataError, match="--overwrite"):
        command.run(flags)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ([], "say how many"),
        (["--render", "0"], "nothing to train on"),
        (["--render", "8", "--val", "2"], "splits by itself"),
        (["--train", "8", "--val", "-1"], "nothing to train on"),
        (["--render", "8", "--resolution", "8"], "--resolution 8"),
        (["--render", "8", "--seed", "-1"], "--seed"),
        (["--render", "8", "--shard", "3/2"], "--shard 3/2"),
    ],
)
def test_flags_that_make_no_sense(flags: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TelldrawError, match=what):
        command.run(["clevr-birds", *flags])
    assert not list(tmp_path.iterdir())
