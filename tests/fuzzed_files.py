"""Small video files of many kinds, ways to damage them, and a reader that a crash of the native decoder may end."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from kinema.core.clips import ClipSpec
from kinema.core.errors import KinemaError
from kinema.data import ClipStore, Manifest, motion_vectors

FRAMES = 24
SPEC = ClipSpec(frames=4, stride=2, size=32, short_side=32)
KINDS = {
    "front.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "12"}, {"movflags": "faststart"}),
    "back.mp4": ("libx264", "yuv420p", {"bf": "0", "g": "8"}, {}),
    "parts.mp4": ("libx264", "yuv420p", {"g": "6"}, {"movflags": "frag_keyframe+empty_moov"}),
    "h264.mkv": ("libx264", "yuv420p", {"bf": "2"}, {}),
    "h264.ts": ("libx264", "yuv420p", {"g": "6"}, {}),
    "part2.avi": ("mpeg4", "yuv420p", {"bf": "2", "g": "12"}, {}),
    "mpeg1.mpg": ("mpeg1video", "yuv420p", {"g": "6"}, {}),
    "pictures.mov": ("mjpeg", "yuvj420p", {}, {}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"cpu-used": "8", "g": "12"}, {}),
}
"""Codec, pixel format, options of the encoder, options of the container."""


def write(path, kind):
    """24 frames of a texture that moves, with sound where the container usually has some."""
    codec, pixels, options, container_options = KINDS[kind]
    rng = np.random.default_rng(len(kind))
    plane = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        sound = (
            container.add_stream("aac", rate=16000, layout="mono") if kind.endswith((".mp4", ".ts", ".mkv")) else None
        )
        for number in range(FRAMES):
            shown = np.ascontiguousarray(plane[number : number + 64, 2 * number : 2 * number + 96])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(stream.encode(None))
        if sound is not None:
            for number in range(15):
                tone = 0.3 * np.sin(np.arange(1024, dtype=np.float32)[None] / 7)
                heard = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                heard.sample_rate, heard.pts, heard.time_base = 16000, 1024 * number, Fraction(1, 16000)
                container.mux(sound.encode(heard))
            container.mux(sound.encode(None))
    return path


@dataclass(frozen=True)
class Damage:
    """One thing that is done to a file's bytes; ``at`` and ``long`` are shares of its length."""

    way: str
    at: float
    long: float
    seed: int

    def done_to(self, data: bytes) -> bytes:
        start = int(self.at * (len(data) - 1))
        stop = min(len(data), start + 1 + int(self.long * len(data)))
        rng = np.random.default_rng(self.seed)
        if self.way == "truncated":
            return data[:start]
        if self.way == "cut out":
            return data[:start] + data[stop:]
        if self.way == "twice":
            return data[:stop] + data[start:]
        changed = np.frombuffer(data, dtype=np.uint8).copy()
        if self.way == "zeros":
            changed[start:stop] = 0
        elif self.way == "noise":
            changed[start:stop] = rng.integers(0, 256, stop - start)
        else:  # bits flipped: one to sixteen within the stretch
            for place in rng.integers(start, stop, rng.integers(1, 17)):
                changed[place] ^= 1 << rng.integers(8)
        return changed.tobytes()


WAYS = ("truncated", "bits flipped", "bits flipped", "zeros", "noise", "cut out", "twice")


def read_everything(manifest_file, row):
    """Reads a clip and the motion of one video from the file; what happened, in words."""
    manifest = Manifest.read(manifest_file)
    video, told = manifest.videos[row], []
    try:
        store = ClipStore(manifest, SPEC, motion=False, cache=None, short_videos="repeat")
        for start in {0, max(0, video.frames - SPEC.span)}:
            shape = store.read(row, (start,)).frames.shape[:2]
            told.append("clip" if shape == (1, SPEC.frames + 1) else f"a clip of {shape}")
    except KinemaError as error:
        told.append(f"error: {error.message}")
    try:
        motion_vectors(manifest.file(row))
        told.append("motion")
    except KinemaError as error:
        told.append(f"error: {error.message}")
    return told
