"""What a folder says of its videos: ``labels.csv``, class folders, or nothing; see :mod:`kinema.data.labels`."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kinema.core.labelling import LabelReading
from kinema.data.labels import read_labels
from kinema.data.video.files import claims_video, is_pictures
from kinema.data.video.manifest import Overlooked, Video


def apply_labels(root: Path, videos: Sequence[Video]) -> tuple[Video, ...]:
    """The videos with what the folder says of them.

    Rows of ``labels.csv`` that name a file which is there but does not end like a video are named in a warning.

    Args:
        root: the folder.
        videos: found below it, in any order.

    Raises:
        DataError: ``labels.csv`` cannot be read, lacks ``path``, names a video twice or names files that are missing;
            the message gives line and column.
    """
    return labelled_videos(root, videos, strict=True)[0]


def _names(paths: Sequence[str]) -> dict[str, str]:
    """What a list calls each video: a folder of pictures by the folder, if it holds no other."""
    folders = Counter(posixpath.dirname(path) for path in paths)
    alone = {folder for folder, count in folders.items() if folder and count == 1}
    named = {path: posixpath.dirname(path) for path in paths if is_pictures(Path(path))}
    return {path: named[path] if named.get(path) in alone else path for path in paths}


def labelled_videos(
    root: Path, videos: Sequence[Video], *, strict: bool = False, overlooked: Overlooked | None = None
) -> tuple[tuple[Video, ...], LabelReading]:
    """The videos with what the folder says of them, and how that was read.

    Args:
        root: the folder.
        videos: found below it, in any order.
        strict: whether every row of ``labels.csv`` must name a file that is there; otherwise one must.
        overlooked: what the scan did not look at; rows for what lies there are neither right nor wrong.

    Raises:
        DataError: as :func:`apply_labels`.
    """
    names = _names([video.path for video in videos])
    said, reading = read_labels(
        root,
        list(names.values()),
        noun="video",
        claims=claims_video,
        strict=strict,
        hidden=(overlooked or Overlooked()).hides,
    )
    described = []
    for video in videos:
        found = said[names[video.path]]
        described.append(
            replace(
                video,
                label=found.label,
                source=found.source or video.path,
                split=found.split,
                attributes=dict(found.attributes),
            )
        )
    return tuple(described), reading
