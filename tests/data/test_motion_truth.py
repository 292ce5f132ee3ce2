"""Is the field right? Known motion in, the same motion out; and FFmpeg's own records and drawings beside it."""

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from oracles.motion import blocks_overlap, slow_field

from kinema.core.errors import KinemaError
from kinema.data import decode, exports_motion
from kinema.data.video.motion import RECORD, SUBPIXEL, rasterise
from kinema.data.video.reading import open_video, packet_table

CLEAN = {"bf": "0", "refs": "1", "g": "12", "keyint_min": "12", "sc_threshold": "0", "crf": "10"}
B_FRAMES = {"bf": "3", "b_strategy": "0", "refs": "1", "b-pyramid": "none", "g": "40", "weightp": "0", "crf": "10"}
PYRAMID = {"bf": "3", "b_strategy": "0", "refs": "4", "b-pyramid": "normal", "g": "40", "crf": "10"}


def smooth_texture(height, width, seed=0):
    """A periodic plane without fine detail, as its Fourier transform: it can be moved by any part of a pixel."""
    rng = np.random.default_rng(seed)
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    return np.fft.rfft2(rng.normal(size=(height, width))) * np.exp(-0.5 * (np.hypot(x, y) / 0.06) ** 2)


def moved(plane, dx, dy, width):
    height = len(plane)
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    seen = np.fft.irfft2(plane * np.exp(-2j * np.pi * (x * dx + y * dy)), s=(height, width))
    return seen / seen.std() * 45 + 128


def encode(path, pictures, codec="libx264", options=CLEAN, pixel_format="yuv420p"):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = pictures[0].shape
        stream.pix_fmt = pixel_format
        for picture in pictures:
            grey = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="gray8")))
        container.mux(stream.encode(None))
    return path


def moving_plane(path, motion, *, size=(160, 96), frames=25, **how):
    """What is seen moves by ``motion`` (dx, dy) pixels a frame."""
    width, height = size
    plane = smooth_texture(192, 256)
    seen = [moved(plane, motion[0] * n, motion[1] * n, 256)[40 : 40 + height, 40 : 40 + width] for n in range(frames)]
    return encode(path, seen, **how)


def moving_square(path, mirrored=False, frames=10):
    """A square of 64 pixels moves by (6, -4) over a plane that stands still."""
    plane, square = moved(smooth_texture(128, 192, 1), 0, 0, 192), moved(smooth_texture(64, 64, 2), 0, 0, 64)
    pictures = []
    for number in range(frames):
        picture = plane.copy()
        x, y = 24 + 6 * number, 56 - 4 * number
        picture[y : y + 64, x : x + 64] = square
        pictures.append(picture[:, ::-1] if mirrored else picture)
    return encode(path, pictures)


def medians(fields, valid, least=0.4):
    """The median motion inside each frame that tells enough, in pixels."""
    inner = (slice(None), slice(4, -4), slice(4, -4))
    frames = zip(fields[inner], valid[inner], strict=True)
    return np.asarray([np.median(field[known], axis=0) for field, known in frames if known.mean() > least]) / SUBPIXEL


def raw_frames(path):
    """(frame, its records as bytes, frames to its reference in the past, in the future), by one thread."""
    past, future = packet_table(path).distances()
    with open_video(path) as (container, stream):
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"flags2": "+export_mvs"}
        for number, frame in enumerate(container.decode(stream)):
            side = frame.side_data.get("MOTION_VECTORS")
            records = b"" if side is None else bytes(memoryview(side))
            yield frame, records, int(past[number]), int(future[number])


@pytest.mark.parametrize("motion", [(3, -2), (1.25, -0.75), (-2.5, 0.5), (0.25, 3), (-4.75, -1.5), (0, 0)])
def test_parts_of_a_pixel_and_signs(tmp_path, motion):
    path = moving_plane(tmp_path / "v.mp4", motion)
    decoded = decode(path, short_side=None, motion=True, pixels=False)
    seen = medians(decoded.motion, decoded.motion_valid)
    assert len(seen) == 22  # all but the three keyframes
    np.testing.assert_allclose(seen, np.broadcast_to(motion, seen.shape), atol=0.13)
    assert list(decoded.types[[0, 1, 12, 24]]) == ["I", "P", "I", "I"]
    np.testing.assert_allclose(decoded.times, np.arange(25) / 25)


