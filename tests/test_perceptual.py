"""Distances to train by: in the maps of a classifier, of VGG-16 with either kind of weights, and LPIPS."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from telldraw import systems, weights
from telldraw.blocks.perceptual import Perceptual, of_maps, unit
from telldraw.commands import perceiving
from telldraw.errors import WeightsError
from telldraw.metrics import lpips
from telldraw.text import PADDING, UNKNOWN, Vocabulary
from test_lpips import FILES, VGG_CHANNELS, classifier, heads, pictures

CLASSIFIER = systems.load("classifier")


@pytest.fixture(scope="module")
def vgg() -> dict[str, Tensor]:
    return {name: tensor for name, tensor in classifier("vgg").items() if name.startswith("features")}


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    system = CLASSIFIER.System(CLASSIFIER.Config(resolution=32, channels=3, widths=(4, 8)))
    weights.save(tmp_path / "judge", system, None, {"name": "judge", "system": "classifier", "resolution": 32})
    return tmp_path / "judge"


def relu4_3(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """VGG-16 written out, from pixels as its weights expect them."""
    for place in VGG_CHANNELS:
        if place > 21:
            break
        x = F.relu(F.conv2d(x, weights[f"features.{place}.weight"], weights[f"features.{place}.bias"], padding=1))
        x = F.max_pool2d(x, 2) if place in (2, 7, 14) else x
    return x


def test_a_distance_is_zero_for_equal_pictures_symmetric_and_for_training(judge: Path) -> None:
    distance = perceiving.load(str(judge))
    assert distance.name == "judge" and distance.least == 4
    x, y = pictures(0, 3).requires_grad_(), pictures(1, 3).requires_grad_()
    found = distance.distance(x, y)
    assert found.shape == (3,) and bool((found > 0).all()) and bool((found < 4).all())
    torch.testing.assert_close(found, distance(y, x))
    assert distance(x, x).tolist() == [0.0, 0.0, 0.0]
    found.sum().backward()
    for each in (x, y):
        assert each.grad is not None and float(each.grad.norm()) > 0
    assert not any(weight.requires_grad for weight in distance.network.parameters())


def test_the_distance_in_maps_is_the_formula_written_out(judge: Path) -> None:
    system: Any = weights.load(judge).system
    x, y = pictures(0), pictures(1)
    expected = torch.zeros(2)
    a, b = x, y
    for halving in (system.body[:2], system.body[2:]):
        a, b = halving(a), halving(b)
        cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
        expected += (2 - 2 * cosine).mean((1, 2)) / 2  # squared distance of unit vectors; two maps
    torch.testing.assert_close(perceiving.load(str(judge))(x, y), expected, rtol=1e-3, atol=1e-5)


def test_maps_are_those_of_each_halving() -> None:
    for name, preset, sides in (("classifier", "faces", (32, 16, 8, 4)), ("detector", "codraw-small", (32, 16, 8))):
        module = systems.load(name)
        config = module.PRESETS[preset]
        system, widths = module.System(config).eval(), getattr(config, "widths", getattr(config, "channels", ()))
        maps = system.maps(pictures(0, side=64))
        assert [tuple(each.shape) for each in maps] == [
            (2, width, s, s) for width, s in zip(widths, sides, strict=True)
        ]
    # the last one is what the head of a classifier reads
    classifier = CLASSIFIER.System(CLASSIFIER.PRESETS["tiny"]).eval()
    grey = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(classifier.maps(grey)[-1].mean((2, 3)), classifier.features(grey))
    torch.testing.assert_close(classifier.maps(grey.expand(-1, 3, -1, -1))[-1], classifier.maps(grey)[-1])


def test_where_features_vanish_the_gradient_is_a_number() -> None:
    x = torch.zeros(1, 4, 2, 2, requires_grad=True)
    unit(x).sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())
    nothing = nn.Conv2d(3, 4, 3)
    nn.init.zeros_(nothing.weight)
    assert nothing.bias is not None
    nn.init.zeros_(nothing.bias)
    image = pictures(0).requires_grad_()
    distance = of_maps("nothing", nothing, lambda pixels: [nothing(pixels)], weight=1)
    distance(image, pictures(1)).sum().backward()
    assert image.grad is not None and float(image.grad.abs().max()) == 0
    # LPIPS likewise: with its first layer dead, all its features are zero
    whole = lpips.LPIPS("alex")
    for layer in whole.features:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    image = pictures(0).requires_grad_()
    whole(image, pictures(1)).sum().backward()
    assert image.grad is not None and bool(image.grad.isfinite().all())


def test_torchvisions_vgg_takes_normalised_rgb(vgg: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(vgg, tmp_path / "vgg16-397923af.pth")
    distance = perceiving.load(f"vgg16:{tmp_path}")
    assert distance.name == "vgg16-torchvision"
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x, y = pictures(0, side=32), pictures(1, side=32)
    a, b = (relu4_3(vgg, ((each + 1) / 2 - mean) / deviation) for each in (x, y))
    torch.testing.assert_close(distance(x, y), (a - b).square().mean((1, 2, 3)))


def test_caffes_vgg_takes_bgr_to_255(vgg: dict[str, Tensor], tmp_path: Path) -> None:
    renamed = {name.replace("features.", "layer"): tensor for name, tensor in vgg.items()}
    torch.save(renamed, tmp_path / "vgg16.pth")
    distance = perceiving.load(f"vgg16:{tmp_path / 'vgg16.pth'}")
    assert (distance.name, distance.weight) == ("vgg16-caffe", 5e-5)
    x, y = pictures(0, side=32), pictures(1, side=32)
    mean = torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    a, b = (relu4_3(vgg, ((each[:, [2, 1, 0]] + 1) * 255 / 2) - mean) for each in (x, y))
    torch.testing.assert_close(distance(x, y), (a - b).square().mean((1, 2, 3)), rtol=1e-4, atol=1e-4)
    # grey pictures are three equal channels
    grey = x[:, :1]
    torch.testing.assert_close(distance(grey, y[:, :1]), distance(grey.repeat(1, 3, 1, 1), y[:, :1].repeat(1, 3, 1, 1)))


def test_whose_weights_they_are_is_found_out_or_said(vgg: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(vgg, tmp_path / "vgg16-00b39a1b.pth")  # torchvision's keys, Caffe's weights: known by its name
    save_file(vgg, tmp_path / "vgg16-mine.safetensors")
    assert perceiving.load(f"vgg16:{tmp_path / 'vgg16-00b39a1b.pth'}").name == "vgg16-caffe"
    assert perceiving.load(f"vgg16:{tmp_path / 'vgg16-mine.safetensors'}").name == "vgg16-torchvision"
    assert perceiving.load(f"vgg16-caffe:{tmp_path / 'vgg16-mine.safetensors'}").name == "vgg16-caffe"


def test_lpips_from_torchs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    torch.save(classifier("alex"), checkpoints / FILES["alex"][0])
    torch.save(heads("alex"), checkpoints / FILES["alex"][1])
    distance = perceiving.load("lpips")
    assert distance.name == "lpips-alex"
    torch.testing.assert_close(
        distance(pictures(0), pictures(1)), lpips.from_folder(checkpoints)(*map(pictures, (0, 1)))
    )


def test_it_is_neither_trained_nor_saved_with_whoever_has_it(judge: Path) -> None:
    system: nn.Module = nn.Linear(1, 1)
    distance = perceiving.load(str(judge))
    system.perceptual = distance  # type: ignore[assignment]
    assert set(system.state_dict()) == {"weight", "bias"}
    assert copy.deepcopy(system).perceptual is distance
    system.train()
    assert not distance.network.training


@pytest.mark.parametrize(
    "given, sentence",
    [
        ("vgg16:missing.pth", "there is no weight file missing.pth"),
        ("vgg16", "no weights of VGG-16 in .*name the file: vgg16:FILE, or name a telldraw classifier"),
        ("lpips", "no weights for LPIPS in .*lpips:FOLDER, or name a telldraw classifier"),
        ("nobody", "no weights named 'nobody'.*vgg16:FILE and lpips:FOLDER can be named"),
        ("vgg16:text.pth", "text.pth cannot be read as weights"),
        ("vgg16:text.safetensors", "text.safetensors cannot be read as weights"),
        ("vgg16:other.pth", "other.pth has no weights 'layer0.weight' or 'features.0.weight'"),
        ("vgg16:half.pth", "half.pth has no weights 'layer5.weight'"),
        ("dcgan", "dcgan holds dcgan, which gives no maps of pictures"),
    ],
)
def test_what_is_missing_gets_one_sentence(
    given: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vgg: dict[str, Tensor]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "nowhere"))
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_text("not weights")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    torch.save({f"layer{n}.{p}": vgg[f"features.{n}.{p}"] for n in (0, 2) for p in ("weight", "bias")}, "half.pth")
    module = systems.load("dcgan")
    words = Vocabulary((PADDING, UNKNOWN))
    weights.save(tmp_path / "dcgan", module.System(module.PRESETS["tiny"]), words, {"name": "d", "system": "dcgan"})
    with pytest.raises(WeightsError, match=sentence) as raised:
        perceiving.load(given)
    assert "\n" not in str(raised.value)


def test_pictures_that_do_not_fit_are_refused(judge: Path) -> None:
    distance: Perceptual = perceiving.load(str(judge))
    with pytest.raises(ValueError, match="two batches"):
        distance(pictures(0), pictures(1, count=3))
    with pytest.raises(ValueError, match="at least 4 pixels"):
        distance(pictures(0, side=3), pictures(1, side=3))
