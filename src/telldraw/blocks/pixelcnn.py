"""Gated PixelCNN: a distribution over maps of discrete codes, one position after another, row by row.

van den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders" (arXiv:1606.05328), Sec. 2 and Fig. 2:

    p(c | y, s) = prod_i p(c_i | c_1 .. c_{i-1}, y, s)           i runs over the positions in raster order
    gate(a, b)  = tanh(a) * sigmoid(b)                           Eq. 2, with V y and V * s added to a and b: Eq. 3, 4

Two stacks of convolutions keep the order without a blind spot. The vertical one, v, sees the rows above; the horizontal
one, h, the positions to the left, and v. Kernels have the size of what may be seen, instead of masks over larger ones:
a vertical kernel is (n // 2 + 1) x n, a horizontal one 1 x (n // 2 + 1), and only the first layer leaves out what is
predicted.

Ours, beside the paper: a learned bias for every row and every column, because zeros at the border tell only the first
few positions where they are; and, as in PixelSNAIL (Chen et al. 2018) and VQ-VAE-2's top prior (Razavi et al. 2019),
self-attention from a position to itself and all before it.

`sample` is `forward` one position at a time, with what later positions need again kept: the last rows of v, the last
columns of h, and the keys and values. Each position costs the same convolution work wherever it lies, so a map costs
work in proportion to its size; calling `forward` for each position, as `sample_naively` does, costs the square of that.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gate(features: Tensor) -> Tensor:
    """[N, 2C, ...] -> tanh(first half) * sigmoid(second half), [N, C, ...]: Eq. 2."""
    a, b = features.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


def pick(logits: Tensor, uniform: Tensor) -> Tensor:
    """Inverse distribution function: logits [N, K], uniform [N] in [0, 1] -> code [N] int64."""
    cumulated = logits.double().softmax(-1).cumsum(-1)
    return (cumulated < uniform.double().unsqueeze(-1)).sum(-1).clamp(max=logits.shape[-1] - 1)


class CausalAttention(nn.Module):
    """Each position looks at itself and all before it, in raster order: one head, scaled by the root of its width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = max(8, channels // 2)
        self.ask = nn.Conv2d(channels, 3 * self.inner, 1)
        self.answer = nn.Conv2d(self.inner, channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        query, key, value = (part[:, None] for part in self.ask(h).flatten(2).mT.chunk(3, dim=2))
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return h + self.answer(seen[:, 0].mT.unflatten(2, h.shape[2:]))

    def step(self, h: Tensor, keys: Tensor, values: Tensor, position: int) -> Tensor:
        """h [N, C] of one position; keys, values [N, positions, inner] are filled in up to it -> [N, C]."""
        query, key, value = F.linear(h, self.ask.weight[:, :, 0, 0], self.ask.bias).chunk(3, dim=1)
        keys[:, position], values[:, position] = key, value
        known = slice(position + 1)
        seen = F.scaled_dot_product_attention(query[:, None], keys[:, known], values[:, known])
        return h + F.linear(seen[:, 0], self.answer.weight[:, :, 0, 0], self.answer.bias)


class GatedLayer(nn.Module):
    """One layer of both stacks: Fig. 2. The first one has no residual path and does not see the position itself."""

    def __init__(self, inputs: int, channels: int, size: int, *, first: bool, attention: bool) -> None:
        super().__init__()
        border = size // 2
        self.border, self.reach = border, border if first else border + 1
        """How many rows above (columns to the left) a kernel covers; the last of them is the position's own, but for
        the first layer."""
        self.first = first
        self.vertical = nn.Conv2d(inputs, 2 * channels, (self.reach, size))
        self.horizontal = nn.Conv2d(inputs, 2 * channels, (1, self.reach))
        self.across = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.attention = CausalAttention(channels) if attention else None

    def forward(self, v: Tensor, h: Tensor, told_v: Tensor, told_h: Tensor) -> tuple[Tensor, Tensor]:
        """v, h [N, C, H, W]; told_v, told_h [N or 1, 2C, H or 1, W or 1], what the condition adds -> the next v, h."""
        last = -1 if self.first else 0  # the first layer does not see the last row, or column, of its input
        below = self.vertical(F.pad(v, (self.border, self.border, self.border, last))) + told_v
        beside = self.horizontal(F.pad(h, (self.border, last, 0, 0))) + self.across(below) + told_h
        after = self.out(gate(beside))
        after = after if self.first else h + after
        return gate(below), after if self.attention is None else self.attention(after)

    def row(self, rows: Tensor, told_v: Tensor, told_h: Tensor) -> tuple[Tensor, Tensor]:
        """One row of v, from the `reach` rows that its kernel covers.

        rows [N, C, reach, W] -> v [N, C, 1, W], and what h of this row gets from it, [N, W, 2C].
        """
        below = F.conv2d(rows, self.vertical.weight, self.vertical.bias, padding=(0, self.border)) + told_v
        return gate(below), (self.across(below) + told_h)[:, :, 0].mT.contiguous()

    def kernel(self) -> Tensor:
        """The horizontal kernel as a matrix, for `step`: [2C, reach * C], column after column."""
        return self.horizontal.weight[:, :, 0].mT.flatten(1).contiguous()

    def step(self, columns: Tensor, kernel: Tensor, from_above: Tensor) -> Tensor:
        """One position of h, without attention, from the `reach` columns that the kernel covers.

        columns [N, reach * C] of the layer below, the last one the position's own (but in the first layer), `kernel`
        as above, from_above [N, 2C] -> [N, C].
        """
        beside = F.linear(columns, kernel, self.horizontal.bias) + from_above
        after = F.linear(gate(beside), self.out.weight[:, :, 0, 0], self.out.bias)
        return after if self.first else columns[:, -after.shape[1] :] + after


class PixelCNN(nn.Module):
    """p(codes | vector, map), codes in 0 .. levels - 1 on a map of a fixed size."""

    def __init__(
        self,
        levels: int,
        size: tuple[int, int],
        *,
        channels: int,
        layers: int,
        kernel: int = 3,
        first_kernel: int = 7,
        vector_dim: int = 0,
        map_dim: int = 0,
        attention_every: int = 0,
        ordinal: bool = False,
    ) -> None:
        """A stack of `layers` gated layers after a first one.

        size (H, W); kernel, first_kernel: sides of the receptive field of a layer, odd; vector_dim, map_dim: sizes of
        the conditions, 0 for none; attention_every: attention after every so many layers, 0 for none; ordinal: codes
        are amounts, such as grey levels, and enter as one number in [-1, 1] instead of a learned vector each.
        """
        super().__init__()
        self.levels, self.size, self.vector_dim, self.map_dim = levels, size, vector_dim, map_dim
        self.embedding = None if ordinal else nn.Embedding(levels, channels)
        inputs = 1 if ordinal else channels
        self.layers: Any = nn.ModuleList(
            GatedLayer(
                channels if index else inputs,
                channels,
                kernel if index else first_kernel,
                first=not index,
                attention=bool(attention_every) and index > 0 and index % attention_every == 0,
            )
            for index in range(layers + 1)
        )
        told = 4 * channels * (layers + 1)
        self.rows = nn.Parameter(torch.zeros(1, 4 * channels, size[0], 1))
        self.columns = nn.Parameter(torch.zeros(1, 4 * channels, 1, size[1]))
        self.tell = nn.Linear(vector_dim, told, bias=False) if vector_dim else None
        self.show = nn.Conv2d(map_dim, told, 1, bias=False) if map_dim else None
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, 2 * channels, 1), nn.ReLU())
        self.predict = nn.Conv2d(2 * channels, levels, 1)

    def features(self, codes: Tensor) -> Tensor:
        """codes [N, ...] int64 -> [N, ..., C] what the first layer sees."""
        if self.embedding is None:
            return (codes.float() * (2 / (self.levels - 1)) - 1).unsqueeze(-1)
        return self.embedding(codes)

    def told(self, vector: Tensor | None, map: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """What the conditions add before the gates: for each layer two maps that broadcast to [N, 2C, H, W]."""
        parts: list[Tensor | int] = [0] * len(self.layers)
        if self.tell is not None:
            if vector is None:
                raise ValueError("this PixelCNN takes a condition vector")
            parts = list(self.tell(vector)[:, :, None, None].chunk(len(self.layers), dim=1))
        if self.show is not None:
            if map is None:
                raise ValueError("this PixelCNN takes a condition map")
            shown = self.show(map).chunk(len(self.layers), dim=1)
            parts = [part + each for part, each in zip(parts, shown, strict=True)]
        parts[0] = parts[0] + self.rows + self.columns
        zero = self.rows.new_zeros(1, 1, 1, 1)
        pairs = [part.chunk(2, dim=1) if isinstance(part, Tensor) else (zero, zero) for part in parts]
        return [(pair[0], pair[1]) for pair in pairs]

    def forward(self, codes: Tensor, vector: Tensor | None = None, map: Tensor | None = None) -> Tensor:
        """codes [N, H, W] int64, vector [N, vector_dim], map [N, map_dim, H, W] -> logits [N, levels, H, W].

        Logits at a position depend on the codes before it alone.
        """
        v = h = self.features(codes).permute(0, 3, 1, 2)
        for layer, told in zip(self.layers, self.told(vector, map), strict=True):
            v, h = layer(v, h, *told)
        return self.predict(self.head(h)).float()

    def predict_one(self, h: Tensor) -> Tensor:
        """h [N, C] of one position -> logits [N, levels]: the last two convolutions as the products they are there."""
        inner = self.head[1]
        assert isinstance(inner, nn.Conv2d)
        seen = F.relu(F.linear(F.relu(h), inner.weight[:, :, 0, 0], inner.bias))
        return F.linear(seen, self.predict.weight[:, :, 0, 0], self.predict.bias).float()

    @torch.no_grad()
    def sample_naively(self, uniform: Tensor, vector: Tensor | None = None, map: Tensor | None = None) -> Tensor:
        """What `sample` does, by a whole forward pass for each position: to test and to measure against."""
        codes = torch.zeros(uniform.shape, dtype=torch.long, device=uniform.device)
        for row in range(self.size[0]):
            for column in range(self.size[1]):
                logits = self(codes, vector, map)[:, :, row, column]
                codes[:, row, column] = pick(logits, uniform[:, row, column])
        return codes

    @torch.no_grad()
    def sample(
        self,
        uniform: Tensor,
        vector: Tensor | None = None,
        map: Tensor | None = None,
        after_row: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """uniform [N, H, W] in [0, 1] -> codes [N, H, W] int64: each the inverse of its distribution function there.

        `after_row` is called after each row of codes, to show progress.
        """
        return Sampler(self, len(uniform), vector, map).run(uniform, after_row)


class Sampler:
    """What is kept from one position to the next while N maps are sampled."""

    def __init__(self, net: PixelCNN, count: int, vector: Tensor | None, map: Tensor | None) -> None:
        self.net, self.told = net, net.told(vector, map)
        self.height, self.width = net.size
        empty = net.rows.new_zeros
        widths = [layer.vertical.in_channels for layer in net.layers]
        pairs = list(zip(net.layers, widths, strict=True))
        self.above = [empty(count, channels, layer.reach, self.width) for layer, channels in pairs]
        """For each layer the rows below it that its vertical kernel covers, oldest first; zeros before the first."""
        self.left = [empty(count, layer.reach * channels) for layer, channels in pairs]
        """Likewise the columns of h, end to end."""
        self.kernels = [layer.kernel() for layer in net.layers]
        caches = [layer.attention.inner if layer.attention is not None else 0 for layer in net.layers]
        self.memory = [
            (empty(count, self.height * self.width, inner), empty(count, self.height * self.width, inner))
            for inner in caches
        ]
        """For each layer with attention, keys and values of all positions so far."""

    def run(self, uniform: Tensor, after_row: Callable[[], None]) -> Tensor:
        """Sample the maps: see `PixelCNN.sample`."""
        codes = torch.zeros(uniform.shape, dtype=torch.long, device=uniform.device)
        for row in range(self.height):
            from_above = self._row(codes[:, row - 1] if row else None, row)
            for window in self.left:
                window.zero_()
            for column in range(self.width):
                logits = self._position(codes[:, row, column - 1] if column else None, row, column, from_above)
                codes[:, row, column] = pick(logits, uniform[:, row, column])
            after_row()
        return codes

    def _row(self, before: Tensor | None, row: int) -> list[Tensor]:
        """Take in the codes [N, W] of the row before; give what each layer's h gets from above, [N, W, 2C] each."""
        v = None if before is None else self.net.features(before).mT.unsqueeze(2)
        given = []
        for layer, window, (told_v, told_h) in zip(self.net.layers, self.above, self.told, strict=True):
            if v is not None:  # before the first row there is nothing but zeros above
                window.copy_(torch.cat([window[:, :, 1:], v], dim=2))
            v, from_above = layer.row(window, _at(told_v, 2, row), _at(told_h, 2, row))
            given.append(from_above.expand(len(window), self.width, -1))
        return given

    def _position(self, before: Tensor | None, row: int, column: int, from_above: list[Tensor]) -> Tensor:
        """Take in the codes [N] of the position to the left; give the logits [N, levels] of this one."""
        h = None if before is None else self.net.features(before)
        for index, layer in enumerate(self.net.layers):
            window = self.left[index]
            if h is not None:
                window = self.left[index] = torch.cat([window[:, h.shape[1] :], h], dim=1)
            h = layer.step(window, self.kernels[index], from_above[index][:, column])
            if layer.attention is not None:
                h = layer.attention.step(h, *self.memory[index], row * self.width + column)
        assert h is not None
        return self.net.predict_one(h)


def _at(told: Tensor, axis: int, index: int) -> Tensor:
    """The part of a broadcast map at one row."""
    return told if told.shape[axis] == 1 else told.narrow(axis, index, 1)
