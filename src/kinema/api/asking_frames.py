"""The frames of a video that is asked about, as features: stored ones beside it, or made by the run that is known."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.api.features import features
from kinema.api.models import load
from kinema.core.errors import DataError, KinemaError, UsageError
from kinema.core.progress import Shown
from kinema.data.clips.reader import Model
from kinema.data.pairs.reader import PairReader
from kinema.data.questions.frames import ABOUT, features_about, frame_times, rate_of
from kinema.data.sequences.files import open_features
from kinema.data.video.manifest import Manifest, Video
from kinema.exporting import is_export

DECIDES = ("weights", "view", "clip")
"""What features.json says of the encoder; features are compared by it."""

_SLACK = 1.5
"""Seconds by which features may be longer or shorter than their video: ends are rounded up to a frame."""


@dataclass(frozen=True)
class Frames:
    """The frames of a video.

    Args:
        features: float32 [F, D].
        times: float32 [F], the middle of each in seconds.
        origin: the file that holds them, or the run that made them.
    """

    features: NDArray[np.float32]
    times: NDArray[np.float32]
    origin: str


def stored_frames(path: Path, width: int, duration: float, learnt: Mapping[str, Any]) -> Frames:
    """Stored features of a video.

    Args:
        path: of the file, float [F, D]; a features.json beside it says how many frames a second there are.
        width: D, which the run takes.
        duration: seconds of the video.
        learnt: what features.json said of the features that the run learnt on.

    Raises:
        DataError: it cannot be read or holds what is no finite number, is of another width, of another encoder, or
            of a video of another length.
    """
    found = np.asarray(open_features(path), np.float32)
    hint = f"Take '{path.name}' away, and features are made; or make it again: kinema features RUN DATA"
    if not len(found) or not np.isfinite(found).all():
        raise DataError(f"The features in '{path}' are empty, or hold what is no finite number.", hint)
    if found.shape[1] != width:
        raise DataError(f"The features in '{path}' have {found.shape[1]} numbers a frame, the run takes {width}.", hint)
    about = features_about(path.parent)
    differs = [key for key in ("weights", "view") if key in about and key in learnt and about[key] != learnt[key]]
    if differs:
        raise DataError(
            f"The features in '{path}' were made by another encoder than those that the run learnt on.", hint
        )
    rate = rate_of(about if about.get("frames_a_second") else learnt, 0.0, path.parent)
    if abs(len(found) / rate - duration) > max(_SLACK, 1.5 / rate):
        raise DataError(
            f"The features in '{path}' are of {len(found) / rate:.1f} s, at {rate:g} frames a second, and the video "
            f"has {duration:.1f} s.",
            hint,
        )
    return Frames(found, frame_times(len(found), rate), str(path))


def encoder_of(
    given: str | PathLike[str] | Model | PairReader | None, learnt: Mapping[str, Any], width: int, home: Path | None
) -> tuple[Model | PairReader, str] | str:
    """The encoder that makes features as the run learnt with, and where it lies; or why there is none, as a sentence.

    Args:
        given: the run, or its model, that a user names.
        learnt: what features.json said of the features that the run learnt on.
        width: D, which the run takes.
        home: the run's folder, for a path that is given relative to it.

    Raises:
        UsageError: the run that a user names gives features of another width.
        RunError: there is no such run.
        DataError: the run that made the features has other weights now.
    """
    if given is not None:
        model = load(given) if isinstance(given, str | PathLike) else given
        place: str | PathLike[str] = given if isinstance(given, str | PathLike) else given.run or given.name
        if not isinstance(model, Model | PairReader):
            raise UsageError(f"The run '{place}' makes no features of videos.", "Name a run on clips.")
    else:
        named = learnt.get("run")
        if not isinstance(named, str) or not named:
            return "nothing says which run made the features that it learnt on"
        found = next(
            (path for path in _places(named, home) if is_export(path) or (path / "recipe.json").is_file()), None
        )
        if found is None:
            return f"the run '{named}', which made the features that it learnt on, is not there"
        try:
            model = load(found, view=learnt.get("view"))
        except KinemaError as error:
            return f"the run '{named}' cannot be used: {error.message.rstrip('.')}"
        place = found
    if model.dim != width:
        raise UsageError(
            f"The run '{place}' gives features of {model.dim} numbers, and {width} were learnt with.",
            "Name the run that made the features of the training data: --features_run RUN",
        )
    return model, str(place)


def made_frames(
    model: Model | PairReader,
    file: Path,
    facts: Video,
    learnt: Mapping[str, Any],
    rate: float,
    *,
    device: str | None,
    console: Shown,
) -> NDArray[np.float32]:
    """Features of a video's frames, float32 [F, D], as ``kinema features`` makes them.

    Args:
        model: the encoder.
        file: the video.
        facts: what a scan says of it.
        learnt: what features.json said of the features that the run learnt on.
        rate: frames a second.
        device: where to compute.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Raises:
        DataError: the video cannot be read to its end, or the encoder is not the one of the features learnt on.
    """
    with tempfile.TemporaryDirectory(prefix="kinema-ask-") as folder:
        manifest = Manifest(file.absolute().parent, (facts,))
        done = features(model, manifest, out=folder, rate=rate, device=device, console=console)
        _check_same(
            done.about,
            learnt,
            f"The run '{model.run or model.name}' is not as it was when it made the features of the training data: "
            "{differs}.",
            "Name the run that made them: --features_run RUN. Or make features again, and train on those.",
        )
        found: NDArray[np.float32] = np.load(next(Path(folder).rglob("*.npy")))
    return found


def _check_same(about: Mapping[str, Any], learnt: Mapping[str, Any], said: str, hint: str) -> None:
    """Refuses features of another encoder than that of the features that were learnt on.

    Args:
        about: what is known of the features.
        learnt: what features.json said of those that were learnt on.
        said: the message; what differs is put in.
        hint: what to do about it.

    Raises:
        DataError: they are.
    """
    differs = [key for key in DECIDES if about.get(key) and learnt.get(key) and about[key] != learnt[key]]
    if differs:
        raise DataError(said.format(differs=f"{' and '.join(differs)} differ"), hint)


def rate_learnt(learnt: Mapping[str, Any], usual: float) -> float:
    """Frames a second that the run learnt with.

    Args:
        learnt: what features.json said of the features that it learnt on.
        usual: what the run's settings say; 0 for nothing.
    """
    found = learnt.get("frames_a_second")
    if isinstance(found, int | float) and 0 < found < math.inf:
        return float(found)
    return usual or 1.0


def learnt_about(run: Path | None) -> Mapping[str, Any]:
    """What features.json said of the features that a run learnt on, as the run keeps it; empty where it keeps nothing.

    Args:
        run: its folder.

    Raises:
        DataError: it is damaged.
    """
    return {} if run is None or not (run / ABOUT).is_file() else features_about(run)


def _places(named: str, home: Path | None) -> list[Path]:
    """Where a run may be that a file names: as it is written, and seen from the run that learnt on it."""
    path = Path(named)
    if path.is_absolute() or home is None:
        return [path]
    return [path, home.parent / path, home.parent / path.name]
