"""What a user names as data, and the clips in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from kinema.api.copies import duplicates as duplicates
from kinema.core.method import TrainingContext
from kinema.core.progress import Steps as Steps
from kinema.data import ClipStore, Manifest, exports_motion, open_data
from kinema.protocols.fit import FitConfig as FitConfig
from kinema.protocols.parts import training_videos as training_videos
from kinema.training.phase import transform_of
from kinema.training.settings import Recipe
from kinema.training.trainer import build_method

Data = str | Path | Manifest
Progress = Callable[[int, int], None]


def cache_folder(named: str | Path | None = None) -> Path:
    """Where decoded videos are kept: what was named, $KINEMA_CACHE, or 'kinema' in the user's cache folder."""
    if named is None and not os.environ.get("KINEMA_CACHE"):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kinema"
    return Path(named if named is not None else os.environ["KINEMA_CACHE"])


def open_store(
    manifest: Manifest,
    recipe: Recipe,
    *,
    cache: str | Path | None = None,
    console: Console | None = None,
    keep: bool = True,
) -> ClipStore:
    """The clips of a manifest as a recipe wants them, decoded once; with motion where a phase or the view needs it.

    Without ``keep`` no cache is made, and clips are read from the files.
    """
    context = TrainingContext(len(manifest), 2)
    transforms = [transform_of(build_method(recipe, p, context), recipe, p) for p in recipe.phases]
    motion = any(transform.needs_motion for transform in transforms)
    with Steps("decoding", console) as progress:
        return ClipStore(
            manifest,
            recipe.clip,
            motion=motion or tells_motion(manifest),
            cache=cache_folder(cache) if keep else None,
            cache_bytes=int(recipe.cache_gib * 2**30),
            short_videos=recipe.short_videos,
            progress=progress,
            sound=recipe.sound if any(transform.needs_sound for transform in transforms) else None,
        )


def tells_motion(manifest: Manifest) -> bool:
    """Whether every video's codec exports motion vectors; they are then kept beside the frames."""
    return all(exports_motion(video.codec) for video in manifest.videos)


def open_named(data: Data) -> Manifest:
    """The manifest of what a user names as data."""
    return data if isinstance(data, Manifest) else open_data(data)


def named(data: Data) -> str:
    """The data as the user named it."""
    return str(data.root) if isinstance(data, Manifest) else str(data)
