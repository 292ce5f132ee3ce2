"""Which windows of which videos make up a batch: a pure function of the seed and the epoch.

An epoch shows every video ``clips_per_video`` times. All batches are of one size, since a queue of keys needs that: the
last one is topped up from the beginning of the epoch's order, so that no video is left out. With several processes each
takes its part of every batch, in order of rank, so that two processes together see what one alone would.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from kinema.core.clips import ClipSpec, Companions
from kinema.core.errors import ConfigError, DataError
from kinema.core.seeds import generator_at
from kinema.data.clips.companions import check_room, place_keyframe, place_motion, window_room

log = logging.getLogger(__name__)

NO_ROOM = -1
"""In place of the start of a window elsewhere: the video is too short for one."""


@dataclass(frozen=True)
class ClipRequest:
    """Windows to be read from one video.

    Args:
        video: its row in the manifest.
        starts: the frame at which each of the V windows begins (the one before the clip).
        elsewhere: the start of a further window away from all of them; ``NO_ROOM`` where the video has no room for
            one, None where none is requested.
        keyframe: the number of a keyframe to read too, or None.
        motion_starts: the first frame of each motion clip to read too; -1 for one that the video has no room for.
        motion_frames: frames of a motion clip.
    """

    video: int
    starts: tuple[int, ...]
    elsewhere: int | None = None
    keyframe: int | None = None
    motion_starts: tuple[int, ...] = ()
    motion_frames: int = 0

    @property
    def windows(self) -> tuple[int, ...]:
        """All starts to be read, the one elsewhere last; where there is no room the first window takes its place."""
        if self.elsewhere is None:
            return self.starts
        return (*self.starts, self.starts[0] if self.elsewhere == NO_ROOM else self.elsewhere)


class ClipSampler:
    """The batches of an epoch.

    Args:
        frames: for each row that may be drawn, how many frames the video has.
        spec: what a clip is; its span decides where a window may begin.
        batch_size: clips of a batch on each rank.
        seed: of the run.
        variants: V, windows of each clip.
        temporal: the probability that the V windows of a clip begin at different frames; otherwise all of them are one
            and the same window.
        clips_per_video: how often an epoch shows each video.
        elsewhere: whether each clip comes with a window elsewhere in its video. It changes no other draw.
        apart: frames from the starts of all V windows to that of the window elsewhere, at least; 0 for a third of a
            clip's span.
        companions: what is read besides the first window of each clip. It changes no other draw.
        keyframes: for each row, the numbers of its keyframes; needed where the companions have one.
        rank: which of ``world`` processes this is.
        world: how many processes share a batch.

    Raises:
        DataError: fewer than two videos, which no contrast can be learnt from; no video has room for a window
            elsewhere; or all are too short for the companions.
        ConfigError: a setting out of range.
    """

    def __init__(
        self,
        frames: Mapping[int, int],
        spec: ClipSpec,
        *,
        batch_size: int,
        seed: int,
        variants: int = 2,
        temporal: float = 0.0,
        clips_per_video: int = 1,
        elsewhere: bool = False,
        apart: int = 0,
        companions: Companions | None = None,
        keyframes: Mapping[int, Sequence[int]] | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        named = {"batch_size": batch_size, "variants": variants, "clips_per_video": clips_per_video, "world": world}
        for name, value in named.items():
            if value < 1:
                raise ConfigError(f"The sampler's {name} is {value}; it must be at least 1.")
        if not 0 <= temporal <= 1:
            raise ConfigError(f"The sampler's temporal is {temporal}; it is a probability, from 0 to 1.")
        if not 0 <= rank < world:
            raise ConfigError(f"The sampler's rank is {rank}; with {world} processes it must be from 0 to {world - 1}.")
        if len(frames) < 2:
            raise DataError(
                f"There {'is 1 video' if frames else 'are 0 videos'} to learn from; telling videos apart needs at "
                "least 2.",
                "Add videos, or cut the one that there is into several files.",
            )
        self.batch_size = batch_size
        self._videos = sorted(frames)
        self._frames, self._spec = frames, spec
        self._companions, self._keyframes = companions, keyframes or {}
        if companions is not None and companions.motion_frames:
            check_room(frames, spec, companions)
        self._room = [window_room(frames[video], spec, companions) for video in self._videos]
        self._apart = apart or math.ceil(spec.span / 3)
        if elsewhere:
            self._check_apart()
        self._elsewhere = elsewhere
        self._seed = seed
        self._variants = variants
        self._temporal = temporal
        self._repeats = clips_per_video
        self._rank = rank
        self._world = world

    @property
    def batches_per_epoch(self) -> int:
        """Batches of every epoch, on every rank."""
        return math.ceil(len(self._videos) * self._repeats / (self.batch_size * self._world))

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[ClipRequest]]:
        """This rank's batches of one epoch, from batch number ``first`` on; equal for equal seed and epoch."""
        generator = generator_at(self._seed, "sampler", epoch)
        clips = len(self._videos) * self._repeats
        whole = self.batch_size * self._world
        slots = self.batches_per_epoch * whole
        order = torch.randperm(clips, generator=generator)
        places = (order[torch.arange(slots) % clips] % len(self._videos)).tolist()
        draws = torch.rand(slots, self._variants, dtype=torch.float64, generator=generator)
        apart = torch.rand(slots, dtype=torch.float64, generator=generator) < self._temporal
        draws = torch.where(apart[:, None], draws, draws[:, :1])
        away = torch.rand(slots, dtype=torch.float64, generator=generator_at(self._seed, "elsewhere", epoch)).tolist()
        further = generator_at(self._seed, "companions", epoch)
        others = 0 if self._companions is None else 1 + self._companions.negatives
        beside = torch.rand(slots, others, dtype=torch.float64, generator=further)
        for batch in range(first, self.batches_per_epoch):
            begin = batch * whole + self._rank * self.batch_size
            yield [
                self._request(places[slot], draws[slot].tolist(), away[slot], beside[slot].tolist())
                for slot in range(begin, begin + self.batch_size)
            ]

    def _window_elsewhere(self, starts: tuple[int, ...], room: int, draw: float) -> int:
        """One of the starts far enough from ``starts``, every one as likely; NO_ROOM where there is none."""
        far = torch.ones(room, dtype=torch.bool)
        for start in starts:
            far[max(0, start - self._apart + 1) : start + self._apart] = False
        free = far.nonzero()[:, 0]
        return int(free[int(draw * len(free))]) if len(free) else NO_ROOM

    def _check_apart(self) -> None:
        """Counts the videos without room for two separate windows."""
        short = sum(room <= self._apart for room in self._room)
        message = (
            f"{short} of {len(self._videos)} videos have no room for a window elsewhere: it begins at least "
            f"{self._apart} frames from a clip's, which spans {self._spec.span}"
        )
        if short == len(self._videos):
            raise DataError(
                f"{message}.", "Shorten the clips (clip.frames, clip.stride), or do without negatives from elsewhere."
            )
        if short:
            log.warning("%s. Their clips go without that negative.", message)

    def _request(self, place: int, draws: Sequence[float], away: float, beside: Sequence[float]) -> ClipRequest:
        video, wanted, spec, room = self._videos[place], self._companions, self._spec, self._room[place]
        starts, frames = tuple(int(draw * room) for draw in draws), self._frames[video]
        elsewhere = self._window_elsewhere(starts, room, away) if self._elsewhere else None
        if wanted is None:
            return ClipRequest(video, starts, elsewhere)
        known = self._keyframes.get(video, ())
        return ClipRequest(
            video,
            starts,
            elsewhere,
            place_keyframe(wanted, starts[0], frames, spec, known, beside[0]) if wanted.keyframe else None,
            place_motion(wanted, starts[0], frames, spec, beside[1:]) if wanted.motion_frames else (),
            wanted.motion_frames,
        )


def evaluation_windows(frames: int, spec: ClipSpec, preset: Literal["coclr", "vcop"] = "coclr") -> tuple[int, ...]:
    """Where the windows begin from which a whole video's feature is averaged.

    Args:
        frames: of the video.
        spec: what a clip is.
        preset: 'coclr': windows all along the video, 15/32 of a clip apart, the last one flush with the end (CoCLR's
            test with a moving window); 'vcop': ten windows spread evenly (VCOP's test).

    Returns:
        The first frames, rising; of equal ones 'coclr' keeps one and 'vcop' all ten. (0,) or ten zeros where the video
        is no longer than a clip.
    """
    room = max(0, frames - spec.span)
    if preset == "vcop":
        return tuple(round(number * room / 9) for number in range(10))
    if preset == "coclr":
        hop = max(1, spec.frames * spec.stride * 15 // 32)
        return (*range(0, room, hop), room)
    raise ConfigError(f"There is no preset '{preset}' for the windows of a video; there are: coclr, vcop.")
