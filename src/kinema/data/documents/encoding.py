"""From token ids to embeddings: many sequences of any length through an encoder, in batches of like lengths.

An embedding does not depend on what else is in its batch; sequences are sorted by length so that little is padded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.spans import Tokens
from kinema.data.documents.tokenizer import Tokenizer

Progress = Callable[[int, int], None]
_DOCUMENTS_AT_A_TIME = 256


class Encoder(Protocol):
    """Sequences of tokens [N, L] to float [N, dim]."""

    dim: int

    def __call__(self, tokens: Tokens) -> Tensor:
        """Embeddings, not normalised."""
        ...


@torch.inference_mode()
def encode_sequences(
    encoder: Encoder,
    tokenizer: Tokenizer,
    sequences: Sequence[Sequence[int]],
    *,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Tensor:
    """The embedding of each sequence, float32 [N, dim] on the CPU.

    Args:
        encoder: in evaluation mode, on ``device``.
        tokenizer: puts the special tokens around each and pads.
        sequences: N lists of ids without special tokens, none longer than the encoder takes.
        batch_size: sequences at a time.
        device: where to compute.
        progress: is called with (sequences done, sequences).
    """
    found = torch.zeros(len(sequences), encoder.dim)
    order = sorted(range(len(sequences)), key=lambda number: len(sequences[number]), reverse=True)
    for begin in range(0, len(order), batch_size):
        some = order[begin : begin + batch_size]
        tokens, _ = tokenizer.collate([tokenizer.with_special(sequences[number]) for number in some])
        found[torch.tensor(some)] = encoder(tokens.to(device)).float().cpu()
        if progress is not None:
            progress(begin + len(some), len(order))
    return found.clone()  # an ordinary tensor, of which gradients may be taken


def encode_documents(
    encoder: Encoder,
    tokenizer: Tokenizer,
    documents: Iterable[Sequence[int]],
    window: int,
    *,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """The embedding of each document of any length: the mean of those of its windows, weighted by their tokens.

    Args:
        encoder: in evaluation mode, on ``device``.
        tokenizer: puts the special tokens around each window and pads.
        documents: N lists of ids without special tokens, read as they are needed.
        window: tokens of a window without special ones; the last one of a document is shorter.
        batch_size: windows at a time.
        device: where to compute.
        progress: is called with the number of documents done.

    Returns:
        Float32 [N, dim] on the CPU.

    Raises:
        ConfigError: ``window`` is below 1.
    """
    if window < 1:
        raise ConfigError(f"A window of {window} tokens holds nothing; it needs at least 1.")
    means = []
    coming = iter(documents)
    done = 0
    while some := list(islice(coming, _DOCUMENTS_AT_A_TIME)):
        pieces = [(o, ids[at : at + window]) for o, ids in enumerate(some) for at in range(0, max(1, len(ids)), window)]
        found = encode_sequences(encoder, tokenizer, [p for _, p in pieces], batch_size=batch_size, device=device)
        owners = torch.tensor([owner for owner, _ in pieces])
        weights = torch.tensor([max(1, len(piece)) for _, piece in pieces], dtype=torch.float32)[:, None]
        total = torch.zeros(len(some), found.shape[1]).index_add_(0, owners, found * weights)
        means.append(total / torch.zeros(len(some), 1).index_add_(0, owners, weights))
        done += len(some)
        if progress is not None:
            progress(done)
    return torch.cat(means) if means else torch.zeros(0, encoder.dim)
