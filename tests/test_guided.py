"""Faces told by texts, sketches and maps of regions, from training to editing, through the command line."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from faces_like import make_faces
from telldraw import pixels, weights
from telldraw.cli import main
from telldraw.commands import edit, guide_input, guided, layers, picture_input, steering
from telldraw.data.clevr_birds import Plan
from telldraw.data.collection import Collection
from telldraw.data.portrait.painter import paint
from telldraw.data.portrait.traits import face
from telldraw.errors import TelldrawError
from telldraw.metrics import clip

QUICK = ["--batch-size", "8", "--examples", "32", "--sheet-every", "32", "--config.perceptual-weight", "0"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_faces(tmp_path_factory.mktemp("faces") / "faces.telldraw")


@pytest.fixture(scope="module")
def runs(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A StyleGAN, and on it the stages of TediGAN, each begun with the one before; and a judge."""
    folder = tmp_path_factory.mktemp("runs")
    found = {name: str(folder / name) for name in ("gan", "image", "sketch", "regions", "text", "judge")}
    data = ["--data", str(faces), "--device", "cpu"]
    assert main(["train", "stylegan", *data, "--preset", "tiny", *QUICK[:-2], "--out", found["gan"]]) == 0
    before = found["gan"]
    for stage in ("image", "sketch", "regions", "text"):
        preset = "tiny" if stage == "image" else f"tiny-{stage}"
        how = ["--preset", preset, "--start-from", before, *QUICK, "--out", found[stage]]
        assert main(["train", "tedigan", *data, *how]) == 0
        before = found[stage]
    small = ["--config.widths", "4", "8", *QUICK[:-2]]
    assert main(["train", "classifier", *data, "--preset", "tiny", *small, "--out", found["judge"]]) == 0
    unbiased(found["judge"], found["image"])
    return found


@torch.no_grad()
def unbiased(judge: str, drawer: str) -> None:
    """Let a judge that has hardly learned anything say yes of every other picture."""
    system: Any = weights.load(weights.find(drawer)).system
    loaded: Any = weights.load(weights.find(judge))
    images = system.synthesise(system.map(torch.randn(64, system.noise_dim)))
    loaded.system.head.bias -= loaded.system.classify(images).median(0).values
    tensors = {name: tensor.contiguous() for name, tensor in loaded.system.state_dict().items()}
    save_file(tensors, Path(judge) / "weights" / "model.safetensors")


def ready_of(run: str) -> list[int]:
    system: Any = weights.load(weights.find(run)).system
    return system.ready.tolist()


