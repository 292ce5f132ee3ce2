"""Optimal transport for segments as its formulas stand: dense matrices, plans and not their logarithms, float64."""

import numpy as np


def sinkhorn(kernel, iterations, rows=None, columns=None):
    """Clusters first, then frames."""
    n, k = kernel.shape
    plan = np.array(kernel)
    rows, columns = np.full(n, 1 / n) if rows is None else rows, np.full(k, 1 / k) if columns is None else columns
    for _ in range(iterations):
        plan = plan / plan.sum(axis=0) * columns
        plan = plan / plan.sum(axis=1, keepdims=True) * rows[:, None]
    return plan


def structures(n, k, radius):
    """C_v [n, n] and C_a [k, k]."""
    c_v = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if 1 <= abs(i - j) <= int(n * radius):
                c_v[i, j] = 1 / radius
    return c_v, 1 - np.eye(k)


def gradient(plan, cost, alpha, radius, epsilon, balance):
    """Of the objective, at a plan [n, K] whose frames sum to 1/n."""
    n, k = plan.shape
    c_v, c_a = structures(n, k, radius)
    fused = alpha * c_v @ plan @ c_a + (1 - alpha) * cost
    return fused + epsilon * np.log(plan) + balance * (np.log(plan.sum(axis=0) * k) + 1)


def objective(plan, cost, alpha, radius, epsilon, balance):
    """Whose gradient this is, but for constants of a frame."""
    n, k = plan.shape
    c_v, c_a = structures(n, k, radius)
    fused = alpha / 2 * (plan * (c_v @ plan @ c_a)).sum() + (1 - alpha) * (plan * cost).sum()
    share = plan.sum(axis=0)
    return fused + epsilon * (plan * np.log(plan)).sum() + balance * (share * np.log(share * k)).sum()


def descend(cost, *, alpha, radius, epsilon, balance, iterations=25, step=None):
    """Mirror descent from the uniform plan; frames sum to 1 at the end."""
    n, k = cost.shape
    plan = np.full((n, k), 1 / (n * k))
    for _ in range(iterations):
        g = gradient(plan, cost, alpha, radius, epsilon, balance)
        step = 4 / g.max() if step is None else step
        plan = plan * np.exp(-step * g)
        plan = plan / plan.sum(axis=1, keepdims=True) / n
    return plan * n
