"""Colour jitter as one affine map of the colour space, shared by all frames of a clip.

Brightness, contrast, saturation, hue and loss of colour are each affine in RGB, so a clip's whole jitter is a 3×3
matrix and one offset. In order: x ← b·x; x ← c·x + (1 − c)·m with m the mean luma of the clip; x ← s·x + (1 − s)·Y(x);
a turn by 2π·hue in the I–Q plane of YIQ; x ← Y(x) where the clip is made grey. Every step after the contrast keeps
the luma Y of each pixel, so m can be read from the result of the matrix: m·c = mean Y(result).

Departures from the usual chain of image operations: the order is fixed rather than random, hue turns in YIQ (linear)
rather than in HSV (not linear), and values are clamped to [0, 1] once, at the end, rather than after every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.moving import sent
from kinema.core.ops import rand_rows
from kinema.data.clips.transforms.config import TransformConfig

YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""Rows Y, I and Q of the NTSC colour space over R, G and B; I and Q vanish for greys."""


@dataclass(frozen=True)
class Colour:
    """The jitter of N clips; 1, 1, 1, 0 and False leave a clip as it is.

    Args:
        brightness: float [N], factor.
        contrast: float [N], factor of the distance from the clip's mean luma, above 0.
        saturation: float [N], factor of the distance from grey.
        hue: float [N], turns of the colour circle.
        grey: bool [N], colours taken away.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    grey: Tensor

    def to(self, device: torch.device | str) -> Colour:
        """The same jitter on another device."""
        names = ("brightness", "contrast", "saturation", "hue", "grey")
        return Colour(*(sent(getattr(self, name), device) for name in names))

    @staticmethod
    def neutral(n: int) -> Colour:
        """The jitter that changes nothing."""
        one = torch.ones(n)
        return Colour(one, one, one, torch.zeros(n), torch.zeros(n, dtype=torch.bool))


def draw_colour(config: TransformConfig, n: int, generator: torch.Generator, plain: Tensor) -> Colour:
    """Draws the jitter of N clips, on the CPU.

    Args:
        config: strengths and probabilities.
        n: N.
        generator: a CPU generator.
        plain: bool [N], clips whose colours are left alone.
    """
    draws = rand_rows(n, 6, generator=generator)
    applied = (draws[:, 4] < config.jitter_p) & ~plain
    change = (2 * draws[:, :4] - 1) * torch.tensor(config.jitter) * applied[:, None]
    return Colour(
        1 + change[:, 0], 1 + change[:, 1], 1 + change[:, 2], change[:, 3], (draws[:, 5] < config.grey_p) & ~plain
    )


def colour_matrix(colour: Colour) -> Tensor:
    """The linear part of the jitter, float [N, 3, 3] acting on (R, G, B) columns; see the module for the order."""
    device = colour.hue.device
    table = torch.tensor(YIQ)
    to_yiq = sent(table, device)
    luma = to_yiq[0].expand(3, 3)
    identity = torch.eye(3, device=device)
    saturation = colour.saturation[:, None, None]
    vivid = saturation * identity + (1 - saturation) * luma
    angle = 2 * math.pi * colour.hue
    turn = torch.zeros(len(angle), 3, 3, device=device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = torch.cos(angle)
    turn[:, 1, 2] = -torch.sin(angle)
    turn[:, 2, 1] = torch.sin(angle)
    from_yiq = sent(torch.linalg.inv(table.double()).float(), device)
    hued = from_yiq @ turn @ to_yiq
    # Without a turn the product is the identity only up to rounding; taken exactly, neutral jitter changes no bit.
    hued = torch.where(angle[:, None, None] == 0, identity, hued)
    matrix = torch.where(colour.grey[:, None, None], luma, hued @ vivid)
    return (colour.brightness * colour.contrast)[:, None, None] * matrix


def contrast_offset(x: Tensor, contrast: Tensor) -> Tensor:
    """What the contrast adds to every value: (1 − c)·m, with m found from what the matrix made of the clip.

    Args:
        x: float [N, T, H, W, 3], after :func:`colour_matrix`, not yet clamped.
        contrast: float [N].

    Returns:
        Float [N].
    """
    n, t, h, w, c = x.shape
    mean = x.reshape(n, t * h, w * c).mean(1).view(n, w, c).mean(1)
    luma = mean @ sent(torch.tensor(YIQ[0]), x.device)
    return (1 - contrast) / contrast * luma
