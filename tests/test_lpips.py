"""LPIPS: layers and keys as torchvision and the lpips package name them, and the distance's own laws."""

import pickle
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from telldraw.errors import WeightsError
from telldraw.metrics.lpips import BACKBONES, LPIPS, from_folder

FILES = {"alex": ("alexnet-owt-7be5be79.pth", "alex.pth"), "vgg": ("vgg16-397923af.pth", "vgg.pth")}
# as `torchvision.models.alexnet().state_dict()` and `vgg16()` print them
ALEXNET = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
VGG_CHANNELS = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256} | {n: 512 for n in (17, 19, 21, 24, 26, 28)}
HEADS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


def classifier(name: str) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(1)
    shapes, before = dict(ALEXNET), 3
    if name == "vgg":
        shapes = {}
        for place, channels in VGG_CHANNELS.items():
            shapes[place], before = (channels, before, 3, 3), channels
    weights = {"classifier.6.bias": torch.zeros(1000)}
    for place, shape in shapes.items():
        fan_in = shape[1] * shape[2] * shape[3]
        weights[f"features.{place}.weight"] = torch.randn(shape, generator=rng) * (2 / fan_in) ** 0.5
        weights[f"features.{place}.bias"] = torch.randn(shape[0], generator=rng) * 0.1
    return weights


def heads(name: str) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(2)
    return {f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1, generator=rng) for i, width in enumerate(HEADS[name])}


@pytest.fixture(params=FILES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def folder(tmp_path: Path, name: str) -> Path:
    torch.save(classifier(name), tmp_path / FILES[name][0])
    torch.save(heads(name), tmp_path / FILES[name][1])
    return tmp_path


def pictures(seed: int, count: int = 2, side: int = 48) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_equal_pictures_are_at_distance_zero_and_others_are_not(folder: Path, name: str) -> None:
    distance = from_folder(folder)
    assert distance.backbone == name
    x, y = pictures(0), pictures(1)
    assert distance(x, x).tolist() == [0.0, 0.0]
    assert bool((distance(x, y) > 0).all())
    torch.testing.assert_close(distance(x, y), distance(y, x))


def test_the_distance_grows_with_the_change(folder: Path) -> None:
    distance, x, y = from_folder(folder), pictures(0), pictures(1)
    steps = torch.stack([distance(x, x + share * (y - x)) for share in (0.1, 0.3, 1.0)])
    assert bool((steps.diff(dim=0) > 0).all())


def test_alexnet_agrees_with_the_formula_written_out(tmp_path: Path) -> None:
    weights, lines = classifier("alex"), heads("alex")
    torch.save(weights, tmp_path / FILES["alex"][0])
    torch.save(lines, tmp_path / FILES["alex"][1])

    def taps(x: Tensor) -> list[Tensor]:
        x = (x - torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)) / torch.tensor([0.458, 0.448, 0.450]).view(
            3, 1, 1
        )
        found = []
        for place, (stride, padding) in {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}.items():
            weight, bias = weights[f"features.{place}.weight"], weights[f"features.{place}.bias"]
            x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            found.append(x)
            x = F.max_pool2d(x, 3, 2) if place in (0, 3) else x
        return found

    x, y = pictures(0), pictures(1)
    expected = torch.zeros(2)
    for i, (a, b) in enumerate(zip(taps(x), taps(y), strict=True)):
        difference = (F.normalize(a, dim=1, eps=1e-10) - F.normalize(b, dim=1, eps=1e-10)) ** 2
        expected += F.conv2d(difference, lines[f"lin{i}.model.1.weight"]).mean((1, 2, 3))
    torch.testing.assert_close(from_folder(tmp_path)(x, y), expected, rtol=1e-4, atol=1e-6)


def test_alexnet_comes_before_vgg(tmp_path: Path) -> None:
    for name, (backbone, lines) in FILES.items():
        torch.save(classifier(name), tmp_path / backbone)
        torch.save(heads(name), tmp_path / lines)
    assert from_folder(tmp_path).backbone == "alex"


def test_nothing_is_trained(folder: Path) -> None:
    distance = from_folder(folder)
    assert not any(weight.requires_grad for weight in distance.parameters())
    drawn = pictures(0).requires_grad_()
    distance(drawn, pictures(1)).sum().backward()  # but it can be a loss
    assert drawn.grad is not None


def test_an_empty_folder_says_which_files_are_needed(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"alexnet-owt-\*\.pth with alex\.pth"):
        from_folder(tmp_path)


def test_a_missing_key_is_named(folder: Path, name: str) -> None:
    weights = classifier(name)
    del weights["features.10.bias"]
    torch.save(weights, folder / FILES[name][0])
    with pytest.raises(WeightsError, match=rf"{FILES[name][0]} has no weights 'features.10.bias'"):
        from_folder(folder)


def test_a_wrong_shape_is_named(folder: Path, name: str) -> None:
    torch.save(heads(name) | {"lin1.model.1.weight": torch.zeros(1, 7, 1, 1)}, folder / FILES[name][1])
    with pytest.raises(WeightsError, match=r"lin1\.model\.1\.weight.*\(1, 7, 1, 1\)"):
        from_folder(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"not weights", pickle.dumps({"features.0.weight": 1}, 2), pickle.dumps([1], 2), pickle.dumps(print, 2)],
    ids=["empty", "text", "numbers", "list", "code"],
)
def test_a_file_that_is_no_state_dict_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / FILES[name][0]).write_bytes(content)
    with pytest.raises(WeightsError, match=FILES[name][0]):
        from_folder(folder)


def test_the_smallest_picture_is_the_smallest(name: str) -> None:
    distance, side = LPIPS(name), BACKBONES[name].smallest
    assert distance(pictures(0, side=side), pictures(1, side=side)).shape == (2,)
    with pytest.raises(ValueError, match=f"at least {side}"):
        distance(pictures(0, side=side - 1), pictures(1, side=side - 1))
    with pytest.raises(ValueError, match="expected"):
        distance(pictures(0), pictures(1, count=3))
