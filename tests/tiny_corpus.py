"""Documents that are quick to learn from: random sentences of few words."""

import random

WORDS = (
    *("river", "stone", "light", "garden", "winter", "paper", "silver", "morning"),
    *("engine", "letter", "window", "music", "yellow", "forest", "island"),
)


def story(seed, sentences):
    """So many random sentences."""
    draw = random.Random(seed)
    made = [" ".join(draw.choices(WORDS, k=draw.randint(3, 9))).capitalize() + "." for _ in range(sentences)]
    return " ".join(made)


def write_corpus(root, documents=10):
    """Documents in two classes, a folder each, of 4 sentences and of 4 more each."""
    for number in range(documents):
        path = root / ("even", "odd")[number % 2] / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(story(number, 4 + 4 * number))
    return root
