"""Which frame belongs to which cluster, as a problem of optimal transport: the targets of TOT and of ASOT.

TOT hands the frames of a batch out to the clusters so that every cluster gets the same share, and so that, by a prior,
early frames go to early clusters. ASOT adds to the cost of each frame what its neighbours in time say: frames near each
other should be of one cluster. Its clusters need no equal shares, and steps may come in any order and repeat.

What these functions give are targets: none of them carries a gradient, but for :func:`segment_cost`. All of it is done
with logarithms, so that a small ε neither overflows nor turns to zero.

Source: Kumar et al. 2022, "Unsupervised Activity Segmentation by Joint Representation Learning and Online Clustering"
(TOT), arXiv 2105.13353; Xu & Gould 2024, "Temporally Consistent Unbalanced Optimal Transport for Unsupervised Action
Segmentation" (ASOT), arXiv 2404.01518.

Axes: B videos, N frames of each (n of them valid), K clusters, d dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError

SINKHORN_OF_A_STEP = 10
"""Sinkhorn iterations in a step of the balanced problem; each step goes on from the potentials of the one before."""


def order_prior(
    frames: int,
    clusters: int,
    sigma: float,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The logarithm of TOT's temporal prior: early frames to early clusters.

    It is -d² / (2σ²), where d_ij = abs(i/n - j/K) / sqrt(1/n² + 1/K²) is how far frame i and cluster j lie from the
    diagonal, both counted from 0.

    Args:
        frames: n, at least 1.
        clusters: K, at least 1.
        sigma: σ > 0; the larger, the weaker the prior.
        device: of the result.
        dtype: of the result, a floating type.

    Returns:
        Float [n, K], at most 0.

    Raises:
        ConfigError: no frame, no cluster, or a σ that is not above 0.
    """
    _check_counts(frames=frames, clusters=clusters)
    _check_positive(sigma=sigma)
    dtype = dtype or torch.get_default_dtype()
    i = torch.arange(frames, device=device, dtype=_work(dtype))[:, None]
    j = torch.arange(clusters, device=device, dtype=_work(dtype))
    d = (i / frames - j / clusters) / math.hypot(1 / frames, 1 / clusters)
    return (-0.5 * (d / sigma).square()).to(dtype)


@torch.no_grad()
def sinkhorn(
    log_kernel: Tensor, iterations: int = 3, *, rows: Tensor | None = None, columns: Tensor | None = None
) -> Tensor:
    """Scales the rows and columns of exp(log_kernel) towards given sums, with logarithms all the way.

    An iteration scales the clusters first and the frames then, as the authors' does, so that the frames' sums are exact
    and the clusters' approached. With frames of sum 1, float32 is within 1e-4 of float64 for a kernel of some 1e3.

    Args:
        log_kernel: float [..., n, K], finite, such as -cost/ε.
        iterations: at least 1.
        rows: float [n] or [..., n], what each frame is to sum to; 1/n by default. A frame of 0 takes no part, whatever
            its kernel.
        columns: float [K] or [..., K], what each cluster is to sum to; 1/K by default. Together as much as the rows.

    Returns:
        Float [..., n, K], the plan, in the type of ``log_kernel``; without a gradient.

    Raises:
        ShapeError: the shapes do not fit, there is no frame or no cluster, a value is not finite, or the sums of rows
            and columns differ.
        ConfigError: no iteration.
    """
    _check_matrix("sinkhorn", "log_kernel", log_kernel)
    _check_counts(iterations=iterations)
    *lead, n, k = log_kernel.shape
    kernel = log_kernel.to(_work(log_kernel.dtype))
    r = _marginal("rows", rows, kernel, (*lead, n), 1 / n)
    c = _marginal("columns", columns, kernel, (*lead, k), 1 / k)
    totals = r.sum(dim=-1), c.sum(dim=-1)
    if bool(((totals[0] - totals[1]).abs() > 1e-4 * totals[1].abs()).any()) or bool((totals[0] <= 0).any()):
        raise ShapeError("sinkhorn's rows and columns must have the same sum, above 0; no plan has both otherwise.")
    kernel = kernel.masked_fill(r[..., None] == 0, 0.0)
    _check_finite("sinkhorn", "log_kernel", kernel)
    offset = kernel.amax(dim=-1, keepdim=True)
    return _plan(kernel - offset, offset, iterations, r, c).to(log_kernel.dtype)


