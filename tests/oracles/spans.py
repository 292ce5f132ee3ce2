"""Spans as the paper's text says them, one rejected try after another: slow and obvious.

Everything is enumerated: lengths are made from uniform draws (the k-th smallest of n uniform numbers is
Beta(k, n - k + 1)), and a start is drawn from the list of all that are allowed.
"""


def beta(a, b, generator):
    """A draw of Beta(a, b), whole a and b: the a-th smallest of a + b - 1 uniform numbers."""
    return sorted(generator.random(a + b - 1))[a - 1]


def draw(tokens, anchors, positives, shortest, longest, sampling, generator):
    """([(begin, end)] of the anchors, [[(begin, end)] of each one's positives]); ``tokens`` >= 2 anchors longest."""
    free = [slot for slot in range(0, tokens, longest) if slot + longest <= tokens]
    spans, beside = [], []
    for done in range(anchors):
        left = anchors - done
        few = len(free) // left < left
        slot = free[generator.choice([0, len(free) - 1])] if few else generator.choice(free)
        length = int(beta(4, 2, generator) * (longest - shortest) + shortest)
        begin = generator.choice([at for at in range(slot, slot + longest) if at + length <= slot + longest])
        number = free.index(slot)
        free = [other for place, other in enumerate(free) if abs(place - number) > 1]
        anchor = (begin, begin + length)
        spans.append(anchor)
        beside.append([positive(anchor, tokens, shortest, longest, sampling, generator) for _ in range(positives)])
    return spans, beside


def positive(anchor, tokens, shortest, longest, sampling, generator):
    """One positive of an anchor: of all spans of its length, one that the sampling allows."""
    if sampling == "subsuming":
        longest = anchor[1] - anchor[0]
    length = int(beta(2, 4, generator) * (longest - shortest) + shortest)
    everywhere = [(at, at + length) for at in range(tokens - length + 1)]
    allowed = {
        "any": lambda span: span[1] >= anchor[0] and span[0] <= anchor[1],
        "subsuming": lambda span: anchor[0] <= span[0] and span[1] <= anchor[1],
        "adjacent": lambda span: span[1] == anchor[0] or span[0] == anchor[1],
    }[sampling]
    choice = [span for span in everywhere if allowed(span)]
    return choice[generator.integers(len(choice))]
