"""A user's CLIP model: pictures are prepared as its own were, and a text's fit can be followed by its gradient."""

import json
import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from captions_like import make_captioned
from telldraw import pixels
from telldraw.data.collection import Collection
from telldraw.errors import TelldrawError
from telldraw.metrics.clip import Clip, prepared


def test_pictures_are_prepared_as_clips_own() -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).resize((64, 64), Image.Resampling.BOX)
    larger = np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC)) / np.float32(255)
    wanted = (larger - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711]
    image = torch.from_numpy(np.asarray(picture) / np.float32(127.5) - 1).permute(2, 0, 1)
    found = prepared(image.unsqueeze(0), 224)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - wanted).mean() < 0.01  # Pillow rounds twice: less than a level of 255


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    try:
        import transformers  # noqa: F401  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        said = "this needs transformers: pip install"
    else:
        said = "cannot be loaded"
    with pytest.raises(TelldrawError, match=said):
        Clip(str(tmp_path), "a hat")


def test_a_text_that_fits_better_has_a_smaller_loss(tmp_path: Path) -> None:
    """A tiny model of random weights with words of single letters: following the gradient must lower the loss."""
    pytest.importorskip("transformers", reason="CLIP models are read by transformers, which is not installed")
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizerFast  # type: ignore[import-not-found]

    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    words = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    numbers = {word: number for number, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    ends = {"bos_token_id": len(words), "eos_token_id": len(words) + 1}
    text = {**size, **ends, "vocab_size": len(numbers)}
    config = CLIPConfig(text_config=text, vision_config={**size, "image_size": 64, "patch_size": 16}, projection_dim=16)
    CLIPModel(config).save_pretrained(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps(numbers))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizerFast(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")).save_pretrained(tmp_path)

    half = tmp_path / "half"
    shutil.copytree(tmp_path, half)
    stored = load_file(half / "model.safetensors")
    lost = {name: value for name, value in stored.items() if not name.startswith("vision_model")}
    save_file(lost, half / "model.safetensors", {"format": "pt"})
    with pytest.raises(TelldrawError, match=r"half is another kind of model: \d+ weights of CLIPModel are not"):
        Clip(str(half), "a hat")
    fits = Clip(str(tmp_path), "a hat")
    image = (torch.rand(2, 3, 32, 32) * 2 - 1).requires_grad_()
    before = fits(image)
    assert before.shape == (2,) and bool((before >= 0).all()) and bool((before <= 2).all())
    (slope,) = torch.autograd.grad(before.sum(), image)
    assert bool((fits(image - 0.05 * slope.sign()) < before).all())


def test_a_small_model_of_ones_own_comes_to_tell_pictures_by_captions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recipe, on bars of nine kinds told by captions: what it writes is what `--clip` reads."""
    pytest.importorskip("transformers", reason="CLIP models are read by transformers, which is not installed")
    data = make_captioned(tmp_path / "bars.telldraw")
    script = Path(__file__).parents[1] / "recipes" / "small_clip.py"
    spec = spec_from_file_location("small_clip", script)
    assert spec is not None and spec.loader is not None
    recipe = module_from_spec(spec)
    sys.modules["small_clip"] = recipe  # a dataclass looks for its module
    spec.loader.exec_module(recipe)
    with pytest.raises(TelldrawError, match="--batch-size 500: .* has 144 pictures to train on"):
        recipe.main(recipe.Options(data, tmp_path / "clip", batch_size=500))
    small = {"width": 32, "layers": 1, "patch": 7, "batch_size": 16}
    recipe.main(recipe.Options(data, tmp_path / "clip", steps=150, **small))
    assert "find their picture among" in capsys.readouterr().out
    collection = Collection.open(data)
    rows = collection.splits["test"]
    images = pixels.to_float(torch.from_numpy(collection.images[list(rows)])).expand(-1, 3, -1, -1)
    for kind in (0, 4, 8):
        own = torch.tensor([bool(collection.labels[row, kind]) for row in rows])
        told = collection.captions(rows[int(own.nonzero()[0])])[0]
        far = Clip(str(tmp_path / "clip"), told)(images)
        assert far[own].mean() + 0.05 < far[~own].mean()
