"""Text encoders: the four published forms, others by word or by name, and that captions come to find their pictures."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from captions_like import make_captioned
from pictures_like import make_pictures
from telldraw import systems, weights
from telldraw.blocks.character_rnn import CharacterRNN, Recurrence
from telldraw.cli import main
from telldraw.errors import TelldrawError, TrainingError, WeightsError
from telldraw.text import characters
from telldraw.training import checkpoint

module = systems.load("text-encoder")


# --- the published networks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gated", [False, True])
def test_the_recurrent_layer_is_that_of_the_released_code(gated: bool) -> None:
    torch.manual_seed(0)
    layer, x = Recurrence(5, gated), torch.randn(2, 4, 5)
    if gated:
        h = torch.tanh(layer.i2h(x[:, 0]))
    else:
        h = torch.relu(layer.i2h(x[:, 0]))  # nothing before it, and so no bias of h2h
    total = h.clone()
    for step in range(1, 4):
        if gated:
            z = torch.sigmoid(layer.i2h_update(x[:, step]) + layer.h2h_update(h))
            r = torch.sigmoid(layer.i2h_reset(x[:, step]) + layer.h2h_reset(h))
            candidate = torch.tanh(layer.i2h(x[:, step]) + layer.h2h(r * h))
            h = h + z * (candidate - h)
        else:
            h = torch.relu(layer.i2h(x[:, step]) + layer.h2h(h))
        total += h
    torch.testing.assert_close(layer(x), total / 4)


@pytest.mark.parametrize(
    "variant, weights_of, steps", [("cvpr", 1_814_144, 8), ("flowers", 2_994_560, 8), ("birds", 4_045_184, 18)]
)
def test_the_published_variants_have_their_sizes(variant: str, weights_of: int, steps: int) -> None:
    text = module.System(module.Config(variant=variant, pairs="none")).text
    assert sum(weight.numel() for weight in text.parameters()) == weights_of
    seen: list[torch.Size] = []
    text.rnn.register_forward_pre_hook(lambda layer, given: seen.append(given[0].shape))
    assert text(torch.from_numpy(characters("a bird"))[None]).shape == (1, 1024)
    assert seen == [(1, steps, 256 if variant == "cvpr" else 512)]
    assert max(weight.detach().abs().max().item() for weight in text.parameters()) <= 0.08


def test_convolutions_read_one_hot_columns() -> None:
    torch.manual_seed(0)
    net = CharacterRNN((3, 4, 5), gated=False, pooled=True, text_dim=6)
    codes = torch.from_numpy(np.stack([characters("a-b \u00e9"), characters("a-b  ")]))
    one_hot = torch.zeros(2, 70, 201)
    for row, column in (codes > 0).nonzero().tolist():
        one_hot[row, codes[row, column] - 1, column] = 1
    assert one_hot[0].sum() == 4 and one_hot[1].sum() == 5, "an unknown symbol is an empty column"
    x = one_hot
    for convolution in (net.conv1, net.conv2):
        x = nn.functional.max_pool1d(nn.functional.threshold(convolution(x), 1e-6, 0), 3)
    x = nn.functional.max_pool1d(nn.functional.threshold(net.conv3(x), 1e-6, 0), 3, 2)
    torch.testing.assert_close(net(codes), net.emb_proj(net.rnn(x.transpose(1, 2))))


def published(variant: str) -> dict[str, Tensor]:
    """Made-up weights under the names of the PyTorch port."""
    system = module.System(module.Config(variant=variant, pairs="none", conv_dims=(6, 7)))
    return {name.replace(".", "_"): value.clone() for name, value in system.text.state_dict().items()}


@pytest.mark.parametrize("variant", ["cvpr", "flowers", "birds"])
def test_published_weights_are_read_and_drawn_from(variant: str, tmp_path: Path) -> None:
    state = published(variant)
    assert {"conv1_weight", "rnn_i2h_bias", "emb_proj_weight"} <= set(state)
    assert ("rnn_h2h_reset_weight" in state) == (variant == "birds")
    torch.save(state, tmp_path / "encoder.pth")
    system = module.from_published(tmp_path / "encoder.pth")
    assert system.config.variant == variant and system.config.rnn_dim == (256 if variant == "cvpr" else 512)
    assert all(torch.equal(value, state[name.replace(".", "_")]) for name, value in system.text.state_dict().items())
    assert main(["import", "text-encoder", str(tmp_path / "encoder.pth"), "--out", str(tmp_path / "taken")]) == 0
    loaded = weights.load(tmp_path / "taken").system
    letters = torch.from_numpy(characters("a small bird"))[None]
    assert torch.equal(loaded.embed(letters, letters), system.embed(letters, letters))  # type: ignore[operator]
    with pytest.raises(WeightsError, match="has no side for pictures"):
        system.embed_pictures(torch.zeros(1, 3, 64, 64))


class Evil:
    def __reduce__(self) -> Any:
        return print, ("this must not run",)


@pytest.mark.parametrize(
    "content, sentence",
    [
        ({"conv1_weight": torch.zeros(2)}, "is no published text encoder: it lacks conv1_bias"),
        ({**published("cvpr"), "rnn_h2h_weight": torch.zeros(3, 3)}, "size mismatch for rnn.h2h.weight"),
        ([1, 2], "is no published text encoder: it lacks conv1_bias"),
        ({"conv1_weight": Evil()}, "is no torch file of tensors"),
    ],
)
def test_other_files_are_refused_and_not_run(
    content: Any, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(content, tmp_path / "x.pth")
    assert main(["import", "text-encoder", str(tmp_path / "x.pth"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and "must not run" not in said.out


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("text-encoder", "nowhere.pth"), "there is no file nowhere.pth"),
        (("geneva", "x.pth"), "geneva: nothing published of it can be read; there is"),
        (("geneve", "x.pth"), "no system 'geneve'"),
    ],
)
def test_bad_imports_get_one_sentence(
    words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", *words, "--out", "never"]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


# --- other encoders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["word-gru", "word-lstm"])
def test_words_are_read_to_the_last_and_no_further(variant: str) -> None:
    torch.manual_seed(0)
    config = module.Config(variant=variant, pairs="none", vocabulary_size=9, word_dim=4, rnn_dim=3, text_dim=5)
    system = module.System(config).eval()
    letters, words = torch.zeros(3, 201, dtype=torch.long), torch.tensor([[2, 3, 4], [2, 3, 0], [0, 0, 0]])
    text = system.embed(letters, words)
    torch.testing.assert_close(text[1:2], system.embed(letters[:1], words[1:2, :2]))
    assert not torch.allclose(text[0], text[1]) and bool(text.isfinite().all())
    # the two last states side by side: forwards after the last word, backwards after the first
    rows = system.text.words(words[:1])
    states, _ = system.text.rnn(rows)
    expected = system.text.emb_proj(torch.cat([states[:, -1, :3], states[:, 0, 3:]], 1))
    torch.testing.assert_close(text[:1], expected)


class Model(nn.Module):
    """Stands for somebody's sentence encoder: a vector for each word, no network."""

    config = SimpleNamespace(hidden_size=2)

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor([[9.0, 9.0], [1.0, 0.0], [0.0, 2.0]]))
        self.read = 0

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        self.read += len(input_ids)
        return SimpleNamespace(last_hidden_state=self.table[input_ids])


