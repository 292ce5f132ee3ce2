"""DeCLUTR's objective as the paper's section 3.1 says it: one embedding against one other at a time."""

from math import exp, log, sqrt


def mean(vectors):
    return [sum(column) / len(vectors) for column in zip(*vectors, strict=True)]


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / sqrt(sum(x * x for x in a)) / sqrt(sum(x * x for x in b))


def contrastive(anchors, positives, temperature):
    """L_contrastive.

    ``anchors`` are M embeddings as the encoder gives them, ``positives`` P embeddings of each. The embeddings e_1 ...
    e_2M are the anchors and then the means of their positives; e_i and e_{i+M} belong together, and all others,
    the other anchors of the same document among them, are negatives.
    """
    m = len(anchors)
    e = [*anchors, *(mean(several) for several in positives)]
    total = 0.0
    for i in range(m):
        for one, other in ((i, i + m), (i + m, i)):
            below = 0.0
            for k in range(2 * m):
                if k != one:
                    below += exp(cosine(e[one], e[k]) / temperature)
            total += -log(exp(cosine(e[one], e[other]) / temperature) / below)
    return total / (2 * m)


def masked_lm(logits, asked):
    """The mean of -log p(true token) over ``asked``: (row, place, true id) of ``logits``, [row][place][id]."""
    total = 0.0
    for row, place, true in asked:
        scores = logits[row][place]
        total += -log(exp(scores[true]) / sum(exp(score) for score in scores))
    return total / len(asked)
