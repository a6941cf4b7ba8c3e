"""Weights folders: what goes in comes out, and what is wrong with one is said in a sentence."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from telldraw import pixels, systems, weights
from telldraw.batches import Facts
from telldraw.errors import WeightsError
from telldraw.text import PADDING, TELLER, UNKNOWN, Vocabulary

WORDS = Vocabulary((PADDING, UNKNOWN, TELLER, *"a red blue cube tree on the left right \u00e9cole".split()))
CARD = {"system": "geneva", "name": "geneva-tiny", "licence": "CC BY-NC 4.0", "classes": ["cube", "\u6728"]}
NOISE = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 16), dtype=np.float32))


def system(seed: int = 0) -> Any:
    """A tiny drawer none of whose layers is the identity."""
    geneva = systems.load("geneva")
    torch.manual_seed(seed)
    background = np.full((32, 32, 3), 200, np.uint8)
    made = geneva.build(geneva.PRESETS["tiny"], Facts("test", "none", 32, tuple(CARD["classes"]), WORDS, background))
    with torch.no_grad():
        for name, value in made.state_dict().items():
            if value.is_floating_point() and name != "background":
                value.add_(0.1 * torch.rand_like(value))
    return made.eval()


def picture(drawer: Any) -> Tensor:
    with torch.no_grad():
        return drawer.turn(drawer.start(), torch.tensor([[2, 3, 4, 6]]), NOISE).canvas


@pytest.fixture(scope="module")
def original() -> Any:
    return system()


@pytest.fixture
def folder(tmp_path: Path, original: Any) -> Path:
    weights.save(tmp_path / "tiny", original, WORDS, CARD)
    return tmp_path / "tiny"


# --- there and back -----------------------------------------------------------------------------------------------


def test_float32_goes_round_exactly(folder: Path, original: Any) -> None:
    loaded = weights.load(folder)
    kept = {k: v for k, v in original.state_dict().items() if not k.startswith("discriminator.")}
    found = loaded.system.state_dict()
    assert found.keys() == kept.keys()
    assert all(torch.equal(found[name], kept[name]) and found[name].dtype == kept[name].dtype for name in kept)
    assert torch.equal(picture(loaded.system), picture(original))
    assert loaded.vocabulary == WORDS
    assert loaded.name == "geneva-tiny"
    assert {key: loaded.card[key] for key in CARD} == CARD
    assert loaded.system.config == original.config
    assert not loaded.system.training


@pytest.mark.parametrize(("dtype", "rounding"), [("bfloat16", 2**-8), ("float16", 2**-11)])
def test_half_precision_goes_round_within_rounding(tmp_path: Path, original: Any, dtype: str, rounding: float) -> None:
    weights.save(tmp_path / "half", original, WORDS, CARD, dtype=dtype)
    loaded = weights.load(tmp_path / "half")
    before, after = original.state_dict(), loaded.system.state_dict()
    exact = True
    for name, value in after.items():
        assert value.dtype == before[name].dtype, "read as float32 whatever is stored"
        torch.testing.assert_close(value, before[name], rtol=rounding, atol=1e-7)
        exact = exact and torch.equal(value, before[name])
    assert not exact
    torch.testing.assert_close(picture(loaded.system), picture(original), rtol=0, atol=0.1)
    canvas = loaded.system.start().canvas  # type: ignore[operator]
    assert bool((pixels.to_uint8(canvas) == 200).all()), "the empty canvas is exact in 8 bits"


def test_the_critic_stays_at_home(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    assert stored and not any(name.startswith("discriminator") for name in stored)
    assert not hasattr(weights.load(folder).system, "discriminator")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("README.md", "config.json", "model.safetensors", "vocabulary.json")
    ]


def test_what_is_too_large_for_one_file_is_split(
    tmp_path: Path, original: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "SHARD", 20_000)
    folder = tmp_path / "shards"
    weights.save(folder, original, WORDS, CARD)
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) > 2 and files[0].name == "model-00.safetensors"
    for path in files:
        tensors = load_file(path)
        size = sum(value.numel() * value.element_size() for value in tensors.values())
        assert size <= 20_000 or len(tensors) == 1
    assert torch.equal(picture(weights.load(folder).system), picture(original))
    files[1].unlink()
    with pytest.raises(WeightsError, match=f"{folder}.*do not fit"):
        weights.load(folder)


def test_saving_again_replaces_the_folder_whole(folder: Path) -> None:
    (folder / "model-07.safetensors").write_bytes(b"left over")
    other = system(seed=1)
    weights.save(folder, other, WORDS, CARD, text="# new\n")
    assert torch.equal(picture(weights.load(folder).system), picture(other))
    assert (folder / "README.md").read_text() == "# new\n"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_save_that_fails_leaves_what_was_there(folder: Path, original: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Vocabulary, path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Vocabulary, "save", broken)
        weights.save(folder, system(seed=1), WORDS, CARD)
    assert torch.equal(picture(weights.load(folder).system), picture(original))
    weights.save(folder, original, WORDS, CARD)
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_numbers_that_a_type_cannot_hold_are_refused(folder: Path, original: Any) -> None:
    large = system()
    large.generator.norm.running_var.fill_(1e6)
    with pytest.raises(WeightsError, match="generator.norm.running_var.*float16.*bfloat16"):
        weights.save(folder, large, WORDS, CARD, dtype="float16")
    assert torch.equal(picture(weights.load(folder).system), picture(original))


# --- what can be wrong --------------------------------------------------------------------------------------------


def card(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        found = json.loads((folder / "config.json").read_text())
        found = {key: value for key, value in {**found, **changes}.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(found))

    return change


def config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        found = json.loads((folder / "config.json").read_text())
        found["config"] |= changes
        (folder / "config.json").write_text(json.dumps(found))

    return change


def written(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def cut(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) - 100])


def fewer_words(folder: Path) -> None:
    (folder / "vocabulary.json").write_text(json.dumps(WORDS.words[:-1]))


def words_and_card(folder: Path) -> None:
    fewer_words(folder)
    config(vocabulary_size=len(WORDS) - 1)(folder)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (without("config.json"), "config.json cannot be read"),
        (without("model.safetensors"), "has no model.safetensors"),
        (without("vocabulary.json"), "no vocabulary at .*vocabulary.json"),
        (cut, "model.safetensors is damaged"),
        (written("model.safetensors", b""), "model.safetensors is damaged"),
        (written("model.safetensors", b"<html>not found</html>" * 20), "model.safetensors is damaged"),
        (written("config.json", b"{"), "config.json cannot be read"),
        (written("config.json", b"\xff\xfe"), "config.json cannot be read"),
        (written("config.json", b"[]"), "config.json is not a telldraw card"),
        (written("vocabulary.json", b'["a"]'), "vocabulary.json: a vocabulary starts with"),
        (written("vocabulary.json", b"{"), "vocabulary.json is not a vocabulary"),
        (card(format=99), "config.json has format 99.*reads format 1.*update"),
        (card(system="dali"), "config.json: no system 'dali'; choose from .*geneva"),
        (card(system=None), "config.json is not a telldraw card: it lacks system"),
        (card(config=[]), "config.json is not a telldraw card"),
        (config(colour="red"), "config.json: geneva has no setting colour"),
        (config(word_dim="many"), "config.json: a setting of geneva is wrong"),
        (config(word_dim=-1), "config.json: a setting of geneva is wrong"),
        (config(resolution=33), "config.json: a setting of geneva is wrong: .*resolution 33"),
        (config(condition_dim=16), "do not fit their card: size mismatch"),
        (fewer_words, "vocabulary.json has 12 words, its config.json says 13"),
        (words_and_card, "do not fit their card: size mismatch.*words"),
    ],
)
def test_what_is_wrong_with_a_folder_is_a_sentence(folder: Path, spoil: Callable[[Path], None], sentence: str) -> None:
    spoil(folder)
    with pytest.raises(WeightsError, match=sentence) as raised:
        weights.load(folder)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 500


# --- finding ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shipped(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(weights, "CHECKOUT", tmp_path)
    monkeypatch.chdir(tmp_path)  # a folder `weights` where the tests are started from does not count
    for name in ("geneva-a", "geneva-b"):
        shutil.copytree(folder, tmp_path / "shipped" / name)
    return tmp_path / "shipped"


def test_weights_are_found_by_name_by_folder_and_by_run(
    shipped: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(weights.at_hand()) == ["geneva-a", "geneva-b"]
    assert weights.find("geneva-b") == shipped / "geneva-b"
    assert weights.find(str(folder)) == folder
    run = tmp_path / "run"
    shutil.copytree(folder, run / "weights")
    assert weights.find(str(run)) == run / "weights"
    shutil.copytree(folder, tmp_path / "here" / "geneva-a")
    monkeypatch.chdir(tmp_path / "here")
    assert weights.find("geneva-a") == Path("geneva-a"), "a folder comes before a shipped name"


def test_the_first_words_of_a_name_are_enough_where_no_other_name_begins_with_them(
    shipped: Path, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, shipped / "painter-small-64")
    for short in ("painter", "painter-small"):
        assert weights.find(short) == shipped / "painter-small-64"
    with pytest.raises(WeightsError, match="'geneva' could be any of geneva-a, geneva-b; write one"):
        weights.find("geneva")
    for no_words in ("paint", "painter-s", ""):
        with pytest.raises(WeightsError, match="no weights named|holds no weights"):
            weights.find(no_words)
    (tmp_path / "painter").mkdir()
    with pytest.raises(WeightsError, match="painter holds no weights"):  # a folder of that name is what is meant
        weights.find("painter")


def test_weights_beside_the_package_are_found_before_those_in_it(
    shipped: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, here = tmp_path / "checkout", tmp_path / "here"
    monkeypatch.setattr(weights, "CHECKOUT", checkout)
    shutil.copytree(folder, checkout / "weights" / "geneva-a")
    here.mkdir()
    monkeypatch.chdir(here)
    assert weights.find("geneva-a") == shipped / "geneva-a", "a folder weights counts in a checkout alone"
    (checkout / "pyproject.toml").write_text("")
    assert weights.find("geneva-a") == checkout / "weights" / "geneva-a"
    shutil.copytree(folder, here / "weights" / "geneva-c")
    assert list(weights.at_hand()) == ["geneva-a", "geneva-b", "geneva-c"]
    assert weights.at_hand()["geneva-c"] == weights.find("geneva-c") == Path("weights/geneva-c")


def test_figures_are_noted_in_the_card_and_nothing_else_changes(folder: Path, original: Any) -> None:
    before = weights.card(folder)
    weights.note(folder, {"test": {"F1": 0.5}})
    assert weights.card(folder) == before | {"figures": {"test": {"F1": 0.5}}}
    assert torch.equal(picture(weights.load(folder).system), picture(original))
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.note(folder.parent / "nowhere", {})


def test_an_unknown_name_lists_what_there_is(shipped: Path) -> None:
    with pytest.raises(WeightsError, match="'nobody'.*geneva-a, geneva-b"):
        weights.find("nobody")


def test_a_folder_without_weights_is_told_apart_from_a_run_that_has_none_yet(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(WeightsError, match="run holds no weights.*geneva-a"):
        weights.find(str(tmp_path / "run"))
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(WeightsError, match="run has no weights yet.*telldraw train"):
        weights.find(str(tmp_path / "run"))


def test_looking_for_weights_loads_no_torch() -> None:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; import telldraw.weights as w; "
        "[w.card(folder) for folder in w.at_hand().values()]; "
        "assert not {'torch', 'safetensors'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
