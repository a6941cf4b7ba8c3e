"""The hybrid character-level CNN-RNN: a sentence as a vector (Reed et al., CVPR 2016, arXiv:1605.05395)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SYMBOLS = 70
LENGTH = 201  # characters


class Recurrence(nn.Module):
    """A recurrent layer over steps of its own width; the mean of its states.

    As released, the first state knows no state before it, not even the bias of one; so torch's own layers, which take
    a state of zeros, would give something else.
    """

    def __init__(self, width: int, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        self.i2h, self.h2h = nn.Linear(width, width), nn.Linear(width, width)
        if gated:
            self.i2h_update, self.h2h_update = nn.Linear(width, width), nn.Linear(width, width)
            self.i2h_reset, self.h2h_reset = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, T, D] -> [N, D].

        Plain: h_1 = relu(W x_1), h_t = relu(W x_t + U h_{t-1}). Gated: h_1 = tanh(W x_1), and with sigmoids z and r of
        x_t and h_{t-1}, h_t = z tanh(W x_t + U (r h_{t-1})) + (1 - z) h_{t-1}.
        """
        read = self.i2h(x)
        hidden = torch.tanh(read[:, 0]) if self.gated else F.relu(read[:, 0])
        states = [hidden]
        if self.gated:
            updates, resets = self.i2h_update(x), self.i2h_reset(x)
            for step in range(1, x.shape[1]):
                z = torch.sigmoid(updates[:, step] + self.h2h_update(hidden))
                r = torch.sigmoid(resets[:, step] + self.h2h_reset(hidden))
                hidden = z * torch.tanh(read[:, step] + self.h2h(r * hidden)) + (1 - z) * hidden
                states.append(hidden)
        else:
            for step in range(1, x.shape[1]):
                hidden = F.relu(read[:, step] + self.h2h(hidden))
                states.append(hidden)
        return torch.stack(states).mean(0)


class CharacterRNN(nn.Module):
    """Three convolutions over the characters, a recurrent layer over what is left of them, a linear map."""

    def __init__(self, dims: tuple[int, int, int], gated: bool, pooled: bool, text_dim: int) -> None:
        """dims: of the two convolutions, and of the third and the recurrent layer. pooled: 8 steps instead of 18."""
        super().__init__()
        first, second, width = dims
        self.conv1 = nn.Conv1d(SYMBOLS, first, 4)
        self.conv2 = nn.Conv1d(first, second, 4)
        self.conv3 = nn.Conv1d(second, width, 4)
        self.pooled = pooled
        self.rnn = Recurrence(width, gated)
        self.emb_proj = nn.Linear(width, text_dim)

    def forward(self, characters: Tensor) -> Tensor:
        """characters [N, 201] int64, 0 = no symbol -> [N, D]."""
        # one column of 70 for each character; that of code 0 is empty. Torch7's threshold is not quite a ReLU
        x = F.one_hot(characters, SYMBOLS + 1)[..., 1:].transpose(1, 2).to(self.conv1.weight.dtype)
        x = F.max_pool1d(F.threshold(self.conv1(x), 1e-6, 0.0), 3)  # [N, 384, 66]
        x = F.max_pool1d(F.threshold(self.conv2(x), 1e-6, 0.0), 3)  # [N, 512, 21]
        x = F.threshold(self.conv3(x), 1e-6, 0.0)  # [N, 256 or 512, 18]
        x = F.max_pool1d(x, 3, 2) if self.pooled else x  # [N, 256 or 512, 8]
        return self.emb_proj(self.rnn(x.transpose(1, 2)))
