"""The joint embedding's loss against its definition, and retrieval against counting."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from telldraw.metrics.retrieval import among_captions, by_class, by_picture, ranks, within
from telldraw.objectives.joint_embedding import joint_embedding, symmetric_joint_embedding


def test_loss_of_orthogonal_pairs_is_zero_from_length_one_on() -> None:
    one = torch.eye(4)
    assert joint_embedding(one, one) == 0  # own score 1, others 0, margin 1
    assert symmetric_joint_embedding(2 * one, one) == 0
    # half as long: each of 12 wrong pairs lacks 1 - 1/4
    assert joint_embedding(one / 2, one / 2).item() == pytest.approx(12 * 0.75 / 16)
    assert joint_embedding(one / 2, one / 2, margin=0.25) == 0


def test_loss_of_equal_embeddings_is_the_margin_of_every_wrong_pair() -> None:
    one = torch.ones(5, 3)
    assert joint_embedding(one, one).item() == pytest.approx(20 / 25)
    same = torch.zeros(5, 5, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    assert joint_embedding(one, one, same).item() == pytest.approx(18 / 25)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 6), dim=st.integers(1, 4), seed=st.integers(0, 1000))
def test_loss_is_its_definition(count: int, dim: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    one, other = torch.randn(2, count, dim, generator=rng)
    same = torch.rand(count, count, generator=rng) < 0.3
    total = 0.0
    for i in range(count):
        for j in range(count):
            if i != j and not same[i, j]:
                total += max(0.0, 1 + float(one[i] @ other[j]) - float(one[i] @ other[i]))
    assert joint_embedding(one, other, same).item() == pytest.approx(total / count**2, abs=1e-5)
    both = joint_embedding(one, other, same) + joint_embedding(other, one, same.T)
    assert symmetric_joint_embedding(one, other, same).item() == pytest.approx(both.item())


def test_descent_brings_pairs_together() -> None:
    torch.manual_seed(0)
    one, other = (torch.randn(6, 8, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.SGD([one, other], 0.5)
    for _ in range(200):
        optimizer.zero_grad()
        symmetric_joint_embedding(one, other).backward()
        optimizer.step()
    assert symmetric_joint_embedding(one, other) == 0
    assert (one @ other.T).argmax(1).tolist() == list(range(6))


@settings(max_examples=40, deadline=None)
@given(pictures=st.integers(1, 6), captions=st.integers(1, 9), seed=st.integers(0, 1000), ties=st.booleans())
def test_ranks_are_those_of_counting(pictures: int, captions: int, seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    own = rng.random((captions, pictures)) < 0.4
    own[np.arange(captions), rng.integers(0, pictures, captions)] = True
    own[rng.integers(0, captions, pictures), np.arange(pictures)] = True
    told, seen = rng.standard_normal((captions, 3)), rng.standard_normal((pictures, 3))
    if ties:
        told, seen = told.round(), seen.round()
    pairs = torch.from_numpy(np.argwhere(own))

    def counted(asked: np.ndarray, targets: np.ndarray, right: np.ndarray) -> list[int]:
        scores = asked @ targets.T
        return [sum(s >= max(row[yes]) for s in row[~yes]) for row, yes in zip(scores, right, strict=True)]

    forth, back = by_picture(torch.from_numpy(told), torch.from_numpy(seen), pairs)
    assert forth.tolist() == counted(told, seen, own) and back.tolist() == counted(seen, told, own.T)
    expected = []
    for n in range(captions):
        others = [m for m in range(captions) if m != n]
        mates = np.array([bool((own[n] & own[m]).any()) for m in others], bool)
        if mates.any():
            expected += counted(told[n : n + 1], told[others], mates[None])
    assert among_captions(torch.from_numpy(told), pairs).tolist() == expected


def test_what_says_the_same_of_everything_finds_nothing() -> None:
    kind = torch.arange(4) // 2
    forth, back = by_picture(torch.ones(4, 2), torch.ones(4, 2), torch.arange(4)[:, None].repeat(1, 2))
    assert forth.tolist() == back.tolist() == [3, 3, 3, 3] and within(forth, 3) == 0 and within(forth, 4) == 1
    own, precision = by_class(torch.ones(4, 2), torch.ones(4, 2), kind, kind, count=2)
    assert own.tolist() == [1, 1, 1, 1] and precision.tolist() == [0, 0]


def test_classes_are_the_means_of_their_captions() -> None:
    rng = torch.Generator().manual_seed(0)
    kind_of_caption, kind = torch.arange(12) % 3, torch.arange(9) % 3
    told, seen = torch.randn(12, 4, generator=rng), torch.randn(9, 4, generator=rng)
    own, precision = by_class(told, seen, kind_of_caption, kind, count=4)
    means = [told[kind_of_caption == c].mean(0) for c in range(3)]
    for n in range(9):
        scores = [float(seen[n] @ mean) for mean in means]
        assert own[n] == sum(s > scores[kind[n]] for s in scores)
    for c in range(3):
        best = sorted(range(9), key=lambda n: -float(seen[n] @ means[c]))[:4]
        assert precision[c].item() == pytest.approx(sum(int(kind[n]) == c for n in best) / 4)


def test_a_class_without_captions_is_not_asked_for() -> None:
    own, precision = by_class(torch.eye(2), torch.eye(2), torch.tensor([0, 0]), torch.tensor([0, 5]))
    assert len(own) == 1 and len(precision) == 1


def test_ranks_take_the_best_of_several_right_ones() -> None:
    scores = torch.tensor([[3.0, 1.0, 2.0, 5.0]])
    assert ranks(scores, torch.tensor([[True, True, False, False]])).tolist() == [1]
