"""What is done to crops while training: turned over, shifted, coloured, erased; and the normalisation of all.

Flips and colours are drawn once a tracklet, so that a person looks alike in all frames; shifts and erased parts a
frame, as detectors err and people are hidden.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinema.core.ops import rand_rows
from kinema.data.pictures import MEAN, STD

if TYPE_CHECKING:
    from kinema.data.tracklets.config import TrackletsConfig

AREA, ASPECT = (0.02, 0.4), (0.3, 1 / 0.3)
"""The share of a crop that is erased, and the height of the part over its width (Zhong et al. 2017,
arXiv 1708.04896, section 4.3)."""

_LUMA = (0.299, 0.587, 0.114)
_TRIES = 10


def normalised(crops: Tensor) -> Tensor:
    """Crops as networks take them.

    Args:
        crops: uint8 […, 3, H, W].

    Returns:
        float32 […, 3, H, W], ImageNet's mean and deviation taken out.
    """
    return _standardised(crops.float() / 255.0)


def augmented(crops: Tensor, config: TrackletsConfig, generator: torch.Generator) -> Tensor:
    """Crops as a method sees them in training.

    Args:
        crops: uint8 [B, T, 3, H, W].
        config: what is done.
        generator: on the CPU; draws it.

    Returns:
        float32 [B, T, 3, H, W], as :func:`normalised`.
    """
    x = crops.float() / 255.0
    count, frames, _, height, width = x.shape
    if config.flip:
        turned = rand_rows(count, generator=generator) < 0.5
        x = torch.where(turned.to(x.device)[:, None, None, None, None], x.flip(-1), x)
    if config.shift:
        most = torch.tensor([height, width]) * config.shift
        by = ((2 * rand_rows(count, frames, 2, generator=generator) - 1) * most).round().long()
        x = shifted(x, by.to(x.device))
    if config.colours:
        x = coloured(x, 1 + config.colours * (2 * rand_rows(count, 3, generator=generator) - 1))
    x = _standardised(x)
    if config.erase:
        x = x.masked_fill(
            erased(count * frames, height, width, config.erase, generator, x.device).view_as(x[:, :, :1]), 0.0
        )
    return x


def shifted(x: Tensor, by: Tensor) -> Tensor:
    """Crops moved by whole pixels; what comes in from outside repeats the edge.

    Args:
        x: [B, T, 3, H, W].
        by: int64 [B, T, 2], pixels downwards and to the right.
    """
    height, width = x.shape[-2:]
    rows = (torch.arange(height, device=x.device) - by[..., :1]).clamp(0, height - 1)
    columns = (torch.arange(width, device=x.device) - by[..., 1:]).clamp(0, width - 1)
    x = x.gather(3, rows[:, :, None, :, None].expand_as(x))
    return x.gather(4, columns[:, :, None, None, :].expand_as(x))


def coloured(x: Tensor, factors: Tensor) -> Tensor:
    """Crops with other brightness, contrast and saturation, from 0 to 1.

    Args:
        x: [B, T, 3, H, W], from 0 to 1.
        factors: [B, 3], of each; 1 changes nothing.
    """
    brightness, contrast, saturation = (each.to(x.device)[:, None, None, None, None] for each in factors.unbind(1))
    luma = torch.tensor(_LUMA, device=x.device)[:, None, None]
    x = x * brightness
    mean = (x * luma).sum(dim=2, keepdim=True).mean(dim=(1, 3, 4), keepdim=True)
    x = contrast * x + (1 - contrast) * mean
    grey = (x * luma).sum(dim=2, keepdim=True)
    return (saturation * x + (1 - saturation) * grey).clamp(0, 1)


def erased(
    count: int, height: int, width: int, chance: float, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Tensor:
    """Which pixels are erased, bool [count, H, W]: of a crop in so many, one rectangle.

    Of ten rectangles that are drawn, the first that fits is taken; a crop of which none fits stays as it is.

    Args:
        count: crops.
        height: H.
        width: W.
        chance: of a crop to lose a part.
        generator: on the CPU.
        device: where the answer is.
    """
    draws = rand_rows(count, 1 + 4 * _TRIES, generator=generator)
    hit, tries = draws[:, 0] < chance, draws[:, 1:].view(count, _TRIES, 4)
    area = height * width * (AREA[0] + (AREA[1] - AREA[0]) * tries[..., 0])
    aspect = torch.exp(math.log(ASPECT[0]) + (math.log(ASPECT[1]) - math.log(ASPECT[0])) * tries[..., 1])
    tall, wide = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (tall < height) & (wide < width) & (tall > 0) & (wide > 0)
    first = fits.float().argmax(dim=1, keepdim=True)
    tall, wide, down, right = (v.gather(1, first) for v in (tall, wide, tries[..., 2], tries[..., 3]))
    top, left = (down * (height - tall + 1)).floor(), (right * (width - wide + 1)).floor()
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows, in_columns = (rows >= top) & (rows < top + tall), (columns >= left) & (columns < left + wide)
    hit = hit & fits.any(dim=1)
    return (in_rows[:, :, None] & in_columns[:, None, :] & hit[:, None, None]).to(device)


def _standardised(x: Tensor) -> Tensor:
    mean, std = (torch.tensor(each, device=x.device)[:, None, None] for each in (MEAN, STD))
    return (x - mean) / std
