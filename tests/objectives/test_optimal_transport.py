"""Targets by optimal transport: against the formulas, against POT, and against the segments of ASOT's authors."""

import hashlib
from pathlib import Path

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import transport as oracle
from scipy.optimize import linear_sum_assignment

from kinema.core.errors import ConfigError, ShapeError
from kinema.objectives import order_prior, segment_cost, segment_transport, sinkhorn, temporal_transport

EXAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tot" / "asot_examples"
ASOT = {"alpha": 0.5, "radius": 0.1, "epsilon": 0.07, "balance": 0.1}


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def close(got, expected, atol, rtol=0.0):
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol)


def test_order_prior_is_its_formula():
    expected = [
        [-((abs(i / 7 - j / 3) / (1 / 49 + 1 / 9) ** 0.5) ** 2) / (2 * 1.5**2) for j in range(3)] for i in range(7)
    ]
    close(order_prior(7, 3, 1.5, dtype=torch.float64), expected, atol=1e-14)
    assert order_prior(1, 1, 1.5).tolist() == [[0.0]]
    half = order_prior(100_000, 20, 1.5, dtype=torch.float16)
    close(half.double(), order_prior(100_000, 20, 1.5, dtype=torch.float64), atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("given_sums", [False, True])
def test_sinkhorn_converges_to_pots_plan(given_sums):
    cost, epsilon = drawn(2, 12, 5), 0.1
    rows = columns = None
    if given_sums:
        rows, columns = (x / x.sum(dim=-1, keepdim=True) for x in (drawn(2, 12, seed=1), drawn(2, 5, seed=2)))
    got = sinkhorn(-cost / epsilon, 2000, rows=rows, columns=columns)
    for b in range(2):
        sums = (rows[b].numpy(), columns[b].numpy()) if given_sums else (np.full(12, 1 / 12), np.full(5, 1 / 5))
        for solve in (ot.sinkhorn, ot.bregman.sinkhorn_log):
            close(got[b], solve(*sums, cost[b].numpy(), epsilon, numItermax=5000, stopThr=1e-13), atol=1e-9)


def test_frames_whose_sum_is_nothing_take_no_part():
    kernel = drawn(6, 3)
    kernel[4:] = torch.nan
    got = sinkhorn(kernel, rows=torch.tensor([0.25] * 4 + [0.0] * 2))
    close(got, torch.cat([sinkhorn(kernel[:4]), torch.zeros(2, 3)]), atol=1e-15)


def test_temporal_transport_scales_clusters_first_and_then_frames():
    scores = drawn(2, 20, 4)
    prior = order_prior(20, 4, 1.5, dtype=torch.float64)
    got = temporal_transport(scores, prior, 0.08, 3)
    for b in range(2):
        plan = oracle.sinkhorn(np.exp(scores[b].numpy() / 0.08) * np.exp(prior.numpy()), 3)
        close(got[b], plan / plan.sum(axis=1, keepdims=True), atol=1e-12)
    end = temporal_transport(scores[0], prior, 0.08, 3000)
    sums, cost = (np.full(20, 1 / 20), np.full(4, 1 / 4)), (-scores[0] - 0.08 * prior).numpy()
    close(end / 20, ot.bregman.sinkhorn_log(*sums, cost, 0.08, numItermax=5000, stopThr=1e-13), atol=1e-9)
    close(temporal_transport(scores), temporal_transport(scores, torch.zeros(20, 4)), atol=1e-15)


def test_large_scores_over_a_small_epsilon():
    scores = (20 * drawn(200, 7) + 100 * drawn(200, 1, seed=1)).float()
    prior = order_prior(200, 7, 1.5)
    fine = temporal_transport(scores.double(), prior.double(), 0.02)
    close(temporal_transport(scores, prior, 0.02), fine, atol=1e-4)
    close(
        temporal_transport(scores.double(), prior.double(), 0.02, 1),
        sinkhorn(scores.double() / 0.02 + prior.double(), 1) * 200,
        atol=1e-9,
    )
    close(sinkhorn(scores / 0.02) * 200, sinkhorn((scores / 0.02).double()) * 200, atol=1e-4)
    close(fine.sum(dim=1), np.ones(200), atol=1e-12)
    close(temporal_transport(scores.bfloat16(), prior.bfloat16(), 1.0).float().sum(dim=1), np.ones(200), atol=0.02)


def test_padded_frames_of_temporal_transport():
    scores, prior = (drawn(2, 20, 4) - 1000).float(), order_prior(13, 4, 1.5)
    whole = temporal_transport(scores[:, :13], prior)
    scores[:, 13:] = torch.nan
    mask = torch.arange(20).expand(2, 20) < 13
    got = temporal_transport(scores, torch.cat([prior, prior[:7]]), mask=mask)
    close(got[:, :13], whole, atol=1e-5)
    assert not got[:, 13:].any()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 40),
    k=st.integers(1, 8),
    alpha=st.floats(0, 1),
    radius=st.floats(0.01, 2),
    epsilon=st.floats(0.02, 0.2),
    balance=st.floats(0, 0.2),
    step=st.floats(0.1, 4),
    seed=st.integers(0, 10**6),
)
def test_it_is_its_formula(n, k, alpha, radius, epsilon, balance, step, seed):
    cost = drawn(1, n, k, seed=seed)
    how = {"alpha": alpha, "radius": radius, "epsilon": epsilon, "balance": balance, "iterations": 6, "step": step}
    close(segment_transport(cost, **how)[0], oracle.descend(cost[0].numpy(), **how), atol=1e-10)


