"""A small archive that is served: twelve videos of three classes, a longer film, and one that no browser plays."""

import shutil

import av
import numpy as np
import pytest
from searching_tables import model_of

import kinema
from kinema.data import decode
from kinema.searching import database
from kinema.segmenting.segmentation import Segment, Segmentation, SegmentedVideo, Step, Typical

HOST = "http://127.0.0.1:8000"


def write_film(path, middle, codec="libx264"):
    """Seven seconds of 25 frames: noise that stands still, but for a second from the fourth on, which is ``middle``."""
    still = np.random.default_rng(5).integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    frames = [still] * 100 + list(middle[:24]) + [still] * 51
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"g": "12", "crf": "20"} if codec == "libx264" else {})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        out.mux(stream.encode(None))


@pytest.fixture(scope="session")
def footage(tmp_path_factory, make_tiny_video):
    pytest.importorskip("lancedb", reason="the extra kinema[search] is not installed")
    pytest.importorskip("fastapi", reason="the extra kinema[serve] is not installed")
    root = tmp_path_factory.mktemp("serving") / "videos"
    for number, (name, motion) in enumerate({"right": (2, 0), "left": (-2, 0), "down": (0, 2)}.items()):
        for clip in range(4):
            make_tiny_video(root / name / f"{name}{clip}.mp4", motion, seed=10 * number + clip)
    (root / "films").mkdir()
    middle = decode(root / "down/down1.mp4", short_side=None, motion=False).frames
    write_film(root / "films/film.mp4", middle)
    write_film(root / "films/old.avi", middle, codec="mpeg4")
    return root


@pytest.fixture(scope="session")
def model():
    return model_of()


@pytest.fixture(scope="session")
def table(footage, model):
    where = footage.parent / "index"
    kinema.embed(model, footage, out=where, workers=1)
    kinema.cluster(where.parent, table=where, k=3, over="windows")
    return where


@pytest.fixture(scope="session")
def serve(model, table):
    """Makes an application over the table, or over another one."""
    from kinema import serving
    from kinema.serving.settings import Settings

    def make(where=None, **settings):
        return serving.app(model, table=where or table, settings=Settings(**settings), device="cpu")

    return make


@pytest.fixture(scope="session")
def client(serve):
    from fastapi.testclient import TestClient

    with TestClient(serve(upload_mib=1), base_url=HOST, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="session")
def named(client):
    """The name in requests of each video, by its path."""
    return {video["name"]: video["id"] for video in client.get("/api/videos").json()["videos"]}


@pytest.fixture
def rows(table):
    """How many rows the table has, which nothing that is asked may change."""
    return lambda: database.require_table(str(table)).count_rows()


@pytest.fixture(scope="session")
def root(footage):
    """The folder above the table's, so that its videos have other paths here; and one video that the table lacks."""
    (footage.parent / "more").mkdir(exist_ok=True)
    shutil.copy(footage / "left/left0.mp4", footage.parent / "more" / "new.mp4")
    return footage.parent


@pytest.fixture
def file(root, tmp_path):
    """Segments of the film, which is in the table, and of a video that is not."""
    film = (Segment(0.0, 2.0, 1), Segment(2.0, 4.0, 2), Segment(4.0, 6.5, 1))
    typical = Typical("videos/films/film.mp4", 4.0, 5.0, 0.9), Typical("more/new.mp4", 0.0, 0.5, 0.8)
    videos = (
        SegmentedVideo("videos/films/film.mp4", 7.0, film),
        SegmentedVideo("more/new.mp4", 1.0, (Segment(0.0, 1.0, 2),)),
    )
    steps = (Step(1, "", typical, 4.5), Step(2, "hold still", (), 3.0))
    made = Segmentation(root, videos, steps, {}, {"videos/films/old.avi": "it is too old"})
    made.write(tmp_path / "segments.json")
    return tmp_path / "segments.json"
