"""Looks for footage that a data set holds twice, above all once to learn from and once to be tested on.

The comparison itself is :mod:`kinema.evaluation.duplicates`, which sees arrays only; here are the files, their splits
and what is told of them.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group

from kinema.core.errors import DataError
from kinema.core.files import csv_cell, write_text
from kinema.core.printing import Table
from kinema.core.progress import Shown, Steps
from kinema.core.splits import part_of, read_split
from kinema.data import open_data
from kinema.data.moving import require_root
from kinema.data.video.fingerprint import RATE, fingerprints
from kinema.data.video.manifest import Manifest
from kinema.evaluation.duplicates import Pair, find_duplicates, groups


@dataclass(frozen=True)
class Copy:
    """Two files that show the same footage.

    Args:
        a: path of the one, below the manifest's root.
        b: path of the other.
        score: how sure it is: the smaller of two correlations, of what stands and of what moves; 1 for equal files.
        offset: the second of a at which b begins; negative where b begins before a.
        overlap: seconds that both share; 0 where only the bytes were compared.
        mirrored: whether b is a's mirror image.
        identical: whether the files are equal, byte for byte.
        split_a: the split of a, or None.
        split_b: the split of b, or None.
        siblings: whether the manifest says that both are cut from one recording.
    """

    a: str
    b: str
    score: float
    offset: float
    overlap: float
    mirrored: bool
    identical: bool
    split_a: str | None
    split_b: str | None
    siblings: bool

    @property
    def across(self) -> bool:
        """Whether one is to be learnt from and the other tested on."""
        return None not in (self.split_a, self.split_b) and read_split(self.split_a) != read_split(self.split_b)


@dataclass(frozen=True)
class Copies:
    """What was found in a data set.

    Args:
        root: the folder of the videos.
        videos: how many there are.
        pairs: those across splits first, then by score.
        groups: sets of files that hang together through pairs, the largest first.
        leaking: files that are not of the split 'train' and share footage with one that is.
        still: files in which nothing moves, or that are shorter than half a second: only equal bytes would be found.
        unreadable: files that could not be looked at, with the reason.
    """

    root: Path
    videos: int
    pairs: tuple[Copy, ...]
    groups: tuple[tuple[str, ...], ...]
    leaking: tuple[str, ...]
    still: tuple[str, ...]
    unreadable: Mapping[str, str]

    def plain(self, seconds: float) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "videos": self.videos,
            "pairs": [asdict(pair) | {"across": pair.across} for pair in self.pairs],
            "across": sum(pair.across for pair in self.pairs),
            "groups": [list(group) for group in self.groups],
            "leaking": list(self.leaking),
            "still": list(self.still),
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.unreadable.items()],
            "seconds": seconds,
        }

    def write(self, path: Path) -> None:
        """Writes the pairs as CSV; no cell is one that a spreadsheet would run (:func:`kinema.core.files.csv_cell`).

        Raises:
            StorageError: it could not be written.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, [*Copy.__dataclass_fields__, "across"])
        writer.writeheader()
        for pair in self.pairs:
            cells = asdict(pair) | {"across": pair.across}
            writer.writerow({name: csv_cell(value) for name, value in cells.items()})
        write_text(path, text.getvalue())

    def table(self, most: int = 20) -> Group:
        """A summary, and the first pairs below it."""
        across = sum(pair.across for pair in self.pairs)
        summary = Table(title=f"{self.videos} videos in {self.root!s}", title_justify="left", show_header=False)
        summary.add_row("pairs that share footage", f"{len(self.pairs)}, {across} of them across splits")
        summary.add_row("files in them", f"{sum(len(group) for group in self.groups)}, in {len(self.groups)} groups")
        summary.add_row("tested files with a copy in 'train'", str(len(self.leaking)))
        summary.add_row("nothing moves: only equal bytes are found", str(len(self.still)))
        if self.unreadable:
            summary.add_row("could not be looked at", str(len(self.unreadable)))
        if not self.pairs:
            return Group(summary)
        listed = Table("score", "offset, s", "shared, s", title="Pairs", title_justify="left")
        for name in ("file", "and", ""):
            listed.add_column(name, overflow="fold")
        for p in self.pairs[:most]:
            marks = [f"{p.split_a} / {p.split_b}"] if p.across else []
            marks += ["equal files"] if p.identical else ["mirrored"] if p.mirrored else []
            figures = (f"{p.score:.2f}", f"{p.offset:+.2f}", f"{p.overlap:.1f}" if p.overlap else "")
            listed.add_row(*figures, p.a, p.b, ", ".join(marks))
        if len(self.pairs) > most:
            listed.caption = f"and {len(self.pairs) - most} more; --json or -o lists them all"
        return Group(summary, listed)


