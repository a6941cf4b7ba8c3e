"""`telldraw prepare faces`: what is true can be seen; measured attributes depend on nothing; captions are English."""

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from telldraw.commands import prepare as command
from telldraw.data.celeba_layout import write_celeba
from telldraw.data.collection import Collection
from telldraw.data.faces import CAPTIONS, Plan, read_group
from telldraw.data.multimodal_loader import MultimodalLoader
from telldraw.data.portrait.canvas import (
    ANGLES,
    NUMBER,
    OVER,
    REGIONS,
    Canvas,
    Pose,
    angle,
    box,
    convex,
    ellipse,
    outline,
    smooth,
)
from telldraw.data.portrait.captions import ABSENT, COLOURS, FULL, HAS, IS, WEARS, captions, parse, seen
from telldraw.data.portrait.painter import paint
from telldraw.data.portrait.traits import (
    ATTRIBUTES,
    CELEBA,
    HAIR,
    LOOK,
    MEASURED,
    SHARES,
    SPLITS,
    UNDRAWN,
    Face,
    face,
    streams,
)
from telldraw.data.rendering import render
from telldraw.errors import DataError, TelldrawError

SMALL = Plan(7, 3, 2, resolution=32)
numbers = st.tuples(st.integers(0, 20), st.sampled_from(SPLITS), st.integers(0, 5000))


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "group", 5)


def said_of(seed: int, split: str, number: int) -> tuple[Face, list[str]]:
    shown = face(seed, split, number)
    return shown, captions(streams(seed, split, number)[3], shown, CAPTIONS)


def with_(shown: Face, *names: str, without: tuple[str, ...] = ()) -> Face:
    """The same face with other attributes."""
    true = (set(shown.attributes) | set(names)) - set(without)
    return replace(shown, attributes=tuple(name for name in CELEBA if name in true))


# --- attributes ---------------------------------------------------------------------------------------------------


def test_a_face_depends_on_seed_split_and_number_alone() -> None:
    alone = face(3, "val", 5)
    face(3, "val", 4)
    assert face(3, "val", 5) == alone
    assert len({str(one) for one in (alone, face(4, "val", 5), face(3, "test", 5), face(3, "val", 6))}) == 4
    assert Face.of(alone.record()) == alone


def test_attributes_are_celebas() -> None:
    assert len(CELEBA) == len(set(CELEBA)) == 40 and list(CELEBA) == sorted(CELEBA, key=str.lower)
    assert set(CELEBA) - set(ATTRIBUTES) == set(UNDRAWN) and set(MEASURED) <= set(ATTRIBUTES)


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    """Attributes [N, 38] and looks [N, S] of 2,500 faces."""
    faces = [face(1, "train", number) for number in range(2500)]
    shown = np.array([[one.has(name) for name in ATTRIBUTES] for one in faces], float)
    return shown, np.array([one.record()[1] for one in faces])


