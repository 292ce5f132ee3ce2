"""Ranks a score matrix: the one evaluator behind retrieval and everything else that orders a gallery.

recall@k is the fraction of queries with at least one relevant item among the first k (the R@k of the video papers,
which is not recall as information retrieval has it). Only the rank of a query's first relevant item matters for it,
and that needs no sorting: it is 1 + the number of irrelevant items that score at least as high as the best relevant
one. Ties thus count against the query: an encoder that maps everything to one point finds nothing.

Axes: Q queries, G gallery items, k and K ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.errors import DataError, ShapeError

CHUNK = 1 << 24
"""Scores ranked at a time, so that memory beside the score matrix stays small."""


@dataclass(frozen=True)
class Ranking:
    """What a score matrix says.

    Args:
        recall: recall@k by k, fractions of the queries.
        omitted: those k that are larger than the number of candidates of some query, and so were left out.
        first: int64 [Q], rank of the first relevant item, 1 for the best; G + 1 where no candidate is relevant.
        order: int64 [Q, K], the best K candidates by score, ties by index; -1 where there are fewer.
        chance: the recall@1 expected of a random order.
    """

    recall: Mapping[int, float]
    omitted: tuple[int, ...]
    first: Tensor
    order: Tensor
    chance: float


def rank(
    scores: Tensor,
    relevant: Tensor,
    ignored: Tensor | None = None,
    ks: Sequence[int] = (1, 5, 10, 20, 50),
    *,
    top: int = 5,
) -> Ranking:
    """Ranks the gallery for every query.

    Args:
        scores: float [Q, G], higher is nearer.
        relevant: bool [Q, G].
        ignored: bool [Q, G], items that are no candidates for the query (itself, its siblings); None for none.
        ks: the ranks k at which recall is taken.
        top: K, how many of the best candidates to return.

    Raises:
        ShapeError: the matrices do not fit, a score is NaN, or a k is below 1.
        DataError: a query has no candidate at all.
    """
    q, g = _check(scores, relevant, ignored, ks)
    rows = max(1, CHUNK // max(g, 1))
    firsts, orders, chances, candidates = [], [], [], []
    for start in range(0, q, rows):
        part = slice(start, start + rows)
        allowed = torch.ones_like(relevant[part]) if ignored is None else ~ignored[part]
        count = allowed.sum(1)
        if (count == 0).any():
            query = start + int((count == 0).nonzero()[0])
            raise DataError(
                f"Query {query} has no candidate: the gallery's {g} items are all ignored for it.",
                "Give a gallery with videos of other sources than the query's.",
            )
        s, good = scores[part], relevant[part] & allowed
        best = s.masked_fill(~good, -torch.inf).amax(1, keepdim=True)
        first = 1 + ((s >= best) & allowed & ~good).sum(1)
        firsts.append(torch.where(good.any(1), first, g + 1))
        orders.append(_best(s, allowed, top))
        chances.append(good.sum(1) / count)
        candidates.append(count)
    first = torch.cat(firsts)
    most = int(torch.cat(candidates).min())
    recall = {k: float((first <= k).double().mean()) for k in ks if k <= most}
    omitted = tuple(k for k in ks if k > most)
    return Ranking(recall, omitted, first, torch.cat(orders), float(torch.cat(chances).double().mean()))


def _best(scores: Tensor, allowed: Tensor, top: int) -> Tensor:
    """Int64 [Q, top]: candidates before the others, by score, ties by index; -1 for what is no candidate."""
    by_score = scores.argsort(dim=1, descending=True, stable=True)
    candidate = allowed.gather(1, by_score)
    candidates_first = by_score.gather(1, (~candidate).byte().argsort(dim=1, stable=True)[:, :top])
    order = candidates_first.masked_fill(~allowed.gather(1, candidates_first), -1)
    return torch.nn.functional.pad(order, (0, top - order.shape[1]), value=-1)


def _check(scores: Tensor, relevant: Tensor, ignored: Tensor | None, ks: Sequence[int]) -> tuple[int, int]:
    if scores.dim() != 2 or 0 in scores.shape:
        raise ShapeError(f"The scores are {tuple(scores.shape)}; expected [Q, G] with at least one of each.")
    for name, mask in (("relevant", relevant), ("ignored", ignored)):
        if mask is not None and (mask.shape != scores.shape or mask.dtype != torch.bool):
            raise ShapeError(f"'{name}' is {mask.dtype} {tuple(mask.shape)}; expected bool {tuple(scores.shape)}.")
    missing = int(scores.isnan().sum())
    if missing:
        raise ShapeError(f"{missing} of {scores.numel()} scores are NaN; the features they come from are not finite.")
    if any(k < 1 for k in ks):
        raise ShapeError(f"The ranks asked for are {tuple(ks)}; each must be at least 1.")
    return scores.shape[0], scores.shape[1]
