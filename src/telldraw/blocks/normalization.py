"""Normalisations: conditional batch norm and spectral norm."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose scale and shift are linear in a condition: de Vries et al. 2017; Miyato & Koyama 2018.

    The weights start at zero, so that scale = 1 and shift = 0 at first, whatever the condition.
    """

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.modulation = nn.Linear(condition_dim, 2 * channels)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """features [B, C, H, W], condition [B, D] -> [B, C, H, W]."""
        scale, shift = self.modulation(condition).unsqueeze(-1).unsqueeze(-1).chunk(2, dim=1)
        return torch.addcmul(shift, self.norm(features), 1 + scale)


class SpectralNorm(nn.Module):
    """A parametrization that divides a weight by its largest singular value: Miyato et al. 2018, Algorithm 1.

    One power iteration each time the weight is used in training. Computed in float32 even under autocast: in bfloat16
    the estimate is off by up to one part in 128, and with it the Lipschitz bound that this exists for.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        u = F.normalize(torch.randn(matrix.shape[0], device=weight.device), dim=0)
        v = F.normalize(torch.randn(matrix.shape[1], device=weight.device), dim=0)
        for _ in range(15):  # a good start: training then needs only one iteration at a time
            v = F.normalize(matrix.t() @ u, dim=0)
            u = F.normalize(matrix @ v, dim=0)
        self.register_buffer("u", u)
        self.register_buffer("v", v)

    def forward(self, weight: Tensor) -> Tensor:
        """weight [out, ...] -> the same over its largest singular value."""
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            if self.training:
                with torch.no_grad():
                    self.v.copy_(F.normalize(matrix.t() @ self.u, dim=0))
                    self.u.copy_(F.normalize(matrix @ self.v, dim=0))
            # copies, because the next use changes the buffers while this graph may still be needed
            sigma = torch.dot(self.u.clone(), torch.mv(matrix, self.v.clone()))
            return weight / sigma


def spectral_norm(layer: Layer) -> Layer:
    """Put spectral norm on the weight of a convolution or linear layer."""
    parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.get_parameter("weight")))
    return layer
