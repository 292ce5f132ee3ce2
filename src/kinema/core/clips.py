"""The records of clips: what a clip is, clips as they are read, and what a method sees of them.

Axes: B clips of a batch, V variants (augmented or temporal) of a clip, T frames, C channels, H and W pixels,
h and w cells of the motion grid, d dimensions of an embedding, k mined entries of a clip, N further motion clips of
M frames each, S samples of a sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError

VIEWS: Mapping[str, int] = {"rgb": 3, "residual": 3, "motion": 2, "sound": 1}
"""The views of a clip and their channels: three of its pictures, and one of its sound."""


SOUND = "sound"
"""The view of a clip's sound: a log-mel spectrogram, float [B, 1, bands, times]."""


def view_axes(view: str) -> str:
    """The axes of a view as messages name them: '[B, C, T, H, W]', or '[B, 1, bands, times]' of the sound."""
    return "[B, 1, bands, times]" if view == SOUND else "[B, C, T, H, W]"


@dataclass(frozen=True)
class SoundSpec:
    """The sound of a clip: a stretch of its video's audio around the middle of its window, as a log-mel spectrogram.

    Args:
        rate: samples a second.
        seconds: of the stretch.
        bands: mel bands of the spectrogram (XDC: 40).
        frames: its frames (XDC: 100); the hop from one to the next is the stretch divided by them.
        window: seconds of the spectrum's window.
        shift: seconds by which the stretch may move earlier or later in training; as much more is read on both sides.
    """

    rate: int = 16000
    seconds: float = 1.0
    bands: int = 40
    frames: int = 100
    window: float = 0.025
    shift: float = 0.1

    def __post_init__(self) -> None:
        for name in ("rate", "bands", "frames"):
            if getattr(self, name) < 1:
                raise ConfigError(f"sound.{name} is {getattr(self, name)}; it must be at least 1.")
        if self.seconds <= 0 or self.window <= 0 or self.shift < 0:
            raise ConfigError(
                f"sound.seconds={self.seconds}, window={self.window}, shift={self.shift}: the first two must be above "
                "0, and the shift must not be negative."
            )
        if self.samples % self.frames:
            raise ConfigError(
                f"sound.frames is {self.frames}, which does not divide the {self.samples} samples of "
                f"{self.seconds:g} s at {self.rate} Hz.",
                "Choose seconds and frames so that the hop is a whole number of samples: 1 s and 100 frames.",
            )

    @property
    def samples(self) -> int:
        """Samples of the stretch."""
        return round(self.rate * self.seconds)

    @property
    def hop(self) -> int:
        """Samples from one frame of the spectrogram to the next."""
        return self.samples // self.frames

    @property
    def margin(self) -> int:
        """Samples that are read before and after the stretch, for it to be shifted."""
        return round(self.rate * self.shift)

    @property
    def read(self) -> int:
        """S, samples that are read of a clip: the stretch with its margins."""
        return self.samples + 2 * self.margin


@dataclass(frozen=True)
class ClipSpec:
    """What one clip is.

    A clip of T frames is cut from T + 1 sampled frames: the first is the one before the clip, so that the residual
    and the motion are defined at every frame. The clip therefore spans ``frames * stride + 1`` frames of the video.

    Args:
        frames: T, the frames of a clip.
        stride: video frames from one frame of the clip to the next.
        size: H = W, pixels of the clip that the encoder sees.
        short_side: pixels to which the shorter side of a video is scaled when it is decoded; crops are cut from that.
    """

    frames: int = 8
    stride: int = 2
    size: int = 64
    short_side: int = 72

    def __post_init__(self) -> None:
        for name in ("frames", "stride", "size", "short_side"):
            if getattr(self, name) < 1:
                raise ConfigError(f"clip.{name} is {getattr(self, name)}; it must be at least 1.")
        if self.frames < 2:
            raise ConfigError(f"clip.frames is {self.frames}; a clip needs at least 2 frames to hold motion.")
        if self.short_side < self.size:
            raise ConfigError(
                f"clip.short_side is {self.short_side}, below clip.size {self.size}.",
                "Decode at least as large as the encoder sees: set clip.short_side to clip.size or more.",
            )

    @property
    def span(self) -> int:
        """Video frames that a clip covers, the one before it included."""
        return self.frames * self.stride + 1


