import av
import numpy as np
import pytest
from PIL import Image

from kinema.core.errors import DataError
from kinema.data.decoding import decode
from kinema.data.motion import (
    CELL,
    SUBPIXEL,
    PacketTable,
    distances_from_types,
    exports_motion,
    h264_is_reference,
    pool,
    rasterise,
    require_motion,
    rotate,
    step_motion,
)

RECORD = np.dtype(
    {
        "names": ["source", "w", "h", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale"],
        "formats": ["<i4", "u1", "u1", "<i2", "<i2", "<i4", "<i4", "<u2"],
    }
)


def slow_rasterise(records, height, width, past, future):
    """Cell by cell: the last record whose block covers the cell's centre; the past overrules the future."""
    h, w = -(-height // CELL), -(-width // CELL)
    field, valid = np.zeros((h, w, 2)), np.zeros((h, w), dtype=bool)
    for future_side in (True, False):
        distance = future if future_side else past
        for r in records:
            if (r["source"] > 0) != future_side or distance == 0:
                continue
            left, top = int(r["dst_x"]) - int(r["w"]) // 2, int(r["dst_y"]) - int(r["h"]) // 2
            sign = 1 if future_side else -1
            motion = [sign * int(r[k]) / int(r["motion_scale"]) / distance for k in ("motion_x", "motion_y")]
            for row in range(h):
                for column in range(w):
                    x, y = column * CELL + CELL / 2, row * CELL + CELL / 2
                    if left <= x < left + int(r["w"]) and top <= y < top + int(r["h"]):
                        field[row, column], valid[row, column] = motion, True
    return field, valid


def test_rasterise_is_the_slow_one():
    rng = np.random.default_rng(3)
    records = np.zeros(60, dtype=RECORD)
    records["source"] = rng.choice([-1, 1], 60)
    records["w"], records["h"] = rng.choice([4, 8, 16], 60), rng.choice([4, 8, 16], 60)
    records["dst_x"] = rng.integers(-2, 18, 60) * 4 + records["w"] // 2
    records["dst_y"] = rng.integers(-2, 14, 60) * 4 + records["h"] // 2
    records["motion_x"], records["motion_y"] = rng.integers(-90, 90, 60), rng.integers(-90, 90, 60)
    records["motion_scale"] = 4
    # The fast one takes the blocks by their size: sort likewise, so that both paint in one order.
    records = records[np.lexsort((records["h"], records["w"]))]
    for past, future in ((1, 2), (3, 0), (0, 1), (0, 0)):
        field, valid = rasterise(records, 50, 62, past, future)
        expected, known = slow_rasterise(records, 50, 62, past, future)
        np.testing.assert_array_equal(valid, known)
        np.testing.assert_allclose(field / SUBPIXEL, expected, atol=0.5 / SUBPIXEL + 1e-9)
    assert not rasterise(None, 50, 62, 1, 1)[1].any()


@pytest.mark.parametrize(
    ("codec", "suffix", "options"),
    [
        ("libx264", ".mp4", None),
        ("libx264", ".mp4", {"bf": "3", "b_strategy": "0", "g": "24", "crf": "14"}),
        ("libx264", ".mkv", {"bf": "2", "b-pyramid": "none", "refs": "1", "crf": "14"}),
        ("libx264", ".264", {"bf": "2", "b-pyramid": "none", "refs": "1", "crf": "14"}),
        ("mpeg4", ".mp4", {"b": "4000000"}),
        ("mpeg2video", ".mpg", {"b": "4000000", "bf": "2"}),
        ("mpeg1video", ".mpg", {"b": "4000000"}),
    ],
)
@pytest.mark.parametrize("motion", [(3, -2), (-1, 4)])
def test_a_plane_moves_as_it_was_moved(make_video, tmp_path, codec, suffix, options, motion):
    path = make_video(tmp_path / f"v{suffix}", codec=codec, options=options, motion=motion, size=(160, 96))
    decoded = decode(path, short_side=None, motion=True)
    assert decoded.motion.shape == (len(decoded), 24, 40, 2)
    told = right = 0
    for field, valid in zip(decoded.motion, decoded.motion_valid, strict=True):
        inner = valid[4:-4, 4:-4]
        if inner.mean() > 0.5:
            told += 1
            seen = np.median(field[4:-4, 4:-4][inner], axis=0) / SUBPIXEL
            right += bool(np.abs(seen - motion).max() < 0.3)
    assert told >= 0.6 * len(decoded)
    assert right >= 0.9 * told  # an encoder may miss a motion, or reach for a farther reference
    assert not decoded.motion_valid[0].any()


def test_half_pixels_are_kept(make_video, tmp_path):
    large = tmp_path / "large.mp4"
    make_video(large, motion=(3, 5), size=(320, 192))  # halved, it moves by 1.5 and 2.5 pixels
    small = tmp_path / "small.mp4"
    with av.open(str(small), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0", "refs": "1", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for frame in decode(large, short_side=None, motion=False).frames:
            half = np.asarray(Image.fromarray(frame).resize((160, 96), Image.BOX))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(half, format="rgb24")))
        container.mux(stream.encode(None))
    decoded = decode(small, short_side=None, motion=True)
    inner = decoded.motion[:, 4:-4, 4:-4][decoded.motion_valid[:, 4:-4, 4:-4]]
    np.testing.assert_allclose(np.median(inner, axis=0) / SUBPIXEL, (1.5, 2.5), atol=0.1)


def test_distances_to_references():
    # Shown I0 b1 B2 b3 P4, decoded I0 P4 B2 b1 b3; B2 is referred to, b1 and b3 are not.
    table = PacketTable((0, 40, 20, 10, 30), (True, True, True, False, False), (True, *[False] * 4), (False,) * 5)
    past, future = table.distances()
    assert past.tolist() == [0, 1, 2, 1, 4]
    assert future.tolist() == [0, 1, 2, 1, 0]
    past, future = distances_from_types("IBBPP")
    assert past.tolist() == [0, 1, 2, 3, 1]
    assert future.tolist() == [0, 2, 1, 0, 0]


def test_reference_flag_of_h264():
    assert not h264_is_reference(b"\0\0\0\2\x06\0" + b"\0\0\0\2\x01\0", 4)  # SEI, then a slice with nal_ref_idc 0
    assert h264_is_reference(b"\0\0\0\2\x06\0" + b"\0\0\0\2\x41\0", 4)
    assert not h264_is_reference(b"\0\0\0\1\x09\0\0\0\1\x01\x88", 0)
    assert h264_is_reference(b"\0\0\0\1\x09\0\0\0\1\x65\x88", 0)


@pytest.mark.parametrize(("turns", "expected"), [(1, (2, -5)), (2, (-5, -2)), (3, (-2, 5)), (4, (5, 2))])
def test_rotation_turns_grid_and_vectors(turns, expected):
    field, valid = np.zeros((2, 3, 2), dtype=np.int16), np.zeros((2, 3), dtype=bool)
    field[0, 2], valid[0, 2] = (5, 2), True
    turned, mask = rotate(field, valid, turns)
    np.testing.assert_array_equal(mask, np.rot90(valid, turns))
    assert tuple(turned[mask][0]) == expected


def test_pooling_is_the_mean_of_what_is_valid():
    field = np.arange(3 * 5 * 2).reshape(3, 5, 2).astype(np.int16) * 10
    valid = np.ones((3, 5), dtype=bool)
    valid[0, 0] = valid[2, 4] = False
    pooled, known = pool(field, valid, 2)
    assert pooled.shape == (2, 3, 2)
    np.testing.assert_array_equal(pooled[0, 0], np.rint(np.mean([field[0, 1], field[1, 0], field[1, 1]], axis=0)))
    assert known.tolist() == [[True, True, True], [True, True, False]]
    assert pool(field, valid, 1)[0] is field


def test_a_step_is_the_stride_times_the_mean_of_the_frames_that_tell():
    field = np.zeros((4, 1, 2, 2), dtype=np.int16)
    valid = np.zeros((4, 1, 2), dtype=bool)
    field[0, 0, 0], valid[0, 0, 0] = (16, 32), True  # 1 and 2 pixels; the second frame of the step tells nothing
    field[2, 0, 1], valid[2, 0, 1] = (16, 0), True
    field[3, 0, 1], valid[3, 0, 1] = (48, 0), True
    motion, known = step_motion(field, valid, 2, height=50, width=100)
    np.testing.assert_allclose(motion[0, 0, 0], (2 / 100, 4 / 50), rtol=1e-6)
    np.testing.assert_allclose(motion[1, 0, 1], (4 / 100, 0), rtol=1e-6)
    assert known.tolist() == [[[True, False]], [[False, True]]]


def test_other_codecs_are_named_with_the_way_out(make_video, tmp_path):
    assert exports_motion("h264")
    assert not exports_motion("hevc")
    with pytest.raises(DataError, match=r"'a\.mkv' is vp9") as error:
        require_motion("vp9", "a.mkv")
    assert "ffmpeg -i IN -c:v libx264 -bf 0 -refs 1 -g 12" in error.value.hint
    path = make_video(tmp_path / "v.avi", codec="mjpeg", options={}, pixel_format="yuvj420p")
    with pytest.raises(DataError, match="mjpeg"):
        decode(path, short_side=None, motion=True)
