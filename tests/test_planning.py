"""Planning where things go: what was placed, how likely it was, and what a sample of a plan is."""

import math

import pytest
import torch

from telldraw.blocks.planning import Layout, Placed, Plan, Planner, placed, sample
from telldraw.objectives.planning import placement_nats


def test_new_and_moved_objects_are_placed_in_the_cell_of_their_centre() -> None:
    before, objects = torch.tensor([[1.0, 1.0, 0.0, 1.0]]), torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    was = torch.tensor([[[0.1, 0.1, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [0.9, 0.9, 0.0]]])
    now = torch.tensor([[[0.1, 0.1, 0.5], [0.5, 0.75, 0.0], [0.9, 1.2, 0.0], [0.0, 0.0, 0.0]]])
    amount, cell, offset = placed(objects, now, before, was, side=4)
    assert amount.tolist() == [[0, 1, 1, 0]]  # kept (its depth does not count), moved, new, removed
    assert cell[0, 1] == 3 * 4 + 2 and cell[0, 2] == 3 * 4 + 3  # y beyond the canvas counts as at its edge
    assert offset[0, 1].tolist() == pytest.approx([-1.0, -1.0], abs=1e-5)
    assert offset[0, 2].tolist() == pytest.approx([2 * (0.9 * 4 % 1) - 1, 1.0], abs=1e-4)


def test_samples_follow_the_plan() -> None:
    torch.manual_seed(0)
    cell = torch.tensor([0.5, 0.0, 0.3, 0.2]).log().expand(20_000, 1, 4)
    drawn = sample(Plan(torch.full((20_000, 1), 0.1), cell), torch.randn(20_000, 3))
    shares = torch.bincount(drawn.cell.flatten(), minlength=4) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.0, 0.3, 0.2]), atol=0.015, rtol=0)
    assert drawn.amount.eq(1).all() and drawn.offset.abs().max() <= 1
    assert drawn.offset.mean((0, 1)).abs().max() < 0.02
    torch.testing.assert_close(drawn.offset.square().mean((0, 1)), torch.full((2,), 1 / 3), atol=0.01, rtol=0)


def test_a_sharp_sample_prefers_the_likely() -> None:
    torch.manual_seed(0)
    plan = Plan(torch.ones(20_000, 1), torch.tensor([0.75, 0.25]).log().expand(20_000, 1, 2))
    share = sample(plan, torch.randn(20_000, 3), sharpness=2.0).cell.float().mean()
    assert share == pytest.approx(0.1, abs=0.01)  # 1 / (9 + 1)


def test_what_is_unlikely_is_not_placed_and_the_noise_decides_the_rest() -> None:
    plan = Plan(torch.tensor([[-0.1, 0.1]]), torch.zeros(1, 2, 16))
    noise = torch.randn(1, 6)
    assert sample(plan, noise).amount.tolist() == [[0, 1]]
    assert all(a.equal(b) for a, b in zip(sample(plan, noise), sample(plan, noise), strict=True))
    far = sample(plan, torch.full((1, 6), 40.0))
    assert far.cell.max() == 15  # the last cell, not one past it


def test_nats_of_a_plan_without_knowledge() -> None:
    amount, cell = torch.zeros(3, 5), torch.zeros(3, 5, 64)
    is_placed = torch.zeros(3, 5)
    is_placed[0, 1] = is_placed[2, 4] = 1
    which, where = placement_nats(amount, cell, is_placed, torch.zeros(3, 5, dtype=torch.long))
    assert which == pytest.approx(5 * math.log(2)) and where == pytest.approx(math.log(64))
    nothing, nowhere = placement_nats(amount, cell, torch.zeros(3, 5), torch.zeros(3, 5, dtype=torch.long))
    assert nothing == pytest.approx(5 * math.log(2)) and nowhere == 0


def test_a_layout_says_something_only_where_something_is_placed() -> None:
    torch.manual_seed(0)
    layout = Layout(3, 8, 16)
    nothing = Placed(torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 3, 2))
    one = nothing._replace(amount=torch.tensor([[0.0, 1.0, 0.0]]), cell=torch.tensor([[0, 5 * 16 + 9, 0]]))
    changed = (layout(one) - layout(nothing)).abs().sum(1)[0].nonzero()
    assert changed[:, 0].min() >= 3 and changed[:, 0].max() <= 7
    assert changed[:, 1].min() >= 7 and changed[:, 1].max() <= 11


def test_a_planner_learns_left_of_a_mark() -> None:
    """A mark somewhere; told 0 the place is two cells left of it, told 1 two cells right of it."""
    torch.manual_seed(0)
    planner = Planner(1, 2, 1, width=16)
    optimizer = torch.optim.Adam(planner.parameters(), 1e-2)
    right, nats = torch.zeros(64, 1), torch.zeros(())
    for _ in range(150):
        row, column, told = torch.randint(8, (64,)), torch.randint(2, 6, (64,)), torch.randint(2, (64,))
        seen = torch.zeros(64, 1, 8, 8)
        seen[torch.arange(64), 0, row, column] = 1
        plan = planner(seen, torch.nn.functional.one_hot(told, 2).float())
        target = (row * 8 + column + 4 * told - 2).unsqueeze(1)
        _, nats = placement_nats(plan.amount, plan.cell, torch.ones(64, 1), target)
        optimizer.zero_grad()
        nats.backward()
        optimizer.step()
        right = plan.cell.argmax(-1) == target
    assert nats < 0.5
    assert right.float().mean() > 0.8
