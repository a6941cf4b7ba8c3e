"""The tagging GAN: its networks as in the paper, its schedule, that it learns, and its commands."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from telldraw import cli, weights
from telldraw.batches import PictureFacts, TagFacts, Tags
from telldraw.data import codraw_tags
from telldraw.data.collection import Collection
from telldraw.data.tagged import Look
from telldraw.errors import TrainingError
from telldraw.metrics import tagging
from telldraw.systems import tagger
from telldraw.training.update import Update

WORDS = ("sun", "moon", "tree", "boat")


def facts(vectors: np.ndarray, features: np.ndarray) -> TagFacts:
    pictures = PictureFacts("test", "none", 16, 3, WORDS[: len(vectors)], many=True)
    return TagFacts(pictures, vectors.astype(np.float32), features.mean(0), features.std(0))


def random_facts(dim: int = 6, words: int = 4) -> TagFacts:
    random = np.random.default_rng(0)
    return facts(random.normal(size=(words, 5)), random.normal(3, 2, (50, dim)).astype(np.float32))


def weights_of(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_the_papers_networks_have_the_papers_weights() -> None:
    random = np.random.default_rng(0)
    config = tagger.PRESETS["paper"]
    known = facts(random.normal(size=(4, 200)), random.normal(size=(3, 4096)).astype(np.float32))
    system = tagger.build(config, known)
    generator = (100 * 500 + 500) + (4096 * 2000 + 2000) + (2500 * 200 + 200)
    discriminator = (200 * 500 + 500) + (4096 * 1200 + 1200) + (1700 * 3000 + 3000) + (1000 + 1)
    assert weights_of(system.generator) == generator
    assert weights_of(system.discriminator) == discriminator
    dropped = {module.p for module in system.modules() if isinstance(module, nn.Dropout)}
    assert dropped == {0.5} and config.noise_dim == 100 and config.penalty == 0 and config.hidden == 0


def test_the_papers_generator_moves_all_pictures_words_alike() -> None:
    """Picture and noise meet in a sum: what noise changes is the same for every picture. `hidden` undoes it."""
    noise, x = torch.randn(2, 100), torch.randn(2, 6)
    for preset, alike in (("paper", True), ("small", False)):
        system = tagger.build(tagger.PRESETS[preset], random_facts()).eval()
        with torch.no_grad():
            moved = [
                system.tag(x[row : row + 1], noise[:1]) - system.tag(x[row : row + 1], noise[1:]) for row in (0, 1)
            ]
        assert torch.allclose(moved[0], moved[1], atol=1e-5) == alike


def test_features_are_standardised_and_one_that_never_changes_is_left_alone() -> None:
    features = np.array([[1, 5, 7], [3, 9, 7]], np.float32)
    system = tagger.build(tagger.PRESETS["tiny"], facts(np.eye(4), features))
    expected = torch.tensor([[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]])
    torch.testing.assert_close(system.standardised(torch.from_numpy(features)), expected)


def test_words_are_drawn_in_the_units_of_the_vectors() -> None:
    known = random_facts()
    system = tagger.build(tagger.PRESETS["tiny"], replace(known, vectors=known.vectors * 100)).eval()
    assert system.scale.item() == pytest.approx(100 * math.sqrt((known.vectors**2).mean()), rel=1e-5)
    x, z = torch.randn(3, 6), torch.randn(3, 8)
    with torch.no_grad():
        plain = system.generator(z, system.standardised(x))
        torch.testing.assert_close(system.tag(x, z), plain * system.scale)


def test_vectors_that_are_all_zero_are_refused() -> None:
    with pytest.raises(TrainingError, match="--vectors"):
        tagger.build(tagger.PRESETS["tiny"], facts(np.zeros((3, 5)), np.ones((2, 3), np.float32)))


@pytest.mark.parametrize("change", [{"joint_units": 0}, {"noise_dim": 0}, {"generator_dropout": 1.0}])
def test_a_setting_out_of_range_is_refused_by_its_flag(change: dict) -> None:
    with pytest.raises(TrainingError, match=f"--config.{next(iter(change)).replace('_', '-')}"):
        replace(tagger.PRESETS["tiny"], **change)


def test_the_papers_schedule_of_step_size_and_momentum() -> None:
    small = {"noise_units": 4, "feature_units": 4, "word_units": 4, "picture_units": 4, "joint_units": 4}
    system = tagger.build(replace(tagger.PRESETS["paper"], **small), random_facts())
    update = Update(system.optimizers())
    batch = Tags(torch.randn(4, 6), torch.randn(4, 5), torch.randn(4, 5), torch.randn(4, 6))
    for step, momentum in ((0, 0.5), (62_500, 0.6), (125_000, 0.7), (400_000, 0.7)):
        update.step = step
        system.training_step(batch, update)
        for optimizer in update.optimizers.values():
            group = optimizer.param_groups[0]
            assert group["lr"] == pytest.approx(max(0.1 / 1.00004**step, 1e-6))
            assert group["momentum"] == pytest.approx(momentum)


def test_it_learns_which_words_go_with_which_pictures() -> None:
    """Two kinds of picture, two words each, well apart: samples fall on the two right words, and on both."""
    torch.manual_seed(0)
    vectors = torch.tensor([[1.0, 1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 1], [0, 0, 1, -1]])
    kinds = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    config = replace(tagger.PRESETS["tiny"], hidden=32)
    system = tagger.build(config, facts(vectors.numpy(), kinds.repeat(20, 1).numpy()))
    update = Update(system.optimizers())
    system.train()
    for _ in range(400):
        kind = torch.randint(2, (64,))
        which = torch.randint(2, (64,))
        words, seconds = vectors[2 * kind + which], vectors[2 * kind + 1 - which]
        system.training_step(Tags(kinds[kind], words, seconds, kinds[1 - kind]), update)
        update.step += 1
    found = tagging.propose(system.eval(), kinds, seed=0, words=1, tags=2)
    assert [set(row) for row in found.tags.tolist()] == [{0, 1}, {2, 3}]
    assert float(found.share.min()) > 0.25


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small network with features."""
    from telldraw.systems import classifier

    torch.manual_seed(0)
    known = PictureFacts("test", "none", 16, 3, ("a", "b"))
    system = classifier.build(classifier.PRESETS["tiny"], known).eval()
    folder = tmp_path_factory.mktemp("network") / "eyes"
    weights.save(folder, system, None, {"system": "classifier", "name": "eyes", "resolution": 16})
    return folder