@torch.no_grad()
def temporal_transport(
    scores: Tensor,
    log_prior: Tensor | None = None,
    epsilon: float = 0.08,
    iterations: int = 3,
    mask: Tensor | None = None,
) -> Tensor:
    """TOT's targets: which share of each frame belongs to which cluster, all clusters being of one size.

    Q is exp(scores/ε) times the prior, scaled by :func:`sinkhorn` to 1/K a cluster and 1/n a frame; each frame is then
    scaled to sum 1.

    Args:
        scores: float [..., n, K], how well a frame fits a cluster. The frames of several videos that share their
            clusters' sizes stand one after the other in n.
        log_prior: float [n, K] or [..., n, K], of :func:`order_prior`, stacked as the videos are; None for no prior.
        epsilon: ε > 0; the smaller, the harder the assignment.
        iterations: of Sinkhorn, at least 1.
        mask: bool [..., n], the frames that count; all by default.

    Returns:
        Float [..., n, K] in the type of ``scores``; a frame sums to 1, one that does not count to 0. No gradient.

    Raises:
        ShapeError: the shapes do not fit, there is no frame that counts, or a value is not finite.
        ConfigError: an ε that is not above 0, or no iteration.
    """
    _check_matrix("temporal_transport", "scores", scores)
    _check_positive(epsilon=epsilon)
    _check_counts(iterations=iterations)
    *lead, n, k = scores.shape
    work, rows = scores.to(_work(scores.dtype)), scores.new_ones(n, dtype=_work(scores.dtype))
    if mask is not None:
        rows = _checked_mask("temporal_transport", mask, (*lead, n)).to(work)
        work = work.masked_fill(~mask[..., None], 0.0)
    _check_finite("temporal_transport", "scores", work)
    highest = work.amax(dim=-1, keepdim=True)
    kernel = (work - highest) / epsilon
    highest = highest.masked_fill(rows[..., None] == 0, -torch.inf)  # they take no part
    offset = (highest - highest.amax(dim=-2, keepdim=True)) / epsilon
    if log_prior is not None:
        if log_prior.shape != (n, k) and log_prior.shape != scores.shape:
            raise ShapeError(
                f"temporal_transport was given scores {tuple(scores.shape)} and log_prior {tuple(log_prior.shape)}; "
                f"expected {(n, k)}, or one for each of the scores."
            )
        prior = log_prior.to(kernel).masked_fill(rows[..., None] == 0, 0.0)
        _check_finite("temporal_transport", "log_prior", prior)
        kernel = kernel + prior
    columns = (rows.sum(dim=-1, keepdim=True) / k).expand(*rows.shape[:-1], k)
    return _plan(kernel, offset, iterations, rows, columns).to(scores.dtype)


def segment_cost(z: Tensor, prototypes: Tensor, rho: float = 0.0, mask: Tensor | None = None) -> Tensor:
    """ASOT's cost of giving a frame to a cluster: 1 - z·p + ρ abs(i/n - j/K).

    Frames and clusters are counted from 0, frames among those of their video that count. It is differentiable.

    Args:
        z: float [B, N, d], frames, L2-normalised.
        prototypes: float [K, d], clusters, L2-normalised.
        rho: ρ ≥ 0, how much the order of the clusters matters; 0 where steps come in any order.
        mask: bool [B, N], the frames that count; all by default.

    Returns:
        Float [B, N, K]; 0 for frames that do not count.

    Raises:
        ShapeError: the shapes do not fit, or there is no frame or no cluster.
        ConfigError: a ρ below 0 or not finite.
    """
    fit = z.ndim == 3 and prototypes.ndim == 2 and z.shape[-1] == prototypes.shape[-1]
    if not fit or 0 in (*z.shape, *prototypes.shape):
        raise ShapeError(
            f"segment_cost was given z {tuple(z.shape)} and prototypes {tuple(prototypes.shape)}; "
            "expected [B, N, d] and [K, d], none of them empty."
        )
    _check_not_negative(rho=rho)
    n, k = z.shape[1], len(prototypes)
    cost = 1 - z @ prototypes.T
    kept = torch.ones(1, n, dtype=torch.bool, device=z.device)
    if mask is not None:
        kept = _checked_mask("segment_cost", mask, z.shape[:2])
    if rho:
        work = _work(z.dtype)
        i = (kept.cumsum(dim=1) - 1).to(work) / kept.sum(dim=1, keepdim=True)
        j = torch.arange(k, device=z.device, dtype=work) / k
        cost = cost + (rho * (i[..., None] - j).abs()).to(cost)
    return cost if mask is None else cost.masked_fill(~kept[..., None], 0.0)


