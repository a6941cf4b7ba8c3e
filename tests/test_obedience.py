"""Whether drawn solids are what captions name: closed forms, laws, and the judge's door."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from telldraw import pixels, systems, weights
from telldraw.commands.obedience import NAMES, TABLE, encoded, measured
from telldraw.data.clevr.birds import scene, streams
from telldraw.data.clevr.captions import captions
from telldraw.data.clevr_birds import KINDS, Plan, label
from telldraw.errors import TelldrawError, TrainingError, WeightsError
from telldraw.metrics.attributes import SHIFTS, Share, doubtful, fits, likeliest, shares, solids_found, values_found


def seen(*kinds: str) -> Tensor:
    """What a judge that is sure says of a picture of these kinds, [48]."""
    return torch.tensor([0.9 if kind in kinds else 0.01 for kind in KINDS])


def shares_of(said: list[str], pictures: list[Tensor], shifts: int = SHIFTS) -> dict[str, Share]:
    asked, kept = encoded(said)
    assert kept == list(range(len(said)))
    return shares(torch.stack(pictures), asked, TABLE, NAMES, shifts=shifts)


# --- the figures --------------------------------------------------------------------------------------------------


def test_the_table_is_that_of_the_names() -> None:
    asked, _ = encoded([f"a {kind}" for kind in KINDS])
    assert torch.equal(asked[:, 0], TABLE) and bool((asked[:, 1] == -1).all())
    assert torch.equal(fits(asked, TABLE)[:, 0], torch.eye(48, dtype=torch.bool))


def test_what_is_bound_wrongly_has_every_attribute_and_no_solid() -> None:
    found = shares_of(["a small blue cube and a large red ball"], [seen("small red cube", "large blue sphere")])
    assert {name: share.value for name, share in found.items()} == {
        **{"size": 1.0, "colour": 1.0, "shape": 1.0},
        **{"solids": 0.0, "captions": 0.0, "count": 1.0},
    }


def test_figures_by_hand() -> None:
    said = ["a red cube and a small blue ball", "a large gray cylinder", "a green ball"]
    pictures = [seen("large red cube", "small blue cube"), seen("small gray cylinder"), seen("large green sphere")]
    found = shares_of(said, pictures)
    assert {name: (share.value, share.of) for name, share in found.items()} == {
        "size": (1 / 2, 2),  # said twice: small is there, large is not
        "colour": (1.0, 4),
        "shape": (3 / 4, 4),
        "solids": (2 / 4, 4),
        "captions": (1 / 3, 3),
        "count": (1.0, 3),
    }
    # right - share of each caption: 1 - 1, 0 - 1/2, 1 - 1/2; over n (n - 1), root, by 4/3 solids a caption
    assert found["solids"].error == pytest.approx(math.sqrt(0.5 / 6) / (4 / 3))
    assert found["captions"].error == pytest.approx(math.sqrt(2 / 9 / 2))  # p (1 - p) / (n - 1)


def test_two_of_a_colour_need_two_solids() -> None:
    asked, _ = encoded(["a red cube and a red ball"])
    one = torch.stack([seen("small red cube", "small blue sphere") > 0.5])
    two = torch.stack([seen("small red cube", "large red cylinder") > 0.5])
    assert [int(values_found(found, asked, TABLE, 1)[0]) for found in (one, two)] == [1, 2]
    assert solids_found(two, asked, TABLE).tolist() == [[True, False]]


def test_the_likeliest_count_however_unlikely_they_are() -> None:
    probability = torch.tensor([[0.1, 0.3, 0.2], [0.5, 0.5, 0.5]])
    assert likeliest(probability, torch.tensor([2, 1])).tolist() == [[False, True, True], [True, False, False]]


def test_chance_is_over_all_other_captions_pictures() -> None:
    """Of eight captions, one of each colour: all colours are right, and none is with any other's picture."""
    colours = list(dict.fromkeys(kind.split()[1] for kind in KINDS))
    found = shares_of([f"a large {c} cube" for c in colours], [seen(f"large {c} cube") for c in colours])
    assert found["colour"].value == 1 and found["colour"].chance == 0 == found["solids"].chance
    assert found["size"].chance == found["shape"].chance == found["count"].chance == 1
    # one of each kind: of 47 others 23 have the size, 5 the colour, 15 the shape
    found = shares_of([f"a {kind}" for kind in KINDS], [seen(kind) for kind in KINDS])
    assert [found[name].chance for name in NAMES] == pytest.approx([23 / 47, 5 / 47, 15 / 47])


