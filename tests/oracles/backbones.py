"""I3D, R3D-26, R3D-34 and R(2+1)D-26 said once more, as functions that take their weights one after the other.

Written from the papers' tables and from what the authors published: DeepMind's I3D, CMD's networks and Hara's R3D-34.
"""

import torch
from torch.nn import functional as F

# Inception-v1 (Szegedy et al. 2015, table 1): 1x1, 3x3 behind its reduction, 3x3 behind another, 1x1 after pooling.
INCEPTION = """
64 96-128 16-32 32      | 128 128-192 32-96 64    |
192 96-208 16-48 64     | 160 112-224 24-64 64    | 128 128-256 24-64 64    | 112 144-288 32-64 64 |
256 160-320 32-128 128  |
256 160-320 32-128 128  | 384 192-384 48-128 128
"""
POOL_BEFORE = {2: (3, 1), 7: (2, 0)}
"""The poolings between Inception's blocks: kernel and padding, by the number of the block after it."""


class Weights:
    """Hands out the tensors of a state dict in order, and counts what was asked for."""

    def __init__(self, state, eps):
        self.rest, self.eps, self.count = list(state.values()), eps, 0

    def conv(self, x, out, kernel, stride=1):
        kernel = (kernel,) * 3 if isinstance(kernel, int) else kernel
        weight = self.rest.pop(0)
        assert weight.shape == (out, x.shape[1], *kernel)
        self.count += weight.numel()
        return F.conv3d(x, weight, stride=stride, padding=tuple(size // 2 for size in kernel))

    def norm(self, x):
        weight, bias, mean, variance, _ = (self.rest.pop(0) for _ in range(5))
        self.count += weight.numel() + bias.numel()
        return F.batch_norm(x, mean, variance, weight, bias, eps=self.eps)

    def unit(self, x, out, kernel, stride=1):
        return self.norm(self.conv(x, out, kernel, stride)).relu()

    def pair(self, x, out, kernel, stride=1, hidden=None):
        space = self.unit(x, hidden, (1, kernel, kernel), (1, stride, stride))
        return self.conv(space, out, (3, 1, 1), (1 if kernel == 7 else stride, 1, 1))


def i3d(weights, x):
    x = F.max_pool3d(weights.unit(x, 64, 7, 2), (1, 3, 3), (1, 2, 2), (0, 1, 1))
    x = weights.unit(weights.unit(x, 64, 1), 192, 3)
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for number, block in enumerate(INCEPTION.replace("\n", " ").split("|")):
        if number in POOL_BEFORE:
            kernel, padding = POOL_BEFORE[number]
            x = F.max_pool3d(x, kernel, 2, padding, ceil_mode=kernel == 2)
        one, a, b, pooled = ([int(width) for width in part.split("-")] for part in block.split())
        branches = [weights.unit(x, one[0], 1)]
        branches += [weights.unit(weights.unit(x, before, 1), out, 3) for before, out in (a, b)]
        branches.append(weights.unit(F.max_pool3d(x, 3, 1, 1), pooled[0], 1))
        x = torch.cat(branches, 1)
    return x


def residual(weights, x, inside, out, step):
    """One block; what is inside, then the shortcut where the shape changes."""
    y = inside(x)
    if y.shape[1:] != x.shape[1:] or step > 1:
        x = weights.norm(weights.conv(x, out, 1, step))
    return (y + x).relu()


def bottlenecks(weights, x, middle):
    for stage, width in enumerate((64, 128, 256, 512)):
        for number in range(2):
            step = 2 if stage and not number else 1

            def inside(x, width=width, step=step):
                y = weights.norm(middle(weights.unit(x, width, 1), width, step)).relu()
                return weights.norm(weights.conv(y, 4 * width, 1))

            x = residual(weights, x, inside, 4 * width, step)
    return x


def r3d26(weights, x):
    x = F.max_pool3d(weights.unit(x, 64, (3, 7, 7), (1, 2, 2)), (1, 3, 3), (1, 2, 2), (0, 1, 1))
    return bottlenecks(weights, x, lambda y, width, step: weights.conv(y, width, 3, step))


def r2plus1d26(weights, x):
    x = weights.norm(weights.pair(x, 64, 7, 2, hidden=3 * 64 * 3 * 49 // (3 * 49 + 64 * 3))).relu()
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    return bottlenecks(weights, x, lambda y, width, step: weights.pair(y, width, 3, step, hidden=width * 27 // 12))


def r3d34(weights, x):
    x = F.max_pool3d(weights.unit(x, 64, 7, (1, 2, 2)), 3, 2, 1)
    for stage, (width, depth) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for number in range(depth):
            step = 2 if stage and not number else 1

            def inside(x, width=width, step=step):
                return weights.norm(weights.conv(weights.unit(x, width, 3, step), width, 3))

            x = residual(weights, x, inside, width, step)
    return x


NETWORKS = {"i3d": i3d, "r3d26": r3d26, "r2plus1d26": r2plus1d26, "r3d34": r3d34}


def feature_map(name, net, x):
    """The map and the number of parameters that the restatement used."""
    weights = Weights(net.state_dict(), eps=1e-3 if name == "i3d" else 1e-5)
    found = NETWORKS[name](weights, x)
    assert not weights.rest
    return found, weights.count