def read(sentences: list[str], **how: Any) -> dict[str, Tensor]:
    known = {"red": 1, "bar": 2}
    rows = [[known[word] for word in one.split()] for one in sentences]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


@pytest.fixture
def stands_for_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = ModuleType("transformers")
    fake.utils = SimpleNamespace(
        logging=SimpleNamespace(disable_progress_bar=lambda: None, set_verbosity_error=lambda: None)
    )
    fake.AutoModel = SimpleNamespace(from_pretrained=lambda name, **how: (Model(), {"missing_keys": ["pooler.bias"]}))
    fake.AutoTokenizer = SimpleNamespace(from_pretrained=lambda name, **how: read)
    monkeypatch.setitem(sys.modules, "transformers", fake)


@pytest.mark.usefixtures("stands_for_transformers")
def test_a_named_sentence_encoder_is_a_mean_over_words_and_stays_as_it_is() -> None:
    config = module.Config(variant="sentence", sentence_model="somebody/encoder", pairs="none", text_dim=2)
    system = module.System(config)
    assert set(system.state_dict()) == {"text.emb_proj.weight", "text.emb_proj.bias"}
    nn.init.eye_(system.text.emb_proj.weight)
    nn.init.zeros_(system.text.emb_proj.bias)
    letters = torch.from_numpy(np.stack([characters("red bar bar"), characters("Red")]))
    expected = torch.tensor([[1 / 3, 4 / 3], [1.0, 0.0]])
    torch.testing.assert_close(system.embed(letters, letters), expected)
    assert system.text._frozen[1].read == 2
    again = torch.from_numpy(np.stack([characters("red"), characters("bar"), characters("red")]))
    torch.testing.assert_close(system.embed(again, again), torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]]))
    assert system.text._frozen[1].read == 3  # what has been read is kept


