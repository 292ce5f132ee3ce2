"""Slow, obvious re-statement of how two fingerprints are compared: every offset, one number at a time."""

import itertools
import math


def correlation(a, b):
    norm = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norm if norm else 0.0


def mean_picture(pictures):
    return [sum(field) / len(pictures) for field in zip(*pictures, strict=True)]


def changes(pictures):
    mean = mean_picture(pictures)
    return [value - m for picture in pictures for value, m in zip(picture, mean, strict=True)]


def agreement(a, b, moves):
    """The score of two stretches of pictures laid over one another."""
    starts = [*range(0, max(len(a) - 10, 0), 5), max(len(a) - 10, 0)]
    agreed = counted = 0.0
    for start in starts:
        first, second = changes(a[start : start + 10]), changes(b[start : start + 10])
        strength = math.sqrt(sum(x * x for x in first)) * math.sqrt(sum(x * x for x in second)) / len(first)
        weight = strength / (strength + moves**2)
        agreed += weight * correlation(first, second)
        counted += weight
    return min(agreed / counted if counted else 0.0, correlation(mean_picture(a), mean_picture(b)))


def best(a, b, moves):
    """(score, offset) of the best of all offsets in half pictures; each picture a list of its fields."""
    a, b = ([[v - sum(p) / len(p) for v in p] for p in video] for video in (a, b))
    found = (-1.0, 0.0)
    for half in range(-2 * len(b), 2 * len(a) + 1):
        shift = half // 2
        pairs = [(a[s + shift], b[s]) for s in range(len(b)) if 0 <= s + shift < len(a)]
        if half % 2:
            pairs = [
                (
                    [0.25 * x + 0.75 * y for x, y in zip(p, q, strict=True)],
                    [0.75 * x + 0.25 * y for x, y in zip(r, s, strict=True)],
                )
                for (p, r), (q, s) in itertools.pairwise(pairs)
            ]
        shared = len(pairs) + (half % 2) / 2
        if shared >= 4.5 and 2 * shared >= min(len(a), len(b)):
            score = agreement([p for p, _ in pairs], [q for _, q in pairs], moves)
            found = max(found, (score, half / 2))
    return found
