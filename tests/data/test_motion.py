import av
import numpy as np
import pytest
from oracles.motion import slow_field
from PIL import Image

from kinema.core.errors import DataError
from kinema.data.video.decoding import decode
from kinema.data.video.motion import (
    RECORD,
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

MACROBLOCKS = {"16x16": (16, 16), "16x8": (16, 8), "8x16": (8, 16), "8x8": (8, 8), "4x4": (4, 4)}


def records_of(rng, kinds, shift=0, sources=(-1, 1)):
    """Blocks that tile a picture of 62 x 50 and more than that all round, in one tiling for each source."""
    blocks = []
    for source in sources:
        for y in range(-48, 112, 16):
            for x in range(-48, 128, 16):
                w, h = MACROBLOCKS[rng.choice(kinds)]
                blocks += [
                    (source, w, h, x + dx + w // 2 + shift, y + dy + h // 2 + shift)
                    for dy in range(0, 16, h)
                    for dx in range(0, 16, w)
                    if rng.random() < 0.7
                ]
    records = np.zeros(len(blocks), dtype=RECORD)
    for number, name in enumerate(("source", "w", "h", "dst_x", "dst_y")):
        records[name] = [block[number] for block in blocks]
    records["motion_x"], records["motion_y"] = rng.integers(-900, 900, (2, len(records)))
    records["motion_scale"] = rng.choice([2, 4], len(records))
    return records[rng.permutation(len(records))]


@pytest.mark.parametrize("shift", [0, 2, 3])
@pytest.mark.parametrize("kinds", [["16x16"], ["16x16", "16x8", "8x16", "8x8"], ["16x8", "8x8", "4x4"]])
def test_rasterise_is_the_slow_one(kinds, shift):
    rng = np.random.default_rng(3)
    frames = [records_of(rng, kinds, shift), np.zeros(0, dtype=RECORD), records_of(rng, kinds, shift, sources=(1,))]
    for past, future in (([1, 1, 1], [2, 1, 1]), ([3, 1, 0], [0, 0, 3]), ([0, 2, 1], [1, 2, 2])):
        fields, valid = rasterise([frame.tobytes() for frame in frames], 50, 62, past, future)
        assert (fields.shape, valid.shape) == ((3, 13, 16, 2), (3, 13, 16))
        for number, records in enumerate(frames):
            expected, known = slow_field(records, 50, 62, past[number], future[number])
            np.testing.assert_array_equal(valid[number], known)
            np.testing.assert_allclose(fields[number] / SUBPIXEL, expected, atol=0.5 / SUBPIXEL + 1e-9)
    assert valid[0].any()
    assert not valid[1].any()


def test_what_no_encoder_would_write_does_no_harm():
    records = np.zeros(6, dtype=RECORD)
    records["source"], records["w"], records["h"] = -1, (16, 16, 255, 0, 16, 16), (16, 16, 255, 0, 16, 16)
    records["dst_x"], records["dst_y"] = (8, 24, 32000, 40, -32000, 40), (8, 8, 40, 44, -32000, 8)
    records["motion_x"] = (2**30, 4, 4, 4, 4, 4)
    records["motion_scale"] = (4, 0, 4, 4, 4, 4)
    field, valid = rasterise([records.tobytes()], 64, 64, [1], [0])
    assert valid[0, :4, :4].all()
    assert (field[0, :4, :4, 0] == -32767).all()  # as much as fits
    assert not valid[0, :4, 4:8].any()  # a scale of 0 tells nothing
    assert (field[0, :4, 8:12] == (-SUBPIXEL, 0)).all()
    assert valid.sum() == 33


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
    told = list(distances_from_types(enumerate("BIBBPPB")))
    assert told == [(0, 0, 1), (1, 0, 0), (2, 1, 2), (3, 2, 1), (4, 3, 0), (5, 1, 0), (6, 1, 0)]


def test_distances_are_told_as_soon_as_the_reference_is_there():
    seen = []
    types = distances_from_types((seen.append(number) or number, kind) for number, kind in enumerate("IBPPP"))
    assert [next(types)[0], seen[-1], next(types)[0], seen[-1]] == [0, 0, 1, 2]


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
    fields, masks = pool(np.stack([field * 0, field]), np.stack([~valid, valid]), 2)
    pooled, known = fields[1], masks[1]
    assert pooled.shape == (2, 3, 2)
    assert not fields[0].any()
    assert masks[0].tolist() == [[True, False, False], [False, False, True]]
    np.testing.assert_array_equal(pooled[0, 0], np.rint(np.mean([field[0, 1], field[1, 0], field[1, 1]], axis=0)))
    assert known.tolist() == [[True, True, True], [True, True, False]]
    assert pool(fields, masks, 1)[0] is fields


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
