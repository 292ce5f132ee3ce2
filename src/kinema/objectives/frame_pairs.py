"""The temporal coherence loss of TOT: frames near one another in time are alike, those of other groups are not.

Source: Kumar et al. 2022, "Unsupervised activity segmentation by joint representation learning and online clustering",
CVPR 2022, sect. 3.3; the N-pair loss of Sohn 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.core.ops import all_gather_rows, rank_slice, world_size


def frame_pairs(z: Tensor, groups: int, temperature: float, generator: torch.Generator) -> Tensor:
    """-log( e^(z_i·z_i'/τ²) / Σ_j e^(z_i·z_j'/τ²) ), the mean over the groups of frames of the batch.

    Each sequence is cut into equal groups in the order of time. Of each group two neighbours are drawn, an anchor and
    its successor; the successors of all other groups of the batch are the negatives. Both are divided by τ, as in the
    authors' code. Over several ranks the successors are gathered with gradient.

    Args:
        z: float [B, n, d], features of frames in the order of time.
        groups: of a sequence; they divide n, with at least two frames in each.
        temperature: τ, above 0.
        generator: on the CPU; draws the anchors.

    Returns:
        A scalar.

    Raises:
        ConfigError: the temperature is not above 0.
        ShapeError: the groups do not divide the frames.
    """
    if not temperature > 0.0:
        raise ConfigError(f"The temperature is {temperature}; it must be above 0.")
    if z.dim() != 3 or groups < 1 or z.shape[1] % groups or z.shape[1] // groups < 2:
        raise ShapeError(
            f"frame_pairs was given {tuple(z.shape)} and {groups} groups; expected [B, n, d] and equal groups of two "
            "frames or more."
        )
    each, here = z.shape[1] // groups, z.shape[0] * groups
    frames = z.reshape(here, each, z.shape[2]) / temperature
    own = rank_slice(here)
    drawn = torch.randint(each - 1, (here * world_size(),), generator=generator)[own].to(z.device)
    rows = torch.arange(here, device=z.device)
    anchors, successors = frames[rows, drawn], all_gather_rows(frames[rows, drawn + 1])
    targets = torch.arange(len(successors), device=z.device)[own]
    return torch.nn.functional.cross_entropy(anchors @ successors.T, targets)
