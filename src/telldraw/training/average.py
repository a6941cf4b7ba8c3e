"""The weights that draw: an exponential moving average of those that train."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn


class Average:
    """A copy of a system whose weights follow it slowly: Karras et al. 2018, App. C; Yazici et al. 2019.

    The decay is that of one step. It starts lower, (1 + n) / (10 + n) after n steps, so that the first, random weights
    are soon forgotten; n counts from a weight's own first step, because layers of a network that grows join later.
    Buffers (statistics, singular vectors) are copied, because they are averages already.
    """

    def __init__(self, system: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self._norms = [name for name, norm in _norms(system) if norm.weight is None or norm.weight.requires_grad]
        self.system = copy.deepcopy(system).requires_grad_(False).eval()
        weights = list(system.parameters())
        self.began = [0] * len(weights)
        """For each weight the steps before it was first trained."""
        self._waiting = {at for at, weight in enumerate(weights) if weight.requires_grad}
        for module in self.system.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()  # the copy's weights lie apart; a GPU would gather them at every call

    @torch.no_grad()
    def follow(self, system: nn.Module, step: int) -> None:
        """Move towards `system` after its step number `step`."""
        own, others = list(self.system.parameters()), list(system.parameters())
        for at in list(self._waiting):
            if not torch.equal(own[at], others[at]):  # it was trained
                self._waiting.remove(at)
                self.began[at] = step - 1
        for began in set(self.began):
            chosen = [at for at, first in enumerate(self.began) if first == began]
            decay = min(self.decay, (1 + step - began) / (10 + step - began))
            torch._foreach_lerp_([own[at] for at in chosen], [others[at] for at in chosen], 1 - decay)  # type: ignore[attr-defined]
        mine, theirs = list(self.system.buffers()), list(system.buffers())
        if mine:
            torch._foreach_copy_(mine, theirs)  # type: ignore[attr-defined]

    def resume(self, system: nn.Module, state: dict[str, Any], began: list[int] | None) -> None:
        """Be what was saved beside `system`, which is as it was then: the average's state, and `began`."""
        self.system.load_state_dict(state)
        if began is not None:
            self.began = list(began)
        own, others = list(self.system.parameters()), list(system.parameters())
        self._waiting = {at for at in self._waiting if torch.equal(own[at], others[at])}

    @torch.no_grad()
    def measure(self, forward: Callable[[Any], None], batches: Iterable[Any]) -> None:
        """Measure the batch norms' statistics anew, as the mean over `batches`, for the averaged weights.

        Those that were copied belong to other weights; drawing with them is visibly wrong after fast training. Norms
        that training leaves as they are (their weights ask for no gradient) keep theirs.
        """
        norms: list[Any] = [self.system.get_submodule(name) for name in self._norms]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches that follow
            norm.train()
        for batch in batches:
            forward(batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.system.eval()


def _norms(system: nn.Module) -> list[tuple[str, Any]]:
    """The batch norms of a system, by name."""
    kind = nn.modules.batchnorm._BatchNorm
    return [(name, module) for name, module in system.named_modules() if isinstance(module, kind)]
