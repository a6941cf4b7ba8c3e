"""What `telldraw evaluate` says of faces: of a drawer whose codes are the attributes, and of a real system."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from telldraw import systems, weights
from telldraw.blocks.perceptual import Perceptual
from telldraw.cli import main
from telldraw.commands import face_edits, face_evaluation, face_judging, steering
from telldraw.commands.face_judging import Judge
from telldraw.commands.picture_evaluation import Job
from telldraw.data.archive import Writer
from telldraw.data.collection import Collection, Map, write_collection
from telldraw.data.face_words import asked
from telldraw.metrics import faces
from telldraw.text import Vocabulary

NAMES = (*faces.HAIR, "Eyeglasses", "Smiling", "Wearing_Hat")
BANDS, SIDE = 8, 16  # of each attribute a band of the picture, and one that is the person's own
REGIONS = ("hair", "hair", "hair", "hair", "eye_g", "mouth", "hat", "nose")


def bands(images: Tensor) -> Tensor:
    """[N, C, H, W] -> the brightness of each band, [N, 8]."""
    return images.unflatten(2, (BANDS, -1)).mean((1, 3, 4))


def sentence(label: np.ndarray, rng: np.random.Generator) -> str:
    """What a face shows: its hair and two other things."""
    chosen = [next(name for name, there in zip(faces.HAIR, label, strict=False) if there)]
    chosen += [str(name) for name in rng.permutation(NAMES[4:])[:2]]
    return f"This person {' and '.join(steering.phrase(name, bool(label[NAMES.index(name)])) for name in chosen)}."


def make_faces(out: Path, count: int = 480, test: int = 160) -> Collection:
    rng = np.random.default_rng(0)
    labels = np.zeros((count, len(NAMES)), np.uint8)
    labels[np.arange(count), rng.integers(0, 4, count)] = 1
    labels[:, 4:] = rng.integers(0, 2, (count, 3))
    shades = np.concatenate([255 * labels, rng.integers(0, 256, (count, 1))], 1).astype(np.uint8)
    images = np.repeat(np.repeat(shades, SIDE // BANDS, 1)[:, None, :, None], SIDE, 3).repeat(3, 1)
    names = tuple(dict.fromkeys(REGIONS))
    row = np.array([names.index(name) for name in REGIONS], np.uint8).repeat(SIDE // BANDS)
    regions = np.broadcast_to(row[:, None], (count, SIDE, SIDE))
    captions = [[sentence(label, rng)] for label in labels]
    ends = {"train": [0, count - 2 * test], "val": [count - 2 * test, count - test], "test": [count - test, count]}
    facts = {"name": "faces", "licence": "CC0", "url": "", "resolution": SIDE, "channels": 3, "many": True}
    maps = {"regions": Map(names, np.ascontiguousarray(regions)), "sketch": Map((), images[:, 0])}
    with Writer(out) as writer:
        write_collection(writer, [images], labels, {**facts, "classes": NAMES, "splits": ends}, captions, maps=maps)
    return Collection.open(out)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return make_faces(tmp_path_factory.mktemp("faces") / "faces.telldraw")


class Ideal(nn.Module):
    """Layer k of a code is the brightness of band k: nothing is entangled, and texts say what they say."""

    layers, style_dim, noise_dim = BANDS, 1, BANDS

    def __init__(self, words: Vocabulary) -> None:
        super().__init__()
        self.words, self.mean = words, torch.zeros(BANDS, 1)
        self.ready = torch.tensor([1, 0, 0, 1])

    def map(self, noise: Tensor) -> Tensor:
        return noise.unsqueeze(2)

    def synthesise(self, code: Tensor) -> Tensor:
        shades = code[:, :, 0].clamp(-1, 1).repeat_interleave(SIDE // BANDS, 1)
        return shades[:, None, :, None].expand(-1, 3, -1, SIDE)

    def code_of(self, kind: str, given: Tensor) -> Tensor:
        if kind == "image":
            return 0.9 * bands(given).unsqueeze(2)  # a tenth is lost
        code = torch.zeros(len(given), BANDS, 1)
        for row, numbers in enumerate(given.tolist()):
            text = " ".join(self.words.words[number] for number in numbers if number)
            for name, there in asked(text).items():
                code[row, NAMES.index(name), 0] = 2 if there else -2
        return code

    def optimise(self, image: Tensor, start: Tensor, *, steps: int, each: Any) -> Tensor:
        for step in range(steps):
            each(step + 1, 0.0)
        return bands(image).unsqueeze(2)


class Reading:
    """A judge that sees the bands."""

    def classify(self, images: Tensor) -> Tensor:
        return 10 * bands(images)[:, : len(NAMES)]

    def features(self, images: Tensor) -> Tensor:
        return bands(images)


def judging(collection: Collection, *, measured: bool = True, **options: Any) -> Judge:
    """The ideal drawer before a judge; `measured`: with a table of which layer an attribute has."""
    assert collection.vocabulary is not None
    table = {name: [place] for place, name in enumerate(NAMES)}
    card = {"name": "ideal", "system": "tedigan", "layers": {"table": table} if measured else None}
    system: Any = Ideal(collection.vocabulary)
    loaded: Any = SimpleNamespace(name="ideal", system=system, card=card, vocabulary=collection.vocabulary, folder=None)
    given = {"split": "test", "limit": None, "seed": 0, "device": "cpu", "steps": 2, "perceptual": None}
    job = Job(loaded, Path("."), collection, SimpleNamespace(**{**given, "retriever": None, **options}))
    judge: Any = SimpleNamespace(name="judge", system=Reading())
    nothing = nn.Linear(1, 1)
    distance = Perceptual("squares", nothing, lambda x, y: (x - y).square().mean((1, 2, 3)), weight=1)
    return Judge(job, judge, distance, "perceptual")


def value(figures: Mapping[str, Any], name: str) -> float:
    found = figures[name].value
    assert isinstance(found, float), figures[name]
    return found


def test_an_ideal_editor_changes_what_is_asked_and_nothing_else(collection: Collection) -> None:
    judge = judging(collection)
    figures = face_edits.edits(judge)
    for ending in ("", "_replace"):
        assert value(figures, f"edited_asked{ending}") == value(figures, f"flipped{ending}") == 1
        assert value(figures, f"interference{ending}") == value(figures, f"interference_moved{ending}") == 0
        assert value(figures, f"outside{ending}") == 0
    assert value(figures, "identity") > value(figures, "identity_others")
    heads, *rows = judge.job.tables["edits by a short instruction, move, in percent"]
    assert heads[:4] == ["edit", "faces", "as asked", "flipped"]
    names = [row[0] for row in rows]
    assert names[0] == "hair colour" and "Eyeglasses, added" in names and "Wearing_Hat, removed" in names
    of = {row[0]: int(row[1]) for row in rows}
    assert of["Smiling"] == of["Smiling, added"] + of["Smiling, removed"] == 160
    assert judge.job.sheets["edits"].width > 300
    _, *rows = judge.job.tables["edits by every attribute, move, in percent"]
    assert {row[0].split(",")[0] for row in rows} == set(NAMES), "each hair colour by itself"
    assert {int(row[1]) for row in rows if "," not in row[0]} == {face_edits.EVERY}
    assert {row[3] for row in rows} == {"100.0"}, "hair of a colour is denied by asking for it, turned round"


def test_an_editor_that_replaces_every_layer_forgets_the_rest(collection: Collection) -> None:
    figures = face_edits.edits(judging(collection, measured=False))
    assert value(figures, "flipped_replace") == 1  # it obeys
    assert value(figures, "interference_replace") > 0.2  # but all else becomes average
    assert value(figures, "outside_replace") > 0.1
    # to move all layers by a difference of two texts that speak of one thing changes that thing alone
    assert value(figures, "interference") < 0.05


def test_each_face_is_asked_to_become_what_it_is_not(collection: Collection) -> None:
    labels = collection.labels[list(collection.split("test"))]
    colour, *others = face_edits.planned(labels, NAMES, seed=0)
    assert all(not labels[row, NAMES.index(name)] for row, name in enumerate(colour.attribute))
    assert len(set(colour.attribute)) == 4 and all(colour.there)
    assert [edit.name for edit in others] == ["Eyeglasses", "Smiling", "Wearing_Hat"]
    for edit in others:
        assert edit.there == [not there for there in labels[:, NAMES.index(edit.name)]]
    row = others[0].there.index(False)
    assert others[0].instruction(row) == "This person does not wear eyeglasses."
    assert face_edits.planned(labels, NAMES[4:6], seed=0)[0].name == "Eyeglasses"


def test_faces_for_texts_show_what_is_asked_and_vary_in_the_rest(collection: Collection) -> None:
    judge = judging(collection)
    figures = face_evaluation.texts(judge)
    assert value(figures, "asked") == value(figures, "asked_true") == value(figures, "asked_text_alone") == 1
    assert 0.3 < value(figures, "asked_chance") < 0.8
    assert value(figures, "perceptual_to_real") < value(figures, "perceptual_to_real_chance")
    assert 0 < value(figures, "perceptual_diversity") < 2 * value(figures, "perceptual_diversity_real")
    # the codes of an ideal reader tell texts apart better than chance, but noise fills what texts leave open
    assert value(figures, "r_precision_codes") > 0.1
    # the judge sees all that is asked; where it is not the first, another's caption fits as well or asks for more
    assert value(figures, "r_precision_judge") > 0.1 and value(figures, "r_precision_judge_true") > 0.1
    assert figures["r_precision"].value == "not measured"
    assert any("160 pictures are few" in sentence for sentence in judge.job.warnings)
    heads, *rows = judge.job.tables["what captions ask and the judge finds, in percent"]
    assert [row[0] for row in rows] == list(NAMES) and {row[2] for row in rows} == {"100.0"}
    (heading,) = (each for each in judge.job.tables if each.startswith("beside the published figures; not comparable"))
    _, own, *others = judge.job.tables[heading]
    assert own[1:] == [f"{value(figures, 'frechet_texts'):.2f}", f"{value(figures, 'perceptual_to_real'):.3f}"]
    assert others[-1] == ["TediGAN", "106.37", "0.456"]
    # without a table the paper's way leaves no layer to the noise; that beside the text needs no table
    still = face_evaluation.texts(judging(collection, measured=False))
    assert value(still, "asked_replace") == value(still, "asked_text_alone") == 1
    assert value(still, "perceptual_diversity") > 0 and value(still, "asked") == 1


def test_what_is_lost_in_reading_is_won_back_by_fitting(collection: Collection) -> None:
    judge = judging(collection)
    figures = face_edits.inverted(judge)
    assert value(figures, "inverted_mse") > 0 and value(figures, "optimised_mse") == pytest.approx(0, abs=1e-9)
    assert value(figures, "optimised_psnr") > value(figures, "inverted_psnr") > 20
    assert value(figures, "optimised_perceptual") < value(figures, "inverted_perceptual")
    assert set(face_edits.inverted(judging(collection, steps=0))) == {
        f"inverted_{name}" for name in ("mse", "psnr", "ssim", "perceptual", "identity")
    }
    found = face_edits.read(judge)
    assert value(found, "read_image_attributes") == 1 and value(found, "read_image_identity") == pytest.approx(1)
    assert "read_sketch_attributes" not in found  # that encoder is not there yet


def test_what_the_judge_cannot_tell_is_neither_asked_nor_counted(collection: Collection) -> None:
    judge = judging(collection, measured=False)
    judge.known = torch.tensor([True] * 5 + [False, True])  # of a smile it has no idea
    column = NAMES.index("Smiling")
    wanted = judge.asked([{"Smiling": True, "Eyeglasses": False}])
    assert wanted.tolist() == [[-1, -1, -1, -1, 0, -1, -1]] and bool(judge.spared(wanted)[0, column])
    blind, seeing = face_edits.edits(judge), face_edits.edits(judging(collection, measured=False))
    assert blind["interference_replace"].what.endswith("answers") and blind != seeing
    assert figures_of(blind, "flipped_replace") < figures_of(seeing, "flipped_replace")  # answers, not shares


def figures_of(figures: Mapping[str, Any], name: str) -> int:
    """How many answers a share is of."""
    return int(figures[name].what.rpartition("; ")[2].split()[0].replace(",", ""))


def test_a_judge_is_asked_on_true_pictures_what_it_can_tell(collection: Collection) -> None:
    judge = judging(collection)
    assert face_judging._told(judge).all()
    judge.loaded.system.classify = lambda images: torch.ones(len(images), len(NAMES))  # type: ignore[union-attr]
    assert not face_judging._told(judge).any()
    judge.known = face_judging._told(judge)
    assert "not counted: Black_Hair" in face_judging.about(judge)["judged_attributes"].what


def test_sets_without_regions_or_these_attributes_say_so(tmp_path: Path, collection: Collection) -> None:
    judge = judging(collection)
    known, judge.job.collection.maps = judge.job.collection.maps, {}
    try:
        assert "outside" not in face_edits.edits(judge)
    finally:
        judge.job.collection.maps = known
    assert face_edits.planned(np.zeros((2, 1), np.uint8), ("Young",), 0) == []


# --- a real system, from end to end -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, collection: Collection) -> Path:
    """Weights of a small TediGAN that nobody trained, which reads everything, and of a judge."""
    out = tmp_path_factory.mktemp("weights")
    module, judging_module = systems.load("tedigan"), systems.load("classifier")
    torch.manual_seed(0)
    system = module.build(module.PRESETS["tiny"], collection.multimodal_facts)
    system.ready.fill_(1)
    with torch.no_grad():  # a generator that does not draw the same for all codes
        for parameter in system.synthesis.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    card = {"data": "faces", "resolution": SIDE, "channels": 3, "classes": list(NAMES), "licence": "CC0", "many": True}
    weights.save(out / "tedigan", system, collection.vocabulary, {**card, "name": "tedigan", "system": "tedigan"})
    judge = judging_module.build(judging_module.PRESETS["tiny"], collection.facts)
    weights.save(out / "judge", judge, None, {**card, "name": "judge", "system": "classifier"})
    return out


def test_a_real_system_is_measured_from_end_to_end(
    run: Path,
    collection: Collection,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(face_judging, "TOLD", 0.0)  # nobody trained this judge; here it is believed
    words = ["evaluate", str(run / "tedigan"), "--data", str(collection.path), "--judge", str(run / "judge")]
    words += ["--samples", "20", "--limit", "128", "--steps", "2", "--perceptual", str(run / "judge")]
    assert main([*words, "--out", str(tmp_path / "report"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    figures = report["figures"]
    for name in ("asked", "asked_true", "interference", "identity", "outside", "read_sketch_attributes"):
        assert 0 <= figures[name]["value"] <= 1, name
    for name in ("inverted_mse", "optimised_mse", "perceptual_to_real", "perceptual_diversity", "frechet_texts"):
        assert math.isfinite(figures[name]["value"]) and figures[name]["value"] >= 0, name
    assert figures["optimised_mse"]["value"] < figures["inverted_mse"]["value"]  # two steps down
    assert "frechet_classifier" in figures  # of what it generates from noise
    assert any("are few" in sentence for sentence in report["warnings"])
    assert {file.name for file in (tmp_path / "report").iterdir()} >= {"edits.png", "texts.png", "evaluation.md"}
    page = (tmp_path / "report" / "evaluation.md").read_text()
    assert "| edit | faces | as asked |" in page and "| Wearing_Hat |" in page


def test_without_a_judge_nothing_is_claimed(
    run: Path, collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(run / "tedigan"), "--data", str(collection.path), "--classifier", "none"]
    assert main([*words, "--samples", "4", "--out", str(tmp_path / "report")]) == 0
    assert "no judge of attributes; name a classifier with --classifier" in " ".join(capsys.readouterr().out.split())
    bad = ["evaluate", str(run / "tedigan"), "--data", str(collection.path), "--judge", str(run / "tedigan")]
    assert main([*bad, "--samples", "4", "--out", str(tmp_path / "report")]) == 2
    assert "which does not classify pictures" in capsys.readouterr().err