@pytest.mark.parametrize("motion", [(1.6, -0.9), (-0.35, 2.1)])
def test_what_lies_between_quarters_is_rounded_to_one(tmp_path, motion):
    decoded = decode(moving_plane(tmp_path / "v.mp4", motion), short_side=None, motion=True)
    seen = medians(decoded.motion, decoded.motion_valid)
    np.testing.assert_allclose(seen, np.broadcast_to(motion, seen.shape), atol=0.26)


@pytest.mark.parametrize("motion", [(1.5, -2), (-3, 0.5)])
def test_each_direction_by_itself(tmp_path, motion):
    path = moving_plane(tmp_path / "v.mp4", motion, options=B_FRAMES)
    found = {"P past": [], "B past": [], "B future": []}
    for frame, records, past, future in raw_frames(path):
        kind = PictureType(frame.pict_type).name
        for side, distances in (("past", (past, 0)), ("future", (0, future))):
            name = f"{kind} {side}"
            if name in found and any(distances):
                field, valid = rasterise([records], 96, 160, [distances[0]], [distances[1]])
                found[name] += list(medians(field, valid, least=0.3))
    assert [len(seen) >= 5 for seen in found.values()] == [True] * 3, {k: len(v) for k, v in found.items()}
    for seen in found.values():
        np.testing.assert_allclose(np.median(seen, axis=0), motion, atol=0.05)
        assert np.mean(np.abs(np.asarray(seen) - motion).max(axis=1) < 0.15) > 0.8


@pytest.mark.parametrize("options", [B_FRAMES, PYRAMID])
@pytest.mark.parametrize("motion", [(1.5, -2), (-3, 0.5)])
def test_frames_from_both_sides_and_several_references(tmp_path, motion, options):
    decoded = decode(moving_plane(tmp_path / "v.mp4", motion, options=options), short_side=None, motion=True)
    assert "B" in decoded.types
    seen = medians(decoded.motion, decoded.motion_valid)
    assert len(seen) >= 20
    np.testing.assert_allclose(np.median(seen, axis=0), motion, atol=0.05)
    assert np.mean(np.abs(seen - motion).max(axis=1) < 0.3) >= 0.9


@pytest.mark.parametrize(
    ("codec", "suffix", "options"),
    [
        ("mpeg1video", ".mpg", {"b": "6000000", "bf": "0"}),
        ("mpeg1video", ".mpg", {"b": "6000000", "bf": "2"}),
        ("mpeg2video", ".mpg", {"b": "6000000", "bf": "2"}),
        ("mpeg4", ".mp4", {"b": "6000000", "bf": "0"}),
        ("mpeg4", ".avi", {"b": "6000000", "flags": "+qpel+mv4"}),
    ],
)
def test_older_codecs(tmp_path, codec, suffix, options):
    motion = (1.5, -2)
    path = moving_plane(tmp_path / f"v{suffix}", motion, codec=codec, options=options)
    decoded = decode(path, short_side=None, motion=True)
    assert ("B" in decoded.types) == (options.get("bf") == "2")
    seen = medians(decoded.motion, decoded.motion_valid)
    assert len(seen) >= 15
    np.testing.assert_allclose(np.median(seen, axis=0), motion, atol=0.13)


def test_b_frames_of_mpeg4_tell_nothing(tmp_path):
    """FFmpeg gives a vector of 0 for every block of theirs; a field of them would say that everything stands still."""
    path = moving_plane(tmp_path / "v.mp4", (1.5, -2), codec="mpeg4", options={"b": "6000000", "bf": "2"})
    exported = [records for frame, records, *_ in raw_frames(path) if PictureType(frame.pict_type).name == "B"]
    records = np.frombuffer(b"".join(exported), dtype=RECORD)
    assert len(records) > 500
    if records["motion_x"].any():
        pytest.skip("this FFmpeg exports the vectors of B-frames too")
    decoded = decode(path, short_side=None, motion=True)
    assert decoded.motion_valid[decoded.types == "B"].sum() == 0
    seen = medians(decoded.motion, decoded.motion_valid)
    assert len(seen) == (decoded.types == "P").sum() >= 6
    np.testing.assert_allclose(seen, np.broadcast_to((1.5, -2), seen.shape), atol=0.05)


