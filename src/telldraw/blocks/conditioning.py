"""How a sentence reaches a picture: conditioning augmentation."""

from torch import Tensor, nn


class ConditioningAugmentation(nn.Module):
    """A Gaussian around the condition, its mean and log-variance free: Zhang et al. 2017 (StackGAN), Sec. 3.2."""

    def __init__(self, condition_dim: int, code_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(condition_dim, 2 * code_dim)

    def forward(self, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """condition [B, D], noise [B, C] ~ N(0, 1) -> code, mean and log-variance, each [B, C]."""
        mean, logvar = self.project(condition).float().chunk(2, dim=1)
        return mean + (0.5 * logvar).exp() * noise, mean, logvar