@torch.no_grad()
def segment_transport(
    cost: Tensor,
    *,
    alpha: float,
    radius: float,
    epsilon: float,
    balance: float,
    iterations: int = 25,
    step: float | None = None,
    mask: Tensor | None = None,
    balanced: bool = False,
) -> Tensor:
    """ASOT's soft segmentation: fused Gromov-Wasserstein by mirror descent from the uniform plan.

    With T at sums of 1/n a frame, the gradient is α C_v T C_a + (1 - α) cost + ε log T + λ (log(K Σ_i T_i) + 1), where
    C_v is 1/r for frames at most int(n r) apart (but 0 for a frame and itself) and C_a is 1 for clusters that differ.
    A step multiplies T by exp(-step · gradient) and scales each frame back. Time and memory are O(N K) whatever the
    radius. The mirror descent is not convex: it ends in a plan near the one that the cost alone gives.

    Args:
        cost: float [B, N, K], of :func:`segment_cost`.
        alpha: α in [0, 1], the weight of the neighbours in time.
        radius: r > 0, how far neighbours reach, as a share of the video's frames.
        epsilon: ε > 0, of the entropy; the smaller, the harder the assignment.
        balance: λ ≥ 0, how strongly the clusters are drawn to one size; has no effect if ``balanced``.
        iterations: steps of the descent; 0 leaves the uniform plan.
        step: of the descent. By default, of each video by itself, 4 over the largest value of its first gradient, which
            is the authors' choice; where that is negative or above 2/(ε + λ), where the descent would swing ever wider,
            1/(ε + λ). If ``balanced``, 1/ε.
        mask: bool [B, N], the frames that count; all by default. A video is treated as if it had no others.
        balanced: whether the clusters are all of one size instead: each step is a Sinkhorn projection on both sums.

    Returns:
        Float [B, N, K] in the type of ``cost``; a frame sums to 1, one that does not count to 0. No gradient.

    Raises:
        ShapeError: the shapes do not fit, a video has no frame that counts, there is no cluster, or a cost is not
            finite.
        ConfigError: a setting outside its range.
    """
    _check_matrix("segment_transport", "cost", cost, dims=3)
    _check_positive(radius=radius, epsilon=epsilon, **({} if step is None else {"step": step}))
    _check_not_negative(balance=balance, alpha=alpha)
    if alpha > 1:
        raise ConfigError(f"alpha must be from 0 to 1, not {alpha}.")
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 0:
        raise ConfigError(f"iterations must be a whole number, at least 0, not {iterations!r}.")
    problem = _Fused(alpha, radius, epsilon, 0.0 if balanced else balance, step, balanced)
    if mask is None:
        _check_finite("segment_transport", "cost", cost)
        return problem.solve(cost.to(_work(cost.dtype)), iterations).to(cost.dtype)
    valid = _checked_mask("segment_transport", mask, cost.shape[:2])
    plan = torch.zeros_like(cost)
    for videos, n in _of_one_length(valid):
        kept = valid[videos]
        own = cost[videos][kept].reshape(len(videos), n, -1)
        _check_finite("segment_transport", "cost", own)
        part = torch.zeros_like(cost[videos])
        part[kept] = problem.solve(own.to(_work(cost.dtype)), iterations).to(cost.dtype).flatten(0, 1)
        plan[videos] = part
    return plan


