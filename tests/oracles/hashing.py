"""Slow, obvious re-statements of the figures of codes: every order of equal distances is written out, and averaged."""

from itertools import permutations, product

import numpy as np


def orders(distances):
    """Every order of a gallery that sorts the distances."""
    levels = [[row for row, d in enumerate(distances) if d == level] for level in sorted(set(distances))]
    for parts in product(*(permutations(level) for level in levels)):
        yield [row for part in parts for row in part]


def one_ap(hits, k=None):
    """AP of one ranking: the precision at each hit among the first k, over the hits that can stand there."""
    k = len(hits) if k is None else k
    found, total = 0, 0.0
    for place, hit in enumerate(hits[:k], start=1):
        if hit:
            found += 1
            total += found / place
    return total / min(k, sum(hits))


def one_precision(hits, n):
    return sum(hits[:n]) / min(n, len(hits))


def averaged(distances, relevant, figure):
    """The mean of a figure over all orders of ties, for one query."""
    return float(np.mean([figure([bool(relevant[row]) for row in order]) for order in orders(distances)]))


def calc_map_k(hits, k=None):
    """What the DCMH-style function gives of one ranking: the first k hits, wherever they are."""
    places = [place for place, hit in enumerate(hits, start=1) if hit]
    if not places:
        return 0.0
    places = places[: len(hits) if k is None else k]
    return sum(number / place for number, place in enumerate(places, start=1)) / len(places)


def calc_top_map(hits, topk=-1):
    """What the DeepHash-style function gives of one ranking: over the hits found; -1 drops the last place."""
    places = [place for place, hit in enumerate(hits[:topk], start=1) if hit]
    return sum(number / place for number, place in enumerate(places, start=1)) / len(places) if places else 0.0


def f1(p, r):
    return 2 * p * r / (p + r) if p + r else 0.0


def tags(scores, labels, top):
    """Tagging, row by row and class by class; scores of a row are all different."""
    rows = [n for n in range(len(scores)) if any(labels[n])]
    given = {n: sorted(range(len(scores[n])), key=lambda c: -scores[n][c])[:top] for n in rows}
    right, told, there, precisions, recalls, daring = 0, 0, 0, [], [], []
    for c in range(len(scores[0])):
        predicted = [n for n in rows if c in given[n]]
        present = [n for n in rows if labels[n][c]]
        both = [n for n in predicted if labels[n][c]]
        right, told, there = right + len(both), told + len(predicted), there + len(present)
        if predicted:
            daring.append(len(both) / len(predicted))
        if present:
            precisions.append(len(both) / len(predicted) if predicted else 0.0)
            recalls.append(len(both) / len(present))
    p, r = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    best = sum(min(top, sum(labels[n])) for n in rows)
    return {
        "precision": right / told,
        "recall": right / there,
        "f1": f1(right / told, right / there),
        "class_precision": p,
        "class_recall": r,
        "class_f1": f1(p, r),
        "given_precision": sum(daring) / len(daring),
        "mean_f1": sum(map(f1, precisions, recalls)) / len(recalls),
        "best_f1": f1(best / told, best / there),
    }
