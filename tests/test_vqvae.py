"""VQ-VAE-2: the codebook, the levels, the two stages; and drawing more than is kept."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pictures_like import make_pictures
from telldraw import systems
from telldraw.batches import PictureFacts, Pictures
from telldraw.blocks.quantization import Quantiser
from telldraw.cli import main
from telldraw.errors import TrainingError, WeightsError
from telldraw.metrics.coding import Usage
from telldraw.metrics.rejection import candidates, class_score, kept, scene_score
from telldraw.objectives.codes import commitment, discretised_laplace_nats, perplexity
from telldraw.training.update import Update

MODULE = systems.load("vqvae")
TINY = MODULE.PRESETS["tiny"]
CODES, PRIOR = replace(TINY, stage="codes"), replace(TINY, stage="prior")
CLASSES = ("tree", "sun", "cat")


def facts(**changes: Any) -> PictureFacts:
    values: dict[str, Any] = {"name": "t", "licence": "none", "resolution": 16, "channels": 3, "classes": CLASSES}
    return PictureFacts(**{**values, "many": True, **changes})


def batch(count: int = 6, side: int = 16, channels: int = 3) -> Pictures:
    rng = torch.Generator().manual_seed(0)
    image = torch.rand(count, channels, side, side, generator=rng) * 2 - 1
    return Pictures(image, torch.randint(0, 2, (count, 3), generator=rng).float())


def system(config: Any = TINY, **changes: Any) -> Any:
    torch.manual_seed(0)
    return MODULE.build(config, facts(**changes))


@torch.enable_grad()
def trained(model: Any, steps: int = 2, data: Pictures | None = None) -> Update:
    update = Update(model.train().optimizers())
    for _ in range(steps):
        model.training_step(data or batch(), update)
        update.step += 1
    model.eval()
    return update


# The codebook


def quantiser(**changes: Any) -> Quantiser:
    """Three entries on a line, each used twice so far."""
    found = Quantiser(3, 1, **{"decay": 0.9, "dead": 0.0, **changes})
    found.codebook.copy_(torch.tensor([[0.0], [1.0], [5.0]]))
    found.count.fill_(2)
    found.total.copy_(2 * found.codebook)
    return found


def test_the_nearest_entry_is_taken() -> None:
    torch.manual_seed(0)
    book, z = Quantiser(7, 4), torch.randn(3, 4, 5, 6)
    found = book(z)
    distance = (z.movedim(1, -1).unsqueeze(-2) - book.codebook).square().sum(-1)
    assert torch.equal(found.codes, distance.argmin(-1))
    assert torch.equal(found.entries.movedim(1, -1), book.codebook[found.codes])


def test_the_gradient_of_what_is_passed_on_goes_straight_through() -> None:
    book, z = quantiser(), torch.randn(2, 1, 3, 3, requires_grad=True)
    found = book(z)
    torch.testing.assert_close(found.passed, found.entries)
    (weight := torch.randn(2, 1, 3, 3))
    (found.passed * weight).sum().backward()
    assert z.grad is not None and torch.equal(z.grad, weight)
    assert not found.entries.requires_grad and not book.codebook.requires_grad


def test_the_codebook_follows_as_computed_by_hand() -> None:
    """Vectors .2, .4 (entry 0) and 1.5 (entry 1), decay .9, no smoothing to speak of."""
    book = quantiser(epsilon=1e-12)
    z = torch.tensor([0.2, 0.4, 1.5]).view(1, 1, 1, 3)
    codes = book(z).codes
    assert codes.flatten().tolist() == [0, 0, 1]
    book.follow(z, codes)
    count = [0.9 * 2 + 0.1 * 2, 0.9 * 2 + 0.1 * 1, 0.9 * 2]
    total = [0.9 * 0 + 0.1 * 0.6, 0.9 * 2 + 0.1 * 1.5, 0.9 * 10]
    torch.testing.assert_close(book.count, torch.tensor(count))
    torch.testing.assert_close(book.total.flatten(), torch.tensor(total))
    torch.testing.assert_close(
        book.codebook.flatten(), torch.tensor([t / c for t, c in zip(total, count, strict=True)])
    )


def test_smoothing_moves_counts_towards_their_mean() -> None:
    """N_i <- (N_i + eps) / (sum N + K eps) sum N, with eps so large that the counts are all but even."""
    book = quantiser(epsilon=1e6)
    z = torch.zeros(1, 1, 1, 4)
    book.follow(z, book(z).codes)
    even = float(book.count.sum()) / 3
    torch.testing.assert_close(book.codebook, book.total / even, atol=1e-3, rtol=1e-3)


def test_an_entry_out_of_use_is_put_on_a_vector_of_the_batch() -> None:
    torch.manual_seed(0)
    book = quantiser(dead=0.5)
    z = torch.rand(1, 1, 8, 8)
    anew = 0
    for _ in range(30):
        codes = book(z).codes
        assert 2 not in codes or anew
        anew += int(book.follow(z, codes))
        if anew:
            break
    assert anew == 1
    assert float(book.codebook[2]) in z.flatten().tolist()
    even = float(book.count.sum()) / 3
    assert float(book.count[2]) == pytest.approx(even, rel=0.5)
    torch.testing.assert_close(book.total[2], book.codebook[2] * book.count[2])
    assert bool((book(z).codes == 2).any()), "it is in use from now on"


def test_a_new_codebook_begins_with_the_data() -> None:
    torch.manual_seed(0)
    book, z = Quantiser(32, 2), 0.01 * torch.randn(4, 2, 8, 8) + 3
    book.follow(z, book(z).codes)
    assert bool(((book.codebook - 3).abs() < 0.1).all())
    assert float(perplexity(torch.bincount(book(z).codes.flatten(), minlength=32))) > 10


def test_quantising_changes_nothing() -> None:
    book, z = quantiser(), torch.randn(2, 1, 3, 3)
    before = {key: value.clone() for key, value in book.state_dict().items()}
    book(z)
    assert all(torch.equal(value, before[key]) for key, value in book.state_dict().items())


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any))
def test_perplexity_lies_between_one_and_the_number_of_codes_used(used: list[int]) -> None:
    found = float(perplexity(torch.tensor(used)))
    assert 1 - 1e-4 <= found <= sum(map(bool, used)) * (1 + 1e-4)


def test_perplexity_of_even_use_and_of_one_code() -> None:
    assert float(perplexity(torch.full((9,), 4))) == pytest.approx(9)
    assert float(perplexity(torch.tensor([0, 7, 0]))) == pytest.approx(1)
    assert float(perplexity(torch.tensor([3, 1]))) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )


def test_commitment_moves_the_encoder_alone() -> None:
    z, e = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    loss = commitment(z, e)
    assert loss.item() == pytest.approx(((z - e) ** 2).mean().item())
    loss.backward()
    assert e.grad is None and z.grad is not None


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 0.1), (0.37, 0.02), (-0.9, 0.3), (0.001, 1 / 255)])
def test_the_masses_of_grey_levels_are_those_of_the_laplace_distribution(mean: float, scale: float) -> None:
    grey = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    where, wide = torch.tensor(mean, dtype=torch.float64), torch.tensor(scale, dtype=torch.float64)
    found = -discretised_laplace_nats(where, wide, grey.view(-1, 1, 1, 1))
    laplace = torch.distributions.Laplace(where, wide)
    mass = laplace.cdf(grey + 1 / 255) - laplace.cdf(grey - 1 / 255)
    torch.testing.assert_close(found.exp(), mass, atol=1e-9, rtol=1e-4)
    assert float(found.exp().sum()) <= 1 + 1e-12


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 99))
def test_usage_does_not_depend_on_how_pictures_are_batched(sizes: list[int], seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    fine, coarse = (
        torch.randint(9, (sum(sizes), 4, 4), generator=rng),
        torch.randint(3, (sum(sizes), 2, 2), generator=rng),
    )
    nats = torch.rand(2, sum(sizes), generator=rng)
    whole, parts = Usage(9), Usage(9)
    whole.see([fine, coarse], list(nats))
    start = 0
    for size in sizes:
        rows = slice(start, start + size)
        parts.see([fine[rows], coarse[rows]], list(nats[:, rows]))
        start += size
    assert parts.levels() == whole.levels()
    first, second = whole.levels()
    assert first.perplexity == pytest.approx(float(perplexity(torch.bincount(fine.flatten()))), rel=1e-5)
    there = [float(perplexity(torch.bincount(fine[:, y, x])).log()) for y in range(4) for x in range(4)]
    assert first.local == pytest.approx(math.exp(sum(there) / 16), rel=1e-5)
    assert first.local <= first.perplexity + 1e-9
    assert second.used == len(coarse.unique()) and (first.side, second.side) == (4, 2)
    total = whole.nats()
    assert total is not None and total[0] == pytest.approx(float(nats.sum(0).mean()), rel=1e-5)


def test_a_map_that_is_the_same_for_all_has_a_local_perplexity_of_one() -> None:
    usage = Usage(4)
    usage.see([torch.arange(4).view(1, 2, 2).expand(7, 2, 2)])
    (level,) = usage.levels()
    assert level.perplexity == pytest.approx(4) and level.local == pytest.approx(1)


# Levels and stages


@pytest.mark.parametrize("strides", [(4,), (4, 2), (2, 2), (8, 2), (2, 2, 2)], ids=str)
@torch.no_grad()
def test_any_number_of_levels(strides: tuple[int, ...]) -> None:
    model = system(replace(TINY, strides=strides, prior_layers=(1,) * len(strides)))
    trained(model)
    sides, side = [], 16
    for stride in strides:
        side //= stride
        sides.append(side)
    data = batch()
    code = model.encode(data.image)
    assert code.shape == (6, sum(side**2 for side in sides)) and code.dtype == torch.int64
    assert [tuple(each.codes.shape[1:]) for each in model.autoencoder(data.image).quantised] == [(s, s) for s in sides]
    assert model.noise_dim == code.shape[1]
    assert model.generate(torch.randn(2, model.noise_dim), data.label[:2]).shape == (2, 3, 16, 16)
    assert len(model.code_nats(data.image)) == len(strides)


@torch.no_grad()
def test_decoding_codes_gives_what_the_autoencoder_itself_reconstructs() -> None:
    model, data = system(), batch()
    trained(model)
    encoded = model.autoencoder(data.image)
    straight = model.autoencoder.decode(encoded.context[0]).clamp(-1, 1)
    torch.testing.assert_close(model.decode(model.encode(data.image)), straight, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_coarse_level_comes_first_in_a_code() -> None:
    model, data = system(), batch()
    trained(model)
    fine, coarse = (each.codes for each in model.autoencoder(data.image).quantised)
    code = model.encode(data.image)
    assert torch.equal(code[:, : coarse[0].numel()], coarse.flatten(1))
    assert torch.equal(code[:, coarse[0].numel() :], fine.flatten(1))


@torch.no_grad()
def test_hidden_codes_say_nothing_and_the_coarser_ones_are_drawn_from_alone() -> None:
    """Whatever the hidden levels of a picture hold, what is decoded is the same; where nothing is hidden it is not."""
    model = system(replace(TINY, strides=(2, 2, 2), prior_layers=(1, 1, 1)))
    trained(model)
    codes, image = model.autoencoder, batch(4).image
    kept = torch.tensor([[1.0, 1, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]])
    before = codes.decode(codes(image, kept).context[0])
    torch.testing.assert_close(before[[0, 3]], codes.decode(codes(image).context[0])[[0, 3]])
    coarsest = codes(image, kept).quantised[2].codes
    for level, untouched in ((0, [1, 2]), (1, [2])):
        codes.quantisers[level].codebook.add_(1)  # other entries, so that other things are said
        again = codes(image, kept)
        after = codes.decode(again.context[0])
        torch.testing.assert_close(after[untouched], before[untouched])
        assert not torch.allclose(after[[0, 3]], before[[0, 3]])
    assert torch.equal(again.quantised[2].codes, coarsest)


@pytest.mark.parametrize(("strides", "share"), [((4, 2), 0.25), ((2, 2, 2), 0.5), ((4,), 0.5), ((4, 2), 0.0)], ids=str)
def test_the_share_of_pictures_drawn_from_coarse_levels_alone(strides: tuple[int, ...], share: float) -> None:
    model = system(replace(TINY, strides=strides, prior_layers=(1,) * len(strides), coarse_alone=share))
    kept = model._kept(torch.zeros(8000, 3, 16, 16))
    if not share or len(strides) == 1:
        assert kept is None
        return
    assert bool((kept[:, -1] == 1).all()) and bool((kept.diff(dim=1) >= 0).all())  # finer ones are hidden first
    for level in range(len(strides) - 1):  # as many begin at each of the coarser levels
        hidden = share * (len(strides) - 1 - level) / (len(strides) - 1)
        assert float(1 - kept[:, level].mean()) == pytest.approx(hidden, abs=0.03)


def test_a_coarse_map_says_more_when_it_must_speak_for_itself() -> None:
    """Sixteen pictures of one colour each: with the fine level never hidden, and hidden half of the time."""
    errors, differing = [], []
    for share in (0.0, 0.5):
        model = system(replace(CODES, strides=(2, 2), coarse_alone=share, codes=16, rate=3e-3, anneal=10**6))
        data = batch(16)
        data = data._replace(image=data.image[..., :1, :1].expand(-1, -1, 16, 16))
        trained(model, 300, data)
        with torch.no_grad():
            alone = model.autoencoder(data.image, torch.tensor([[0.0, 1.0]]).expand(16, -1))
            errors.append(float((model.autoencoder.decode(alone.context[0]) - data.image).square().mean()))
        usage = Usage(16)
        usage.see([alone.quantised[1].codes])
        differing.append(usage.levels()[0].local)
    assert errors[1] < 0.5 * errors[0]
    assert differing[1] > 2 * differing[0]  # 1 would be the same map for every picture


@torch.no_grad()
def test_the_prior_gives_every_code_map_its_share() -> None:
    """One level of 2 x 2 codes of 3: the likelihoods of all 81 maps sum to 1, with a label and without."""
    model = system(replace(TINY, strides=(4, 2), codes=3), resolution=16)
    trained(model)
    coarse = model.prior[1].net
    every = torch.cartesian_prod(*[torch.arange(3)] * 4).view(-1, 2, 2)
    for label in (None, torch.tensor([[1.0, 0.0, 1.0]]).expand(81, -1)):
        logits = coarse(every, model._vector(label, 81, torch.device("cpu")))
        each = logits.log_softmax(1).gather(1, every.unsqueeze(1)).sum((1, 2, 3))
        assert float(each.exp().sum()) == pytest.approx(1, abs=1e-4)


@torch.no_grad()
def test_the_likelihood_is_that_of_the_codes_and_of_pixels_around_the_reconstruction() -> None:
    model, data = system(), batch()
    trained(model)
    around = model.decode(model.encode(data.image))
    raw = model.autoencoder.decode(model.autoencoder(data.image).context[0])
    torch.testing.assert_close(raw.clamp(-1, 1), around, atol=1e-5, rtol=1e-4)
    codes = sum(model.code_nats(data.image))
    pixels = discretised_laplace_nats(raw, model.autoencoder.scale, data.image)
    torch.testing.assert_close(model.log_likelihood(data.image), -(codes + pixels))
    assert all(bool((each > 0).all()) for each in model.code_nats(data.image))


@torch.no_grad()
def test_a_label_of_nothing_is_not_the_same_as_no_label() -> None:
    model, data = system(), batch()
    trained(model)
    none = torch.stack(model.code_nats(data.image)).sum(0)
    nothing = torch.stack(model.code_nats(data.image, torch.zeros(6, 3))).sum(0)
    assert not torch.allclose(none, nothing)


def test_the_codes_stage_trains_the_autoencoder_alone_and_says_what_it_lacks() -> None:
    model = system(CODES)
    assert set(model.optimizers()) == {"autoencoder"} and not hasattr(model, "prior")
    trained(model)
    assert systems.capabilities("vqvae", model) == ("Autoencoder", "Coding")
    for what in (lambda: model.generate(torch.randn(1, model.noise_dim)), lambda: model.log_likelihood(batch().image)):
        with pytest.raises(WeightsError, match="autoencoder alone.*--start-from"):
            what()
    assert systems.capabilities("vqvae", system(PRIOR)) == systems.SYSTEMS["vqvae"].capabilities


def test_the_prior_stage_leaves_the_autoencoder_as_it_was() -> None:
    codes = system(CODES)
    trained(codes)
    model = system(PRIOR)
    missing, unknown = model.load_state_dict(codes.state_dict(), strict=False)
    assert not unknown and all(name.startswith(model.begins_anew[0] + ".") for name in missing)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained(model)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("prior.") for name in moved)


def test_the_prior_stage_needs_a_trained_autoencoder() -> None:
    with pytest.raises(TrainingError, match="--start-from"):
        trained(system(PRIOR))


def test_the_codes_of_the_perplexity_noted_are_those_of_the_batch() -> None:
    model, data = system(CODES), batch()
    trained(model)
    losses = model.losses(data)
    for level, each in enumerate(model.autoencoder(data.image).quantised):
        used = torch.bincount(each.codes.flatten(), minlength=8)
        assert float(losses[f"perplexity_{level + 1}"]) == pytest.approx(float(perplexity(used)))


def test_it_learns_to_reconstruct_and_then_to_draw_what_the_label_says() -> None:
    """Four pictures of plain colour, told apart by their label."""
    colour = torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1]])
    label = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    data = Pictures(colour.view(4, 3, 1, 1).expand(-1, -1, 16, 16).repeat(2, 1, 1, 1), label.repeat(2, 1))
    quick = replace(CODES, rate=1e-2, prior_rate=2e-2, anneal=100, untold=0.0, codebook_decay=0.9)
    codes = system(quick)
    before = float(codes.losses(data)["error"])
    trained(codes, 60, data)
    assert float(codes.losses(data)["error"]) < 0.6 * before
    model = system(replace(quick, stage="prior"))
    model.load_state_dict(codes.state_dict(), strict=False)
    before = float(model.losses(data)["nats"])
    trained(model, 60, data)
    assert float(model.losses(data)["nats"]) < 0.1 * before
    with torch.no_grad():
        drawn = model.generate(torch.randn(8, model.noise_dim), data.label)
        known = model.decode(model.encode(data.image))
    near = (drawn - known).square().mean((1, 2, 3)) < 0.05
    assert int(near.sum()) >= 7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strides": (3, 2)}, "--config.strides"),
        ({"strides": ()}, "--config.strides"),
        ({"strides": (4, 2, 2)}, "--config.prior-layers"),
        ({"resolution": 20}, "a multiple of 8"),
        ({"untold": 1.0}, "--config.untold"),
        ({"codes": 1}, "--config.codes 1: at least 2"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        replace(TINY, **changes)


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(TrainingError, match="--config.resolution 32"):
        system(resolution=32)


# Rejection


def test_class_scores() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]])
    assert float(class_score(logits, torch.tensor([[1.0, 0.0]]))) == pytest.approx(math.log(0.25))
    assert float(class_score(logits, None)) == pytest.approx(math.log(0.75))


def test_scene_scores() -> None:
    found = scene_score(torch.tensor([[0.9, 0.2]]), torch.tensor([[1.0, 0.0]]))
    assert float(found) == pytest.approx(math.log(0.9) + math.log(0.8))


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.3, 0.5, 0.75, 0.9]),
    st.integers(0, 99),
)
def test_of_each_label_as_many_are_kept_as_wanted_and_they_are_the_best(
    classes: list[int], reject: float, seed: int
) -> None:
    label, count = torch.eye(3)[classes], len(classes)
    slot = candidates(label, count, reject)
    score = torch.rand(len(slot), generator=torch.Generator().manual_seed(seed))
    chosen = kept(score, slot, label, count)
    assert len(set(chosen.tolist())) == count
    assert torch.equal(label[slot[chosen]], label)
    for each in set(classes):
        mine = (label[slot][:, each] == 1).nonzero()[:, 0]
        wanted = classes.count(each)
        assert len(mine) == math.ceil(wanted / (1 - reject) - 1e-9)
        best = set(score[mine].sort(descending=True).values[:wanted].tolist())
        assert {float(score[n]) for n, c in zip(chosen.tolist(), classes, strict=True) if c == each} == best


# From the command line


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("vqvae") / "bars.telldraw", side=16, channels=3, count=48, many=True)


def train(collection: Path, out: Path, *flags: str) -> int:
    short = "--preset", "tiny", "--batch-size", "8"
    return main(["train", "vqvae", "--data", str(collection), "--out", str(out), *short, *flags])


def state(run: Path) -> dict[str, Tensor]:
    from telldraw.training import checkpoint

    found = checkpoint.load_latest(run, device="cpu", warn=print)
    assert found is not None
    return found["system"]


def test_two_stages_by_two_commands_and_a_stopped_run_goes_on_exactly(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes, prior = tmp_path / "codes", tmp_path / "prior"
    assert train(collection, codes, "--config.stage", "codes", "--examples", "16") == 0
    flags = ("--config.stage", "prior", "--start-from", str(codes))
    assert train(collection, prior, *flags, "--examples", "32") == 0
    stopped = tmp_path / "stopped"
    assert train(collection, stopped, *flags, "--examples", "16") == 0
    assert train(collection, stopped, *flags, "--examples", "32") == 0
    assert "going on after 16 examples" in capsys.readouterr().err
    one, two = state(prior), state(stopped)
    assert all(torch.equal(one[name], two[name]) for name in one)

    assert main(["evaluate", str(prior), "--data", str(collection)]) == 0
    report = json.loads((prior / "evaluation-test" / "evaluation.json").read_text())["figures"]
    for level in (1, 2):
        assert 1 <= report[f"perplexity_level_{level}"]["value"] <= report[f"used_level_{level}"]["value"] <= 8
        assert report[f"bits_level_{level}"]["value"] > 0

    capsys.readouterr()
    few = ["reconstruct", str(codes), "--data", str(collection), "--index", "6", "--out", str(tmp_path / "few.png")]
    assert main(few) == 0
    out, err = capsys.readouterr()
    assert "--n 10: the split 'test' has only 2 pictures from --index 6 on" in err and "mean of 2 pictures" in out

    picture = tmp_path / "drawn.png"
    assert main(["generate", str(prior), "--label", "left, middle", "--n", "2", "--out", str(picture)]) == 0
    assert picture.exists()
    capsys.readouterr()
    assert main(["generate", str(codes), "--out", str(tmp_path / "none.png")]) == 2
    said = capsys.readouterr().err
    assert "first stage" in said and "--start-from" in said
    without = tmp_path / "without"
    assert train(collection, without, "--config.stage", "prior", "--examples", "16") == 2
    assert "--start-from is missing" in capsys.readouterr().err and not without.exists()
    assert train(collection, without, *flags, "--examples", "16") == 0  # as it was told
    sizes = ("--config.codes", "4", "--examples", "16")
    assert train(collection, tmp_path / "sizes", *flags, *sizes) == 2
    said = capsys.readouterr().err
    assert f"--start-from {codes} holds weights of other sizes: codes 8 there, 4 here" in said
