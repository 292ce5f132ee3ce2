"""The steps of a run's videos, read again whenever their file has changed, and named.

A video of the segments that is the same file as one of the table has the table's name for it in requests, so that it
can be searched with as well. Any other has a name of its own, and is played from the folder that the segments record.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from kinema.data.video.files import exists
from kinema.data.video.manifest import Video
from kinema.segmenting.segmentation import Segmentation, SegmentedVideo, name_steps
from kinema.serving.archive import Archive, Snapshot, check_root, video_id
from kinema.serving.failures import RefusedError, missing

_LOOKED_AT = 20


@dataclass(frozen=True)
class Steps:
    """What the file holds, with the names of its videos in requests.

    Args:
        segmentation: the file's content; its root is the folder from which videos are played.
        ids: of its videos, in their order.
        indexed: of them, those of the table.
    """

    segmentation: Segmentation
    ids: tuple[str, ...]
    indexed: frozenset[str]

    @cached_property
    def place(self) -> Mapping[str, int]:
        """The place of a video among all, by its name in requests."""
        return {name: at for at, name in enumerate(self.ids)}

    @cached_property
    def by_path(self) -> Mapping[str, str]:
        """The name of a video in requests, by its path."""
        return {video.path: name for video, name in zip(self.segmentation.videos, self.ids, strict=True)}

    @cached_property
    def stretches(self) -> Mapping[int, int]:
        """How many segments each step has."""
        return Counter(each.step for video in self.segmentation.videos for each in video.segments)

    def of(self, name: str) -> SegmentedVideo | None:
        """A video by its name in requests; None where it has no segments."""
        at = self.place.get(name)
        return None if at is None else self.segmentation.videos[at]


class StepService:
    """Reads a file of segments for requests, and names its steps.

    Args:
        file: the file; None where there can be none. It need not be there yet.
        archive: the table beside it, if there is one.
        videos: the folder of the videos, where the user gives it.
        read_only: whether naming is refused.
    """

    def __init__(
        self, file: Path | None, archive: Archive | None, *, videos: str | Path | None = None, read_only: bool = False
    ) -> None:
        self.read_only = read_only
        self._file, self._archive, self._videos = file, archive, None if videos is None else Path(videos)
        self._reading, self._naming = threading.Lock(), threading.Lock()
        self._held: tuple[object, Steps] | None = None

    def there(self) -> bool:
        """Whether there is such a file."""
        return self._file is not None and self._file.is_file()

    def now(self) -> Steps:
        """What the file holds now.

        Raises:
            RefusedError: 404, there is none.
            DataError: it is damaged, or names a folder that holds more than videos.
        """
        snapshot = None if self._archive is None else self._archive.snapshot()
        with self._reading:
            if self._file is None or not self.there():
                raise RefusedError(404, "missing", "There are no steps.", "Find them with: kinema segment RUN VIDEOS")
            status = os.stat(self._file)
            version = None if snapshot is None else (snapshot.version, snapshot.root)
            known = (status.st_mtime_ns, status.st_size, status.st_ino, version)
            if self._held is None or self._held[0] != known:
                self._held = known, _linked(self._read(self._file), snapshot)
            return self._held[1]

    def rename(self, number: int, name: str) -> Steps:
        """Names a step; an empty name takes the name away.

        Raises:
            RefusedError: 404, there is no such step; 403, this server writes nothing.
            UsageError: it is no plain text, or another step's name.
            StorageError: the file cannot be written, or another process writes it.
        """
        if self.read_only:
            raise RefusedError(403, "refused", "This server only reads.", "Start it without --read_only.")
        if number not in self.now().segmentation.titles:
            raise missing("step")
        assert self._file is not None
        with self._naming:
            name_steps(self._file, {number: name})
        return self.now()

    def locate(self, name: str) -> tuple[Path, Video]:
        """The folder, and the video of it, that has a name in requests and is not in the table.

        Raises:
            RefusedError: 404, there is none.
        """
        if not self.there():
            raise missing("video")
        now = self.now()
        video = now.of(name)
        if video is None:
            raise missing("video")
        return now.segmentation.root, Video(path=video.path, duration=video.duration)

    def _read(self, file: Path) -> Segmentation:
        found = Segmentation.read(file)
        some = [video.path for video in found.videos[:_LOOKED_AT]]
        given = self._videos is not None and any(exists(self._videos / path) for path in some)
        if self._videos is not None and given:
            return replace(found, root=self._videos.resolve())
        check_root(found.root, given=False, record="file of segments")
        return found


def _linked(segmentation: Segmentation, snapshot: Snapshot | None) -> Steps:
    root = segmentation.root.resolve()
    home = None if snapshot is None else snapshot.root.resolve()
    ids, indexed = [], set()
    for video in segmentation.videos:
        name = video_id(f"\0segments/{video.path}")  # no video of a table is called so
        if snapshot is not None and home is not None and (file := root / video.path).is_relative_to(home):
            there = video_id(file.relative_to(home).as_posix())
            if there in snapshot.place:
                name = there
                indexed.add(name)
        ids.append(name)
    return Steps(segmentation, tuple(ids), frozenset(indexed))