def test_the_first_gradient_sets_the_step_of_each_video():
    cost = drawn(3, 50, 6) * torch.tensor([1.0, 2.0, 0.5])[:, None, None]
    got = segment_transport(cost, **ASOT)
    for b in range(3):
        close(got[b], oracle.descend(cost[b].numpy(), **ASOT), atol=1e-10)
    assert torch.equal(segment_transport(cost, **ASOT, iterations=0), torch.full_like(cost, 1 / 6))


@pytest.mark.parametrize("offset", [0.0, -0.5, 0.36, -1000.0])
def test_a_first_gradient_that_says_no_step_still_ends_in_the_solution(offset):
    """Without neighbours and with free clusters it is known; of these costs the gradient is near 0 or below."""
    cost = 0.2 * drawn(1, 30, 4) + offset
    got = segment_transport(cost, alpha=0, radius=0.1, epsilon=0.1, balance=0, iterations=200)
    close(got, (-cost / 0.1).softmax(dim=2), atol=1e-9)


def test_free_clusters_without_entropy_go_pots_way():
    """Step by step, as POT's solver of the semirelaxed problem, whose proximal weight is 1/step and which has no ε.

    POT's loss of structures is a square. Of C_v and (2 I - 1) / 8 its cross term is C_v T C_a but for a constant of
    each frame, and its other terms are constant, too, as the squares of (2 I - 1) / 8 are all one number.
    """
    n, k, alpha, radius, step = 40, 5, 0.6, 0.1, 3.0
    cost = drawn(n, k)
    c_v, _ = oracle.structures(n, k, radius)
    for iterations in (1, 5, 11):
        pot = ot.gromov.entropic_semirelaxed_fused_gromov_wasserstein(
            cost.numpy(), c_v, (2 * np.eye(k) - 1) / 8, epsilon=1 / step, alpha=alpha, max_iter=iterations, tol=0
        )
        got = segment_transport(
            cost[None], alpha=alpha, radius=radius, epsilon=1e-13, balance=0, step=step, iterations=iterations
        )
        close(got[0], n * pot, atol=1e-6)


def test_balanced_clusters_end_where_pot_does():
    """In the fixed point of the projected descent on the entropic problem: C_v and -C_a / 4, all sums given."""
    n, k, alpha, radius, epsilon = 40, 5, 0.3, 0.1, 0.1
    cost = drawn(n, k)
    c_v, c_a = oracle.structures(n, k, radius)
    pot = ot.gromov.entropic_fused_gromov_wasserstein(
        cost.numpy(), c_v, -c_a / 4, epsilon=epsilon, alpha=alpha, solver="PGD", max_iter=300, tol=1e-12,
        numItermax=10_000, stopThr=1e-14,
    )  # fmt: skip
    how = {"alpha": alpha, "radius": radius, "epsilon": epsilon, "balance": 0.1, "balanced": True}
    for step, iterations in [(None, 100), (4.0, 300)]:
        got = segment_transport(cost[None], **how, step=step, iterations=iterations)
        close(got[0], n * pot, atol=1e-6)
    close(got.sum(dim=1), [[n / k] * k], atol=1e-6)


def test_it_ends_where_the_gradient_is_of_frames_alone_and_lower_than_it_began():
    cost = drawn(1, 30, 4)
    plan = segment_transport(cost, **ASOT, iterations=1000)[0].numpy() / 30
    gradient = oracle.gradient(plan, cost[0].numpy(), **ASOT)
    close(gradient - gradient.mean(axis=1, keepdims=True), np.zeros((30, 4)), atol=1e-8)
    at = [oracle.objective(p, cost[0].numpy(), **ASOT) for p in (np.full((30, 4), 1 / 120), plan)]
    assert at[1] < at[0] - 0.01


