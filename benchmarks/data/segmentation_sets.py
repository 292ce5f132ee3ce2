"""Writes sets of features with a label a frame in the layout of the field, which ``kinema pretrain tot`` reads.

    python benchmarks/data/segmentation_sets.py SET OUT --data DATA

SET is hapt-ordered, hapt-repeats, 50salads-mid, 50salads-eval, coffee5 or mocap6. DATA is the folder that holds ``tot``
and ``mocap6``; without the option, the environment variable KINEMA_DATA names it. OUT gets

    features/NAME.npy       float32 [T, F]
    groundTruth/NAME.txt    the name of a class a line, T lines
    mapping.txt             number and name of a class a line, from 0

Each set is one activity; names have '-' for '_', since the last group after a '_' would be the activity.

    50salads-mid, 50salads-eval   a frame a second of 50 videos; the features are scores of 18 or 10 classes from an SVM
                                  that was trained with labels, on other videos (Lea et al. 2017); class 0 is background
    coffee5                       5 videos of making coffee (Breakfast); reduced Fisher vectors as released, rows of
                                  zeros at the ends; ``standardised`` does what TOT does with them
    mocap6                        6 recordings of 12 exercises; 12 angles at 10 frames a second (Fox et al. 2014)
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat


@dataclass(frozen=True)
class LabelledSequences:
    """Videos of one activity.

    Args:
        names: one a video, without '_'.
        features: float32 [T_i, F] a video.
        labels: int64 [T_i] a video, numbers of classes.
        classes: their names.
    """

    names: tuple[str, ...]
    features: tuple[NDArray[np.float32], ...]
    labels: tuple[NDArray[np.int64], ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        assert len(self.names) == len(set(self.names)) == len(self.features) == len(self.labels)
        assert all(len(f) == len(y) for f, y in zip(self.features, self.labels, strict=True))
        assert not any("_" in name for name in self.names)

    @property
    def lengths(self) -> list[int]:
        return [len(each) for each in self.labels]


def write(sequences: LabelledSequences, out: Path) -> None:
    """Writes the layout; OUT must not hold features yet."""
    for folder in ("features", "groundTruth"):
        (out / folder).mkdir(parents=True)
    for name, features, labels in zip(sequences.names, sequences.features, sequences.labels, strict=True):
        np.save(out / "features" / f"{name}.npy", features)
        lines = "".join(f"{sequences.classes[label]}\n" for label in labels)
        (out / "groundTruth" / f"{name}.txt").write_text(lines, encoding="utf-8")
    mapping = "".join(f"{number} {name}\n" for number, name in enumerate(sequences.classes))
    (out / "mapping.txt").write_text(mapping, encoding="utf-8")


def read_salads(folder: Path, level: str) -> LabelledSequences:
    """The SVM's scores of 50 Salads, from ``tcn_50salads``; level 'mid' or 'eval'."""
    actions = (folder / "labels" / ("mid_level_actions.txt" if level == "mid" else "eval_actions.txt")).read_text()
    found = {}
    for split in range(1, 6):
        held = loadmat(folder / f"{level}_video_SVM" / (f"Split_{split}.mat" if level == "mid" else f"{split}.mat"))
        names = (folder / "splits" / "50Salads" / f"Split_{split}" / "test.txt").read_text().split()
        for name, scores, labels in zip(names, held["S"][0], held["Y"][0], strict=True):
            found[name] = (scores.astype(np.float32), labels.ravel().astype(np.int64))
    return _sorted(found, ("background", *sorted(actions.split())))


def read_coffee(folder: Path) -> LabelledSequences:
    """Breakfast's five videos, from ``breakfast_coffee5``."""
    lines = (folder / "mapping" / "mapping.txt").read_text().splitlines()
    order = [line.split()[1] for line in lines if line.strip()]
    found, spoken = {}, {}
    for path in sorted((folder / "features" / "coffee").glob("*.txt.gz")):
        name = path.name.removesuffix(".txt.gz")
        with gzip.open(path, "rt") as file:
            found[name] = np.loadtxt(file, dtype=np.float32, ndmin=2)
        spoken[name] = (folder / "groundTruth" / name).read_text().split()
    present = {label for labels in spoken.values() for label in labels}
    classes = tuple(label for label in order if label in present)
    labelled = {name: np.array([classes.index(label) for label in spoken[name]]) for name in found}
    return _sorted({name: (found[name], labelled[name]) for name in found}, classes)


def read_mocap6(folder: Path) -> LabelledSequences:
    """Six recordings, from ``mocap6``."""
    with (folder / "metadata_per_seq.csv").open(newline="", encoding="utf-8") as file:
        names = [row["file_name"] for row in csv.DictReader(file)]
    with np.load(folder / "dataset.npz") as held:
        ends, signal, labels = held["doc_range"], held["X"].astype(np.float32), held["TrueZ"].astype(np.int64) - 1
        classes = tuple(name.decode() for name in held["true_state_names"])
    parts = zip(names, ends[:-1], ends[1:], strict=True)
    return _sorted({name: (signal[start:end], labels[start:end]) for name, start, end in parts}, classes)


def standardised(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Each feature at mean 0 and variance 1 over one video; rows of zeros are left out of both and stay zero."""
    found, real = np.zeros(features.shape), features.any(1)
    rows = features[real].astype(np.float64)
    deviation = rows.std(0)
    found[real] = (rows - rows.mean(0)) / np.where(deviation > 0, deviation, 1)
    return found.astype(np.float32)


def main(readers: Mapping[str, Callable[[Path], LabelledSequences]]) -> None:
    """Reads the command line and writes the set that it names."""
    module = sys.modules["__main__"]
    parser = argparse.ArgumentParser(
        description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("set", choices=sorted(readers))
    parser.add_argument("out", type=Path)
    given = os.environ.get("KINEMA_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None, help="else KINEMA_DATA")
    arguments = parser.parse_args()
    if (arguments.out / "features").exists():
        sys.exit(f"{arguments.out} holds features already.")
    sequences = readers[arguments.set](arguments.data)
    write(sequences, arguments.out)
    width = sequences.features[0].shape[1]
    print(
        f"{arguments.out}: {len(sequences.names)} videos, {sum(sequences.lengths)} frames of {width} features, "
        f"{len(sequences.classes)} classes"
    )


def _sorted(
    found: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int64]]], classes: tuple[str, ...]
) -> LabelledSequences:
    names = sorted(found)
    return LabelledSequences(
        tuple(name.replace("_", "-") for name in names),
        tuple(found[name][0] for name in names),
        tuple(found[name][1] for name in names),
        classes,
    )


def _readers() -> dict[str, Callable[[Path], LabelledSequences]]:
    from hapt import read_ordered, read_repeats

    return {
        "hapt-ordered": read_ordered,
        "hapt-repeats": read_repeats,
        "50salads-mid": lambda data: read_salads(data / "tot" / "tcn_50salads", "mid"),
        "50salads-eval": lambda data: read_salads(data / "tot" / "tcn_50salads", "eval"),
        "coffee5": lambda data: read_coffee(data / "tot" / "breakfast_coffee5"),
        "mocap6": lambda data: read_mocap6(data / "mocap6"),
    }


if __name__ == "__main__":
    main(_readers())
