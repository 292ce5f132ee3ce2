"""The true option among all options of its question, found by a disturbed copy of it.

Source: Kim et al. 2021, "Self-supervised pre-training and contrastive representation learning for multiple-choice video
QA", arXiv 2009.08043: the input of the true answer with noise is the anchor, its clean form the positive, the other
options the negatives. That it compares by the cosine is a reconstruction.

Axes: B questions, K options of each, d dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kinema.core.errors import ConfigError, ShapeError


def option_contrast(anchor: Tensor, options: Tensor, answer: Tensor, temperature: float) -> Tensor:
    """-log( e^(cos(a, z_true)/τ) / Σ_k e^(cos(a, z_k)/τ) ) of each question; log K where all cosines are equal.

    The gradient flows into the anchor and into the options.

    Args:
        anchor: float [B, d], the disturbed true option.
        options: float [B, K, d].
        answer: int64 [B], the true option; -1 where it is not known, and the value is 0 there.
        temperature: τ, above 0.

    Returns:
        Float [B].

    Raises:
        ConfigError: the temperature is not above 0.
        ShapeError: the shapes do not fit, or an answer is none of the options.
    """
    if not temperature > 0:
        raise ConfigError(f"The temperature is {temperature}; it must be above 0.")
    fits = options.dim() == 3 and anchor.shape == (len(options), options.shape[2]) and answer.shape == anchor.shape[:1]
    if not fits:
        raise ShapeError(
            f"option_contrast was given an anchor {tuple(anchor.shape)}, options {tuple(options.shape)} and answers "
            f"{tuple(answer.shape)}; expected [B, d], [B, K, d] and [B]."
        )
    return option_cross_entropy(torch.einsum("bd,bkd->bk", _rows(anchor), _rows(options)) / temperature, answer)


def option_cross_entropy(logits: Tensor, answer: Tensor) -> Tensor:
    """-log softmax over the options at the true one, of each question.

    Args:
        logits: float [B, K].
        answer: int64 [B]; -1 where it is not known, and the value is 0 there.

    Returns:
        Float [B].

    Raises:
        ShapeError: an answer is none of the options.
    """
    if len(answer) and not -1 <= int(answer.min()) <= int(answer.max()) < logits.shape[1]:
        raise ShapeError(
            f"Answers lie from {int(answer.min())} to {int(answer.max())}, and there are {logits.shape[1]} options.",
            "An answer is the number of an option, from 0, or -1 where it is not known.",
        )
    return F.cross_entropy(logits.float(), answer, ignore_index=-1, reduction="none")


def place_cross_entropy(place: Tensor, right: Tensor) -> Tensor:
    """-log of the softmax's share that lies on the right places, of each question; 0 where none is right.

    Args:
        place: float [B, M], logits; -inf where there is no place.
        right: bool [B, M]; a place without a finite logit is never right.

    Returns:
        Float [B].
    """
    right = right & ~place.isneginf()
    known = right.any(dim=1, keepdim=True)
    scores = place.float().masked_fill(~known, 0.0)
    hit = scores.masked_fill(~right & known, float("-inf"))
    return scores.logsumexp(dim=1) - hit.logsumexp(dim=1)


def _rows(x: Tensor) -> Tensor:
    return F.normalize(x.float(), dim=-1)
