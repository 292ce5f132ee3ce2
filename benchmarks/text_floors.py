"""What a sentence encoder has to beat: TF-IDF on the STS tasks and a bag of words on the transfer tasks.

    python benchmarks/text_floors.py DATA

DATA is the folder that holds ``declutr`` (``sts``, ``sick``, ``transfer``) and ``text/stsbenchmark``. TF-IDF is
scikit-learn's with its usual settings, fitted on the sentences of the subset that it is asked about, compared by
cosine. The bag of words is scikit-learn's counts, classified in two ways: as every encoder is (preset ``senteval``, C
chosen), and with C = .3 throughout and folds in the order of the file. Figures go to results/text-floors.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import record
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from kinema.data.sentences import SentencePairs, TransferTask, read_pairs, read_transfer
from kinema.evaluation.sts import STS_PRESETS, sts_figures
from kinema.evaluation.transfer import transfer_figures

FIXED_C = 0.3


def tf_idf_cosines(pairs: SentencePairs) -> NDArray[np.float64]:
    """The cosine of each pair, float64 [N]; the document frequencies are those of its subset."""
    found = np.zeros(len(pairs))
    for subset in set(pairs.subsets):
        rows = [row for row, name in enumerate(pairs.subsets) if name == subset]
        first, second = [pairs.first[row] for row in rows], [pairs.second[row] for row in rows]
        vectors = TfidfVectorizer().fit_transform([*first, *second])
        found[rows] = np.asarray(vectors[: len(rows)].multiply(vectors[len(rows) :]).sum(1)).ravel()
    return found


def sts_floor(data: Path) -> dict[str, dict[str, float]]:
    """Spearman of TF-IDF by data set and aggregate."""
    places = ("declutr/sts", "text/stsbenchmark/sts-test.csv", "declutr/sick/SICK_test_annotated.txt")
    found = {}
    for pairs in (each for place in places for each in read_pairs(data / place)):
        cosines = tf_idf_cosines(pairs)
        found[pairs.name] = {
            preset: sts_figures(cosines, pairs.scores, pairs.subsets, preset=preset).metrics["spearman"]
            for preset in STS_PRESETS
        }
    return found


def fixed(counts: Any, task: TransferTask) -> float:
    """Accuracy with C = .3, and folds in the order of the file where there are no parts."""
    classifier, labels = LogisticRegression(C=FIXED_C, max_iter=1000), np.asarray(task.labels)
    if task.parts is None:
        return float(cross_val_score(classifier, counts, labels, cv=StratifiedKFold(10)).mean())
    train, test = (np.flatnonzero(np.asarray(task.parts) == part) for part in ("train", "test"))
    return float(classifier.fit(counts[train], labels[train]).score(counts[test], labels[test]))


def transfer_floor(folder: Path) -> dict[str, dict[str, float]]:
    """Accuracy of the bag of words by task, with C chosen and with C fixed."""
    found = {}
    for task in read_transfer(folder).tasks:
        began, counts = time.monotonic(), CountVectorizer().fit_transform(task.sentences)
        figures = transfer_figures(counts, task.labels, task.parts)
        found[task.name] = {
            "chosen": figures.accuracy,
            "fixed": fixed(counts, task),
            "majority": figures.majority,
            "seconds": time.monotonic() - began,
        }
    return found


def table(title: str, columns: Sequence[str], rows: dict[str, dict[str, float]]) -> str:
    """A table in Markdown, three digits."""
    lines = [f"| {title} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(f'{row[column]:.3f}'.lstrip('0') for column in columns)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data: Path = parser.parse_args().data
    sts = sts_floor(data)
    print(table("TF-IDF, Spearman", STS_PRESETS, sts), flush=True)
    transfer = transfer_floor(data / "declutr/transfer")
    print("\n" + table("bag of words, accuracy", ("chosen", "fixed", "majority"), transfer))
    record.write("text-floors", "python benchmarks/text_floors.py DATA", ("scikit-learn",), sts=sts, transfer=transfer)


if __name__ == "__main__":
    main()