class _Fused:
    """The fused problem of videos of one length. Inside, frames are the last axis: P is [B, K, n], n times T."""

    def __init__(
        self, alpha: float, radius: float, epsilon: float, balance: float, step: float | None, balanced: bool
    ) -> None:
        self.alpha, self.radius, self.epsilon, self.balance = alpha, radius, epsilon, balance
        self.step, self.balanced = step, balanced

    def solve(self, cost: Tensor, iterations: int) -> Tensor:
        """Mirror descent.

        What a frame adds to all of its clusters alike (the row sums in C_a T, the logarithm of n, the 1 of the KL) is
        undone by scaling the frame back, so it is in the first gradient, which sets the step, and not in the descent.
        """
        n, k = cost.shape[1:]
        reach = min(int(n * self.radius), n - 1)
        near = self.alpha / (self.radius * n)
        cost = (cost * (1 - self.alpha)).transpose(1, 2).contiguous()
        step = self.first_step(cost, reach, near)
        cost *= step
        log_p, p = torch.full_like(cost, -math.log(k)), torch.full_like(cost, 1 / k)
        frames, no_frames = cost.new_zeros(len(cost), 1, n), cost.new_zeros(1, 1, n)
        equal = cost.new_full((1, 1, 1), math.log(n / k))
        for _ in range(iterations):
            log_p.mul_(1 - step * self.epsilon).sub_(cost)
            if self.alpha and reach:
                log_p += _window_sums(p, reach).sub_(p).mul_(step * near)
            if self.balance:
                share = p.sum(dim=2, keepdim=True).clamp_(min=torch.finfo(p.dtype).tiny).log_()
                log_p -= (share - equal) * (step * self.balance)
            if self.balanced:
                log_p, frames = _scale(log_p, SINKHORN_OF_A_STEP, no_frames, equal, frames)
                torch.exp(log_p, out=p)
            else:
                log_p -= log_p.amax(dim=1, keepdim=True)
                total = torch.exp(log_p, out=p).sum(dim=1, keepdim=True)
                p /= total
                log_p -= total.log_()
        return p.transpose(1, 2).contiguous()

    def first_step(self, cost: Tensor, reach: int, near: float) -> Tensor | float:
        """The step given, or the one that the first gradient of each video says."""
        if self.step is not None:
            return self.step
        if self.balanced:
            return 1 / self.epsilon
        k, n = cost.shape[1:]
        i = torch.arange(n, device=cost.device)
        neighbours = (i.clamp(max=reach) + (n - 1 - i).clamp(max=reach)).to(cost)
        same = self.balance - self.epsilon * math.log(n * k)
        largest = (cost.amax(dim=1) + near * (k - 1) / k * neighbours).amax(dim=1) + same
        step, most = 4 / largest, 2 / (self.epsilon + self.balance)
        return torch.where((largest > 0) & (step <= most), step, torch.full_like(step, most / 2))[:, None, None]


def _window_sums(x: Tensor, reach: int) -> Tensor:
    """Sums over the places at most ``reach`` away, itself included, in time that does not depend on ``reach``.

    The places are cut into blocks of a window's width, so that every window is the end of one block and the start of
    the next. Sums run within a block alone: a running sum over all places would lose float32's digits in a long video.

    Args:
        x: float [..., n].
        reach: at least 0.

    Returns:
        Float [..., n].
    """
    *lead, n = x.shape
    width = 2 * reach + 1
    blocks = (n - 1) // width + 2
    padded = torch.nn.functional.pad(x, (reach, blocks * width - n - reach))
    until = padded.reshape(*lead, blocks, width).cumsum(dim=-1)
    sums = until[..., :-1, -1:].repeat(*(1 for _ in lead), 1, width)
    sums[..., 1:] += until[..., 1:, :-1] - until[..., :-1, :-1]
    return sums.reshape(*lead, -1)[..., :n]


