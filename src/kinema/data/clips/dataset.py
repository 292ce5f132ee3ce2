"""From requests to batches: the data set that a loader reads, and how clips of several sizes become one batch."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from kinema.core.clips import MotionField, RawClips, RawCompanions, Waveform
from kinema.core.errors import DataError, RunError, VideoError
from kinema.core.files import open_plain, storage_error
from kinema.core.reading import parse_json, shaped
from kinema.data.clips.companions import NOWHERE
from kinema.data.clips.sampler import NO_ROOM, ClipRequest
from kinema.data.clips.store import ClipStore, Windows
from kinema.data.video.keyframe import nearest_keyframe

PADDING = 2.0
"""How many times the room of its pictures a batch may take by padding: more is split where batches may be, and named
where they may not."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """Windows of one video with what the manifest says of it.

    Args:
        windows: frames and motion.
        index: the row that was read, not always the requested one.
        source: id of the recording.
        label: id of the class, or -1.
        elsewhere: whether the last window is the requested one from elsewhere; False where the video has no room for
            one and another window is in its place, None where none was requested.
    """

    windows: Windows
    index: int
    source: int
    label: int
    elsewhere: bool | None = None

    def still(self) -> Clip:
        """One window without motion: the mean picture of all windows, repeated, and without sound."""
        return StillSum.of(self).clip()


@dataclass(frozen=True)
class StillSum:
    """The pictures of a video's windows, added up as they come: all that its still one needs.

    Sums of whole numbers below 2 ** 53 are exact, in whatever parts they come.

    Args:
        last: the windows that came last.
        total: float64 [H, W, 3], the sum of all pictures.
        count: how many.
    """

    last: Clip
    total: NDArray[np.float64]
    count: int

    @classmethod
    def of(cls, clip: Clip) -> StillSum:
        """Of the first windows."""
        frames = clip.windows.frames
        return cls(clip, frames.sum(axis=(0, 1), dtype=np.float64), frames.shape[0] * frames.shape[1])

    def added(self, clip: Clip) -> StillSum:
        """With further windows."""
        new = StillSum.of(clip)
        return StillSum(clip, self.total + new.total, self.count + new.count)

    def clip(self) -> Clip:
        """One window without motion: the mean picture of all windows, repeated, and without sound."""
        mean, windows = np.rint(self.total / self.count).astype(np.uint8), self.last.windows
        held = Windows(
            np.repeat(mean[None, None], windows.frames.shape[1], axis=1),
            None if windows.motion is None else np.zeros_like(windows.motion[:1]),
            None if windows.motion_valid is None else np.ones_like(windows.motion_valid[:1]),
        )
        return replace(self.last, windows=held)


class _Failure(TypedDict):
    """A line of the ledger."""

    row: int
    path: str
    reason: str


class ClipDataset(Dataset[Clip]):
    """Answers a :class:`ClipRequest` with a :class:`Clip`; for a ``DataLoader`` with a sampler of batches.

    A video that cannot be read is named in a warning once, and the next readable row takes its place. Above the budget
    the job ends.

    Args:
        store: reads the windows.
        failures_allowed: the fraction of the videos that may turn out broken.
        ledger: a file to which every broken video is added, a line of JSON each; the processes that load share it, and
            so count together, also what an earlier part of a resumed job found.
        motion: whether the clips are to have their motion; by default where the store has it.
        sound: whether they are to have their sound; by default where the store has it.
    """

    def __init__(
        self,
        store: ClipStore,
        *,
        failures_allowed: float = 0.01,
        ledger: Path | None = None,
        motion: bool | None = None,
        sound: bool | None = None,
    ) -> None:
        self.store = store
        self._motion, self._sound = motion, sound
        self._ledger = ledger
        self.failures: dict[int, str] = {}
        """Rows that could not be read, with the reason."""
        self._rows = sorted(store.frames)
        self._budget = int(len(self._rows) * failures_allowed)
        self._labels = store.manifest.label_ids()
        self._sources = store.manifest.source_ids()
        self._heed_ledger()
        for row, reason in store.failures.items():
            if row not in self.failures:
                self._fail(row, f"'{store.manifest.videos[row].path}': {reason}")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, request: ClipRequest) -> Clip:
        """The requested windows.

        Raises:
            DataError: more videos than allowed could not be read, or none.
        """
        for current in self._readable(request):
            row = current.video
            try:
                windows = self.store.read(
                    row,
                    current.windows,
                    motion=self._motion,
                    keyframe=current.keyframe,
                    motion_starts=current.motion_starts,
                    motion_frames=current.motion_frames,
                    sound=self._sound,
                )
            except VideoError as error:
                self._fail(row, error.message)
                continue
            found = None if current.elsewhere is None else current.elsewhere != NO_ROOM
            return Clip(windows, row, self._sources[row], self._labels[row], found)
        raise AssertionError("there is always a next row, or an error of too many failures")

    def parts(self, request: ClipRequest, most: int) -> Iterator[Clip | None]:
        """The requested windows of one video, ``most`` at a time; for videos that are longer than a batch.

        Args:
            request: windows in ascending order and nothing beside them.
            most: windows of a clip.

        Yields:
            Clips; None where the video could not be read to its end after all. What was given of it is then to be
            forgotten, and the windows of the next readable row follow.

        Raises:
            DataError: more videos than allowed could not be read, or none.
        """
        for current in self._readable(request):
            row = current.video
            try:
                for windows in self.store.read_parts(row, current.starts, most, motion=self._motion, sound=self._sound):
                    yield Clip(windows, row, self._sources[row], self._labels[row])
                return
            except VideoError as error:
                self._fail(row, error.message)
                yield None

    def _readable(self, request: ClipRequest) -> Iterator[ClipRequest]:
        """The request, and the same of the next rows, without end and without rows that have failed by then."""
        current = request
        while True:
            if current.video not in self.failures:
                yield current
            current = self._moved(request, self._next(current.video))

    def _next(self, row: int) -> int:
        return self._rows[(self._rows.index(row) + 1) % len(self._rows)]

    def _moved(self, request: ClipRequest, row: int) -> ClipRequest:
        """The same request of another video: earlier where that is shorter, all windows and motion clips together."""
        frames = self.store.frames[row]
        starts = tuple(min(start, max(0, frames - self.store.spec.span)) for start in request.starts)
        earlier = request.starts[0] - starts[0]
        motion_starts = tuple(
            first - earlier if first > earlier and first - earlier + request.motion_frames <= frames else NOWHERE
            for first in request.motion_starts
        )
        keyframe = request.keyframe
        if keyframe is not None:
            known = [number for number in self.store.manifest.videos[row].keyframes if number < frames]
            keyframe = nearest_keyframe(known or [starts[0]], keyframe - earlier)
        elsewhere = None if request.elsewhere is None else NO_ROOM
        return replace(
            request, video=row, starts=starts, elsewhere=elsewhere, keyframe=keyframe, motion_starts=motion_starts
        )

    def _fail(self, row: int, reason: str) -> None:
        self.failures[row] = reason
        log.warning("A video could not be read and is replaced by the next one. %s", reason)
        self._heed_ledger()
        if self._ledger is not None:
            line = json.dumps({"row": row, "path": self.store.manifest.videos[row].path, "reason": reason})
            try:
                self._ledger.parent.mkdir(parents=True, exist_ok=True)
                with open_plain(self._ledger, "ab") as file:
                    file.write(f"{line}\n".encode())
            except OSError as error:
                raise storage_error(self._ledger, error) from error
        if len(self.failures) > self._budget or len(self.failures) == len(self._rows):
            allowed = f"; {self._budget} are allowed" if len(self.failures) < len(self._rows) else ", so none is left"
            where = "" if self._ledger is None else f" '{self._ledger}' lists them."
            raise DataError(
                f"{len(self.failures)} of {len(self._rows)} videos could not be read{allowed}. "
                f"The last: {reason}{where}",
                "`kinema scan VIDEOS` names every broken file; take them out, or scan again if they have changed.",
            )

    def _heed_ledger(self) -> None:
        """Reads the failures of other processes, or of an earlier part of the job, from the ledger."""
        if self._ledger is None or not self._ledger.is_file():
            return
        for line in self._ledger.read_text(encoding="utf-8").splitlines():
            try:
                record = shaped(parse_json(line), _Failure, "a line")
            except (ValueError, RunError):  # the last line of a process that was killed; what is missing is found anew
                continue
            row, path = record["row"], record["path"]
            if 0 <= row < len(self._labels) and self.store.manifest.videos[row].path == path:
                self.failures.setdefault(row, record["reason"])


def collate(clips: Sequence[Clip]) -> RawClips:
    """Clips as one batch, padded with zeros at the bottom and right to the largest of them.

    Args:
        clips: with equal numbers of windows and frames and equal companions; of any size.
    """
    windows = [clip.windows for clip in clips]
    frames, extent = _padded([each.frames for each in windows])
    elsewhere = [clip.elsewhere for clip in clips if clip.elsewhere is not None]
    return RawClips(
        frames=frames,
        extent=extent,
        index=torch.tensor([clip.index for clip in clips]),
        source=torch.tensor([clip.source for clip in clips]),
        label=torch.tensor([clip.label for clip in clips]),
        elsewhere=torch.tensor(elsewhere) if elsewhere else None,
        motion=_padded_motion([(each.motion, each.motion_valid) for each in windows]),
        sound=_stacked_sound(windows),
        companions=_padded_companions(windows),
    )


def padding(sizes: Sequence[tuple[int, int]]) -> float:
    """How many times the room of its pictures a batch takes, padded to the largest height and width.

    Args:
        sizes: (height, width) of each clip.
    """
    each = max(height for height, _ in sizes) * max(width for _, width in sizes)
    return each * len(sizes) / sum(height * width for height, width in sizes)


def _padded_companions(windows: Sequence[Windows]) -> RawCompanions | None:
    stills = [each.keyframe[None, None] for each in windows if each.keyframe is not None]
    keyframe = _padded(stills)[0][:, 0, 0] if stills else None
    motion = _padded_motion([(each.motion_clips, each.motion_clips_valid) for each in windows])
    return None if keyframe is None and motion is None else RawCompanions(keyframe, motion)


def _stacked_sound(windows: Sequence[Windows]) -> Waveform | None:
    sounds = [each.sound for each in windows if each.sound is not None]
    covered = [each.sound_valid for each in windows if each.sound_valid is not None]
    return Waveform(torch.from_numpy(np.stack(sounds)), torch.from_numpy(np.stack(covered))) if sounds else None


def _padded_motion(
    pairs: Sequence[tuple[NDArray[np.float32] | None, NDArray[np.bool_] | None]],
) -> MotionField | None:
    """Fields with their masks, joined to one; None where there are none."""
    fields = [field for field, _ in pairs if field is not None]
    masks = [mask[..., None] for _, mask in pairs if mask is not None]
    if not fields:
        return None
    values, extent = _padded(fields)
    return MotionField(values, _padded(masks)[0][..., 0], extent)


def _padded(arrays: Sequence[NDArray[np.generic]]) -> tuple[Tensor, Tensor]:
    """Arrays [V, T, H, W, C] as one [B, V, T, H, W, C], and each one's (H, W)."""
    extent = [(array.shape[2], array.shape[3]) for array in arrays]
    height, width = max(h for h, _ in extent), max(w for _, w in extent)
    v, t, _, _, c = arrays[0].shape
    joined = np.zeros((len(arrays), v, t, height, width, c), dtype=arrays[0].dtype)
    for row, array in enumerate(arrays):
        joined[row, :, :, : array.shape[2], : array.shape[3]] = array
    return torch.from_numpy(joined), torch.tensor(extent)