def test_a_sentence_encoder_of_transformers_itself(tmp_path: Path) -> None:
    """A tiny one of random weights, as the library writes it: means over its words, and each way it can be wrong."""
    transformers: Any = pytest.importorskip("transformers", reason="models of others are read by transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "bar", "a"]
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    torch.manual_seed(0)
    model = transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **size)).eval()
    model.save_pretrained(tmp_path)
    transformers.BertTokenizerFast({word: number for number, word in enumerate(words)}).save_pretrained(tmp_path)
    config = module.Config(variant="sentence", sentence_model=str(tmp_path), pairs="none", text_dim=8)
    system = module.System(config)
    nn.init.eye_(system.text.emb_proj.weight)
    nn.init.zeros_(system.text.emb_proj.bias)
    letters = torch.from_numpy(np.stack([characters("a red bar"), characters("Bar")]))
    with torch.no_grad():
        expected = [model(torch.tensor([ids])).last_hidden_state[0].mean(0) for ids in ([2, 7, 5, 6, 3], [2, 6, 3])]
    torch.testing.assert_close(system.embed(letters, letters), torch.stack(expected), rtol=1e-4, atol=1e-5)

    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(TelldrawError, match="cannot be loaded: .*; name a model on the Hugging Face hub, or a folder"):
        module.System(config)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(TelldrawError, match="cannot be loaded: .*model.safetensors"):
        module.System(config)


@pytest.mark.usefixtures("stands_for_transformers")
def test_a_model_that_is_no_sentence_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "config", SimpleNamespace())
    config = module.Config(variant="sentence", pairs="none", sentence_model="somebody/clip")
    with pytest.raises(TelldrawError, match="somebody/clip is no encoder of sentences but Model; name one such as"):
        module.System(config)


def test_a_sentence_encoder_that_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = module.Config(variant="sentence", pairs="none")
    with pytest.raises(TelldrawError, match="--config.sentence-model is missing: name a sentence encoder"):
        module.System(config)
    monkeypatch.setitem(sys.modules, "transformers", None)
    config = module.Config(variant="sentence", pairs="none", sentence_model="somebody/encoder")
    with pytest.raises(TelldrawError, match=r"needs transformers: pip install 'telldraw\[sentence\]'"):
        module.System(config)

    def absent(name: str, **how: Any) -> Any:
        raise OSError(f"{name} is not a local folder\nand more")

    fake: Any = ModuleType("transformers")
    fake.utils = SimpleNamespace(
        logging=SimpleNamespace(disable_progress_bar=lambda: None, set_verbosity_error=lambda: None)
    )
    fake.AutoModel = fake.AutoTokenizer = SimpleNamespace(from_pretrained=absent)
    monkeypatch.setitem(sys.modules, "transformers", fake)
    with pytest.raises(TelldrawError, match="cannot be loaded: somebody/encoder is not a local folder; name a"):
        module.System(config)
    config = replace(config, sentence_model=str(tmp_path / "moved"))
    with pytest.raises(TelldrawError, match="moved: there is no such folder; put the model there"):
        module.System(config)


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_captioned(tmp_path_factory.mktemp("said") / "bars.telldraw")


def command(data: Path, out: Path, *more: str, examples: int = 6400) -> list[str]:
    often = ("--sheet-every", "3200", "--decay", "0.9", "--batch-size", "32", "--examples", str(examples))
    return ["train", "text-encoder", "--data", str(data), "--preset", "tiny", "--out", str(out), *often, *more]


@pytest.fixture(scope="module")
def run(bars: Path) -> Path:
    out = bars.parent / "run"
    assert main(command(bars, out)) == 0
    return out


def figures(run: Path, data: Path) -> dict[str, float]:
    assert main(["evaluate", str(run), "--data", str(data)]) == 0
    report = json.loads((run / "evaluation-test" / "evaluation.json").read_text())
    return {name: figure["value"] for name, figure in report["figures"].items()}


def test_captions_come_to_find_their_pictures(run: Path, bars: Path) -> None:
    found = figures(run, bars)
    assert found["picture_to_class_top1"] > 0.8  # chance: 1 of 9
    # four of the 36 pictures are of each of nine kinds, and share its captions
    assert found["caption_to_picture_top1"] > 0.8 and found["picture_to_caption_top1"] > 0.8
    assert "class_to_picture_ap50" not in found and "picture_to_class_top50" not in found, "there are too few"


