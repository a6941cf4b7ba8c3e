"""The FID's network: layers and names of the public weight file, its numbers, and what is said when it is not there.

The expected numbers were computed by torch-fidelity 0.4's feature extractor, in float32, with the weights of
`patterned`, which need no file.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from telldraw import pixels
from telldraw.blocks.inception import SMALLEST, Trunk
from telldraw.errors import WeightsError
from telldraw.metrics import inception
from telldraw.metrics.inception import Inception, find, load, resize

NAMES = "bd04e829988dd22dd0bbf9e499a87af311ed57c1b4309a9d20a907d8ed4123d4"
"""SHA-256 of the public state dict's names and shapes, a line each, sorted, without `num_batches_tracked`."""


def noise(count: int, seed: int) -> np.ndarray:
    """Numbers in [-1, 1) that any library can make."""
    values = np.sin(np.arange(count) * 12.9898 + seed * 78.233) * 43758.5453
    return (values - np.floor(values)) * 2 - 1


def patterned(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Weights by the names of the public file, by a formula."""
    weights = {}
    for seed, (name, shape) in enumerate(sorted(shapes.items())):
        values = noise(int(np.prod(shape)), seed)
        if name.endswith(("running_var", "bn.weight")):
            values = 1 + values / 4
        elif len(shape) > 1:
            values = values * (6 / np.prod(shape[1:])) ** 0.5
        else:
            values = values / 10
        weights[name] = torch.from_numpy(values.reshape(shape)).float()
    return weights


def picture(height: int, width: int) -> Tensor:
    """uint8 [1, 3, height, width]: smooth waves with some grain."""
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    waves = torch.stack([torch.sin(6 * x + 3 * y), torch.cos(5 * y), torch.sin(9 * x * y)])
    grain = torch.from_numpy(noise(3 * height * width, 5).reshape(3, height, width)).float()
    return (128 + 90 * waves + 30 * grain).to(torch.uint8).unsqueeze(0)


def shapes(network: Inception) -> dict[str, tuple[int, ...]]:
    return {
        name.removeprefix("trunk."): tuple(value.shape)
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return patterned(shapes(Inception()))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Tensor]) -> Path:
    """A file as the public one is, with other weights."""
    path = tmp_path_factory.mktemp("checkpoints") / inception.FILES[0]
    torch.save(weights, path)
    return path


@pytest.fixture
def network(file: Path, monkeypatch: pytest.MonkeyPatch) -> Inception:
    with monkeypatch.context() as patch:
        patch.setattr(inception, "CHECKSUM", hashlib.sha256(file.read_bytes()).hexdigest()[:8])
        return load(file)


def test_layers_have_the_names_shapes_and_number_of_the_public_file() -> None:
    network = Inception()
    lines = "\n".join(f"{name} {list(shape)}" for name, shape in sorted(shapes(network).items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == NAMES
    assert sum(weight.numel() for weight in network.parameters()) == 23_850_960


EXPECTED: dict[tuple[int, int], tuple[float, ...]] = {
    (64, 64): (0.842196, 1.13275, 0.852956, 0.718302, 0.533411, 2.00816, -0.751483, -1.73469, 4.23228),
    (128, 96): (0.862679, 1.16049, 0.870136, 0.730443, 0.537425, 2.05688, -0.75449, -1.77316, 4.33092),
    (320, 320): (0.87132, 1.1725, 0.904393, 0.731648, 0.528339, 2.07818, -0.739619, -1.78966, 4.37737),
}
"""Height and width -> features: mean, std, numbers 0, 900, 2046; logits: std, numbers 0, 500, 1007."""


@pytest.mark.parametrize("size", EXPECTED, ids=str)
def test_features_and_logits_are_those_of_the_public_network(network: Inception, size: tuple[int, int]) -> None:
    features = network.features(pixels.to_float(picture(*size)))
    logits = network.logits(features)
    assert features.shape == (1, 2048) and logits.shape == (1, 1008)
    found = [float(v) for v in (features.mean(), features.std(), *features[0, [0, 900, 2046]])]
    found += [float(v) for v in (logits.std(), *logits[0, [0, 500, 1007]])]
    assert found == pytest.approx(EXPECTED[size], rel=2e-5)


def test_what_is_loaded_is_frozen_named_and_the_same_every_time(network: Inception, file: Path) -> None:
    assert not network.training and not any(weight.requires_grad for weight in network.parameters())
    assert network.checksum == hashlib.sha256(file.read_bytes()).hexdigest()
    images = pixels.to_float(torch.cat([picture(32, 32), picture(32, 32).flip(3)]))
    together = network.features(images)
    assert torch.equal(together, network.features(images))
    torch.testing.assert_close(together[:1], network.features(images[:1]), rtol=1e-4, atol=1e-5)


def test_pictures_are_seen_as_they_would_be_saved(network: Inception) -> None:
    images = pixels.to_float(picture(32, 32))
    assert torch.equal(network.features(images), network.features(images + 0.4 / 255))
    assert torch.equal(network.features(images * 0 + 1), network.features(images * 0 + 3))


def test_the_trunk_takes_small_pictures_and_halves_as_the_paper_says() -> None:
    trunk = Trunk().eval()
    with torch.no_grad():
        assert trunk(torch.zeros(1, 3, SMALLEST, SMALLEST)).shape == (1, 2048, 1, 1)
        assert trunk(torch.zeros(1, 3, 139, 107)).shape == (1, 2048, 3, 2)


# --- resizing -----------------------------------------------------------------------------------------------------


def test_resizing_to_the_same_size_changes_nothing() -> None:
    image = torch.rand(2, 3, 17, 23, dtype=torch.float64).float()
    assert torch.equal(resize(image[:, :, :, :17], 17), image[:, :, :, :17])


def test_resizing_has_the_old_grid_of_tensorflow() -> None:
    """Twice the size: every other place is a pixel itself; the last lies beyond the last pixel and repeats it."""
    image = torch.tensor([[0.0, 4.0], [8.0, 12.0]]).view(1, 1, 2, 2)
    expected = torch.tensor([[0, 2, 4, 4], [4, 6, 8, 8], [8, 10, 12, 12], [8, 10, 12, 12]]).float()
    torch.testing.assert_close(resize(image, 4)[0, 0], expected)


def test_resizing_agrees_with_its_formula_written_out() -> None:
    image = torch.from_numpy(noise(3 * 20 * 31, 1).reshape(1, 3, 20, 31)).float()
    found = resize(image, 13)[0]
    for i, j in ((0, 0), (3, 12), (7, 5), (12, 12)):
        y, x = i * 20 / 13, j * 31 / 13
        top, left = int(y), int(x)
        below, right = min(top + 1, 19), min(left + 1, 30)
        upper = image[0, :, top, left] * (1 - x + left) + image[0, :, top, right] * (x - left)
        lower = image[0, :, below, left] * (1 - x + left) + image[0, :, below, right] * (x - left)
        torch.testing.assert_close(found[:, i, j], upper * (1 - y + top) + lower * (y - top), rtol=1e-4, atol=1e-5)


def test_a_constant_stays_constant_at_any_size() -> None:
    torch.testing.assert_close(resize(torch.full((1, 3, 7, 1), 5.0), 299), torch.full((1, 3, 299, 299), 5.0))


# --- the file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", inception.FILES)
def test_the_file_is_found_in_torchs_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / name
    with pytest.raises(WeightsError) as error:
        find()
    assert "pt_inception-2015-12-05-6726825d.pth" in str(error.value) and "https://github.com/" in str(error.value)
    assert str(place.parent) in str(error.value)
    place.parent.mkdir(parents=True)
    place.touch()
    assert find() == find(place) == find(place.parent) == place


def test_a_path_that_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nothing\.pth; the FID needs pt_inception"):
        find(tmp_path / "nothing.pth")
    with pytest.raises(WeightsError, match="pt_inception"):
        find(tmp_path)


def test_other_weights_are_refused_by_their_checksum(file: Path) -> None:
    with pytest.raises(WeightsError, match=r"not the FID's network .* not 6726825d\); get it from https"):
        load(file)


def with_its_checksum(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(inception, "CHECKSUM", hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    return path


def test_a_file_that_holds_something_else_is_refused(
    tmp_path: Path, weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights at all")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        load(with_its_checksum(path, monkeypatch))
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds a list"):
        load(with_its_checksum(path, monkeypatch))
    torch.save({name: value for name, value in weights.items() if name != "fc.bias"}, path)
    with pytest.raises(WeightsError, match=r"no weights 'fc\.bias'"):
        load(with_its_checksum(path, monkeypatch))
    torch.save(weights | {"fc.bias": torch.zeros(1000)}, path)
    with pytest.raises(WeightsError, match=r"shape \(1000,\), not \(1008,\)"):
        load(with_its_checksum(path, monkeypatch))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code of a weight file was run",)


def test_nothing_in_the_file_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"fc.bias": Evil()}, path)
    with pytest.raises(WeightsError, match="cannot be read"):
        load(with_its_checksum(path, monkeypatch))
    assert capsys.readouterr().out == ""
