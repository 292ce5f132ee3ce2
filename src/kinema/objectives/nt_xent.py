"""NT-Xent: the objective of SimCLR, each of 2N projections against all others of the batch.

Source: Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations", arXiv 2002.05709,
eq. 1 and algorithm 1.

Departures from the authors' code: the mean over 2N anchors, as in the paper; the released code adds the means of the
two halves and so reports twice this.

Axes: B pairs of this rank, N pairs of all ranks, d dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import all_gather_rows, rank_slice


def nt_xent(z1: Tensor, z2: Tensor, temperature: float, own: Tensor | None = None) -> Tensor:
    """-log( e^(s(i,p(i))/τ) / Σ_{j≠i} e^(s(i,j)/τ) ), the mean over the anchors of both views.

    Over several ranks the candidates are gathered with gradient and the mean is over this rank's 2B anchors; the
    average over ranks, which DistributedDataParallel takes, is the loss of one process with the whole batch.

    Args:
        z1: float [B, d], projections of the first view, L2-normalised.
        z2: float [B, d], projections of the second view, row by row of the same clips.
        temperature: τ, above 0.
        own: float [2B, M], similarities of the anchors, those of the first view first, with negatives that each has for
            itself, -inf where it has none; see :func:`kinema.objectives.own_negatives`.

    Returns:
        A scalar; log(2N - 1) when all similarities are equal.

    Raises:
        ConfigError: the temperature is not above 0.
        ShapeError: the two are not of one shape [B, d], or ``own`` has not 2B rows.
    """
    if not temperature > 0.0:
        raise ConfigError(f"The temperature is {temperature}; it must be above 0.")
    if z1.dim() != 2 or z1.shape != z2.shape or not z1.shape[0]:
        raise ShapeError(f"nt_xent was given z1 {tuple(z1.shape)} and z2 {tuple(z2.shape)}; expected [B, d] for both.")
    batch = z1.shape[0]
    if own is not None and (own.dim() != 2 or len(own) != 2 * batch):
        raise ShapeError(f"nt_xent: own is {tuple(own.shape)}; expected [{2 * batch}, M].")
    first, second = all_gather_rows(z1), all_gather_rows(z2)
    total = first.shape[0]
    here = torch.arange(total, device=z1.device)[rank_slice(batch)]
    logits = torch.cat([z1, z2]) @ torch.cat([first, second]).T / temperature
    itself, partner = torch.cat([here, here + total]), torch.cat([here + total, here])
    logits = logits.scatter(1, itself.unsqueeze(1), float("-inf"))
    if own is not None:
        logits = torch.cat([logits, own / temperature], dim=1)
    return torch.nn.functional.cross_entropy(logits, partner)
