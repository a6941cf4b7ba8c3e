"""Objectives of inversion and of visual-linguistic similarity, against closed forms, and how TediGAN follows them."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from telldraw.batches import Multimodal
from telldraw.errors import TrainingError
from telldraw.objectives.inversion import edges_missed, instance, pixel
from telldraw.objectives.similarity import visual_linguistic
from telldraw.systems import tedigan
from telldraw.training.update import Update


def test_pixels_count_where_the_mask_is() -> None:
    x, y = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    y[0, :, 0, 0] = 2.0
    assert pixel(x, y).tolist() == [1.0, 0.0]
    mask = torch.zeros(2, 1, 2, 2)
    mask[:, :, 0, :] = 1
    assert pixel(x, y, mask).tolist() == [2.0, 0.0]
    assert pixel(x, y, torch.zeros(2, 1, 2, 2)).tolist() == [0.0, 0.0]


def test_edges_are_missed_where_they_are_not_where_they_were() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 3, 8, 8)
    assert edges_missed(x, x).tolist() == pytest.approx([0, 0], abs=1e-5)
    assert edges_missed(x, 0.3 * x + 0.1).tolist() == pytest.approx([0, 0], abs=1e-5)  # paler, and all there
    assert edges_missed(x, 1 - x).tolist() == pytest.approx([2, 2], abs=1e-5)  # each is turned round
    assert edges_missed(x, torch.zeros_like(x)).tolist() == [1, 1]  # nothing is there
    step, other = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    step[..., 2:], other[..., 2:, :] = 1, 1  # of 24 differences each has 4 of one, at other places
    mean = 4 / 24
    assert float(edges_missed(step, other)) == pytest.approx(1 + mean**2 / (mean - mean**2))


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


# --- stages that need the codes of pictures ---------------------------------------------------------------------------


def stage(name: str, **changed: Any) -> tedigan.System:
    """A small system of a stage, whose encoder of pictures counts as trained."""
    torch.manual_seed(0)
    system = tedigan.System(replace(tedigan.PRESETS[f"tiny-{name}"], **changed))
    system.ready[0] = 1
    return system


@pytest.mark.parametrize(
    ("name", "weight", "needed"),
    [
        *(("image", 1.0, False), ("latent", 1.0, False), ("text", 0.0, True)),
        *(("sketch", 0.0, False), ("sketch", 1.0, True), ("regions", 0.0, False), ("regions", 0.5, True)),
    ],
)
def test_who_learns_from_codes_of_pictures_needs_what_reads_them(name: str, weight: float, needed: bool) -> None:
    system = stage(name, code_weight=weight)
    assert "encoder" in system.optimizers()
    system.ready[0] = 0
    if not needed:
        assert "encoder" in system.optimizers()
        return
    with pytest.raises(TrainingError, match="is untrained: train that first .--preset faces-64.*--start-from") as said:
        system.optimizers()
    assert f"the stage {name} learns" in str(said.value)
    assert ("--config.code-weight 0" in str(said.value)) == (name != "text")


def batch(count: int = 6) -> Multimodal:
    words = torch.ones(count, 3, dtype=torch.int64)
    image = torch.rand(count, 3, 16, 16) * 2 - 1
    return Multimodal(image, torch.zeros(count, 0), image[:, :1], torch.zeros(count, 16, 16, dtype=torch.int64), words)


def test_learned_shares_go_down_the_slope_of_a_softmax() -> None:
    """d loss / d s_i = p_i (d_i - sum_j p_j d_j): a layer whose texts fit better than the others counts for more."""
    system = stage("text", layer_share="learned", dropout=0.0).train()
    text: Any = system.encoders["text"]
    with torch.no_grad():
        text.share.copy_(torch.linspace(-0.5, 0.5, system.layers))
    given, update = batch(), Update(system.optimizers())
    before, p = text.share.detach().clone(), text.share.detach().softmax(0)
    with torch.no_grad():
        apart = system._read("image", given.image) - system._read("text", given.words)
    each = apart.square().mean((0, 2))
    slope = p * (each - (p * each).sum())
    system.training_step(given, update)
    torch.testing.assert_close(update.losses["similarity"], (p * each).sum())
    moved = text.share.detach() - before  # Adam's first step: as far for each, against the slope
    assert slope.abs().min() > 1e-6
    torch.testing.assert_close(moved, -system.config.text_rate * slope.sign(), rtol=1e-2, atol=1e-6)


def test_shares_that_are_not_learned_stay_alike() -> None:
    system = stage("text").train()
    system.training_step(batch(), Update(system.optimizers()))
    assert (system.encoders["text"].share == 0).all()  # type: ignore[union-attr]


# --- one picture --------------------------------------------------------------------------------------------------


def drawn(system: tedigan.System) -> tuple[Tensor, Tensor]:
    """A picture that G can draw, and another code to start from."""
    with torch.no_grad():
        for weight in system.synthesis.parameters():
            weight.add_(0.3 * torch.randn_like(weight))  # else it draws hardly different pictures
        codes = system.map(torch.randn(2, system.noise_dim))
        return system.synthesis(codes[:1]), codes[1:]


PIXELS = {"steps": 30, "rate": 0.05, "weights": (1.0, 0.0, 0.0)}


def test_only_what_the_mask_shows_is_fitted() -> None:
    system = stage("image").eval()
    image, start = drawn(system)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    other = torch.where(mask > 0, image, torch.rand_like(image) * 2 - 1)
    fitted = system.optimise(image, start, mask=mask, **PIXELS)
    assert torch.equal(fitted, system.optimise(other, start, mask=mask, **PIXELS)), "what is hidden does not count"
    assert not torch.equal(fitted, system.optimise(other, start, **PIXELS)), "without a mask it does"
    with torch.no_grad():
        errors = [pixel(image, system.synthesis(code), mask).item() for code in (start, fitted)]
    assert errors[1] < 0.5 * errors[0]
    hidden = system.optimise(image, start, mask=torch.zeros_like(mask), **PIXELS)
    assert torch.equal(hidden, start), "nothing to be seen, nothing to be fitted"


def test_a_further_loss_is_told_the_pictures_and_followed() -> None:
    system = stage("image").eval()
    image, start = drawn(system)
    seen: list[tuple[int, ...]] = []

    def dark(pictures: Tensor) -> Tensor:
        seen.append(tuple(pictures.shape))
        return pictures.flatten(1).mean(1)

    how = {"steps": 30, "rate": 0.05}
    alone = system.optimise(image, start, weights=(0.0, 0.0, 0.0), told=dark, **how)
    with torch.no_grad():
        assert system.synthesis(alone).mean() < system.synthesis(start).mean() - 0.05
    assert seen == [(1, 3, 16, 16)] * 30
    beside, without = (system.optimise(image, start, told=told, **how) for told in (lambda x: 5 * dark(x), None))
    with torch.no_grad():
        assert system.synthesis(beside).mean() < system.synthesis(without).mean(), "it counts beside Eq. 4"


def test_the_first_loss_is_the_sum_of_all_terms() -> None:
    system = stage("image").eval()
    image, start = drawn(system)
    told: list[float] = []
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8, :] = 1
    anchor = start + 0.5
    system.optimise(
        *(image, start),
        steps=1,
        weights=(1.0, 0.0, 2.0),
        mask=mask,
        anchor=(anchor, 4.0),
        told=lambda pictures: 3 * pictures.square().flatten(1).mean(1),
        each=lambda step, loss: told.append(loss),
    )
    with torch.no_grad():
        again = system.synthesis(start)
        read = 2 * (start - system.encode(again)).square().mean()
        expected = (image - again)[:, :, :8].square().mean() + read + 4 * 0.25 + 3 * again.square().mean()
    assert told == [pytest.approx(expected.item(), rel=1e-5)]
