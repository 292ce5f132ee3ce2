"""Slow, obvious re-statements of the diagnostics that need no labels: one pair of videos at a time."""

import itertools
import math

import numpy as np


def rankme(rows, epsilon=1e-7):
    gram = np.array(rows, dtype=np.float64)
    values = np.sqrt(np.clip(np.linalg.eigvalsh(gram @ gram.T), 0, None))
    values = np.sort(values)[::-1][: min(gram.shape)]
    shares = [value / values.sum() + epsilon for value in values]
    return math.exp(-sum(p * math.log(p) for p in shares))


def unit(row):
    length = math.sqrt(sum(x * x for x in row))
    return [x / length for x in row]


def squared(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def alignment(first, second):
    distances = [squared(unit(a), unit(b)) for a, b in zip(first, second, strict=True)]
    return sum(distances) / len(distances)


def uniformity(rows, t):
    points = [unit(row) for row in rows]
    pairs = [math.exp(-t * squared(a, b)) for a, b in itertools.permutations(points, 2)]
    return math.log(sum(pairs) / len(pairs))


def centred(rows):
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return [unit([x - m for x, m in zip(row, mean, strict=True)]) for row in rows]


def nearest(query, gallery, left_out, k):
    """Numbers of the k items of the highest dot product, without those left out; no two may tie."""
    items = [(sum(x * y for x, y in zip(query, g, strict=True)), i) for i, g in enumerate(gallery) if i not in left_out]
    return {i for _, i in sorted(items, reverse=True)[:k]}


def siblings(sources, i):
    return {j for j, source in enumerate(sources) if source == sources[i]}


def neighbour_overlap(a, b, sources, k):
    a, b = centred(a), centred(b)
    shares = []
    for i in range(len(a)):
        out = siblings(sources, i)
        shares.append(len(nearest(a[i], a, out, k) & nearest(b[i], b, out, k)) / k)
    return sum(shares) / len(shares)


def still_reliance(videos, stills, sources, k):
    """(share of neighbours that the still has too, share of stills that find their own video first)."""
    videos, stills = centred(videos), centred(stills)
    shares, hits = [], []
    for i in range(len(videos)):
        out = siblings(sources, i)
        shares.append(len(nearest(videos[i], videos, out, k) & nearest(stills[i], videos, out, k)) / k)
        hits.append(nearest(stills[i], videos, out - {i}, 1) == {i})
    return sum(shares) / len(shares), sum(hits) / len(hits)
