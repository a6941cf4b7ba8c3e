"""Changes of pictures before a discriminator sees them: what they do, to whom, and that gradients pass."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from telldraw.blocks.augmentation import CHANGES, augmented, colour, cutout, translation


def pictures(count: int = 6, side: int = 16) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def middle(count: int) -> torch.Tensor:
    return torch.full((count, 3), 0.5)


def test_the_middle_of_each_range_changes_nothing() -> None:
    image = pictures()
    torch.testing.assert_close(colour(image, middle(6)), image)
    assert torch.equal(translation(image, middle(6)), image)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_share_of_none_changes_nothing_and_one_of_all_every_picture(kind: str) -> None:
    torch.manual_seed(0)
    image = pictures(40)
    assert torch.equal(augmented(image, (kind,), 0.0), image)
    assert torch.equal(augmented(image, ()), image)
    torch.manual_seed(1)
    moved = (augmented(image, (kind,)) != image).flatten(1).any(1).float().mean().item()
    assert moved > (0.8 if kind == "translation" else 0.99)  # one translation in 25 is none
    half = (augmented(image.repeat(25, 1, 1, 1), (kind,), 0.5) != image.repeat(25, 1, 1, 1)).flatten(1).any(1)
    assert half.float().mean().item() == pytest.approx(moved / 2, abs=0.06)


def test_colour_is_brightness_saturation_and_contrast() -> None:
    image, half = pictures(1), torch.tensor([[0.5, 0.5, 0.5]])
    torch.testing.assert_close(colour(image, half + torch.tensor([0.3, 0, 0])), image + 0.3)
    grey = colour(image, half * torch.tensor([1, 0, 1]))
    torch.testing.assert_close(grey, image.mean(1, keepdim=True).expand_as(image))
    strong = colour(image, half + torch.tensor([0, 0, 0.25]))
    torch.testing.assert_close(strong - image.mean(), 1.25 * (image - image.mean()))


@given(st.floats(0, 0.999), st.floats(0, 0.999))
def test_translation_moves_whole_pixels_and_brings_in_grey(across: float, down: float) -> None:
    image = pictures(1)
    right, below = int(across * 5) - 2, int(down * 5) - 2
    out = translation(image, torch.tensor([[across, down, 0.0]], dtype=torch.float64))
    wanted = torch.zeros_like(image)
    rows, columns = (range(max(0, by), 16 + min(0, by)) for by in (below, right))
    for row in rows:
        for column in columns:
            wanted[..., row, column] = image[..., row - below, column - right]
    assert torch.equal(out, wanted)


def test_cutout_takes_a_square_of_half_the_side() -> None:
    image = torch.ones(3, 3, 16, 16)
    out = cutout(image, torch.tensor([[0.5, 0.5, 0], [0.0, 0.5, 0], [0.5, 0.0, 0]]))
    assert bool((out[0, :, 4:12, 4:12] == 0).all()) and int((out[0] == 0).sum()) == 3 * 64
    assert bool((out[1, :, 4:12, :4] == 0).all()) and int((out[1] == 0).sum()) == 3 * 32
    assert bool((out[2, :, :4, 4:12] == 0).all()) and int((out[2] == 0).sum()) == 3 * 32


@pytest.mark.parametrize("kind", CHANGES)
def test_each_picture_is_changed_by_itself(kind: str) -> None:
    image, chance = pictures(), torch.rand(6, 3, generator=torch.Generator().manual_seed(1))
    together = CHANGES[kind](image, chance)
    alone = torch.cat([CHANGES[kind](image[n : n + 1], chance[n : n + 1]) for n in range(6)])
    torch.testing.assert_close(together, alone)


def test_gradients_pass_through_all_changes_twice() -> None:
    torch.manual_seed(0)
    image = pictures().requires_grad_()
    (slope,) = torch.autograd.grad(augmented(image, tuple(CHANGES)).square().sum(), image, create_graph=True)
    assert bool(slope.flatten(1).any(1).all())
    (again,) = torch.autograd.grad(slope.square().sum(), image)
    assert bool(again.isfinite().all()) and bool(again.flatten(1).any(1).all())