def _plan(kernel: Tensor, offset: Tensor, iterations: int, rows: Tensor, columns: Tensor) -> Tensor:
    """Sinkhorn on exp(kernel + offset), [..., n, K] and [..., n, 1]; what belongs to a frame alone stands apart.

    What belongs to a cluster alone is taken away, since the first scaling of the clusters takes it up. So numbers are
    small where the plan is not, and keep their digits.
    """
    kernel = kernel.transpose(-1, -2)
    kernel = kernel - kernel.amax(dim=-1, keepdim=True)
    log_rows, log_columns = rows[..., None, :].log(), columns[..., :, None].log()
    frames = offset.transpose(-1, -2).masked_fill(log_rows == -torch.inf, -torch.inf)
    frames = frames - frames.amax(dim=-1, keepdim=True)
    return _scale(kernel, iterations, log_rows, log_columns, frames)[0].exp().transpose(-1, -2)


def _scale(
    kernel: Tensor, iterations: int, log_rows: Tensor, log_columns: Tensor, frames: Tensor
) -> tuple[Tensor, Tensor]:
    """Sinkhorn on [..., K, n] from the frames' potentials [..., 1, n]: the plan's logarithm, and those after it."""
    clusters = kernel
    for _ in range(iterations):
        clusters = log_columns - (kernel + frames).logsumexp(dim=-1, keepdim=True)
        frames = log_rows - (kernel + clusters).logsumexp(dim=-2, keepdim=True)
    return kernel + clusters + frames, frames


def _of_one_length(valid: Tensor) -> Iterator[tuple[Tensor, int]]:
    counts = valid.sum(dim=1).cpu()
    for n in sorted(set(counts.tolist())):
        yield (counts == n).nonzero().flatten().to(valid.device), n


def _work(dtype: torch.dtype) -> torch.dtype:
    """The type to reckon in: half precision is too coarse for logarithms of plans."""
    return torch.float32 if dtype.itemsize < 4 else dtype


def _marginal(name: str, given: Tensor | None, like: Tensor, shape: tuple[int, ...], default: float) -> Tensor:
    if given is None:
        return like.new_full(shape, default)
    if given.shape != shape and given.shape != shape[-1:]:
        raise ShapeError(
            f"sinkhorn was given {name} {tuple(given.shape)} for a log_kernel {tuple(like.shape)}; "
            f"expected {shape[-1:]} or {shape}."
        )
    sums = given.to(like)
    if not bool((sums.isfinite() & (sums >= 0)).all()):
        raise ShapeError(f"sinkhorn's {name} must be finite and at least 0.")
    return sums.expand(shape)


def _checked_mask(function: str, mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    if mask.dtype != torch.bool or mask.shape != shape:
        raise ShapeError(
            f"{function} was given a mask {mask.dtype} {tuple(mask.shape)}; expected bool {tuple(shape)}, "
            "true for the frames that count."
        )
    empty = (~mask.any(dim=-1)).flatten().nonzero().flatten()
    if len(empty):
        raise ShapeError(
            f"{function} was given a mask that leaves video {int(empty[0])} no frame.",
            "Leave out videos that have no frame before they are put into a batch.",
        )
    return mask


def _check_matrix(function: str, name: str, x: Tensor, dims: int | None = None) -> None:
    wrong = x.ndim < 2 if dims is None else x.ndim != dims
    if wrong or 0 in x.shape or not x.is_floating_point():
        expected = "[..., n, K]" if dims is None else "[B, N, K]"
        raise ShapeError(
            f"{function} was given {name} {x.dtype} {tuple(x.shape)}; expected float {expected}, at least one frame "
            "and one cluster."
        )


def _check_finite(function: str, name: str, x: Tensor) -> None:
    low, high = x.aminmax()
    if not (math.isfinite(float(low)) and math.isfinite(float(high))):
        raise ShapeError(
            f"{function} was given {name} with values that are not finite (from {float(low):g} to {float(high):g}).",
            "Look for NaN or infinity in the features, or for a network that diverged.",
        )


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name} must be a whole number, at least 1, not {value!r}.")


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{name} must be finite and above 0, not {value}.")


def _check_not_negative(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{name} must be finite and at least 0, not {value}.")
