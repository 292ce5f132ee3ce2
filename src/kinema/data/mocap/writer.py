"""Writes the whole data set: the videos in worker processes, then the table of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kinema.core.files import write_text
from kinema.data.mocap.config import CLASSES, MocapConfig
from kinema.data.mocap.making import DrawnSet, complete, csv_table
from kinema.data.mocap.plan import plan_recordings

COLUMNS = ("path", "label", "source", "split", "part", "actor", "scene", "camera", "recording")
"""The columns of ``labels.csv``; of a set with sound, ``sound`` too: the recording whose sound a video has."""

EDITION = 2
"""How people are drawn: ``edition`` in ``dataset.json``. The first edition, by PyBullet, named none there."""

_SET = DrawnSet("mocap-15", "Mocap-15", EDITION, "kinema.data.mocap.worker")


@dataclass(frozen=True)
class MocapSummary:
    """What :func:`write_mocap` did.

    Args:
        videos: files that the set holds.
        seconds: how long it took.
        digest: 32 hexadecimal digits, of every frame, and every sound, before encoding; equal settings give
            equal digests.
        out: the folder.
    """

    videos: int
    seconds: float
    digest: str
    out: Path


def write_mocap(
    out: Path,
    config: MocapConfig,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MocapSummary:
    """Writes Mocap-15: the videos, ``labels.csv`` and ``dataset.json``.

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
    recordings = plan_recordings(config)
    paths = [take.path for recording in recordings for take in recording.takes]
    counts = {
        "videos": len(paths),
        "train": config.clips_per_class * len(CLASSES),
        "test": {part: config.test_per_class * len(CLASSES) for part in config.parts},
        "frames": len(paths) * config.frames,
    }
    card = _SET.card(config, CLASSES, counts)
    rows = _SET.make(out, config, card, paths, most=len(recordings), workers=workers, progress=progress)
    columns = (*COLUMNS, "sound") if config.sound else COLUMNS
    write_text(out / "labels.csv", csv_table(rows, columns))
    digest = complete(out, card, rows)
    return MocapSummary(len(paths), time.perf_counter() - started, digest, out)
