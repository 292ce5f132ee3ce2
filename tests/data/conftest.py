"""Videos with known content: a textured plane that moves by a whole number of pixels a frame."""

import functools
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from kinema.core.clips import ClipSpec

CLEAN = {"bf": "0", "refs": "1", "g": "12", "keyint_min": "12", "sc_threshold": "0", "crf": "14"}


@functools.cache
def texture(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((1000, 750), Image.BICUBIC))


def picture(frame, size, motion, seed=0):
    """uint8 [H, W, 3]; what is seen moves by ``motion`` (dx, dy) a frame."""
    width, height = size
    plane = texture(seed)
    x, y = 400 - motion[0] * frame, 300 - motion[1] * frame
    return np.ascontiguousarray(plane[y : y + height, x : x + width])


def write_video(
    path: Path,
    *,
    frames=24,
    size=(96, 64),
    motion=(3, -2),
    codec="libx264",
    options=None,
    times=None,
    rotation=0,
    seed=0,
    pixel_format="yuv420p",
    container_options=None,
    audio=False,
):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=CLEAN if options is None else options)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], pixel_format
        if rotation:
            stream.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=16000, layout="mono") if audio else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, size, motion, seed), format="rgb24")
            if times is not None:
                frame.pts = times[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
            silence.sample_rate = 16000
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return path


@pytest.fixture(scope="session")
def make_video():
    return write_video


@pytest.fixture(scope="session")
def make_picture():
    return picture


@pytest.fixture(scope="session")
def shared_data():
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real videos (../shared/data) are not here")
    return folder


@pytest.fixture(scope="session")
def spec():
    return ClipSpec(frames=4, stride=2, size=32, short_side=40)


@pytest.fixture(scope="session")
def class_folder(tmp_path_factory):
    """Two classes with three videos each, of two sizes, one of them damaged beyond use."""
    root = tmp_path_factory.mktemp("classes")
    for number, motion in enumerate([(2, 0), (3, 1), (-1, 2)]):
        write_video(root / "wave" / f"w{number}.mp4", motion=motion, frames=20 + number, seed=number)
        write_video(
            root / "jump" / f"j{number}.mp4", motion=motion[::-1], size=(64, 80), frames=26, options={"bf": "2"}
        )
    return root
