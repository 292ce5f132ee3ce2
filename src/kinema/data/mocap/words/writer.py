"""Writes the whole data set: the pictures in worker processes, then the table of the pairs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinema.core.files import write_text
from kinema.data.mocap.making import DrawnSet, complete, csv_table
from kinema.data.mocap.words.config import MocapWordsConfig
from kinema.data.mocap.words.plan import Sight, person_name, plan_sights
from kinema.data.mocap.words.wordings import label_names

COLUMNS = ("image", "text", "labels", "split", "source", "motion", "colour", "place", "says")
"""The columns of ``pairs.csv``."""

EDITION = 1
"""How pictures and sentences are made: ``edition`` in ``dataset.json``."""

_SET = DrawnSet("mocap-words", "Mocap-words", EDITION, "kinema.data.mocap.words.worker")


@dataclass(frozen=True)
class WordsSummary:
    """What :func:`write_mocap_words` did.

    Args:
        pairs: in the set.
        train: of them, those to learn from.
        test: the others.
        seconds: how long it took.
        digest: 32 hexadecimal digits, of every picture before encoding and of the sentences; equal settings give equal
            digests.
        out: the folder.
    """

    pairs: int
    train: int
    test: int
    seconds: float
    digest: str
    out: Path


def write_mocap_words(
    out: Path,
    config: MocapWordsConfig,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WordsSummary:
    """Writes Mocap-words: the pictures, ``pairs.csv`` and ``dataset.json``.

    A folder that holds a part of the same set is completed; pictures that are there already are not made again.

    Args:
        out: the folder: new, empty, or one that this function began with the same settings.
        config: what to write.
        workers: processes; every core of the machine where it is None. The set does not depend on it.
        progress: is called with the number of pictures that are done and of all of them.

    Raises:
        DataError: the folder holds something else, or the same set with other settings or of another edition.
        StorageError: the disk is full, or the place cannot be written.
        KeyboardInterrupt: Ctrl-C; the workers are ended first, and no half file is left under a picture's name.
    """
    started = time.perf_counter()
    sights = plan_sights(config)
    test = sum(each.split == "test" for each in sights)
    counts = {"pairs": {"train": len(sights) - test, "test": test}, "people": config.people}
    classes = [name for kind, names in label_names().items() if kind in config.labels for name in names]
    card = _SET.card(config, classes, counts)
    paths = [each.path for each in sights]
    rows = _SET.make(out, config, card, paths, most=len(sights), workers=workers, progress=progress)
    write_text(out / "pairs.csv", pairs_table(sights, config.labels))
    lines = [
        {"path": f"{row['path']} {each.said.text}", "digest": row["digest"]}
        for each, row in zip(sights, rows, strict=True)
    ]
    digest = complete(out, card, lines)
    return WordsSummary(len(sights), len(sights) - test, test, time.perf_counter() - started, digest, out)


def pairs_table(sights: Sequence[Sight], labels: tuple[str, ...]) -> str:
    """``pairs.csv``: a line a pair.

    Args:
        sights: the pairs.
        labels: which kinds of labels, 'motion', 'colour' and 'place'.
    """
    rows = [
        {
            "image": each.path,
            "text": each.said.text,
            "labels": ";".join(each.labels(labels)),
            "split": each.split,
            "source": person_name(each.person),
            "motion": each.motion,
            "colour": each.colour,
            "place": each.place,
            "says": " ".join(each.said.says),
        }
        for each in sights
    ]
    return csv_table(rows, COLUMNS)
