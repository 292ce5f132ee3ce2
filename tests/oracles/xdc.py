"""Cross-modal deep clustering, said slowly: one clip, one cluster at a time; vectors are lists of numbers."""

from math import exp, log


def balanced(labels, clusters):
    """N / (clusters that are not empty x size) of each cluster."""
    sizes = [sum(1 for label in labels if label == cluster) for cluster in range(clusters)]
    there = sum(1 for size in sizes if size)
    known = sum(sizes)
    return [known / (there * size) if size else 0.0 for size in sizes]


def weighted_cross_entropy(logits, labels, weights):
    """The mean over the clips of -w_y log softmax(logits)_y; a clip in no cluster counts 0."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        if label < 0:
            continue
        total += -weights[label] * log(exp(row[label]) / sum(exp(value) for value in row))
    return total / len(logits)


def xdc_loss(form, features, heads, labels, weights):
    """The mean over both networks and all that each learns; in xdc that of their own clusters on top.

    ``features`` a clip's vectors by view; ``heads`` by view and cluster space, [K][d] and [K]; labels of the clips and
    weights of the clusters by space.
    """
    a, b = features
    learnt = {
        "sdc": [(a, a), (b, b)],
        "xdc": [(a, b), (b, a)],
        "mdc": [(a, a), (a, b), (b, b), (b, a)],
        "cdc": [(a, "both"), (b, "both")],
    }[form]
    total = _mean_of(learnt, features, heads, labels, weights)
    return total + (_mean_of([(a, a), (b, b)], features, heads, labels, weights) if form == "xdc" else 0.0)


def _mean_of(learnt, features, heads, labels, weights):
    losses = []
    for view, space in learnt:
        matrix, bias = heads[view, space]
        logits = [
            [sum(w * x for w, x in zip(row, clip, strict=True)) + c for row, c in zip(matrix, bias, strict=True)]
            for clip in features[view]
        ]
        losses.append(weighted_cross_entropy(logits, labels[space], weights[space]))
    return sum(losses) / len(losses)


def mutual_information(a, b):
    """2 I(a; b) / (H(a) + H(b)) by counting."""
    n = len(a)
    share = lambda groups, group: sum(1 for g in groups if g == group) / n  # noqa: E731
    entropy = lambda groups: -sum(share(groups, g) * log(share(groups, g)) for g in set(groups))  # noqa: E731
    shared = 0.0
    for i in set(a):
        for j in set(b):
            both = sum(1 for x, y in zip(a, b, strict=True) if (x, y) == (i, j)) / n
            if both:
                shared += both * log(both / (share(a, i) * share(b, j)))
    return 2 * shared / (entropy(a) + entropy(b))
