"""Writes the whole data set: the tracklets in worker processes, then the table of their frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinema.core.files import write_text
from kinema.data.mocap.making import DrawnSet, complete, csv_table
from kinema.data.mocap.people.config import MocapPeopleConfig
from kinema.data.mocap.people.plan import Sighting, person_name, plan_sightings, split_of

COLUMNS = ("path", "identity", "camera", "tracklet", "frame", "fps", "split")
"""The columns of ``tracklets.csv``."""

EDITION = 1
"""How the crops are made: ``edition`` in ``dataset.json``."""

_SET = DrawnSet("mocap-people", "Mocap-people", EDITION, "kinema.data.mocap.people.worker")


@dataclass(frozen=True)
class PeopleSummary:
    """What :func:`write_mocap_people` did.

    Args:
        people: in the set.
        tracklets: of all of them.
        crops: of all tracklets; a file each.
        seconds: how long it took.
        digest: 32 hexadecimal digits, of every crop before encoding; equal settings give equal digests.
        out: the folder.
    """

    people: int
    tracklets: int
    crops: int
    seconds: float
    digest: str
    out: Path


def write_mocap_people(
    out: Path,
    config: MocapPeopleConfig,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PeopleSummary:
    """Writes Mocap-people: the crops, ``tracklets.csv`` and ``dataset.json``.

    A folder that holds a part of the same set is completed; tracklets that are there already are not made again.

    Args:
        out: the folder: new, empty, or one that this function began with the same settings.
        config: what to write.
        workers: processes; every core of the machine where it is None. The set does not depend on it.
        progress: is called with the number of tracklets that are done and of all of them.

    Raises:
        DataError: the folder holds something else, or the same set with other settings or of another edition.
        StorageError: the disk is full, or the place cannot be written.
        KeyboardInterrupt: Ctrl-C; the workers are ended first, and no half file is left under a crop's name.
    """
    started = time.perf_counter()
    sightings = plan_sightings(config)
    names = [person_name(person) for person in range(config.people)]
    splits = [split_of(config.seed, person) for person in range(config.people)]
    counts = {
        "people": {split: splits.count(split) for split in ("train", "test")},
        "cameras": config.cameras,
        "tracklets": len(sightings),
        "crops": sum(each.frames for each in sightings),
    }
    card = _SET.card(config, names, counts)
    paths = [each.path for each in sightings]
    rows = _SET.make(out, config, card, paths, most=len(sightings), workers=workers, progress=progress)
    write_text(out / "tracklets.csv", tracklets_table(sightings, config.fps))
    digest = complete(out, card, rows)
    crops = int(str(counts["crops"]))
    return PeopleSummary(config.people, len(sightings), crops, time.perf_counter() - started, digest, out)


def tracklets_table(sightings: Sequence[Sighting], fps: int) -> str:
    """``tracklets.csv``: a line a crop."""
    rows = [
        {
            "path": path,
            "identity": each.identity,
            "camera": f"c{each.camera + 1}",
            "tracklet": f"{each.number + 1:04d}",
            "frame": frame,
            "fps": fps,
            "split": each.split,
        }
        for each in sightings
        for frame, path in enumerate(each.files)
    ]
    return csv_table(rows, COLUMNS)