def test_more_captions_than_shifts_give_nearly_the_same_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    which = torch.randint(48, (300, 2), generator=generator).tolist()
    said, pictures = [f"a {KINDS[a]}" for a, _ in which], [seen(KINDS[b]) for _, b in which]
    every, some, none = (shares_of(said, pictures, shifts=count) for count in (1000, 40, 0))
    assert math.isnan(none["solids"].chance) and none["solids"][:2] == some["solids"][:2] == every["solids"][:2]
    for name in NAMES:
        assert some[name].chance == pytest.approx(every[name].chance, abs=0.02)
        assert every[name].chance == pytest.approx({"size": 1 / 2, "colour": 1 / 8, "shape": 1 / 3}[name], abs=0.03)


@given(st.integers(0, 500), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_true_captions_of_true_labels_are_right(number: int, which: int) -> None:
    shown = scene(1, "train", number, mixed=True)
    said = captions(streams(1, "train", number)[3], shown, 10)[which]
    truth = torch.from_numpy(label(shown, kinds=True)).float()
    assert all(share.value == 1 or not share.of for share in shares_of([said], [truth]).values())
    # a solid is found with all that is said of it only where each part of it is
    other = torch.from_numpy(label(scene(2, "train", number, mixed=True), kinds=True)).float()
    found = shares_of([said], [other])
    assert found["solids"].value <= min(found["colour"].value, found["shape"].value)


def test_a_kind_that_could_be_two_solids_cannot_be_judged() -> None:
    asked = torch.tensor([[[-1, 3, 0], [0, 3, 0]], [[1, 3, 0], [0, 3, 0]]])
    assert doubtful(asked, TABLE).tolist() == [True, False]
    with pytest.raises(ValueError, match="one kind could be"):
        shares(torch.zeros(2, 48), asked, TABLE, NAMES)


@pytest.mark.parametrize(
    ("probability", "asked", "what"),
    [
        (torch.zeros(2, 48), torch.zeros(3, 2, 3, dtype=torch.int64), "were expected"),
        (torch.zeros(2, 47), torch.zeros(2, 2, 3, dtype=torch.int64), "were expected"),
        (torch.zeros(2, 48), -torch.ones(2, 2, 3, dtype=torch.int64), "names nothing"),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(probability: Tensor, asked: Tensor, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        shares(probability, asked, TABLE, NAMES)


# --- the judge ----------------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """Reads the kinds off the first pixels of a picture, where the test wrote them."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(8.0))

    def classify(self, images: Tensor) -> Tensor:
        return self.scale * images[:, 0].flatten(1)[:, :48]

    def features(self, images: Tensor) -> Tensor:
        return images[:, 0].flatten(1)[:, :3]


def judge(classes: tuple[str, ...] = KINDS) -> Any:
    return SimpleNamespace(name="reader", system=Reader(), card={"classes": list(classes), "resolution": 8})


def picture(*kinds: str) -> Tensor:
    drawn = -torch.ones(3, 8, 8)
    drawn[0].view(-1)[:48] = 2 * (seen(*kinds) > 0.5).float() - 1
    return drawn


def test_measured_says_all_of_it() -> None:
    said = ["a red cube", "a small blue ball behind a red cube", "rain", "a red cube and a small red cube"]
    drawn = torch.stack([picture("small red cube"), picture("small blue sphere", "large gray cube"), *[picture()] * 2])
    true = torch.stack([picture("large red cube"), picture("small blue sphere", "large red cube"), *[picture()] * 2])
    found = measured(judge(), drawn, said, true=true, train=drawn.flip(3))
    assert found["captions_left_out"].value == 2
    assert found["obeyed_solids"].value == pytest.approx(2 / 3) and found["obeyed_solids_true"].value == 1
    assert found["obeyed_colour"].value == pytest.approx(2 / 3) and found["obeyed_shape"].value == 1
    assert found["obeyed_captions"].value == 1 / 2 and found["obeyed_count"].value == 1
    # given the other drawing, "a red cube" finds none, and of the two solids the red cube is found
    assert found["obeyed_solids_chance"].value == pytest.approx(1 / 3)
    assert "share of 3 solids named in captions that reader finds" in found["obeyed_solids"].what
    assert {"frechet_classifier", "frechet_classifier_floor"} <= set(found)
    same = measured(judge(), true, said, true=true)
    assert same["frechet_classifier"].value == pytest.approx(0, abs=1e-9)
    assert set(measured(judge(), drawn[:1], said[:1])) == {
        f"obeyed_{name}{ending}" for name in (*NAMES, "solids", "captions", "count") for ending in ("", "_chance")
    }


@pytest.mark.parametrize(
    ("classes", "images", "said", "error", "what"),
    [
        (KINDS[::-1], torch.zeros(1, 3, 8, 8), ["a red cube"], WeightsError, "does not tell the 48 kinds"),
        (KINDS, torch.zeros(1, 3, 16, 16), ["a red cube"], TelldrawError, "looks at colour pictures of 8 x 8"),
        (KINDS, torch.zeros(2, 3, 8, 8), ["a red cube"], TelldrawError, "a picture for each of the 1 captions"),
        (KINDS, torch.zeros(1, 3, 8, 8), ["rain"], TelldrawError, "none of the 1 captions names solids"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    classes: tuple[str, ...], images: Tensor, said: list[str], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        measured(judge(classes), images, said)


# --- classes that are combinations --------------------------------------------------------------------------------


def test_combined_is_the_closed_form() -> None:
    module = systems.load("classifier")
    read = torch.randn(3, 14, 5, generator=torch.Generator().manual_seed(0))
    there, size, colour, shape = read[:, 0].sigmoid(), *(part.softmax(1) for part in read[:, 1:].split((2, 8, 3), 1))
    at = torch.einsum("np,nsp,ncp,nfp->nscfp", there, size, colour, shape).flatten(1, 3)
    found = module.combined(read, (2, 8, 3)).sigmoid()
    assert torch.allclose(found, 1 - (1 - at).prod(2), atol=1e-6)
    sure = torch.zeros(1, 14, 5)
    sure[0, [0, 2, 4, 12], 1] = 200.0  # "large", second colour, second shape, at one place; nowhere else anything
    sure[0, 0, [0, 2, 3, 4]] = -200.0
    logits = module.combined(sure, (2, 8, 3))
    assert bool(logits.isfinite().all()) and (logits[0] > 0).nonzero().tolist() == [[(1 * 8 + 1) * 3 + 1]]


def test_combinations_are_learned_together() -> None:
    """Two solids, as colour and shape of halves of a picture: after some steps each is read with what is its own."""
    module = systems.load("classifier")
    config = module.Config(
        resolution=16, channels=3, num_classes=4, many=True, factors=(2, 2), widths=(8, 8),
        dropout=0.1, shift=0.0, turn=0.0, stretch=0.0, mirror=True, steps=80, rate=1e-2,
    )  # fmt: skip
    torch.manual_seed(0)
    system = module.System(config)
    (optimizer,) = system.optimizers().values()

    def batch(count: int) -> tuple[Tensor, Tensor]:
        images, labels = -torch.ones(count, 3, 16, 16), torch.zeros(count, 4)
        for half in range(2):
            kind = torch.randint(4, (count,))
            labels[torch.arange(count), kind] = 1
            for n, (colour, shape) in enumerate(zip((kind // 2).tolist(), (kind % 2).tolist(), strict=True)):
                images[n, colour, 8 * half + 1 : 8 * half + 7, slice(2, 14) if shape else slice(6, 9)] = 1
        return images, labels

    for _ in range(80):
        images, labels = batch(16)
        loss = system._loss(system._logits(system._varied(images), config.dropout), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    system.eval()
    images, labels = batch(200)
    assert float(((system.classify(images) > 0) == (labels > 0)).all(1).float().mean()) > 0.95


@pytest.mark.parametrize(
    ("classes", "many", "what"),
    [
        (("a", "b"), True, "no such combinations of words"),
        (KINDS[::-1][:24], True, "no such combinations of words"),
        (KINDS, False, "may show several"),
    ],
)
def test_classes_that_are_no_such_combinations_are_refused(classes: tuple[str, ...], many: bool, what: str) -> None:
    module = systems.load("classifier")
    facts = SimpleNamespace(name="x", classes=classes, many=many, resolution=64, channels=3)
    with pytest.raises(TrainingError, match=what):
        module.build(module.PRESETS["birds"], facts)


def test_the_judge_at_hand_sees_the_kinds() -> None:
    folder = weights.at_hand().get("classifier-birds-64")
    if folder is None:
        pytest.skip("the weights classifier-birds-64 are not at hand")
    about, system = weights.card(folder), weights.load(folder).system
    assert tuple(about["classes"]) == KINDS and about["figures"]["exact"] > 0.95 and "CC0" in about["licence"]
    right, painter = 0, Plan(0, 0, 12, 64).painter()
    for number in range(12):
        shown = scene(9, "test", number)
        drawn = pixels.to_float(torch.from_numpy(painter.draw(shown)[None]))
        with torch.inference_mode():
            found = (cast("Any", system).classify(drawn)[0] > 0).nonzero()[:, 0].tolist()
        right += sorted(KINDS[index] for index in found) == sorted(" ".join(kind) for kind in shown.content.kinds)
    assert right >= 10