def duplicates(
    data: str | Path | Manifest, *, out: str | Path | None = None, workers: int = 2, console: Shown = None
) -> Copies:
    """Looks for footage that a data set holds twice, above all across its splits. Needs no labels and no run.

    Args:
        data: a folder of videos, a known data set as NAME:PATH, a manifest, or a manifest's file.
        out: where to write the pairs (.csv).
        workers: processes.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Raises:
        DataError: fewer than two videos.
        StorageError: ``out`` could not be written.
    """
    manifest = data if isinstance(data, Manifest) else open_data(data)
    found = find_copies(manifest, workers=workers, steps=lambda title: Steps(title, console))
    if out is not None:
        found.write(Path(out))
    return found


def find_copies(manifest: Manifest, *, workers: int, steps: Callable[[str], Steps]) -> Copies:
    """Looks for footage that is there twice.

    Args:
        manifest: the videos.
        workers: processes that decode.
        steps: makes a context that shows progress under a title.

    Raises:
        DataError: fewer than two videos.
    """
    if len(manifest) < 2:
        raise DataError(f"There is {len(manifest)} video; it takes two to be the same.")
    require_root(manifest.root, "videos")
    with steps("fingerprints") as progress:
        lights, failed = fingerprints(manifest, workers=workers, progress=progress)
    equal = list(_equal_files(manifest))
    copied = {pair.b for pair in equal}  # stands for no more than the file it equals
    with steps("comparing") as progress:
        found = find_duplicates({row: x for row, x in lights.items() if row not in copied}, progress=progress)
    pairs = (*equal, *found.pairs)
    copies = [_copy(manifest, pair, identical=number < len(equal)) for number, pair in enumerate(pairs)]
    together = groups(pairs)
    videos = manifest.videos
    trained = [any(part_of(videos[row].split) == "train" for row in group) for group in together]
    leaking = [row for group, leaks in zip(together, trained, strict=True) if leaks for row in group]
    return Copies(
        root=manifest.root,
        videos=len(manifest),
        pairs=tuple(sorted(copies, key=lambda copy: (not copy.across, -copy.score, copy.a, copy.b))),
        groups=tuple(tuple(videos[row].path for row in group) for group in together),
        leaking=tuple(videos[row].path for row in sorted(leaking) if _held_back(videos[row].split)),
        still=tuple(videos[row].path for row in found.still),
        unreadable={videos[row].path: reason for row, reason in sorted(failed.items())},
    )


def _held_back(split: str | None) -> bool:
    return read_split(split) not in (None, "train")


def _copy(manifest: Manifest, pair: Pair, *, identical: bool) -> Copy:
    a, b = manifest.videos[pair.a], manifest.videos[pair.b]
    return Copy(
        a=a.path,
        b=b.path,
        score=round(pair.score, 4),
        offset=pair.offset / RATE,
        overlap=pair.overlap / RATE,
        mirrored=pair.mirrored,
        identical=identical,
        split_a=a.split,
        split_b=b.split,
        siblings=a.source == b.source,
    )


def _equal_files(manifest: Manifest) -> Iterator[Pair]:
    """Files of equal bytes, each with the first of its kind: one of the split 'train' where there is one."""
    sizes: dict[int, list[int]] = {}
    for row, video in enumerate(manifest.videos):
        sizes.setdefault(video.size, []).append(row)
    for size, rows in sizes.items():
        if size == 0 or len(rows) < 2:
            continue
        kinds: dict[str, list[int]] = {}
        for row in rows:
            file = manifest.file(row)
            if file.is_file():
                kinds.setdefault(_digest(file), []).append(row)
        for same in kinds.values():
            first = next((row for row in same if part_of(manifest.videos[row].split) == "train"), same[0])
            yield from (Pair(first, row, 1.0, 0.0, 0, False) for row in same if row != first)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
