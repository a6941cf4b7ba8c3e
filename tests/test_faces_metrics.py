"""Figures of drawn and edited faces, against counting and closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from telldraw.metrics import distribution, faces
from telldraw.metrics.classification import each_class

NAMES = (*faces.HAIR, "Eyeglasses", "Smiling")
ROWS = st.integers(1, 6)


def tables(count: int, rows: int, seed: int) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.rand(rows, len(NAMES), generator=rng) for _ in range(count)]


def asked_of(rows: int, seed: int) -> torch.Tensor:
    return torch.randint(-1, 2, (rows, len(NAMES)), generator=torch.Generator().manual_seed(seed + 99))


@given(ROWS, st.integers(0, 1000))
def test_shares_are_what_counting_gives(rows: int, seed: int) -> None:
    (before, after), asked = tables(2, rows, seed), asked_of(rows, seed)
    spared = faces.spared_by(asked, NAMES)
    right, wrong_before, repaired, changed, others, moves = 0, 0, 0, 0, 0, []
    for n in range(rows):
        for k in range(len(NAMES)):
            was, told = bool(before[n, k] > 0.5), int(asked[n, k])
            now = bool(after[n, k] > 0.5)
            if told >= 0:
                right += now == bool(told)
                if was != bool(told):
                    wrong_before += 1
                    repaired += now == bool(told)
            elif not spared[n, k]:
                others += 1
                changed += was != now
                moves.append(abs(float(after[n, k]) - float(before[n, k])))
    found = faces.asked_right(after, asked)
    assert found.of == int((asked >= 0).sum())
    assert found.value == pytest.approx(right / found.of) if found.of else math.isnan(found.value)
    flips = faces.flipped(before, after, asked)
    assert flips.of == wrong_before
    assert flips.value == pytest.approx(repaired / wrong_before) if wrong_before else math.isnan(flips.value)
    other = faces.interference(before, after, asked, spared=spared)
    assert other.changed.of == others
    if others:
        assert other.changed.value == pytest.approx(changed / others)
        assert other.moved == pytest.approx(sum(moves) / others, abs=1e-6)
    assert torch.nansum(other.changed.each * other.changed.of_each).item() == pytest.approx(changed)


def test_a_perfect_edit_has_all_of_one_and_nothing_of_the_other() -> None:
    before = torch.tensor([[0.9, 0, 0, 0, 0.1, 0.8], [0.1, 0.9, 0, 0, 0.2, 0.1]])
    asked = torch.full((2, 6), -1)
    asked[:, 4] = 1
    after = before.clone()
    after[:, 4] = 0.97
    assert faces.asked_right(after, asked).value == 1 and faces.asked_right(before, asked).value == 0
    assert faces.flipped(before, after, asked).value == 1
    other = faces.interference(before, after, asked)
    assert (other.changed.value, other.moved) == (0, 0)
    # a second edit, to black hair, undoes blond hair: that is no interference, a smile that comes with it is
    asked[:] = -1
    asked[1, 0] = 1
    later = after.clone()
    later[1] = torch.tensor([0.9, 0.1, 0, 0, 0.97, 0.7])
    other = faces.interference(after, later, asked, spared=faces.spared_by(asked, NAMES))
    assert other.changed.of == 6 + 2 and other.changed.value == 1 / 8
    assert other.changed.each[5] == 1 / 2
    assert faces.interference(after, later, asked).changed.of == 6 + 5


def test_nothing_asked_is_no_figure_rather_than_a_good_one() -> None:
    (before, after), nothing = tables(2, 3, 0), torch.full((3, 6), -1)
    assert math.isnan(faces.asked_right(after, nothing).value)
    assert math.isnan(faces.flipped(before, after, nothing).value)
    with pytest.raises(ValueError, match="one shape"):
        faces.asked_right(after, nothing[:2])


def test_the_error_is_that_of_means_when_every_row_asks_one_thing() -> None:
    asked = torch.full((40, 6), -1)
    asked[:, 4] = 1
    (after,) = tables(1, 40, 3)
    found, right = faces.asked_right(after, asked), (after[:, 4] > 0.5).double()
    assert found.value == pytest.approx(float(right.mean()))
    assert found.error == pytest.approx(float(right.std() / 40**0.5))


def test_hair_has_five_answers() -> None:
    probability = torch.tensor([[0.9, 0.2, 0.1, 0], [0.4, 0.4, 0.4, 0.5], [0, 0, 0.51, 0.9], [1.0, 1, 0, 0]])
    assert faces.hair_colour(probability).tolist() == [0, 4, 3, 0]


def test_identity_is_a_cosine() -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(5, 7, generator=rng)
    torch.testing.assert_close(faces.identity(x, 3 * x), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(faces.identity(x, -x), -torch.ones(5, dtype=torch.float64))


def test_only_pixels_outside_the_edit_count() -> None:
    names = ("background", "skin", "hair", "hat")
    regions = torch.zeros(2, 4, 4, dtype=torch.int64)
    regions[:, :2] = 2
    before = torch.zeros(2, 3, 4, 4)
    after = before.clone()
    after[:, :, :2] = 1  # all hair changes
    after[1, :, 2:] = 0.5  # and in the second picture the rest, by a quarter of the range
    where = faces.outside(regions, faces.numbers_of("Black_Hair", names))
    assert faces.rms(before, after, where).tolist() == [0, 0.25]
    assert faces.numbers_of("Wearing_Hat", names) == [0, 1, 2, 3]
    everywhere = faces.outside(regions, faces.numbers_of("Wearing_Hat", names))
    assert faces.rms(before, after, everywhere).isnan().all()
    with pytest.raises(ValueError, match="Young may touch is not known; known are Black_Hair"):
        faces.numbers_of("Young", names)
    with pytest.raises(ValueError, match="pixels"):
        faces.rms(before, after, where[:, :2])


def test_tables_know_celebas_names() -> None:
    of_masks = "background skin nose eye_g l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip hair hat".split()
    assert {region for regions in faces.TOUCHED.values() for region in regions} <= set(of_masks)
    assert set(faces.ASKED_OF_EDITS) == set(faces.TOUCHED)


def test_close_to_the_real_picture_and_varied_are_two_figures() -> None:
    def distance(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x - y).abs().mean((1, 2, 3))

    real = torch.zeros(2, 3, 4, 4)
    same = torch.full((2, 3, 3, 4, 4), 0.5)  # three equal drawings, far from the real picture
    assert faces.to_real(distance, same, real).tolist() == [0.5, 0.5]
    assert faces.among(distance, same).tolist() == [0, 0]
    apart = torch.stack([real - 0.5, real, real + 0.5], 1)
    torch.testing.assert_close(faces.to_real(distance, apart, real), torch.full((2,), 1 / 3))
    torch.testing.assert_close(faces.among(distance, apart), torch.full((2,), 2 / 3))
    assert faces.to_real(distance, real.unsqueeze(1), real).tolist() == [0, 0]  # a copy
    with pytest.raises(ValueError, match="expected"):
        faces.to_real(distance, same, real[:1])
    with pytest.raises(ValueError, match="at least 2"):
        faces.among(distance, same[:, :1])


def test_a_reconstruction_has_all_its_figures() -> None:
    true = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = faces.reconstructed(true, true, lambda x, y: (x - y).square().mean((1, 2, 3)))
    assert {name: set(values.tolist()) for name, values in found.items() if name != "ssim"} == {
        **{"mse": {0.0}, "psnr": {100.0}, "perceptual": {0.0}}
    }
    torch.testing.assert_close(found["ssim"], torch.ones(3))
    assert set(faces.reconstructed(true[..., :8, :8], true[..., :8, :8])) == {"mse", "psnr"}


def test_each_class_is_counted_by_itself() -> None:
    logits = torch.tensor([[2.0, -1, -1], [2, 1, -1], [-2, 1, -1], [-2, 1, -1]])
    label = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]])
    found = each_class(logits, label)
    assert found.there.tolist() == [0.5, 0.5, 0]
    assert found.accuracy.tolist() == [0.5, 0.75, 1]
    assert found.balanced[:2].tolist() == [0.5, 0.75] and bool(found.balanced[2].isnan())
    assert found.f1[:2].tolist() == pytest.approx([0.5, 0.8]) and bool(found.f1[2].isnan())
    # of a class that everything has, guessing is right always, and worth 1/2
    guess = each_class(torch.ones(4, 1), torch.tensor([[1], [1], [1], [0]]))
    assert (guess.accuracy.item(), guess.balanced.item()) == (0.75, 0.5)
    with pytest.raises(ValueError, match="expected"):
        each_class(logits, label[:, :2])


def test_r_precision_is_asked_with_one_true_text_against_99() -> None:
    rng = torch.Generator().manual_seed(0)
    text = torch.randn(300, 16, generator=rng)
    assert distribution.r_precision(text, text) == 1.0  # one own, 99 others, the first place
    by_chance = distribution.r_precision(torch.randn(300, 16, generator=rng), text)
    assert abs(by_chance - 0.01) < 3 * (0.01 * 0.99 / 300) ** 0.5
    with pytest.raises(ValueError, match="99 mismatched"):
        distribution.r_precision(text[:99], text[:99])


def test_few_pictures_are_said_to_be_few() -> None:
    assert "1,000 pictures are few: below 2,048" in distribution.few(1000)
    assert distribution.few(2048) == ""
