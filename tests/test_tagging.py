"""From samples of word vectors to tags, and what tags are worth: against counts made by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from telldraw.metrics import tagging


class Fixed:
    """A tagger that draws, for a picture, the words whose numbers its features name, noise deciding which."""

    noise_dim = 3

    def __init__(self, vectors: Tensor) -> None:
        self.vectors = vectors

    def tag(self, feature: Tensor, noise: Tensor) -> Tensor:
        first, second = feature.long().unbind(1)
        return 5 * self.vectors[torch.where(noise[:, 0] > 0, first, second)]


def test_the_nearest_are_those_of_largest_cosine_whatever_the_lengths() -> None:
    table = torch.tensor([[1.0, 0.0], [0.0, 100.0], [-1.0, 0.0], [1.0, 1.0]])
    vectors = torch.tensor([[9.0, 1.0], [-0.1, -0.01]])
    assert tagging.nearest(vectors, table, 2).tolist() == [[0, 3], [2, 1]]
    assert tagging.nearest(vectors, table, 9).shape == (2, 4)


def test_the_most_common_are_counted_over_samples_and_places_and_equals_go_by_number() -> None:
    near = torch.tensor([[[4, 2], [2, 1], [2, 1]]])  # one picture, three samples: 2 three times, 1 twice, 4 once
    found = tagging.most_common(near, 6, 3)
    assert found.tags.tolist() == [[2, 1, 4]]
    torch.testing.assert_close(found.share, torch.tensor([[1.0, 2 / 3, 1 / 3]]))
    assert tagging.most_common(torch.tensor([[[5], [3]]]), 6, 2).tags.tolist() == [[3, 5]]


def test_a_word_that_is_near_to_nothing_is_never_proposed() -> None:
    found = tagging.most_common(torch.tensor([[[3], [3]]]), 5, 3)
    assert found.tags.tolist() == [[3, -1, -1]]
    used = torch.ones(1, 5, dtype=torch.long)
    assert tagging.score(found.tags, used, 3).precision.tolist() == [1 / 3]


@given(st.data())
def test_precision_and_recall_are_shares_of_sets(data: st.DataObject) -> None:
    size = data.draw(st.integers(4, 12))
    proposed = data.draw(st.lists(st.integers(0, size - 1), min_size=4, max_size=4, unique=True))
    own = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    used = torch.zeros(1, size, dtype=torch.long)
    used[0, list(own)] = 1
    scored = tagging.score(torch.tensor([proposed]), used, 4)
    right = len(own & set(proposed))
    assert scored.precision.item() == right / 4
    assert scored.recall.item() == pytest.approx(right / len(own))
    best = tagging.best_possible(used, 4)
    assert scored.precision.item() <= best.precision.item() <= 1
    assert scored.recall.item() <= best.recall.item() + 1e-12


def test_a_picture_without_tags_has_no_recall() -> None:
    scored = tagging.score(torch.tensor([[0, 1]]), torch.zeros(1, 3, dtype=torch.long))
    assert scored.precision.item() == 0 and bool(scored.recall.isnan())


def test_the_protocol_names_the_words_a_tagger_draws_with_their_shares() -> None:
    system = Fixed(torch.eye(6))
    features = torch.tensor([[0.0, 1.0], [4.0, 4.0]])
    found = tagging.propose(system, features, seed=0, samples=200, words=1, tags=3)
    assert set(found.tags[0, :2].tolist()) == {0, 1} and found.tags[0, 2] == -1
    assert found.share[0, :2].sum() == 1 and 0.35 < found.share[0, 0] < 0.65
    assert found.tags[1].tolist() == [4, -1, -1] and found.share[1, 0] == 1


def test_samples_are_counted_one_by_one() -> None:
    found = tagging.propose(Fixed(torch.eye(6)), torch.tensor([[0.0, 1.0], [4.0, 4.0]]), seed=0, words=1, tags=6)
    used = torch.tensor([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]])
    samples = tagging.of_samples(found, used)
    assert samples.different.tolist() == [2, 1] and samples.right[1] == 1
    zero = found.tags[0].tolist().index(0)
    assert samples.right[0].item() == pytest.approx(found.share[0, zero].item())


def test_words_are_shared_out_as_they_were_used() -> None:
    assert tagging.word_shares(torch.tensor([[1, 0, 1], [1, 0, 1], [0, 1, 0]])).tolist() == [0.4, 0.2, 0.4]


def test_a_picture_gets_the_same_words_however_many_others_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    system, features = Fixed(torch.eye(6)), torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    together = tagging.propose(system, features, seed=7, samples=11, words=1)
    monkeypatch.setattr(tagging, "_ROWS", 11)  # one picture at a time
    apart = tagging.propose(system, features, seed=7, samples=11, words=1)
    assert torch.equal(together.tags, apart.tags) and torch.equal(together.share, apart.share)
    other = tagging.propose(system, features, seed=8, samples=11, words=1)
    assert not torch.equal(together.share, other.share)


def test_a_perfect_generator_is_right_where_a_sample_means_one_word_and_not_where_it_means_all() -> None:
    torch.manual_seed(0)
    table = torch.randn(40, 16)
    used = torch.zeros(3, 40, dtype=torch.long)
    used[:, 5:17] = 1
    one = tagging.score(tagging.of_people(used, table, seed=0, words=1), used)
    assert one.precision.tolist() == [1, 1, 1]
    every = tagging.score(tagging.of_people(used, table, seed=0, words=40), used)
    assert every.precision.tolist() == [0.5, 0.5, 0.5]  # all words are as common: numbers 0 to 9, of which 5 to 9


# --- what is as easily guessed --------------------------------------------------------------------------------------


def test_random_words_differ_from_each_other_and_are_right_by_chance() -> None:
    drawn = tagging.at_random(4000, 20, seed=0)
    assert all(len(set(row)) == 10 for row in drawn[:50].tolist())
    used = torch.zeros(4000, 20, dtype=torch.long)
    used[:, :4] = 1
    assert tagging.score(drawn, used).precision.mean().item() == pytest.approx(0.2, abs=0.01)


def test_the_most_frequent_words_are_the_same_for_all() -> None:
    used = torch.tensor([[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]])
    assert tagging.most_frequent(3, used, 2).tolist() == [[2, 0]] * 3


def test_neighbours_give_the_words_most_used_on_the_nearest_pictures() -> None:
    train = torch.tensor([[0.0], [0.1], [0.2], [10.0], [10.1]])
    used = torch.tensor([[1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1]])
    found = tagging.of_neighbours(torch.tensor([[0.05], [10.04]]), train, used, 2, 2)
    assert found.tolist() == [[0, 2], [1, 3]]  # 2 and 3 are as common there; 2 and 3 in all of training too: by number


def test_a_linear_map_without_ridge_finds_a_linear_law() -> None:
    torch.manual_seed(0)
    x, law = torch.randn(50, 4, dtype=torch.double), torch.randn(4, 3, dtype=torch.double)
    read = tagging.of_linear_map(x[:5], x, x @ law + 2, 0.0)
    torch.testing.assert_close(read, x[:5] @ law + 2)
    flat = tagging.of_linear_map(x[:5], x, x @ law + 2, 1e9)
    torch.testing.assert_close(flat, (x @ law + 2).mean(0).expand(5, -1), rtol=1e-4, atol=1e-4)


def test_the_mean_vector_of_a_picture_is_of_its_own_words() -> None:
    table = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    used = torch.tensor([[1, 1, 0], [0, 0, 1], [0, 0, 0]])
    torch.testing.assert_close(tagging.mean_vectors(used, table), torch.tensor([[0.5, 0.5], [-1.0, 0.0], [0.0, 0.0]]))
