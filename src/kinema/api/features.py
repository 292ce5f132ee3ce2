"""The Python face of ``kinema features``: what an encoder sees of videos, so many times a second, as files.

    OUT/features.json    frames_a_second, run, weights, encoder, view, dim
    OUT/VIDEO.npy        float32 [F, dim]; frame f is what is seen around second (f + .5) / frames_a_second

These are the features that data of questions have beside them (:mod:`kinema.data.questions`). An encoder of clips gives
the feature of the clip around that moment, an encoder of pictures that of the frame that is shown then.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.api.models import load
from kinema.api.opening import Data, open_named
from kinema.core.devices import chosen_device
from kinema.core.errors import DataError, StorageError, UsageError, VideoError
from kinema.core.files import storage_error, write_atomic, write_json
from kinema.core.lock import LOCK, held
from kinema.core.progress import Progress, Shown, Steps
from kinema.core.reading import load_json
from kinema.data.clips.reader import Model
from kinema.data.pairs.reader import PairReader
from kinema.data.pairs.table import Pair, Pairs
from kinema.data.video.files import claims_video
from kinema.data.video.manifest import Manifest, Video
from kinema.data.video.scanning import read_videos
from kinema.data.video.timeline import Timeline
from kinema.searching.encode import weights_digest
from kinema.segmenting.features import FeatureSettings, Moments, check_rate, encode_moments, finite

log = logging.getLogger(__name__)

ABOUT = "features.json"
"""What is known of a folder of features."""

_DECIDES = ("frames_a_second", "weights", "view", "clip", "dim")
"""What in it decides the values."""

_QUESTIONS, _VIDEOS, _FEATURES = "questions.jsonl", "videos", "features"

Encode = Callable[[Path, Video, Timeline, Moments], NDArray[np.float32]]


@dataclass(frozen=True)
class MadeFeatures:
    """What :func:`features` did.

    Args:
        out: the folder of the features.
        about: what its ``features.json`` says.
        made: videos whose features were made.
        kept: videos whose features were there.
        failed: why the others have none, by the video's path.
        seconds: how long it took.
    """

    out: Path
    about: Mapping[str, Any]
    made: int
    kept: int
    failed: Mapping[str, str]
    seconds: float

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "out": str(self.out)}


def features(
    run: str | PathLike[str] | Model | PairReader,
    data: Data,
    *,
    out: str | Path | None = None,
    rate: float = 4.0,
    view: str | None = None,
    untrained: bool = False,
    batch_size: int = 32,
    device: str | None = None,
    console: Shown = None,
) -> MadeFeatures:
    """Writes features of videos, a file a video. What the same encoder made before at the same rate is kept.

    Args:
        run: a run on clips, or one that has an encoder of pictures (dcvh); or its model.
        data: a folder with ``videos/``, for instance one of questions, or its ``questions.jsonl``; any folder of
            videos, one video, or a manifest.
        out: the folder of the features; ``features`` beside ``videos/``, or in the folder of videos.
        rate: frames a second.
        view: which view's encoder of a run; by default the one it is for, of a run on pairs 'image'.
        untrained: use the encoder as it was before training, to compare with.
        batch_size: clips or pictures at a time.
        device: where to compute; a GPU where there is one, by default.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Raises:
        UsageError: the run reads no videos, or the rate is out of range.
        DataError: there are features of another encoder or rate; two videos have one name; no video can be read.
        StorageError: a file cannot be written, or another process is at it.
    """
    began = time.monotonic()
    chosen_device(device)
    check_rate(rate)
    if batch_size < 1:
        raise UsageError(f"batch_size is {batch_size}; it must be at least 1.")
    about, encode = _encoder(run, rate, view, untrained, batch_size, device)
    manifest, home = _opened(data)
    folder = home / _FEATURES if out is None else Path(out)
    names = _names(manifest)
    with held(folder / LOCK, lambda who: _taken(folder, who)):
        _claim(folder, about)
        work = _Work(manifest, folder, names, rate, int(about["dim"]), encode)
        with Steps("features", console) as progress:
            made, kept, failed = work.run(progress)
    for path, reason in failed.items():
        log.warning("'%s' has no features: %s.", path, reason)
    if not made + kept:
        raise DataError(f"None of the {len(manifest)} videos can be read.", next(iter(failed.values()), ""))
    return MadeFeatures(folder, about, made, kept, failed, time.monotonic() - began)


def _taken(folder: Path, who: str) -> StorageError:
    return StorageError(
        f"Another process (number {who}) is making features in '{folder}'; nothing was changed.",
        "Wait until it has ended, or choose another folder with --out.",
    )


def _encoder(
    run: str | PathLike[str] | Model | PairReader,
    rate: float,
    view: str | None,
    untrained: bool,
    batch_size: int,
    device: str | None,
) -> tuple[dict[str, Any], Encode]:
    """What ``features.json`` says, and what encodes the moments of a video.

    Raises:
        UsageError: the run reads no videos.
    """
    model = run if isinstance(run, Model | PairReader) else load(run, view=view, untrained=untrained)
    named = str(model.run or "") if isinstance(run, Model | PairReader) else str(run)
    about: dict[str, Any] = {"frames_a_second": rate, "run": named}
    if isinstance(model, Model):
        settings = FeatureSettings.of(model, rate)
        about |= {"weights": settings.weights, "encoder": model.name, "view": model.view, "dim": model.dim}
        about |= {"clip": json.loads(json.dumps(settings.clip))}
        return about, _of_clips(model, batch_size, device)
    if isinstance(model, PairReader) and "image" in model.views and view in (None, "image"):
        if model.towers["image"].takes[0] == "features":
            raise UsageError(f"The run '{named}' takes stored vectors as pictures, and these are videos.")
        about |= {"weights": weights_digest(model.towers["image"]), "encoder": model.name, "view": "image"}
        about |= {"dim": model.dim, "clip": None}
        return about, _of_pictures(model, batch_size, device)
    raise UsageError(
        f"The run '{named}' has no encoder of clips or of pictures; it reads {getattr(model, 'unit', 'other data')}.",
        "Pretrain one on the videos: kinema pretrain moco VIDEOS --out RUN",
    )


def _of_clips(model: Model, batch_size: int, device: str | None) -> Encode:
    def encode(file: Path, video: Video, line: Timeline, moments: Moments) -> NDArray[np.float32]:
        clips = moments.clips(line, model.clip.span)
        return encode_moments(model, file, video, clips, batch_size=batch_size, device=device)

    return encode


def _of_pictures(model: PairReader, batch_size: int, device: str | None) -> Encode:
    def encode(file: Path, video: Video, line: Timeline, moments: Moments) -> NDArray[np.float32]:
        last = max(0.0, line.duration - 0.5 / line.fps)
        middles = [min(middle, last) for middle in moments.middles]
        rows = tuple(Pair(f"{number}", image=file.name, at=at) for number, at in enumerate(middles))
        table = Pairs(file.parent, rows)
        return finite(model.features(table, "image", device=device, batch_size=batch_size), video.path)

    return encode


def _opened(data: Data) -> tuple[Manifest, Path]:
    """The videos, and the folder in which ``features`` lies."""
    if isinstance(data, Manifest):
        return data, data.root
    place = Path(data)
    if place.name == _QUESTIONS and place.is_file():
        place = place.parent
    if place.is_file() and claims_video(str(place)):
        file = place.resolve()
        return Manifest(file.parent, tuple(read_videos(file.parent, [file.name], workers=1))), file.parent
    if (place / _VIDEOS).is_dir():
        return open_named(place / _VIDEOS), place
    manifest = open_named(data)
    if place.name == _VIDEOS and (place.parent / _QUESTIONS).is_file():
        return manifest, place.parent
    return manifest, place if place.is_dir() else manifest.root


def _names(manifest: Manifest) -> dict[str, str]:
    """The name of each video's features: its path without the ending.

    Raises:
        DataError: two have one.
    """
    names = {video.path: str(PurePosixPath(video.path).with_suffix("")) for video in manifest.videos}
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        both = " and ".join(f"'{path}'" for path, name in names.items() if name == twice[0])
        raise DataError(f"{both} have one name, and their features would be one file.", "Rename one of them.")
    return names


def _claim(folder: Path, about: Mapping[str, Any]) -> None:
    """Writes ``features.json``, or checks that what is there was made by the same encoder at the same rate.

    Raises:
        DataError: it was not, or nothing says how.
        StorageError: the folder cannot be written.
    """
    try:
        found = load_json(folder / ABOUT) if (folder / ABOUT).exists() else None
        stray = next((each.name for each in folder.rglob("*.npy")), None)
    except (OSError, ValueError) as error:
        raise DataError(f"'{folder / ABOUT}' cannot be read: {error}.", "Take the folder away.") from error
    hint = "Choose another folder with --out, or take this one away."
    if found is None and stray is not None:
        raise DataError(f"'{folder}' holds features ('{stray}') and no {ABOUT} that says how they were made.", hint)
    if stray is not None:
        known = found if isinstance(found, dict) else {}
        other = [key for key in _DECIDES if known.get(key) != about[key]]
        if other:
            told = ", ".join(f"{key} {_short(known.get(key))} instead of {_short(about[key])}" for key in other)
            raise DataError(f"'{folder}' holds features that were made otherwise: {told}.", hint)
    write_json(folder / ABOUT, about)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 20 else f"{text[:12]}…"


@dataclass(frozen=True)
class _Work:
    """The videos whose features are to be made.

    Args:
        manifest: the videos.
        folder: where the features go.
        names: of each video's features, by its path.
        rate: frames a second.
        dim: of a feature.
        encode: gives the features of a video's moments.
    """

    manifest: Manifest
    folder: Path
    names: Mapping[str, str]
    rate: float
    dim: int
    encode: Encode

    def run(self, progress: Progress) -> tuple[int, int, dict[str, str]]:
        """Makes what is not there; how many were made and kept, and why others could not be."""
        made, kept, failed = 0, 0, dict[str, str]()
        for row, video in enumerate(self.manifest.videos):
            try:
                fresh = self._video(self.manifest.file(row), video)
                made, kept = made + fresh, kept + (not fresh)
            except (VideoError, DataError) as error:
                failed[video.path] = error.message.rstrip(".")
            progress(row + 1, len(self.manifest))
        return made, kept, failed

    def _video(self, file: Path, video: Video) -> bool:
        """Makes the features of a video; whether they had to be made.

        Raises:
            VideoError: it cannot be read.
        """
        if video.health == "unreadable" or video.frames < 1:
            raise VideoError(video.reason or "it has no frames")
        line = Timeline.of(file, video)
        moments = Moments(self.rate, line.duration)
        path = self.folder / f"{self.names[video.path]}.npy"
        if self._is_made(path, file, len(moments)):
            return False
        encoded = np.ascontiguousarray(self.encode(file, video, line, moments), np.float32)
        write_atomic(path, lambda file: np.save(file, encoded))
        return True

    def _is_made(self, path: Path, file: Path, count: int) -> bool:
        """Whether a file holds the features of a video as it is now: no older than it, and of its length."""
        try:
            if path.stat().st_mtime_ns < file.stat().st_mtime_ns:
                return False
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            return False
        except (ValueError, EOFError):
            return False
        except OSError as error:
            raise storage_error(path, error) from error
        return bool(found.shape == (count, self.dim) and found.dtype == np.float32)
