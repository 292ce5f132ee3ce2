"""Gaussian blur as a matrix, so that it costs nothing beside the resampling it is multiplied into.

The Gaussian is separable: G X Gᵀ, and with the interpolation of ``geometry`` (G R) X (G C)ᵀ. The kernel is cut
off where it falls below a millionth of its peak (numbers too small for a float's full precision would make the
products many times slower) and at the picture's edge, where it is renormalised and other implementations reflect.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinema.core.ops import rand_rows


def gaussian_matrix(sigma: Tensor, size: int) -> Tensor:
    """Blur along one axis of ``size`` pixels, as a matrix for each clip.

    Args:
        sigma: float [N], standard deviations in pixels; 0 leaves a clip exactly as it is.
        size: pixels of the axis.

    Returns:
        Float [N, size, size]; rows sum to 1.
    """
    place = torch.arange(size, device=sigma.device, dtype=sigma.dtype)
    distance = (place[:, None] - place).abs()
    wide = torch.where(sigma > 0, sigma, torch.ones_like(sigma))[:, None, None]
    kernel = torch.exp(-0.5 * (distance / wide) ** 2)
    kernel = torch.where(kernel > 1e-6, kernel, 0.0)
    kernel = torch.where(sigma[:, None, None] > 0, kernel, (distance == 0).to(sigma.dtype))
    return kernel / kernel.sum(-1, keepdim=True)


def draw_sigma(probability: float, limits: tuple[float, float], n: int, generator: torch.Generator) -> Tensor:
    """Standard deviations of N blurs, float [N] on the CPU: uniform within ``limits``, 0 where none is applied."""
    draws = rand_rows(n, 2, generator=generator)
    low, high = limits
    return torch.where(draws[:, 0] < probability, low + (high - low) * draws[:, 1], torch.zeros(n))
