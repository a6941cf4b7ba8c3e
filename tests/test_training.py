"""The loop and its parts, on a system of a few weights."""

import io
import json
import math
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from telldraw.errors import TrainingError, WeightsError
from telldraw.training import checkpoint
from telldraw.training.average import Average
from telldraw.training.log import Log, duration
from telldraw.training.loop import Trainer, hash_of
from telldraw.training.schedule import Schedule
from telldraw.training.update import Update


class Numbers(NamedTuple):
    value: Tensor  # [B, 3]
    pixel: Tensor  # [B, 2] uint8

    def examples(self) -> int:
        return len(self.value)


class Source:
    """Four examples a batch; batch n is a function of n."""

    def batch(self, step: int) -> Numbers:
        rng = torch.Generator().manual_seed(step)
        return Numbers(
            torch.randn(4, 3, generator=rng), torch.randint(0, 256, (4, 2), generator=rng, dtype=torch.uint8)
        )

    def iterate(self, start_step: int = 0) -> Iterator[Numbers]:
        while True:
            yield self.batch(start_step)
            start_step += 1


class Two(nn.Module):
    """Two players with noise of their own, batch norm, a frozen weight, and two kinds of optimizer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.critic = nn.Linear(4, 1)
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.spoil: Callable[[int], float] = lambda step: 1.0
        self.steps: list[int] = []

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "body": torch.optim.Adam(self.body.parameters(), 0.01),
            "critic": torch.optim.SGD(self.critic.parameters(), 0.1, momentum=0.9),
        }

    def training_step(self, batch: Numbers, update: Any) -> None:
        self.steps.append(update.step)
        assert batch.pixel.dtype == torch.float32 and batch.pixel.abs().max() <= 1, "pixels arrive in [-1, 1]"
        hidden = self.body(batch.value + 0.1 * torch.randn_like(batch.value))
        loss = (self.critic(hidden.detach()) - 1).square().mean() * self.spoil(update.step)
        update("critic", loss)
        gain = (self.critic(hidden) * self.frozen[0]).float().square().mean()
        update("body", gain)
        update.record(loss=loss, gain=gain)

    def measure(self, batch: Numbers) -> None:
        self.body(batch.value)


def no_sheet(system: nn.Module, seen: int) -> None:
    pass


@dataclass
class Outputs:
    """What a test does with a system that is ready to draw."""

    sheet: Callable[[nn.Module, int], None] = no_sheet
    weights: Callable[[nn.Module, int], None] = no_sheet


def trainer(run: Path, *, system: Two | None = None, seed: int = 1, **schedule: Any) -> Trainer:
    run.mkdir(exist_ok=True)
    settings = Schedule(**{"log_every": 0.0, "measure_batches": 3, **schedule})
    return Trainer(system or Two(), Source(), run, settings, seed=seed, device="cpu", decay=0.9)


def quiet(run: Path, seen: int = 0) -> Log:
    return Log(run, seen, stream=io.StringIO(), tensorboard=False)


def go(made: Trainer, on_sheet: Callable[[nn.Module, int], None] = no_sheet) -> bool:
    log = quiet(made.run, made.seen)
    try:
        return made.train(log, Outputs(on_sheet))
    finally:
        log.close()


def rows(run: Path) -> list[dict[str, float]]:
    """The log without its times."""
    lines = (run / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in ("seconds", "rate")} for line in lines]


def same(one: Any, other: Any) -> bool:
    """Bit for bit."""
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


# --- Update -------------------------------------------------------------------------------------------------------


def test_update_moves_the_named_weights_and_no_others() -> None:
    system = Two()
    before = {name: weight.detach().clone() for name, weight in system.named_parameters()}
    update = Update(system.optimizers())
    hidden = system.body(torch.randn(4, 3))
    update("body", system.critic(hidden).square().mean())
    moved = {name for name, weight in system.named_parameters() if not torch.equal(weight, before[name])}
    assert moved and all(name.startswith("body") for name in moved)
    assert all(weight.grad is None for weight in system.parameters())


def test_update_leaves_no_gradient_on_what_it_does_not_name() -> None:
    system = Two()
    update = Update(system.optimizers())
    update.backward(system.critic(system.body(torch.randn(4, 3))).square().mean(), "body")
    assert all(weight.grad is not None for weight in system.body.parameters())
    assert all(weight.grad is None for weight in system.critic.parameters())


def test_update_equals_toggling_requires_grad() -> None:
    ours, theirs = Two(), Two()
    value = torch.randn(4, 3)
    update = Update(ours.optimizers())
    optimizer = theirs.optimizers()["body"]
    for _ in range(3):
        update("body", ours.critic(ours.body(value)).square().mean())
        theirs.critic.requires_grad_(False)
        theirs.critic(theirs.body(value)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert same(ours.state_dict(), theirs.state_dict())


def test_gradients_add_up_until_applied_and_are_clipped_as_one() -> None:
    system = Two()
    update = Update(system.optimizers())
    hidden = system.body(torch.randn(4, 3))
    loss = 100 * system.critic(hidden).square().mean()
    update.backward(loss, "critic", retain_graph=True)
    once = [weight.grad.clone() for weight in update.weights("critic") if weight.grad is not None]
    update.backward(loss, "body", "critic")
    weights = update.weights("critic")
    twice = [weight.grad for weight in weights if weight.grad is not None]
    assert same([2 * grad for grad in once], twice)
    before = [weight.detach().clone() for weight in weights]
    update.apply("critic", clip_norm=0.5)
    moved = torch.cat([(weight - old).flatten() for weight, old in zip(weights, before, strict=True)])
    assert moved.norm().item() == pytest.approx(0.1 * 0.5, rel=1e-3)  # step size times the clipped norm
    assert all(weight.grad is None for weight in weights)
    assert all(weight.grad is not None for weight in update.weights("body"))


# --- Average ------------------------------------------------------------------------------------------------------


def test_what_joins_later_is_soon_followed_too() -> None:
    """A layer that a growing network trains from step 101 on is averaged as if the training had begun there."""
    system: Any = torch.nn.ModuleList([torch.nn.Linear(2, 2, bias=False) for _ in range(3)])
    system[2].requires_grad_(False)
    average, alone = Average(system, 0.99), Average(system[1], 0.99)
    for step in range(1, 121):
        with torch.no_grad():
            system[0].weight += 1
            if step > 100:
                system[1].weight += 1
                alone.follow(system[1], step - 100)
        average.follow(system, step)
        if step == 110:  # stopped, and gone on with
            state, began = average.system.state_dict(), average.began
            average = Average(system, 0.99)
            average.resume(system, state, began)
    assert average.began == [0, 100, 0]
    followed: Any = average.system
    torch.testing.assert_close(followed[1].weight, alone.system.weight)
    assert torch.equal(followed[2].weight, system[2].weight)


def test_the_average_follows_in_closed_form() -> None:
    system = nn.Linear(1, 1, bias=False)
    nn.init.constant_(system.weight, 0.0)
    average = Average(system, decay=0.3)
    expected = 0.0
    for step in range(1, 8):
        nn.init.constant_(system.weight, float(step))
        average.follow(system, step)
        decay = min(0.3, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        assert average.system.weight.item() == pytest.approx(expected, rel=1e-5)  # type: ignore[operator]
    assert (1 + 7) / (10 + 7) > 0.3 > (1 + 1) / (10 + 1), "both sides of the minimum were seen"


def test_the_average_copies_buffers_and_shares_nothing() -> None:
    system = Two()
    average = Average(system, 0.9)
    system.body(torch.randn(8, 3))
    before = {name: weight.clone() for name, weight in average.system.named_parameters()}
    average.follow(system, 100)
    for mine, theirs in zip(average.system.buffers(), system.buffers(), strict=True):
        assert torch.equal(mine, theirs) and mine.data_ptr() != theirs.data_ptr()
    assert same(dict(average.system.named_parameters()), before), "equal weights stay equal"
    assert not any(weight.requires_grad for weight in average.system.parameters())
    assert not average.system.training


def test_measured_statistics_are_the_mean_over_the_batches() -> None:
    system = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5))
    average = Average(system, 0.9)
    average.system[0].running_mean.fill_(99)  # type: ignore[index, union-attr, operator]
    rng = torch.Generator().manual_seed(0)
    batches = [3 * torch.randn(16, 2, generator=rng) + shift for shift in (0, 1, 5)]
    inside: list[bool] = []

    def forward(batch: Tensor) -> None:
        inside.append(average.system[1].training)  # type: ignore[index]
        average.system(batch)

    average.measure(forward, batches)
    norm = average.system[0]  # type: ignore[index]
    torch.testing.assert_close(norm.running_mean, torch.stack([b.mean(0) for b in batches]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([b.var(0) for b in batches]).mean(0))
    assert inside == [False] * 3, "only the norms train"
    assert not any(module.training for module in average.system.modules())
    assert norm.momentum == 0.1


# --- training states ----------------------------------------------------------------------------------------------


def test_two_states_are_kept_and_the_newest_is_used(tmp_path: Path) -> None:
    for seen in (10, 20, 9, 30, 40):
        checkpoint.save(tmp_path, seen, {"seen": seen})
    assert [path.name for path in checkpoint.states(tmp_path)] == ["state-0000000040.pt", "state-0000000030.pt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-0000000030.pt", "state-0000000040.pt"]
    assert checkpoint.load_latest(tmp_path, device="cpu") == {"seen": 40}


def test_no_state_is_no_error(tmp_path: Path) -> None:
    assert checkpoint.load_latest(tmp_path, device="cpu") is None
    (tmp_path / "state-0000000010.pt.part").write_bytes(b"half")
    (tmp_path / "state-old.pt").write_bytes(b"")
    assert checkpoint.load_latest(tmp_path, device="cpu") is None


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "zeros":
        path.write_bytes(bytes(len(data)))
    else:
        path.write_text("<html>not found</html>")


@pytest.mark.parametrize("how", ["empty", "cut", "zeros", "other"])
def test_a_damaged_state_is_named_and_the_one_before_is_used(tmp_path: Path, how: str) -> None:
    checkpoint.save(tmp_path, 10, {"seen": 10, "weight": torch.ones(100)})
    damage(checkpoint.save(tmp_path, 20, {"seen": 20, "weight": torch.ones(100)}), how)
    warned: list[str] = []
    state = checkpoint.load_latest(tmp_path, device="cpu", warn=warned.append)
    assert state is not None and state["seen"] == 10
    assert len(warned) == 1 and "state-0000000020.pt" in warned[0]


def test_a_damaged_state_does_not_push_good_ones_out(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 10, {"seen": 10})
    damage(checkpoint.save(tmp_path, 100, {"seen": 100}), "cut")
    for seen in (20, 30):
        checkpoint.save(tmp_path, seen, {"seen": seen})
        assert [path.stem[-3:] for path in checkpoint.states(tmp_path)] == ["100", f"0{seen}", f"0{seen - 10}"]
    checkpoint.save(tmp_path, 110, {"seen": 110})
    assert [path.stem[-3:] for path in checkpoint.states(tmp_path)] == ["110", "100"]


def test_when_all_states_are_damaged_all_are_named(tmp_path: Path) -> None:
    for seen in (10, 20):
        damage(checkpoint.save(tmp_path, seen, {"seen": seen}), "cut")
    with pytest.raises(WeightsError, match=r"state-0000000020.pt and state-0000000010.pt"):
        checkpoint.load_latest(tmp_path, device="cpu", warn=lambda text: None)


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["HARM"],)


def test_a_state_that_holds_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harm = tmp_path / "harm"
    monkeypatch.setenv("HARM", str(harm))
    run = tmp_path / "run"
    run.mkdir()
    checkpoint.save(run, 10, {"seen": 10})
    checkpoint.save(run, 20, {"seen": 20, "extra": Harm()})
    (run / "state-0000000030.pt").write_bytes(pickle.dumps(Harm()))
    warned: list[str] = []
    assert checkpoint.load_latest(run, device="cpu", warn=warned.append) == {"seen": 10}
    assert len(warned) == 2
    assert not harm.exists()
    pickle.loads((run / "state-0000000030.pt").read_bytes())
    assert harm.exists(), "it would have run"


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, 10, {"seen": 10})

    def full(state: Any, file: Any) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match="state-0000000020.pt cannot be written.*No space left"):
        checkpoint.save(tmp_path, 20, {"seen": 20})
    assert [path.name for path in tmp_path.iterdir()] == ["state-0000000010.pt"]


# --- the loop -----------------------------------------------------------------------------------------------------


def whole(made: Trainer) -> dict[str, Any]:
    """Everything that a run is."""
    return {
        "system": made.system.state_dict(),
        "average": made.average.system.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in made.update.optimizers.items()},
        "seen": made.seen,
        "step": made.update.step,
    }


@pytest.fixture
def straight(tmp_path: Path) -> Trainer:
    """Ten steps in one go."""
    made = trainer(tmp_path / "straight", examples=40)
    assert go(made)
    return made


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_stopping_and_going_on_changes_no_bit(tmp_path: Path, straight: Trainer, stop: int) -> None:
    run = tmp_path / "stopped"
    assert go(trainer(run, examples=4 * stop, sheet_every=8))
    torch.rand(7)  # whatever else draws random numbers
    second = trainer(run, examples=40)
    assert second.restore(warn=pytest.fail)
    assert second.seen == 4 * stop
    assert go(second)
    assert same(whole(second), whole(straight))
    assert rows(run) == rows(straight.run)
    assert same(
        torch.load(checkpoint.states(run)[0], weights_only=True),
        torch.load(checkpoint.states(straight.run)[0], weights_only=True),
    )


def test_what_was_done_after_the_last_state_is_done_again(tmp_path: Path, straight: Trainer) -> None:
    """As after a kill: steps and rows of the log beyond the state do not count."""
    run = tmp_path / "killed"
    first = trainer(run, examples=16)
    go(first)
    log = quiet(run, first.seen)
    for step in range(4, 6):
        first.step(Source().batch(step))
        log.figures(first.seen, 40, first.check())
    log.close()
    with (run / "log.jsonl").open("a") as file:
        file.write('{"examples": 24, "loss": 0.')
    second = trainer(run, examples=40)
    second.restore(warn=pytest.fail)
    go(second)
    assert same(whole(second), whole(straight))
    assert rows(run) == rows(straight.run)


def test_sheets_and_their_times_change_nothing(tmp_path: Path, straight: Trainer) -> None:
    drawn: list[int] = []
    made = trainer(tmp_path / "sheets", examples=40, sheet_every=10)
    go(made, lambda system, seen: drawn.append(seen))
    assert drawn == [12, 20, 32, 40]
    assert same(whole(made)["system"], whole(straight)["system"])


def test_every_saved_state_comes_with_weights_to_draw_with(tmp_path: Path) -> None:
    made, written = trainer(tmp_path / "run", examples=12, save_every=0.0), []
    log = quiet(made.run)
    made.train(log, Outputs(weights=lambda system, seen: written.append((seen, system.training))))
    log.close()
    assert written == [(4, False), (8, False), (12, False), (12, False)]


def test_a_sheet_is_drawn_once_however_small_the_interval(tmp_path: Path) -> None:
    drawn: list[int] = []
    go(trainer(tmp_path / "run", examples=12, sheet_every=1), lambda system, seen: drawn.append(seen))
    assert drawn == [4, 8, 12]


def test_another_seed_is_another_run(tmp_path: Path, straight: Trainer) -> None:
    made = trainer(tmp_path / "other", seed=2, examples=40)
    go(made)
    assert not same(whole(made)["system"], whole(straight)["system"])


def test_seeds_of_steps_are_distinct() -> None:
    seeds = {hash_of(seed, step) for seed in range(20) for step in range(-1, 500)}
    assert len(seeds) == 20 * 501
    assert all(0 <= seed < 1 << 63 for seed in seeds)


def test_asked_to_stop_it_saves_after_the_step_and_draws_nothing(tmp_path: Path, straight: Trainer) -> None:
    run = tmp_path / "run"
    system = Two()
    made = trainer(run, system=system, examples=40)

    def ask(step: int) -> float:
        made.stopping = step == 2
        return 1.0

    system.spoil = ask
    assert not go(made, lambda system, seen: pytest.fail("a sheet was drawn"))
    assert system.steps == [0, 1, 2] and made.seen == 12
    second = trainer(run, examples=40)
    assert second.restore(warn=pytest.fail) and second.seen == 12
    go(second)
    assert same(whole(second), whole(straight))


def test_time_ends_it_and_leaves_a_state(tmp_path: Path) -> None:
    drawn: list[int] = []
    made = trainer(tmp_path / "run", examples=10**9, max_minutes=0.2 / 60)
    assert not go(made, lambda system, seen: drawn.append(seen))
    assert drawn == [made.seen] and made.seen > 0
    assert checkpoint.states(made.run)[0].name == f"state-{made.seen:010d}.pt"


def test_states_are_saved_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    made = trainer(tmp_path / "run", examples=12, save_every=0.0)
    keep = made.save
    monkeypatch.setattr(made, "save", lambda: (saved.append(made.seen), keep())[1])
    go(made)
    assert saved == [4, 8, 12, 12]


def test_what_draws_is_the_average_with_statistics_of_its_own(tmp_path: Path) -> None:
    made = trainer(tmp_path / "run", examples=40)
    found: list[dict[str, Tensor]] = []

    def look(system: nn.Module, seen: int) -> None:
        assert not system.training
        found.append({name: value.clone() for name, value in system.state_dict().items()})

    go(made, look)
    linear = made.average.system.get_submodule("body.0")
    hidden = [linear(Source().batch(step).value).detach() for step in range(3)]
    expected = torch.stack([rows.mean(0) for rows in hidden]).mean(0)
    torch.testing.assert_close(found[0]["body.1.running_mean"], expected)
    assert not torch.equal(found[0]["body.0.weight"], made.system.state_dict()["body.0.weight"])


def test_bf16_trains(tmp_path: Path) -> None:
    made = trainer(tmp_path / "run", examples=16, bf16=True)
    assert go(made)
    inside: list[torch.dtype] = []
    made.system.body.register_forward_hook(lambda *given: inside.append(made.system.critic(given[2]).dtype))  # type: ignore[union-attr, operator]
    made.step(Source().batch(0))
    assert inside == [torch.bfloat16]
    assert all(weight.dtype == torch.float32 for weight in made.system.parameters())


# --- figures that are none ----------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_it_and_keeps_the_last_good_state(tmp_path: Path, straight: Trainer) -> None:
    run = tmp_path / "run"
    go(trainer(run, examples=16))
    system = Two()
    system.spoil = lambda step: math.nan if step == 6 else 1.0
    bad = trainer(run, system=system, examples=40, log_every=1e9, save_every=1e9)
    bad.restore(warn=pytest.fail)
    with pytest.raises(TrainingError, match="loss 'loss' was not a finite number after 28 examples") as raised:
        go(bad)
    assert "state-0000000016.pt, is kept" in str(raised.value) and "--out" in str(raised.value)
    assert "bf16" not in str(raised.value)
    again = trainer(run, examples=40)
    assert again.restore(warn=pytest.fail) and again.seen == 16
    go(again)
    assert same(whole(again), whole(straight))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_no_weights_are_drawn_with_or_saved_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    system = Two()
    system.spoil = lambda step: value if step == 1 else 1.0
    made = trainer(tmp_path / "run", system=system, examples=40, sheet_every=8, log_every=1e9, bf16=True)
    with pytest.raises(TrainingError, match="no state had been saved yet.*--no-bf16"):
        go(made, lambda system, seen: pytest.fail("a sheet was drawn"))
    assert checkpoint.states(made.run) == []


def test_a_weight_that_is_no_number_is_found_though_the_losses_are(tmp_path: Path) -> None:
    made = trainer(tmp_path / "run", examples=40)
    made.step(Source().batch(0))
    with torch.no_grad():
        made.system.frozen[0] = math.inf  # type: ignore[index, operator]
    with pytest.raises(TrainingError, match="a weight was not a finite number after 4 examples"):
        made.save()


def test_a_state_of_something_else_is_a_sentence(tmp_path: Path) -> None:
    made = trainer(tmp_path / "run", examples=4)
    for state in (
        {"seen": 1},
        {**whole(made), "system": {"other": torch.ones(1)}},
        {**whole(made), "optimizers": {}},
        {**whole(made), "system": {**whole(made)["system"], "frozen": torch.ones(5)}},
    ):
        checkpoint.save(made.run, 4, state)
        with pytest.raises(WeightsError, match="of another system.*--out") as raised:
            trainer(made.run).restore(warn=pytest.fail)
        assert "\n" not in str(raised.value)


# --- the log ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (48.4, "48 s"), (89.9, "90 s"), (90, "2 min"), (720, "12 min"), (5340, "89 min")),
        *((5400, "1 h 30 min"), (7500, "2 h 05 min"), (172_799, "2 d 0 h"), (273_600, "3 d 4 h")),
        *((math.inf, "unknown"), (math.nan, "unknown")),
    ],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_goes_on_from_the_saved_state(tmp_path: Path) -> None:
    lines = ['{"examples": 4, "loss": 1}', "null", "7", '{"loss": 2}', '{"examples": 8, "loss": 3}']
    (tmp_path / "log.jsonl").write_bytes("\n".join([*lines, '{"examples": 12}', ""]).encode() + b'\x00\xff{"exa')
    log = quiet(tmp_path, 8)
    log.figures(16, 20, {"loss": 0.5})
    log.close()
    assert [row["examples"] for row in rows(tmp_path)] == [4, 8, 16]


def test_a_log_says_how_much_is_left(tmp_path: Path) -> None:
    log = quiet(tmp_path)
    log.began -= 10  # seconds ago
    log.figures(1_000, 3_000, {"loss": 0.12345})
    assert isinstance(log.stream, io.StringIO)
    assert log.stream.getvalue() == "1,000 of 3,000 examples  100.0/s  20 s left  loss 0.123\n"
    log.figures(1_100, 3_000, {"loss": 0.1})
    assert log.stream.getvalue().count("\n") == 1, "one line in ten seconds where nothing can be taken back"
    log.spoke -= 11
    log.figures(1_200, 3_000, {"loss": 0.1}, left=5.0)
    assert "  5 s left" in log.stream.getvalue()
    log.close()


def test_a_status_line_never_wraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "40")
    log = Log(tmp_path, 0, stream=Terminal(), tensorboard=False)
    for seen in (1, 2):
        log.figures(seen, 10, {f"loss_{n}": 1.0 for n in range(20)})
    assert isinstance(log.stream, Terminal)
    lines = log.stream.getvalue().split("\r\x1b[K")[1:]
    assert len(lines) == 2 and all(len(line) < 40 and "left" in line for line in lines)
    log.note("done")
    assert log.stream.getvalue().endswith("\r\x1b[Kdone\n")
    log.close()
