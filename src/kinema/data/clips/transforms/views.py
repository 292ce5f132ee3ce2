"""From raw clips to what a method sees: every view of a variant shares one crop, one flip and one colour.

A variant of a clip draws, in this order, its crop and flip, whether it is left plain, its colours, its blur and its
turn, all from a CPU generator: the same draws on every device and for every choice of views. All frames of a clip share
them, so a still clip stays still. Disturbances (``disturb``) come after all variants, with their own draws. All of it
is computed in float32, also where training runs in mixed precision.

The views, float [B, C, T, size, size] in ``channels_last_3d`` order:

    rgb       (x − RGB_MEAN) / RGB_STD for colours x in [0, 1]; C = 3
    residual  (x_t − x_{t−1}) / RESIDUAL_UNIT, the frame before the clip giving x_{−1}; C = 3
    motion    displacements a sampled frame in units of MOTION_UNIT of the view's side; C = 2, (dx, dy)

The fourth is 'sound' (``sound``), [B, 1, bands, frames]. Its draws come last of all, and no disturbance changes it.

Colours act on rgb and residual, the blur on both, the geometry on all three. Of a clip's companions the target of
motion has the geometry of the first variant; the keyframe and the other motion clips have a crop and a flip of their
own (``Companions.own``), for in the clip's geometry a keyframe is found by its pixels alone. The keyframe has its own
colours and blur too. All this is drawn after what the clips draw. Departure from the usual order of crop, jitter, grey,
blur: the blur is part of the resampling (see ``blur``) and so comes before the colours are clamped.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from kinema.core.clips import (
    SOUND,
    VIEWS,
    ClipBatch,
    ClipCompanions,
    ClipSpec,
    Companions,
    Negatives,
    RawClips,
    SoundSpec,
)
from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.core.guesses import did_you_mean
from kinema.core.moving import at_host, sent
from kinema.core.ops import rand_rows
from kinema.data.clips.transforms.blur import draw_sigma, gaussian_matrix
from kinema.data.clips.transforms.colour import Colour, colour_matrix, contrast_offset, draw_colour
from kinema.data.clips.transforms.config import TransformConfig
from kinema.data.clips.transforms.disturb import Disturbed, acting_on, disturbed, needed_views, only
from kinema.data.clips.transforms.geometry import Geometry, centre_square, draw_geometry, resample, ten_crops
from kinema.data.clips.transforms.motion import motion_clips_view, motion_view
from kinema.data.clips.transforms.rotation import Rotation
from kinema.data.clips.transforms.sound import draw_sound, sound_view

RGB_MEAN = 0.45
"""The value that rgb is centred on, colours being in [0, 1]; one for all channels (as in SlowFast)."""

RGB_STD = 0.225
"""The distance from ``RGB_MEAN`` that is 1.0 in the rgb view."""

RESIDUAL_UNIT = 0.1
"""The change from frame to frame that is 1.0 in the residual view, colours being in [0, 1]."""


TWO_PLAIN = 0.7
"""CoCLR's share of variants that are left plain where a clip's two are two windows of its video."""


class ViewTransform:
    """Turns raw clips into the views that a method names, for training or for evaluation.

    Args:
        spec: frames and size of a clip.
        views: what to compute, of 'rgb', 'residual', 'motion' and 'sound'; nothing else is.
        config: strength of the augmentation, and the disturbances; evaluation does not read it.
        companions: the size of motion clips, if there are any, and whether companions have a geometry of their own; by
            default they are as large as the views and have.
        sound: the stretch of sound of a clip, for the view 'sound'.

    Raises:
        ConfigError: no view, an unknown one, or one named twice; a size that ``companions.shrink`` does not divide;
            disturbances, which act on pictures, with 'sound' as the only view.
    """

    def __init__(
        self,
        spec: ClipSpec,
        views: tuple[str, ...],
        config: TransformConfig | None = None,
        companions: Companions | None = None,
        sound: SoundSpec | None = None,
    ) -> None:
        if not views or len(set(views)) != len(views) or not set(views) <= set(VIEWS):
            unknown = next((view for view in views if view not in VIEWS), None)
            raise ConfigError(
                f"The views asked for are {views}; name one or more of {', '.join(VIEWS)}, each once.",
                did_you_mean(unknown, VIEWS).strip() if unknown is not None else "",
            )
        self.spec = spec
        self.sound = sound or SoundSpec()
        self.views = tuple(views)
        self.config = config or TransformConfig()
        self._seen = tuple(view for view in self.views if view != SOUND)
        if self.config.disturb and not self._seen:
            raise ConfigError(
                f"{type(self.config.disturb[0]).__name__} disturbs pictures, and the only view is '{SOUND}'.",
                "Leave transforms out, or take a view that is seen too.",
            )
        self.reads = tuple(dict.fromkeys((*self._seen, *needed_views(self.config.disturb))))
        """The views of training: those of the method, and those that the disturbances need."""
        self.needs_sound = SOUND in self.views
        """Whether the clips must come with their sound."""
        self.elsewhere = any(each.elsewhere for each in self.config.disturb)
        """Whether training wants a window elsewhere in each video, after those of the variants."""
        shown = companions if companions is not None and companions.motion_frames else None
        self.needs_motion = "motion" in self.reads or shown is not None
        """Whether training needs the motion of the stream, in a view or beside the clips."""
        self._own = companions is None or companions.own
        shrink = 1 if shown is None else shown.shrink
        if spec.size % shrink:
            raise ConfigError(f"clip.size is {spec.size}, which companions.shrink {shrink} does not divide.")
        self._motion_size = spec.size // shrink

    def train(self, raw: RawClips, generator: torch.Generator, *, labels: bool = False) -> ClipBatch:
        """Augmented views: each of the V variants of a clip with its own draws.

        Args:
            raw: B clips in V variants, on any device; after them the window elsewhere, where one was drawn.
            generator: a CPU generator; equal states give equal augmentations on every device.
            labels: whether the labels travel along, for methods that declare that they read them.

        Returns:
            V variants on the device of ``raw``, the negatives that disturbances make, and what comes along with the
            clips.

        Raises:
            DataError: the motion view is asked for, or a disturbance needs it, and the clips have none.
            ConfigError: a disturbance acts on a variant that there is not.
            ShapeError: the clips do not fit the specification, or the generator is not on the CPU.
        """
        self._check(raw, self.reads)
        if generator.device.type != "cpu":
            raise ShapeError(f"The generator of the transforms is on '{generator.device}'; give one on the CPU.")
        b, windows = raw.frames.shape[:2]
        made, shown = [], []
        pairs = _plain_pairs(raw, generator) if self.config.plain_pairs else None
        turning = Rotation(self.config.rotation)
        for v in range(windows):
            geometry = draw_geometry(self.config, raw.extent, generator)
            shown.append(geometry)
            plain = rand_rows(b, generator=generator) < (self.config.plain_second if v == 1 else 0.0)
            if pairs is not None and v < 2:
                plain = pairs[v]
            colour = draw_colour(self.config, b, generator, plain)
            sigma = draw_sigma(self.config.blur_p, self.config.blur_sigma, b, generator) * ~plain
            acting = acting_on(self.config.disturb, None if raw.elsewhere is not None and v == windows - 1 else v)
            wanted = tuple(dict.fromkeys((*self._seen, *needed_views(acting))))
            with _float32(raw):
                seen = self._variant(raw, v, geometry, colour, sigma, wanted)
                made.append(dict(turning.apply(seen, generator)) if turning.degrees and seen else seen)
        elsewhere = None if raw.elsewhere is None else (made.pop(), raw.elsewhere)
        with _float32(raw):
            beside = self._companions(raw, shown[0], generator)
            done = disturbed(self.config.disturb, made, elsewhere, generator)
            return self._batch(raw, done, labels, beside, generator)

    def evaluate(self, raw: RawClips, *, labels: bool = False) -> ClipBatch:
        """Views as they are measured: the largest centred square of the picture, nothing else changed.

        Args:
            raw: B clips in V windows, on any device; the windows stay V variants.
            labels: whether the labels travel along.

        Returns:
            V variants on the device of ``raw``.

        Raises:
            DataError: the motion view is asked for and the clips have none.
            ShapeError: the clips do not fit the specification.
        """
        self._check(raw, self._seen)
        geometry = centre_square(raw.extent)
        with _float32(raw):
            made = [self._variant(raw, v, geometry, None, None, self._seen) for v in range(raw.frames.shape[1])]
            return self._batch(raw, Disturbed(tuple(made), Negatives()), labels, self._companions(raw, geometry, None))

    def ten_crops(self, raw: RawClips, *, mirrored: bool = True) -> Iterator[ClipBatch]:
        """The views of ten-crop testing, one crop at a time; see ``geometry.ten_crops``.

        The crops are as large as training's are before they are changed: ``clip.size`` of ``clip.short_side``. A sound
        has no crops: it comes once.

        Args:
            raw: B clips in V windows, on any device; the windows stay V variants.
            mirrored: whether the mirrored five come after the five as they are.

        Raises:
            DataError: the motion view is asked for and the clips have none.
            ShapeError: the clips do not fit the specification.
        """
        self._check(raw, self._seen)
        crops = ten_crops(raw.extent, self.spec.size / self.spec.short_side)
        crops = crops if self._seen else crops[:1]
        for geometry in crops if mirrored or not self._seen else crops[: len(crops) // 2]:
            with _float32(raw):
                made = [self._variant(raw, v, geometry, None, None, self._seen) for v in range(raw.frames.shape[1])]
            yield self._batch(raw, Disturbed(tuple(made), Negatives()), False, None)

    def _batch(
        self,
        raw: RawClips,
        made: Disturbed,
        labels: bool,
        companions: ClipCompanions | None,
        generator: torch.Generator | None = None,
    ) -> ClipBatch:
        variants, negatives = (
            tuple(only(each, self._seen) for each in group) for group in (made.variants, made.negatives.views)
        )
        if self.needs_sound:
            variants = tuple({**seen, SOUND: self._sound_view(raw, v, generator)} for v, seen in enumerate(variants))
        label = raw.label if labels else None
        return ClipBatch(variants, raw.index, raw.source, label, Negatives(negatives, made.negatives.valid), companions)

    def _sound_view(self, raw: RawClips, v: int, generator: torch.Generator | None) -> Tensor:
        """The sound of a variant, augmented where there is a generator."""
        assert raw.sound is not None
        draws = None if generator is None else draw_sound(len(raw), generator)
        config = None if generator is None else self.config.sound
        return sound_view(raw.sound.samples[:, v], raw.sound.valid[:, v], self.sound, config, draws)

    def _check(self, raw: RawClips, views: tuple[str, ...]) -> None:
        if self.needs_sound and raw.sound is None:
            raise DataError(
                "The view 'sound' is asked for, and the clips come without their sound.",
                "Open the clips with it: ClipStore(..., sound=SoundSpec()).",
            )
        frames = raw.frames.shape[2]
        if frames != self.spec.frames + 1:
            raise ShapeError(
                f"The clips hold {frames} frames; clip.frames = {self.spec.frames} needs {self.spec.frames + 1}, "
                "the one before the clip included."
            )
        if "motion" in views and "motion" not in self.views and raw.motion is None:
            raise DataError(
                "A disturbance needs the motion of the clips, and these videos carry no motion vectors.",
                "Take a disturbance that needs none (of broken-motion's kinds only 'warp' does), or videos in H.264.",
            )
        if "motion" in views and raw.motion is None:
            raise DataError(
                "The view 'motion' is asked for, but these videos carry no motion vectors.",
                "Take the view 'residual' instead, or videos in H.264, whose streams hold motion vectors.",
            )
        _check_extent("extent", raw.extent, raw.frames)
        beside = None if raw.companions is None else raw.companions.motion
        for name, motion in (("motion", raw.motion), ("companions.motion", beside)):
            if motion is not None:
                _check_extent(f"{name}.extent", motion.extent, motion.values)

    def _variant(
        self,
        raw: RawClips,
        v: int,
        geometry: Geometry,
        colour: Colour | None,
        sigma: Tensor | None,
        wanted: tuple[str, ...],
    ) -> dict[str, Tensor]:
        size = self.spec.size
        geometry = geometry.to(raw.frames.device)
        views: dict[str, Tensor] = {}
        if "rgb" in wanted or "residual" in wanted:
            lead = "residual" in wanted
            pixels = raw.frames[:, v, 0 if lead else 1 :]
            x = _shown(pixels, raw.extent, geometry, colour, sigma, self.spec)
            if lead:
                change = (x[:, 1:] - x[:, :-1]).mul_(RGB_STD / RESIDUAL_UNIT)
                views["residual"] = change.permute(0, 4, 1, 2, 3)
            if "rgb" in wanted:
                views["rgb"] = (x[:, 1:].contiguous() if lead else x).permute(0, 4, 1, 2, 3)
        if "motion" in wanted:
            assert raw.motion is not None
            views["motion"] = motion_view(raw.motion.window(v), geometry, size)
        return views

    def _companions(
        self, raw: RawClips, geometry: Geometry, generator: torch.Generator | None
    ) -> ClipCompanions | None:
        """What comes along beside the clips, in ``geometry`` or, in training, in one of its own."""
        if raw.companions is None:
            return None
        own = generator if self._own else None
        geometry = geometry.to(raw.frames.device)
        keyframe, motion = None, None
        if raw.companions.keyframe is not None:
            colour, sigma, seen = None, None, geometry
            if own is not None:
                seen = draw_geometry(self.config, raw.extent, own).to(raw.frames.device)
            if generator is not None:
                b = len(raw)
                colour = draw_colour(self.config, b, generator, torch.zeros(b, dtype=torch.bool))
                sigma = draw_sigma(self.config.blur_p, self.config.blur_sigma, b, generator)
            still = _shown(raw.companions.keyframe[:, None], raw.extent, seen, colour, sigma, self.spec)
            keyframe = still[:, 0].permute(0, 3, 1, 2)
        if raw.companions.motion is not None:
            field = raw.companions.motion
            if own is not None:
                others = [draw_geometry(self.config, raw.extent, own) for _ in range(field.valid.shape[1] - 1)]
                geometry = Geometry.interleaved([geometry, *(each.to(raw.frames.device) for each in others)])
            motion = motion_clips_view(field, geometry, self._motion_size)
        return ClipCompanions(keyframe, motion)


def _plain_pairs(raw: RawClips, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which of the first two variants CoCLR leaves plain, bool [B] each; of one variant none is."""
    b, variants = len(raw), raw.frames.shape[1] - (raw.elsewhere is not None)
    draws = rand_rows(b, 3, generator=generator)
    if variants < 2:
        return torch.zeros(b, dtype=torch.bool), torch.zeros(b, dtype=torch.bool)
    one = (raw.frames[:, 0] == raw.frames[:, 1]).flatten(1).all(dim=1).cpu()
    first = draws[:, 0] < 0.5
    return torch.where(one, first, draws[:, 1] < TWO_PLAIN), torch.where(one, ~first, draws[:, 2] < TWO_PLAIN)


