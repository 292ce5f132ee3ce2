"""Folders of features as the field lays them out: ordered steps that differ in their features, labelled."""

from pathlib import Path

import numpy as np

STEPS, WIDTH = 3, 6
ACTIVITIES = tuple(f"P{video:02}_{activity}" for activity in ("coffee", "tea") for video in range(3))


def steps_of(length, steps=STEPS, seed=0):
    """The step of each frame: one after the other, of unequal lengths."""
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(1, length), steps - 1, replace=False))
    return np.searchsorted(cuts, np.arange(length), side="right")


def features_of(labels, width=WIDTH, seed=0):
    """Features of frames: a centre a step, equal for all videos, and noise."""
    centres = 2 * np.random.default_rng(99).normal(size=(10, width))
    noise = np.random.default_rng(seed).normal(size=(len(labels), width))
    return (centres[labels] + 0.3 * noise).astype(np.float32)


def write_sequences(root, names=ACTIVITIES, *, length=40, steps=STEPS, width=WIDTH):
    """A folder with features, labels and a mapping; gives the steps of each video by name."""
    found = {}
    for seed, name in enumerate(names):
        found[name] = steps_of(length, steps, seed)
        put(root, name, features_of(found[name], width, seed), found[name])
    (Path(root) / "mapping.txt").write_text("".join(f"{step} step{step}\n" for step in range(steps)), "utf-8")
    return found


def put(root, name, features, labels=None):
    """One video, and its labels where there are any."""
    for folder in ("features", "groundTruth"):
        (Path(root) / folder / name).parent.mkdir(parents=True, exist_ok=True)
    np.save(Path(root) / "features" / f"{name}.npy", features)
    if labels is not None:
        lines = "".join(f"step{step}\n" for step in labels)
        (Path(root) / "groundTruth" / f"{name}.txt").write_text(lines, "utf-8")
