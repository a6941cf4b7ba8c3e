"""How well a text fits a picture by a CLIP model of the user's (Radford et al. 2021), through `transformers`.

The released TediGAN optimises by it (and its extension calls that TediGAN-B), but hands CLIP pictures in [-1, 1] that
are enlarged without interpolation; here they are prepared as CLIP's were (bicubic, its own mean and deviation).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from telldraw.blocks.pretrained import pretrained

# of CLIP's training pictures in [0, 1], the same for all its published models
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class Clip:
    """A frozen CLIP model and a text: pictures -> how badly the text fits them."""

    def __init__(self, name: str, text: str, device: torch.device | str = "cpu") -> None:
        """name: of a model on the Hugging Face hub, or its folder. Raises TelldrawError when it cannot be had."""
        tokenizer, model = pretrained("--clip", name, "CLIPTokenizerFast", "CLIPModel")
        self._model: Any = model.to(device).eval().requires_grad_(False)
        self.side: int = model.config.vision_config.image_size
        most = model.config.text_config.max_position_embeddings
        read = tokenizer([text], padding=True, truncation=True, max_length=most, return_tensors="pt").to(device)
        with torch.no_grad():
            self._text = F.normalize(_vector(self._model.get_text_features(**read)), dim=1)

    def __call__(self, images: Tensor) -> Tensor:
        """1 - cosine of text and pictures [N, 3, H, W] in [-1, 1]: [N], 0 to 2."""
        seen = _vector(self._model.get_image_features(pixel_values=prepared(images, self.side)))
        return 1 - F.normalize(seen, dim=1) @ self._text[0]


def prepared(images: Tensor, side: int) -> Tensor:
    """Pictures [N, 3, H, W] in [-1, 1] as CLIP takes them: [N, 3, side, side], bicubic, its mean and deviation."""
    larger = F.interpolate(images, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
    shares = ((larger + 1) / 2).clamp(0, 1)
    mean, deviation = (shares.new_tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _DEVIATION))
    return (shares - mean) / deviation


def _vector(found: Any) -> Tensor:
    """What newer versions of transformers wrap."""
    return found if isinstance(found, Tensor) else found.pooler_output
