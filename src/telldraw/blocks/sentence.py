"""Sentences as vectors."""

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
        lengths = (words != 0).sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(self.words(words), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)  # [2, N, D / 2]
        return self.norm(last.transpose(0, 1).flatten(1))
