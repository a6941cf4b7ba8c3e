"""Objectives of inversion and of visual-linguistic similarity, against closed forms."""

import torch

from telldraw.objectives.inversion import instance, pixel
from telldraw.objectives.similarity import visual_linguistic


def test_pixels_count_where_the_mask_is() -> None:
    x, y = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    y[0, :, 0, 0] = 2.0
    assert pixel(x, y).tolist() == [1.0, 0.0]
    mask = torch.zeros(2, 1, 2, 2)
    mask[:, :, 0, :] = 1
    assert pixel(x, y, mask).tolist() == [2.0, 0.0]
    assert pixel(x, y, torch.zeros(2, 1, 2, 2)).tolist() == [0.0, 0.0]


def test_the_three_terms_of_one_picture() -> None:
    x, again = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    code, encoded = torch.zeros(2, 4, 3), torch.full((2, 4, 3), 0.5)
    apart = lambda a, b: (a - b).abs().flatten(1).sum(1)  # noqa: E731
    assert instance(x, again, code, encoded, weights=(1, 0, 0)).tolist() == [1, 1]
    assert instance(x, again, code, encoded, weights=(0, 0, 2)).tolist() == [0.5, 0.5]
    assert instance(x, again, code, encoded, distance=apart, weights=(0, 0.5, 0)).tolist() == [2, 2]
    mask = torch.zeros(2, 1, 2, 2)
    mask[:, :, 0, 0] = 1
    assert instance(x, again, code, encoded, distance=apart, weights=(1, 1, 0), mask=mask).tolist() == [2, 2]


def test_in_the_papers_form_layers_may_cancel() -> None:
    visual, linguistic = torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)
    linguistic[:, 0], linguistic[:, 1] = 1.0, -1.0
    half = torch.tensor([0.5, 0.5])
    assert visual_linguistic(visual, linguistic, half, "paper") == 0
    assert visual_linguistic(visual, linguistic, half, "per-layer") == 1
    only = torch.tensor([1.0, 0.0])
    for reduction in ("paper", "per-layer"):
        assert visual_linguistic(visual, linguistic, only, reduction) == 1


def test_the_two_forms_agree_on_one_layer() -> None:
    visual, linguistic = torch.randn(2, 5, 1, 8)
    one = torch.ones(1)
    torch.testing.assert_close(
        visual_linguistic(visual, linguistic, one, "paper"), visual_linguistic(visual, linguistic, one)
    )
