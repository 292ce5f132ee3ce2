"""Keyframes and motion clips beside a clip: where they lie, that they are what the file holds, and what is missing."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from kinema.core.clips import ClipSpec, Companions
from kinema.core.errors import ConfigError, DataError, VideoError
from kinema.data import ClipDataset, ClipRequest, ClipSampler, ClipStore, collate, decode, keyframes, scan
from kinema.data.clips.companions import NOWHERE, place_keyframe, place_motion, window_room
from kinema.data.video.manifest import Manifest

SPEC = ClipSpec(frames=4, stride=2, size=8, short_side=8)  # spans 9 frames
WANTED = Companions(motion_frames=4, ahead=3, negatives=3, reach=2)  # needs 6 frames after a clip


def drawn(companions=WANTED, frames=None, keys=None, epochs=200, **settings):
    """Every request of some epochs."""
    frames = frames or {0: 40, 1: 40}
    keys = keys or {row: tuple(range(0, count, 12)) for row, count in frames.items()}
    sampler = ClipSampler(frames, SPEC, batch_size=2, seed=3, companions=companions, keyframes=keys, **settings)
    return [request for epoch in range(epochs) for batch in sampler.batches(epoch) for request in batch]


def test_the_target_follows_the_clip_and_the_windows_leave_room_for_it():
    requests = drawn(temporal=1.0)
    assert {request.starts[0] for request in requests} == set(range(40 - 9 - 6 + 1))
    assert {start for request in requests for start in request.starts} == set(range(26))
    for request in requests:
        last_frame_of_the_clip = request.starts[0] + 4 * 2
        assert request.motion_starts[0] == last_frame_of_the_clip + 3
        assert request.motion_starts[0] + 4 <= 40


def test_the_others_differ_and_do_not_overlap_the_target():
    reached = set()
    for request in drawn(epochs=1000):
        target, *others = request.motion_starts
        assert len(set(others)) == 3
        assert all(other >= 1 and other + 4 <= 40 and abs(other - target) >= 4 for other in others)
        reached |= {other - target for other in others}
        assert request.motion_frames == 4
    assert {-4, 4} <= reached
    assert {min(reached), max(reached)} == {1 - (25 + 11), 36 - 11}


@pytest.mark.parametrize(("frames", "others"), [(15, 7), (16, 8), (20, 17)])
def test_as_many_others_as_fit_and_each_place_can_be_drawn(frames, others):
    """A clip from 0 has its target at 11 to 14: seven places before it, and from 19 frames on some after it."""
    wanted = replace(WANTED, negatives=20)
    starts = place_motion(wanted, 0, frames, SPEC, torch.rand(20, generator=torch.Generator().manual_seed(1)).tolist())
    free = [s for s in range(1, frames - 3) if s + 4 <= 11 or s >= 15]
    found = [s for s in starts[1:] if s != NOWHERE]
    assert starts[0] == 11
    assert sorted(found) == free
    assert starts[1 + len(free) :] == (NOWHERE,) * (20 - len(free))


def test_a_video_without_room_for_the_target_has_no_motion_clips(caplog):
    with caplog.at_level(logging.WARNING):
        requests = drawn(frames={0: 14, 1: 15, 2: 40}, epochs=50)
    assert {r.motion_starts for r in requests if r.video == 0} == {(NOWHERE,) * 4}
    assert {r.starts[0] for r in requests if r.video == 0} == set(range(6)), "any window, as without companions"
    assert {(r.starts[0], r.motion_starts[0]) for r in requests if r.video == 1} == {(0, 11)}
    assert "1 of 3 videos have fewer than 15 frames" in caplog.records[0].message
    with pytest.raises(DataError, match=r"2 of 2 videos have fewer than 15 frames: a clip spans 9"):
        drawn(frames={0: 14, 1: 12})


def test_the_keyframe_is_one_of_those_within_reach_else_the_nearest():
    keys = (0, 12, 24, 36)
    # A clip from 10 begins at 12 and ends at 18: with a reach of 2, keyframes from 10 to 20.
    assert place_keyframe(WANTED, 10, 40, SPEC, keys, 0.99) == 12
    wide = replace(WANTED, reach=12)
    assert [place_keyframe(wide, 10, 40, SPEC, keys, draw) for draw in (0.0, 0.34, 0.67)] == [0, 12, 24]
    # One from 13 begins at 15 and ends at 21; of 12 and 24 the middle, 18, is as near: the earlier is taken.
    assert place_keyframe(WANTED, 13, 40, SPEC, keys, 0.5) == 12
    assert place_keyframe(WANTED, 14, 40, SPEC, keys, 0.5) == 24
    assert place_keyframe(WANTED, 13, 20, SPEC, (24,), 0.5) == 15, "a keyframe that the video does not reach"
    assert {r.keyframe for r in drawn()} == {0, 12, 24}


def test_what_is_not_wanted_is_not_drawn():
    assert {(r.keyframe is None, len(r.motion_starts)) for r in drawn(replace(WANTED, keyframe=False))} == {(True, 4)}
    context = drawn(Companions(motion_frames=0), frames={0: 10, 1: 11})
    assert {(r.motion_starts, r.motion_frames) for r in context} == {((), 0)}
    assert window_room(40, SPEC, Companions(motion_frames=0)) == window_room(40, SPEC) == 32


def test_no_other_draw_changes():
    plain, beside = drawn(None), drawn(Companions(motion_frames=0))
    assert [(r.video, r.starts) for r in plain] == [(r.video, r.starts) for r in beside]
    assert [r.video for r in plain] == [r.video for r in drawn()]
    assert {r.keyframe for r in plain} == {None}


def test_a_pure_function_of_seed_and_epoch_and_two_ranks_are_one():
    settings = {"seed": 5, "companions": WANTED, "keyframes": {0: (0, 12), 1: (0,), 2: (0, 30)}}
    whole = ClipSampler({0: 40, 1: 50, 2: 60}, SPEC, batch_size=4, **settings)
    batches = list(whole.batches(1))
    assert batches == list(whole.batches(1))
    assert batches != list(whole.batches(2))
    ranks = [
        list(ClipSampler({0: 40, 1: 50, 2: 60}, SPEC, batch_size=2, rank=r, world=2, **settings).batches(1))
        for r in (0, 1)
    ]
    assert [left + right for left, right in zip(*ranks, strict=True)] == batches


@pytest.mark.parametrize(
    "settings",
    [{"motion_frames": -1}, {"ahead": 0}, {"negatives": -1}, {"reach": -2}, {"shrink": 0}],
    ids=lambda s: next(iter(s)),
)
def test_companions_that_cannot_be_are_refused(settings):
    with pytest.raises(ConfigError, match=rf"companions.{next(iter(settings))} is"):
        Companions(**settings)
    with pytest.raises(ConfigError, match="nothing would come along"):
        Companions(motion_frames=0, keyframe=False)


def test_one_batch_may_serve_several_methods():
    motion, still = Companions(keyframe=False, shrink=2), Companions(motion_frames=0, reach=9)
    assert (
        Companions.united([None, motion, still]) == Companions.united([still, motion]) == Companions(reach=9, shrink=2)
    )
    assert Companions.united([motion, None]) == Companions(keyframe=False, shrink=2, reach=0)
    assert Companions.united([None, None]) is None
    with pytest.raises(ConfigError, match="different motion clips"):
        Companions.united([motion, Companions(negatives=1)])


@pytest.fixture(scope="module")
def manifest(class_folder):
    return scan(class_folder)


@pytest.fixture(scope="module", params=["cache", "files"])
def store(request, manifest, spec, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache") if request.param == "cache" else None
    return ClipStore(manifest, spec, motion=True, cache=cache)


def test_the_keyframe_is_the_streams_and_the_motion_is_from_frame_to_frame(store, manifest, spec):
    for row, frames in store.frames.items():
        file = manifest.file(row)
        whole = decode(file, short_side=spec.short_side, motion=True)
        windows = store.read(row, (0,), keyframe=12, motion_starts=(12, NOWHERE, 3), motion_frames=5)
        pictures, numbers = keyframes(file, short_side=spec.short_side)
        if 12 in numbers:
            np.testing.assert_array_equal(windows.keyframe, pictures[numbers.tolist().index(12)])
        np.testing.assert_array_equal(windows.keyframe, whole.frames[12])
        pixels = 16 * np.asarray(whole.source_size[::-1])
        for place, first in ((0, 12), (2, 3)):
            told = whole.motion_valid[first : first + 5]
            np.testing.assert_array_equal(windows.motion_clips_valid[place], told)
            expected = whole.motion[first : first + 5] / pixels * told[..., None]
            np.testing.assert_allclose(windows.motion_clips[place], expected, atol=1e-7)
            assert windows.motion_clips[place][told].any()
        assert not windows.motion_clips_valid[1].any()
        assert not windows.motion_clips[1].any()
        assert frames >= 17


def test_windows_are_the_same_with_company_and_without(store):
    alone = store.read(2, (1, 4))
    beside = store.read(2, (1, 4), keyframe=0, motion_starts=(9,), motion_frames=4)
    for name in ("frames", "motion", "motion_valid"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(beside, name))
    assert (alone.keyframe, alone.motion_clips, alone.motion_clips_valid) == (None, None, None)
    still = store.read(2, (1,), motion=False, motion_starts=(9, NOWHERE), motion_frames=4)
    assert still.motion is None
    np.testing.assert_array_equal(still.motion_clips[0], beside.motion_clips[0])
    nothing = store.read(2, (1,), motion=False, motion_starts=(NOWHERE,), motion_frames=4)
    assert nothing.motion_clips.shape == beside.motion_clips.shape


def test_one_pass_over_a_file_reads_all(manifest, spec, monkeypatch):
    from kinema.data.clips import store as module

    passes = []

    def counted(*arguments, **settings):
        passes.append(arguments[1])
        return decode_parts(*arguments, **settings)

    decode_parts = module.decode_parts
    monkeypatch.setattr(module, "decode_parts", counted)
    ClipStore(manifest, spec, motion=True, cache=None).read(
        0, (0,), motion=False, keyframe=12, motion_starts=(10, 3), motion_frames=3
    )
    ((only,),) = passes
    assert only.pixels == {0, 2, 4, 6, 8, 12}
    assert only.motion == {3, 4, 5, 10, 11, 12}


def test_requests_outside_the_video_are_refused(store, manifest, spec):
    frames = store.frames[0]
    for asked in ({"keyframe": frames}, {"motion_starts": (0,)}, {"motion_starts": (frames - 3,)}):
        with pytest.raises(ConfigError, match=f"{frames} frames"):
            store.read(0, (0,), motion_frames=4, **asked)
    with pytest.raises(DataError, match="opened without motion"):
        ClipStore(manifest, spec, motion=False, cache=None).read(0, (0,), motion_starts=(3,), motion_frames=4)


@pytest.mark.parametrize("cached", [True, False])
def test_a_file_that_ends_before_its_motion_clip_is_named(manifest, spec, tmp_path, cached):
    row = next(n for n, v in enumerate(manifest.videos) if v.path == "wave/w0.mp4")
    longer = Manifest(manifest.root, (replace(manifest.videos[row], frames=60),))
    store = ClipStore(longer, spec, motion=True, cache=tmp_path if cached else None)
    for asked in ({"motion_starts": (18,)}, {"keyframe": 40}):
        with pytest.raises(VideoError, match=r"60 frames by the manifest, but decodes only to frame (20|40)"):
            store.read(0, (0,), motion_frames=4, **asked)


def test_clips_of_two_sizes_are_padded_together(manifest, spec):
    data = ClipDataset(ClipStore(manifest, spec, motion=True, cache=None), motion=False)
    sizes = {v.width: n for n, v in enumerate(manifest.videos)}
    requests = [
        ClipRequest(row, (0,), keyframe=12, motion_starts=(12, NOWHERE), motion_frames=5)
        for row in (sizes[96], sizes[64])
    ]
    clips = [data[request] for request in requests]
    raw = collate(clips)
    keyframe, motion = raw.companions.keyframe, raw.companions.motion
    assert keyframe.shape == raw.frames.shape[:1] + raw.frames.shape[3:]
    assert raw.motion is None
    assert motion.values.shape == (2, 2, 5, *motion.extent.amax(0).tolist(), 2)
    for row, clip in enumerate(clips):
        (height, width), (h, w) = raw.extent[row].tolist(), motion.extent[row].tolist()
        np.testing.assert_array_equal(keyframe[row, :height, :width].numpy(), clip.windows.keyframe)
        np.testing.assert_array_equal(motion.values[row, :, :, :h, :w].numpy(), clip.windows.motion_clips)
        assert not motion.valid[row, :, :, h:].any()
        assert motion.valid[row].flatten(1).any(1).tolist() == [True, False]
    both = collate([ClipDataset(data.store)[request] for request in requests])
    assert torch.equal(both.motion.extent, both.companions.motion.extent)
    twice = replace(raw, frames=raw.frames.repeat(1, 3, 1, 1, 1, 1)).split_variants()
    assert torch.equal(twice.companions.motion.values[4], motion.values[1])


def test_a_broken_video_is_replaced_with_its_company(make_video, spec, tmp_path):
    for name, frames in (("a", 60), ("b", 30), ("c", 20)):
        make_video(tmp_path / f"{name}.mp4", frames=frames)
    manifest = scan(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"gone bad")
    data = ClipDataset(ClipStore(manifest, spec, motion=True, cache=None), failures_allowed=0.7)
    # b's last window begins at 21: all is 19 frames earlier
    clip = data[ClipRequest(0, (40,), keyframe=36, motion_starts=(51, 20, 5), motion_frames=4)]
    expected = data.store.read(1, (21,), keyframe=12, motion_starts=(NOWHERE, 1, NOWHERE), motion_frames=4)
    assert clip.index == 1
    for name in ("frames", "keyframe", "motion_clips", "motion_clips_valid"):
        np.testing.assert_array_equal(getattr(clip.windows, name), getattr(expected, name))
    assert expected.motion_clips_valid[1].any()
    assert set(data.failures) == {0}


@pytest.mark.data
@pytest.mark.parametrize("name", ["asl_letters24", "grid_s1_av"])
def test_on_real_files_company_is_what_the_streams_own_readers_give(shared_data, name):
    files = sorted((shared_data / name).rglob("*.mp4"))[:40:10]
    if not files:
        pytest.skip(f"{name} holds no .mp4 here")
    manifest = scan(files)
    store = ClipStore(manifest, ClipSpec(4, 2, 64, 72), motion=True, cache=None)
    wanted = Companions(motion_frames=6, negatives=2)
    keys = {row: manifest.videos[row].keyframes for row in store.frames}
    sampler = ClipSampler(store.frames, store.spec, batch_size=4, seed=0, companions=wanted, keyframes=keys)
    for request in next(sampler.batches(0)):
        file = manifest.file(request.video)
        windows = ClipDataset(store)[request].windows
        pictures, numbers = keyframes(file, short_side=72)
        np.testing.assert_array_equal(windows.keyframe, pictures[numbers.tolist().index(request.keyframe)])
        field = decode(file, short_side=72, motion=True)
        for place, first in enumerate(request.motion_starts):
            told = field.motion_valid[first : first + 6]
            np.testing.assert_array_equal(windows.motion_clips_valid[place], told)
            pixels = windows.motion_clips[place] * 16 * np.asarray(field.source_size[::-1])
            np.testing.assert_allclose(pixels[told], field.motion[first : first + 6][told], atol=1e-3)
        assert windows.motion_clips_valid.any()
