"""How a sentence reaches a picture: conditioning augmentation."""

from torch import Tensor, nn


class ConditioningAugmentation(nn.Module):
    """A Gaussian around the condition, its mean and log-variance free: Zhang et al. 2017 (StackGAN), Sec. 3.2.

    `rectified`: neither is below 0, as in the paper's PyTorch code.
    """

    def __init__(self, condition_dim: int, code_dim: int, *, rectified: bool = False) -> None:
        super().__init__()
        self.rectified = rectified
        self.project = nn.Linear(condition_dim, 2 * code_dim)

    def forward(self, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """condition [B, D], noise [B, C] ~ N(0, 1) -> code, mean and log-variance, each [B, C]."""
        said = self.project(condition).float()
        mean, logvar = (said.relu() if self.rectified else said).chunk(2, dim=1)
        return mean + (0.5 * logvar).exp() * noise, mean, logvar