@pytest.mark.parametrize(("codec", "pixel_format"), [("libx264", "yuv444p"), ("mpeg4", "yuv420p")])
def test_odd_sizes(tmp_path, codec, pixel_format):
    options = CLEAN if codec == "libx264" else {"b": "6000000"}
    path = moving_plane(
        tmp_path / "v.mp4", (2, 1), size=(155, 91), codec=codec, options=options, pixel_format=pixel_format
    )
    decoded = decode(path, short_side=None, motion=True)
    assert decoded.motion.shape == (25, 23, 39, 2)
    assert decoded.frames.shape == (25, 91, 155, 3)
    assert decoded.motion_valid[1:12, -1].mean() > 0.3  # blocks that hang over the lower edge tell their part
    assert decoded.motion_valid[1:12, :, -1].mean() > 0.3
    np.testing.assert_allclose(np.median(medians(decoded.motion, decoded.motion_valid), axis=0), (2, 1), atol=0.13)


def test_a_mirrored_video_moves_the_other_way(tmp_path):
    plain = decode(moving_square(tmp_path / "p.mp4"), short_side=None, motion=True)
    mirrored = decode(moving_square(tmp_path / "m.mp4", mirrored=True), short_side=None, motion=True)
    for ours, theirs in zip(plain.motion[1:], mirrored.motion[1:, :, ::-1], strict=True):
        ours_moving, theirs_moving = (np.abs(field).sum(axis=-1) > SUBPIXEL for field in (ours, theirs))
        assert (ours_moving & theirs_moving).sum() > 0.7 * (ours_moving | theirs_moving).sum()
        np.testing.assert_array_equal(np.median(ours[ours_moving], axis=0), (6 * SUBPIXEL, -4 * SUBPIXEL))
        np.testing.assert_array_equal(np.median(theirs[theirs_moving], axis=0), (-6 * SUBPIXEL, -4 * SUBPIXEL))


def test_what_moves_is_where_it_is(tmp_path):
    decoded = decode(moving_square(tmp_path / "v.mp4"), short_side=None, motion=True)
    for number in range(1, len(decoded)):
        x, y = (24 + 6 * number) // 4, (56 - 4 * number) // 4
        moving = np.abs(decoded.motion[number]).sum(axis=-1) > SUBPIXEL
        assert moving[y + 4 : y + 12, x + 4 : x + 12].mean() > 0.95
        moving[max(0, y - 5) : y + 21, max(0, x - 5) : x + 21] = False
        assert moving.mean() < 0.01


def test_arrows_of_codecview_lie_where_the_field_says(tmp_path):
    """FFmpeg's filter draws a line from the centre of each block to where it came from."""
    if "codecview" not in av.filter.filters_available:
        pytest.skip("this FFmpeg has no filter codecview")
    ahead, behind = [], []
    path = moving_square(tmp_path / "v.mp4")
    graph = None
    for frame, records, past, future in raw_frames(path):
        plain = frame.to_ndarray(format="gray").astype(int)
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_buffer(width=192, height=128, format=frame.format.name, time_base=frame.time_base)
            chain = [source, graph.add("codecview", "mv=pf+bf+bb"), graph.add("buffersink")]
            graph.link_nodes(*chain).configure()
        graph.push(frame)
        drawn = graph.pull().to_ndarray(format="gray").astype(int) != plain
        (field,), (valid,) = rasterise([records], 128, 192, [past], [future])
        moving = np.abs(field).sum(axis=-1) > SUBPIXEL
        near = np.kron(moving, np.ones((4, 4), dtype=bool))
        for axis in (0, 1):
            near = np.any([np.roll(near, by, axis) for by in range(-12, 13)], axis=0)
        assert drawn[~near].mean() < 0.01  # at most the dots of blocks that stand still
        for row in range(0, 32, 4):
            for column in range(0, 48, 4):
                cells = (slice(row, row + 4), slice(column, column + 4))
                if valid[cells].all() and moving[cells].all() and (field[cells] == field[row, column]).all():
                    dx, dy = field[row, column] / SUBPIXEL
                    for found, sign in ((behind, -1), (ahead, 1)):
                        for part in (0.5, 0.75, 1):
                            x = round(column * 4 + 8 + sign * part * dx)
                            y = round(row * 4 + 8 + sign * part * dy)
                            found.append(drawn[y - 1 : y + 2, x - 1 : x + 2].any())
    assert len(behind) > 100
    assert np.mean(behind) > 0.95
    assert np.mean(ahead) < 0.6


