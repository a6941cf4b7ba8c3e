"""How a loss becomes a change of weights: the only place that does."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Update:
    """`update("generator", loss)` moves the generator's weights, and no others."""

    def __init__(self, optimizers: dict[str, Optimizer]) -> None:
        self.optimizers = optimizers
        self.step = 0
        self.losses: dict[str, Tensor] = {}

    def __call__(self, name: str, loss: Tensor) -> None:
        """Move the weights of `name` down the gradient of `loss`."""
        self.backward(loss, name)
        self.apply(name)

    def backward(self, loss: Tensor, *names: str, retain_graph: bool = False) -> None:
        """Add d loss / d weights to the named groups only; other networks stay untouched."""
        weights = [weight for name in names for weight in self.weights(name)]
        loss.backward(inputs=weights, retain_graph=retain_graph)

    def apply(self, *names: str, clip_norm: float | None = None) -> None:
        """Clip the joint L2 norm of the named gradients, step, clear."""
        if clip_norm is not None:
            nn.utils.clip_grad_norm_([weight for name in names for weight in self.weights(name)], clip_norm)
        for name in names:
            self.optimizers[name].step()
            self.optimizers[name].zero_grad(set_to_none=True)

    def rate(self, name: str, factor: float) -> None:
        """Make the step sizes of `name` those it began with, times `factor`; they are part of the training state."""
        for group in self.optimizers[name].param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def momentum(self, name: str, value: float) -> None:
        """Make the momentum of `name` this one; it is part of the training state."""
        for group in self.optimizers[name].param_groups:
            group["momentum"] = value

    def forget(self, name: str) -> None:
        """Empty the state of `name`; step sizes, and what `rate` made of them, stay."""
        self.optimizers[name].state.clear()

    def record(self, **values: Tensor | float) -> None:
        """Note figures for the log; the last value of each name counts."""
        for name, value in values.items():
            self.losses[name] = torch.as_tensor(value).detach().float()

    def weights(self, name: str) -> list[nn.Parameter]:
        """The weights that optimizer `name` moves."""
        return [weight for group in self.optimizers[name].param_groups for weight in group["params"]]