@pytest.mark.parametrize("balanced", [False, True])
def test_clusters_have_no_names_and_time_no_direction(balanced):
    cost, how = drawn(2, 30, 5), ASOT | {"balanced": balanced}
    order = torch.tensor([3, 0, 4, 1, 2])
    plan = segment_transport(cost, **how)
    close(segment_transport(cost[..., order], **how), plan[..., order], atol=1e-10)
    close(segment_transport(cost.flip(1), **how), plan.flip(1), atol=1e-10)


@pytest.mark.parametrize("balanced", [False, True])
def test_a_padded_video_is_what_it_is_alone(balanced):
    how = ASOT | {"balanced": balanced}
    cost, counts = drawn(4, 30, 5), [30, 17, 1, 17]
    mask = torch.arange(30) < torch.tensor(counts)[:, None]
    cost[~mask] = torch.nan
    got = segment_transport(cost, **how, mask=mask)
    for b, n in enumerate(counts):
        close(got[b, :n], segment_transport(cost[b : b + 1, :n], **how)[0], atol=1e-12)
        assert not got[b, n:].any()


def test_frames_that_do_not_count_may_lie_between_others():
    cost, mask = drawn(1, 30, 5), (drawn(1, 30, seed=1) > 0.3)
    got = segment_transport(cost, **ASOT, mask=mask)
    close(got[mask], segment_transport(cost[mask][None], **ASOT)[0], atol=1e-12)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 6), (3, 6), (50, 1)])
def test_few_frames_and_one_cluster(n, k, balanced):
    plan = segment_transport(drawn(2, n, k), **ASOT | {"balanced": balanced})
    close(plan.sum(dim=2), np.ones((2, n)), atol=1e-12)
    if balanced:
        close(plan.sum(dim=1), np.full((2, k), n / k), atol=1e-3)


def test_a_hundred_thousand_frames_in_float32():
    """A running sum over so many frames has lost the digits that a window of a few frames needs."""
    cost = drawn(1, 100_000, 4, dtype=torch.float32)
    for radius in (0.0001, 0.04):
        how = {"alpha": 0.6, "radius": radius, "epsilon": 0.04, "balance": 0.01, "iterations": 8}
        close(segment_transport(cost, **how), segment_transport(cost.double(), **how), atol=1e-4)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("epsilon", [1e-6, 1e-3])
def test_nothing_overflows(epsilon, balanced):
    cost = 1000 * drawn(1, 200, 6, dtype=torch.float32)
    plan = segment_transport(cost, alpha=0.5, radius=0.04, epsilon=epsilon, balance=0.05, balanced=balanced)
    close(plan.sum(dim=2), np.ones((1, 200)), atol=1e-5)


def test_half_precision_is_reckoned_in_float32():
    cost = drawn(1, 100, 6).bfloat16()
    got = segment_transport(cost, **ASOT)
    assert got.dtype == torch.bfloat16
    close(got.float(), segment_transport(cost.float(), **ASOT), atol=0.01)


def test_segment_cost_is_its_formula():
    z, p = drawn(2, 6, 3), drawn(4, 3, seed=1)
    mask = torch.arange(6) < torch.tensor([[6], [4]])
    got = segment_cost(z, p, 0.2, mask)
    for b, n in enumerate((6, 4)):
        for i in range(n):
            expected = [1 - float(z[b, i] @ p[j]) + 0.2 * abs(i / n - j / 4) for j in range(4)]
            close(got[b, i], expected, atol=1e-12)
    assert not got[1, 4:].any()
    close(segment_cost(z, p), 1 - z @ p.T, atol=1e-15)


def test_targets_have_no_gradient():
    x = drawn(2, 8, 3).requires_grad_()
    for target in (sinkhorn(x), temporal_transport(x), segment_transport(x, **ASOT)):
        assert not target.requires_grad
    assert segment_cost(x, drawn(4, 3), 0.1).requires_grad


