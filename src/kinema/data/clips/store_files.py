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
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.core.files import open_plain, storage_error, write_json
from kinema.data.video.hearing import whole_stretch
from kinema.data.video.manifest import Manifest
from kinema.data.workers import Job, run_jobs

if TYPE_CHECKING:  # the store's workers import this module, and need no torch
    from kinema.core.clips import SoundSpec

UNKNOWN = -32768
"""Both components of a stored motion where the stream has none."""
_FORMAT = 2


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


class StoredVideos:
    """A finished store, mapped into memory when it is first read; may be pickled and forked."""

    def __init__(self, folder: Path, with_motion: bool) -> None:
        self._folder = folder
        self._with_motion = with_motion
        listed = json.loads((folder / "index.json").read_text(encoding="utf-8"))["videos"]
        self.entries: Mapping[int, Entry] = {item["row"]: _entry(item) for item in listed}
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

    def _slice(self, name: str, at: int, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
        if name not in self._maps:
            self._maps[name] = np.asarray(np.memmap(self._folder / name, dtype=np.uint8, mode="r"))
        size = math.prod(shape) * np.dtype(kind).itemsize
        piece: NDArray[Any] = self._maps[name][at : at + size].view(kind).reshape(shape)
        return piece


def _entry(item: Mapping[str, Any]) -> Entry:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    return Entry(**values)


def store_key(
    manifest: Manifest, rows: Sequence[int], short_side: int, motion: bool, sound: SoundSpec | None = None
) -> str:
    """The name of a store's folder: a digest of the files, their state, the size and whether motion and sound are."""
    files = [(row, v.path, v.size, v.mtime_ns, v.health) for row in rows for v in (manifest.videos[row],)]
    content = [_FORMAT, str(manifest.root.resolve()), short_side, motion, files]
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
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f".{key}.lock"):
            if not (folder / "index.json").is_file():
                part = cache / f".{key}.part"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                try:
                    _fill(part, manifest, rows, short_side, motion, workers, progress, sound)
                    os.replace(part, folder)
                finally:
                    shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    return StoredVideos(folder, motion)


def _fill(
    part: Path,
    manifest: Manifest,
    rows: Sequence[int],
    short_side: int,
    motion: bool,
    workers: int,
    progress: Callable[[int, int], None] | None,
    sound: SoundSpec | None,
) -> None:
    jobs: list[Job] = [{"row": row, "path": str(manifest.file(row).absolute())} for row in rows]
    for job in jobs if sound is not None else ():
        assert sound is not None
        video = manifest.videos[job["row"]]
        first, samples = whole_stretch(video, sound)
        facts = {"path": video.path, "health": video.health, "duration": video.duration}
        job["sound"] = {"rate": sound.rate, "first": first, "samples": samples, "video": facts}
    arguments = [
        [str(part), str(n), str(short_side), str(int(motion)), str(int(sound is not None))]
        for n in range(max(1, workers))
    ]

    def crashed(job: Job, reason: str) -> Job:
        return asdict(Entry(row=job["row"], failed=reason))

    entries: list[Job] = []
    for _, answer in run_jobs("kinema.data.clips.store_worker", arguments, jobs, crashed):
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]))
        entries.append(answer)
        if progress is not None:
            progress(len(entries), len(jobs))
    if all(entry["failed"] for entry in entries):
        row = entries[0]["row"]
        raise DataError(
            f"None of the {len(entries)} videos could be decoded; '{manifest.videos[row].path}': "
            f"{entries[0]['failed']}."
        )
    write_json(part / "index.json", {"videos": sorted(entries, key=lambda entry: int(entry["row"]))})


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
