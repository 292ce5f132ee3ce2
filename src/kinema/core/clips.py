"""The records of clips: what a clip is, clips as they are read, and what a method sees of them.

Axes: B clips of a batch, V variants (augmented or temporal) of a clip, T frames, C channels, H and W pixels,
h and w cells of the motion grid, d dimensions of an embedding, k mined entries of a clip, N further motion clips of
M frames each, S samples of a sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from kinema.core.bounds import check_numbers
from kinema.core.errors import ConfigError, ShapeError
from kinema.core.records import mapped

C = TypeVar("C")

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
        check_numbers(self, "sound")
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
        check_numbers(self, "clip")
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
        own: whether the keyframe and each of the N motion clips have a crop and a flip of their own in training; else
            all have those of the clip's first variant, as the target always has.
    """

    motion_frames: int = 8
    ahead: int = 3
    negatives: int = 3
    keyframe: bool = True
    reach: int = 5
    shrink: int = 1
    own: bool = True

    def __post_init__(self) -> None:
        check_numbers(self, "companions")
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
        own = all(each.own for each in some)
        return replace((moving or some)[0], keyframe=bool(still), reach=max(still, default=0), own=own)


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
class MotionField:
    """Motion vectors of a stream, on a grid of cells. Grids of different sizes are padded at the bottom and right.

    Args:
        values: float [B, ..., h, w, 2]: (dx, dy) of what is seen, from the frame before to this one, as a fraction of
            the frame's (width, height).
        valid: bool [B, ..., h, w]: where the stream has a vector.
        extent: int64 [B, 2], rows and columns of the grid that are picture and not padding.
    """

    values: Tensor
    valid: Tensor
    extent: Tensor

    def __post_init__(self) -> None:
        shape = self.values.shape
        if len(shape) < 4 or shape[-1] != 2:
            raise ShapeError(f"MotionField.values is {tuple(shape)}; expected [B, ..., h, w, 2].")
        _check("MotionField.valid", self.valid, *shape[:-1], dtype=torch.bool)
        _check("MotionField.extent", self.extent, shape[0], 2)

    def window(self, number: int) -> MotionField:
        """The motion of one window, of a field of several: [B, T, h, w, 2] of [B, V, T, h, w, 2]."""
        return MotionField(self.values[:, number], self.valid[:, number], self.extent)


@dataclass(frozen=True)
class Waveform:
    """Stretches of sound; see :class:`SoundSpec`.

    Args:
        samples: float [B, V, S] in [-1, 1].
        valid: bool [B, V, S]: where the video's audio covers it; the rest is zero and no silence.
    """

    samples: Tensor
    valid: Tensor

    def __post_init__(self) -> None:
        _check("Waveform.samples", self.samples, "B", "V", "S")
        _check("Waveform.valid", self.valid, *self.samples.shape, dtype=torch.bool)


@dataclass(frozen=True)
class RawCompanions:
    """What comes along of each clip's video, before any transform: one of the two, or both. See :class:`Companions`.

    Args:
        keyframe: uint8 [B, H, W, 3] or None: a keyframe of the stream, of the size of the clips' frames.
        motion: [B, 1 + N, M, h, w, 2] or None: the motion clips, the target and N others; the motion from one frame of
            the video to the next. Valid nowhere in a motion clip for which the video has no room.
    """

    keyframe: Tensor | None = None
    motion: MotionField | None = None

    def __post_init__(self) -> None:
        _check_some("RawCompanions", self.keyframe, self.motion)
        if self.keyframe is not None:
            _check("RawCompanions.keyframe", self.keyframe, "B", "H", "W", 3, dtype=torch.uint8)
        if self.motion is not None:
            _check("RawCompanions.motion", self.motion.values, "B", "1 + N", "M", "h", "w", 2)