def size_of(path: Path | str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture(scope="module")
def photo(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A picture of the set with its sketch and its map of regions, as files."""
    collection, folder = Collection.open(faces), tmp_path_factory.mktemp("files")
    Image.fromarray(collection.images[0].transpose(1, 2, 0)).save(folder / "photo.png")
    Image.fromarray(np.asarray(collection.maps["sketch"].rows)[0]).save(folder / "sketch.png")
    Image.fromarray(np.asarray(collection.maps["regions"].rows)[0]).save(folder / "regions.png")
    Image.new("RGB", (8, 8), (200, 0, 0)).save(folder / "small.png")
    Image.fromarray(np.full((16, 16), 9, np.uint8)).save(folder / "wrong.png")
    Image.new("L", (16, 16), 0).save(folder / "dark.png")
    return {path.stem: str(path) for path in folder.iterdir()}


def test_each_stage_keeps_what_was_trained_before(runs: dict[str, str]) -> None:
    ready = {stage: ready_of(runs[stage]) for stage in ("image", "text")}
    assert ready == {"image": [1, 0, 0, 0], "text": [1, 1, 1, 1]}
    first, last = (weights.load(weights.find(runs[stage])).system.state_dict() for stage in ("image", "text"))
    kept = [name for name in first if name.startswith(("mapping.", "synthesis.", "encoders.image."))]
    assert kept and all((first[name] == last[name]).all() for name in kept)


def test_sheets_show_what_is_drawn_from_each_form(runs: dict[str, str]) -> None:
    assert len(list((Path(runs["text"]) / "sheets").glob("*.png"))) >= 3  # generated, reconstructed, guided


@pytest.mark.parametrize(
    "words",
    [
        ["she is smiling", "he wears a hat"],
        ["--sketch", "sketch"],
        ["--label", "regions"],
        ["she is smiling", "--sketch", "sketch"],
        ["she is smiling", "--image", "photo", "--layers", "2-3"],
        ["--sketch", "sketch", "--image", "photo", "--content", "sketch", "--style", "image"],
        ["she is smiling", "--content", "noise", "--style", "text"],
        [],
    ],
    ids=" ".join,
)
def test_what_is_given_is_drawn(words: list[str], runs: dict[str, str], photo: dict[str, str], tmp_path: Path) -> None:
    names = ("sketch", "regions", "photo")
    kinds = ("--content", "--style")
    given = [
        photo[word] if word in names and not (n and words[n - 1] in kinds) else word for n, word in enumerate(words)
    ]
    out = tmp_path / "out.png"
    assert main(["generate", runs["text"], *given, "--n", "3", "--out", str(out)]) == 0
    assert size_of(out)[0] > 100


def test_the_same_seed_gives_the_same_faces(runs: dict[str, str], tmp_path: Path) -> None:
    told = ["generate", runs["text"], "she is smiling", "--n", "2"]
    for name in ("a", "b"):
        assert main([*told, "--folder", str(tmp_path / name)]) == 0
    assert main([*told, "--seed", "1", "--layers", "0", "--folder", str(tmp_path / "c")]) == 0
    first, again, other = ((tmp_path / name / "00000.png").read_bytes() for name in "abc")
    assert first == again and first != other


def test_a_picture_is_edited_text_by_text(
    runs: dict[str, str], photo: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, only = tmp_path / "sheet.png", tmp_path / "only.png"
    told = [photo["photo"], "she is not smiling", "she wears a hat", "--steps", "5", "--label", photo["regions"]]
    assert main(["edit", runs["text"], *told, "--out", str(out), "--only", str(only)]) == 0
    said = capsys.readouterr().out
    assert "as read: mean square error" in said and "after 5 steps: mean square error" in said
    assert "'she is not smiling' is about Smiling no; layers 0, 1, 2, 3, 4, 5" in said
    assert size_of(only) == (16, 16) and size_of(out)[0] > 300


def test_a_picture_of_a_set_is_edited(runs: dict[str, str], faces: Path, tmp_path: Path) -> None:
    told = ["she wears a hat", "--data", str(faces), "--index", "1", "--steps", "0", "--how", "replace"]
    assert main(["edit", runs["text"], *told, "--out", str(tmp_path / "a.png")]) == 0


def test_fitting_comes_nearer(
    runs: dict[str, str], photo: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [photo["photo"], "--steps", "60", "--perceptual", runs["judge"], "--out", str(tmp_path / "a.png")]
    assert main(["edit", runs["text"], *told]) == 0
    errors = [float(line.split("error ")[1].split()[0]) for line in capsys.readouterr().out.splitlines()[:2]]
    assert errors[1] < errors[0]


def test_layers_are_measured_and_then_used(
    runs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure, numbers = tmp_path / "layers.png", tmp_path / "layers.json"
    told = ["--judge", runs["judge"], "--pairs", "12", "--out", str(figure), "--json", str(numbers)]
    assert main(["layers", runs["image"], *told]) == 0
    assert "SMILING" not in capsys.readouterr().out.splitlines()[0]
    found = json.loads(numbers.read_text())
    assert set(found["table"]) == {"Smiling", "Wearing_Hat", "Black_Hair"} and len(found["runs"]) == 21
    assert size_of(figure)[0] > 200
    kept = json.loads((Path(runs["image"]) / "weights" / "config.json").read_text())
    assert kept["layers"]["table"] == found["table"] and kept["layers"]["judge"]
    assert kept["layers"]["codes"] == "noise"


def test_layers_are_measured_on_codes_of_pictures(
    runs: dict[str, str], faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = weights.load(weights.find(runs["image"]))
    system: Any = loaded.system
    codes = layers._codes(loaded, layers.Options(runs["image"], runs["judge"], data=faces, pairs=2))
    collection = Collection.open(faces)
    rows = list(collection.split("val"))
    with torch.inference_mode():
        true = system.encode(pixels.to_float(torch.from_numpy(collection.images[rows])))
    nearest = torch.cdist(codes.flatten(1), true.flatten(1)).min(1)
    assert nearest.values.max() < 1e-4 and len(set(nearest.indices.tolist())) == 4
    without = shutil.copytree(faces, tmp_path / "without.telldraw")  # Multi-Modal CelebA-HQ has no val
    manifest = json.loads((without / "manifest.json").read_text())
    manifest["splits"]["train"] = [manifest["splits"]["train"][0], manifest["splits"].pop("val")[1]]
    (without / "manifest.json").write_text(json.dumps(manifest))
    codes = layers._codes(loaded, layers.Options(runs["image"], runs["judge"], data=without, pairs=2))
    assert len(codes) == 4
    told = ["--judge", runs["judge"], "--no-keep", "--out", str(tmp_path / "layers.png")]
    capsys.readouterr()
    assert main(["layers", runs["image"], *told, "--data", str(faces), "--pairs", "5000"]) == 2
    assert "--pairs 5000: the split 'val' of" in capsys.readouterr().err
    assert main(["layers", runs["gan"], *told, "--data", str(faces), "--pairs", "2"]) == 2
    assert "reads no codes from pictures; leave --data out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sketch", "dark"], "is mostly dark; a sketch has dark lines on white paper"),
        (["--sketch", "white"], "has no dark line; a sketch has dark lines on white paper"),
        (["--sketch", "grey"], "is no sketch, which has dark lines on white paper; --image is for photographs"),
        (["--label", "black"], "has region 0 alone; a map of a face has several"),
        (["--label", "wrong"], "has region 9; .* knows 0 to 3"),
        (["--label", "small"], r"--label: .* is in colour \(RGB\)"),
        (["--sketch", "small"], "has 8x8 pixels, .* takes 16x16; give --resize"),
        (["--sketch", "nothing.png"], "--sketch: there is no picture nothing.png"),
        (["she is smiling", "--image", "nothing.png"], "--image: there is no picture nothing.png"),
        (["--layers", "99"], "--layers 99: nothing is given to draw from"),
        (["--table", "nope"], "--table nope: nothing is given to draw from"),
        (["--content", "text"], "--content text: nothing is given to draw from"),
        (["--content", "noise", "--style", "noise"], "--content noise: nothing is given to draw from"),
        (["she is smiling", "--content", "noise", "--style", "noise"], "--content and --style are both noise"),
        (["--sketch", "sketch", "--table", "all"], "--table all: layers of attributes are for a text"),
        (["she is smiling", "--layers", ""], "names no layers; there are 0 to 5"),
        (["she is handsome"], "no word of 'she is handsome' is known"),
        (["xyz abc"], "no word of 'xyz abc' is known"),
        (["she is smiling", "--table", "tedigan14"], "14 layers .* has 6"),
        (["she is smiling", "--table", "auto"], "have not been measured yet: telldraw layers"),
        (["she is smiling", "--layers", "9"], "names no layers; there are 0 to 5"),
        (["she is smiling", "--content", "sketch"], "nothing is given to read it from; give --sketch FILE"),
        (["she is smiling", "--style", "mood"], "--style mood: choose from text, image"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_drawn_from(
    words: list[str],
    said: str,
    runs: dict[str, str],
    photo: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = ("--sketch", "--label", "--image")
    for name, tone in (("white", 255), ("grey", 140), ("black", 0)):
        photo = photo | {name: str(tmp_path / f"{name}.png")}
        Image.new("L", (16, 16), tone).save(photo[name])
    given = [photo.get(word, word) if n and words[n - 1] in flags else word for n, word in enumerate(words)]
    assert main(["generate", runs["text"], *given]) == 2
    errors = capsys.readouterr().err
    assert re.search(said, errors) and "Traceback" not in errors


def test_a_picture_of_one_colour_is_said_to_show_nothing(
    runs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (16, 16), "lightblue").save(tmp_path / "sky.png")
    said = ["--image", str(tmp_path / "sky.png"), "--n", "1", "--out", str(tmp_path / "x.png")]
    assert main(["generate", runs["image"], *said]) == 0
    assert "sky.png is nearly of one colour; a face is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "words", "said"),
    [
        ("image", ["she is smiling", "--steps", "0"], "read no text yet: telldraw train tedigan --preset ...-text"),
        ("text", ["--set", "3=1"], "--set changes numbers of a code"),
        ("text", ["--steps", "-1"], "--steps -1: 0 to"),
        ("text", ["she drives a car"], "'she drives a car' speaks of nothing that can be changed; say another thing"),
        ("text", ["--layers", "99"], "--layers 99: nothing is to be changed; give a text, --sketch or --label"),
        ("text", ["--table", "all"], "--table is for texts, and there is none"),
        ("text", ["--clip", "/nope"], "--clip is for texts, and there is none"),
        ("text", ["--strength", "3"], "--strength is for texts, and there is none"),
        ("text", ["--perceptual", "/nope", "--steps", "0"], "--perceptual /nope is for fitting, and --steps is 0"),
        ("text", ["she is smiling", "--clip", "/nope", "--steps", "0"], "--clip /nope is for fitting"),
        ("text", ["she is smiling", "--layers", ""], "names no layers; there are 0 to 5"),
        ("text", ["she is smiling", "--strength", "nan"], "--strength nan: a number from 0 to 10 is needed"),
        ("text", ["she is smiling", "--strength", "1e30"], "--strength 1e+30: a number from 0 to 10"),
        ("text", ["she is smiling", "--strength", "-1"], "--strength -1: a number from 0 to 10"),
        ("text", ["she is smiling", "--strength", "3", "--how", "replace"], "--strength 3 is of a move"),
        ("text", ["she is smiling", "--clip-weight", "nan"], "--clip-weight nan: a number from 0 to 1000"),
        ("text", ["she is smiling", "--clip-weight", "2"], "--clip-weight 2 weighs a CLIP model; name it with --clip"),
    ],
)
def test_what_cannot_be_edited(
    stage: str,
    words: list[str],
    said: str,
    runs: dict[str, str],
    photo: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["edit", runs[stage], photo["photo"], *words]) == 2
    assert said in capsys.readouterr().err


def test_a_sketch_can_be_learnt_without_pictures(faces: Path, runs: dict[str, str], tmp_path: Path) -> None:
    told = ["train", "tedigan", "--data", str(faces), "--preset", "tiny-sketch", "--start-from", runs["gan"], *QUICK]
    assert main([*told, "--out", str(tmp_path / "run")]) == 0
    assert ready_of(str(tmp_path / "run")) == [0, 1, 0, 0]


def test_a_generator_of_version_2_is_inverted_too(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, gan = ["--data", str(faces), "--device", "cpu"], str(tmp_path / "gan")
    augmented = ["--config.augment", "colour", "--config.augment-target", "0.6"]
    assert main(["train", "stylegan", *data, "--preset", "tiny-v2", *augmented, *QUICK[:-2], "--out", gan]) == 0
    told = ["train", "tedigan", *data, "--preset", "tiny", "--start-from", gan, *QUICK]
    capsys.readouterr()
    assert main([*told, "--out", str(tmp_path / "other")]) == 2
    assert "holds weights of other sizes: version 2 there, 1 here; give the same settings" in capsys.readouterr().err
    assert main([*told, "--config.version", "2", "--out", str(tmp_path / "run")]) == 0
    systems: list[Any] = [weights.load(weights.find(name)).system for name in (gan, str(tmp_path / "run"))]
    drawer, reader = systems
    w = drawer.map(torch.randn(2, drawer.noise_dim))
    torch.testing.assert_close(reader.synthesise(w), drawer.synthesise(w))
    assert ready_of(str(tmp_path / "run")) == [1, 0, 0, 0]


def test_other_weights_are_not_told(
    runs: dict[str, str], photo: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", runs["gan"], "--sketch", photo["sketch"]]) == 2
    assert "reads no sketch; drop the flag" in capsys.readouterr().err
    assert main(["generate", runs["gan"], "--layers", "3"]) == 2
    assert "has no layered codes" in capsys.readouterr().err


def test_a_network_that_compares_is_asked_for(
    faces: Path, runs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["train", "tedigan", "--data", str(faces), "--preset", "tiny", "--start-from", runs["gan"]]
    assert main([*told, "--out", str(tmp_path / "run")]) == 2
    assert "--perceptual is missing" in capsys.readouterr().err
    assert (
        main(
            [
                "train",
                "stylegan",
                "--data",
                str(faces),
                "--preset",
                "tiny",
                "--perceptual",
                "x",
                "--out",
                str(tmp_path / "b"),
            ]
        )
        == 2
    )
    assert "compares no pictures by features; leave it out" in capsys.readouterr().err


# --- texts that move codes ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> weights.Loaded:
    return weights.load(weights.find("tedigan-faces-64"))


def test_faces_are_known_and_what_is_no_face_or_lies_otherwise_is_not(shipped: weights.Loaded) -> None:
    """Faces and CLEVR birds of numbers that no training has seen."""
    system: Any = shipped.system
    drawn = np.stack([paint(face(7, "test", number), 64).picture for number in range(24)])
    birds, _ = Plan(24, 0, 0, seed=7).paint(Plan(24, 0, 0).painter(), range(24))
    images, others = (pixels.to_float(torch.from_numpy(each)) for each in (drawn, birds))
    strange = lambda x: int((system.unlike(x) > guided._STRANGE).sum())  # noqa: E731
    assert strange(images) <= 1
    for wrong in (others, images.flip(2), images.roll(20, 3), images.mT):
        assert strange(wrong) >= 22


def test_what_captions_never_deny_is_moved_from_a_person_of_whom_nothing_is_said(shipped: weights.Loaded) -> None:
    moves = steering.Moves(shipped, {})
    way = steering.told(shipped, ["This person has a mustache."]) - steering.told(shipped, ["This person."])
    assert torch.allclose(moves.across("Mustache", True), way, atol=1e-5)
    assert torch.allclose(moves.across("Mustache", False), -way, atol=1e-5), "the same way, turned round"
    beard = steering.told(shipped, ["This person has a beard."]) - steering.told(shipped, ["This person."])
    assert torch.allclose(moves.across("No_Beard", False), beard, atol=1e-5)
    assert torch.allclose(moves.across("No_Beard", True), -beard, atol=1e-5)
    black = steering.told(shipped, ["This person."]) - steering.told(shipped, ["This person has black hair."])
    assert torch.allclose(moves.across("Black_Hair", False), black, atol=1e-5)


@pytest.mark.parametrize("name", ["Smiling", "Eyeglasses", "Wearing_Hat", "Male", "Blond_Hair", "Wearing_Earrings"])
def test_what_captions_deny_or_is_better_so_is_moved_from_its_contrary(name: str, shipped: weights.Loaded) -> None:
    moves, asked = steering.Moves(shipped, {}), steering.told(shipped, [steering.sentence({name: True})])
    others = torch.cat([steering.told(shipped, [text]) for text in steering.contraries({name: True})])
    assert torch.allclose(moves.across(name, True), asked - others.mean(0), atol=1e-5)


def test_a_drawing_is_stressed_by_the_contrary_of_what_is_asked(shipped: weights.Loaded) -> None:
    moves = steering.Moves(shipped, {})
    nothing = torch.zeros_like(steering.told(shipped, ["This person."]))
    step = moves.imagined(nothing, {"Mustache": True}, nothing)
    texts = ("This person has a mustache.", "This person does not have a mustache.")
    there, absent = (steering.told(shipped, [each]) for each in texts)
    assert torch.allclose(step, steering.EMPHASIS * (there - absent), atol=1e-4)


def test_red_hair_has_the_layers_of_the_other_colours(shipped: weights.Loaded) -> None:
    table = steering.table_of(shipped, None)
    assert steering.layers_for({"Red_Hair": True}, table, 10) == (5, 6, 7, 8, 9)
    change = steering.Change(shipped, "she has red hair", table=table)
    assert change.wanted == {"Red_Hair": True} and change.layers == (3, 4, 5, 6, 7, 8, 9), "and their neighbours"
    moved = change(torch.zeros_like(steering.told(shipped, ["This person."])))[0].any(1)
    assert moved.tolist() == [False] * 3 + [True] * 7


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("make him old", {"Young": False}),
        ("don't smile", {"Smiling": False}),
        ("remove the glasses", {"Eyeglasses": False}),
        ("he is clean shaven", {"No_Beard": True}),
        ("blonde hair", {"Blond_Hair": True}),
    ],
)
def test_what_the_lexicon_knows_needs_no_words_of_the_encoder(
    text: str, wanted: dict[str, bool], shipped: weights.Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    steering.check_texts(shipped, [text])
    steering.check_changes(shipped, [text])
    assert capsys.readouterr().err == "" and steering.understood(shipped, text, subject=False) == wanted
    try:
        steering.check_texts(shipped, [text], "replace")
    except TelldrawError as error:
        assert "is known" in str(error)
    assert "left out" in capsys.readouterr().err or text in ("make him old", "don't smile")


def test_a_text_with_words_that_are_not_known_is_read_in_the_captions_words(shipped: weights.Loaded) -> None:
    assert steering.readable(shipped, "she is blonde, don't smile") == "She has blond hair and is not smiling."
    assert steering.readable(shipped, "make him old") == "He."
    assert steering.readable(shipped, "she is smiling") == "she is smiling"


@pytest.mark.parametrize("other", ["sketch", "label", "image"])
def test_a_text_moves_what_the_other_source_gives(
    other: str, runs: dict[str, str], photo: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = weights.load(weights.find(runs["text"]))
    file = Path(photo[{"sketch": "sketch", "label": "regions", "image": "photo"}[other]])
    own = dict.fromkeys(("sketch", "label", "image")) | {other: file}
    told = guided.drawn(loaded, guided.Given(("she is smiling",), **own), 3)[0]  # type: ignore[arg-type]
    kind = guided._codes(loaded, guided.Given((), **own), other, "cpu")  # type: ignore[arg-type]
    system: Any = loaded.system
    with torch.inference_mode():
        z = system.map(guided.noises(0, 3, system.noise_dim, "cpu"))
        middle = guided.mean_of(system)
        free = middle + guided.TRUNCATION * (z - middle)
        structure = range(system.layers) if other == "image" else steering.structure(system.layers)
        start = steering.mixed(kind.expand_as(free), free, structure)
        expected = system.synthesise(start + steering.STRENGTH * steering.Moves(loaded, {}).of({"Smiling": True}))
    assert torch.allclose(told, expected, atol=1e-4)
    alike = bool((told == told[:1]).all())
    assert alike == (other == "image") == ("all 3 pictures of 'she is smiling' are the same" in capsys.readouterr().err)


def test_what_is_the_content_counts_when_codes_are_put_together(runs: dict[str, str], photo: dict[str, str]) -> None:
    loaded, drawn = weights.load(weights.find(runs["text"])), []
    for content, style in (("text", "sketch"), ("sketch", "text")):
        given = guided.Given(("she is smiling",), Path(photo["sketch"]), content=content, style=style, how="replace")
        drawn.append(guided.drawn(loaded, given, 1))
    assert not torch.equal(*drawn)


def test_truncation_is_for_noise_alone(runs: dict[str, str]) -> None:
    loaded = weights.load(weights.find(runs["text"]))
    with pytest.raises(TelldrawError, match="--truncation 0.5 is for pictures from noise alone; drop it"):
        guided.wanted(loaded, guided.Given(("she is smiling",), truncation=0.5))
    assert not guided.wanted(loaded, guided.Given(truncation=0.5))


def test_clip_is_opened_before_anything_is_fitted(
    runs: dict[str, str], photo: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str, text: str, device: str) -> None:
        raise TelldrawError(f"--clip {name} cannot be loaded")

    monkeypatch.setattr(clip, "Clip", missing)
    monkeypatch.setattr(guided, "fitted", lambda *rest: pytest.fail("fitted before CLIP was opened"))
    assert main(["edit", runs["text"], photo["photo"], "she is smiling", "--clip", "mine"]) == 2
    assert "--clip mine cannot be loaded" in capsys.readouterr().err


def test_clip_goes_on_from_what_the_text_has_made(
    runs: dict[str, str], photo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that all pictures suit alike must not bring back the face that was there before the text."""

    class Content:
        def __init__(self, name: str, text: str, device: str) -> None: ...

        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            return 0 * images.flatten(1).sum(1)

    monkeypatch.setattr(clip, "Clip", Content)
    loaded: Any = weights.load(weights.find(runs["text"]))
    picture = picture_input.of_file(Path(photo["photo"]), loaded)
    held: list[torch.Tensor] = []
    optimise = loaded.system.optimise
    monkeypatch.setattr(
        loaded.system, "optimise", lambda image, *rest, **how: held.append(image) or optimise(image, *rest, **how)
    )
    source = guided.Source(steps=3, clip="content")
    states = guided.edited(loaded, picture, source, guided.Given(("she wears a hat",)))
    assert torch.equal(held[0], picture)
    torch.testing.assert_close(held[1][0], states[-2].image)
    assert states[-1].said == "she wears a hat, by CLIP"


def test_maps_of_regions_in_every_kind_of_file(runs: dict[str, str], tmp_path: Path) -> None:
    loaded, file = weights.load(weights.find(runs["text"])), tmp_path / "map.png"
    numbers = (np.arange(256) % 4).astype(np.uint8).reshape(16, 16)
    for array in (numbers, numbers.astype(np.uint16), np.repeat(numbers[..., None], 3, 2)):
        Image.fromarray(array).save(file)
        assert np.array_equal(guide_input.regions_of(file, loaded)[0].numpy(), numbers), array.dtype
    Image.fromarray(numbers.astype(np.uint16).repeat(2, 0).repeat(2, 1)).save(file)
    assert np.array_equal(guide_input.regions_of(file, loaded, resize=True)[0].numpy(), numbers)
    Image.fromarray(numbers).convert("LA").save(file)
    with pytest.raises(TelldrawError, match=r"has transparency \(LA\); a label map is a PNG"):
        guide_input.regions_of(file, loaded)
    for array, fault in (
        (np.full((16, 16), -3, np.int32), "has region -3; "),
        (numbers + 0.5, r"holds fractions \(F\)"),
    ):
        Image.fromarray(np.asarray(array, np.int32 if array.dtype == np.int32 else np.float32)).save(tmp_path / "a.tif")
        with pytest.raises(TelldrawError, match=fault):
            guide_input.regions_of(tmp_path / "a.tif", loaded)


def test_flags_have_the_defaults_that_are_compared_with() -> None:
    options = edit.Options("weights")
    assert not any(edit._given(options, flag) for flag in edit._TOLD)
