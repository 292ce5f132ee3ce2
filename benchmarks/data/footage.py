"""Footage to measure with, as cameras give it.

A textured ground that sways by parts of a pixel, things that cross it, and a sensor's noise, encoded by
``libx264 -preset veryfast -crf 23`` with its own choice of keyframes and B-frames.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FPS = 30
SIZES = {"320x240": (320, 240), "1280x720": (1280, 720)}


def texture(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """uint8 [height, width, 3] whose amplitude falls with frequency, as that of photographs does."""
    y, x = np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width
    falls = 1 / np.maximum(np.hypot(y, x), 1) ** 1.1
    noise = rng.normal(size=(3, height, width))
    planes = np.fft.irfft2(np.fft.rfft2(noise) * falls, s=(height, width))
    planes = planes[:1] + 0.35 * planes[1:].sum(axis=0) + 0.35 * planes  # colours that go together
    planes = (planes - planes.mean()) / planes.std() * 48 + 122
    picture: NDArray[np.uint8] = np.clip(planes, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return picture


def write(path: Path, seed: int, width: int, height: int, frames: int) -> Path:
    """One shot of so many frames; a file that is there is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return path
    rng = np.random.default_rng(seed)
    ground = Image.fromarray(texture(height * 3 // 2, width * 3 // 2, rng))
    across = height // 3
    y, x = np.mgrid[:across, :across] - across / 2 + 0.5
    disc = Image.fromarray(np.where(np.hypot(x, y) < across / 2, 255, 0).astype(np.uint8))
    things = [Image.fromarray(texture(across, across, rng)) for _ in range(4)]
    noise = rng.normal(scale=2.0, size=(16, height, width, 1)).astype(np.int16)
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            sway = (width / 4 * (1 + 0.8 * np.sin(number / 61)), height / 4 * (1 + 0.8 * np.cos(number / 47)))
            box = (1, 0, sway[0], 0, 1, sway[1])
            picture = ground.transform((width, height), Image.Transform.AFFINE, box, Image.Resampling.BICUBIC)
            for place, thing in enumerate(things):
                turn = number / (23 + 6 * place) + place
                left = (width - across) * (0.5 + 0.5 * np.sin(turn))
                top = (height - across) * (0.5 + 0.5 * np.cos(1.3 * turn))
                picture.paste(thing, (round(left), round(top)), disc)
            shown = np.clip(np.asarray(picture) + noise[number % len(noise)], 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(stream.encode(None))
    part.rename(path)
    return path


def folder(out: Path, size: str, files: int, seconds: float) -> list[Path]:
    """``files`` shots of one size, each of its own seed."""
    width, height = SIZES[size]
    count = round(seconds * FPS)
    return [write(out / size / f"{number:03d}-{count}.mp4", number, width, height, count) for number in range(files)]
