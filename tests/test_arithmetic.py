"""Sums of latents, what they should show, and how often they do."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from telldraw import cli, systems, weights
from telldraw.commands.arithmetic_sheet import sheet
from telldraw.commands.attributes import MEASURED, Judge, ink, parse, say, slant, target
from telldraw.commands.latent_sums import AROUND, Sums
from telldraw.errors import TelldrawError
from telldraw.protocols import Detected

SCENES = Judge("scenes", None, ("sun", "tree", "hot dog"), one_each=False)
DIGITS = Judge("digits", None, tuple("0123456789"), one_each=True, measured=dict(MEASURED))


def expected(expression: str, judge: Judge) -> dict[str, bool]:
    return target(parse(expression, judge.words), judge.classes, judge.one_each)


@pytest.mark.parametrize(
    ("expression", "shows", "judge"),
    [
        ("sun - no sun + no sun", {"sun": True}, SCENES),
        ("no sun - sun + sun tree", {"tree": True, "sun": False}, SCENES),
        ("hot dog, sun - sun + no hot dog", {"hot dog": True}, SCENES),
        ("sun", {"sun": True}, SCENES),
        ("7 - 1 + 1", {"7": True}, DIGITS),
        ("thick 7 - thin 7 + thin 4", {"thick": True, "4": True}, DIGITS),
        ("thick 4 - thin 4 + upright thin 2", {"thick": True, "slanted": False, "2": True}, DIGITS),
        ("7 - 7 + thick 3", {"thick": True, "3": True}, DIGITS),
    ],
)
def test_what_a_sum_should_show(expression: str, shows: dict[str, bool], judge: Judge) -> None:
    found = expected(expression, judge)
    assert found == shows
    again = parse(say(found), judge.words)
    assert again[0].wanted == shows, "said in words that are understood"


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("moon - sun + sun", "'moon'"),
        ("", "no sum"),
        ("sun - ", "no sum"),
        ("sun - tree", "last term"),
        ("sun + no", "such word"),
        ("sun-tree + tree", "'sun-tree'"),
    ],
)
def test_a_sum_that_is_none_is_a_sentence(expression: str, named: str) -> None:
    with pytest.raises(TelldrawError, match=named):
        parse(expression, SCENES.words)


def bar(lean: float, width: int = 3, side: int = 32) -> Tensor:
    """A stroke that goes `lean` pixels right for each pixel up."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    middle = side / 2 - 0.5
    inside = ((x - middle) + lean * (y - middle)).abs() <= width / 2
    return torch.where(inside & (y > 5) & (y < 26), 1.0, -1.0)[None, None]


@pytest.mark.parametrize("lean", [-0.4, 0.0, 0.3])
def test_slant_is_pixels_right_for_a_pixel_up(lean: float) -> None:
    assert slant(bar(lean)).item() == pytest.approx(lean, abs=0.03)


def test_ink_is_the_share_that_is_white() -> None:
    assert ink(torch.full((1, 1, 4, 4), -1.0)).item() == 0
    assert ink(bar(0, 6)).item() == pytest.approx(2 * ink(bar(0, 3)).item(), rel=0.35)
    assert slant(torch.full((1, 1, 4, 4), -1.0)).isfinite().all()