def off(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """How many standard errors each pair of columns is off independence."""
    one, other = ((part - part.mean(0)) / part.std(0) for part in (rows, columns))
    return np.abs(one.T @ other) / math.sqrt(len(rows))


def test_the_measured_attributes_depend_on_nothing_else(many: tuple[np.ndarray, np.ndarray]) -> None:
    shown, looks = many
    measured = [ATTRIBUTES.index(name) for name in MEASURED]
    others = [place for place in range(len(ATTRIBUTES)) if place not in measured]
    assert off(shown[:, measured], shown[:, others]).max() < 4.0, "of 217 independent pairs one is as far off"
    assert off(shown[:, measured], looks).max() < 4.0
    three = off(shown[:, measured[4:]], shown[:, measured])[~np.eye(7, dtype=bool)[4:]]
    assert three.max() < 4.0
    leaking = shown[:, others] + 0.2 * shown[:, measured[:1]]
    assert off(shown[:, measured], leaking).max() > 6, "a small leak would be seen"
    assert not ((shown[:, measured[:4]].sum(1)) > 1).any(), "hair has one colour"
    for name, place in zip(MEASURED, measured, strict=True):
        assert abs(shown[:, place].mean() - SHARES[name]) < 4 * math.sqrt(0.25 / len(shown)), name


def test_the_others_go_together_as_faces_do(many: tuple[np.ndarray, np.ndarray]) -> None:
    shown = {name: many[0][:, place] > 0 for place, name in enumerate(ATTRIBUTES)}
    for name in ("Goatee", "Mustache", "5_o_Clock_Shadow", "Sideburns", "Wearing_Necktie", "Bald"):
        assert shown["Male"][shown[name]].all() and shown[name].any(), name
    assert not shown["Male"][shown["Wearing_Lipstick"] | shown["Heavy_Makeup"]].any()
    for one, other in (("Straight_Hair", "Wavy_Hair"), ("Bald", "Bangs"), ("Big_Nose", "Pointy_Nose")):
        assert not (shown[one] & shown[other]).any()
    assert not (shown["No_Beard"] & (shown["Goatee"] | shown["5_o_Clock_Shadow"])).any()
    assert shown["Double_Chin"][shown["Chubby"]].mean() > 3 * shown["Double_Chin"].mean()
    assert all(0.02 < own.mean() < 0.98 for own in shown.values())


# --- pictures -----------------------------------------------------------------------------------------------------


def pixels(shown: Face, resolution: int = 64) -> dict[str, int]:
    counted = np.bincount(paint(shown, resolution).regions.ravel(), minlength=len(REGIONS))
    return dict(zip(REGIONS, counted.tolist(), strict=True))


@given(numbers)
@settings(max_examples=40, deadline=None)
def test_what_is_worn_is_in_the_map_and_nothing_else(which: tuple[int, str, int]) -> None:
    shown = face(*which)
    counted = pixels(shown)
    worn = {
        "hat": "Wearing_Hat",
        "eye_g": "Eyeglasses",
        "ear_r": "Wearing_Earrings",
        "neck_l": "Wearing_Necklace",
        "mouth": "Mouth_Slightly_Open",
    }
    for region, name in worn.items():
        assert (counted[region] > 0) == shown.has(name), region
    assert all(counted[region] > 0 for region in ("skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip", "cloth"))
    assert counted["hair"] >= 20 or not shown.hair, "the colour of hair is to be seen"
    assert counted["hair"] == 0 or not shown.shaven


def test_every_region_is_drawn_somewhere() -> None:
    counted = Counter[str]()
    for number in range(30):
        counted.update({region: count > 0 for region, count in pixels(face(0, "train", number)).items()})
    assert set(counted) == set(REGIONS) and min(counted.values()) >= 2
    assert list(NUMBER.values()) == list(range(19))


def test_left_is_the_sitters() -> None:
    for number in range(10):
        regions = paint(face(0, "test", number), 64).regions
        across = {name: np.argwhere(regions == NUMBER[name])[:, 1].mean() for name in ("l_eye", "r_eye", "nose")}
        assert across["r_eye"] < across["nose"] < across["l_eye"]


@pytest.mark.parametrize(("name", "region"), [("Eyeglasses", "eye_g"), ("Wearing_Earrings", "ear_r")])
def test_what_is_put_on_changes_the_picture_there(name: str, region: str) -> None:
    """And changes little far from it: the same face without it is the same face."""
    for number in range(4):
        shown = face(2, "train", number)
        bare, wearing = (paint(one, 64) for one in (with_(shown, without=(name,)), with_(shown, name)))
        changed = np.abs(bare.picture.astype(int) - wearing.picture).sum(0)
        own = wearing.regions == NUMBER[region]
        assert np.median(changed[own]) > 12 and (changed > 0).mean() < 0.25


@pytest.mark.parametrize("hair", [*HAIR, ""])
def test_hair_has_its_colour(hair: str) -> None:
    """By the mean of its pixels: black is darkest, gray has no hue, blond is light and yellow, brown is no red."""
    for number in range(6):
        shown = with_(face(4, "train", number), hair, without=(*(set(HAIR) - {hair}), "Bald", ""))
        portrait = paint(shown, 64)
        red, green, blue = portrait.picture[:, portrait.regions == NUMBER["hair"]].astype(float).mean(1)
        light, colour = (red + green + blue) / 3, max(red, green, blue) - min(red, green, blue)
        told = (
            "Black_Hair" if light < 65
            else "Gray_Hair" if colour < 32
            else "Blond_Hair" if green > 125
            else "Brown_Hair" if red - blue < 110 and red < 165
            else ""
        )  # fmt: skip
        assert told == hair, (red, green, blue)


def test_a_smile_lifts_the_corners_of_the_mouth() -> None:
    """The ends of the lips are higher than their middle, by the map; without a smile they are level."""
    for number in range(6):
        shown = with_(face(5, "train", number), without=("Mouth_Slightly_Open",))
        shown = replace(shown, look=replace(shown.look, tilt=0.0))
        lifts = []
        for one in (with_(shown, "Smiling"), with_(shown, without=("Smiling",))):
            down, across = np.nonzero(np.isin(paint(one, 128).regions, [NUMBER["u_lip"], NUMBER["l_lip"]]))
            ends = (across <= across.min() + 2) | (across >= across.max() - 2)
            middle = np.abs(across - np.median(across)) <= 2
            lifts.append(down[middle].mean() - down[ends].mean())
        assert lifts[0] > lifts[1] + 2.5


def test_the_same_face_at_twice_the_side_is_the_same_picture() -> None:
    for number in range(3):
        small, large = (paint(face(6, "train", number), side) for side in (64, 128))
        shrunk = large.picture.reshape(3, 64, 2, 64, 2).mean((2, 4))
        assert np.abs(shrunk - small.picture).mean() < 3
        assert (large.regions[::2, ::2] == small.regions).mean() > 0.93


def test_pictures_are_well_lit_and_no_two_alike() -> None:
    pictures = np.stack([paint(face(7, "train", number), 32).picture for number in range(20)]).astype(float)
    assert 70 < pictures.mean() < 190 and pictures.std((1, 2, 3)).min() > 25
    apart = np.abs(pictures[:, None] - pictures[None]).mean((2, 3, 4)) + 99 * np.eye(20)
    assert apart.min() > 8


def test_sketches_are_lines_on_paper() -> None:
    for number in range(6):
        portrait = paint(face(8, "train", number), 64)
        assert portrait.sketch.dtype == np.uint8 and np.median(portrait.sketch) == 255
        assert 0.05 < (portrait.sketch < 128).mean() < 0.30 and portrait.sketch.min() <= 40
        edge = portrait.regions[1:] != portrait.regions[:-1]
        assert portrait.sketch[1:][edge].mean() < 170, "where one region ends, there is a line"
        background = portrait.regions == 0
        inside = background.copy()
        for shift in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            inside &= np.roll(background, shift, (0, 1))
        assert portrait.sketch[inside].min() > 160, "the background is bare, but for the borders of lines"


# --- outlines -----------------------------------------------------------------------------------------------------

points = st.floats(-2, 2).filter(lambda value: abs(value) > 1e-3)


@given(points, points)
def test_angles_are_those_of_the_arc_tangent(u: float, v: float) -> None:
    got = angle(np.array([[u]], np.float32), np.array([[v]], np.float32))
    assert got.item() == pytest.approx(math.atan2(u, v), abs=5e-4)


def test_distances_to_outlines() -> None:
    u, v = np.array([[0.0, 3.0, 1.0]], np.float32), np.array([[0.0, 4.0, 0.0]], np.float32)
    assert ellipse(u[:, 1:], v[:, 1:], 1, 1)[0] == pytest.approx([4, 0], abs=1e-4)  # a circle's are exact
    assert box(u, v, 1, 1, 0.0)[0] == pytest.approx([-1, math.hypot(2, 3), 0], abs=1e-5)
    square = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    assert convex(u, v, square)[0] == pytest.approx([-1, 3, 0], abs=1e-5)
    assert smooth(np.array([0, 1, 2, 3], np.float32), 1, 2).tolist() == [0, 0, 1, 1]


def test_a_circle_by_angles_is_a_circle() -> None:
    right = [(math.sin(t), math.cos(t)) for t in np.linspace(0, math.pi, 40)]
    assert outline(right) == pytest.approx(np.ones(ANGLES), abs=1e-3)


def test_what_covers_a_share_of_a_canvas_does_so_at_every_size() -> None:
    for resolution in (32, 64):
        canvas = Canvas(resolution)
        area = canvas.area(Pose(0.1, -0.1, 0.4, 0.9), (0.1, 0.1), (0.5, 0.5))
        area.paint(area.cover(ellipse(area.u, area.v, 0.4, 0.3)), (1.0, 1.0, 1.0), "nose")
        share = math.pi * 0.4 * 0.3 * 0.81 / 4
        assert canvas.colours.mean() == pytest.approx(share, rel=0.01)
        assert (canvas.regions == NUMBER["nose"]).mean() == pytest.approx(share, rel=0.03)
        assert canvas.side == OVER * resolution and set(np.unique(canvas.numbers())) == {0, NUMBER["nose"]}


# --- captions -----------------------------------------------------------------------------------------------------


@given(numbers)
@settings(max_examples=80, deadline=None)
def test_captions_are_different_and_true(which: tuple[int, str, int]) -> None:
    shown, said = said_of(*which)
    assert len(said) == len(set(said)) == CAPTIONS
    told = [parse(caption) for caption in said]
    assert all(one.fits(shown) and (one.true or one.false) for one in told)
    measured = {name for name in seen(shown) if name in COLOURS or name in ABSENT}
    assert told[FULL].true >= measured


PLURAL = "eyebrows|bags|bangs|lips|eyes|cheekbones|cheeks|sideburns|eyeglasses|glasses|earrings"
SINGLE = "nose|chin|goatee|mouth|mustache|face|hairline|beard|hat|necklace|necktie|shadow|man|woman|person"


@given(numbers)
@settings(max_examples=80, deadline=None)
def test_captions_are_english(which: tuple[int, str, int]) -> None:
    """Articles where a noun needs one and none where it takes none; lists, pronouns, ends; nobody has what is worn."""
    shown, said = said_of(*which)
    he, she = ("he", "she") if shown.has("Male") else ("she", "he")
    for caption in said:
        words = re.findall(r"[a-z0-9'-]+", caption.lower())
        assert she not in words and {"he": "woman", "she": "man"}[he] not in words
        text = caption.lower()
        assert not re.search(rf"\ban? (\w+ )?({PLURAL}|hair|makeup|lipstick|skin)\b", text), caption
        assert not re.search(r"\ba [aeio]|\ban [^aeio]", text), caption
        for noun in re.finditer(rf"((?:[\w']+,? )*)\b({SINGLE})\b", text):
            assert re.search(r"\b(an?|the|this) (?:[\w']+,? ){0,3}$", noun[1]), caption
        assert not re.search(r"  | ,|,,|\.\.| \.|\band and\b|,$", caption), caption
        assert not re.search(r"\bha(s|ve) [^.]*\b(eyeglasses|glasses|hat|lipstick|makeup|necklace|necktie|earrings)\b", re.sub(r"\b(and|is)? ?(wears|wearing)\b[^.]*", "", text)), caption  # fmt: skip  # noqa: E501
        whole = caption.endswith(".")
        assert whole == caption[0].isupper(), "sentences begin large and end with a stop; fragments do neither"
        for sentence in filter(None, re.split(r"\. ?", caption)) if whole else ():
            assert re.match(r"(He|She|(The|This) [a-z, ]*(man|woman|person)|This) (is|has|wears|does)\b", sentence), (
                caption
            )
        for several in re.finditer(r"\w, and \w", text):
            before = re.split(r"[.]", text[: several.start()])[-1]
            assert "," in before or " and " in before, "a comma before and: of three or more"


def test_a_caption_does_not_fit_a_face_without_what_it_says() -> None:
    checked = 0
    for number in range(60):
        shown, said = said_of(9, "train", number)
        for told in map(parse, said):
            for name in told.true - {"Beard", "Red_Hair"}:
                assert not told.fits(with_(shown, without=(name,)))
                checked += 1
            for name in told.false:
                assert not told.fits(with_(shown, name))
            if told.male is not None:
                other = with_(shown, without=("Male",)) if shown.has("Male") else with_(shown, "Male")
                assert not told.fits(other)
    assert checked > 1000


def test_all_words_are_used_and_absence_is_said() -> None:
    said = [caption for number in range(400) for caption in said_of(10, "train", number)[1]]
    told = [parse(caption) for caption in said]
    true, false = Counter(n for one in told for n in one.true), Counter(n for one in told for n in one.false)
    assert set(true) == {*IS, *HAS, *WEARS} and set(false) == set(ABSENT)
    assert all(0.04 < false[name] / len(said) < 0.3 for name in ABSENT)
    words = {word for caption in said for word in re.findall(r"[a-z0-9'-]+", caption.lower())}
    assert 70 <= len(words) <= 90 and max(len(caption.split()) for caption in said) < 45


@pytest.mark.parametrize(
    ("caption", "true", "false", "male"),
    [
        ("This smiling person has arched eyebrows, bangs, and wavy hair.",
         {"Smiling", "Arched_Eyebrows", "Bangs", "Wavy_Hair"}, set(), None),
        ("She wears lipstick. She has wavy black hair and high cheekbones.",
         {"Wearing_Lipstick", "Wavy_Hair", "Black_Hair", "High_Cheekbones"}, set(), False),
        ("he is smiling, with blond hair", {"Smiling", "Blond_Hair"}, set(), True),
        ("a young woman with black hair and eyeglasses", {"Young", "Black_Hair", "Eyeglasses"}, set(), False),
        ("He is not smiling. He does not wear glasses or a hat.", set(), {*ABSENT}, True),
        ("a man with gray hair, without a hat, not smiling", {"Gray_Hair"}, {"Wearing_Hat", "Smiling"}, True),
        ("She is not wearing eyeglasses. She wears a hat.", {"Wearing_Hat"}, {"Eyeglasses"}, False),
    ],
)  # fmt: skip
def test_reading(caption: str, true: set[str], false: set[str], male: bool | None) -> None:
    assert parse(caption) == (true, false, male)


# --- the prepared set ---------------------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SMALL, in a single run. Do not change the folder."""
    out = tmp_path_factory.mktemp("faces") / "one.telldraw"
    assert render(SMALL, out) == {"train": 7, "val": 3, "test": 2}
    return out


def test_a_set_holds_its_faces(drawn: Path) -> None:
    faces = Collection.open(drawn)
    faces.verify()
    assert len(faces) == 12 and faces.many and "CC0" in faces.licence and faces.classes == ATTRIBUTES
    assert faces.tables["face"].columns == LOOK and faces.multimodal_facts.regions == REGIONS
    for split, rows in faces.splits.items():
        for number, row in enumerate(rows):
            shown, said = said_of(0, split, number)
            assert tuple(faces.shown(row)) == shown.attributes and faces.captions(row) == said
            assert faces.tables["face"].rows[row] == pytest.approx(shown.record()[1], rel=1e-6, abs=1e-7)
            portrait = paint(shown, 32)
            assert np.array_equal(faces.images[row], portrait.picture)
            for name in ("sketch", "regions"):
                assert np.array_equal(np.asarray(faces.maps[name].rows)[row], getattr(portrait, name))


def test_batches_of_faces_have_all_forms(drawn: Path) -> None:
    batch = MultimodalLoader(Collection.open(drawn), "train", 4, seed=0).batch(0)
    assert batch.image.shape == (4, 3, 32, 32) and batch.sketch.shape == (4, 1, 32, 32)
    assert batch.regions.shape == (4, 32, 32) and int(batch.regions.max()) < 19
    assert batch.label.shape == (4, len(ATTRIBUTES)) and len(batch.words) == 4


def test_shards_join_and_a_stopped_run_goes_on(drawn: Path, tmp_path: Path) -> None:
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
    assert render(SMALL, out, tell=told.append) and told[0].startswith("10 faces were rendered before")
    assert files(out) == files(drawn)


def test_more_faces_to_train_on_leave_the_others_as_they_are(drawn: Path, tmp_path: Path) -> None:
    render(replace(SMALL, train=9), tmp_path / "more.telldraw")
    few, more = Collection.open(drawn), Collection.open(tmp_path / "more.telldraw")
    for split, rows in few.splits.items():
        start = more.splits[split].start
        assert np.array_equal(few.images[rows], more.images[start : start + len(rows)])


def test_a_damaged_group_is_named(tmp_path: Path) -> None:
    assert render(SMALL, tmp_path / "x.telldraw", shard=(1, 3)) is None
    folder = tmp_path / "x.telldraw.rendering"
    file = next(folder.glob("*.npz"))
    assert read_group(folder, range(5))[0].shape == (5, 5, 32, 32)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(DataError, match=f"{file.name} is damaged .*; remove it and run the command again"):
        read_group(folder, range(5))


def test_another_size_is_not_mixed_in(tmp_path: Path) -> None:
    assert render(SMALL, tmp_path / "x.telldraw", shard=(1, 3)) is None
    with pytest.raises(DataError, match="was begun with resolution 32 and not 64"):
        render(replace(SMALL, resolution=64), tmp_path / "x.telldraw")


# --- as files -----------------------------------------------------------------------------------------------------


def test_files_in_the_layout_of_celeba(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces, folder = Collection.open(drawn), tmp_path / "celeba"
    assert write_celeba(faces, folder) == 12
    for row in range(12):
        own = np.zeros((32, 32), np.uint8)
        for number, part in enumerate(REGIONS):  # put together as its users do: later parts over earlier ones
            file = folder / "CelebAMask-HQ-mask-anno" / "0" / f"{row:05d}_{part}.png"
            if file.exists():
                own[np.asarray(Image.open(file))[..., 0] > 127] = number
        assert np.array_equal(own, np.asarray(faces.maps["regions"].rows)[row])
        assert np.array_equal(own, np.asarray(Image.open(folder / "label" / f"{row}.png")))
        jpeg = np.asarray(Image.open(folder / "CelebA-HQ-img" / f"{row}.jpg")).transpose(2, 0, 1).astype(int)
        assert np.abs(jpeg - faces.images[row]).mean() < 4
    header, *lines = (folder / "CelebA-HQ-to-CelebA-mapping.txt").read_text().splitlines()
    assert header.split() == ["idx", "orig_idx", "orig_file"]
    found = [int(line.split()[1]) for line in lines]  # the bounds of CelebA's splits
    assert all(one < 162_770 for one in found[:7]) and all(162_771 <= one < 182_637 for one in found[7:10])
    assert all(one >= 182_638 for one in found[10:])
    with pytest.raises(DataError, match="is there already and not empty"):
        write_celeba(faces, folder)
    command.run(["mm-celeba", "--from", str(folder), "--resolution", "32", "--out", str(tmp_path / "mm.telldraw")])
    capsys.readouterr()
    read = Collection.open(tmp_path / "mm.telldraw")
    assert [len(read.splits[split]) for split in ("train", "test")] == [7, 5] and read.classes == CELEBA
    for row in range(12):
        assert read.captions(row) == faces.captions(row) and read.shown(row) == faces.shown(row)


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, folder = tmp_path / "f.telldraw", tmp_path / "files"
    words = ["faces", "--render", "10", "--resolution", "32", "--workers", "1", "--out", str(out)]
    command.run([*words, "--shard", "1/2"])
    assert "part 1/2 lies in" in capsys.readouterr().out and not out.exists()
    command.run(words)
    printed = capsys.readouterr().out
    assert "train 8 faces, val 1 faces, test 1 faces" in printed and "CC0" in printed
    command.run(["faces", "--out", str(out), "--as-celeba", str(folder)])
    assert "10 faces in the layout of" in capsys.readouterr().out
    assert len(list((folder / "sketch").iterdir())) == 10


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ([], "say how many: --render 12000"),
        (["--render", "10", "--resolution", "16"], "--resolution 16: faces are drawn with 32 to 256 pixels"),
        (["--render", "10", "--train", "5"], "--render N splits by itself"),
        (["--render", "10", "--shard", "1/2", "--as-celeba", "x"], "--as-celeba goes with a whole set"),
        (["--render", "10", "--workers", "0"], "--workers 0: at least 1 is needed"),
    ],
)
def test_wrong_flags(words: list[str], wrong: str) -> None:
    with pytest.raises(TelldrawError, match=re.escape(wrong)):
        command.run(["faces", *words])
