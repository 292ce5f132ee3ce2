"""The decoded videos on disk: flat files of frames and motion, an index, and how they are made.

    CACHE/<key>/index.json          one entry a video: in which file, from where, and its sizes
    CACHE/<key>/<n>.rgb             uint8 [N, H, W, 3] of one video after the other
    CACHE/<key>/<n>.motion          int16 [N, h, w, 2] likewise, sixteenths of a pixel, ``UNKNOWN`` where there is none
    CACHE/<key>/<n>.sound           int16 [S] likewise, from ``hearing.whole_stretch`` on, where the store keeps
                                    the sound

The key is a digest of all that the content depends on. The folder is made under another name and renamed when it is
complete; a lock lets a second process wait for the first instead of doing the same work.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.core.files import open_plain, storage_error, sync_file, sync_folder, write_json
from kinema.core.leftovers import SUFFIX, clear, under_way
from kinema.core.reading import load_json, shaped
from kinema.data.moving import require_root
from kinema.data.video.hearing import whole_stretch
from kinema.data.video.limits import LONGEST, is_cut
from kinema.data.video.manifest import Manifest
from kinema.data.workers import Job, may_pass, run_jobs

if TYPE_CHECKING:  # the store's workers import this module, and need no torch
    from kinema.core.clips import SoundSpec

log = logging.getLogger(__name__)

UNKNOWN = -32768
"""Both components of a stored motion where the stream has none."""
_FORMAT = 3
_INDEX = "index.json"


@dataclass(frozen=True)
class Entry:
    """The place of one video in the store.

    Args:
        row: its row in the manifest.
        file: number of the flat files.
        frames: N.
        size: (H, W) of the frames.
        cells: (h, w) of the motion, (0, 0) without.
        source_size: (height, width) of the source as displayed, pixels.
        rgb_at: byte at which its frames begin.
        motion_at: byte at which its motion begins.
        failed: why it could not be decoded; empty where it was.
        sound_at: byte at which its sound begins.
        samples: S of its sound, 0 without.
        passing: whether it may be decoded another time: the file was not as it was scanned, or could not be reached.
        checks: CRC-32 of its frames, its motion and its sound, in this order, as they were written.
    """

    row: int
    file: int = 0
    frames: int = 0
    size: tuple[int, int] = (0, 0)
    cells: tuple[int, int] = (0, 0)
    source_size: tuple[int, int] = (0, 0)
    rgb_at: int = 0
    motion_at: int = 0
    failed: str = ""
    sound_at: int = 0
    samples: int = 0
    passing: bool = False
    checks: tuple[int, int, int] = (0, 0, 0)


class StoredVideos:
    """A finished store, mapped into memory when it is first read; may be pickled and forked."""

    def __init__(self, folder: Path, with_motion: bool, entries: Mapping[int, Entry]) -> None:
        self._folder = folder
        self._with_motion = with_motion
        self.entries = entries
        self._maps: dict[str, NDArray[np.uint8]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}

    def rgb(self, entry: Entry) -> NDArray[np.uint8]:
        """The frames, uint8 [N, H, W, 3], a view of the map."""
        return self._slice(f"{entry.file}.rgb", entry.rgb_at, (entry.frames, *entry.size, 3), np.uint8)

    def motion(self, entry: Entry) -> NDArray[np.int16] | None:
        """The motion, int16 [N, h, w, 2], a view of the map; None in a store without."""
        if not self._with_motion:
            return None
        return self._slice(f"{entry.file}.motion", entry.motion_at, (entry.frames, *entry.cells, 2), np.int16)

    def sound(self, entry: Entry) -> NDArray[np.int16]:
        """The sound, int16 [S], a view of the map; empty in a store without."""
        return self._slice(f"{entry.file}.sound", entry.sound_at, (entry.samples,), np.int16)

    def intact(self, entry: Entry) -> bool:
        """Whether all bytes of a video are as they were written; reads them all."""
        parts = (
            (f"{entry.file}.rgb", entry.rgb_at, math.prod((entry.frames, *entry.size, 3))),
            (f"{entry.file}.motion", entry.motion_at, 2 * math.prod((entry.frames, *entry.cells, 2))),
            (f"{entry.file}.sound", entry.sound_at, 2 * entry.samples),
        )
        try:
            return all(
                size == 0 or zlib.crc32(self._bytes(name, at, size).data) == check
                for (name, at, size), check in zip(parts, entry.checks, strict=True)
            )
        except (OSError, ValueError):  # a file is gone, or empty
            return False

    def _slice(self, name: str, at: int, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
        size = math.prod(shape) * np.dtype(kind).itemsize
        piece: NDArray[Any] = self._bytes(name, at, size).view(kind).reshape(shape)
        return piece

    def _bytes(self, name: str, at: int, size: int) -> NDArray[np.uint8]:
        if name not in self._maps:
            self._maps[name] = np.asarray(np.memmap(self._folder / name, dtype=np.uint8, mode="r"))
        return self._maps[name][at : at + size]


def _read_index(folder: Path) -> dict[int, Entry] | None:
    """The entries of a store; None where it has no index, or a damaged one."""
    try:
        content = load_json(folder / _INDEX)
        if content["check"] != _check_of(content["videos"]):
            return None
        entries = [shaped(item, Entry, "an entry", error=DataError) for item in content["videos"]]
        return {entry.row: entry for entry in entries}
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None


def _write_index(folder: Path, entries: Mapping[int, Entry]) -> None:
    videos = [asdict(entries[row]) for row in sorted(entries)]
    write_json(folder / _INDEX, {"check": _check_of(videos), "videos": videos})


def _check_of(videos: Sequence[Mapping[str, Any]]) -> int:
    return zlib.crc32(json.dumps(videos).encode())


def store_key(
    manifest: Manifest, rows: Sequence[int], short_side: int, motion: bool, sound: SoundSpec | None = None
) -> str:
    """The name of a store's folder: a digest of the files, their state, the size and whether motion and sound are."""
    files = [(row, v.path, v.size, v.mtime_ns, v.health) for row in rows for v in (manifest.videos[row],)]
    content = [_FORMAT, str(manifest.root.resolve()), short_side, motion, files]
    if any(is_cut(manifest.videos[row]) for row in rows):
        content.append(["longest", LONGEST])
    if sound is not None:
        content.append(["sound", sound.rate, sound.read])
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


