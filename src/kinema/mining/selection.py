"""How the cascade selects: by threshold on processors, by stable sorting on other devices. Both give the same entries.

On a processor a row is worked off on its own, so that its scores stay in the cache from stage to stage. A stage needs
no order among its survivors, only the value of the lowest of them: a partition finds it, one comparison and one list of
indices take what reaches it, and as the survivors shrink by a constant share, all stages together cost about twice the
first. NumPy does this several times faster than torch, whose top-k, k-th value and nonzero carry indices along.

Axes: B rows, K candidates, M survivors of the stage before, m survivors of this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.int64]

WORTH_A_THREAD = 2**18  # scores below which starting a thread takes longer than it saves


def select_by_threshold(
    scores: Sequence[Tensor], sizes: Sequence[int], views: Sequence[int], excluded: Tensor | None
) -> Tensor:
    """The cascade on a processor; arguments and result as in :func:`kinema.mining.cascade.cascade`, all checked.

    The rows are shared out over as many threads as torch uses. Beside the result this needs memory for a few rows of
    one query and thread, O(K).
    """
    matrices: list[Floats] = [(s if s.dtype == torch.float64 else s.float()).numpy() for s in scores]
    barred = None if excluded is None else excluded.numpy()
    mined = np.full((scores[0].shape[0], sizes[-1]), -1, dtype=np.int64)

    def mine(rows: range) -> None:
        for row in rows:
            found = _mine_row([m[row] for m in matrices], sizes, views, None if barred is None else barred[row])
            mined[row, : found.size] = found

    threads = min(torch.get_num_threads(), scores[0].numel() // WORTH_A_THREAD)
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(mine, [range(first, len(mined), threads) for first in range(threads)]))
    else:
        mine(range(len(mined)))
    return torch.from_numpy(mined)


def _mine_row(
    scores: list[Floats], sizes: Sequence[int], views: Sequence[int], barred: npt.NDArray[np.bool_] | None
) -> Indices:
    """Indices of one query's mined entries, best first; fewer than requested where too few are left."""
    survivors: Indices | None = None
    values = scores[views[0]]
    if barred is not None and barred.any():
        allowed = barred.size - np.count_nonzero(barred)
        if allowed <= sizes[0]:
            survivors = np.flatnonzero(~barred)
            values = values[survivors]
        else:
            values = values.copy()
            values[np.flatnonzero(barred)] = -np.inf
    for stage, size in enumerate(sizes):
        if stage and survivors is not None:
            values = scores[views[stage]].take(survivors, mode="clip")
        elif stage:
            values = scores[views[stage]]
        if size < values.size:
            best = _highest(values, size)
            survivors = best if survivors is None else survivors.take(best, mode="clip")
            values = values[best] if stage == len(sizes) - 1 else values
    order = np.argsort(-values, kind="stable")
    return order if survivors is None else survivors[order]


def _highest(values: Floats, size: int) -> Indices:
    """The indices of the ``size`` highest of [M], ascending; of equal values the first ones. ``size`` is below M."""
    lowest = values.size - size
    threshold = np.partition(values, lowest)[lowest]
    chosen = values >= threshold
    best = np.flatnonzero(chosen)
    if best.size > size:
        equal = np.flatnonzero(values == threshold)
        chosen[equal[size - best.size :]] = False
        best = np.flatnonzero(chosen)
    return best


def select_by_sorting(
    scores: Sequence[Tensor], sizes: Sequence[int], views: Sequence[int], excluded: Tensor | None
) -> Tensor:
    """The cascade on any device, by a stable sort of each stage's survivors; O(B·K) memory.

    Arguments and result as in :func:`kinema.mining.cascade.cascade`, all checked.
    """
    survivors: Tensor | None = None
    for stage, size in enumerate(sizes):
        values = scores[views[stage]]
        values = values if survivors is None else values.gather(1, survivors)
        if excluded is not None:
            values = values.masked_fill(excluded, float("-inf"))
        best = values.sort(dim=1, descending=True, stable=True).indices[:, :size]
        best = best if stage == len(sizes) - 1 else best.sort(dim=1).values
        survivors = best if survivors is None else survivors.gather(1, best)
        excluded = None if excluded is None else excluded.gather(1, best)
    assert survivors is not None
    return survivors if excluded is None else survivors.masked_fill(excluded, -1)
