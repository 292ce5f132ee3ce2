"""Slow, obvious re-statements of the evaluation: one query, one item at a time."""

import math
import statistics


def first_relevant_rank(scores, relevant, ignored):
    """Rank of the best relevant item of one query, ties against it; None where there is none."""
    items = [(s, good) for s, good, skip in zip(scores, relevant, ignored, strict=True) if not skip]
    items.sort(key=lambda item: (-item[0], item[1]))
    for place, (_, good) in enumerate(items, start=1):
        if good:
            return place
    return None


def recall_at(k, scores, relevant, ignored):
    firsts = [first_relevant_rank(*rows) for rows in zip(scores, relevant, ignored, strict=True)]
    return sum(first is not None and first <= k for first in firsts) / len(firsts)


def best(scores, ignored, top):
    """Indices of the best items of one query, ties by index, -1 where there are no more."""
    places = sorted((i for i in range(len(scores)) if not ignored[i]), key=lambda i: (-scores[i], i))[:top]
    return places + [-1] * (top - len(places))


def direction(vector, mean):
    """A vector less a mean, of length one."""
    moved = [v - m for v, m in zip(vector, mean, strict=True)]
    length = math.sqrt(sum(v * v for v in moved))
    return [v / length for v in moved]


def similarities(queries, gallery, centred):
    """Rows of dot products of unit vectors; each set's own mean is subtracted where ``centred``."""

    def unit(rows):
        zero = [0.0] * len(rows[0])
        mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)] if centred else zero
        return [direction(row, mean) for row in rows]

    return [[sum(a * b for a, b in zip(q, g, strict=True)) for g in unit(gallery)] for q in unit(queries)]


def mining_figures(labels, sources, steps):
    """(precision, R@1, {class: recall}, {class: precision}) of (query, [mined…]) pairs; -1 is nothing."""
    right, counted, hits, tops = {}, {}, 0, 0
    mined_groups = {c: set() for c in labels}
    for query, mined in steps:
        c = labels[query]
        for place, row in enumerate(mined):
            if row < 0:
                continue
            good = labels[row] == c
            counted[c] = counted.get(c, 0) + 1
            right[c] = right.get(c, 0) + good
            if place == 0:
                tops += 1
                hits += good
            if good:
                mined_groups[c].add(sources[row])
    groups = {c: {s for s, label in zip(sources, labels, strict=True) if label == c} for c in set(labels)}
    recall = {c: len(mined_groups[c]) / len(groups[c]) for c in groups}
    precision = {c: right[c] / counted[c] for c in counted}
    return sum(right.values()) / sum(counted.values()), hits / tops, recall, precision


def spread(values):
    """(median, mean, population standard deviation)."""
    return statistics.median(values), statistics.fmean(values), statistics.pstdev(values)
