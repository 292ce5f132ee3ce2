"""Thirty people by their gait, as tracklets of features: the walking of the set HAPT of UCI.

    python benchmarks/data/hapt_people.py OUT --data DATA

DATA is the folder that holds ``tot/hapt`` (or the environment variable KINEMA_DATA names it); OUT gets
``tracklets.csv`` and an array [T, 21] a tracklet. Each person was recorded twice (one three times), with a phone
at the waist: the first, second and third recording stand for cameras. A tracklet is one stretch of walking, or of going
upstairs or downstairs; a frame is a window of 1 s, every .2 s (``hapt.py`` says which features), each brought to mean 0
and variance 1 over all tracklets.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
from hapt import UNITS, window_features

WALKING = {1: "walking", 2: "upstairs", 3: "downstairs"}


def write(folder: Path, out: Path) -> int:
    """Writes the tracklets; gives how many.

    Args:
        folder: holds ``acc_int16_720.npz`` and ``labels.txt``.
        out: the folder to write.
    """
    rows = np.loadtxt(folder / "labels.txt", dtype=np.int64)
    found = []
    recorded: Counter[str] = Counter()
    with np.load(folder / "acc_int16_720.npz") as recordings:
        for key in sorted(recordings.files):
            recording, person = int(key[3:5]), key[10:]
            recorded[person] += 1
            camera = f"recording{recorded[person]}"
            acceleration = recordings[key] / UNITS
            for number, (_, _, activity, start, end) in enumerate(rows[rows[:, 0] == recording]):
                if activity in WALKING:
                    features = window_features(acceleration[start - 1 : end])
                    found.append((person, camera, f"{number:02}-{WALKING[activity]}", features))
    every = np.concatenate([features for *_, features in found])
    mean, deviation = every.mean(0), every.std(0)
    out.mkdir(parents=True)
    with (out / "tracklets.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "identity", "camera", "tracklet"])
        for person, camera, tracklet, features in found:
            path = f"{person}-{camera}-{tracklet}.npy"
            np.save(out / path, ((features - mean) / deviation).astype(np.float32))
            table.writerow([path, person, camera, tracklet])
    return len(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    arguments = parser.parse_args()
    print(f"{write(arguments.data / 'tot' / 'hapt', arguments.out)} tracklets")
