"""Sentences as vectors."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence


class SentenceEncoder(nn.Module):
    """Words -> vectors -> a bidirectional GRU; its two last states, side by side and layer-normed, are the sentence."""

    def __init__(self, vocabulary_size: int, word_dim: int, sentence_dim: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary_size, word_dim, padding_idx=0)
        self.gru = nn.GRU(word_dim, sentence_dim // 2, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(sentence_dim)

    def forward(self, words: Tensor) -> Tensor:
        """words [N, L] int64, 0 = padding at the end -> [N, D]. A sentence without words counts as one padding word."""
        lengths = (words != 0).sum(1).clamp(min=1)
        if torch.compiler.is_exporting():
            last = onnx_gru(self.gru, self.words(words), lengths)
        else:
            packed = pack_padded_sequence(self.words(words), lengths.cpu(), batch_first=True, enforce_sorted=False)
            _, last = self.gru(packed)  # [2, N, D / 2]
        return self.norm(last.transpose(0, 1).flatten(1))


def onnx_gru(gru: nn.GRU, rows: Tensor, lengths: Tensor) -> Tensor:
    """The last states [2, N, H] of a bidirectional GRU over rows [N, L, W] of unequal lengths [N], as ONNX's own GRU.

    Only for an export to ONNX: packed sequences cannot be exported, and ONNX's operator takes lengths instead. Its
    gates are in the order z, r, n where torch has r, z, n.
    """
    import torch.onnx.ops

    def directions(name: str) -> list[Tensor]:
        found = []
        for direction in ("", "_reverse"):
            r, z, n = gru.get_parameter(f"{name}_l0{direction}").chunk(3)
            found.append(torch.cat([z, r, n]))
        return found

    count, width = rows.shape[0], gru.hidden_size
    bias = [torch.cat(both) for both in zip(directions("bias_ih"), directions("bias_hh"), strict=True)]
    weights = (torch.stack(tensors) for tensors in (directions("weight_ih"), directions("weight_hh"), bias))
    _, last = torch.onnx.ops.symbolic_multi_out(
        "GRU",
        (rows.transpose(0, 1), *weights, lengths.to(torch.int32)),
        {"direction": "bidirectional", "hidden_size": width, "linear_before_reset": 1},
        dtypes=(rows.dtype, rows.dtype),
        shapes=((rows.shape[1], 2, count, width), (2, count, width)),
        version=18,
    )
    return last
