"""Sound as a picture: the logarithm of the energy in bands as wide as the ear takes them to be.

The spectrum is cut into triangular bands whose corners are equally far apart on the mel scale of HTK,
m(f) = 2595 log10(1 + f / 700) (O'Shaughnessy, Speech Communication, 1987; The HTK Book, 5.4). Band b rises linearly in
hertz from corner b to corner b + 1, where it is 1, and falls to 0 at corner b + 2; there are ``bands`` + 2 corners from
``fmin`` to ``fmax``. Bands are not scaled to equal area, as Slaney's are.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, ShapeError


def hertz_to_mel(hertz: float) -> float:
    """Place on the mel scale of a frequency."""
    return 2595.0 * math.log10(1.0 + hertz / 700.0)


@functools.lru_cache(maxsize=32)
def mel_filters(rate: int, fft: int, bands: int, fmin: float, fmax: float) -> Tensor:
    """The bands' weights of the bins of a spectrum.

    Args:
        rate: samples a second.
        fft: samples of the transform; bin k is at k * rate / fft hertz.
        bands: how many.
        fmin: where the first begins, in hertz.
        fmax: where the last ends, in hertz.

    Returns:
        Float32 [bands, fft // 2 + 1] on the CPU, to be left as it is: later calls are given the same.

    Raises:
        ConfigError: the frequencies are no interval up to half the rate, or a band is too narrow to hold a bin.
    """
    if not 0 <= fmin < fmax <= rate / 2 or bands < 1:
        raise ConfigError(
            f"There are no {bands} bands from {fmin:g} to {fmax:g} Hz at {rate} samples a second.",
            f"Give at least one band and 0 <= fmin < fmax <= {rate / 2:g}.",
        )
    mels = torch.linspace(hertz_to_mel(fmin), hertz_to_mel(fmax), bands + 2, dtype=torch.float64)
    corners = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    bins = torch.arange(fft // 2 + 1, dtype=torch.float64) * rate / fft
    rise = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    fall = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    filters = torch.minimum(rise, fall).clamp_min(0.0).float()
    empty = torch.nonzero(filters.sum(dim=1) == 0).flatten().tolist()
    if empty:
        raise ConfigError(
            f"{len(empty)} of {bands} mel bands, the first being number {empty[0]}, lie between two bins of a spectrum "
            f"of {fft} samples and would hear nothing.",
            "Take fewer bands, a longer window, or a larger fft.",
        )
    return filters


def log_mel(
    waveform: Tensor,
    rate: int,
    *,
    window: int,
    hop: int,
    bands: int,
    fmin: float = 0.0,
    fmax: float | None = None,
    fft: int | None = None,
    center: bool = True,
    floor: float = 1e-10,
) -> Tensor:
    """The log-mel spectrogram of sounds.

    Args:
        waveform: float [B, samples].
        rate: samples a second.
        window: samples of the periodic Hann window.
        hop: samples from one frame to the next.
        bands: mel bands.
        fmin: where the first begins, in hertz.
        fmax: where the last ends, in hertz; None is half the rate.
        fft: samples of the transform, in whose middle the window lies; None is ``window``.
        center: whether the middle of frame i lies at sample i * hop, with zeros before the beginning and after the
            end; there are 1 + samples // hop frames. Otherwise it lies at i * hop + fft // 2, nothing is padded, and
            there are 1 + (samples - fft) // hop frames.
        floor: energies below it count as it, so that silence is finite.

    Returns:
        Float32 [B, bands, frames], the natural logarithm of each band's energy: the sum of its weights times |STFT|².

    Raises:
        ShapeError: the waveform is not [B, samples] of floats, or shorter than one frame.
        ConfigError: settings that cannot be.
    """
    size = window if fft is None else fft
    if not (1 <= window <= size and hop >= 1 and floor > 0):
        raise ConfigError(
            f"No spectrogram has window={window}, fft={size}, hop={hop} and floor={floor:g}.",
            "Give 1 <= window <= fft, a hop of at least 1 and a floor above 0.",
        )
    if waveform.ndim != 2 or not waveform.is_floating_point() or waveform.shape[1] < (1 if center else size):
        raise ShapeError(
            f"A waveform of shape {tuple(waveform.shape)} and type {waveform.dtype} has no spectrogram.",
            f"Give floats [B, samples] of at least {1 if center else size} samples.",
        )
    sound = waveform.float()
    if center:
        sound = torch.nn.functional.pad(sound, (size // 2, size - size // 2))
    filters = mel_filters(rate, size, bands, fmin, rate / 2 if fmax is None else fmax)
    hann = torch.hann_window(window, periodic=True, device=sound.device)
    spectrum = torch.stft(sound, size, hop, window, hann, center=False, return_complex=True)
    energy = filters.to(sound.device) @ (spectrum.real.square() + spectrum.imag.square())
    return energy.clamp_min(floor).log()
