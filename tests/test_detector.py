"""The detector: sizes, losses in closed form, what it learns, and the published checkpoints' form."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from telldraw import systems
from telldraw.batches import Dialogues, Facts
from telldraw.errors import TrainingError, WeightsError
from telldraw.metrics.detection import SceneScorer, quality
from telldraw.objectives.location import (
    absent_or_at_one_place,
    masked_squared_error,
    weighted_binary_cross_entropy,
)
from telldraw.protocols import Detected
from telldraw.text import PADDING, UNKNOWN, Vocabulary
from telldraw.training.update import Update

detector: Any = systems.load("detector")
CLASSES = ("red", "green", "blue")


def unfilled(preset: str = "inception", **changes: Any) -> Any:
    """A system without numbers in its weights: a large one is made at once."""
    with torch.device("meta"):
        return detector.System(replace(detector.PRESETS[preset], **changes))


def weights_of(preset: str, **changes: Any) -> int:
    return sum(weight.numel() for weight in unfilled(preset, **changes).parameters())


@pytest.mark.parametrize(("classes", "coordinates", "count"), [(58, 3, 26_546_376), (24, 2, 26_473_000)])
def test_inception_has_as_many_weights_as_the_published_one(classes: int, coordinates: int, count: int) -> None:
    assert weights_of("inception", num_objects=classes, coordinates=coordinates) == count


@pytest.mark.parametrize("preset", ["codraw-small", "iclevr-small", "codraw-128-small"])
def test_the_small_ones_are_small(preset: str) -> None:
    assert 3e5 < weights_of(preset) < 3e6


@pytest.mark.parametrize("changes", [{"resolution": 20}, {"channels": (8,)}, {"coordinates": 1}])
def test_sizes_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=f"--config.{next(iter(changes))}"):
        replace(detector.PRESETS["codraw-small"], **changes)


def facts(side: int = 32, **changes: Any) -> Facts:
    background = np.zeros((side, side, 3), np.uint8)
    return Facts("test", "none", side, CLASSES, Vocabulary((PADDING, UNKNOWN)), background, **changes)


def test_the_data_set_decides_classes_coordinates_and_class_weights() -> None:
    small = detector.PRESETS["tiny"]
    flat = detector.build(small, facts())
    assert (flat.config.num_objects, flat.config.coordinates) == (3, 2)
    deep = detector.build(small, facts(axes=("x", "depth"), shares=(0.5, 0.25, 0.125)))
    assert deep.config.coordinates == 3
    torch.testing.assert_close(deep.weight, torch.tensor([1.0, 2.0, 4.0]) / 7)
    with pytest.raises(TrainingError, match="64x64.*looks at 32x32.*--resolution 32"):
        detector.build(small, facts(64))


# --- losses -------------------------------------------------------------------------------------------------------


def test_a_map_of_equal_logits_costs_the_logarithm_of_the_number_of_answers() -> None:
    maps = torch.zeros(1, 2, 3, 5)
    place = torch.tensor([[[2.0, 1.0], [0.0, 0.0]]])
    cost = absent_or_at_one_place(maps, torch.tensor([[1.0, 0.0]]), place)
    torch.testing.assert_close(cost, torch.full((1, 2), math.log(16)))


def test_a_centre_between_cells_is_shared_among_four() -> None:
    maps = torch.randn(1, 1, 4, 4)
    cost = absent_or_at_one_place(maps, torch.ones(1, 1), torch.tensor([[[1.25, 2.5]]]))
    logs = maps.flatten() - maps.flatten().exp().sum().add(1).log()
    shared = 0.375 * (logs[9] + logs[13]) + 0.125 * (logs[10] + logs[14])
    torch.testing.assert_close(cost.squeeze(), -shared)


@settings(deadline=None)
@given(st.floats(-9, 20), st.floats(-9, 20))
def test_what_lies_outside_counts_for_the_border(x: float, y: float) -> None:
    maps = torch.randn(1, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    inside = torch.tensor([[[min(max(x, 0), 3), min(max(y, 0), 2)]]])
    cost = absent_or_at_one_place(maps, torch.ones(1, 1), torch.tensor([[[x, y]]]))
    assert bool(cost.isfinite()) and float(cost) > 0
    torch.testing.assert_close(cost, absent_or_at_one_place(maps, torch.ones(1, 1), inside))


def test_the_released_losses_by_hand() -> None:
    probability = torch.tensor([[0.8, 0.3], [0.5, 0.1]])
    present = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    weight = torch.tensor([0.25, 0.75])
    first = 0.25 * (2 * 0.9 * math.log(0.8) + 0.1 * math.log(0.2)) + 0.75 * math.log(0.7)
    second = 0.25 * math.log(0.5) + 0.75 * (2 * 0.9 * math.log(0.1) + 0.1 * math.log(0.9))
    loss = weighted_binary_cross_entropy(probability, present, weight)
    assert float(loss) == pytest.approx(-(first + second) / 2, rel=1e-5)
    position, target = torch.tensor([[[0.5, 0.5], [9.0, 9.0]]]), torch.tensor([[[0.1, 0.2], [0.0, 0.0]]])
    error = masked_squared_error(position, target, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(error, torch.tensor([[0.25, 0.0]]))


def test_the_weight_of_inceptions_position_error_grows_with_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    system = unfilled(num_objects=2, coordinates=2)
    system.weight = torch.full((2,), 0.5)
    answer = Detected(torch.full((1, 2), 0.5), torch.full((1, 2, 2), 0.5))

    def forward(image: Tensor) -> Detected:
        return Detected(*(part.expand(len(image), *part.shape[1:]) for part in answer))

    monkeypatch.setattr(system.network, "forward", forward)
    found = [
        system.losses(Dialogues(*[torch.zeros(())] * 6)._replace(
            image=torch.zeros(count, 3, 8, 8), objects=torch.ones(count, 2), position=torch.zeros(count, 2, 3)
        ))
        for count in (1, 4)
    ]  # fmt: skip
    assert float(found[0]["position"]) == pytest.approx(1e-4 * 2 * 2 * 0.25)
    assert float(found[1]["position"]) == pytest.approx(4 * float(found[0]["position"]))
    assert float(found[1]["objects"]) == pytest.approx(float(found[0]["objects"]))


def test_the_released_network_trains() -> None:
    torch.manual_seed(0)
    config = replace(detector.PRESETS["inception"], resolution=32, halve_every=0)
    system = detector.build(config, facts(shares=(0.5, 0.25, 0.25)))
    update = Update(system.optimizers())
    system.train().training_step(squares(2), update)
    assert set(update.losses) == {"objects", "position"}
    assert all(bool(value.isfinite()) for value in update.losses.values())
    assert all(bool(weight.isfinite().all()) for weight in system.parameters())


# --- what maps say ------------------------------------------------------------------------------------------------


def test_a_peak_is_read_where_it_is_in_the_pictures_coordinates() -> None:
    network = detector.System(replace(detector.PRESETS["tiny"], num_objects=1, coordinates=3)).network
    maps, depth = torch.full((1, 1, 18, 18), -50.0), torch.rand(1, 1, 18, 18)
    maps[0, 0, 3, 7], maps[0, 0, 3, 8] = 5.0, 5.0
    position = network.read(maps, depth)[0, 0]
    torch.testing.assert_close(position, torch.tensor([7 / 16, 2.5 / 16, float(depth[0, 0, 3, 7:9].mean())]))
    torch.testing.assert_close(network.cells(position.view(1, 1, 3), 18)[0, 0], torch.tensor([7.5, 3.0]))


def test_mirroring_takes_the_labels_along() -> None:
    system = detector.System(
        replace(detector.PRESETS["tiny"], num_objects=3, mirror=1.0, noise=0.0, blur=0.0, tint=0.0)
    )
    batch = squares(4)
    image, _, position = system._varied(batch)
    assert torch.equal(image, batch.image.flip(3))
    torch.testing.assert_close(position[..., 0], 1 - batch.position[..., 0])
    assert torch.equal(position[..., 1:], batch.position[..., 1:])


def test_a_tint_changes_each_channel_of_each_picture_alike_everywhere() -> None:
    config = replace(detector.PRESETS["tiny"], num_objects=3, mirror=0.0, noise=0.0, blur=0.0, tint=0.2)
    batch = squares(8)
    image, objects, position = detector.System(config)._varied(batch._replace(image=torch.full((8, 3, 32, 32), 0.25)))
    assert torch.equal(objects, batch.objects) and torch.equal(position, batch.position)
    levels = image.flatten(2)
    assert bool((levels == levels[..., :1]).all()) and len(levels[..., 0].unique()) == 24
    assert bool(((levels - 0.25).abs() <= 0.2 * 1.25 + 1e-6).all())


def test_without_variation_a_batch_stays_as_it_is() -> None:
    system, batch = unfilled(num_objects=3), squares(2)
    assert all(torch.equal(a, b) for a, b in zip(system._varied(batch), (batch.image, batch.objects, batch.position)))  # noqa: B905


def squares(count: int, seed: int = 0) -> Dialogues:
    """Pictures of 32x32 with up to three squares of 6x6, one of each colour, on black."""
    rng = np.random.default_rng(seed)
    image = np.full((count, 3, 32, 32), -1.0, np.float32)
    objects = rng.integers(0, 2, (count, 3))
    position = np.zeros((count, 3, 3), np.float32)
    for row, index in zip(*objects.nonzero(), strict=True):
        x, y = rng.integers(0, 27, 2)
        image[row, :, y : y + 6, x : x + 6] = -1
        image[row, index, y : y + 6, x : x + 6] = 1
        position[row, index] = (x + 3) / 32, (y + 3) / 32, 0.5
    hidden = [  # a square under a later one may be gone
        (row, index) for row, index in zip(*objects.nonzero(), strict=True) if (image[row, index] > 0).sum() < 12
    ]
    for row, index in hidden:
        objects[row, index] = 0
    return Dialogues(
        background=torch.full((3, 32, 32), -1.0),
        image=torch.from_numpy(image),
        instruction=torch.ones(count, 1, dtype=torch.long),
        objects=torch.from_numpy(objects).float(),
        position=torch.from_numpy(position),
        turns=torch.ones(count, dtype=torch.long),
    )


def test_it_learns_to_name_and_to_locate_squares() -> None:
    torch.manual_seed(0)
    config = replace(detector.PRESETS["tiny"], mirror=0.0, noise=0.05, blur=0.0, tint=0.0, rate=1e-2)
    system = detector.build(config, facts(axes=("x", "depth")))
    update = Update(system.optimizers())
    system.train()
    for step in range(100):
        system.training_step(squares(32, step), update)
        update.step += 1
    system.eval()
    batch = squares(64, 1000)
    with torch.no_grad():
        found = system.detect(batch.image)
        scores = SceneScorer(system, ("x", "y"))(batch.image, batch.image, batch.objects, batch.position)
    measured = quality(found.probability > 0.5, found.position, batch.objects > 0, batch.position, CLASSES)
    assert min(measured.classes[name] for name in CLASSES) > 0.9 and measured.distance < 0.05
    assert measured.f1_samples < 0.95, "a picture without objects scores 0, as in scikit-learn"
    assert measured.depth is not None and measured.depth < 0.1
    some = batch.objects.sum(1) > 0
    assert float(scores["relations_labels"][some].mean()) > 0.85
    assert bool((scores["object_f1"][(found.probability > 0.5).any(1)] == 1).all()), "a picture agrees with itself"


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    torch.manual_seed(0)
    system = detector.System(replace(detector.PRESETS["tiny"], num_objects=3)).eval()
    images = torch.rand(4, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        together, alone = system.detect(images), system.detect(images[2:3])
    for part, one in zip(together, alone, strict=True):
        torch.testing.assert_close(part[2:3], one, rtol=1e-4, atol=1e-5)


def test_the_step_size_halves_and_the_state_remembers_where_it_began() -> None:
    system = detector.System(replace(detector.PRESETS["tiny"], num_objects=3, halve_every=2, rate=0.08))
    update, rates = Update(system.optimizers()), []
    for _ in range(5):
        system.training_step(squares(4), update)
        rates.append(update.optimizers["detector"].param_groups[0]["lr"])
        update.step += 1
    assert rates == [0.08, 0.08, 0.04, 0.04, 0.02]
    again = Update(system.optimizers())
    again.optimizers["detector"].load_state_dict(update.optimizers["detector"].state_dict())
    again.rate("detector", 0.5)
    assert again.optimizers["detector"].param_groups[0]["lr"] == 0.04


# --- the authors' checkpoints -------------------------------------------------------------------------------------


def filled(name: str, value: Tensor, rng: torch.Generator) -> Tensor:
    """Numbers for a weight of the shape of `value`, such that nothing vanishes or explodes on the way."""
    if name.endswith(("running_var", "bn.weight")):
        return torch.ones(value.shape)
    fan_in = value[0].numel() if value.dim() > 1 else 100
    return torch.randn(value.shape, generator=rng) * math.sqrt(2 / fan_in)


@pytest.fixture(scope="module")
def authors() -> dict[str, Any]:
    """What is in a file of GeNeVA's: a DataParallel state dict, and a best F1 that is a NumPy number."""
    rng = torch.Generator().manual_seed(1)
    state = {
        f"module.{name}": filled(name, value, rng)
        for name, value in unfilled(num_objects=4, coordinates=2).network.state_dict().items()
        if not name.endswith("num_batches_tracked")  # saved before PyTorch counted them
    }
    checkpoint = {"epoch": 7, "state_dict": state, "best_f1": np.float64(0.97), "cuda_enabled": True}
    return checkpoint | {"num_classes": 4, "pretrained": False}


