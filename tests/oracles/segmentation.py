"""Slow, obvious re-statements of segmentation's figures: lists, loops, every permutation."""

from itertools import groupby, permutations
from math import comb


def best_right(predicted, truth):
    """How many frames are right under the best of all one-to-one matches of clusters with classes."""
    clusters, classes = sorted(set(predicted)), sorted(set(truth))
    classes += [None] * max(0, len(clusters) - len(classes))
    right = []
    for order in permutations(classes, len(clusters)):
        match = dict(zip(clusters, order, strict=True))
        right.append(sum(match[p] == t for p, t in zip(predicted, truth, strict=True)))
    return max(right)


def segments(labels):
    """[(label, first, end)]."""
    found, start = [], 0
    for label, run in groupby(labels):
        length = len(list(run))
        found.append((label, start, start + length))
        start += length
    return found


def edit(predicted, truth, background=()):
    """Levenshtein by recursion over the last segment."""
    a, b = ([s[0] for s in segments(each) if s[0] not in background] for each in (predicted, truth))

    def distance(i, j):
        if not i or not j:
            return i + j
        change = distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(change, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return 1 - distance(len(a), len(b)) / max(len(a), len(b))


def overlap_f1(predicted, truth, overlap, background=()):
    """Predicted segments one after the other, each taking the true one it shares most with."""
    a, b = ([s for s in segments(each) if s[0] not in background] for each in (predicted, truth))
    taken, right, wrong = set(), 0, 0
    for label, first, end in a:
        best, place = 0.0, None
        for number, (other, start, stop) in enumerate(b):
            frames, others = set(range(first, end)), set(range(start, stop))
            ratio = len(frames & others) / len(frames | others) if label == other else 0.0
            if ratio > best:
                best, place = ratio, number
        if best >= overlap and place not in taken:
            taken.add(place)
            right += 1
        else:
            wrong += 1
    missed = len(b) - len(taken)
    return 2 * right / (2 * right + wrong + missed)


def expected_drawn_f1(predicted, truth, preset, videos, clusters):
    """What F1 by drawn frames is on average, from the chance that a drawn frame is right."""
    parts, counted = segments(truth), 0.0
    if preset == "cte":
        parts = parts[:-1]
    for label, first, end in parts:
        last = end - 1 if preset == "cte" else min(end, len(truth) - 1)
        frames = range(first, last + 1)
        chance = sum(predicted[t] == label for t in frames) / len(frames)
        if preset == "cte":
            counted += chance
        else:
            counted += sum(comb(15, n) * chance**n * (1 - chance) ** (15 - n) for n in range(8, 16))
    precision = counted / ((clusters if preset == "cte" else len(set(truth))) * videos)
    recall = counted / len(parts) if parts else 0.0
    return 2 * precision * recall / (precision + recall) if counted else 0.0
