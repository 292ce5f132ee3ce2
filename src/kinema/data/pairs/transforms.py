"""What is done to pictures while training: turned over, cut, coloured; and the normalisation of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from kinema.core.ops import rand_rows
from kinema.data.tracklets.transforms import coloured, normalised

if TYPE_CHECKING:
    from kinema.data.pairs.config import PairsConfig


def ready(images: Tensor) -> Tensor:
    """Pictures as a network takes them in evaluation: normalised; stored vectors as they are.

    Args:
        images: uint8 [B, 3, H, W], or float32 [B, F].
    """
    return normalised(images) if images.dtype == torch.uint8 else images


def augmented(images: Tensor, config: PairsConfig, generator: torch.Generator) -> Tensor:
    """Pictures as a method sees them in training; stored vectors as they are.

    Args:
        images: uint8 [B, 3, H, W], or float32 [B, F].
        config: what is done.
        generator: on the CPU; draws it.

    Returns:
        float32, of the same shape, as :func:`ready`.
    """
    if images.dtype != torch.uint8:
        return images
    x = images.float() / 255.0
    if config.crop:
        x = cropped(x, config.crop * rand_rows(len(x), 4, generator=generator))
    if config.flip:
        turned = rand_rows(len(x), generator=generator) < 0.5
        x = torch.where(turned.to(x.device)[:, None, None, None], x.flip(-1), x)
    if config.colours:
        x = coloured(x[:, None], 1 + config.colours * (2 * rand_rows(len(x), 3, generator=generator) - 1))[:, 0]
    return normalised((x * 255.0).round().clamp(0, 255).to(torch.uint8))


def cropped(x: Tensor, cut: Tensor) -> Tensor:
    """Pictures of which a part of each side is cut off, at the size that they had; bilinear.

    Args:
        x: [B, 3, H, W].
        cut: [B, 4], the share cut off above, below, left and right, each below a half.
    """
    above, below, left, right = cut.to(x.device, x.dtype).unbind(1)
    zero = torch.zeros_like(above)
    rows = torch.stack([zero, 1 - above - below, above - below], dim=1)
    columns = torch.stack([1 - left - right, zero, left - right], dim=1)
    grid = F.affine_grid(torch.stack([columns, rows], dim=1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