def build_store(
    manifest: Manifest,
    rows: Sequence[int],
    short_side: int,
    motion: bool,
    cache: Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    sound: SoundSpec | None = None,
) -> StoredVideos:
    """The store of these rows, made where it is not there yet.

    Args:
        manifest: names the files.
        rows: which of its videos.
        short_side: pixels of the frames' shorter side.
        motion: whether the motion is stored too.
        cache: the folder of the stores.
        workers: processes that decode.
        progress: is called with (videos done, videos).
        sound: the sound that is stored too: its rate, and how far it reaches beyond the video.

    Raises:
        StorageError: the disk is full, or the folder cannot be written; nothing half made is left.
        DataError: not one of the videos could be decoded.
    """
    key = store_key(manifest, rows, short_side, motion, sound)
    folder = cache / key
    wanted = _Wanted(manifest, short_side, motion, max(1, workers), progress, sound)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        clear(cache)
        with _locked(cache / f".{key}.lock"):
            entries = _read_index(folder)
            if entries is None:
                entries = _build(folder, cache / f"{under_way(key)}{SUFFIX}", rows, wanted)
            else:
                entries = _mend(folder, entries, wanted)
    except OSError as error:
        raise storage_error(folder, error) from error
    return StoredVideos(folder, motion, entries)


@dataclass(frozen=True)
class _Wanted:
    """What a store is made of and how; see :func:`build_store`."""

    manifest: Manifest
    short_side: int
    motion: bool
    workers: int
    progress: Callable[[int, int], None] | None
    sound: SoundSpec | None


def _build(folder: Path, part: Path, rows: Sequence[int], wanted: _Wanted) -> dict[int, Entry]:
    """Makes the whole store, in place of what is left of a damaged one."""
    require_root(wanted.manifest.root, "videos")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        entries = _decode(part, rows, 0, wanted)
        if all(entry.failed for entry in entries.values()):
            row = min(entries)
            raise DataError(
                f"None of the {len(entries)} videos could be decoded; '{wanted.manifest.videos[row].path}': "
                f"{entries[row].failed}."
            )
        _write_index(part, entries)
        if folder.exists():
            log.warning("The cache '%s' had no sound index and was made again.", folder)
            shutil.rmtree(folder)
        os.replace(part, folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return entries


def _mend(folder: Path, entries: dict[int, Entry], wanted: _Wanted) -> dict[int, Entry]:
    """Decodes again what is damaged in a store, and what failed for a passing reason, into further flat files.

    Files that are there stay as they are: other processes may have them mapped.
    """
    stored = StoredVideos(folder, wanted.motion, entries)
    damaged = [row for row, entry in entries.items() if not entry.failed and not stored.intact(entry)]
    again = sorted({*damaged, *(row for row, entry in entries.items() if entry.failed and entry.passing)})
    if not again:
        return entries
    if damaged:
        names = ", ".join(f"'{wanted.manifest.videos[row].path}'" for row in damaged[:3])
        log.warning(
            "The cache '%s' was damaged in %d of %d videos (%s%s); they are decoded again.",
            folder,
            len(damaged),
            len(entries),
            names,
            ", …" if len(damaged) > 3 else "",
        )
    first = 1 + max(int(file.stem) for file in folder.glob("*.rgb")) if any(folder.glob("*.rgb")) else 0
    entries = entries | _decode(folder, again, first, wanted)
    _write_index(folder, entries)
    return entries


def _decode(folder: Path, rows: Sequence[int], first: int, wanted: _Wanted) -> dict[int, Entry]:
    """Decodes videos into flat files of a folder, numbered from ``first``, which are on the disk when it returns."""
    manifest, sound = wanted.manifest, wanted.sound
    jobs: list[Job] = []
    for row in rows:
        video = manifest.videos[row]
        job = {"row": row, "path": str(manifest.file(row).absolute()), "size": video.size, "mtime_ns": video.mtime_ns}
        if sound is not None:
            start, samples = whole_stretch(video, sound)
            facts = {"path": video.path, "health": video.health, "duration": video.duration}
            job["sound"] = {"rate": sound.rate, "first": start, "samples": samples, "video": facts}
        jobs.append(job)
    numbers = range(first, first + wanted.workers)
    flags = [str(wanted.short_side), str(int(wanted.motion)), str(int(sound is not None))]
    arguments = [[str(folder), str(number), *flags] for number in numbers]

    def crashed(job: Job, reason: str) -> Job:
        return asdict(Entry(row=job["row"], failed=reason, passing=may_pass(reason)))

    entries: dict[int, Entry] = {}
    for _, answer in run_jobs("kinema.data.clips.store_worker", arguments, jobs, crashed):
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]))
        entries[answer["row"]] = shaped(answer, Entry, "an answer", error=DataError)
        if wanted.progress is not None:
            wanted.progress(len(entries), len(jobs))
    for number in numbers:
        for file in folder.glob(f"{number}.*"):
            sync_file(file)
    return entries


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock between processes, where the system has them."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open_plain(path, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
