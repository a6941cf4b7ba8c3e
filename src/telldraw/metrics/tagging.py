"""Tags for pictures: from samples of word vectors to ten words, what these are worth, and what is as easily guessed.

Mirza and Osindero 2014 (arXiv:1411.1784), Sec. 4.2: a hundred samples a picture, the 20 words nearest to each by
cosine, the 10 words most common among these. All functions are pure; K tags, D features, E numbers in a word vector.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from telldraw.protocols import Tagger

SAMPLES, NEAREST, TAGS = 100, 20, 10
"""The paper's numbers."""
_ROWS = 25_600  # word vectors compared with the table at once: 256 pictures of 100 samples


class Proposed(NamedTuple):
    """The tags proposed for N pictures, best first."""

    tags: Tensor  # [N, T] int64 numbers of tags; -1 where fewer than T were near to any sample
    share: Tensor  # [N, T] float, the share of the samples among whose nearest words the tag is


class Samples(NamedTuple):
    """What each picture's samples are by themselves, before the most common are taken."""

    right: Tensor  # [N] share of the samples whose nearest word people used
    different: Tensor  # [N] how many different words are nearest to some sample


class Figures(NamedTuple):
    """How many of the proposed tags people used, and how many of theirs were proposed; a figure a picture."""

    precision: Tensor  # [N]
    recall: Tensor  # [N]


def nearest(vectors: Tensor, table: Tensor, count: int) -> Tensor:
    """vectors [..., E], table [K, E] -> the `count` rows of the table with the largest cosine, int64 [..., count]."""
    cosine = torch.nn.functional.normalize(vectors, dim=-1) @ torch.nn.functional.normalize(table, dim=-1).T
    return cosine.topk(min(count, len(table)), dim=-1).indices


def most_common(near: Tensor, size: int, count: int) -> Proposed:
    """near [N, S, n] numbers below `size` -> the `count` most common of each picture; of equals the lowest number.

    A tag that is near to no sample is not proposed: its place is -1, and not that of the most frequent word.
    """
    pictures, samples, _ = near.shape
    votes = near.new_zeros((pictures, size)).scatter_add_(1, near.flatten(1), torch.ones_like(near).flatten(1))
    ranked = votes.sort(dim=1, descending=True, stable=True)
    most = ranked.values[:, :count]
    return Proposed(torch.where(most > 0, ranked.indices[:, :count], -1), most.float() / samples)