@dataclass(frozen=True)
class RawClips:
    """Decoded clips before any transform. Clips of different sizes are padded at the bottom and right.

    Args:
        frames: uint8 [B, V, T+1, H, W, 3], RGB.
        extent: int64 [B, 2], rows and columns of ``frames`` that are picture and not padding.
        index: int64 [B], the video's row in the manifest.
        source: int64 [B], the id of the recording that the video was cut from; equal ids are siblings.
        label: int64 [B], the class, or -1 where it is not known.
        elsewhere: bool [B] or None: where given, the last of the V windows is no variant of the clip but one from
            elsewhere in its video; False where the video has no room for one, and the window then means nothing.
        motion: [B, V, T, h, w, 2] or None: the motion from frame to frame.
        sound: [B, V, S] or None: the sound about the middle of each window, on the video's clock.
        companions: what comes along of each clip's video beside the clip; None for nothing.
    """

    frames: Tensor
    extent: Tensor
    index: Tensor
    source: Tensor
    label: Tensor
    elsewhere: Tensor | None = None
    motion: MotionField | None = None
    sound: Waveform | None = None
    companions: RawCompanions | None = None

    def __post_init__(self) -> None:
        _check("RawClips.frames", self.frames, "B", "V", "T+1", "H", "W", 3, dtype=torch.uint8)
        b, v, t1, height, width, _ = self.frames.shape
        _check("RawClips.extent", self.extent, b, 2)
        for name in ("index", "source", "label"):
            _check(f"RawClips.{name}", getattr(self, name), b)
        if self.elsewhere is not None and (self.elsewhere.shape != (b,) or v < 2):
            raise ShapeError(
                f"RawClips.elsewhere is {tuple(self.elsewhere.shape)} beside {b} clips of {v} windows; "
                f"expected [{b}], and a window beside the clip's own."
            )
        if self.motion is not None:
            _check("RawClips.motion", self.motion.values, b, v, t1 - 1, "h", "w", 2)
        if self.sound is not None:
            _check("RawClips.sound", self.sound.samples, b, v, "S")
        beside = self.companions
        if beside is not None and beside.keyframe is not None:
            _check("RawClips.companions.keyframe", beside.keyframe, b, height, width, 3)
        if beside is not None and beside.motion is not None:
            _check("RawClips.companions.motion", beside.motion.values, b, "1 + N", "M", "h", "w", 2)

    def __len__(self) -> int:
        return self.frames.shape[0]

    def split_variants(self) -> RawClips:
        """The V variants of each clip as V clips of one variant, clip by clip: [B, V, ...] becomes [B V, 1, ...]."""
        v = self.frames.shape[1]

        def apart(x: Tensor) -> Tensor:
            return x.flatten(0, 1)[:, None]

        def repeated(x: Tensor) -> Tensor:
            return x.repeat_interleave(v, dim=0)

        names = ("extent", "index", "source", "label", "elsewhere", "companions")
        rest: dict[str, Any] = {name: mapped(getattr(self, name), repeated) for name in names}
        if (motion := self.motion) is not None:
            motion = MotionField(apart(motion.values), apart(motion.valid), repeated(motion.extent))
        return RawClips(apart(self.frames), **rest, motion=motion, sound=mapped(self.sound, apart))

    def first(self, number: int) -> RawClips:
        """The first clips."""
        return mapped(self, lambda x: x[:number])

    def to(self, device: torch.device | str) -> RawClips:
        """The same clips on another device."""
        return mapped(self, lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> RawClips:
        """The same clips in page-locked memory, for faster copies to a GPU."""
        return mapped(self, Tensor.pin_memory)


@dataclass(frozen=True)
class MotionClips:
    """The motion clips beside each clip, as a method sees them: the target and N others, see :class:`Companions`.

    Args:
        values: float [B, 1 + N, 2, M, s, s], the target in the geometry of the clip's first variant, the others as
            ``Companions.own`` says; s is the view's side divided by ``Companions.shrink``.
        valid: bool [B, 1 + N]: which of them the video has and the stream has vectors for; the others are zeros that
            mean nothing.
    """

    values: Tensor
    valid: Tensor

    def __post_init__(self) -> None:
        _check("MotionClips.values", self.values, "B", "1 + N", 2, "M", "s", "s")
        _check("MotionClips.valid", self.valid, *self.values.shape[:2], dtype=torch.bool)


@dataclass(frozen=True)
class ClipCompanions:
    """What comes along beside each clip, as a method sees it: one of the two, or both. See :class:`Companions`.

    Args:
        keyframe: float [B, 3, S, S] or None: a keyframe of the clip's video.
        motion: the motion clips, or None.
    """

    keyframe: Tensor | None = None
    motion: MotionClips | None = None

    def __post_init__(self) -> None:
        _check_some("ClipCompanions", self.keyframe, self.motion)
        if self.keyframe is not None:
            _check("ClipCompanions.keyframe", self.keyframe, "B", 3, "S", "S")


@dataclass(frozen=True)
class Negatives:
    """Negatives that each clip has for itself; see :class:`Disturbance`.

    Args:
        views: N mappings from the view's name to float [B, C, T, H, W], as of a variant; row i of each is a negative of
            clip i, and of no other clip.
        valid: bool [B, N], which clips have which negative; None where every clip has all.
    """

    views: tuple[Mapping[str, Tensor], ...] = ()
    valid: Tensor | None = None

    def __post_init__(self) -> None:
        if self.valid is not None:
            _check("Negatives.valid", self.valid, "B", len(self.views), dtype=torch.bool)
            _check_views("Negatives.views", self.views, len(self.valid))

    def view(self, name: str) -> list[Tensor]:
        """One view of every negative, N times float [B, C, T, H, W]; empty where there are none.

        Raises:
            ShapeError: a negative has no such view; the message names those it has.
        """
        return [_view_of(negative, name) for negative in self.views]


@dataclass(frozen=True)
class ClipBatch:
    """What a method sees: variants of each clip, each in one or more views, all of one geometry.

    Args:
        variants: V mappings from the view's name to float [B, C, T, H, W], for the view 'sound' [B, 1, bands, times].
        index: int64 [B], the video's row in the manifest.
        source: int64 [B], the recording's id; equal ids are siblings.
        label: int64 [B], only where the method needs labels; None otherwise.
        negatives: those that each clip has for itself.
        companions: what comes along of each clip's video beside the clip; None for nothing.
    """

    variants: tuple[Mapping[str, Tensor], ...]
    index: Tensor
    source: Tensor
    label: Tensor | None = None
    negatives: Negatives = Negatives()
    companions: ClipCompanions | None = None

    def __post_init__(self) -> None:
        if not self.variants:
            raise ShapeError("ClipBatch needs at least one variant of each clip.")
        b = self.index.shape[0]
        _check("ClipBatch.source", self.source, *self.index.shape)
        _check_views("ClipBatch.variants", self.variants, b)
        _check_views("ClipBatch.negatives.views", self.negatives.views, b)
        beside = self.companions
        if beside is not None and beside.keyframe is not None:
            _check("ClipBatch.companions.keyframe", beside.keyframe, b, 3, "S", "S")
        if beside is not None and beside.motion is not None:
            _check("ClipBatch.companions.motion", beside.motion.values, b, "1 + N", 2, "M", "s", "s")

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

    def keyframe(self) -> Tensor:
        """The keyframe beside each clip, float [B, 3, S, S].

        Raises:
            ShapeError: the batch holds none.
        """
        return _held(None if self.companions is None else self.companions.keyframe, "keyframe")

    def motion_clips(self) -> MotionClips:
        """The motion clips beside each clip.

        Raises:
            ShapeError: the batch holds none.
        """
        return _held(None if self.companions is None else self.companions.motion, "motion_clips")


def _view_of(variant: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in variant:
        held = ", ".join(sorted(variant)) or "none"
        raise ShapeError(
            f"The method asks for the view '{name}', but the batch holds: {held}.",
            "Build the batch with every view that the method's needs.views names.",
        )
    return variant[name]


def _held(companion: C | None, name: str) -> C:
    if companion is None:
        raise ShapeError(
            f"The method asks for '{name}' beside each clip, and the batch holds none.",
            "Sample with the companions that the method's needs.companions names.",
        )
    return companion


def _check(name: str, x: Tensor, *axes: int | str, dtype: torch.dtype | None = None) -> None:
    """Refuses a tensor of another shape or type: an axis is its length, or its name where any length will do."""
    pairs = zip(axes, x.shape, strict=False)
    fits = x.dim() == len(axes) and all(isinstance(axis, str) or axis == length for axis, length in pairs)
    if fits and dtype in (None, x.dtype):
        return
    found, kind = ("", "") if dtype is None else (f"{x.dtype} ", f"{dtype} ".removeprefix("torch."))
    raise ShapeError(f"{name} is {found}{tuple(x.shape)}; expected {kind}[{', '.join(map(str, axes))}].")


def _check_views(name: str, group: Sequence[Mapping[str, Tensor]], b: int) -> None:
    """Refuses views of other axes, or of another number of clips."""
    for number, views in enumerate(group):
        for view, x in views.items():
            axes = view_axes(view)
            if x.dim() != axes.count(",") + 1 or x.shape[0] != b:
                expected = axes.replace("B", str(b), 1)
                raise ShapeError(f"{name}[{number}], view '{view}' is {tuple(x.shape)}; expected {expected}.")


def _check_some(name: str, *companions: object) -> None:
    if all(each is None for each in companions):
        raise ShapeError(f"{name} holds neither a keyframe nor motion clips.", "Leave the companions away.")