class Boxes(nn.Module):
    """Draws number n of z as the brightness of pixel n: what is added in z is added in the picture."""

    noise_dim, label_dim = 4, 0

    def generate(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return noise.view(-1, 1, 2, 2).expand(-1, 3, -1, -1)


class Lamps(nn.Module):
    """Finds a class where its pixel is bright."""

    def detect(self, images: Tensor) -> Detected:
        return Detected((4 * images[:, 0].flatten(1)[:, :3]).sigmoid(), torch.zeros(len(images), 3, 2))


def worked(expression: str, average: int = 3, keep_length: bool = False) -> Sums:
    judge = Judge("lamps", Lamps(), SCENES.classes, one_each=False)
    return Sums(Boxes(), judge, parse(expression, judge.words), average=average, keep_length=keep_length, pool=1000)


def test_where_pictures_are_linear_in_latents_a_sum_shows_what_it_should() -> None:
    found = worked("sun - no sun + no sun")
    the_sum, last, strayed, chance = found.rates({"sun": True}, 200)
    assert the_sum.share > 0.9 and last.share < 0.02
    assert chance.share == pytest.approx(0.5, abs=0.06) and chance.pictures == 1000
    assert last.share <= strayed.share < 0.5
    assert the_sum.error == pytest.approx((the_sum.share * (1 - the_sum.share) / 200) ** 0.5)


def test_an_attribute_that_was_not_named_stays_as_it_was() -> None:
    found = worked("sun - no sun + no sun tree")
    assert found.rates({"tree": True})[0].share > 0.7


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 20))
def test_terms_are_averages_of_pictures_that_are_surely_of_them(average: int) -> None:
    found = worked("sun - no sun + no sun", average=average)
    (one,) = found.sums(1)
    assert [len(part) for part in one.parts] == [average] * 3
    assert bool((one.parts[0][:, 0] > 0).all() and (one.parts[1][:, 0] < 0).all())
    torch.testing.assert_close(one.total, one.parts[0].mean(0) - one.parts[1].mean(0) + one.parts[2].mean(0))


def test_averages_and_sums_may_keep_the_length_of_latents() -> None:
    (one,) = worked("sun - no sun + no sun", 50, keep_length=True).sums(1)
    assert one.total.norm().item() == pytest.approx(2)  # of 4 numbers
    (plain,) = worked("sun - no sun + no sun", 50).sums(1)
    assert plain.parts[0].mean(0).norm().item() < 1.5


def test_around_is_within_a_quarter() -> None:
    found = worked("sun")
    off = found.around(torch.zeros(4), 500)
    assert off.abs().max().item() <= AROUND and off.abs().mean().item() == pytest.approx(AROUND / 2, rel=0.1)


def test_what_is_too_rare_is_a_sentence() -> None:
    with pytest.raises(TelldrawError, match=r"surely finds 'sun tree hot dog' in \d+ of 1,000 .* raise --pool"):
        worked("sun tree hot dog - sun + sun", average=900)


def test_the_sheet_shows_the_terms_the_averages_and_nine_pictures() -> None:
    found = worked("sun - no sun + no sun")
    picture = sheet(found, 16, 1.0, "sun", found.rates({"sun": True}))
    assert picture.width > 3 * 32 + 3 * 32 and picture.height > 4 * 32
    assert len(picture.getcolors(10_000) or []) > 20


def saved(folder: Path, name: str, **settings: object) -> str:
    module = systems.load(name)
    torch.manual_seed(0)
    system = module.System(module.PRESETS["tiny"])
    weights.save(folder / name, system, None, {"system": name, "name": name, **settings})
    return str(folder / name)


def test_the_command_measures_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawer = saved(tmp_path, "dcgan", resolution=16, channels=1)
    judge = saved(tmp_path, "classifier", resolution=12, channels=1, many=True, classes=list("abcdefghij"))
    out = tmp_path / "sums.png"
    words = ["arithmetic", drawer, "no a - a + a", "--judge", judge, "--pool", "50", "--repeats", "4", "--average", "1"]
    code = cli.main([*words, "--out", str(out)])
    said = capsys.readouterr()
    if code == 2:  # an untrained judge may find everything the same
        assert "random pictures" in said.err and len(said.err.splitlines()) == 1
        return
    assert "should show: no a" in said.out and "random latents" in said.out
    with Image.open(out) as picture:
        assert picture.width > 400


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--judge", "geneva-iclevr-64"), "judges nothing"),
        (("--judge", "detector-iclevr-64"), "looks at pictures of 64 pixels"),
        (("--judge", "detector-iclevr-64", "--average", "0"), "--average 0"),
        (("--judge", "detector-iclevr-64", "--out", "sums.txt"), "sums.txt"),
    ],
)
def test_wrong_flags_end_with_one_sentence(
    tmp_path: Path, words: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    drawer = saved(tmp_path, "dcgan", resolution=16, channels=1)
    assert cli.main(["arithmetic", drawer, "a - b + c", *words]) == 2
    said = capsys.readouterr().err
    assert named in said and len(said.splitlines()) == 1
