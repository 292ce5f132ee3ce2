"""Sequences of postures from a waist accelerometer, as features with a label a frame: the set HAPT of UCI.

    python benchmarks/data/hapt.py ordered OUT --data DATA
    python benchmarks/data/hapt.py repeats OUT --data DATA

DATA is the folder that holds ``tot/hapt`` (or the environment variable KINEMA_DATA names it); OUT gets the field's
layout (``segmentation_sets.py``). 56 of the 61 recordings open with the same twelve segments (stand, stand to sit, sit,
…); these stretches are the set. A frame is a window of 1 s, every .2 s:

    mean (3), log standard deviation (3), log mean amplitude in 5 bands of the spectrum (3 x 5)

each of the 21 brought to mean 0 and variance 1 over all recordings. The label is that of the window's middle; windows
whose middle has none (143 of 43,561) are left out.

    ordered   the label is the step, 1 to 12: the same steps in the same order in every recording
    repeats   the label is the activity: 9, three of which come two or three times
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from segmentation_sets import LabelledSequences, main

RATE = 50
WINDOW, HOP = RATE, RATE // 5
BANDS = 5
FLOOR = 1e-3
"""Added before a logarithm; in g."""

UNITS = 720
"""The stored whole numbers a g."""

ORDER = (5, 7, 4, 8, 5, 11, 6, 10, 4, 9, 6, 12)
"""The activities of the twelve segments that 56 recordings open with."""


def read_hapt(folder: Path, task: str) -> LabelledSequences:
    """The 56 stretches of one order, in the order of their names.

    Args:
        folder: holds ``acc_int16_720.npz``, ``labels.txt`` and ``activity_labels.txt``.
        task: 'ordered' for 12 steps, 'repeats' for 9 activities.
    """
    spoken = dict(line.split() for line in (folder / "activity_labels.txt").read_text().splitlines() if line.strip())
    rows = np.loadtxt(folder / "labels.txt", dtype=np.int64)
    names, features, labels = [], [], []
    with np.load(folder / "acc_int16_720.npz") as recordings:
        for key in sorted(recordings.files):
            opening = rows[rows[:, 0] == int(key[3:5])][: len(ORDER)]
            if tuple(opening[:, 2]) != ORDER:
                continue
            start, end = int(opening[0, 3]) - 1, int(opening[-1, 4])
            found = window_features(recordings[key][start:end] / UNITS)
            middle = start + WINDOW // 2 + HOP * np.arange(len(found))
            segment = np.searchsorted(opening[:, 3] - 1, middle, side="right") - 1
            labelled = middle < opening[segment, 4]
            names.append(key.replace("_", "-"))
            features.append(found[labelled])
            labels.append(segment[labelled])
    every = np.concatenate(features)
    mean, deviation = every.mean(0), every.std(0)
    features = [((each - mean) / deviation).astype(np.float32) for each in features]
    activities = [spoken[str(number)] for number in ORDER]
    if task == "ordered":
        classes = tuple(f"{number:02}-{activity}" for number, activity in enumerate(activities, start=1))
    else:
        classes = tuple(sorted(set(activities)))
        number_of = np.array([classes.index(activity) for activity in activities])
        labels = [number_of[each] for each in labels]
    return LabelledSequences(tuple(names), tuple(features), tuple(labels), classes)


def window_features(acceleration: NDArray[np.floating]) -> NDArray[np.float64]:
    """Float64 [T, 21] of an acceleration [samples, 3] in g, before any scaling."""
    windows = np.lib.stride_tricks.sliding_window_view(acceleration, WINDOW, axis=0)[::HOP]
    spectrum = np.abs(np.fft.rfft(windows, axis=-1))[..., 1:]
    bands = np.stack([band.mean(-1) for band in np.array_split(spectrum, BANDS, axis=-1)], axis=-1)
    spread, amplitude = np.log(windows.std(-1) + FLOOR), np.log(bands + FLOOR)
    return np.concatenate([windows.mean(-1), spread, amplitude.reshape(len(windows), -1)], axis=1)


def read_ordered(data: Path) -> LabelledSequences:
    return read_hapt(data / "tot" / "hapt", "ordered")


def read_repeats(data: Path) -> LabelledSequences:
    return read_hapt(data / "tot" / "hapt", "repeats")


if __name__ == "__main__":
    main({"ordered": read_ordered, "repeats": read_repeats})
