"""GAN-CLS and its kin: the objective, what each player is shown, and the way from captions to pictures."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from captions_like import make_captioned
from colours_like import colours
from pictures_like import make_pictures
from telldraw import systems, weights
from telldraw.blocks.strided import Enlarge
from telldraw.cli import main
from telldraw.data.caption_loader import CaptionLoader
from telldraw.data.collection import Collection
from telldraw.data.text_loader import TextLoader
from telldraw.errors import TrainingError
from telldraw.metrics.conditional import auc
from telldraw.objectives.matching import matching_discriminator
from telldraw.training import checkpoint
from telldraw.training.update import Update

MODULE = systems.load("gan-cls")
TINY = replace(MODULE.PRESETS["tiny"], text_dim=4, stems=False)

# --- the objective --------------------------------------------------------------------------------------------------


def test_a_discriminator_that_knows_nothing_loses_two_log_two() -> None:
    nothing = torch.zeros(5)
    for wrong in (None, nothing):
        assert matching_discriminator(nothing, nothing, wrong).item() == pytest.approx(2 * math.log(2))


def test_the_loss_is_algorithm_1() -> None:
    right, wrong, fake = torch.randn(3, 7, generator=torch.Generator().manual_seed(0)).double()
    s_r, s_w, s_f = (each.sigmoid() for each in (right, wrong, fake))
    expected = -(s_r.log() + ((1 - s_w).log() + (1 - s_f).log()) / 2).mean()
    assert matching_discriminator(right, fake, wrong).item() == pytest.approx(expected.item())
    plain = -(s_r.log() + (1 - s_f).log()).mean()
    assert matching_discriminator(right, fake).item() == pytest.approx(plain.item())
    assert matching_discriminator(right, fake, wrong, wrong_weight=0).item() == pytest.approx(plain.item())


# --- what the players are shown -------------------------------------------------------------------------------------


def trained(variant: str, steps: int, rate: float = 1e-3) -> Any:
    torch.manual_seed(0)
    system = MODULE.System(replace(TINY, variant=variant, generator_rate=rate, discriminator_rate=rate))
    update = Update(system.train().optimizers())
    for step in range(steps):
        batch = colours(seed=step)
        if not variant.endswith("cls"):
            batch = batch._replace(wrong_text=batch.wrong_text[:0])
        system.training_step(batch, update)
        update.step += 1
    return system


@pytest.mark.parametrize(("variant", "batch", "drawn"), [("gan", 8, 8), ("cls", 8, 8), ("int", 8, 12)])
def test_only_g_sees_texts_between_texts(variant: str, batch: int, drawn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    system = MODULE.System(replace(TINY, variant=variant)).train()
    given: list[Tensor] = []
    of_d: list[int] = []
    draw, match = system.generator.forward, system.discriminator.match
    monkeypatch.setattr(system.generator, "forward", lambda z, text: given.append(text) or draw(z, text))
    monkeypatch.setattr(system.discriminator, "match", lambda map, text: of_d.append(len(text)) or match(map, text))
    known = colours(batch)
    system.training_step(known, Update(system.optimizers()))
    assert [len(text) for text in given] == [drawn]
    assert of_d == [batch, *([batch] if variant == "cls" else []), batch, drawn]
    text = known.text / system.config.text_scale
    between = (text[: batch // 2] + text[batch // 2 :]) / 2
    torch.testing.assert_close(given[0], torch.cat([text, between[: drawn - batch]]))


def test_texts_are_mixed_anywhere_where_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    system = MODULE.System(replace(TINY, variant="int", beta="random"))
    told = system._told(torch.eye(4)[[0, 0, 1, 1]])
    share = told[4:, 0]
    assert bool(((share > 0) & (share < 1)).all()) and share[0] != share[1]
    torch.testing.assert_close(told[4:, 0] + told[4:, 1], torch.ones(2))


def test_wrong_texts_count_for_cls_alone() -> None:
    known = colours(8)
    for variant, counts in (("gan", False), ("int", False), ("cls", True), ("int-cls", True)):
        weights_after = []
        for batch in (known, known._replace(wrong_text=known.text.roll(3, 0))):
            torch.manual_seed(0)
            system = MODULE.System(replace(TINY, variant=variant)).train()
            system.training_step(batch, Update(system.optimizers()))
            weights_after.append(torch.cat([weight.flatten() for weight in system.discriminator.parameters()]))
        assert torch.equal(*weights_after) != counts, variant


@pytest.mark.parametrize("variant", ["cls", "int-cls"])
def test_it_learns_to_draw_the_colour_it_is_told(variant: str) -> None:
    system = trained(variant, 250, rate=3e-3).eval()
    known = colours(64, seed=999)
    with torch.no_grad():
        drawn = system.depict(torch.randn(64, system.noise_dim), known.text).mean((2, 3))
    palette = torch.stack([known.image[known.text[:, kind] == 1].mean((0, 2, 3)) for kind in range(4)])
    right = (torch.cdist(drawn, palette).argmin(1) == known.text.argmax(1)).float().mean()
    assert right > 0.9, right


def test_a_matching_aware_discriminator_tells_wrong_texts_from_right_ones() -> None:
    system = trained("cls", 100).eval()
    known = colours(128, seed=999)
    with torch.no_grad():
        right, wrong = (system.judge(known.image, text) for text in (known.text, known.wrong_text))
    assert auc(right, wrong) > 0.95


def test_the_style_encoder_needs_a_trained_g() -> None:
    with pytest.raises(TrainingError, match="--start-from is missing: S learns to read the style"):
        MODULE.System(replace(TINY, stage="style")).optimizers()


def test_the_style_encoder_finds_the_noise_and_leaves_g_as_it_is() -> None:
    drawer = trained("cls", 60)
    system = MODULE.System(replace(drawer.config, stage="style", style_rate=2e-3))
    system.generator.load_state_dict(drawer.generator.state_dict())
    system.train()
    assert not system.generator.training and system.style_encoder.training
    before = {name: value.clone() for name, value in system.generator.state_dict().items()}
    update, first = Update(system.optimizers()), system.losses(colours(64))["style"]
    assert first > 0.7, "z's numbers have a mean square of 1"
    for step in range(80):
        system.training_step(colours(seed=step), update)
    torch.manual_seed(1)
    assert system.eval().losses(colours(64))["style"] < 0.97 * first
    assert all(torch.equal(value, before[name]) for name, value in system.generator.state_dict().items())


def test_the_published_networks_have_their_sizes() -> None:
    """Of the released code: a stem after each of G's two smallest maps and D's smallest, 128 and 64 channels."""
    system = MODULE.System(MODULE.PRESETS["paper"])
    count = {
        part: sum(each.numel() for each in getattr(system, part).parameters())
        for part in ("generator", "discriminator")
    }
    assert count == {"generator": 18_905_475, "discriminator": 4_030_145}


def test_enlarging_is_nearest_and_a_convolution() -> None:
    torch.manual_seed(0)
    layer, x = Enlarge(3, 5, bias=True), torch.randn(2, 3, 8, 8)
    plain = nn.functional.conv2d(nn.functional.interpolate(x, scale_factor=2.0), layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), plain, rtol=1e-4, atol=1e-5)


# --- from captions to pictures --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_captioned(tmp_path_factory.mktemp("bars") / "bars.telldraw", side=16)


@pytest.fixture(scope="module")
def encoder(bars: Path) -> Path:
    out = bars.parent / "encoder"
    words = ["train", "text-encoder", "--data", str(bars), "--preset", "tiny", "--out", str(out)]
    assert main([*words, "--config.variant", "word-gru", "--batch-size", "16", "--examples", "640"]) == 0
    return out


def command(bars: Path, out: Path, *more: str) -> list[str]:
    words = ["train", "gan-cls", "--data", str(bars), "--preset", "tiny", "--out", str(out), "--batch-size", "16"]
    return [*words, *more]


@pytest.fixture(scope="module")
def run(bars: Path, encoder: Path) -> Path:
    out = bars.parent / "gan-cls"
    assert main(command(bars, out, "--text-encoder", str(encoder), "--examples", "640")) == 0
    return out


def test_the_weights_bring_who_reads_for_them(run: Path, encoder: Path) -> None:
    card = weights.card(run / "weights")
    assert card["text_encoder"] == weights.card(encoder / "weights")["name"]
    mine, theirs = (weights.load(folder).system for folder in (run / "weights" / weights.NETWORK, encoder / "weights"))
    assert all(torch.equal(mine.state_dict()[name], value) for name, value in theirs.state_dict().items())
    assert card["config"]["text_dim"] == 32 and card["config"]["text_scale"] > 0


def test_a_run_that_was_stopped_arrives_at_the_same_weights(bars: Path, encoder: Path, tmp_path: Path) -> None:
    for out, parts in (("whole", ["192"]), ("parts", ["96", "192"])):
        for examples in parts:
            more = ("--text-encoder", str(encoder), "--examples", examples)
            assert main(command(bars, tmp_path / out, *more)) == 0
    whole, parts = (
        checkpoint.load_latest(tmp_path / out, device=torch.device("cpu"), warn=print) for out in ("whole", "parts")
    )
    assert whole is not None and parts is not None
    for part in ("system", "average"):
        assert all(torch.equal(value, parts[part][name]) for name, value in whole[part].items())


def seen(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def test_the_second_stage_leaves_what_is_drawn_as_it_was(run: Path, bars: Path, tmp_path: Path) -> None:
    """Its weights draw the same pictures, to the bit: neither training nor measuring statistics moves G."""
    style = ["train", "gan-cls", "--data", str(bars), "--preset", "tiny-style", "--start-from", str(run)]
    assert main([*style, "--batch-size", "16", "--examples", "64", "--out", str(tmp_path / "style")]) == 0
    before, after = (cast("Any", weights.load(weights.find(str(each))).system) for each in (run, tmp_path / "style"))
    noise, text = torch.randn(4, before.noise_dim), torch.randn(4, before.text_dim)
    with torch.no_grad():
        assert torch.equal(before.depict(noise, text), after.depict(noise, text))


def test_captions_are_drawn_from_the_same_noise(run: Path, tmp_path: Path) -> None:
    captions = ["a dark bar on the left", "a bright bar on the right"]
    for n in ("2", "3"):
        assert main(["generate", str(run), *captions, "--n", n, "--folder", str(tmp_path / n)]) == 0
    two, three = (sorted((tmp_path / n).iterdir()) for n in ("2", "3"))
    assert len(two) == 4 and len(three) == 6
    pictures, again = [seen(path) for path in three], [seen(path) for path in two]
    assert (again[1] == pictures[1]).all(), "picture 1 of the first caption"
    assert (again[2] == pictures[3]).all(), "picture 0 of the second"
    assert (pictures[0] != pictures[3]).any() and (pictures[0] != pictures[1]).any()
    assert main(["generate", str(run), *captions, "--out", str(tmp_path / "sheet.png")]) == 0
    assert seen(tmp_path / "sheet.png").shape[1] > 16 * 4 * 8


def test_walks_between_captions_keep_the_noise(run: Path, tmp_path: Path) -> None:
    ends = ["--from-caption", "a dark bar on the left", "--to-caption", "a bright bar on the right"]
    sheet = tmp_path / "walk.png"
    assert main(["interpolate", str(run), *ends, "--n", "5", "--rows", "2", "--scale", "1", "--out", str(sheet)]) == 0
    first = ["generate", str(run), "a dark bar on the left", "--n", "2", "--folder", str(tmp_path / "first")]
    assert main(first) == 0
    left, walked = seen(tmp_path / "first" / "00000.png"), seen(sheet)
    found = [
        (x, y)
        for x in range(walked.shape[1] - 15)
        for y in range(walked.shape[0] - 15)
        if abs(walked[y : y + 16, x : x + 16].astype(int) - left).max() <= 1
    ]
    assert found, "the walk begins with the picture of the first caption"
    top = min(y for _, y in found)
    assert top > 16 and (walked[:top] < 200).any(), "what is said at both ends stands above"
    assert main(["interpolate", str(run), "--caption", "a dark bar", "--out", str(tmp_path / "walk.gif")]) == 0
    with Image.open(tmp_path / "walk.gif") as walk:
        assert getattr(walk, "n_frames", 1) > 10


def test_what_it_draws_is_measured(run: Path, bars: Path) -> None:
    assert main(["evaluate", str(run), "--data", str(bars), "--split", "train", "--samples", "144"]) == 0
    report = json.loads((run / "evaluation-train" / "evaluation.json").read_text())
    figures = {name: figure["value"] for name, figure in report["figures"].items()}
    assert 0 <= figures["r_precision"] <= 1 and figures["r_precision_true"] > 0.03, "an encoder that was trained"
    assert figures["obeyed"] == "not measured" and figures["caption_spread"] >= 0
    assert 0 <= figures["auc_wrong_text"] <= 1
    assert (run / "evaluation-train" / "captions.png").is_file()


@pytest.mark.parametrize(
    ("flag", "said"),
    [("--classifier", "does not tell the 48 kinds of solid apart"), ("--retriever", "which reads no captions")],
)
def test_a_wrong_judge_is_refused_before_anything_is_drawn(
    flag: str, said: str, run: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run), "--data", str(bars), flag, str(run)]) == 2
    error = capsys.readouterr().err
    assert said in error and "drawn" not in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one, such as"),
        (["zebra giraffe"], "no word in 'zebra giraffe' is known"),
        (["!!"], "has no word"),
        (["a bar " * 40], "201 are read"),
        (["a dark bar", "--label", "3"], "--label 3 is for pictures without captions"),
        (["a dark bar", "--grid", "3"], "--grid 3 is for pictures without captions"),
    ],
)
def test_captions_that_cannot_be_drawn_get_one_sentence(
    words: list[str], said: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", str(run), *words, "--out", str(tmp_path / "x.png")]) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and not (tmp_path / "x.png").exists()


def test_what_is_cut_or_unknown_is_said_and_drawn(run: Path, tmp_path: Path, capsys: Any) -> None:
    words = ["a dark bar " * 30, "--cut", "--out", str(tmp_path / "x.png")]
    assert main(["generate", str(run), *words]) == 0
    assert main(["generate", str(run), "a dark zebra", "--out", str(tmp_path / "x.png")]) == 0
    assert "zebra" in capsys.readouterr().err


def test_training_without_an_encoder_or_captions_gets_one_sentence(
    bars: Path, encoder: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = make_pictures(tmp_path / "plain.telldraw", captions=False)
    with_encoder = ("--text-encoder", str(encoder))
    for words, said in (
        (command(bars, tmp_path / "x"), "--text-encoder is missing"),
        (command(bars, tmp_path / "x", "--text-encoder", str(run)), "which reads no captions"),
        (command(plain, tmp_path / "x", *with_encoder), "have no captions"),
        (command(bars, tmp_path / "x", *with_encoder, "--config.resolution", "32"), "16x16"),
        (command(bars, tmp_path / "x", *with_encoder, "--config.mismatch", "content"), "no table `content`"),
        (["train", "dcgan", "--data", str(bars), *with_encoder, "--out", str(tmp_path / "x")], "reads no captions"),
    ):
        assert main(words) == 2
        assert said in capsys.readouterr().err, said
    assert not (tmp_path / "x" / "weights").exists()


def test_weights_without_their_reader_say_what_is_missing(run: Path, tmp_path: Path, capsys: Any) -> None:
    import shutil

    shutil.copytree(run / "weights", tmp_path / "alone", ignore=shutil.ignore_patterns(weights.NETWORK))
    assert main(["generate", str(tmp_path / "alone"), "a dark bar", "--out", str(tmp_path / "x.png")]) == 2
    assert "came without the text encoder" in capsys.readouterr().err


def test_captions_for_weights_that_take_none_are_refused(bars: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "dcgan"
    words = ["--config.channels", "1", "--batch-size", "8", "--examples", "16", "--out", str(out)]
    assert main(["train", "dcgan", "--data", str(bars), "--preset", "tiny", *words]) == 0
    assert main(["generate", str(out), "a dark bar", "--out", str(tmp_path / "x.png")]) == 2
    assert "draws without captions" in capsys.readouterr().err


# --- its batches ----------------------------------------------------------------------------------------------------


def lengths(characters: Tensor, words: Tensor) -> Tensor:
    """A text encoder of two numbers: how many characters, and the sum of the words' numbers."""
    return torch.stack([(characters > 0).sum(1).float(), words.sum(1).float()], 1)


