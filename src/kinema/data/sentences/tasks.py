"""SentEval's transfer tasks (Conneau and Kiela 2018): sentences with a class, each task with its own folds.

    MR, CR, SUBJ, MPQA  a file a class, a sentence a line; no parts, so ten folds
    SST2                train, dev and test; the class, 0 or 1, stands before the sentence
    TREC                train and test; 'COARSE:fine' stands before the question, and the coarse class is asked

A task's files lie in the folder itself or where SentEval puts them (``MR/``, ``SST/binary/``, …). They are read as
UTF-8, and as Latin-1 where they are not UTF-8: SentEval reads SST2 as the one and the others as the other. Blank lines
are left out and counted. Sentences are taken as they stand: SentEval also tokenises them, and TREC in small letters.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from kinema.core.errors import DataError
from kinema.data.sentences.lines import read_lines

_BY_CLASS = MappingProxyType(
    {
        "MR": {"positive": "rt-polarity.pos", "negative": "rt-polarity.neg"},
        "CR": {"positive": "custrev.pos", "negative": "custrev.neg"},
        "SUBJ": {"subjective": "subj.subjective", "objective": "subj.objective"},
        "MPQA": {"positive": "mpqa.pos", "negative": "mpqa.neg"},
    }
)
_BY_PART = MappingProxyType(
    {
        "SST2": {part: (f"stsa.binary.{part}", f"SST/binary/sentiment-{part}") for part in ("train", "dev", "test")},
        "TREC": {"train": ("TREC.train", "TREC/train_5500.label"), "test": ("TREC.test", "TREC/TREC_10.label")},
    }
)
_SENTIMENT = MappingProxyType({"0": "negative", "1": "positive"})

TASKS = (*_BY_CLASS, *_BY_PART)
"""Names of the tasks, in the order in which they are reported."""


@dataclass(frozen=True)
class TransferTask:
    """N sentences of C classes.

    Args:
        name: one of :data:`TASKS`.
        sentences: N of them.
        labels: N numbers from 0 to C - 1.
        classes: C names.
        parts: N names, 'train', 'dev' or 'test'; None where the task is asked in folds.
        skipped: blank lines.
    """

    name: str
    sentences: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    parts: tuple[str, ...] | None = None
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.sentences)

    @cached_property
    def digest(self) -> str:
        """Sha256 of the sentences, classes and parts, in order: all that a figure depends on."""
        rows = [self.name, self.classes, self.sentences, self.labels, self.parts]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


@dataclass(frozen=True)
class TransferTasks:
    """The tasks that a folder holds.

    Args:
        tasks: in the order of :data:`TASKS`.
        missing: the file that was not found, by the task that lacks it.
    """

    tasks: tuple[TransferTask, ...]
    missing: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.tasks)

    @cached_property
    def digest(self) -> str:
        """Sha256 of the tasks' digests: figures of other tasks, or of fewer, have another."""
        return hashlib.sha256(json.dumps([task.digest for task in self.tasks]).encode()).hexdigest()


def read_transfer(folder: str | Path) -> TransferTasks:
    """The transfer tasks of a folder; one that lacks a file is left out and named.

    Raises:
        DataError: there is no such folder, no task is whole, or a line has no class (named with file and line).
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"There is no folder '{root}'.", "Give the folder that holds the files of SentEval's tasks.")
    tasks: list[TransferTask] = []
    missing: dict[str, str] = {}
    for name in TASKS:
        files = {k: (v, f"{name}/{v}") for k, v in _BY_CLASS[name].items()} if name in _BY_CLASS else _BY_PART[name]
        found = {key: next((root / p for p in places if (root / p).is_file()), None) for key, places in files.items()}
        paths = {key: path for key, path in found.items() if path is not None}
        if len(paths) < len(files):
            missing[name] = next(files[key][0] for key, path in found.items() if path is None)
        else:
            tasks.append(_by_class(name, paths) if name in _BY_CLASS else _by_part(name, paths))
    if not tasks:
        named = ", ".join(f"{file} of {name}" for name, file in missing.items())
        raise DataError(f"The folder '{root}' holds none of the transfer tasks: there is no {named}.")
    return TransferTasks(tuple(tasks), MappingProxyType(missing))


def _by_class(name: str, paths: Mapping[str, Path]) -> TransferTask:
    sentences: list[str] = []
    labels: list[int] = []
    skipped = 0
    for label, path in enumerate(paths.values()):
        lines = [line.strip() for line in read_lines(path, latin=True)]
        found = [line for line in lines if line]
        sentences += found
        labels += [label] * len(found)
        skipped += len(lines) - len(found)
    return TransferTask(name, tuple(sentences), tuple(labels), tuple(paths), skipped=skipped)


def _by_part(name: str, paths: Mapping[str, Path]) -> TransferTask:
    rows: list[tuple[str, str, str]] = []
    skipped = 0
    for part, path in paths.items():
        for number, line in enumerate(read_lines(path, latin=True), start=1):
            if not line.strip():
                skipped += 1
                continue
            found = _coarse(line) if name == "TREC" else _sentiment(line)
            if found is None:
                form = "'COARSE:fine question'" if name == "TREC" else "'0 sentence' or '1 sentence'"
                raise DataError(f"'{path}', line {number}: expected {form}, not '{line.strip()[:80]}'.")
            rows.append((*found, part))
    classes = tuple(sorted({label for label, _, _ in rows}))
    return TransferTask(
        name,
        sentences=tuple(sentence for _, sentence, _ in rows),
        labels=tuple(classes.index(label) for label, _, _ in rows),
        classes=classes,
        parts=tuple(part for _, _, part in rows),
        skipped=skipped,
    )


def _coarse(line: str) -> tuple[str, str] | None:
    """The coarse class and the question of a line of TREC."""
    label, _, question = line.strip().partition(" ")
    coarse, colon, _ = label.partition(":")
    return (coarse, question.strip()) if coarse and colon and question.strip() else None


def _sentiment(line: str) -> tuple[str, str] | None:
    """The class and the sentence of a line of SST2, the class first, or last behind a tab as in SentEval's copy."""
    label, _, sentence = line.strip().partition(" ")
    if "\t" in line:
        sentence, _, label = line.strip().rpartition("\t")
    return (_SENTIMENT[label], sentence.strip()) if label in _SENTIMENT and sentence.strip() else None
