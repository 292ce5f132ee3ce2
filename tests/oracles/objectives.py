"""The objectives, said slowly: one term of one sum at a time."""

from math import exp, log


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def info_nce(q, k, negatives, temperature, valid=None):
    total = 0.0
    for i in range(len(q)):
        positive = exp(dot(q[i], k[i]) / temperature)
        others = 0.0
        for j in range(len(negatives)):
            if valid is None or valid[j]:
                others += exp(dot(q[i], negatives[j]) / temperature)
        total += -log(positive / (positive + others))
    return total / len(q)


def multi_positive_nce(logits, positives, candidates=None):
    losses = []
    for i in range(len(logits)):
        above, below = 0.0, 0.0
        for j, logit in enumerate(logits[i]):
            if positives[i][j]:
                above += exp(logit)
            if candidates is None or candidates[i][j] or positives[i][j]:
                below += exp(logit)
        if any(positives[i]):
            losses.append(-log(above / below))
    return sum(losses) / len(losses) if losses else 0.0


def nt_xent(z1, z2, temperature):
    z = [*z1, *z2]
    n = len(z1)
    total = 0.0
    for i in range(2 * n):
        partner = i + n if i < n else i - n
        below = 0.0
        for j in range(2 * n):
            if j != i:
                below += exp(dot(z[i], z[j]) / temperature)
        total += -log(exp(dot(z[i], z[partner]) / temperature) / below)
    return total / (2 * n)


def in_batch_nce(q, k, temperature):
    total = 0.0
    for i in range(len(q)):
        below = 0.0
        for j in range(len(k)):
            below += exp(dot(q[i], k[j]) / temperature)
        total += -log(exp(dot(q[i], k[i]) / temperature) / below)
    return total / len(q)
