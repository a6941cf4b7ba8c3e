"""Contact sheets, animations, and files that are written whole or not at all."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont, PngImagePlugin

from telldraw.drawing import files, sheet
from telldraw.drawing.session import Drawer
from telldraw.drawing.sheet import Frame, Strip
from telldraw.errors import TelldrawError
from test_terminal import Toy, look

FONT = ImageFont.load_default(size=15)


def frame(
    colour: tuple[int, int, int] = (200, 30, 30), caption: str = "a tree", mark: str = "1", side: int = 64
) -> Frame:
    """A frame of one colour."""
    return Frame(Image.new("RGB", (side, side), colour), mark, caption)


@given(text=st.text(max_size=300), width=st.integers(40, 400))
@settings(max_examples=100, deadline=None)
def test_no_wrapped_line_is_wider_than_it_may_be(text: str, width: int) -> None:
    lines = sheet.wrap(text, FONT, width)
    assert 1 <= len(lines) <= 10
    assert all(FONT.getlength(line) <= width for line in lines)


def test_wrapping_loses_no_word_until_it_runs_out_of_lines() -> None:
    words = [f"word{number}" for number in range(30)]
    lines = sheet.wrap(" ".join(words), FONT, 300)
    assert " ".join(lines).split() == words
    assert sheet.wrap(" ".join(words * 20), FONT, 200)[-1].endswith("...")
    assert len(sheet.wrap("x" * 100_000, FONT, 200)) == 10


def test_captions_keep_to_the_letters_of_the_font() -> None:
    assert sheet.wrap("the girl\u2019s \u00e9clair \u2013 \u201cna\u00efve\u201d\n!", FONT, 900) == [
        'the girl\'s eclair - "naive" !'
    ]


def test_a_sheet_shows_every_frame_with_its_text_below() -> None:
    frames = [frame((10 * n, 200, 0), "a tree " * 4, str(n)) for n in range(1, 31)]
    page = sheet.contact_sheet([Strip("", frames)])
    assert page.width <= 1830
    colours = {page.getpixel((x, y)) for x in range(0, page.width, 8) for y in range(0, page.height, 8)}
    assert {(10 * n % 256, 200, 0) for n in range(1, 26)} <= colours
    below = np.asarray(page)[16 + 64 + 3 :, 16:80]
    assert (below[:30] < 100).any()  # ink


def test_strips_are_headed_and_longer_text_takes_more_room() -> None:
    short = sheet.contact_sheet([Strip("", [frame()])])
    assert sheet.contact_sheet([Strip("seed 1", [frame()])]).height > short.height
    assert sheet.contact_sheet([Strip("", [frame(caption="a tree and a sun and a dog")])]).height > short.height
    assert sheet.contact_sheet([Strip("a", [frame()]), Strip("b", [frame()])]).height > 2 * (short.height - 32)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_an_animation_has_as_many_frames_as_turns_even_if_they_look_alike(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"turns{ending}"
    sheet.save_animation([frame(mark=str(n), caption="the same") for n in range(1, 13)], path, 500)
    with Image.open(path) as animation:
        assert animation.n_frames == 12  # type: ignore[attr-defined]
        durations = []
        for number in range(12):
            animation.seek(number)
            animation.load()
            durations.append(animation.info["duration"])
        assert durations == [500] * 11 + [1000] and animation.info["loop"] == 0


def test_an_animation_of_one_turn(tmp_path: Path) -> None:
    sheet.save_animation([frame()], tmp_path / "one.gif")
    assert look(tmp_path / "one.gif").info["frames"] == 1


@pytest.mark.parametrize(("width", "scale"), [(8, 32), (64, 4), (128, 2), (200, 2), (256, 1), (512, 1)])
def test_pictures_are_enlarged_for_people(width: int, scale: int) -> None:
    assert sheet.scale_for(width, None) == scale


def test_scale_one_is_the_drawers_own_pixels() -> None:
    image = Drawer(Toy()).start().tell("a tree").image
    assert sheet.enlarge(image, 1).tobytes() == image.tobytes()
    assert sheet.enlarge(image, 3).size == (24, 24)
    assert sheet.enlarge(image, 3, 1.25).size == (30, 24)
    for wrong in (0, -1, 33):
        with pytest.raises(TelldrawError, match="--scale"):
            sheet.scale_for(64, wrong)


def test_candidates_stand_side_by_side() -> None:
    images = [frame((n, 0, 0)).image for n in range(5)]
    assert sheet.side_by_side(images[:1]) is images[0]
    assert sheet.side_by_side(images[:4]).size == (4 * 64 + 12, 64)
    grid = sheet.side_by_side(images)
    assert grid.size == (3 * 64 + 8, 2 * 64 + 4)
    assert [grid.getpixel(place) for place in ((0, 0), (68, 0), (136, 0), (0, 68), (68, 68))] == [
        (n, 0, 0) for n in range(5)
    ]


def test_a_png_remembers_how_it_was_drawn(tmp_path: Path) -> None:
    canvas = Drawer(Toy()).start(3).tell("a tree").tell('"left" of the sun, \u00e4\U0001f333', seed=9)
    files.save_picture(canvas.image, tmp_path / "a.png", canvas)
    record = files.read_record(tmp_path / "a.png")
    assert record == ("toy", canvas.history)
    assert Drawer(Toy()).replay(record.history).image.tobytes() == canvas.image.tobytes()


def _text_png(path: Path, text: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("telldraw", text)
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)


def test_a_picture_without_a_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(TelldrawError, match="no picture"):
        files.read_record(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n garbage")
    with pytest.raises(TelldrawError, match="cannot be read|can be read"):
        files.read_record(path)
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(TelldrawError, match="does not say"):
        files.read_record(path)
    for text in ("{", "[]", json.dumps({"weights": "toy", "turns": [["a tree"]]}), json.dumps({"turns": []})):
        _text_png(path, text)
        with pytest.raises(TelldrawError, match="damaged"):
            files.read_record(path)


def test_a_name_never_hits_a_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [files.claim("A large tree!").name for _ in range(3)]
    assert names == ["a-large-tree.png", "a-large-tree-2.png", "a-large-tree-3.png"]
    assert files.claim("\u0434\u0435\u0440\u0435\u0432\u043e").name == "picture.png"
    assert len(files.claim("tree " * 1000).name) < 60 and len(files.claim("x" * 5000).name) < 60


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.bmp", "must end in"),
        ("a", "must end in"),
        ("missing/a.png", "no folder"),
        ("folder.png", "this is a folder"),
        ("file.txt/a.png", "no folder|not a directory"),
        ("x" * 300 + ".png", "name too long"),
        ("a\x00.png", "null"),
    ],
)
def test_an_output_that_cannot_be_written_is_named_with_its_flag(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.txt").touch()
    with pytest.raises(TelldrawError, match=f"--out.*({sentence})"):
        files.check_file(tmp_path / name, files.PICTURES, "--out")


def test_a_folder_that_refuses_files_is_named() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("no folder here that refuses files to everybody")
    with pytest.raises(TelldrawError, match="--sheet /proc/a.png: cannot write in /proc"):
        files.check_file(Path("/proc/a.png"), files.PICTURES, "--sheet")


def test_a_folder_for_frames_is_new_or_empty(tmp_path: Path) -> None:
    files.check_folder(tmp_path / "new", "--frames")
    files.check_folder(tmp_path, "--frames")
    (tmp_path / "a.png").touch()
    for path, sentence in ((tmp_path, "not empty"), (tmp_path / "a.png", "is a file"), (tmp_path / "b/c", "no folder")):
        with pytest.raises(TelldrawError, match=f"--frames.*{sentence}"):
            files.check_folder(path, "--frames")


def test_what_fails_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("old")
    with pytest.raises(TelldrawError, match="a.png cannot be written: no space"), files.written(path) as stream:
        stream.write(b"half")
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.png"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    files.save_picture(frame().image, tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink() and look(tmp_path / "real.png").size == (64, 64)
