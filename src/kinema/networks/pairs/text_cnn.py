"""The convolutional network of a text's words.

Source: Kim 2014, "Convolutional Neural Networks for Sentence Classification", arXiv 1408.5882: filters over 3, 4 and 5
words, the largest answer of each over time.

Departures: word vectors start at random (the paper's CNN-rand). As in the author's code a text is widened by a word
less than the filter at both ends, so that a text of one word has an answer; windows without a word of the text are left
out, so that an embedding depends neither on padding nor on what it is padded beside.

Axes: N texts, L words of the longest, E dimensions of a word, c filters of each width k.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.spans import Tokens


class TextCNN(nn.Module):
    """Words to features, [N, L] to [N, len(kernels) c]; zeros of a text without a word.

    Args:
        vocabulary: rows of the embedding.
        width: E.
        channels: c.
        kernels: widths of the filters, in words.
        dropout: of the features, in training.

    Attributes:
        vocabulary: rows of the embedding.
        dim: len(kernels) c.

    Raises:
        ConfigError: it is not known how many words there are.
    """

    def __init__(self, vocabulary: int, width: int, channels: int, kernels: Sequence[int], dropout: float) -> None:
        super().__init__()
        if vocabulary < 2:
            raise ConfigError(
                "It is not known how many words the texts have.",
                "Set encoder.text.vocabulary; the data tell it in a run.",
            )
        self.vocabulary, self.dim = vocabulary, channels * len(kernels)
        self.kernels = tuple(kernels)
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, channels, k, padding=k - 1) for k in kernels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tokens) -> Tensor:
        """Features, float [N, dim].

        Raises:
            ShapeError: the input is no tokens, or (on the CPU) an id is outside of the vocabulary.
        """
        if not isinstance(tokens, Tokens):
            raise ShapeError(f"The network takes tokens, and {type(tokens).__name__} was given.")
        ids, mask = tokens.ids, tokens.mask
        if ids.numel() and ids.device.type == "cpu" and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary:
            raise ShapeError(
                f"Ids of words lie from {int(ids.min())} to {int(ids.max())}, and the network has {self.vocabulary} "
                "rows.",
                "Use the vocabulary that the network was trained with.",
            )
        if not ids.numel():
            return self.embedding.weight.new_zeros((len(ids), self.dim))
        words = (self.embedding(ids) * mask[..., None]).transpose(1, 2)  # [N, E, L]
        lengths = mask.sum(dim=1)
        most = [_most(conv(words), lengths, k) for conv, k in zip(self.convolutions, self.kernels, strict=True)]
        found: Tensor = self.dropout(torch.cat(most, dim=1))
        return found

    def stages(self) -> list[list[nn.Parameter]]:
        """The parameters by depth: the words, the filters."""
        return [list(self.embedding.parameters()), list(self.convolutions.parameters())]


def _most(answers: Tensor, lengths: Tensor, kernel: int) -> Tensor:
    """The largest answer after ReLU of the windows that hold a word, float [N, c, L + k - 1] to [N, c]; else 0.

    Args:
        answers: window t spans words t - k + 1 to t.
        lengths: int64 [N], words of each text.
        kernel: k.
    """
    held = torch.arange(answers.shape[2], device=answers.device) < (lengths + kernel - 1)[:, None]
    held &= (lengths > 0)[:, None]
    return torch.where(held[:, None], torch.relu(answers), 0.0).amax(dim=2)
