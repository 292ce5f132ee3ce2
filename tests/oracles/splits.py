"""Slow, obvious re-statements of what a part of the labelled videos must be."""


def sides(labels, sources, held):
    """By class, (videos kept, videos held out); and the recordings that lie on both sides."""
    counts = {c: [0, 0] for c in labels}
    places = {s: set() for s in sources}
    for label, source, out in zip(labels, sources, held, strict=True):
        counts[label][out] += 1
        places[source].add(out)
    return {c: tuple(n) for c, n in counts.items()}, {s for s, where in places.items() if len(where) > 1}


def groups_of(labels, sources):
    """By class, its recordings and how many of its videos each holds."""
    found = {}
    for label, source in zip(labels, sources, strict=True):
        found.setdefault(label, {}).setdefault(source, 0)
        found[label][source] += 1
    return found
