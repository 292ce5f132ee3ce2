"""Fingerprints of files: on a clock of tenths of a second, and nearly the same whatever became of the file."""

from fractions import Fraction

import av
import numpy as np
import pytest

from kinema.core.errors import VideoError
from kinema.data.video.fingerprint import RATE, SIDE, fingerprint, fingerprints
from kinema.data.video.manifest import Manifest, Video
from kinema.data.video.scanning import scan


def write_steps(path, rate, seconds, every=None):
    """A grey that rises by 5 each tenth of a second, brighter in the upper left quarter."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(round(seconds * rate)):
            light = 20 + 5 * int(number * 10 / rate + 1e-6)
            frame = np.full((64, 96, 3), light, dtype=np.uint8)
            frame[:32, :48] += 60
            made = av.VideoFrame.from_ndarray(frame, format="rgb24")
            if every is not None:
                made.pts, made.time_base = number * every, Fraction(1, rate)
            container.mux(stream.encode(made))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rate", [10, 30, 50])
def test_a_picture_a_tenth_of_a_second_at_any_rate(tmp_path, rate):
    light = fingerprint(write_steps(tmp_path / "a.mp4", rate, 1.5)).astype(float)
    assert light.shape == (15, SIDE, SIDE)
    steps = np.diff(light[:, -1, -1])
    assert steps == pytest.approx(np.full(14, 5), abs=1.5)
    quarter = light[:, : SIDE // 2, : SIDE // 2].mean(axis=(1, 2)) - light[:, SIDE // 2 :, SIDE // 2 :].mean(
        axis=(1, 2)
    )
    assert (quarter > 45).all()


def test_slow_frames_are_held(tmp_path):
    light = fingerprint(write_steps(tmp_path / "a.mp4", 10, 1.0, every=3)).astype(float)[:, -1, -1]
    assert len(light) == 28
    assert light[0:3] == pytest.approx(light[0], abs=0.01)
    assert light[3] - light[2] > 3


def test_a_jump_in_the_times_is_a_second_at_most(tmp_path):
    light = fingerprint(write_steps(tmp_path / "a.mp4", 10, 0.4, every=100_000))
    assert len(light) == 3 * RATE + 1


def test_another_size_and_quality_change_little(tmp_path, make_video):
    one = fingerprint(make_video(tmp_path / "a.mp4", size=(192, 128), frames=25)).astype(float)
    rough = {"crf": "35", "bf": "2"}
    other = fingerprint(make_video(tmp_path / "b.mp4", size=(192, 128), frames=25, options=rough)).astype(float)
    assert np.abs(one - other).mean() < 2
    assert np.abs(one - fingerprint(make_video(tmp_path / "c.mp4", size=(192, 128), seed=3))[:10]).mean() > 10


def test_turned_for_display(tmp_path, make_video):
    plain = fingerprint(make_video(tmp_path / "a.mp4", size=(96, 64))).astype(float)
    turned = fingerprint(make_video(tmp_path / "b.mp4", size=(96, 64), rotation=90)).astype(float)
    shown = [np.rot90(plain, turns, axes=(1, 2)) for turns in (1, -1)]
    assert min(np.abs(turned - each).mean() for each in shown) < 1
    assert np.abs(turned - plain).mean() > 5


def test_a_folder_in_processes_and_what_cannot_be_read(tmp_path, make_video):
    make_video(tmp_path / "a.mp4", frames=25)
    make_video(tmp_path / "b.mp4", frames=50, seed=1)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    manifest = scan(tmp_path, workers=1)
    gone = Manifest(manifest.root, (*manifest.videos, Video("gone.mp4")))
    told = []
    found, failed = fingerprints(gone, workers=2, progress=lambda done, total: told.append((done, total)))
    assert {row: len(light) for row, light in found.items()} == {0: 10, 1: 20}
    np.testing.assert_array_equal(found[0], fingerprint(tmp_path / "a.mp4"))
    assert set(failed) == {2, 3}
    assert "gone.mp4" in failed[3]
    assert told[-1] == (3, 3)
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        fingerprint(tmp_path / "broken.mp4")
