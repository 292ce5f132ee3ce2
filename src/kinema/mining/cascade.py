"""The cascade: cutting a memory of candidates down stage by stage, alternating between two views of a clip.

A clip's positives among *other* videos should resemble it in more than one view. Stage 1 keeps the candidates that are
nearest in the guide view, stage 2 keeps those of them that are nearest in the trained view, and so on, until the last
stage takes the best ``k`` in the guide view again. With one stage this is the plain top-k of CoCLR.

Source: Wu, Lai, Hu and Kadav 2022, "Cascade Positive Retrieval", arXiv 2201.07989, section 3 (a patent application
exists: US20230086023); CoCLR is Han, Xie and Zisserman 2020, arXiv 2010.09709.

Departures from the authors' code: scores are computed once for all candidates, and a stage selects among scores; it
never gathers features. Any number of stages works, from one. Rows may run short of candidates.

Axes: B queries, K candidates, k mined entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError
from kinema.mining.selection import select_by_sorting, select_by_threshold

GUIDE, TRAINED = 0, 1


@dataclass(frozen=True)
class CascadeSettings:
    """How a method mines with a frozen guide.

    Args:
        guide: the view whose frozen tower guides the mining.
        sizes: what each stage keeps; the last is k.
        keep: r, the share that a stage keeps.
    """

    guide: str
    sizes: tuple[int, ...]
    keep: float


def cascade_sizes(candidates: int, keep: float, stages: int, k: int) -> tuple[int, ...]:
    """How many candidates survive each stage: ⌊K·r⌋, ⌊K·r²⌋, …, ⌊K·r^(n-1)⌋ and at last k.

    Args:
        candidates: K, the size of the memory.
        keep: r, the share that a stage keeps, in (0, 1]; taken as the decimal number it prints as, so that
            1000 * 0.1 * 0.1 * 0.1 is 1.
        stages: n, from 1; with 1 the result is (k,).
        k: the mined entries of a query.

    Raises:
        ConfigError: a value is out of its range, or the stage before the last keeps fewer than k.
    """
    for name, value in (("candidates", candidates), ("stages", stages), ("k", k)):
        if value < 1:
            raise ConfigError(f"The cascade's {name} is {value}; it must be at least 1.")
    if not 0.0 < keep <= 1.0:
        raise ConfigError(f"The cascade's keep ratio is {keep}; it must lie above 0 and be at most 1.")
    ratio = Fraction(str(keep))
    before = [int(candidates * ratio**stage) for stage in range(stages)]
    if before[-1] < k:
        raise ConfigError(
            f"A cascade of {stages} stages that keep {keep:g} of {candidates} candidates leaves {before[-1]} for the "
            f"last stage, which has to take {k}.",
            "Use fewer stages, a higher keep ratio, a larger memory or a smaller k.",
        )
    return (*before[1:], k)


def stage_views(stages: int) -> tuple[int, ...]:
    """The view that scores each stage, 0 the guide and 1 the trained one: odd stages and the last are the guide's."""
    return tuple(GUIDE if stage % 2 == 1 or stage == stages else TRAINED for stage in range(1, stages + 1))


def cascade(
    scores: Sequence[Tensor],
    sizes: Sequence[int],
    *,
    excluded: Tensor | None = None,
    order: Sequence[int] | None = None,
) -> Tensor:
    """Mines the best candidates of every query through a cascade of stages.

    Between equal scores the candidate with the lower index comes first, at every stage and on every device. Scores
    must be finite: this is not checked, since a check reads both matrices once more; a candidate whose score is NaN or
    infinite may be selected or dropped at any stage.

    Args:
        scores: float [B, K] for each view, the guide first and the trained view second; higher is nearer. A view that
            ``order`` never names may be left out. No gradient is taken.
        sizes: how many candidates each stage keeps, from :func:`cascade_sizes` or chosen one by one; never growing.
        excluded: bool [B, K], candidates that may not be mined (siblings of the query, empty slots).
        order: for each stage the index of the view in ``scores``; by default :func:`stage_views`.

    Returns:
        int64 [B, sizes[-1]], indices of candidates, best first by the scores of the last stage. A query with fewer
        candidates than that gets -1 in the places that are left.

    Raises:
        ConfigError: ``sizes`` is empty, below 1, larger than K or growing, or ``order`` does not fit it.
        ShapeError: the score matrices or ``excluded`` are not all [B, K].
    """
    views = tuple(stage_views(len(sizes)) if order is None else order)
    _check(scores, sizes, excluded, views)
    with torch.no_grad():
        matrices = [matrix.detach() for matrix in scores]
        select = select_by_threshold if matrices[0].device.type == "cpu" else select_by_sorting
        return select(matrices, sizes, views, excluded)


def _check(scores: Sequence[Tensor], sizes: Sequence[int], excluded: Tensor | None, views: tuple[int, ...]) -> None:
    if not scores or scores[0].dim() != 2 or any(s.shape != scores[0].shape for s in scores):
        raise ShapeError(f"The cascade's scores are {[tuple(s.shape) for s in scores]}; expected [B, K] in each view.")
    if excluded is not None and (excluded.shape != scores[0].shape or excluded.dtype != torch.bool):
        raise ShapeError(
            f"The cascade's excluded is {excluded.dtype} {tuple(excluded.shape)}; expected bool "
            f"{tuple(scores[0].shape)} like the scores."
        )
    candidates = scores[0].shape[1]
    if not sizes or min(sizes) < 1 or sizes[0] > candidates or any(b > a for a, b in pairwise(sizes)):
        raise ConfigError(
            f"The cascade's sizes are {tuple(sizes)} for {candidates} candidates.",
            "Give one size for each stage, from the number of candidates downwards and never below 1.",
        )
    if len(views) != len(sizes) or not all(0 <= view < len(scores) for view in views):
        raise ConfigError(
            f"The cascade's order is {views} for {len(sizes)} stages and {len(scores)} views.",
            "Name one view for each stage, 0 for the first score matrix and 1 for the second.",
        )
