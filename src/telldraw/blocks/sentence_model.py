"""A sentence encoder that somebody else has trained, by its name, through Hugging Face's `transformers`."""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from telldraw.errors import TelldrawError


class SentenceModel(nn.Module):
    """The mean of the model's last states over the words of a sentence, and a linear map that is trained here.

    The model itself stays as it is and is no part of the weights: they name it.
    """

    def __init__(self, name: str, text_dim: int) -> None:
        """name: of a model on the Hugging Face hub, or its folder. Raises TelldrawError when it cannot be had."""
        super().__init__()
        if not name:
            raise TelldrawError("--config.sentence-model is missing: name a sentence encoder, or the folder it is in")
        try:
            transformers: Any = import_module("transformers")
        except ModuleNotFoundError:
            raise TelldrawError(
                f"--config.sentence-model {name}: this needs transformers: pip install 'telldraw[sentence]'"
            ) from None
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
            model = transformers.AutoModel.from_pretrained(name, trust_remote_code=False, use_safetensors=True)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0][:160]
            raise TelldrawError(f"--config.sentence-model {name} cannot be loaded: {reason}") from None
        # in a tuple, so that it is no sub-module: neither trained nor stored
        self._frozen: tuple[Any, Any] = (tokenizer, model.eval().requires_grad_(False))
        self.emb_proj = nn.Linear(model.config.hidden_size, text_dim)

    def forward(self, sentences: list[str]) -> Tensor:
        """Sentences -> [N, D]."""
        tokenizer, model = self._frozen
        device = self.emb_proj.weight.device
        read = tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            states = model.to(device)(**{name: value.to(device) for name, value in read.items()}).last_hidden_state
        there = read["attention_mask"].to(device)[..., None].to(states.dtype)
        return self.emb_proj((states * there).sum(1) / there.sum(1).clamp(min=1))