def _float32(raw: RawClips) -> torch.autocast:
    """Switches mixed precision off: eight bits of mantissa would drown the residual in rounding."""
    return torch.autocast(raw.frames.device.type, enabled=False)


def _shown(
    pixels: Tensor, extent: Tensor, geometry: Geometry, colour: Colour | None, sigma: Tensor | None, spec: ClipSpec
) -> Tensor:
    """Frames as a view shows them, uint8 [N, T, H, W, 3] to float [N, T, S, S, 3]."""
    rows, columns = geometry.matrices(extent, pixels.shape[2], pixels.shape[3], spec.size)
    if sigma is not None and bool((sigma > 0).any()):  # known on the CPU, where it was drawn
        blur = gaussian_matrix(sent(sigma, pixels.device), spec.size)
        rows, columns = blur @ rows, blur @ columns
    return _coloured(pixels, rows, columns, None if colour is None else colour.to(pixels.device), spec.frames)


def _coloured(pixels: Tensor, rows: Tensor, columns: Tensor, colour: Colour | None, frames: int) -> Tensor:
    """Resampled, jittered, clamped and normalised; the contrast's mean is over the clip's own ``frames`` frames."""
    n = pixels.shape[0]
    matrix = torch.eye(3, device=pixels.device).expand(n, 3, 3) if colour is None else colour_matrix(colour)
    x = resample(pixels, rows, columns, matrix / (255 * RGB_STD))
    offset = x.new_full((n,), -RGB_MEAN / RGB_STD)
    if colour is not None:
        offset = offset + contrast_offset(x[:, -frames:], colour.contrast)
    return x.add_(offset[:, None, None, None, None]).clamp_(-RGB_MEAN / RGB_STD, (1 - RGB_MEAN) / RGB_STD)


def _check_extent(name: str, extent: Tensor, grid: Tensor) -> None:
    extent = at_host(extent)
    low, high = extent.amin(0).tolist(), extent.amax(0).tolist()
    height, width = grid.shape[3], grid.shape[4]
    if min(low) < 1 or high[0] > height or high[1] > width:
        raise ShapeError(
            f"RawClips.{name} runs from {tuple(low)} to {tuple(high)} rows and columns for a grid of "
            f"{height} x {width}; every clip needs at least one row and column, and no more than the grid holds."
        )
