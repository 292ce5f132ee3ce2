"""Videos small enough to train on in a test: H.264 files of 24 frames, 32 x 32 pixels, in three classes."""

import os
import signal
from pathlib import Path

import av
import numpy as np
import pytest
import quick_workers
from hypothesis import settings

settings.register_profile("kinema", deadline=None)  # machines are noisy, and tests are not timed
settings.load_profile("kinema")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell makes what it puts into the background ignore interrupts; tests that interrupt must not inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

CLASSES = {"right": (2, 0), "left": (-2, 0), "down": (0, 2)}


def write_tiny_video(path: Path, motion, seed, frames=24):
    """A blocky texture that moves by whole pixels, with motion vectors in the stream."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = (
        np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8).repeat(6, axis=0).repeat(6, axis=1)
    )
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0", "g": "12", "crf": "20"})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            x, y = 70 - motion[0] * number, 70 - motion[1] * number
            picture = np.ascontiguousarray(plane[y : y + 32, x : x + 32])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="session", autouse=True)
def _spared():
    """What takes tests long and tells them nothing: starts of workers, and waits for the disk.

    Workers that read files are forked from one that is ready. A sync only looks whether its file is open: it is for a
    machine that stops, and what a process leaves that is killed does not depend on it.
    """
    from kinema.data import workers

    ours = quick_workers.Workers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "subprocess", ours)
        patch.setattr(os, "fsync", lambda file: os.fstat(file) and None)
        yield
    ours.stop()


@pytest.fixture
def call(capsys):
    """Runs a command line: exit status, standard output, standard error."""
    from kinema import cli

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return run


@pytest.fixture(scope="session")
def make_tiny_video():
    return write_tiny_video


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """Twelve videos, a folder a class."""
    root = tmp_path_factory.mktemp("tiny") / "videos"
    for number, (name, motion) in enumerate(CLASSES.items()):
        for clip in range(4):
            write_tiny_video(root / name / f"{name}{clip}.mp4", motion, seed=10 * number + clip)
    return root


@pytest.fixture(scope="session")
def tiny_flat_folder(tmp_path_factory):
    """Six videos that nobody labelled."""
    root = tmp_path_factory.mktemp("flat") / "videos"
    for clip, motion in enumerate(list(CLASSES.values()) * 2):
        write_tiny_video(root / f"clip{clip}.mp4", motion, seed=50 + clip)
    return root


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory):
    """Where decoded videos are kept, for all tests together."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny_manifest(tiny_folder):
    from kinema.data.video.scanning import scan

    return scan(tiny_folder, workers=1)


@pytest.fixture(scope="session")
def answering(tmp_path_factory):
    """A folder with a run that answers questions, its data, and the run that made its features."""
    from answering import write_asked

    return write_asked(tmp_path_factory.mktemp("answering"), write_tiny_video)
