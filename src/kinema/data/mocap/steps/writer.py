"""Writes the whole data set: the videos in worker processes, then what is known of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kinema.core.files import write_text
from kinema.data.mocap.making import DrawnSet, complete, csv_table
from kinema.data.mocap.steps.config import ACTIVITIES, MocapStepsConfig
from kinema.data.mocap.steps.performance import Performance
from kinema.data.mocap.steps.plan import label_names, plan_sessions, plan_steps
from kinema.data.mocap.writer import MocapSummary

COLUMNS = ("path", "label", "source", "activity", "actor", "scene", "camera")
"""The columns of ``labels.csv``."""

EDITION = 1
"""How the videos are made: ``edition`` in ``dataset.json``."""

_SET = DrawnSet("mocap-steps", "Mocap-steps", EDITION, "kinema.data.mocap.steps.worker")


def write_mocap_steps(
    out: Path,
    config: MocapStepsConfig,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MocapSummary:
    """Writes Mocap-steps: the videos, a label for each of their frames, ``segments.csv`` and ``dataset.json``.

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
    sessions = plan_sessions(config)
    names = label_names(config)
    counts = {"videos": len(sessions), "people": config.videos, "frames": sum(each.frames for each in sessions)}
    card = _SET.card(config, names, counts)
    card["activities"] = dict(zip(ACTIVITIES, plan_steps(config), strict=False))
    paths = [session.path for session in sessions]
    rows = _SET.make(out, config, card, paths, most=len(sessions), workers=workers, progress=progress)
    for session in sessions:
        write_text(out / "groundTruth" / f"{session.name}.txt", _lines(session.labels))
    write_text(out / "mapping.txt", _lines([f"{number} {name}" for number, name in enumerate(names)]))
    write_text(out / "segments.csv", segments_table(sessions, config.fps))
    write_text(out / "labels.csv", csv_table(rows, COLUMNS))
    digest = complete(out, card, rows)
    return MocapSummary(len(sessions), time.perf_counter() - started, digest, out)


def segments_table(sessions: Sequence[Performance], fps: int) -> str:
    """``segments.csv``: a line a segment, its start and end in seconds, background included."""
    rows = [
        {
            "video": session.path,
            "start": round(segment.start / fps, 6),
            "end": round(segment.stop / fps, 6),
            "step": segment.label,
        }
        for session in sessions
        for segment in session.segments
    ]
    return csv_table(rows, ("video", "start", "end", "step"))


def _lines(words: Sequence[str]) -> str:
    return "".join(f"{word}\n" for word in words)