def test_a_published_checkpoint_is_read_whole(tmp_path: Path, authors: dict[str, Any]) -> None:
    path = tmp_path / "clevr_inception_best_checkpoint.pth"
    torch.save(authors, path)
    read = detector.from_published(path)
    assert (read.config.num_objects, read.config.coordinates, read.training) == (4, 2, False)
    found = read.network.state_dict()
    assert all(torch.equal(found[name.removeprefix("module.")], value) for name, value in authors["state_dict"].items())
    assert all(name in authors["state_dict"] for name in KNOWN)
    with torch.no_grad():
        answer = read.detect(torch.rand(1, 3, 64, 64) * 2 - 1)
    assert answer.probability.shape == (1, 4) and answer.position.shape == (1, 4, 2)
    assert bool(((answer.probability >= 0) & (answer.probability <= 1)).all()) and bool(
        answer.position.isfinite().all()
    )


KNOWN = (
    "module.inception3.Conv2d_1a_3x3.conv.weight",
    "module.inception3.Mixed_5b.branch5x5_2.bn.running_mean",
    "module.inception3.Mixed_6a.branch3x3dbl_3.conv.weight",
    "module.inception3.Mixed_6e.branch7x7dbl_5.bn.weight",
    "module.inception3.AuxLogits.conv1.conv.weight",
    "module.inception3.Mixed_7a.branch7x7x3_4.conv.weight",
    "module.inception3.Mixed_7c.branch3x3dbl_3b.bn.bias",
    "module.inception3.fc.weight",
    "module.detector.0.weight",
    "module.detector.1.bias",
    "module.localizer.1.weight",
)
"""Names in the authors' files, from their public code and torchvision's."""


