"""Clips in one pass over the file are those of the clip store; reading ahead keeps order, bounds and errors."""

import threading
import time

import numpy as np
import pytest

from kinema.core.clips import ClipSpec
from kinema.core.errors import VideoError
from kinema.data.clips.store import ClipStore
from kinema.data.video.scanning import scan
from kinema.searching.prefetch import prefetch
from kinema.searching.reading import _FrameBuffer, read_clips, still_clip

SPEC = ClipSpec(frames=4, stride=2, size=16, short_side=20)


def store_of(file, motion, short="error"):
    manifest = scan([file], workers=1)
    return ClipStore(manifest, SPEC, motion=motion, cache=None, short_videos=short), manifest.videos[0]


@pytest.mark.parametrize("motion", [False, True])
@pytest.mark.parametrize("starts", [(0, 3, 40, 100, 141), (60, 61, 90), (0,)])
def test_clips_are_those_of_the_store(tmp_path, make_tiny_video, motion, starts):
    make_tiny_video(tmp_path / "a.mp4", (0, 0), seed=1, frames=150)
    store, video = store_of(tmp_path / "a.mp4", motion)
    chunks = list(read_clips(tmp_path / "a.mp4", video.frames, SPEC, starts, motion=motion, chunk=2))
    assert [start for chunk in chunks for start in chunk.starts] == list(starts)
    expected = store.read(0, starts)
    got = [chunk.raw for chunk in chunks if chunk.raw is not None]
    assert max(raw.frames.shape[1] for raw in got) <= 2
    np.testing.assert_array_equal(np.concatenate([raw.frames[0].numpy() for raw in got]), expected.frames)
    if motion:
        assert expected.motion_valid.any()
        np.testing.assert_array_equal(np.concatenate([raw.motion.values[0].numpy() for raw in got]), expected.motion)
        valid = np.concatenate([raw.motion.valid[0].numpy() for raw in got])
        np.testing.assert_array_equal(valid, expected.motion_valid)


@pytest.mark.parametrize("motion", [False, True])
def test_the_last_frame_of_a_short_video_is_held(tmp_path, make_tiny_video, motion):
    make_tiny_video(tmp_path / "a.mp4", (2, 0), seed=1, frames=6)
    store, _ = store_of(tmp_path / "a.mp4", motion, "repeat")
    (chunk,) = read_clips(tmp_path / "a.mp4", 6, SPEC, (0,), motion=motion)
    expected = store.read(0, (0,))
    np.testing.assert_array_equal(chunk.raw.frames[0].numpy(), expected.frames)
    if motion:
        np.testing.assert_array_equal(chunk.raw.motion.values[0].numpy(), expected.motion)
        np.testing.assert_array_equal(chunk.raw.motion.valid[0].numpy(), expected.motion_valid)


def test_frames_are_let_go_of(tmp_path, make_tiny_video, monkeypatch):
    make_tiny_video(tmp_path / "a.mp4", (0, 0), seed=1, frames=600)
    most = []
    keep = _FrameBuffer.drop
    monkeypatch.setattr(
        _FrameBuffer, "drop", lambda buffer, before: (most.append(len(buffer.pixels)), keep(buffer, before))[1]
    )
    chunks = read_clips(tmp_path / "a.mp4", 600, SPEC, tuple(range(0, 590, 3)), motion=False, pictures={5, 300})
    assert sum(len(chunk.starts) for chunk in chunks) == 197
    assert max(most) < 64 + SPEC.span + 3


def test_a_file_that_ends_early_is_named(tmp_path, make_tiny_video):
    make_tiny_video(tmp_path / "a.mp4", (2, 0), seed=1, frames=20)
    with pytest.raises(VideoError, match=r"a\.mp4' has 40 frames by the manifest, but decodes only to frame 20"):
        list(read_clips(tmp_path / "a.mp4", 40, SPEC, (0, 31), motion=False))


def test_a_picture_is_held(tmp_path):
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    frames = still_clip(tmp_path / "a.png", SPEC).frames.numpy()
    assert frames.shape == (1, 1, 5, 20, 30, 3)
    assert frames.std() > 5
    assert (frames == frames[:, :, :1]).all()


def test_jobs_come_in_order_and_no_more_is_read_than_may_wait():
    made, running, most = [], set(), []
    lock = threading.Lock()

    def job(number):
        with lock:
            running.add(number)
            most.append(len(running))
        for item in range(5):
            made.append((number, item))
            yield number, item
        with lock:
            running.discard(number)

    lines = prefetch([lambda number=number: job(number) for number in range(4)], workers=2, depth=2)
    first = next(lines)
    time.sleep(0.5)
    assert len(made) <= 2 * (2 + 2)
    got = list(first) + [item for line in lines for item in line]
    assert got == [(number, item) for number in range(4) for item in range(5)]
    assert max(most) <= 2


def test_an_error_is_raised_by_its_job_alone_and_leaving_early_ends_the_threads():
    def bad():
        yield 1
        raise VideoError("broken")

    lines = prefetch([bad, lambda: iter([2])], workers=1)
    first = next(lines)
    assert next(first) == 1
    with pytest.raises(VideoError, match="broken"):
        next(first)
    assert list(next(lines)) == [2]
    before = threading.active_count()
    left = prefetch([lambda: iter(range(10**6))] * 3, workers=2)
    assert next(next(left)) == 0
    left.close()
    assert threading.active_count() <= before
