"""What a tower makes of many pictures or texts, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.spans import Tokens
from kinema.data.pairs.store import PictureSource
from kinema.data.pairs.texts import Texts
from kinema.data.pairs.transforms import ready


def embedded(
    make: Callable[[Any], Tensor],
    source: PictureSource | Texts | Any,
    count: int,
    *,
    dim: int,
    device: torch.device | str,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """What is made of each row, float32 [count, dim].

    Args:
        make: takes float [N, 3, H, W], [N, F] or [N, V], or N sequences of ids; gives [N, dim].
        source: the pictures or the texts.
        count: how many there are.
        dim: numbers of each answer.
        device: where ``make`` computes.
        batch_size: rows at a time.
        progress: is called with (rows done, rows).
    """
    found = np.empty((count, dim), np.float32)
    for first in range(0, count, batch_size):
        rows = np.arange(first, min(first + batch_size, count))
        x: Tensor | Tokens
        if hasattr(source, "batch"):
            x = source.batch(rows).to(device)
        else:
            x = ready(torch.from_numpy(source.read(rows)).to(device))
        with torch.no_grad():
            found[rows] = make(x).float().cpu().numpy()
        if progress is not None:
            progress(int(rows[-1]) + 1, count)
    return found
