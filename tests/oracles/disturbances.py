"""Slow, obvious re-statements of the disturbances: one clip, one frame, one pixel at a time. Clips are [C, T, S, S]."""

import math

import numpy as np


def static_frame(clip, share, still):
    """Every frame mixed with frame ``still``."""
    out = np.zeros_like(clip)
    for t in range(clip.shape[1]):
        out[:, t] = (1 - share) * clip[:, t] + share * clip[:, still]
    return out


def local_warps(x, y, warps, strength=1.0, shifted=False):
    """Where a point of the warped picture looks; warps are (cx, cy, sx, sy) in fractions of the side."""
    for cx, cy, sx, sy in warps:
        r = math.hypot(x - cx - shifted * sx, y - cy - shifted * sy) / math.hypot(sx, sy)
        fade = strength * 0.5 / (3 * r**4 + 1)
        x, y = x - sx * fade, y - sy * fade
    return x, y


def bilinear(image, x, y):
    """Image [S, S] at (x, y) in fractions of its side; outside, the border goes on."""
    size = len(image)
    x, y = (min(max(v * size - 0.5, 0), size - 1) for v in (x, y))
    left, top = int(x), int(y)
    right, bottom = min(left + 1, size - 1), min(top + 1, size - 1)
    fx, fy = x - left, y - top
    above = (1 - fx) * image[top, left] + fx * image[top, right]
    below = (1 - fx) * image[bottom, left] + fx * image[bottom, right]
    return (1 - fy) * above + fy * below


def looked_up(clip, look):
    """Each frame at the places that ``look(x, y, t)`` gives for every pixel's middle."""
    channels, frames, size, _ = clip.shape
    out = np.zeros_like(clip)
    for t in range(frames):
        for row in range(size):
            for column in range(size):
                x, y = look((column + 0.5) / size, (row + 0.5) / size, t)
                out[:, t, row, column] = [bilinear(clip[c, t], x, y) for c in range(channels)]
    return out