@pytest.fixture(scope="module")
def run(network: Path, codraw_like: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tagger trained for a moment by the commands, and the data set, prepared by them."""
    root = tmp_path_factory.mktemp("run")
    vectors, data, out = root / "v.txt", root / "tags.telldraw", root / "run"
    random = np.random.default_rng(0)
    lines = [
        f"{word} {' '.join(f'{n:.3f}' for n in random.normal(size=7))}" for word in "sun cloud tree boy girl".split()
    ]
    vectors.write_text("\n".join(lines) + "\n")
    prepare = f"prepare codraw-tags --from {codraw_like} --detector {network} --vectors {vectors} --out {data}"
    assert cli.main([*prepare.split(), "--minimum-count", "2", "--workers", "1"]) == 0
    train = f"train tagger --data {data} --preset tiny --examples 320 --device cpu --out {out}"
    assert cli.main(train.split()) == 0
    return out, data


def test_a_run_leaves_words_vectors_and_the_network_beside_its_weights(run: tuple[Path, Path], network: Path) -> None:
    folder, collection = run[0] / "weights", Collection.open(run[1])
    card = weights.card(folder)
    assert card["classes"] == list(collection.classes) and card["features"]["network"] == "eyes"
    assert (folder / "network" / "model.safetensors").read_bytes() == (network / "model.safetensors").read_bytes()
    system = weights.load(folder).system
    assert isinstance(system.vectors, torch.Tensor) and not hasattr(system, "discriminator")
    expected = torch.from_numpy(collection.tag_facts.vectors)
    torch.testing.assert_close(system.vectors, expected, rtol=1e-2, atol=1e-2)  # bfloat16
    assert list((run[0] / "sheets").glob("*.png"))


def test_a_picture_is_tagged_from_the_weights_alone(
    run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = Collection.open(run[1])
    picture, alone = tmp_path / "p.png", tmp_path / "tagger"
    Image.fromarray(collection.images[0].transpose(1, 2, 0)).save(picture)
    assert cli.main(["export", str(run[0]), "--out", str(alone)]) == 0
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert cli.main(["tag", str(picture), "--weights", "tagger", "--words", "3"]) == 0
    told = capsys.readouterr().out.strip()
    pairs = [part.rsplit(" ", 1) for part in told.split(", ")]
    assert 1 <= len(pairs) <= 3 and {word for word, _ in pairs} <= set(collection.classes)
    shares = [int(share.removesuffix("%")) for _, share in pairs]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 101
    # the features that were prepared, of the same picture, give the same words
    np.save(tmp_path / "f.npy", collection.tag_facts.pictures and np.stack([collection.features[0]]))  # type: ignore[index]
    assert cli.main(["tag", "--features", "f.npy", "--weights", "tagger", "--words", "3"]) == 0
    assert capsys.readouterr().out.strip() == told


def test_a_run_is_measured_beside_what_is_as_easily_guessed(
    run: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", str(run[0]), "--data", str(run[1]), "--split", "val"]) == 0
    import json

    report = json.loads((run[0] / "evaluation-val" / "evaluation.json").read_text())
    figures = report["figures"]
    for name in (
        "tagger, 20 nearest",
        "tagger, 1 nearest",
        "random words",
        "most frequent words",
        "nearest pictures",
        "linear map to words",
        "linear classifier",
        "people's own words, 1 nearest",
    ):
        assert 0 <= figures[name]["value"] <= figures["best possible"]["value"], name
        assert figures[name]["error"] >= 0
    assert "most frequent words" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", "one of the two"),
        ("p.png --features f.npy", "one of the two"),
        ("no.png", "there is no picture"),
        (".png", "is a folder"),
        ("p.png --nearest 0", "--nearest 0"),
        ("p.png --samples 100000000", "--samples 100000000: 1 to 10,000"),
        ("wide.png", "has 40x16 pixels, eyes takes 16x16; give --resize"),
        ("grey.png", "is in grey, eyes takes pictures in colour"),
        ("--features wrong.npy", "numbers [N, "),
        ("--features none.npy", "has no row"),
        ("--features nan.npy", "not all are finite numbers"),
        ("--features no.npy", "cannot be read: no such file"),
    ],
)
def test_tag_says_what_is_wrong(
    run: tuple[Path, Path], tmp_path: Path, flags: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    size = len(weights.load(run[0] / "weights").system.mean)  # type: ignore[arg-type]
    np.save(tmp_path / "wrong.npy", np.zeros((1, 3)))
    np.save(tmp_path / "none.npy", np.zeros((0, size)))
    np.save(tmp_path / "nan.npy", np.full((3, size), np.nan))
    Image.new("RGB", (40, 16)).save(tmp_path / "wide.png")
    Image.new("L", (16, 16)).save(tmp_path / "grey.png")
    (tmp_path / ".png").mkdir()
    words = [str(tmp_path / word) if word.endswith((".npy", ".png")) else word for word in flags.split()]
    capsys.readouterr()
    assert cli.main(["tag", *words, "--weights", str(run[0])]) == 2
    error = capsys.readouterr().err
    assert said in error and "Errno" not in error and error.count("\n") == 1


def test_a_picture_of_another_size_is_squashed_when_asked(
    run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 16), (90, 20, 200)).save(tmp_path / "wide.png")
    Image.new("RGB", (16, 16), (90, 20, 200)).save(tmp_path / "p.png")
    told = []
    for words in (["wide.png", "--resize"], ["p.png"]):
        capsys.readouterr()
        assert cli.main(["tag", str(tmp_path / words[0]), *words[1:], "--weights", str(run[0])]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]


def test_weights_of_another_system_find_no_words(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tag", "p.png", "--weights", str(network)]) == 2
    assert "a tagger is needed" in capsys.readouterr().err


def test_weights_without_their_network_ask_for_features(
    codraw_like: Path, run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = run[1].parent / "v.txt"
    look = Look(lambda images: images.mean((2, 3)).astype(np.float32), 16, None, {"file": "f.npy"})
    codraw_tags.prepare(codraw_like, tmp_path / "t.telldraw", look, vectors=vectors, minimum=2)
    train = f"train tagger --data {tmp_path / 't.telldraw'} --preset tiny --examples 32 --out {tmp_path / 'run'}"
    assert cli.main(train.split()) == 0
    capsys.readouterr()
    assert cli.main(["tag", "p.png", "--weights", str(tmp_path / "run")]) == 2
    assert "--features" in capsys.readouterr().err


def test_dialogues_are_no_tags(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "tagger", "--data", str(prepared), "--out", str(tmp_path / "run")]) == 2
    assert "holds dialogues" in capsys.readouterr().err
