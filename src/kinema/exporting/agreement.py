"""That what was exported computes what the model computes, on clips of noise in batches of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinema.core.errors import ExportError
from kinema.core.seeds import generator_at

RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""How far a value may be from the model's: ABSOLUTE + RELATIVE times the largest value of the clip's vector."""
BATCHES = (2, 1, 3)
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """How far the outputs of an export are from the model's, at most.

    Args:
        absolute: the largest difference of two values.
        relative: the largest difference as a fraction of the largest value of the same clip's vector.
    """

    absolute: float
    relative: float


def noise(shape: Sequence[int], batch: int) -> Tensor:
    """Clips of noise, float32 [batch, C, T, H, W]; the same at every call."""
    return torch.randn(batch, *shape, generator=generator_at(0, "export", batch))


def measure(
    function: nn.Module, exported: Callable[..., Sequence[Floats]], shapes: Sequence[Sequence[int]]
) -> Difference:
    """Compares an export with what it was made of.

    Args:
        function: the model, [B, C, T, H, W] of each input to features and projections.
        exported: the same by the export.
        shapes: C, T, H, W of each input.

    Raises:
        ExportError: an output has another shape, is not finite, or differs by more than the limits.
    """
    absolute = relative = 0.0
    for batch in BATCHES:
        x = [noise(shape, batch) for shape in shapes]
        with torch.no_grad():
            expected = [value.numpy() for value in function(*x)]
        for name, ours, theirs in zip(("features", "projected"), expected, exported(*x), strict=True):
            if theirs.shape != ours.shape:
                raise ExportError(
                    f"The export gives {name} of {theirs.shape}, the model {ours.shape}; no file was written."
                )
            gap, largest = np.abs(theirs - ours), np.abs(ours).max(axis=1, keepdims=True)
            if not bool(np.all(gap <= ABSOLUTE + RELATIVE * largest)):  # a NaN fails too
                raise ExportError(
                    f"The export differs from the model: {name} by {gap.max():.2g} at values up to "
                    f"{largest.max():.2g}, above the limit of {RELATIVE:g} relative and {ABSOLUTE:g} absolute; "
                    "no file was written.",
                    "Export to safetensors, which keeps the weights bit for bit.",
                )
            absolute = max(absolute, float(gap.max()))
            relative = max(relative, float((gap / np.maximum(largest, 1e-12)).max()))
    return Difference(absolute, relative)
