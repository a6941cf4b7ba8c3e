"""The least that can be told: plain pictures of one of four colours, and the colour as the vector of the text."""

import torch

from telldraw.batches import Described


def colours(count: int = 32, seed: int = 0) -> Described:
    """Plain pictures of one of four colours, shades of each left open, and the colour as the text's vector."""
    rng = torch.Generator().manual_seed(seed)
    kind, other = torch.randint(4, (count,), generator=rng), torch.randint(1, 4, (count,), generator=rng)
    palette = torch.tensor([[0.8, -0.8, -0.8], [-0.8, 0.8, -0.8], [-0.8, -0.8, 0.8], [0.7, 0.7, -0.8]])
    shade = 0.2 * torch.rand(count, 1, generator=rng) - 0.1
    image = (palette[kind] + shade)[:, :, None, None].expand(-1, -1, 16, 16).contiguous()
    text = torch.eye(4)
    return Described(image, text[kind], text[(kind + other) % 4])
