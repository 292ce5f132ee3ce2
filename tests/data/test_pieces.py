"""Only what is wanted of a video, equal to what a decode of the whole gives."""

import numpy as np
import pytest

from kinema.core.errors import KinemaError, VideoError
from kinema.data import scan
from kinema.data.video.decoding import decode
from kinema.data.video.pieces import decode_pieces
from kinema.data.video.reading import Reader

STREAMS = {
    "no B-frames": {"bf": "0", "g": "12"},
    "B-frames": {"bf": "3", "g": "20"},
    "B-frames that others refer to": {"bf": "3", "g": "40", "x264-params": "b-pyramid=normal"},
    "open groups": {"bf": "2", "g": "10", "x264-params": "open-gop=1"},
    "one keyframe": {"bf": "2", "g": "400"},
}
CHOSEN = {
    "a stride": range(7, 50, 4),
    "two windows far apart": [3, 4, 5, 51, 52],
    "the first and the last": [0, 59],
    "one": [31],
    "all": range(60),
}


@pytest.fixture
def counted(monkeypatch):
    """How many frames the decoder gave."""
    given = []
    whole = Reader.frames

    def frames(self, needless=None):
        for frame in whole(self, needless):
            given.append(frame.pts)
            yield frame

    monkeypatch.setattr(Reader, "frames", frames)
    return given


def check(path, numbers, *, motion, seek=True, short_side=32):
    whole = decode(path, short_side=short_side, motion=motion)
    moving = [number for number in numbers if number] if motion else []
    found = decode_pieces(path, pixels=numbers, motion=moving, short_side=short_side, seek=seek)
    there = [number for number in numbers if number < len(whole)]
    assert sorted(found.pixels) == there
    assert found.source_size == whole.source_size
    for number in there:
        np.testing.assert_array_equal(found.pixels[number], whole.frames[number])
    assert sorted(found.motion) == [number for number in moving if number < len(whole)]
    for number, (field, valid) in found.motion.items():
        np.testing.assert_array_equal(field, whole.motion[number])
        np.testing.assert_array_equal(valid, whole.motion_valid[number])


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("chosen", CHOSEN)
def test_equals_a_decode_of_the_whole(make_video, tmp_path, stream, chosen):
    path = make_video(tmp_path / "a.mp4", frames=60, options=STREAMS[stream])
    for seek in (True, False):
        check(path, CHOSEN[chosen], motion=True, seek=seek)
        check(path, CHOSEN[chosen], motion=False, seek=seek)


def test_leaps_over_what_lies_between(make_video, tmp_path, counted):
    path = make_video(tmp_path / "a.mp4", frames=200, motion=(0, 0), options={"bf": "0", "g": "10"})
    decode_pieces(path, pixels=[5, 151, 152], short_side=32)
    assert len(counted) <= 12
    counted.clear()
    decode_pieces(path, pixels=[5, 151, 152], short_side=32, seek=False)
    assert len(counted) == 153


def test_leaves_out_pictures_that_nobody_needs(make_video, tmp_path, counted):
    options = {"bf": "3", "g": "400", "x264-params": "b-pyramid=none:b-adapt=0"}
    path = make_video(tmp_path / "a.mp4", frames=200, motion=(0, 0), options=options)
    decode_pieces(path, pixels=[190], short_side=32)
    assert len(counted) < 65  # one picture in four is a P, and three are B that none refers to


def test_what_the_file_does_not_have(make_video, tmp_path):
    path = make_video(tmp_path / "a.mp4", frames=20)
    found = decode_pieces(path, pixels=[18, 19, 20, 500], short_side=32)
    assert sorted(found.pixels) == [18, 19]
    with pytest.raises(VideoError, match=r"none of the frames 20 to 21 could be decoded: the file ends first"):
        decode_pieces(path, pixels=[20, 21], short_side=32)
    with pytest.raises(VideoError, match=r"gone\.mp4"):
        decode_pieces(tmp_path / "gone.mp4", pixels=[0], short_side=32)


def test_a_raw_stream_is_counted_from_the_beginning(make_video, tmp_path):
    check(make_video(tmp_path / "a.h264", frames=30, options={"bf": "2"}), [3, 11, 12, 25], motion=True)


@pytest.mark.data
@pytest.mark.parametrize("large", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_real_files(shared_data, large):
    """Small ones, and the five of more than 100 million pixels."""
    manifest = scan(shared_data / "decoder_clips")
    for row, video in enumerate(manifest.videos):
        if video.health != "ok" or video.frames > 600 or (video.frames * video.width * video.height > 1e8) != large:
            continue
        numbers = sorted({0, video.frames // 3, video.frames // 3 + 2, video.frames - 1})
        try:
            check(manifest.file(row), numbers, motion=True)
        except KinemaError:
            check(manifest.file(row), numbers, motion=False)
