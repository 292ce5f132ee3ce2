"""Windows and the clips in them: by frames and by seconds, flush with the end, at the right times."""

import numpy as np
import pytest

from kinema.core.clips import ClipSpec
from kinema.core.errors import UsageError
from kinema.data.clips.sampler import evaluation_windows
from kinema.data.video.manifest import Video
from kinema.data.video.timeline import rate_of
from kinema.searching.windows import Length, WindowSpec, clips_of, seconds_of

CLIP = ClipSpec(frames=8, stride=2, size=16, short_side=16)


def spec(length=None, stride=None):
    told = [None if each is None else Length.parse(each, "--length") for each in (length, stride)]
    return WindowSpec(*told)


def test_a_window_is_a_clip_by_default_and_all_are_those_of_encode():
    for frames in (17, 18, 100, 241):
        cut = spec().cut(frames, 25, CLIP)
        assert [first for first, _ in cut] == list(evaluation_windows(frames, CLIP))
        assert {length for _, length in cut} == {CLIP.span}
        assert [clips_of(window, CLIP) for window in cut] == [(first,) for first, _ in cut]


@pytest.mark.parametrize(
    ("length", "stride", "fps", "expected"),
    [
        ("2s", "1s", 20, [(0, 40), (20, 40), (40, 40), (60, 40)]),
        ("2s", None, 20, [(0, 40), (20, 40), (40, 40), (60, 40)]),
        ("40f", "30f", 99, [(0, 40), (30, 40), (60, 40)]),
        ("30f", "45f", 25, [(0, 30), (45, 30), (70, 30)]),
        ("0.1s", "60f", 25, [(0, 17), (60, 17), (83, 17)]),
        ("4s", "1s", 25, [(0, 100)]),
        ("9s", "1s", 25, [(0, 100)]),
        (None, "25f", 25, [(0, 17), (25, 17), (50, 17), (75, 17), (83, 17)]),
    ],
)
def test_windows_of_a_hundred_frames(length, stride, fps, expected):
    assert list(spec(length, stride).cut(100, fps, CLIP)) == expected


def test_the_clips_of_a_long_window_lie_within_it():
    clips = clips_of((30, 40), CLIP)
    assert clips == (30, 37, 44, 51, 53)
    assert clips[-1] + CLIP.span == 70


def test_a_short_video_is_one_window_and_one_clip():
    assert spec("2s").cut(5, 25, CLIP) == ((0, 5),)
    assert clips_of((0, 5), CLIP) == (0,)


@pytest.mark.parametrize(
    "told", ["", "0", "0s", "-1s", "2m", "1.5f", "nan", "inf", "1e3", "2s; x", "９s" * 2, "1" * 40]
)
def test_what_is_no_length_is_refused(told):
    with pytest.raises(UsageError, match="--length is"):
        Length.parse(told, "--length")


def test_a_length_says_what_was_meant():
    assert [str(Length.parse(told, "x")) for told in ("2", 2, "2s", "0.50s", "16f")] == [
        "2s",
        "2s",
        "2s",
        "0.5s",
        "16f",
    ]


def test_a_window_of_fewer_frames_than_a_clip_is_refused():
    with pytest.raises(UsageError, match="spans 17 frames"):
        spec("16f").check(CLIP)
    spec("17f").check(CLIP)


def test_times_are_the_files_own():
    times = [10.0, 10.1, 10.3, 10.6, 11.0]
    assert seconds_of((1, 3), times, 25) == pytest.approx((0.1, 0.9))
    assert seconds_of((0, 5), times, 25) == pytest.approx((0.0, 1.4))
    assert seconds_of((0, 1), times, 25) == pytest.approx((0.0, 0.04))


def test_times_that_the_file_does_not_tell_come_from_the_rate():
    assert seconds_of((1, 3), [np.nan] * 5, 10) == pytest.approx((0.1, 0.4))
    assert seconds_of((1, 2), [5.0, 3.0, 1.0], 10) == pytest.approx((0.1, 0.3))


def test_the_rate_of_a_file_that_tells_none():
    assert rate_of(Video("a", fps=0.0, frames=50, duration=2.0)) == 25
    assert rate_of(Video("a", fps=0.0, frames=50)) == 25
    assert rate_of(Video("a", fps=30.0, frames=50, duration=2.0)) == 30
