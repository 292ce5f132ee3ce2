"""Tokens to be predicted by a masked language model: 15 %, of which 80 % are masked, 10 % replaced and 10 % left.

Source: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", arXiv 1810.04805, section 3.1. As
in RoBERTa (arXiv 1907.11692) the choice is made anew each time a sequence is seen.

Axes: N sequences, L tokens of the longest.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import rand_rows, rank_slice, world_size
from kinema.core.spans import IGNORED, MaskedTokens, Tokens

MASKED, REPLACED = 0.8, 0.1


def mask_tokens(
    tokens: Tokens,
    special: Tensor,
    share: float,
    *,
    mask_id: int,
    ordinary: Tensor,
    generator: torch.Generator,
) -> MaskedTokens:
    """Chooses tokens to be predicted, each with probability ``share``, and hides them.

    A batch with any token that may be chosen has at least one that is, so that there is a loss.

    Args:
        tokens: the sequences [N, L], on any device.
        special: bool [N, L], tokens that are never chosen; padding is never chosen anyway.
        share: the probability, from 0 to below 1; at 0 none is chosen.
        mask_id: the id of [MASK].
        ordinary: int64 [R], the ids that may stand in for a token: all that are not special.
        generator: on the CPU; what is drawn depends on it and on the shape of the tokens alone.

    Raises:
        ConfigError: ``share`` is not a share.
        ShapeError: ``special`` does not fit the tokens, or ``ordinary`` is empty.
    """
    if not 0 <= share < 1:
        raise ConfigError(f"The share of masked tokens is {share}; it must be at least 0 and below 1.")
    if special.shape != tokens.ids.shape or special.dtype != torch.bool:
        raise ShapeError(
            f"mask_tokens: special is {special.dtype} {tuple(special.shape)}; expected bool {tuple(tokens.ids.shape)}."
        )
    if ordinary.dim() != 1 or not len(ordinary):
        raise ShapeError(f"mask_tokens: ordinary is {tuple(ordinary.shape)}; expected [R] with at least one id.")
    device, shape = tokens.ids.device, tokens.ids.shape
    chance, fate = (rand_rows(*shape, generator=generator).to(device) for _ in range(2))
    whole = (shape[0] * world_size(), shape[1])  # of which each rank takes its rows
    drawn = torch.randint(len(ordinary), whole, generator=generator)[rank_slice(shape[0])]
    random = ordinary.cpu()[drawn].to(device)
    allowed = tokens.mask & ~special
    chosen = allowed & (chance < share)
    if share > 0 and not chosen.any() and allowed.any():
        chosen.view(-1)[chance.masked_fill(~allowed, 2.0).argmin()] = True
    ids = torch.where(chosen & (fate < MASKED), mask_id, tokens.ids)
    ids = torch.where(chosen & (fate >= MASKED) & (fate < MASKED + REPLACED), random, ids)
    return MaskedTokens(Tokens(ids, tokens.mask), torch.where(chosen, tokens.ids, IGNORED))
