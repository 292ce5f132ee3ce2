"""Slow, obvious re-statements of what is done with sound: one frame, one bin, one band at a time."""

import cmath
import math


def log_mel_slowly(sound, rate, *, window, fft, hop, bands, fmin, fmax, center, floor=1e-10):
    """[bands][frames]: the discrete Fourier transform by its definition, triangles by their corners."""
    size = fft or window
    at = lambda place: sound[place] if 0 <= place < len(sound) else 0.0  # noqa: E731
    before = (size - window) // 2
    shape = [0.0] * size
    for n in range(window):
        shape[before + n] = 0.5 - 0.5 * math.cos(2 * math.pi * n / window)
    frames = 1 + (len(sound) if center else len(sound) - size) // hop
    mel = lambda hertz: 2595 * math.log10(1 + hertz / 700)  # noqa: E731
    places = [mel(fmin) + (mel(fmax) - mel(fmin)) * n / (bands + 1) for n in range(bands + 2)]
    corners = [700 * (10 ** (place / 2595) - 1) for place in places]
    out = [[0.0] * frames for _ in range(bands)]
    for frame in range(frames):
        first = frame * hop - (size // 2 if center else 0)
        part = [at(first + n) * shape[n] for n in range(size)]
        for k in range(size // 2 + 1):
            value = sum(part[n] * cmath.exp(-2j * math.pi * k * n / size) for n in range(size))
            hertz = k * rate / size
            for band in range(bands):
                low, peak, high = corners[band : band + 3]
                if low <= hertz <= peak:
                    weight = (hertz - low) / (peak - low)
                elif peak < hertz <= high:
                    weight = (high - hertz) / (high - peak)
                else:
                    weight = 0.0
                out[band][frame] += weight * abs(value) ** 2
    return [[math.log(max(energy, floor)) for energy in row] for row in out]
