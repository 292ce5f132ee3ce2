"""Tiny videos that can be heard: a tone for each class, clicks at known times, and some that are silent or mute."""

from fractions import Fraction

import av
import numpy as np

RATE = 16000


def write_sounding(path, sound, *, motion=(2, 0), seed=0, frames=30, fps=25, codec="pcm_s16le", size=32, times=None):
    """A blocky texture that moves, with a sound: float [S], or None for a file without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"bf": "0", "g": "12", "crf": "20"})
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        heard = None if sound is None else container.add_stream(codec, rate=RATE, layout="mono")
        packets = []
        for number in range(frames):
            x, y = 90 - motion[0] * number, 90 - motion[1] * number
            picture = np.ascontiguousarray(plane[y : y + size, x : x + size])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for at in range(0, 0 if sound is None else len(sound), 1024):
            part = np.ascontiguousarray(sound[None, at : at + 1024], dtype=np.float32)
            piece = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = RATE, at, Fraction(1, RATE)
            packets += heard.encode(piece)
        packets += heard.encode(None) if heard is not None else []
        for packet in sorted(packets, key=lambda each: each.dts * each.time_base):
            container.mux(packet)
    return path


def tone(hertz, seconds, seed=0):
    """A tone that swells and falls, in faint noise."""
    t = np.arange(round(RATE * seconds)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.003, len(t))
    return (0.3 * np.sin(2 * np.pi * hertz * t) * (0.6 + 0.4 * np.sin(5 * t + seed)) + noise).astype(np.float32)


def clicks(times, seconds):
    """Ten samples at 0.8 from each time on."""
    sound = np.zeros(round(RATE * seconds), dtype=np.float32)
    for time in times:
        sound[round(time * RATE) : round(time * RATE) + 10] = 0.8
    return sound
