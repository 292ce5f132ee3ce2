"""Features of footage at so many moments a second, by a trained encoder of clips: what its steps are found in.

Each video has a file ``features/PATH.npy``, float32 [T, dim], in the layout that ``kinema pretrain tot`` reads. Moment
i stands for the stretch from i / rate to (i + 1) / rate seconds on the video's own clock, and its feature is that of
the clip around the middle of it. Long videos are encoded part by part, and each part is kept: what was interrupted goes
on there, and no more than a few clips are in memory.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, UsageError, VideoError
from kinema.core.files import write_atomic, write_json
from kinema.core.ops import unit_parts
from kinema.core.reading import load_json
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Manifest, Video
from kinema.data.video.timeline import Timeline
from kinema.searching.audio import clip_chunks
from kinema.searching.encode import encoder_digest

FEATURES = "features"
PART = 1024
"""Moments that are encoded between two writings."""
LEAST, MOST = 0.05, 60.0
"""Moments a second that can be asked for."""

Progress = Callable[[int, int], None]


def check_rate(rate: float) -> None:
    """Raises a UsageError where so many moments a second cannot be asked for."""
    if not LEAST <= rate <= MOST:
        raise UsageError(f"rate is {rate:g}; it must be from {LEAST:g} to {MOST:g} moments a second.", "4 is usual.")


@dataclass(frozen=True)
class FeatureSettings:
    """What decides the features of a video.

    Args:
        weights: SHA-256 of the encoder's weights, in hexadecimal.
        view: what the encoder sees.
        clip: its clips, as plain values.
        rate: moments a second.
    """

    weights: str
    view: str
    clip: Mapping[str, Any]
    rate: float

    @classmethod
    def of(cls, model: Model, rate: float) -> FeatureSettings:
        """Those of an encoder.

        Raises:
            UsageError: it hears, or the rate is out of range.
        """
        if model.sound_spec is not None:
            raise UsageError(
                f"The encoder of '{model.run or model.name}' hears, and steps are found by what is seen.",
                "Choose a view that sees: --view rgb.",
            )
        check_rate(rate)
        return cls(encoder_digest(model), model.view, asdict(model.clip), rate)

    @property
    def key(self) -> str:
        """A short name of these settings."""
        plain = json.dumps({**asdict(self), "clip": dict(self.clip)}, sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Moments:
    """The moments of one video.

    Args:
        rate: of them, a second.
        duration: seconds of the video.
    """

    rate: float
    duration: float

    def __len__(self) -> int:
        return max(1, math.ceil(self.duration * self.rate - 1e-6))

    def start(self, moment: int) -> float:
        """When a moment's stretch begins, seconds; the end of the video where there is no such moment."""
        return min(moment / self.rate, self.duration)

    @property
    def middles(self) -> list[float]:
        """The middle of each moment's stretch, seconds; no later than the video's end."""
        return [min((i + 0.5) / self.rate, self.duration) for i in range(len(self))]

    def clips(self, line: Timeline, span: int) -> NDArray[np.int64]:
        """The first frame of each moment's clip, int64 [T]: it lies around the middle, within the video."""
        middles = [line.first_at(middle) for middle in self.middles]
        last = max(0, line.frames - span)
        return np.clip(np.array(middles, np.int64) - span // 2, 0, last)


def make_features(
    model: Model,
    manifest: Manifest,
    folder: Path,
    settings: FeatureSettings,
    *,
    batch_size: int = 32,
    device: str | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, Moments], dict[str, str]]:
    """Encodes the videos that have no features yet, or have changed since.

    Args:
        model: the encoder.
        manifest: the videos.
        folder: where ``features/`` lies.
        settings: of this encoder.
        batch_size: clips at a time.
        device: where to compute.
        progress: is called with (moments done, moments).

    Returns:
        The moments of each video by its path; and why the others have none.

    Raises:
        DataError: no video has features.
        StorageError: they cannot be written.
    """
    left_out = {video.path: video.reason or video.health for video in manifest.videos if video.health == "unreadable"}
    left_out |= {video.path: "it has no frames" for video in manifest.videos if video.frames < 1 and not video.reason}
    rows = [row for row, video in enumerate(manifest.videos) if video.path not in left_out]
    lines = {row: Timeline.of(manifest.file(row), manifest.videos[row]) for row in rows}
    moments = {row: Moments(settings.rate, lines[row].duration) for row in rows}
    whole, done = sum(map(len, moments.values())), 0
    found: dict[str, Moments] = {}
    for row in rows:
        video = manifest.videos[row]
        job = _Job(model, manifest.file(row), video, folder, settings, batch_size, device)
        try:
            for count in job.encode(moments[row].clips(lines[row], model.clip.span)):
                if progress is not None:
                    progress(done + count, whole)
            found[video.path] = moments[row]
        except (VideoError, DataError) as error:
            left_out[video.path] = error.message.rstrip(".")
        done += len(moments[row])
        if progress is not None:
            progress(done, whole)
    if not found:
        some = "; ".join(f"'{path}': {reason}" for path, reason in list(left_out.items())[:5])
        raise DataError(f"None of the {len(manifest)} videos can be segmented{': ' + some if some else ''}.")
    return found, left_out


