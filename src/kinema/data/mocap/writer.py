"""Writes the whole data set: distributes the recordings to processes, collects their results, finishes the folder.

``dataset.json`` is written first with the state ``partial`` and last with ``complete``; a run that was interrupted goes
on where it stood when it is started again with the same settings.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kinema.core.errors import ConfigError, DataError, KinemaError
from kinema.core.files import storage_error, write_json, write_text
from kinema.core.reading import load_json
from kinema.data.mocap.config import CLASSES, PARTS, MocapConfig
from kinema.data.mocap.plan import plan_recordings

COLUMNS = ("path", "label", "source", "split", "part", "actor", "scene", "camera", "recording")
"""The columns of ``labels.csv``; of a set with sound, ``sound`` too: the recording whose sound a video has."""

EDITION = 2
"""How people are drawn: ``edition`` in ``dataset.json``. The first edition, by PyBullet, named none there."""

_NAME = "mocap-15"


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
    if workers is not None and workers < 1:
        raise ConfigError(f"workers is {workers}; it must be at least 1.")
    recordings = plan_recordings(config)
    total = sum(len(recording.takes) for recording in recordings)
    card = _card(config, total)
    _claim(out, card)
    shares = min(workers or _cores(), len(recordings))
    rows: dict[str, dict[str, str]] = {}
    for row in _make(out, config, shares):
        rows[row["path"]] = row
        if progress is not None:
            progress(len(rows), total)
    ordered = [rows[take.path] for recording in recordings for take in recording.takes]
    digest = hashlib.blake2b("\n".join(f"{r['path']} {r['digest']}" for r in ordered).encode(), digest_size=16)
    columns = (*COLUMNS, "sound") if config.sound else COLUMNS
    write_text(out / "labels.csv", _table(ordered, columns))
    write_json(out / "dataset.json", card | {"state": "complete", "digest": digest.hexdigest()})
    return MocapSummary(total, time.perf_counter() - started, digest.hexdigest(), out)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _card(config: MocapConfig, videos: int) -> dict[str, Any]:
    """What ``dataset.json`` says before the digest is known."""
    return {
        "name": _NAME,
        "edition": EDITION,
        "state": "partial",
        "settings": config.record(),
        "seed": config.seed,
        "versions": {name: version(name) for name in ("kinema", "numpy", "av")},
        "classes": list(CLASSES),
        "counts": {
            "videos": videos,
            "train": config.clips_per_class * len(CLASSES),
            "test": {part: config.test_per_class * len(CLASSES) for part in config.parts},
            "frames": videos * config.frames,
        },
    }


def _claim(out: Path, card: dict[str, Any]) -> None:
    """Makes the folder, or checks that what it holds is this set; removes half files of an interrupted run."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = [item.name for item in out.iterdir()]
    except OSError as error:
        raise storage_error(out, error) from error
    if held and "dataset.json" not in held:
        raise DataError(
            f"'{out}' is not empty and holds no Mocap-15 data set.", "Choose a new or empty folder for the data set."
        )
    if held:
        try:
            found = load_json(out / "dataset.json")
        except (OSError, ValueError):
            found = {}
        settings = found.get("settings", {}) if isinstance(found, dict) and found.get("name") == _NAME else None
        if not isinstance(settings, dict):
            raise DataError(f"'{out / 'dataset.json'}' is not that of a Mocap-15 data set.", "Choose another folder.")
        edition = found.get("edition", 1)
        if edition != EDITION:
            raise DataError(
                f"'{out}' holds a Mocap-15 data set of edition {edition}, and this version of kinema draws edition "
                f"{EDITION}.",
                "It can be scanned and trained on as it is; to draw a set, choose another folder.",
            )
        usual = asdict(MocapConfig()) | {"parts": list(PARTS)}
        settings, wanted = usual | settings, usual | card["settings"]
        other = [key for key in wanted if settings.get(key) != wanted[key]]
        if other:
            differences = ", ".join(f"{key} {settings.get(key)} instead of {wanted[key]}" for key in other)
            raise DataError(
                f"'{out}' holds a Mocap-15 data set with other settings: {differences}.",
                "Use the settings it was begun with, or choose another folder.",
            )
        for half in out.rglob(".*.part"):
            half.unlink(missing_ok=True)
    write_json(out / "dataset.json", card)


def _make(out: Path, config: MocapConfig, shares: int) -> Iterator[dict[str, str]]:
    """The rows of ``labels.csv``, with digests, in the order in which the worker processes finish them."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    answers: queue.Queue[dict[str, str] | int] = queue.Queue()
    workers: list[subprocess.Popen[str]] = []
    try:
        for share in range(shares):
            workers.append(_start(out, config, share, shares, environment))
            threading.Thread(target=_listen, args=(workers[-1], answers), daemon=True).start()
        running = shares
        while running:
            answer = answers.get()
            if isinstance(answer, int):
                running -= 1
                if answer:
                    raise KinemaError(
                        f"A process that makes Mocap-15 ended with status {answer}.",
                        "Run the same command again, with fewer workers if the memory is short; it goes on.",
                    )
            elif "error" in answer:
                raise KinemaError(answer["error"], answer["hint"])
            else:
                yield answer
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def _start(
    out: Path, config: MocapConfig, share: int, shares: int, environment: dict[str, str]
) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "kinema.data.mocap.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert worker.stdin is not None
    request = {"out": str(out.resolve()), "config": asdict(config), "share": share, "shares": shares}
    worker.stdin.write(json.dumps(request) + "\n")
    worker.stdin.close()
    return worker


def _listen(worker: subprocess.Popen[str], answers: queue.Queue[dict[str, str] | int]) -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        answers.put(json.loads(line))
    answers.put(worker.wait())


def _table(rows: list[dict[str, str]], columns: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