def test_a_batch_depends_on_seed_and_step_alone_and_means_its_captions(bars: Path) -> None:
    known = Collection.open(bars)
    captioned = CaptionLoader(known, "train", 8, seed=1, captions=2, mismatch="caption")
    batch = next(TextLoader(captioned, lengths).iterate(7))
    again = TextLoader(CaptionLoader(known, "train", 8, seed=1, captions=2, mismatch="caption"), lengths).batch(7)
    assert all(torch.equal(one, other) for one, other in zip(batch, again, strict=True))
    plain = captioned.batch(7)
    own = (plain.characters > 0).sum(2).float().mean(1)
    torch.testing.assert_close(batch.text[:, 0], own)
    assert batch.wrong_text.shape == batch.text.shape
    letters, words = captioned.wrong_texts(plain, 7)
    assert letters.shape == plain.characters.shape and words.shape[:2] == (8, 2)
    for place, row in enumerate(plain.row.tolist()):
        theirs = {one.tobytes() for one in letters[place].numpy()}
        mine = {one.tobytes() for one in plain.characters[place].numpy()}
        assert theirs.isdisjoint(mine) and int(plain.wrong_row[place]) != row
    assert len(TextLoader(CaptionLoader(known, "train", 8), lengths).batch(0).wrong_text) == 0
