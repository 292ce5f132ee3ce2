import errno
import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

import kinema
from kinema.core.errors import DataError, StorageError, UsageError, VideoError
from kinema.data import decode, motion_vectors, write_motion
from kinema.data.video import motion_file
from kinema.data.video.film import Film
from kinema.data.video.motion import SUBPIXEL
from kinema.data.video.motion_drawing import Drawer, add_speeds, arrow_shapes, full_speed


def test_arrays_of_a_video(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4", options={"bf": "2"}, frames=30)
    read = motion_vectors(path)
    whole = decode(path, short_side=None, motion=True)
    np.testing.assert_array_equal(read.motion, whole.motion)
    np.testing.assert_array_equal(read.valid, whole.motion_valid)
    assert (len(read), read.source_size, read.bad_packets, read.reason) == (30, (64, 96), 0, "")
    np.testing.assert_allclose(read.times, np.arange(30) / 25)
    assert read.types[0] == "I"
    assert set(read.types) == {"I", "P", "B"}
    assert read.pixels().dtype == np.float32
    np.testing.assert_array_equal(read.pixels() * SUBPIXEL, read.motion)
    part = motion_vectors(path, start=7, stop=20)
    np.testing.assert_array_equal(part.motion, read.motion[7:20])
    np.testing.assert_array_equal(part.times, read.times[7:20])
    assert part.types.tolist() == read.types[7:20].tolist()


@pytest.mark.parametrize("suffix", [".mp4", ".264"])
def test_npz_holds_the_same_in_pieces(make_video, tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(motion_file, "_PIECE", 7)
    path = make_video(tmp_path / f"v{suffix}", frames=24, options={"bf": "2"})
    told = []
    written = write_motion(path, tmp_path / "new/m.npz", progress=lambda *at: told.append(at))
    read = motion_vectors(path)
    with np.load(tmp_path / "new/m.npz") as file:
        names = {"motion", "valid", "times", "types", "source_size", "cell", "subpixel", "units", "kinema"}
        assert set(file.files) == names
        np.testing.assert_array_equal(file["motion"], read.motion)
        np.testing.assert_array_equal(file["valid"], read.valid)
        np.testing.assert_array_equal(file["times"], read.times)
        assert file["types"].tolist() == read.types.tolist()
        assert (file["motion"].dtype, file["valid"].dtype) == (np.int16, bool)
        assert (file["source_size"].tolist(), int(file["cell"]), int(file["subpixel"])) == ([64, 96], 4, 16)
        assert str(file["kinema"]) == kinema.__version__
        assert "1/16 pixel" in str(file["units"])
    assert (written.frames, written.with_motion) == (24, int(read.valid.any(axis=(1, 2)).sum()))
    assert told[-1] == (24, 24)
    assert len(told) == 4
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["m.npz"]


def frames_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
        return stream.codec_context.name, stream.average_rate, *zip(*frames, strict=True)


@pytest.mark.parametrize("size", [(320, 240), (131, 97)])
def test_drawn_video(make_video, tmp_path, size):
    options = {"b": "4000000"} if size[0] % 2 else None
    path = make_video(
        tmp_path / "v.mp4",
        size=size,
        frames=20,
        motion=(4, 0),
        codec="mpeg4" if options else "libx264",
        options=options,
    )
    told = []
    written = write_motion(path, tmp_path / "m.mp4", progress=lambda *at: told.append(at))
    codec, rate, times, pictures = frames_of(tmp_path / "m.mp4")
    assert (codec, rate, len(pictures), written.frames) == ("h264", 25, 20, 20)
    assert pictures[0].shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    np.testing.assert_allclose(times, np.arange(20) / 25, atol=1e-3)
    assert told[-1] == (40, 40)
    # A frame that moves is coloured; a keyframe tells nothing and is not.
    colour = [np.ptp(picture[10:60, 60:].astype(int), axis=-1).mean() for picture in pictures]
    assert colour[5] > 2 * colour[0]
    assert not [entry for entry in tmp_path.iterdir() if entry.name not in ("v.mp4", "m.mp4")]


def test_times_of_a_variable_rate_are_kept(make_video, tmp_path):
    shown = [n if n < 10 else 10 + 7 * (n - 10) for n in range(16)]
    path = make_video(tmp_path / "v.mp4", frames=16, times=shown)
    write_motion(path, tmp_path / "m.mp4")
    np.testing.assert_allclose(frames_of(tmp_path / "m.mp4")[2], np.asarray(shown) / 25, atol=1e-3)


def test_raw_streams_are_drawn_at_their_rate(make_video, tmp_path):
    path = make_video(tmp_path / "v.264", frames=12, options={"bf": "2"})
    write_motion(path, tmp_path / "m.mp4")
    _, rate, times, _ = frames_of(tmp_path / "m.mp4")
    assert len(times) == 12
    np.testing.assert_allclose(np.diff(times), 1 / float(rate), atol=1e-3)


def test_film_repairs_times_that_stand_still_or_are_missing(tmp_path):
    with av.open(str(tmp_path / "f.mp4"), "w") as container:
        film = Film(container, Fraction(25), Fraction(1, 1000))
        for time in (0.5, 0.54, 0.54, float("nan"), 0.7):
            film.add(np.zeros((32, 32, 3), dtype=np.uint8), time)
        film.close()
    np.testing.assert_allclose(frames_of(tmp_path / "f.mp4")[2], (0, 0.04, 0.041, 0.081, 0.2), atol=1e-3)


@pytest.mark.parametrize("out", ["m.npz", "m.mp4"])
def test_errors_leave_nothing_behind(make_video, tmp_path, out):
    target = tmp_path / "out" / out
    with pytest.raises(VideoError, match=r"gone\.mp4"):
        write_motion(tmp_path / "gone.mp4", target)
    (tmp_path / "bad.mp4").write_bytes(b"no video at all" * 40)
    with pytest.raises(VideoError, match=r"bad\.mp4"):
        write_motion(tmp_path / "bad.mp4", target)
    vp9 = make_video(tmp_path / "v.webm", codec="libvpx-vp9", options={}, frames=3)
    with pytest.raises(DataError, match="is vp9") as error:
        write_motion(vp9, target)
    assert "ffmpeg -i IN -c:v libx264" in error.value.hint
    assert not target.parent.exists()


def test_names_that_cannot_be(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4", frames=3)
    content = path.read_bytes()
    with pytest.raises(UsageError, match=r"m\.mkv.*\.npz nor \.mp4"):
        write_motion(path, tmp_path / "m.mkv")
    with pytest.raises(UsageError, match="the video itself"):
        write_motion(path, tmp_path / "." / "v.mp4")
    assert path.read_bytes() == content
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"m\.npz"):
        write_motion(path, tmp_path / "file" / "m.npz")


@pytest.mark.parametrize("out", ["m.npz", "m.mp4"])
@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
def test_what_stops_it_leaves_the_former_file(make_video, tmp_path, out, trouble):
    path = make_video(tmp_path / "v.mp4", frames=20)
    (tmp_path / out).write_bytes(b"former")

    def stop(done, total):
        if done >= 10:
            raise trouble

    expected = StorageError if isinstance(trouble, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match="disk is full" if expected is StorageError else None):
        write_motion(path, tmp_path / out, progress=stop)
    assert (tmp_path / out).read_bytes() == b"former"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(["v.mp4", out])


@pytest.mark.parametrize("out", ["m.npz", "m.mp4"])
def test_a_disk_that_takes_no_more_is_named(make_video, tmp_path, out):
    path = make_video(tmp_path / "v.mp4", frames=60, size=(320, 240), options={"crf": "30", "g": "12"})
    code = (
        "import resource, signal, sys\nfrom kinema import cli\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        f"cli.main(['motion', {str(path)!r}, '-o', {str(tmp_path / out)!r}])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"kinema: '{tmp_path / out}' could not be written: File too large.")
    assert "Traceback" not in run.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["v.mp4"]


def test_full_speed():
    motion = np.zeros((100, 2), dtype=np.int16)
    motion[:, 0] = 5 * SUBPIXEL
    motion[:3, 0] = 90 * SUBPIXEL
    motion[50:] = 0
    counts = add_speeds(np.zeros(0, dtype=np.int64), motion, np.arange(100) != 3)
    assert counts.sum() == 49
    assert full_speed(counts) == 96  # 3 of 49 are more than one in twenty: their own speed sets it
    counts = add_speeds(counts, motion[3:], np.ones(97, dtype=bool))
    assert counts.sum() == 96
    assert full_speed(counts) == 6
    assert full_speed(np.zeros(0, dtype=np.int64)) == 1


def test_arrows_point_where_the_motion_goes():
    motion = np.array([[1.0, 0.0], [0.0, -0.5], [-3.0, 4.0]])
    centres = np.array([[50.0, 50.0], [80.0, 20.0], [20.0, 80.0]])
    shapes = arrow_shapes(centres, motion, 40)
    tips, tails = shapes[:, 3], (shapes[:, 0] + shapes[:, 6]) / 2
    np.testing.assert_allclose((tips + tails) / 2, centres)
    np.testing.assert_allclose(tips[0] - tails[0], (38, 0), atol=1e-9)
    np.testing.assert_allclose((tips - tails)[2], (-0.6 * 38, 0.8 * 38))  # no longer than the longest
    assert (tips - tails)[1, 0] == 0
    assert -38 < (tips - tails)[1, 1] < -19  # slower is shorter


@pytest.mark.parametrize(("vector", "named"), [((8, 0), "red"), ((0, 8), "yellow"), ((-8, 0), "blue")])
@pytest.mark.parametrize("size", [(240, 320), (720, 1280)])
def test_colours_and_arrows_are_where_the_motion_is(size, vector, named):
    height, width = size
    rows, columns = height // 4, width // 4
    field, valid = np.zeros((rows, columns, 2), dtype=np.int16), np.ones((rows, columns), dtype=bool)
    field[: rows // 2, columns // 2 :] = np.asarray(vector) * SUBPIXEL
    valid[:, : columns // 8] = False
    drawn = Drawer(size, 8).draw(np.full((height, width, 3), 128, dtype=np.uint8), field, valid).astype(int)
    moving = drawn[8 : height // 2 - 8, width // 2 + 8 : -8]
    red, green, blue = np.median(moving, axis=(0, 1))
    assert {"red": red > green + 40 and red > blue, "yellow": min(red, green) > blue + 40, "blue": blue > red + 40}[
        named
    ]
    still = drawn[: height // 2 - 8, : width // 2 - 8]
    assert np.ptp(still, axis=-1).max() <= 1  # no colour
    assert (still == still[0, 0]).all()  # and no arrow
    white = (moving.min(axis=-1) > 235).mean()
    assert 0.01 < white < 0.25
    legend = drawn[-height // 5 :, : width // 5]
    assert np.ptp(legend, axis=-1).max() > 60