def features_of(folder: Path, path: str) -> Path:
    """The file of a video's features."""
    return folder / FEATURES / f"{path}.npy"


@dataclass(frozen=True)
class _Job:
    """The encoding of one video."""

    model: Model
    file: Path
    video: Video
    folder: Path
    settings: FeatureSettings
    batch_size: int
    device: str | None

    @property
    def out(self) -> Path:
        return features_of(self.folder, self.video.path)

    def encode(self, clips: NDArray[np.int64]) -> Iterator[int]:
        """Encodes what is not there yet; gives how many moments are done, time after time.

        Raises:
            VideoError: the file cannot be read to its end, or the encoder gives no finite values.
        """
        facts = {"size": self.video.size, "mtime_ns": self.video.mtime_ns, "key": self.settings.key, "T": len(clips)}
        note = self.folder / "made" / f"{self.video.path}.json"
        if self.out.is_file() and _facts(note) == facts:
            yield len(clips)
            return
        parts = self.folder / "parts" / hashlib.sha256(json.dumps([self.video.path, facts]).encode()).hexdigest()[:20]
        each = PART if self.video.health == "ok" else len(clips)  # a damaged file is read from its beginning
        names = []
        for first in range(0, len(clips), each):
            part = parts / f"{first:09d}.npy"
            if not part.is_file():
                some = clips[first : first + each]
                encoded = encode_moments(
                    self.model, self.file, self.video, some, batch_size=self.batch_size, device=self.device
                )
                write_atomic(part, lambda file, encoded=encoded: np.save(file, encoded))  # type: ignore[misc]
            names.append(part)
            yield min(first + each, len(clips))
        joined = [np.load(part, mmap_mode="r") for part in names]
        write_atomic(self.out, lambda file: np.save(file, np.concatenate(joined)))
        write_json(note, facts)
        shutil.rmtree(parts, ignore_errors=True)  # with what a killed process left there


def encode_moments(
    model: Model,
    file: Path,
    video: Video,
    clips: NDArray[np.int64],
    *,
    batch_size: int = 32,
    device: str | None = None,
) -> NDArray[np.float32]:
    """The features of moments of one video, float32 [T, dim]; of several encoders side by side, each of one length.

    Args:
        model: the encoder.
        file: the video.
        video: its facts.
        clips: int64 [T], the first frame of each moment's clip; several moments may have the same.
        batch_size: clips at a time.
        device: where to compute.

    Raises:
        VideoError: the file cannot be read to its end, or the encoder gives no finite values.
    """
    starts, moments = np.unique(clips, return_inverse=True)
    found: dict[int, NDArray[np.float32]] = {}
    for chunk in clip_chunks(model, file, video, starts.tolist(), chunk=batch_size):
        if chunk.raw is not None:
            given = model.encode_clips(chunk.raw, device=device)
            given = given if len(model.parts) == 1 else unit_parts(given, model.parts)
            found |= dict(zip(chunk.starts, given.numpy(), strict=True))
    return finite(np.stack([found[int(start)] for start in starts])[moments], video.path)


def finite(encoded: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """The features, if all of them are finite.

    Args:
        encoded: of one video.
        name: its name.

    Raises:
        VideoError: one is not.
    """
    if not np.isfinite(encoded).all():
        raise VideoError(
            f"'{name}': the encoder gives features that are not finite.",
            "The encoder may have diverged: see the run's curves, `kinema report RUN`.",
        )
    return encoded


def _facts(note: Path) -> Any:
    """What a video's features were made of; None where that is not known."""
    try:
        return load_json(note)
    except (OSError, ValueError):
        return None
