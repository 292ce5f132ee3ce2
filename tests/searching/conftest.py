"""A model, videos and tables that search is tested on."""

import numpy as np
import pyarrow as pa
import pytest
from searching_tables import model_of

import kinema


@pytest.fixture(scope="session")
def lancedb():
    return pytest.importorskip("lancedb", reason="the extra kinema[search] is not installed")


@pytest.fixture(scope="session")
def model():
    return model_of()


@pytest.fixture
def videos(tmp_path, make_tiny_video):
    """Six videos in two folders, of several lengths."""
    root = tmp_path / "videos"
    for number in range(3):
        make_tiny_video(root / f"left/l{number}.mp4", (-2, 0), seed=number, frames=20 + 5 * number)
        make_tiny_video(root / f"down/d{number}.mp4", (0, 2), seed=10 + number, frames=24)
    return root


@pytest.fixture
def run(model, tmp_path, lancedb):
    """A folder that kinema.load reads, as a run's is."""
    kinema.export(model, tmp_path / "run", licence="CC0")
    return tmp_path / "run"


@pytest.fixture(scope="session")
def make_table(lancedb):
    """A table of windows with given vectors; one second a window, windows of a video one after another."""
    from kinema.data.video.manifest import Video
    from kinema.searching.encode import VideoEmbeddings, WindowEmbedding
    from kinema.searching.schema import TableSettings, arrow, rows_of, schema_of

    def make(folder, vectors, videos, labels=None, dim=None):
        vectors = np.asarray(vectors, dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        making = TableSettings("made", "rgb", "0" * 64, dim or vectors.shape[1], {"frames": 4}, "clip", "usual")
        schema = schema_of(making, [])
        table = lancedb.connect(str(folder)).create_table("windows", schema=schema)
        rows, labels = [], labels or [None] * len(videos)
        for name in dict.fromkeys(videos):
            own = [at for at, video in enumerate(videos) if video == name]
            shots = [WindowEmbedding(25 * i, 25, float(i), i + 1.0, vectors[at], b"jpeg") for i, at in enumerate(own)]
            mean = vectors[own].mean(0)
            whole = WindowEmbedding(0, 25 * len(own), 0.0, float(len(own)), mean / np.linalg.norm(mean), b"jpeg")
            about = Video(path=name, label=labels[own[0]], duration=float(len(own)), frames=25 * len(own), fps=25.0)
            rows += rows_of(about, VideoEmbeddings(tuple(shots), whole), making, {})
        for at in range(0, len(rows), 10_000):
            table.add(arrow(rows[at : at + 10_000], pa.schema(table.schema)))
        return table

    return make
