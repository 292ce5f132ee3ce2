"""Slow, obvious re-statements of the transforms: one pixel, one clip, one step at a time."""

import colorsys
import math

import numpy as np
import torch


def triangle_weights(start, length, extent, size_in, size_out):
    """[size_out][size_in] weights of an antialiased linear resize of the pixels start … start + length (in pixels)."""
    scale = length / size_out
    support = max(scale, 1.0)
    table = np.zeros((size_out, size_in))
    for i in range(size_out):
        centre = start + (i + 0.5) * scale
        for j in range(min(size_in, extent)):
            table[i, j] = max(0.0, 1 - abs(j + 0.5 - centre) / support)
        table[i] /= table[i].sum()
    return table


def gaussian_blur(image, sigma):
    """Image [H, W] blurred with the whole kernel, renormalised at the border."""
    h, w = image.shape
    out = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            total = 0.0
            for j in range(h):
                for i in range(w):
                    weight = math.exp(-((y - j) ** 2 + (x - i) ** 2) / (2 * sigma**2))
                    out[y, x] += weight * image[j, i]
                    total += weight
            out[y, x] /= total
    return out


def luma(pixel):
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]


def jitter(clip, brightness, contrast, saturation, hue, grey):
    """Clip [T, H, W, 3] in [0, 1], jittered step by step; the mean luma is over the whole clip."""
    x = clip.astype(float) * brightness
    mean = float(np.mean([luma(p) for p in x.reshape(-1, 3)]))
    out = np.empty_like(x)
    turn = 2 * math.pi * hue
    for place in np.ndindex(x.shape[:3]):
        p = contrast * x[place] + (1 - contrast) * mean
        p = saturation * p + (1 - saturation) * luma(p)
        if hue:
            y, i, q = _to_yiq(p)
            i, q = i * math.cos(turn) - q * math.sin(turn), i * math.sin(turn) + q * math.cos(turn)
            p = _from_yiq(y, i, q)
        if grey:
            p = np.full(3, luma(p))
        out[place] = np.clip(p, 0, 1)
    return out


def _to_yiq(p):
    return (
        luma(p),
        0.5959 * p[0] - 0.2746 * p[1] - 0.3213 * p[2],
        0.2115 * p[0] - 0.5227 * p[1] + 0.3112 * p[2],
    )


def _from_yiq(y, i, q):
    return np.array([y + 0.956 * i + 0.619 * q, y - 0.272 * i - 0.647 * q, y - 1.106 * i + 1.703 * q])


def hue_of(pixel):
    """Hue in turns, by the HSV definition of the standard library."""
    return colorsys.rgb_to_hsv(*(float(c) for c in pixel))[0]


def motion_view(motion, valid, rows, columns, height, width, flip, unit, limit):
    """[h, w, 2] cells of one frame in a view [P, P, 2], pixel by pixel, given the resize weights (already flipped)."""
    size = len(rows)
    out = torch.zeros(size, size, 2)
    for y in range(size):
        for x in range(size):
            total, known = np.zeros(2), 0.0
            for j in range(motion.shape[0]):
                for i in range(motion.shape[1]):
                    if valid[j, i]:
                        weight = float(rows[y][j] * columns[x][i])
                        known += weight
                        total += weight * motion[j, i].double().numpy()
            if known >= 0.5:
                dx, dy = total / known
                dx = -dx if flip else dx
                value = (dx / width / unit, dy / height / unit)
                out[y, x] = torch.tensor([max(-limit, min(limit, v)) for v in value])
    return out