COST = drawn(2, 8, 3)
MASK = torch.ones(2, 8, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: order_prior(0, 3, 1.5), ConfigError, "frames"),
        (lambda: order_prior(3, 2.5, 1.5), ConfigError, "clusters"),
        (lambda: order_prior(3, 3, 0.0), ConfigError, "sigma"),
        (lambda: sinkhorn(COST[0, 0]), ShapeError, r"\[\.\.\., n, K\]"),
        (lambda: sinkhorn(COST[:, :0]), ShapeError, "at least one frame"),
        (lambda: sinkhorn(COST.long()), ShapeError, "int64"),
        (lambda: sinkhorn(COST, 0), ConfigError, "iterations"),
        (lambda: sinkhorn(COST / 0), ShapeError, "not finite"),
        (lambda: sinkhorn(COST, rows=torch.ones(3)), ShapeError, r"rows \(3,\)"),
        (lambda: sinkhorn(COST, rows=-torch.ones(8)), ShapeError, "rows must be finite"),
        (lambda: sinkhorn(COST, rows=torch.ones(8)), ShapeError, "same sum"),
        (lambda: temporal_transport(COST, epsilon=0.0), ConfigError, "epsilon"),
        (lambda: temporal_transport(COST, epsilon=float("nan")), ConfigError, "epsilon"),
        (lambda: temporal_transport(COST, iterations=0), ConfigError, "iterations"),
        (lambda: temporal_transport(COST, COST[0].T), ShapeError, r"expected \(8, 3\)"),
        (lambda: temporal_transport(COST, COST[0].log() / 0), ShapeError, "log_prior"),
        (lambda: temporal_transport(COST, mask=MASK[0]), ShapeError, "mask"),
        (lambda: temporal_transport(COST, mask=~MASK), ShapeError, "video 0 no frame"),
        (lambda: segment_cost(COST, drawn(4, 2), 0.1), ShapeError, r"\(4, 2\)"),
        (lambda: segment_cost(COST, drawn(0, 3), 0.1), ShapeError, "none of them empty"),
        (lambda: segment_cost(COST, drawn(4, 3), -0.1), ConfigError, "rho"),
        (lambda: segment_transport(COST[0], **ASOT), ShapeError, r"\[B, N, K\]"),
        (lambda: segment_transport(COST * torch.nan, **ASOT), ShapeError, "not finite"),
        (lambda: segment_transport(COST, **ASOT, mask=MASK.long()), ShapeError, "expected bool"),
        (lambda: segment_transport(COST, **ASOT, mask=MASK & (COST[:, :1, 0] < 0)), ShapeError, "video 0 no frame"),
        (lambda: segment_transport(COST, **ASOT | {"alpha": 1.5}), ConfigError, "alpha"),
        (lambda: segment_transport(COST, **ASOT | {"radius": 0.0}), ConfigError, "radius"),
        (lambda: segment_transport(COST, **ASOT | {"epsilon": 0.0}), ConfigError, "epsilon"),
        (lambda: segment_transport(COST, **ASOT | {"balance": -1.0}), ConfigError, "balance"),
        (lambda: segment_transport(COST, **ASOT, step=0.0), ConfigError, "step"),
        (lambda: segment_transport(COST, **ASOT, iterations=-1), ConfigError, "iterations"),
    ],
)
def test_what_they_cannot_take_is_told(call, error, told):
    with pytest.raises(error, match=told):
        call()


@pytest.mark.data
@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the matrices of ASOT's authors (../shared/data/tot) are not here")
@pytest.mark.parametrize(
    ("video", "activity", "radius", "balance", "mof", "digest"),
    [
        (
            "2020-04-19_14-03-25", "da", 0.02, 0.09, 0.7704697986577181,
            "0d5aec3051ebb55470690da38036ada3f296163b36eab0e5ec324e97a58768bb",
        ),
        (
            "P36_webcam01_P36_salat", "salat", 0.04, 0.06, 0.7386621315192744,
            "394c95ff54d672746f493f270981ff7976666bfd5292f56b6f3952b1def5065d",
        ),
    ],
)  # fmt: skip
def test_the_segments_are_those_of_the_authors_code(video, activity, radius, balance, mof, digest):
    """Frame by frame.

    The digests are of the labels, uint8 [N], that the authors' examples/example.py (mingu6/action_seg_ot, 0c4c86b)
    makes of its two videos: soft_assign.argmax(dim=2), its settings unchanged; the accuracy is after a Hungarian match.
    """
    cost = 1 - torch.from_numpy(np.load(EXAMPLES / "affinity" / f"{video}.npy"))[None]
    found = segment_transport(cost, alpha=0.6, radius=radius, epsilon=0.01, balance=balance)[0].argmax(dim=1).numpy()
    assert hashlib.sha256(found.astype(np.uint8).tobytes()).hexdigest() == digest
    mapping = dict(line.split()[::-1] for line in (EXAMPLES / "gt" / f"mapping_{activity}.txt").open())
    truth = np.array([int(mapping[line.strip()]) for line in (EXAMPLES / "gt" / video).open()])
    both = np.zeros((found.max() + 1, truth.max() + 1))
    np.add.at(both, (found, truth), 1)
    assert both[linear_sum_assignment(both, maximize=True)].sum() / len(truth) == pytest.approx(mof)
