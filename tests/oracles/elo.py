"""The parts of ELo's loss, said slowly: one clip, one pair, one cell at a time."""

from math import exp, log, sqrt

PIECES = 4


def max_margin(a, b, source, margin):
    """Every pair of clips of two recordings, both ways."""

    def far(x, y):
        return sum((i - j) ** 2 for i, j in zip(x, y, strict=True))

    losses = []
    for near, other in ((a, b), (b, a)):
        for i in range(len(a)):
            strangers = [j for j in range(len(a)) if source[i] != source[j]]
            losses += [max(0.0, far(near[i], other[i]) - far(near[i], other[j]) + margin) for j in strangers]
    return sum(losses) / len(losses) if losses else 0.0


def told_apart(yes, no):
    losses = [log(1 + exp(-x)) for x in yes] + [log(1 + exp(x)) for x in no]
    return sum(losses) / len(losses)


def distance(teacher, student):
    each = [
        sqrt(sum((x - y) ** 2 for x, y in zip(t, s, strict=True)) / len(t))
        for t, s in zip(teacher, student, strict=True)
    ]
    return sum(each) / len(each)


def coarse(x, moments, grid):
    """The mean of every cell of a clip, [C][T][S][S] nested lists; sizes that divide."""
    frames, size = len(x[0]) // moments, len(x[0][0]) // grid
    cells = []
    for channel in x:
        for t in range(moments):
            for r in range(grid):
                for c in range(grid):
                    inside = [
                        channel[t * frames + i][r * size + j][c * size + k]
                        for i in range(frames)
                        for j in range(size)
                        for k in range(size)
                    ]
                    cells.append(sum(inside) / len(inside))
    return cells


def reordered(frames, draw):
    """The frames of one clip, a list, in the order that the draw gives to its pieces."""
    pieces = min(PIECES, len(frames))
    cut = [[f for number, f in enumerate(frames) if number * pieces // len(frames) == p] for p in range(pieces)]
    order = sorted(range(pieces), key=lambda p: draw[p])
    if order in (list(range(pieces)), list(range(pieces))[::-1]):
        order = [1, 0, *range(2, pieces)]
    return [frame for p in order for frame in cut[p]]
