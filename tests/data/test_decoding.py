import av
import numpy as np
import pytest

from kinema.core.errors import VideoError
from kinema.data.video.decoding import decode, decode_chunks
from kinema.data.video.picture import motion_grid, output_size
from kinema.data.video.reading import packet_table


def reference_frames(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("size", [(96, 64), (98, 66), (70, 50)])
def test_native_size_is_what_the_library_gives(make_video, tmp_path, size):
    path = make_video(tmp_path / "v.mp4", size=size)
    decoded = decode(path, short_side=None, motion=False)
    assert decoded.frames.shape == (24, size[1], size[0], 3)
    assert np.abs(decoded.frames.astype(int) - reference_frames(path)).max() <= 3
    assert (decoded.bad_packets, decoded.motion, decoded.source_size) == (0, None, size[::-1])


def test_odd_sizes(make_video, make_picture, tmp_path):
    path = make_video(tmp_path / "v.mkv", size=(75, 51), pixel_format="yuv444p", codec="ffv1", options={})
    decoded = decode(path, short_side=None, motion=False)
    assert np.abs(decoded.frames[7].astype(int) - make_picture(7, (75, 51), (3, -2))).mean() < 3
    assert decode(path, short_side=33, motion=False).frames.shape == (24, 33, 49, 3)


def test_short_side(make_video, make_picture, tmp_path):
    decoded = decode(make_video(tmp_path / "v.mp4", size=(64, 96)), short_side=24, motion=True)
    assert decoded.frames.shape == (24, 36, 24, 3)
    assert decoded.motion.shape == (24, 24, 16, 2)
    picture = make_picture(5, (64, 96), (3, -2)).astype(float)
    expected = picture[:96, :64].reshape(12, 8, 8, 8, 3).mean(axis=(1, 3))
    got = decoded.frames[5].astype(float).reshape(12, 3, 8, 3, 3).mean(axis=(1, 3))
    assert np.abs(got - expected).mean() < 9
    assert np.abs(np.roll(got, 1, axis=1) - expected).mean() > 20
    assert output_size(1080, 1920, 72) == (72, 128)
    assert motion_grid(720, 1280, 72) == (36, 64, 5)


@pytest.mark.parametrize("options", [None, {"bf": "3", "b_strategy": "0", "g": "10", "keyint_min": "10"}])
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (7, 20), (12, 13), (30, None), (39, 60)])
def test_a_part_is_a_part_of_the_whole(make_video, tmp_path, options, start, stop):
    path = make_video(tmp_path / "v.mp4", frames=40, options=options)
    whole = decode(path, short_side=32, motion=True)
    for seek in (True, False):
        part = decode(path, short_side=32, motion=True, start=start, stop=stop, seek=seek)
        np.testing.assert_array_equal(part.frames, whole.frames[start:stop])
        np.testing.assert_array_equal(part.motion, whole.motion[start:stop])
        np.testing.assert_array_equal(part.motion_valid, whole.motion_valid[start:stop])


def test_a_stream_without_times_is_decoded_in_pieces_too(make_video, tmp_path):
    path = make_video(tmp_path / "v.264", frames=30, options={"bf": "2", "b_strategy": "0", "g": "40"})
    assert packet_table(path) is None
    whole = decode(path, short_side=32, motion=True)
    assert np.isnan(whole.times).all()
    assert set(whole.types) == {"I", "P", "B"}
    chunks = decode_chunks(path, short_side=32, motion=True, chunk=4)
    first = next(chunks)
    assert len(first) == 4
    np.testing.assert_array_equal(first.motion, whole.motion[:4])
    part = decode(path, short_side=32, motion=True, start=8, stop=20)
    assert part.motion_valid[0].any()
    np.testing.assert_array_equal(part.motion, whole.motion[8:20])
    np.testing.assert_array_equal(part.types, whole.types[8:20])


def test_times_and_types(make_video, tmp_path):
    times = [n if n < 15 else 15 + 7 * (n - 15) for n in range(30)]
    decoded = decode(make_video(tmp_path / "v.mp4", frames=30, times=times), short_side=None, motion=False)
    np.testing.assert_allclose(decoded.times, np.asarray(times) / 25)
    assert decoded.types.tolist() == ["P" if n % 12 else "I" for n in range(30)]


def test_pixels_are_left_away(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4")
    whole = decode(path, short_side=32, motion=True)
    alone = decode(path, short_side=32, motion=True, pixels=False)
    assert (len(alone), alone.frames.shape) == (24, (24, 0, 0, 3))
    assert alone.source_size == whole.source_size
    np.testing.assert_array_equal(alone.motion, whole.motion)


def test_variable_rate_is_sought_by_time(make_video, tmp_path):
    times = [n if n < 15 else 15 + 7 * (n - 15) for n in range(30)]
    path = make_video(tmp_path / "v.mp4", frames=30, times=times)
    whole = decode(path, short_side=32, motion=False)
    assert len(whole) == 30
    np.testing.assert_array_equal(
        decode(path, short_side=32, motion=False, start=26).frames,
        whole.frames[26:],
    )


def test_chunks_join_to_the_whole(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4")
    parts = list(decode_chunks(path, short_side=32, motion=True, chunk=7))
    assert [len(part) for part in parts] == [7, 7, 7, 3]
    np.testing.assert_array_equal(
        np.concatenate([part.motion for part in parts]), decode(path, short_side=32, motion=True).motion
    )


def test_threads_change_nothing(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4", options={"bf": "2"})
    one, two = (decode(path, short_side=32, motion=True, threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.frames, two.frames)
    np.testing.assert_array_equal(one.motion, two.motion)


def turned_copy(path, out, degrees):
    """The same packets with a display matrix: encoding twice need not give the same pixels."""
    with av.open(str(path)) as source, av.open(str(out), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return out


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_display_matrix_is_obeyed(make_video, tmp_path, degrees):
    path = make_video(tmp_path / "p.mp4", motion=(4, 0))
    plain = decode(path, short_side=None, motion=True)
    turned = decode(turned_copy(path, tmp_path / "t.mp4", degrees), short_side=None, motion=True)
    with av.open(str(tmp_path / "t.mp4")) as container:
        anticlockwise = round(next(container.decode(video=0)).rotation) % 360
    assert anticlockwise in (degrees, 360 - degrees)
    np.testing.assert_array_equal(turned.frames, np.rot90(plain.frames, anticlockwise // 90, axes=(1, 2)))
    seen = np.median(turned.motion[turned.motion_valid], axis=0)
    np.testing.assert_array_equal(seen, {90: (0, -64), 180: (-64, 0), 270: (0, 64)}[anticlockwise])


def test_what_is_left_of_a_damaged_file(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4", container_options={"movflags": "faststart"}, frames=40)
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) * 2 // 3])
    decoded = decode(path, short_side=None, motion=True)
    assert 10 < len(decoded) < 40
    assert packet_table(path) is not None


@pytest.mark.parametrize("content", [b"", b"not a video at all\n" * 50, bytes(range(256)) * 40])
def test_what_is_no_video_is_named(tmp_path, content):
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"broken\.mp4.*" + ("empty" if not content else "")):
        decode(path, short_side=None, motion=False)


def test_missing_file_and_far_start(make_video, tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4"):
        decode(tmp_path / "gone.mp4", short_side=None, motion=True)
    with pytest.raises(VideoError, match="from frame 99 on"):
        decode(make_video(tmp_path / "v.mp4"), short_side=None, motion=False, start=99)
