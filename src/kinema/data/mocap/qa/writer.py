"""Writes the whole data set: the videos in worker processes, then subtitles, segments and questions."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinema.core.files import write_text
from kinema.data.mocap.making import DrawnSet, complete, csv_table
from kinema.data.mocap.qa.config import SPLITS, MocapQAConfig
from kinema.data.mocap.qa.plan import Line, plan_films
from kinema.data.mocap.qa.questions import questions_of
from kinema.data.mocap.steps.config import STEPS
from kinema.data.mocap.steps.writer import segments_table

COLUMNS = ("path", "source", "split", "actor", "scene", "camera")
"""The columns of ``labels.csv``."""

EDITION = 1
"""How videos and questions are made: ``edition`` in ``dataset.json``."""

_SET = DrawnSet("mocap-qa", "Mocap-QA", EDITION, "kinema.data.mocap.qa.worker")


@dataclass(frozen=True)
class QASummary:
    """What :func:`write_mocap_qa` did.

    Args:
        videos: in the set.
        questions: about them.
        train: questions to learn from.
        val: questions to choose settings by.
        test: the others.
        seconds: how long it took.
        digest: 32 hexadecimal digits, of every frame before encoding, of subtitles and questions; equal settings give
            equal digests.
        out: the folder.
    """

    videos: int
    questions: int
    train: int
    val: int
    test: int
    seconds: float
    digest: str
    out: Path


def write_mocap_qa(
    out: Path,
    config: MocapQAConfig,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> QASummary:
    """Writes Mocap-QA: videos, subtitles, ``segments.csv``, ``labels.csv``, ``questions.jsonl`` and ``dataset.json``.

    A folder that holds a part of the same set is completed; videos that are there already are not made again.

    Args:
        out: the folder: new, empty, or one that this function began with the same settings.
        config: what to write.
        workers: processes; every core of the machine where it is None. The set does not depend on it.
        progress: is called with the number of videos that are done and of all of them.

    Raises:
        DataError: the folder holds something else, or the same set with other settings or of another edition.
        StorageError: the disk is full, or the place cannot be written.
        KeyboardInterrupt: Ctrl-C; the workers are ended first, and no half file is left under a video's name.
    """
    started = time.perf_counter()
    films = plan_films(config)
    asked = {film.name: questions_of(film, config.seed) for film in films}
    every = [question for some in asked.values() for question in some]
    count = Counter(str(question["split"]) for question in every)
    counts = {
        "videos": len(films),
        "people": len({film.person for film in films}),
        "frames": sum(film.frames for film in films),
        "questions": {split: count[split] for split in SPLITS},
        "types": dict(Counter(str(question["type"]) for question in every)),
    }
    card = _SET.card(config, STEPS[: config.motions], counts)
    paths = [film.path for film in films]
    rows = _SET.make(out, config, card, paths, most=len(films), workers=workers, progress=progress)
    lines = []
    for film, row in zip(films, rows, strict=True):
        text, asking = subtitles_of(film.lines), _json_lines(asked[film.name])
        write_text(out / "subtitles" / f"{film.name}.srt", text)
        words = hashlib.blake2b((text + asking).encode(), digest_size=16).hexdigest()
        lines.append({"path": row["path"], "digest": f"{row['digest']} {words}"})
    write_text(out / "segments.csv", segments_table(films, config.fps))
    write_text(out / "labels.csv", csv_table(rows, COLUMNS))
    write_text(out / "questions.jsonl", _json_lines(every))
    digest = complete(out, card, lines)
    train, val, test = (count[split] for split in SPLITS)
    return QASummary(len(films), len(every), train, val, test, time.perf_counter() - started, digest, out)


def subtitles_of(lines: Sequence[Line]) -> str:
    """A file of subtitles, SubRip."""
    return "\n".join(
        f"{number}\n{_clock(line.start)} --> {_clock(line.end)}\n{line.text}\n" for number, line in enumerate(lines, 1)
    )


def _clock(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds as SubRip has them."""
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d},{whole % 1000:03d}"


def _json_lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)