class Trap:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("code from the file was run",))


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    def change(file: dict[str, Any]) -> Any:
        return file | {"state_dict": {k: v for k, v in file["state_dict"].items() if k != f"module.{name}"}}

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (without("detector.1.bias"), "has no 'detector.1.bias'.*GeNeVA"),
        (without("inception3.Mixed_7c.branch1x1.conv.weight"), "lacks 'inception3.Mixed_7c.branch1x1.conv.weight'"),
        (lambda c: c | {"state_dict": c["state_dict"] | {"module.more": torch.ones(1)}}, "unknown 'more'"),
        (lambda c: [1, 2], "holds no state dict"),
        (lambda c: c | {"trap": Trap()}, "cannot be read as weights"),
        (lambda c: c["state_dict"] | {"module.inception3.fc.weight": torch.ones(2, 2)}, "does not fit.*size mismatch"),
    ],
    ids=["no classes", "incomplete", "more", "a list", "code", "other sizes"],
)
def test_what_is_no_published_checkpoint_is_a_sentence(
    tmp_path: Path, authors: dict[str, Any], change: Any, match: str
) -> None:
    torch.save(change(authors), tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=match):
        detector.from_published(tmp_path / "x.pth")


def test_a_missing_or_damaged_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        detector.from_published(tmp_path / "nothing.pth")
    (tmp_path / "damaged.pth").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        detector.from_published(tmp_path / "damaged.pth")
