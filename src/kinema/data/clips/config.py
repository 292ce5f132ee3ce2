"""Settings of clips as data: what a clip is, how clips are drawn and augmented, and how large the cache may be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from kinema.core.clips import SOUND, ClipNeeds, ClipSpec, SoundSpec
from kinema.core.errors import ConfigError, DataError
from kinema.data.clips.cost import unread
from kinema.data.clips.example import ClipExample
from kinema.data.clips.module import LoadedClips, transform_of
from kinema.data.clips.reader import Model
from kinema.data.clips.store import ClipStore, held_message
from kinema.data.clips.transforms import TransformConfig
from kinema.data.documents.kinds import kind_of
from kinema.data.layouts import open_data
from kinema.data.video.hearing import silent_message, with_sound
from kinema.data.video.manifest import Manifest
from kinema.data.video.motion import exports_motion
from kinema.data.video.rates import mixed_message

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipsConfig:
    """Clips of videos.

    Args:
        clip: what a clip is.
        transform: the augmentations.
        clips_per_video: clips a video an epoch.
        temporal: probability that the two variants of a clip are two windows of its video and not one.
        short_videos: what to do with videos shorter than a clip: 'repeat' holds their last frame, 'skip' leaves them
            out, 'error' refuses them.
        failure_budget: share of the videos that may fail to decode before the run stops.
        cache_gib: size up to which decoded videos are cached, memory-mapped; larger sets are decoded as needed.
        workers: processes that read clips beside the training; 0 reads in the training process.
        sound: the stretch of sound of a clip, for methods with the view 'sound'; in JSON only for them.
    """

    clip: ClipSpec = field(default_factory=ClipSpec)
    transform: TransformConfig = field(default_factory=TransformConfig)
    clips_per_video: int = 1
    temporal: float = 0.5
    short_videos: Literal["error", "skip", "repeat"] = "repeat"
    failure_budget: float = 0.01
    cache_gib: float = 4.0
    workers: int = 0
    sound: SoundSpec = field(default_factory=SoundSpec)

    unit: ClassVar[str] = "clips"
    rows: ClassVar[str] = "videos"
    least: ClassVar[int] = 2
    scan: ClassVar[str] = "`kinema scan VIDEOS` names every file that cannot be read."
    takes: ClassVar[str] = "a folder of videos, a manifest, or NAME:PATH"
    loading: ClassVar[str] = "decoding"
    left_out_file: ClassVar[str] = "silent.json"
    identity: ClassVar[tuple[str, ...]] = ("clip", "transform", "clips_per_video", "temporal", "sound")
    changeable: ClassVar[tuple[str, ...]] = ("failure_budget", "cache_gib", "workers")

    def __post_init__(self) -> None:
        if self.clips_per_video < 1 or self.workers < 0 or self.cache_gib < 0:
            raise ConfigError(
                f"clips_per_video={self.clips_per_video}, workers={self.workers}, cache_gib={self.cache_gib}: the "
                "first must be at least 1, none negative."
            )
        if not 0 <= self.temporal <= 1 or not 0 <= self.failure_budget <= 1:
            raise ConfigError(
                f"temporal={self.temporal}, failure_budget={self.failure_budget}: both must lie in [0, 1]."
            )

    def open(self, data: str | Path | Manifest) -> Manifest:
        """The videos of a folder, of a known data set as NAME:PATH, or of a manifest's file.

        Raises:
            DataError: it is none of these, or holds no video.
        """
        if not isinstance(data, str | Path | Manifest):
            raise DataError(
                f"Videos are read from a folder, NAME:PATH or a manifest; a {type(data).__name__} was given.",
                "A method of text reads documents, for instance declutr; `kinema pretrain --list` names all.",
            )
        if not isinstance(data, Manifest) and Path(data).exists():
            kind_of(data).check("A method of video", self.unit)
        return data if isinstance(data, Manifest) else open_data(data)

    def check(self, needs: Any) -> None:
        """Refuses what is not ``ClipNeeds``, and disturbances that do not fit them.

        Raises:
            ConfigError: says which.
        """
        if not isinstance(needs, ClipNeeds):
            raise ConfigError(
                f"The method needs {type(needs).__name__}, and the data are clips of videos.",
                "Choose a method of videos, or the data that the method learns from.",
            )
        transform_of(needs, self)

    def usable(self, table: Manifest, needs: Sequence[ClipNeeds]) -> tuple[Manifest, Mapping[str, str]]:
        """The videos that can be learnt from: where a phase needs sound, those with sound; and why not the others.

        Raises:
            DataError: none has sound, or only one.
        """
        if not self.reports_left_out(needs):
            return table, {}
        chosen, silent = with_sound(table)
        if len(chosen) < 2:
            raise DataError(
                f"Only one of the {len(table)} videos can be heard; telling videos apart needs at least 2.",
                "`kinema scan` says which have a sound.",
            )
        return chosen, silent

    def reports_left_out(self, needs: Sequence[ClipNeeds]) -> bool:
        """Whether a phase needs sound, and videos can be left out."""
        return any(SOUND in each.views for each in needs)

    def left_out(self, reasons: Mapping[str, str], rows: int) -> str:
        """What a person reads of the videos that :meth:`usable` left out."""
        return silent_message(reasons, rows)

    def with_weights(self, weights: str) -> ClipsConfig:  # noqa: ARG002 - the contract
        """The settings as they are: weights say nothing of how clips are read."""
        return self

    def load(
        self,
        table: Manifest,
        needs: Sequence[ClipNeeds],
        *,
        folder: Path | None = None,  # noqa: ARG002 - the contract: a run keeps nothing that clips are read with
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> LoadedClips:
        """The clips, decoded once into ``cache`` where they fit; with motion and sound where a phase needs them."""
        if left := unread(table.videos, table.left_out):
            log.warning("%s", left)
        if mixed := mixed_message(table.videos, self.clip.span, "of this run"):
            log.warning("%s", mixed)
        transforms = [transform_of(each, self) for each in needs]
        motion = any(transform.needs_motion for transform in transforms)
        store = ClipStore(
            table,
            self.clip,
            motion=motion or has_motion(table),
            cache=cache,
            cache_bytes=int(self.cache_gib * 2**30),
            short_videos=self.short_videos,
            progress=progress,
            sound=self.sound if any(transform.needs_sound for transform in transforms) else None,
        )
        if self.short_videos == "repeat" and (held := held_message(list(store.frames.values()), self.clip)):
            log.warning("%s", held)
        return LoadedClips(self, store)

    def reader(self, tower: Any, view: str, **about: Any) -> Model:
        """A trained tower with all it needs to read video.

        Args:
            tower: a ``kinema.networks.Tower``.
            view: the view that it sees.
            **about: name, run, seed and more; see :class:`kinema.data.clips.reader.Model`.
        """
        return Model(tower, view, self.clip, sound=self.sound, **about)

    def example(self) -> ClipExample:
        """Made-up clips for trying a method; nothing is read."""
        return ClipExample(self.clip)


def has_motion(manifest: Manifest) -> bool:
    """Whether every video's codec exports motion vectors; they are then stored with the frames."""
    return all(exports_motion(video.codec) for video in manifest.videos)
