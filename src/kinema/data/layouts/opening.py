"""What a user may call DATA: a folder, a manifest, or ``NAME:PATH``, a known data set by its name.

``NAME-2:PATH`` is the second official split where there are several; without a number it is the first. The part of
every split is kept as an attribute too (split1, split2, split3), so that one manifest serves them all:
``--where split2=train``, ``--query split2=test``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kinema.core.errors import KinemaError, UsageError
from kinema.data.layouts.diving48 import DIVING48
from kinema.data.layouts.hmdb51 import HMDB51
from kinema.data.layouts.jester import JESTER
from kinema.data.layouts.kinetics import KINETICS400, KINETICS600, KINETICS700
from kinema.data.layouts.layout import Layout, described, read_lists, tree_of
from kinema.data.layouts.something import SOMETHING
from kinema.data.layouts.ucf101 import UCF101
from kinema.data.moving import require_root
from kinema.data.video.manifest import Manifest

LAYOUTS: Mapping[str, Layout] = {
    "ucf101": UCF101,
    "hmdb51": HMDB51,
    "kinetics400": KINETICS400,
    "kinetics600": KINETICS600,
    "kinetics700": KINETICS700,
    "diving48": DIVING48,
    "ssv2": SOMETHING,
    "jester": JESTER,
}
"""The known data sets by the names that a user gives."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Named:
    """A known data set in a folder.

    Args:
        layout: how it lies there.
        split: the number of the official split.
        root: the folder.
    """

    layout: Layout
    split: int
    root: Path


def named_data(data: str | Path) -> Named | None:
    """What ``NAME:PATH`` names; None for what is not of that form: something that is there, or a drive's letter.

    Raises:
        UsageError: there is no layout of that name, or no such split.
    """
    if moved_manifest(data) is not None:
        return None
    name, colon, place = str(data).partition(":")
    if not colon or len(name) < 2 or Path(data).exists():
        return None
    known, dash, number = name.lower().rpartition("-")
    layout = LAYOUTS.get(name.lower()) or LAYOUTS.get(known)
    if layout is None:
        raise UsageError(
            f"There is no layout '{name}'.",
            f"The known data sets are: {', '.join(LAYOUTS)}. Of any other, give the folder itself.",
        )
    split = 1 if name.lower() in LAYOUTS else int(number) if dash and number.isdecimal() else 0
    if not 1 <= split <= layout.splits:
        some = f"the official splits 1 to {layout.splits}" if layout.splits > 1 else "one official split"
        raise UsageError(f"There is no '{name}': {layout.title} has {some}.", "Write NAME:PATH, or NAME-2:PATH.")
    if not place:
        raise UsageError(f"'{data}' names no folder.", f"Write {name}:PATH.")
    return Named(layout, split, Path(place).expanduser())


def moved_manifest(data: str | Path) -> tuple[Path, Path] | None:
    """The manifest and the folder of ``MANIFEST:FOLDER``: its videos lie in that folder now; None for all else."""
    name, colon, place = str(data).rpartition(":")
    file = Path(name)
    if not colon or not place or file.suffix not in (".parquet", ".json") or Path(data).exists() or not file.is_file():
        return None
    return file, Path(place).expanduser()


def scan_data(
    data: str | Path,
    *,
    workers: int = 2,
    progress: Progress | None = None,
    previous: Manifest | None = None,
    journal: Path | None = None,
) -> Manifest:
    """Reads the videos of a folder, or of a known data set (``NAME:PATH``).

    Args:
        data: which.
        workers: processes that read.
        progress: is called with (files done, files).
        previous: an earlier manifest of the same folder; files of equal size and time are taken from it.
        journal: see :func:`kinema.data.scan`.

    Raises:
        UsageError: there is no layout of that name.
        DataError: the folder cannot be used.
    """
    from kinema.data.video.scanning import read_videos, scan, warn_of_unlisted

    found = named_data(data)
    if found is None:
        return scan(Path(data), workers=workers, progress=progress, previous=previous, journal=journal)
    root = found.root.resolve()
    tree = tree_of(found.layout, root)
    entries, reading = read_lists(found.layout, root, found.split, tree)
    videos = read_videos(root, list(entries), workers=workers, progress=progress, previous=previous, journal=journal)
    labelled = tuple(described(video, entries[video.path]) for video in videos)
    return warn_of_unlisted(Manifest(root=root, videos=labelled, overlooked=tree.overlooked, reading=reading))


def open_data(data: str | Path, *, workers: int = 2) -> Manifest:
    """What a user calls DATA, as a manifest.

    Args:
        data: a folder, which is scanned; a manifest (``.parquet`` or ``.json``), as ``MANIFEST:FOLDER`` where its
            videos have moved; or ``NAME:PATH``, a known data set.
        workers: processes that scan a folder.

    Raises:
        UsageError: it is none of these.
        DataError: the folder or the manifest cannot be used.
    """
    path = Path(data)
    if path.is_dir():
        return scan_data(path, workers=workers)
    moved = moved_manifest(data)
    if moved is not None:
        require_root(moved[1], "videos")
        return Manifest.read(moved[0], root=moved[1].resolve())
    if named_data(data) is not None:
        return scan_data(data, workers=workers)
    if path.suffix in (".parquet", ".json"):
        return Manifest.read(path)
    raise UsageError(
        f"'{data}' is not a folder of videos or a manifest." if path.exists() else f"There is no '{data}'.",
        "Give a folder of videos, a manifest (.parquet, .json), MANIFEST:FOLDER where its videos have moved, or a "
        "known data set as NAME:PATH.",
    )


def root_of(data: str) -> Path:
    """The folder of the videos of DATA, without reading them; DATA itself where there is no other."""
    path = Path(data)
    try:
        moved, found = moved_manifest(data), named_data(data)
        if moved is not None:
            return moved[1]
        if found is not None:
            return found.root
        return Manifest.read(path).root if path.is_file() else path
    except KinemaError:
        return path
