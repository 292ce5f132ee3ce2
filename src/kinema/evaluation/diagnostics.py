"""Measures of an encoder that need no labels: arrays in, named figures out.

    rank               how many directions the features use (RankMe, Garrido et al. 2023): ``core.ops.effective_rank``
    alignment          the distance of two clips of one video (Wang and Isola 2020): 0 is the same point
    uniformity         how evenly videos are spread over the sphere (the same): 0 is all at one point, less is better
    neighbour overlap  how far two embeddings of the same videos agree on who is near whom
    still reliance     how much of a video's neighbourhood is already that of its still picture

None of them says that an encoder is good. They say that it has collapsed, that two views know different things, or that
it looks at where something happens instead of at what happens; and they compare encoders on the same videos.

**Still reliance.** A video's *still* is its mean picture over time, as a clip without motion. The still is the query in
place of its video, and ``still_reliance`` is the share of the k nearest videos that stay the same. 1: motion has no
influence on the neighbours. Chance (k of the candidates): appearance has none. It is not the share of appearance in the
embedding, and a high figure is no fault by itself: where appearance determines the classes, it is the right cue.

Appearance is more than the scene: an actor's clothes, posture and place are in the still too, and motion leaves a blur
in the mean picture that a network may read. So a high figure means "appearance" and not yet "background"; where a
manifest has the scenes, the share of neighbours of the same scene (:func:`same_kind`) measures the background, and the
two may differ widely. A still is also unlike the clips of training, so a low figure may come from that difference. Both
sets are therefore centred, each by its own mean. ``still_r@1`` is the stricter measure: whether the still finds the
video it was made of. It is 1 even where appearance plays a small part, if appearance distinguishes all videos, so it is
reported in addition and not instead.

Related tests need labels: those on videos whose backgrounds are replaced or whose foreground is still (SCUBA and SCUFO,
Li et al. 2023) or whose actors are masked (Choi et al. 2019) measure how much accuracy is left, this one how many
neighbours.

Axes: N videos, G gallery items, d dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from kinema.core.errors import DataError, ShapeError
from kinema.core.ops import effective_rank
from kinema.evaluation.ranking import rank

K = 10
"""Neighbours that are compared."""

T = 2.0
"""Uniformity's t, as in the paper."""

FLAT = 1e-5
"""A feature shorter than this fraction of the longest before centring is rounding, and taken as zero."""

_BLOCK = 1024


@dataclass(frozen=True)
class Shared:
    """How much two orders of the same gallery share.

    Args:
        share: mean share of the k best of one that are among the k best of the other.
        chance: the same expected of two orders that know nothing of one another.
        k: how many best.
    """

    share: float
    chance: float
    k: int


def rankme(features: Tensor) -> float:
    """The effective rank of features, float [N, d]; bounded by N too, so only equal N may be compared."""
    return float(effective_rank(_checked(features)))


def alignment(first: Tensor, second: Tensor) -> float:
    """Mean squared distance of two clips of a video on the unit sphere, 0 to 4 (Wang and Isola 2020, alpha = 2).

    Args:
        first: float [N, d], one clip of each video.
        second: float [N, d], another one.
    """
    a, b = normalize(_checked(first), dim=1), normalize(_checked(second), dim=1)
    if a.shape != b.shape:
        raise ShapeError(f"The clips' features are {tuple(first.shape)} and {tuple(second.shape)}; expected one shape.")
    return float((a - b).square().sum(1).mean())


def uniformity(features: Tensor, t: float = T) -> float:
    """Log of the mean of exp(-t |x - y|^2) over pairs of different videos, on the unit sphere; -4t to 0.

    Args:
        features: float [N, d], one row a video.
        t: the kernel's sharpness.

    Raises:
        DataError: fewer than two videos.
    """
    x = normalize(_checked(features), dim=1)
    n = len(x)
    if n < 2:
        raise DataError(f"Uniformity compares videos, and there is {n}.")
    total = x.new_zeros(())
    for start in range(0, n, _BLOCK):
        distances = (2 - 2 * x[start : start + _BLOCK] @ x.T).clamp_min(0)
        weights = torch.exp(-t * distances)
        weights[torch.arange(len(weights)), torch.arange(start, start + len(weights))] = 0  # a video and itself
        total = total + weights.sum()
    return float(torch.log(total / (n * (n - 1))))


def neighbour_overlap(a: Tensor, b: Tensor, sources: Tensor, k: int = K, *, parts: Sequence[int] = ()) -> Shared:
    """How far two embeddings of the same videos agree on the k nearest of each.

    Args:
        a: float [N, d], one embedding; each is centred and compared by cosine.
        b: float [N, e], another one.
        sources: int64 [N]; videos of a video's own recording are no candidates.
        k: how many neighbours.
        parts: of the first, where several encoders are side by side: the width of each.

    Raises:
        DataError: a video has no more than k candidates.
        ShapeError: the embeddings are not of the same videos.
    """
    x, y = _directions(a, parts), _directions(b)
    return shared_best(x @ x.T, y @ y.T, _siblings(sources, x, y), k)


