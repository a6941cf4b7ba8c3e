"""A sentence encoder that somebody else has trained, by its name, through Hugging Face's `transformers`."""

from typing import Any

import torch
from torch import Tensor, nn

from telldraw.blocks.pretrained import pretrained
from telldraw.errors import TelldrawError

KEPT = 200_000
"""Sentences whose means are kept in memory: 300 MB of a model of 384 numbers."""


class SentenceModel(nn.Module):
    """The mean of the model's last states over the words of a sentence, and a linear map that is trained here.

    The model itself stays as it is and is no part of the weights: they name it.
    """

    def __init__(self, name: str, text_dim: int) -> None:
        """name: of a model on the Hugging Face hub, or its folder. Raises TelldrawError when it cannot be had."""
        super().__init__()
        if not name:
            raise TelldrawError("--config.sentence-model is missing: name a sentence encoder, or the folder it is in")
        tokenizer, model = pretrained("--config.sentence-model", name, "AutoTokenizer", "AutoModel")
        width = getattr(model.config, "hidden_size", None)
        if width is None or getattr(model.config, "is_encoder_decoder", False):
            raise TelldrawError(
                f"--config.sentence-model {name} is no encoder of sentences but {type(model).__name__}; name one "
                "such as sentence-transformers/all-MiniLM-L6-v2"
            )
        # in a tuple, so that it is no sub-module: neither trained nor stored
        self._frozen: tuple[Any, Any] = (tokenizer, model.eval().requires_grad_(False))
        self._said: dict[str, Tensor] = {}  # means by sentence: training reads each caption many times
        self.emb_proj = nn.Linear(width, text_dim)

    def forward(self, sentences: list[str]) -> Tensor:
        """Sentences -> [N, D]."""
        if len(self._said) > KEPT:
            self._said.clear()
        new = [one for one in dict.fromkeys(sentences) if one not in self._said]
        if new:
            self._said.update(zip(new, self._means(new), strict=True))
        return self.emb_proj(torch.stack([self._said[one] for one in sentences]).to(self.emb_proj.weight.device))

    @torch.no_grad()
    def _means(self, sentences: list[str]) -> Tensor:
        """Sentences -> the means of their words' last states [N, hidden], float32, on the CPU."""
        tokenizer, model = self._frozen
        device = self.emb_proj.weight.device
        read = tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
        read = {name: value.to(device) for name, value in read.items()}
        states = model.to(device)(**read).last_hidden_state
        there = read["attention_mask"][..., None].to(states.dtype)
        return ((states * there).sum(1) / there.sum(1).clamp(min=1)).float().cpu()
