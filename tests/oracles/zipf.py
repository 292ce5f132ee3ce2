"""The divergence from Zipf's law, said slowly."""

from math import exp, log


def fitness(points, centres, s, temperature):
    k = len(centres)
    p = [0.0] * k
    for x in points:
        far = [sum((a - b) ** 2 for a, b in zip(x, c, strict=True)) for c in centres]
        below = sum(exp(-d / temperature) for d in far)
        for i in range(k):
            p[i] += exp(-far[i] / temperature) / below / len(points)
    return divergence(p, s)


def divergence(p, s):
    ordered = sorted(p, reverse=True)
    harmonic = sum(1 / i**s for i in range(1, len(p) + 1))
    return sum(x * log(x / (1 / i**s / harmonic)) for i, x in enumerate(ordered, 1) if x > 0)
