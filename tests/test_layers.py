"""The layer-wise analysis, on a generator whose layers are known."""

import numpy as np
import torch
from torch import Tensor

from telldraw.metrics.layers import analyse, table


class Known:
    """Four layers of one number: attribute a is there iff layer 1 is positive, b iff layers 2 and 3 are together."""

    def synthesise(self, code: Tensor) -> Tensor:
        return code.permute(0, 2, 1).unsqueeze(2)  # [N, 1, 1, 4]


def judged(pictures: Tensor) -> Tensor:
    layer = pictures[:, 0, 0]
    return torch.stack([layer[:, 1] > 0, layer[:, 2] + layer[:, 3] > 0, layer[:, 0] > 100], 1)


def distance(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square().flatten(1).mean(1)


def test_layers_that_decide_an_attribute_are_found() -> None:
    codes = torch.randn(400, 4, 1, generator=torch.Generator().manual_seed(0))
    found = analyse(Known(), judged, distance, codes)
    assert found.layers == 4 and len(found.runs) == 10
    alone = found.single()
    assert alone[1, 0] == 1 and alone[0, 0] == alone[2, 0] == 0
    assert 0.2 < alone[2, 1] < 0.8 and 0.2 < alone[3, 1] < 0.8
    assert table(found, ("a", "b", "c")) == {"a": [1], "b": [2, 3], "c": [0, 1, 2, 3]}
    assert found.pairs[2] == 0 and np.isnan(alone[:, 2]).all(), "no pair differs in what nothing has"
    everything = found.runs.index((0, 4))
    assert found.flips[everything, :2].tolist() == [1, 1]
    # replacing one of four layers by another N(0, 1) moves a quarter of twice the variance
    assert abs(found.moved[found.runs.index((1, 2))] - 0.5) < 0.15
    assert found.spoiled[found.runs.index((0, 1)), :2].tolist() == [0, 0]


def test_an_easier_reach_takes_fewer_layers() -> None:
    codes = torch.randn(400, 4, 1, generator=torch.Generator().manual_seed(1))
    assert len(analyse(Known(), judged, distance, codes).chosen(1, reach=0.1)) == 1
