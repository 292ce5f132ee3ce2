"""What a hashing method has to beat, and what its vectors could reach: floors and ceilings that need no network.

    python benchmarks/hashing_floors.py DATA

DATA is the folder that holds ``dcvh``. mAP over the whole gallery, ties averaged, of

    fashion       2,000 products, labels subCategory and baseColour of 40 products or more, permuted by NumPy's
                  RandomState(0): 500 ask, 1,500 are fitted and ranked. CLIP's vectors and TF-IDF of the titles (words
                  of two titles or more), each to the labels by ridge (alpha 1)
    wikipedia     2,866 articles, 10 classes; semantic matching (Rasiwasia 2010): posteriors of a logistic regression
                  on standardised features (C .1), by centred cosine. 693 ask the 693 of the other view
    mirflickr     tags alone, 24 labels, DCMH's split: 2,000 ask 18,015, 10,000 of which are fitted; ridge (alpha 100)

'shares' leaves the labels' shares in the scores of ridge. Codes of 64 bits are of three seeds, mean and standard
deviation. Of the last set, the presets' figures of the same codes beside one another. Figures go to
results/hashing-floors.json.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import record
from numpy.typing import NDArray
from scipy.io import loadmat
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kinema.evaluation.hashing import HASHING_PRESETS, hashing_figures
from kinema.evaluation.hashing_floors import itq_codes, lsh_codes, random_codes, ridge

LEAST, ASKING, SEEDS, BITS = 40, 500, 3, 64
Sets = tuple[NDArray[Any], NDArray[Any]]
"""What asks and what is ranked."""


def two(arrays: Sequence[NDArray[Any]]) -> Sets:
    """Two arrays as what asks and what is ranked."""
    asks, finds = arrays
    return asks, finds


def mean_ap(sides: Sets, labels: Sets, **options: Any) -> float:
    """The mAP of vectors or codes."""
    return hashing_figures(*sides, *labels, ks=(), ns=(), **options).metrics["map"]


def coded(fitted: NDArray[Any], sides: Sets, labels: Sets) -> dict[str, dict[str, float]]:
    """Of random codes, LSH and, with as many bits as it can have, ITQ: mAP over the seeds."""
    bits = min(BITS, fitted.shape[1] // 8 * 8)
    rules: dict[str, Callable[[int], Sets]] = {
        f"random {BITS}": lambda seed: two(
            [random_codes(len(x), BITS, seed=2 * seed + n) for n, x in enumerate(sides)]
        ),
        f"LSH {BITS}": lambda seed: two(lsh_codes(fitted, sides, BITS, seed=seed)),
    }
    if bits:
        rules[f"ITQ {bits}"] = lambda seed: two(itq_codes(fitted, sides, bits, seed=seed))
    found = {}
    for name, rule in rules.items():
        values = [mean_ap(rule(seed), labels) for seed in range(SEEDS)]
        found[name] = {"mean": float(np.mean(values)), "deviation": float(np.std(values, ddof=1))}
    return found


def two_views(scores: Mapping[str, Sets], labels: Sets, fitted: NDArray[Any], **options: Any) -> dict[str, Any]:
    """Both ways across two views, as they are and as codes."""
    ways = {"i→t": ("image", "text"), "t→i": ("text", "image")}
    found: dict[str, Any] = {}
    for way, (asks, finds) in ways.items():
        sides = (scores[asks][0], scores[finds][1])
        found[way] = {"real": mean_ap(sides, labels, **options), **coded(fitted, sides, labels)}
    sides = (scores["image"][0], scores["text"][1])
    figures = hashing_figures(*sides, *labels, **options)
    return {**found, "chance": figures.chance, "without a match": figures.unmatched}


def fashion(folder: Path) -> dict[str, Any]:
    """CLIP and TF-IDF to the labels by ridge."""
    with (folder / "styles.csv").open(newline="", encoding="utf-8") as file:
        about = {row["id"]: row for row in csv.DictReader(file)}
    products = [about[name] for name in (folder / "image_ids.txt").read_text().split()]
    values = [[(column, row[column]) for column in ("subCategory", "baseColour")] for row in products]
    counts = Counter(each for row in values for each in row)
    kept = [each for each, count in sorted(counts.items()) if count >= LEAST]
    labels = np.array([[each in row for each in kept] for row in values])
    order = np.random.RandomState(0).permutation(len(products))
    asks, others = order[:ASKING], order[ASKING:]
    titles = [row["productDisplayName"] for row in products]
    words = TfidfVectorizer(min_df=2).fit([titles[row] for row in others]).transform(titles).tocsr()
    views = {"image": np.load(folder / "clip_vitb32_embeddings.npy").astype(np.float64), "text": words}
    sides = (labels[asks], labels[others])
    found = {}
    for name, shares in (("scores", False), ("shares", True)):
        scores = {
            view: two(ridge(x[others], labels[others], [x[asks], x[others]], shares=shares))
            for view, x in views.items()
        }
        found[name] = two_views(scores, sides, np.concatenate([each[1] for each in scores.values()]))
    return {**found["scores"], "with the labels' shares": found["shares"], "labels": len(kept)}


def wikipedia(folder: Path) -> dict[str, Any]:
    """Semantic matching: posteriors of the classes from each view."""
    features = loadmat(folder / "raw_features.mat")
    classes = {
        part: np.array([int(line.split()[2]) for line in (folder / f"{part}set_txt_img_cat.list").open()])
        for part in ("train", "test")
    }
    scores, fitted = {}, []
    for view, letter in (("image", "I"), ("text", "T")):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        model.fit(features[f"{letter}_tr"], classes["train"])
        told = [model.predict_proba(features[f"{letter}_{part}"]) - 0.1 for part in ("tr", "te")]
        scores[view] = (told[1], told[1])
        fitted.append(told[0])
    labels = np.eye(11, dtype=bool)[classes["test"]]
    return two_views(scores, (labels, labels), np.concatenate(fitted))


def mirflickr(folder: Path) -> dict[str, Any]:
    """Tags to the labels by ridge; and what each preset says of the same codes."""
    tags = loadmat(folder / "mirflickr25k-yall.mat")["YAll"].astype(np.float64)
    labels = loadmat(folder / "mirflickr25k-lall.mat")["LAll"] > 0
    asks, fitted, others = slice(2000), slice(2000, 12000), slice(2000, None)
    sides = two(ridge(tags[fitted], labels[fitted], [tags[asks], tags[others]], alpha=100.0))
    truth = (labels[asks], labels[others])
    began = time.monotonic()
    figures = hashing_figures(*sides, *truth, ks=(), ns=())
    real_seconds = time.monotonic() - began
    codes = two(lsh_codes(sides[1], sides, BITS))
    began = time.monotonic()
    presets = {}
    for preset in HASHING_PRESETS:
        found = hashing_figures(*codes, *truth, preset=preset, ks=(50, 5000), ns=())
        presets[preset] = dict(found.metrics)
    return {
        "t→t": {"real": figures.metrics["map"], **coded(sides[1], sides, truth)},
        "chance": figures.chance,
        "without a match": figures.unmatched,
        "presets": presets,
        "seconds": {"real": real_seconds, "three presets of codes": time.monotonic() - began},
    }


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """A table in Markdown, three digits."""
    lines = ["| set | way | real | LSH 64 | ITQ | random 64 | chance |", "|---|---|---|---|---|---|---|"]
    for name, figures in found.items():
        for way in (each for each in figures if "→" in each):
            row = figures[way]
            itq = next((f"{row[each]['mean']:.3f} ({each.split()[1]} bits)" for each in row if "ITQ" in each), "")
            cells = [f"{row['real']:.3f}", f"{row['LSH 64']['mean']:.3f}", itq, f"{row['random 64']['mean']:.3f}"]
            lines.append(f"| {name} | {way} | {' | '.join(cells)} | {figures['chance']:.3f} |".replace(" 0.", " ."))
    return "\n".join(lines)


def presets_table(presets: Mapping[str, Mapping[str, float]]) -> str:
    """The rules' figures of the same codes, in Markdown."""
    names = ("map@50", "map@5000", "map")
    lines = [f"| preset | {' | '.join(names)} |", "|---|---|---|---|"]
    for preset, figures in presets.items():
        lines.append(f"| {preset} | {' | '.join(f'{figures[name]:.3f}'.lstrip('0') for name in names)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data: Path = parser.parse_args().data / "dcvh"
    sets = {"fashion": "fashion2000", "wikipedia": "wikipedia", "mirflickr": "mirflickr25k_tags"}
    found = {name: globals()[name](data / folder) for name, folder in sets.items()}
    found["fashion, shares"] = found["fashion"].pop("with the labels' shares")
    print(table(found))
    print("\n" + presets_table(found["mirflickr"]["presets"]))
    record.write("hashing-floors", "python benchmarks/hashing_floors.py DATA", ("scikit-learn", "scipy"), sets=found)


if __name__ == "__main__":
    main()
