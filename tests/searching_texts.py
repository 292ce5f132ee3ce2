"""Texts that search is tested on, and what plain numpy finds among them."""

import random

import numpy as np

NOUNS = ("river", "stone", "light", "garden", "winter", "paper", "silver", "morning", "engine", "letter", "island")


def story(seed, sentences):
    draw = random.Random(seed)
    return " ".join(" ".join(draw.choices(NOUNS, k=draw.randint(3, 9))).capitalize() + "." for _ in range(sentences))


def nearest_passages(vectors, rows, query, k):
    """The k nearest passages, without those that nearly equal an earlier one of their document."""
    scores = vectors.astype(np.float64) @ query
    chosen = []
    for at in np.argsort(-scores):
        same = [other for other in chosen if rows[other]["document"] == rows[at]["document"]]
        if all(vectors[at] @ vectors[other] < 0.99 for other in same):
            chosen.append(at)
    columns = ("document", "start", "end", "passage")
    return [tuple(rows[at][name] for name in columns) for at in chosen[:k]], scores