@torch.inference_mode()
def propose(
    system: Tagger,
    features: Tensor,
    *,
    seed: int,
    samples: int = SAMPLES,
    words: int = NEAREST,
    tags: int = TAGS,
    progress: Callable[[int], None] = lambda done: None,
) -> Proposed:
    """The paper's protocol for pictures with features [N, D]: `words` are looked up for each of `samples` vectors.

    A picture's noise depends on the seed and its row alone.
    """
    parts, size, table = [], max(1, _ROWS // samples), system.vectors
    for start in range(0, len(features), size):
        part = features[start : start + size]
        noise = torch.stack([noise_of(seed, start + row, samples, system.noise_dim) for row in range(len(part))])
        vectors = system.tag(part.repeat_interleave(samples, 0), noise.flatten(0, 1).to(features.device))
        near = nearest(vectors.float(), table, words).view(len(part), samples, -1)
        parts.append(most_common(near, len(table), tags))
        progress(start + len(part))
    return Proposed(*(torch.cat(each) for each in zip(*parts, strict=True)))


def of_people(used: Tensor, table: Tensor, *, seed: int, samples: int = SAMPLES, words: int = NEAREST) -> Tensor:
    """The protocol with a perfect generator: samples are drawn from the tags people used, used [N, K], -> [N, TAGS].

    What it falls short of is the protocol's doing: where few words are known, 20 neighbours are many of them.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(used.float(), samples, replacement=True, generator=generator)
    return most_common(nearest(table, table, words)[drawn], len(table), TAGS).tags


def noise_of(seed: int, row: int, samples: int, dim: int) -> Tensor:
    """[samples, dim] ~ N(0, 1), the same for (seed, row) on every machine and for every batch size."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + row)
    return torch.randn(samples, dim, generator=generator)


def score(proposed: Tensor, used: Tensor, count: int = TAGS) -> Figures:
    """proposed [N, T <= count] numbers of tags, used [N, K] 0 or 1 -> precision and recall at `count` of each picture.

    A place that is empty (-1, or not there) is wrong. A picture without tags has no recall: it is not a number.
    """
    right = (used.gather(1, proposed.clamp(min=0)) * (proposed >= 0)).sum(1).double()
    return Figures(right / count, right / used.sum(1).double())


def of_samples(proposed: Proposed, used: Tensor) -> Samples:
    """Of what `propose` gives for one nearest word and as many tags as there are. used [N, K] 0 or 1."""
    share = proposed.share.double()
    right = used.gather(1, proposed.tags.clamp(min=0)) * (proposed.tags >= 0)
    return Samples((share * right).sum(1), (proposed.tags >= 0).sum(1).double())


def best_possible(used: Tensor, count: int = TAGS) -> Figures:
    """What knowing all answers would reach: pictures with fewer than `count` tags keep precision below 1."""
    there = used.sum(1).double()
    return Figures(there.clamp(max=count) / count, there.clamp(max=count) / there)


# --- what is as easily guessed --------------------------------------------------------------------------------------


def at_random(pictures: int, size: int, *, seed: int, count: int = TAGS) -> Tensor:
    """`count` different tags drawn for each picture, [pictures, count]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(pictures, size, generator=generator).topk(min(count, size), dim=1).indices


def most_frequent(pictures: int, train_used: Tensor, count: int = TAGS) -> Tensor:
    """The tags most used in training, the same for all, [pictures, count]."""
    return highest(train_used.sum(0, keepdim=True).float(), count).expand(pictures, -1)


def word_shares(train_used: Tensor) -> Tensor:
    """The share of each tag among all uses in training, [K] double."""
    return train_used.sum(0).double() / train_used.sum()


def of_neighbours(
    features: Tensor, train_features: Tensor, train_used: Tensor, neighbours: int, count: int = TAGS
) -> Tensor:
    """The tags most used on the `neighbours` training pictures nearest in (standardised) features, [N, count].

    Of equally frequent ones the tag that is more frequent in all of training comes first.
    """
    overall = train_used.double().mean(0)
    parts = []
    for part in features.split(256):
        near = torch.cdist(part, train_features).topk(neighbours, dim=1, largest=False).indices
        parts.append(highest(train_used[near].double().sum(1) + 0.5 * overall, count))
    return torch.cat(parts)


def of_linear_map(features: Tensor, train_features: Tensor, train_targets: Tensor, penalty: float) -> Tensor:
    """Ridge regression from features [n, D] to targets [n, M], read at features [N, D]: [N, M].

    With targets that are mean word vectors this is DeViSE's linear map (Frome et al. 2013) with squared error; with
    targets that are the tags themselves, a classifier. `penalty` times the number of training pictures is the ridge.
    """
    mean, centre = train_features.double().mean(0), train_targets.double().mean(0)
    x, y = train_features.double() - mean, train_targets.double() - centre
    ridge = penalty * len(x) * torch.eye(x.shape[1], dtype=torch.double, device=x.device)
    weight = torch.linalg.solve(x.T @ x + ridge, x.T @ y)
    return ((features.double() - mean) @ weight + centre).to(features.dtype)


def mean_vectors(used: Tensor, table: Tensor) -> Tensor:
    """used [N, K] 0 or 1, table [K, E] -> the mean of the directions of each picture's words, [N, E]."""
    directions = torch.nn.functional.normalize(table, dim=1)
    return used.to(directions.dtype) @ directions / used.sum(1, keepdim=True).clamp(min=1)


def highest(scores: Tensor, count: int = TAGS) -> Tensor:
    """scores [N, K] -> the numbers of the `count` highest, of equals the lowest number first."""
    return scores.sort(dim=1, descending=True, stable=True).indices[:, :count]
