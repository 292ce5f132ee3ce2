"""What pictures and sentences of Mocap-words say of their labels, and of one another: ridge, without a network.

    python benchmarks/data/mocap_words.py OUT

Draws sets into OUT, one a seed, where they are not there yet. Learnt on the training half, on people who are not in the
other: labels, one out of each kind, from

    colours   the square roots of the shares of 216 colours
    cells     the mean colour of 16 x 16 cells
    words     which words of the training sentences occur

and retrieval: what the ridge says of each label, from colours and cells together or from words, by cosine; the test
half asks, the training half is ranked, and what shares a label is right. mAP is over all that is ranked. Chance is the
share of right answers. Writes benchmarks/results/data-mocap-words.json.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import record

from kinema.data.mocap.words import MocapWordsConfig, write_mocap_words

KINDS = ("motion", "colour", "place")
PENALTIES = {"colours": 1.0, "cells": 10.0, "words": 1.0}
Array: TypeAlias = NDArray[np.float64]


def ridge(features: Array, truth: Array, train: NDArray[np.bool_], penalty: float) -> Array:
    """What a ridge learnt on the training half says of each column of the truth: float64 [N, C]."""
    middle, usual = features[train].mean(axis=0), truth[train].mean(axis=0)
    centred = features - middle
    gram = centred[train] @ centred[train].T + penalty * np.eye(int(train.sum()))
    found: Array = centred @ (centred[train].T @ np.linalg.solve(gram, truth[train] - usual)) + usual
    return found


def one_hot(values: list[str]) -> Array:
    """float64 [N, values that there are]."""
    return np.array([[value == each for each in sorted(set(values))] for value in values], dtype=np.float64)


def mean_average_precision(queries: Array, ranked: Array, right: NDArray[np.bool_]) -> float:
    """By cosine; ``right`` is bool [queries, ranked]."""
    queries, ranked = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (queries, ranked))
    order = np.argsort(-(queries @ ranked.T), axis=1, kind="stable")
    hits = np.take_along_axis(right, order, axis=1)
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(axis=1) / hits.sum(axis=1)).mean())


def measured(folder: Path) -> dict[str, float]:
    """Everything of one set."""
    with (folder / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    train = np.array([row["split"] == "train" for row in rows])
    pictures = np.stack([np.asarray(Image.open(folder / row["image"]), dtype=np.float64) for row in rows]) / 256
    bins = ((pictures * 6).astype(int) @ [36, 6, 1]).reshape(len(rows), -1)
    cell = pictures.shape[1] // 16
    words = [set(re.findall(r"\w+", row["text"].lower())) for row in rows]
    known = sorted({word for each, learnt in zip(words, train, strict=True) if learnt for word in each})
    features = {
        "colours": np.sqrt([np.bincount(each, minlength=216) / len(each) for each in bins]),
        "cells": pictures.reshape(len(rows), 16, cell, 16, cell, 3).mean(axis=(2, 4)).reshape(len(rows), -1),
        "words": np.array([[word in each for word in known] for each in words], dtype=np.float64),
    }
    found = {}
    for kind in KINDS:
        truth = one_hot([row[kind] for row in rows])
        found[f"{kind}, chance"] = float(truth[~train].mean(axis=0) @ truth[train].mean(axis=0))
        for name, each in features.items():
            said = ridge(each, truth, train, PENALTIES[name])[~train].argmax(axis=1)
            found[f"{kind} from {name}"] = float((said == truth[~train].argmax(axis=1)).mean())
    labels = np.concatenate([one_hot([row[kind] for row in rows]) for kind in ("motion", "colour")], axis=1)
    right = (labels[~train] @ labels[train].T) > 0
    views = {
        "image": ridge(np.concatenate([features["colours"], features["cells"]], axis=1), labels, train, 5.0),
        "text": ridge(features["words"], labels, train, PENALTIES["words"]),
    }
    found["mAP, chance"] = float(right.mean())
    for asked, one in views.items():
        for ranked, other in views.items():
            found[f"mAP {asked} to {ranked}"] = mean_average_precision(one[~train], other[train], right)
    return found


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    drawn, each = [], []
    for seed in range(asked.seeds):
        drawn.append(write_mocap_words(asked.out / f"seed{seed}", MocapWordsConfig(seed=seed)).seconds)
        each.append(measured(asked.out / f"seed{seed}"))
    figures = {
        name: {
            "mean": float(np.mean([found[name] for found in each])),
            "deviation": float(np.std([found[name] for found in each], ddof=1)) if len(each) > 1 else 0.0,
        }
        for name in each[0]
    }
    for name, figure in figures.items():
        Console().print(f"{name}: {100 * figure['mean']:.1f} ± {100 * figure['deviation']:.1f}")
    command = f"python benchmarks/data/mocap_words.py OUT --seeds {asked.seeds}"
    record.write("data-mocap-words", command, seconds_to_draw=drawn, figures=figures)


if __name__ == "__main__":
    main()
