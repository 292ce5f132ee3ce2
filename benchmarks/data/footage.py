"""Footage to measure with: a textured scene that a camera pans over, things that move in it, and a sensor's noise."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FPS = 30
SIZES = {"320x240": (320, 240), "1280x720": (1280, 720)}


def texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Smooth noise in octaves, float32 [height, width, 3] from 0 to 255: as in nature, the larger the stronger."""
    total = np.zeros((height, width, 3), dtype=np.float32)
    for octave in range(2, 8):
        cells = 2**octave
        coarse = rng.random((cells + 1, cells + 1, 3), dtype=np.float32)
        y = np.linspace(0, cells - 1e-3, height, dtype=np.float32)
        x = np.linspace(0, cells - 1e-3, width, dtype=np.float32)
        j, i = y.astype(int), x.astype(int)
        v, u = (y - j)[:, None, None], (x - i)[None, :, None]
        top = coarse[j][:, i] * (1 - u) + coarse[j][:, i + 1] * u
        bottom = coarse[j + 1][:, i] * (1 - u) + coarse[j + 1][:, i + 1] * u
        total += (top * (1 - v) + bottom * v) / octave
    total -= total.min()
    scaled: NDArray[np.float32] = total * (255 / total.max())
    return scaled


def frames(seed: int, width: int, height: int, count: int) -> list[NDArray[np.uint8]]:
    """One shot, ``count`` of uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    scene = texture(rng, height * 3 // 2, width * 3 // 2)
    things = [texture(rng, height // 4, height // 4) for _ in range(4)]
    places = rng.random((4, 2)) * (height, width)
    speeds = rng.normal(0, height / 80, (4, 2))
    noise = rng.normal(0, 2, (8, height, width, 1)).astype(np.float32)
    shot = []
    for number in range(count):
        turn = 2 * np.pi * number / 200
        top, left = int(height / 4 * (1 + np.sin(turn))), int(width / 4 * (1 + np.cos(turn)))
        picture = scene[top : top + height, left : left + width].copy()
        for thing, place, speed in zip(things, places, speeds, strict=True):
            y, x = ((place + number * speed) % (height * 3 // 4, width - height // 4)).astype(int)
            picture[y : y + height // 4, x : x + height // 4] = thing
        shot.append(np.clip(picture + noise[number % 8], 0, 255).astype(np.uint8))
    return shot


def write(path: Path, seed: int, width: int, height: int, count: int) -> Path:
    """The shot as H.264 in MP4, ``libx264 veryfast crf 23`` with its own choice of keyframes and B-frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return path
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for picture in frames(seed, width, height, count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    part.rename(path)
    return path


def folder(out: Path, size: str, files: int, seconds: float) -> list[Path]:
    """``files`` videos of one size; what is there already is kept."""
    width, height = SIZES[size]
    count = round(seconds * FPS)
    return [write(out / size / f"{number:03d}-{count}.mp4", number, width, height, count) for number in range(files)]