def test_the_run_leaves_words_and_sheets(run: Path, bars: Path) -> None:
    card = weights.card(run / "weights")
    assert card["system"] == "text-encoder" and card["data"] == "said bars"
    loaded = weights.load(run / "weights")
    assert {"bar", "bright", "left"} <= set(loaded.vocabulary.words)
    sheets = sorted((run / "sheets").glob("*.png"))
    assert [sheet.name for sheet in sheets] == ["0000003200.png", "0000006400.png"]
    with Image.open(sheets[-1]) as sheet:
        assert sheet.width > 500


def test_a_run_that_was_stopped_arrives_at_the_same_weights(bars: Path, tmp_path: Path) -> None:
    for out, parts in (("one", (640,)), ("other", (320, 640))):
        for examples in parts:
            assert main(command(bars, tmp_path / out, examples=examples)) == 0
    states = [torch.load(checkpoint.states(tmp_path / out)[0], weights_only=True) for out in ("one", "other")]
    assert all(torch.equal(states[0]["system"][key], states[1]["system"][key]) for key in states[0]["system"])


def test_captions_come_to_find_captions_without_pictures(bars: Path, tmp_path: Path) -> None:
    flags = ("--config.pairs", "captions", "--config.captions", "2", "--config.no-symmetric")
    assert main(command(bars, tmp_path / "run", *flags, examples=1280)) == 0
    found = figures(tmp_path / "run", bars)
    assert set(found) == {"caption_to_caption_top1", "caption_to_caption_top5"}
    assert list((tmp_path / "run" / "sheets").glob("*.png"))


def test_typed_captions_find_pictures(
    run: Path, bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, out = ("a bright bar on the left", "the right has a dark b\u00e4r"), tmp_path / "found.png"
    assert main(["find", str(run), str(bars), *asked, "--n", "4", "--out", str(out)]) == 0
    said = capsys.readouterr()
    first = [int(number) for number in said.out.splitlines()[0].partition(": ")[2].split(", ")]
    assert {row % 9 for row in first} == {6} and min(first) >= 180, "bright, left, of the test split"
    assert "symbols that are not known in 'the right has a dark b\u00e4r', and read as nothing: '\u00e4'" in said.err
    with Image.open(out) as sheet:
        assert sheet.width > 300


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("a" * 202,), "the caption has 202 characters, and 201 are read"),
        (("!?",), "the caption '!?' has no word; say what the picture shows"),
        (("a bar", "--n", "0"), "--n 0: 1 to 100 pictures can be shown"),
        (("a bar", "--split", "none"), "has no split 'none'"),
        (("a bar", "--out", "found.txt"), "found.txt"),
        ((), "say what to find, in quotation marks"),
        (("a bar", "--device", "teapot"), "--device teapot: there is no such device here"),
    ],
)
def test_captions_that_cannot_be_read_get_one_sentence(
    words: tuple[str, ...], sentence: str, run: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["find", str(run), str(bars), *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


@pytest.mark.parametrize("variant", ["word-gru", "word-lstm", "birds"])
def test_every_kind_is_trained_by_the_one_command(variant: str, bars: Path, tmp_path: Path) -> None:
    flags = ("--config.variant", variant, "--config.sampling", "distinct", "--batch-size", "8")
    assert main(command(bars, tmp_path / "run", *flags, examples=16)) == 0
    assert figures(tmp_path / "run", bars)["caption_to_picture_top1"] >= 0


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (("--config.pairs", "captions"), "captions that find each other come in twos, otherwise one is needed"),
        (("--config.pairs", "none"), "--config.pairs none: choose pictures or captions"),
        (("--config.sampling", "distinct"), "has 9 classes, too few for a batch of 32; choose a smaller --batch-size"),
        (("--config.variant", "sentence"), "--config.sentence-model is missing"),
    ],
)
def test_bad_settings_get_one_sentence(
    flags: tuple[str, ...], sentence: str, bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(bars, tmp_path / "run", *flags)) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_pictures_that_cannot_be_used_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = make_pictures(tmp_path / "plain.telldraw")
    assert main(command(plain, tmp_path / "run")) == 2
    assert "the pictures of bars have no captions; a text encoder needs a set that has some" in capsys.readouterr().err
    unnamed = make_captioned(tmp_path / "unnamed.telldraw", classes=False)
    assert main(command(unnamed, tmp_path / "run", "--config.sampling", "classes")) == 2
    assert "the pictures of said bars have no class; choose pictures" in capsys.readouterr().err


def test_sizes_that_cannot_be_halved_are_named() -> None:
    with pytest.raises(TrainingError, match="--config.resolution 60: 4 halvings .* need a multiple of 16"):
        module.Config(resolution=60)