@runtime_checkable
class Disturbance(Protocol):
    """A change to a method's input that makes its task harder: frozen settings with a method that changes a variant.

    An augmentation removes what should not matter; a disturbance breaks one thing and preserves another. It changes a
    variant in place (BE adds a still frame, so that the background is not informative), or makes a negative, a clip
    that shares all with its clip but the one thing to learn (DSM breaks the motion and preserves the scene). It is
    applied after the augmentation, to any method's batch.

    - ``negative``: False changes a variant, True adds a negative (``ClipBatch.negatives``),
    - ``variant``: the variant that is changed, or that the negative is made of: 0 is the query, 1 the key,
    - ``views``: views that it needs besides those of the method,
    - ``elsewhere``: True makes the negative of a window elsewhere in the clip's video, which the sampler then draws.
    """

    @property
    def negative(self) -> bool:
        """Whether it adds a negative."""
        ...

    @property
    def variant(self) -> int:
        """Which variant it acts on."""
        ...

    @property
    def views(self) -> tuple[str, ...]:
        """Views that it needs besides those of the method."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether its negative is another window of the video."""
        ...

    def apply(self, variant: Mapping[str, Tensor], generator: torch.Generator) -> Mapping[str, Tensor]:
        """All views of one variant, changed: float [B, C, T, S, S] each, every clip by a draw of its own.

        Args:
            variant: by view; not changed.
            generator: on the CPU; what is drawn from it depends neither on the views nor on their values.
        """
        ...