def test_threads_do_not_race_for_the_vectors(tmp_path):
    path = moving_plane(tmp_path / "v.mp4", (1.5, -2), size=(192, 128), frames=60, options={"bf": "2", "crf": "23"})
    one = decode(path, short_side=None, motion=True, pixels=False)
    for _ in range(3):
        four = decode(path, short_side=None, motion=True, pixels=False, threads=4)
        np.testing.assert_array_equal(four.motion, one.motion)
        np.testing.assert_array_equal(four.motion_valid, one.motion_valid)


def exporting_clips(folder):
    for path in sorted(folder.rglob("*")):
        try:
            with open_video(path) as (_, stream):
                if exports_motion(stream.codec_context.name):
                    yield path
        except KinemaError:
            continue


@pytest.mark.data
def test_real_records_cell_by_cell(shared_data):
    """Two frames of every clip whose decoder exports vectors, one of large ones; past and future distances apart."""
    clips, compared = 0, 0
    for path in exporting_clips(shared_data / "decoder_clips"):
        with open_video(path) as (container, stream):
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"flags2": "+export_mvs"}
            left = 1 if stream.codec_context.width > 640 else 2
            frames = container.decode(stream)
            for number in range(40):
                try:
                    frame = next(frames, None)
                except av.FFmpegError:
                    break
                if frame is None or left == 0:
                    break
                side = frame.side_data.get("MOTION_VECTORS")
                if side is None or number % 3 == 0:
                    continue
                records = np.frombuffer(bytes(memoryview(side)), dtype=RECORD)
                theirs = side.to_ndarray()
                assert all((records[name] == theirs[name]).all() for name in RECORD.names)
                assert not blocks_overlap(records, frame.height, frame.width), path.name
                for distances in ((1, 1), (3, 2)):
                    (field,), (valid,) = rasterise(
                        [records.tobytes()], frame.height, frame.width, *([d] for d in distances)
                    )
                    expected, known = slow_field(records, frame.height, frame.width, *distances)
                    np.testing.assert_array_equal(valid, known, err_msg=path.name)
                    np.testing.assert_allclose(field / SUBPIXEL, expected, atol=0.5 / SUBPIXEL + 1e-9)
                    left, compared = left - (distances == (3, 2)), compared + 1
            clips += 1
    assert clips > 40
    assert compared > 150


@pytest.mark.data
def test_vectors_need_no_pixels(shared_data):
    """Leaving the decoder's work on pixels away changes no vector, save where the decoder has to guess at damage."""
    told = 0
    for path in exporting_clips(shared_data / "decoder_clips"):
        whole = decode(path, short_side=None, motion=True, stop=12)
        alone = decode(path, short_side=None, motion=True, stop=12, pixels=False)
        assert alone.frames.shape == (len(whole), 0, 0, 3)
        if whole.bad_packets == 0:
            np.testing.assert_array_equal(alone.motion, whole.motion, err_msg=path.name)
            np.testing.assert_array_equal(alone.motion_valid, whole.motion_valid, err_msg=path.name)
            told += whole.motion_valid.any()
    assert told > 40
