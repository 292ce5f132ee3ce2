"""The view 'sound' of a clip: a log-mel spectrogram of fixed scale, and its augmentation in training.

In training the stretch is a little earlier or later, is louder or softer, and loses a run of its frames and a run of
its bands (SpecAugment: Park et al. 2019, arXiv 1904.08779, without its time warping). Each clip has draws of its own,
all of them numbers in [0, 1) from a CPU generator. What is masked, and frames where the audio does not cover the clip,
are 0, the scale's mean: silence lies far below it.

Axes: B clips, S samples that were read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.clips import SoundSpec
from kinema.core.errors import ConfigError, ShapeError
from kinema.core.moving import sent
from kinema.core.ops import rand_rows
from kinema.data.clips.transforms.log_mel import log_mel

SOUND_MEAN = -5.0
"""The logarithm of a band's energy that is 0 in the view; the mean of recorded speech is about there."""

SOUND_STD = 4.0
"""The distance from ``SOUND_MEAN`` that is 1 in the view."""

FLOOR = 1e-6
"""Energies below it count as it: digital silence is -2.2 in the view, and the noise of 16 bits is below it."""

DRAWS = 6
"""Numbers that a clip draws: shift, gain, and length and place of both masks."""


@dataclass(frozen=True)
class SoundAugment:
    """The augmentation of a clip's sound in training; its shift is a field of ``SoundSpec``.

    Args:
        gain: decibels by which it may be louder or softer.
        frames: the largest share of the spectrogram's frames that is masked, in one run.
        bands: the largest share of its bands that is masked, in one run.
    """

    gain: float = 6.0
    frames: float = 0.2
    bands: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.gain < math.inf or not 0 <= self.frames < 1 or not 0 <= self.bands < 1:
            raise ConfigError(
                f"transform.sound has gain={self.gain}, frames={self.frames} and bands={self.bands}: the gain must "
                "not be negative, and the shares must lie in [0, 1)."
            )


def draw_sound(clips: int, generator: torch.Generator) -> Tensor:
    """A clip's draws, float [B, DRAWS] on the CPU."""
    return rand_rows(clips, DRAWS, generator=generator)


def sound_view(
    sound: Tensor, valid: Tensor, spec: SoundSpec, config: SoundAugment | None = None, draws: Tensor | None = None
) -> Tensor:
    """Spectrograms of stretches of sound.

    Args:
        sound: float [B, S], S = ``spec.read``.
        valid: bool [B, S], where the audio covers them.
        spec: the stretch of a clip.
        config: the augmentation; None for the middle of each stretch as it is.
        draws: from :func:`draw_sound`, with ``config``.

    Returns:
        Float32 [B, 1, bands, frames].

    Raises:
        ShapeError: the stretches are not of ``spec.read`` samples.
    """
    if sound.shape != valid.shape or sound.ndim != 2 or sound.shape[1] != spec.read:
        raise ShapeError(
            f"The sound is {tuple(sound.shape)} and says where it is valid in {tuple(valid.shape)}; expected both of "
            f"[B, {spec.read}]: {spec.seconds:g} s at {spec.rate} Hz, and {spec.shift:g} s before and after."
        )
    shift = torch.full((len(sound),), spec.margin)
    if config is not None and draws is not None:
        shift = (draws[:, 0] * (2 * spec.margin + 1)).long().clamp_max(2 * spec.margin)
    places = sent(shift, sound.device)[:, None] + torch.arange(spec.samples, device=sound.device)
    stretch, covered = sound.gather(1, places), valid.gather(1, places[:, :: spec.hop])
    if config is not None and draws is not None:
        decibels = config.gain * (2 * draws[:, 1] - 1)
        stretch = stretch * (10.0 ** (decibels / 20)).to(sound)[:, None]
    window = max(2, round(spec.rate * spec.window))
    mel = log_mel(
        stretch,
        spec.rate,
        window=window,
        hop=spec.hop,
        bands=spec.bands,
        fft=2 ** (window - 1).bit_length(),
        floor=FLOOR,
    )
    view = (mel[..., : spec.frames] - SOUND_MEAN) / SOUND_STD
    mask = covered[:, None, :].expand_as(view)
    if config is not None and draws is not None:
        drawn = sent(draws, sound.device)
        mask = mask & ~_run(drawn[:, 2], drawn[:, 3], config.frames, spec.frames)[:, None, :]
        mask = mask & ~_run(drawn[:, 4], drawn[:, 5], config.bands, spec.bands)[:, :, None]
    return torch.where(mask, view, 0.0)[:, None]


def _run(length: Tensor, place: Tensor, share: float, whole: int) -> Tensor:
    """Bool [B, whole]: a run of at most ``share`` of the places, as long as one draw says and where the other does."""
    long = (length * (int(share * whole) + 1)).floor()
    first = (place * (whole - long + 1)).floor()
    places = torch.arange(whole, device=length.device)
    return (places >= first[:, None]) & (places < (first + long)[:, None])