def still_reliance(
    videos: Tensor, stills: Tensor, sources: Tensor, k: int = K, *, parts: Sequence[int] = ()
) -> tuple[Shared, float]:
    """How much of a video's neighbourhood its still picture has already, and how often it finds its own video.

    Args:
        videos: float [N, d], the features of the videos.
        stills: float [N, d], those of their stills.
        sources: int64 [N]; videos of a video's own recording are no candidates, but the video itself for its own still.
        k: how many neighbours.
        parts: of features of several encoders side by side, the width of each.

    Returns:
        The share of neighbours (``still_reliance``), and ``still_r@1``.

    Raises:
        DataError: a video has no more than k candidates.
        ShapeError: the features are not of the same videos.
    """
    x, s = _directions(videos, parts), _directions(stills, parts)
    siblings = _siblings(sources, x, s)
    similarity = s @ x.T
    itself = torch.eye(len(x), dtype=torch.bool)
    own = rank(similarity, itself, siblings & ~itself, (1,)).first
    return shared_best(x @ x.T, similarity, siblings, k), float((own == 1).double().mean())


def same_kind(features: Tensor, kinds: Tensor, sources: Tensor, k: int = K, *, parts: Sequence[int] = ()) -> Shared:
    """The share of the k nearest that are of a video's own kind, for instance its scene.

    Args:
        features: float [N, d].
        kinds: int64 [N].
        sources: int64 [N]; videos of a video's own recording are no candidates.
        k: how many neighbours.
        parts: of features of several encoders side by side, the width of each.

    Raises:
        DataError: a video has no more than k candidates.
    """
    x = _directions(features, parts)
    ignored = _siblings(sources, x, x)
    same = (kinds[:, None] == kinds).double()
    candidates = (~ignored).double()
    weights = _membership(x @ x.T, ignored, k)
    chance = (same * candidates).sum(1) / candidates.sum(1)
    return Shared(float((weights * same).sum(1).mean() / k), float(chance.mean()), k)


def shared_best(first: Tensor, second: Tensor, ignored: Tensor, k: int) -> Shared:
    """The share of the k best of one order that are among the k best of another.

    Equal scores share their places: an order that knows nothing shares what chance shares.

    Args:
        first: float [N, G], scores of the gallery.
        second: float [N, G], other scores of the same.
        ignored: bool [N, G], items that are no candidates.
        k: how many best.

    Raises:
        DataError: a query has no more than k candidates, so that all would be shared.
    """
    a, b = _membership(first, ignored, k), _membership(second, ignored, k)
    chance = k / (~ignored).sum(1).double()
    return Shared(float((a * b).sum(1).mean() / k), float(chance.mean()), k)


def _membership(scores: Tensor, ignored: Tensor, k: int) -> Tensor:
    """Float64 [N, G]: 1 for the k best, and an equal part of what is left for those that tie for the last places."""
    fewest = int((~ignored).sum(1).min())
    if fewest <= k:
        raise DataError(
            f"A video has {fewest} others of other recordings; their {k} nearest say nothing where there are no more.",
            "Measure on more videos.",
        )
    s = scores.double().masked_fill(ignored, -torch.inf)
    last = s.topk(k, dim=1).values[:, -1:]
    above, equal = s > last, s == last
    left = k - above.sum(1, keepdim=True)
    return above.double() + equal.double() * left / equal.sum(1, keepdim=True)


def _siblings(sources: Tensor, *embeddings: Tensor) -> Tensor:
    if sources.dim() != 1 or any(len(x) != len(sources) for x in embeddings):
        counts = " and ".join(str(len(x)) for x in embeddings)
        raise ShapeError(
            f"There are embeddings of {counts} videos and {tuple(sources.shape)} sources; expected one each."
        )
    return sources[:, None] == sources


def _directions(features: Tensor, parts: Sequence[int] = ()) -> Tensor:
    """Unit vectors [N, d], their own mean subtracted first; what is then rounding alone is similar to nothing."""
    x = _checked(features)
    if len(parts) > 1:
        each = [_directions(part) for part in torch.split(x, list(parts), dim=1)]
        return torch.cat(each, dim=1) * math.sqrt(1 / len(parts))
    longest = x.norm(dim=1).max()
    x = x - x.mean(0)
    length = x.norm(dim=1, keepdim=True)
    return torch.where(length > FLAT * longest, x / length.clamp_min(torch.finfo(x.dtype).tiny), 0.0)


def _checked(features: Tensor) -> Tensor:
    """Float64 [N, d] on the CPU."""
    x = features.detach().cpu().double()
    if x.dim() != 2 or 0 in x.shape:
        raise ShapeError(f"The features are {tuple(features.shape)}; expected [N, d] with at least one of each.")
    bad = int((~torch.isfinite(x)).any(1).sum())
    if bad:
        raise ShapeError(f"The features of {bad} of {len(x)} videos are not finite.")
    return x
