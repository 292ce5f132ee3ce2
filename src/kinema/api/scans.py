"""Looks at a folder: what is there, what is broken."""

from __future__ import annotations

from pathlib import Path

from kinema.api.opening import Progress
from kinema.data import Manifest
from kinema.data.layouts import scan_data


def scan(
    videos: str | Path, *, out: str | Path | None = None, workers: int = 2, progress: Progress | None = None
) -> Manifest:
    """Looks at every file of a folder that claims to be video.

    Args:
        videos: the folder, or a known data set as NAME:PATH (see :mod:`kinema.data.layouts`).
        out: where to write the manifest (.parquet or .json), for later verbs to read instead of scanning again; one
            that is there already saves looking again at files that have not changed.
        workers: processes.
        progress: is told (files done, files).

    Raises:
        DataError: there is no such folder, or no video in it.
    """
    previous = Manifest.read(Path(out)) if out is not None and Path(out).exists() else None
    journal = None if out is None else Path(out).with_name(f".{Path(out).name}.journal")
    manifest = scan_data(videos, workers=workers, progress=progress, previous=previous, journal=journal)
    if out is not None:
        manifest.write(Path(out))
    if journal is not None:
        journal.unlink(missing_ok=True)
    return manifest