@dataclass(frozen=True)
class Companions:
    """What a method sees of a clip's video beside the clip itself.

    A motion clip is the motion of ``motion_frames`` consecutive frames. The first one, the target, lies shortly after
    the clip; the others lie anywhere in the video without overlapping the target.

    Args:
        motion_frames: M, frames of a motion clip; 0 for no motion clips.
        ahead: frames from the clip's last frame to the target's first.
        negatives: N, motion clips beside the target.
        keyframe: whether a keyframe of the stream comes along, from the clip or near it.
        reach: frames before the clip's first and after its last among which the keyframe may lie.
        shrink: pixels of the view, each way, for one of a motion clip; a stream's motion is coarser than its picture.
    """

    motion_frames: int = 8
    ahead: int = 3
    negatives: int = 3
    keyframe: bool = True
    reach: int = 5
    shrink: int = 1

    def __post_init__(self) -> None:
        for name, least in (("motion_frames", 0), ("ahead", 1), ("negatives", 0), ("reach", 0), ("shrink", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"companions.{name} is {getattr(self, name)}; it must be at least {least}.")
        if not self.motion_frames and not self.keyframe:
            raise ConfigError(
                "companions has motion_frames 0 and no keyframe: nothing would come along.",
                "Leave companions away, or ask for motion clips or a keyframe.",
            )

    @property
    def after(self) -> int:
        """Frames that a video must have after a clip for the target to fit."""
        return self.ahead + self.motion_frames - 1 if self.motion_frames else 0

    @staticmethod
    def united(wanted: Iterable[Companions | None]) -> Companions | None:
        """What serves several methods that see the same batch; None where none of them wants anything.

        Raises:
            ConfigError: two of them want different motion clips.
        """
        some = [each for each in wanted if each is not None]
        moving = [each for each in some if each.motion_frames]
        if len({(each.motion_frames, each.ahead, each.negatives, each.shrink) for each in moving}) > 1:
            raise ConfigError(
                f"Methods that share a batch want different motion clips: {moving}.",
                "Set motion_frames, ahead, negatives and shrink alike.",
            )
        if not some:
            return None
        still = [each.reach for each in some if each.keyframe]
        return replace((moving or some)[0], keyframe=bool(still), reach=max(still, default=0))


@dataclass(frozen=True)
class ClipNeeds:
    """What a method needs of its clips.

    Args:
        views: all that a batch must hold, of :data:`VIEWS`.
        variants: V, variants of each clip.
        negatives: whether ``loss`` compares each clip with negatives of its own (``ClipBatch.negatives``).
        disturbances: what is done to the variants beside the augmentation.
        companions: what comes along of each clip's video beside the clip; None for nothing.
        labels: whether the batch must hold labels.
    """

    views: tuple[str, ...] = ("rgb",)
    variants: int = 2
    negatives: bool = False
    disturbances: tuple[Disturbance, ...] = ()
    companions: Companions | None = None
    labels: bool = False

    def also(self, disturbances: Iterable[Disturbance]) -> ClipNeeds:
        """The same with further disturbances after its own, each once."""
        return replace(self, disturbances=tuple(dict.fromkeys((*self.disturbances, *disturbances))))

    @staticmethod
    def united(several: Sequence[ClipNeeds]) -> ClipNeeds:
        """What serves several methods that see the same batch.

        Raises:
            ConfigError: two of them want different motion clips.
        """
        return ClipNeeds(
            views=tuple(dict.fromkeys(view for each in several for view in each.views)),
            variants=max(each.variants for each in several),
            negatives=any(each.negatives for each in several),
            disturbances=tuple(dict.fromkeys(d for each in several for d in each.disturbances)),
            companions=Companions.united(each.companions for each in several),
            labels=any(each.labels for each in several),
        )


@dataclass(frozen=True)
class RawClips:
    """Decoded clips before any transform. Clips of different sizes are padded at the bottom and right.

    Args:
        frames: uint8 [B, V, T+1, H, W, 3], RGB.
        motion: float [B, V, T, h, w, 2] or None: (dx, dy) of what is seen, from the frame before to this one, as a
            fraction of the frame's (width, height).
        motion_valid: bool [B, V, T, h, w] or None: where the stream has a motion vector.
        extent: int64 [B, 2], rows and columns of ``frames`` that are picture and not padding.
        motion_extent: int64 [B, 2] or None, the same for the motion grid.
        index: int64 [B], the video's row in the manifest.
        source: int64 [B], the id of the recording that the video was cut from; equal ids are siblings.
        label: int64 [B], the class, or -1 where it is not known.
        elsewhere: bool [B] or None: where given, the last of the V windows is no variant of the clip but one from
            elsewhere in its video; False where the video has no room for one, and the window then means nothing.
        keyframe: uint8 [B, H, W, 3] or None: a keyframe of each clip's video, of the size of ``frames``.
        motion_clips: float [B, 1 + N, M, h, w, 2] or None: the target and N others, see :class:`Companions`; the motion
            from one frame of the video to the next, in the unit of ``motion``.
        motion_clips_valid: bool [B, 1 + N, M, h, w] or None: where the stream has a vector; nowhere in a motion clip
            for which the video has no room.
        sound: float [B, V, S] in [-1, 1] or None: the sound about the middle of each window, on the video's clock; see
            :class:`SoundSpec`.
        sound_valid: bool [B, V, S] or None: where the video's audio covers it; the rest is zero and no silence.
    """

    frames: Tensor
    motion: Tensor | None
    motion_valid: Tensor | None
    extent: Tensor
    motion_extent: Tensor | None
    index: Tensor
    source: Tensor
    label: Tensor
    elsewhere: Tensor | None = None
    keyframe: Tensor | None = None
    motion_clips: Tensor | None = None
    motion_clips_valid: Tensor | None = None
    sound: Tensor | None = None
    sound_valid: Tensor | None = None

    def __post_init__(self) -> None:
        if self.frames.dim() != 6 or self.frames.shape[-1] != 3 or self.frames.dtype != torch.uint8:
            raise ShapeError(
                f"RawClips.frames is {self.frames.dtype} {tuple(self.frames.shape)}; "
                "expected uint8 [B, V, T+1, H, W, 3]."
            )
        b, v, t1 = self.frames.shape[:3]
        if self.motion is not None and (self.motion.dim() != 6 or self.motion.shape[:3] != (b, v, t1 - 1)):
            raise ShapeError(
                f"RawClips.motion is {tuple(self.motion.shape)}; expected [{b}, {v}, {t1 - 1}, h, w, 2] "
                f"to fit frames {tuple(self.frames.shape)}."
            )
        if (self.motion is None) != (self.motion_valid is None) or (self.motion_clips is None) != (
            self.motion_clips_valid is None
        ):
            raise ShapeError("RawClips: motion is given with motion_valid, motion_clips with motion_clips_valid.")
        if (self.motion is None and self.motion_clips is None) != (self.motion_extent is None):
            raise ShapeError("RawClips: motion_extent is given where motion or motion_clips are, and nowhere else.")
        self._check_companions()
        self._check_sound()
        for name in ("extent", "index", "source", "label"):
            if getattr(self, name).shape[0] != b:
                raise ShapeError(f"RawClips.{name} has {getattr(self, name).shape[0]} rows for {b} clips.")
        if self.elsewhere is not None and (self.elsewhere.shape != (b,) or v < 2):
            raise ShapeError(
                f"RawClips.elsewhere is {tuple(self.elsewhere.shape)} beside {b} clips of {v} windows; "
                f"expected [{b}], and a window beside the clip's own."
            )

    def _check_companions(self) -> None:
        b, clips, picture = len(self), self.motion_clips, (len(self), *self.frames.shape[3:])
        if self.keyframe is not None and (self.keyframe.shape != picture or self.keyframe.dtype != torch.uint8):
            raise ShapeError(
                f"RawClips.keyframe is {self.keyframe.dtype} {tuple(self.keyframe.shape)}; expected uint8 {picture}."
            )
        if clips is None or self.motion_clips_valid is None:
            return
        valid = self.motion_clips_valid.shape
        if clips.dim() != 6 or clips.shape[0] != b or clips.shape[:-1] != valid or clips.shape[-1] != 2:
            raise ShapeError(
                f"RawClips.motion_clips is {tuple(clips.shape)} and motion_clips_valid {tuple(valid)}; "
                f"expected [{b}, 1 + N, M, h, w, 2] and the same without the last axis."
            )

    def _check_sound(self) -> None:
        if self.sound is None and self.sound_valid is None:
            return
        shapes = [None if x is None else tuple(x.shape) for x in (self.sound, self.sound_valid)]
        if shapes[0] != shapes[1] or len(shapes[0] or ()) != 3 or shapes[0][:2] != tuple(self.frames.shape[:2]):  # type: ignore[index]
            raise ShapeError(
                f"RawClips.sound is {shapes[0]} and sound_valid {shapes[1]}; expected both of "
                f"[{len(self)}, {self.frames.shape[1]}, S]."
            )

    def __len__(self) -> int:
        return self.frames.shape[0]

    def split_variants(self) -> RawClips:
        """The V variants of each clip as V clips of one variant, clip by clip: [B, V, …] becomes [B V, 1, …]."""
        v = self.frames.shape[1]
        moved: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None:
                stacked = name in ("frames", "motion", "motion_valid", "sound", "sound_valid")
                value = value.flatten(0, 1)[:, None] if stacked else value.repeat_interleave(v, dim=0)
            moved[name] = value
        return RawClips(**moved)

    def first(self, number: int) -> RawClips:
        """The first clips."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        moved: dict[str, Any] = {name: None if value is None else value[:number] for name, value in values.items()}
        return RawClips(**moved)

    def to(self, device: torch.device | str) -> RawClips:
        """The same clips on another device."""
        moved: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            moved[name] = None if value is None else value.to(device, non_blocking=True)
        return RawClips(**moved)

    def pin_memory(self) -> RawClips:
        """The same clips in page-locked memory, for faster copies to a GPU."""
        moved: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            moved[name] = None if value is None else value.pin_memory()
        return RawClips(**moved)


@dataclass(frozen=True)
class ClipBatch:
    """What a method sees: variants of each clip, each in one or more views, all of one geometry.

    Args:
        variants: V mappings from the view's name to float [B, C, T, H, W], for the view 'sound' [B, 1, bands, times].
        index: int64 [B], the video's row in the manifest.
        source: int64 [B], the recording's id; equal ids are siblings.
        label: int64 [B], only where the method needs labels; None otherwise.
        negatives: N further mappings like the variants; row i of each is a negative of clip i, and of no other clip.
        negatives_valid: bool [B, N], which clips have which negative; None where every clip has all.
        keyframe: float [B, 3, S, S] or None: a keyframe of each clip's video, in the geometry of the first variant.
        motion_clips: float [B, 1 + N, 2, M, s, s] or None: the target and N others, see :class:`Companions`, in the
            geometry of the first variant; s = S / ``Companions.shrink``.
        motion_clips_valid: bool [B, 1 + N] or None: which of them the video has and the stream has vectors for; the
            others are zeros that mean nothing.
    """

    variants: tuple[Mapping[str, Tensor], ...]
    index: Tensor
    source: Tensor
    label: Tensor | None = None
    negatives: tuple[Mapping[str, Tensor], ...] = ()
    negatives_valid: Tensor | None = None
    keyframe: Tensor | None = None
    motion_clips: Tensor | None = None
    motion_clips_valid: Tensor | None = None

    def __post_init__(self) -> None:
        if not self.variants:
            raise ShapeError("ClipBatch needs at least one variant of each clip.")
        b = self.index.shape[0]
        for kind, group in (("variant", self.variants), ("negative", self.negatives)):
            for number, variant in enumerate(group):
                for name, x in variant.items():
                    axes = view_axes(name)
                    if x.dim() != axes.count(",") + 1 or x.shape[0] != b:
                        expected = axes.replace("B", str(b), 1)
                        raise ShapeError(
                            f"ClipBatch {kind} {number}, view '{name}' is {tuple(x.shape)}; expected {expected}."
                        )
        valid = self.negatives_valid
        if valid is not None and (valid.dtype != torch.bool or valid.shape != (b, len(self.negatives))):
            raise ShapeError(
                f"ClipBatch.negatives_valid is {valid.dtype} {tuple(valid.shape)}; expected bool "
                f"[{b}, {len(self.negatives)}]."
            )
        if self.source.shape != self.index.shape:
            raise ShapeError(f"ClipBatch.source is {tuple(self.source.shape)} for index {tuple(self.index.shape)}.")
        for name, count in (("keyframe", 4), ("motion_clips", 6), ("motion_clips_valid", 2)):
            companion = getattr(self, name)
            if companion is not None and (companion.dim() != count or companion.shape[0] != b):
                raise ShapeError(f"ClipBatch.{name} is {tuple(companion.shape)}; expected {count} axes and {b} rows.")

    def __len__(self) -> int:
        return self.index.shape[0]

    def view(self, variant: int, name: str) -> Tensor:
        """One view of one variant, float [B, C, T, H, W], or [B, 1, bands, times] of the sound.

        Raises:
            ShapeError: the batch holds no such variant or view; the message names those it has.
        """
        if variant >= len(self.variants):
            raise ShapeError(
                f"The method asks for variant {variant} of each clip, but the batch holds {len(self.variants)}.",
                "Build the batch with as many variants as the method's needs.variants says.",
            )
        return _view_of(self.variants[variant], name)

    def negatives_in(self, name: str) -> list[Tensor]:
        """One view of every negative, N times float [B, C, T, H, W]; empty where the batch has none.

        Raises:
            ShapeError: a negative has no such view; the message names those it has.
        """
        return [_view_of(negative, name) for negative in self.negatives]

    def companion(self, name: str) -> Tensor:
        """What comes along beside the clips: 'keyframe', 'motion_clips' or 'motion_clips_valid'.

        Raises:
            ShapeError: the batch does not hold it.
        """
        found: Tensor | None = getattr(self, name)
        if found is None:
            raise ShapeError(
                f"The method asks for '{name}' beside each clip, and the batch holds none.",
                "Sample with the companions that the method's needs.companions names.",
            )
        return found


def _view_of(variant: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in variant:
        held = ", ".join(sorted(variant)) or "none"
        raise ShapeError(
            f"The method asks for the view '{name}', but the batch holds: {held}.",
            "Build the batch with every view that the method's needs.views names.",
        )
    return variant[name]
