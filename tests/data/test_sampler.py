from collections import Counter

import pytest

from kinema.core.clips import ClipSpec
from kinema.core.errors import ConfigError, DataError
from kinema.data.clips.sampler import NO_ROOM, ClipSampler, evaluation_windows

SPEC = ClipSpec(frames=4, stride=2, size=8, short_side=8)  # spans 9 frames
FRAMES = {row: 9 + row for row in (0, 2, 3, 5, 7, 11, 13)}


def sampler(**changed):
    return ClipSampler(**{"frames": FRAMES, "spec": SPEC, "batch_size": 3, "seed": 5} | changed)


def test_a_pure_function_of_seed_and_epoch():
    assert list(sampler().batches(2)) == list(sampler().batches(2))
    assert list(sampler().batches(2)) != list(sampler().batches(3))
    assert list(sampler().batches(2)) != list(sampler(seed=6).batches(2))
    assert list(sampler().batches(2, first=1)) == list(sampler().batches(2))[1:]


@pytest.mark.parametrize("repeats", [1, 2])
def test_every_video_in_batches_of_one_size(repeats):
    one = sampler(clips_per_video=repeats)
    batches = list(one.batches(0))
    assert [len(batch) for batch in batches] == [3] * one.batches_per_epoch
    drawn = Counter(request.video for batch in batches for request in batch)
    assert set(drawn) == set(FRAMES)
    assert min(drawn.values()) >= repeats
    order = [request.video for batch in batches for request in batch]
    clips = len(FRAMES) * repeats
    assert order[clips:] == order[: len(order) - clips]  # topped up from the beginning


def test_windows_lie_in_their_video_and_reach_both_ends():
    starts = {row: set() for row in FRAMES}
    for epoch in range(300):
        for batch in sampler(temporal=1.0).batches(epoch):
            for request in batch:
                assert len(request.starts) == 2
                starts[request.video] |= set(request.starts)
    assert all(starts[row] == set(range(FRAMES[row] - SPEC.span + 1)) for row in FRAMES)


def test_temporal_is_the_probability_of_different_windows():
    frames = dict.fromkeys(range(400), 100009)

    def apart(temporal):
        requests = [r for batch in sampler(frames=frames, temporal=temporal).batches(0) for r in batch]
        return sum(r.starts[0] != r.starts[1] for r in requests) / len(requests)

    assert apart(0.0) == 0
    assert apart(1.0) > 0.99
    assert 0.2 < apart(0.3) < 0.4


def test_two_ranks_are_one_process():
    whole = list(sampler(batch_size=4).batches(1))
    ranks = [list(sampler(batch_size=2, rank=rank, world=2).batches(1)) for rank in (0, 1)]
    assert [left + right for left, right in zip(*ranks, strict=True)] == whole


def test_two_videos_fill_any_batch():
    (batch,) = sampler(frames={4: 20, 9: 20}, batch_size=7).batches(0)
    assert set(Counter(request.video for request in batch).values()) == {3, 4}


def test_bad_settings():
    with pytest.raises(DataError, match="1 video to learn from"):
        sampler(frames={0: 30})
    for changed in ({"batch_size": 0}, {"temporal": 1.5}, {"rank": 2, "world": 2}):
        with pytest.raises(ConfigError, match=str(next(iter(changed.values())))):
            sampler(**changed)


def test_evaluation_windows():
    spec = ClipSpec(frames=32, stride=1, size=8, short_side=8)
    assert evaluation_windows(33 + 40, spec, "coclr") == (0, 15, 30, 40)
    assert evaluation_windows(33 + 30, spec, "coclr") == (0, 15, 30)
    assert evaluation_windows(10, spec, "coclr") == (0,)
    assert evaluation_windows(33 + 18, spec, "vcop") == (0, 2, 4, 6, 8, 10, 12, 14, 16, 18)
    assert evaluation_windows(20, spec, "vcop") == (0,) * 10
    # 15 frames of room: ten starts 15/9 apart, each rounded to a frame.
    assert evaluation_windows(33 + 15, spec, "vcop") == (0, 2, 3, 5, 7, 8, 10, 12, 13, 15)
    # Less room than clips: starts come twice, and still count as ten.
    assert evaluation_windows(33 + 4, spec, "vcop") == (0, 0, 1, 1, 2, 2, 3, 3, 4, 4)
    with pytest.raises(ConfigError, match="'ucf'"):
        evaluation_windows(20, spec, "ucf")


ROOMY = {row: 9 + row for row in (0, 2, 3, 5, 7, 11, 13)} | {row: 40 + row for row in range(20, 26)}


def test_a_window_elsewhere_is_far_from_every_window_and_changes_no_other_draw():
    """SPEC spans 9 frames, so starts at least 3 apart."""
    plain, asked = (sampler(frames=ROOMY, temporal=0.5, elsewhere=each) for each in (False, True))
    found = {row: set() for row in ROOMY}
    for epoch in range(200):
        for ours, theirs in zip(asked.batches(epoch), plain.batches(epoch), strict=True):
            assert [(r.video, r.starts) for r in ours] == [(r.video, r.starts) for r in theirs]
            assert {r.elsewhere for r in theirs} == {None}
            for request in ours:
                last = ROOMY[request.video] - SPEC.span
                free = [s for s in range(last + 1) if min(abs(s - start) for start in request.starts) >= 3]
                assert request.elsewhere in (free or [NO_ROOM])
                found[request.video].add(request.elsewhere)
                expected = request.starts[0] if request.elsewhere == NO_ROOM else request.elsewhere
                assert request.windows == (*request.starts, expected)
    assert found[2] == {NO_ROOM}
    assert {NO_ROOM, 0, 3} == found[3]
    assert found[20] == set(range(40 + 20 - SPEC.span + 1))
    assert list(asked.batches(7)) == list(sampler(frames=ROOMY, temporal=0.5, elsewhere=True).batches(7))


def test_windows_elsewhere_may_begin_nearer_so_that_every_clip_has_one():
    """Videos of 48 frames and clips that span 33, as in the preset small: a third of the span leaves half without."""
    spec, frames = ClipSpec(frames=8, stride=4, size=8, short_side=8), dict.fromkeys(range(40), 48)
    without = {}
    for apart in (0, 4):
        near = ClipSampler(frames, spec, batch_size=8, seed=3, elsewhere=True, apart=apart)
        requests = [r for epoch in range(20) for batch in near.batches(epoch) for r in batch]
        without[apart] = sum(r.elsewhere == NO_ROOM for r in requests) / len(requests)
        gaps = [abs(r.elsewhere - r.starts[0]) for r in requests if r.elsewhere != NO_ROOM]
        assert min(gaps) == (apart or 11)
    assert without[4] == 0
    assert without[0] > 0.3


def test_short_videos_are_counted_and_a_set_of_them_is_refused(caplog):
    with caplog.at_level("WARNING"):
        sampler(frames=ROOMY, elsewhere=True)
    assert "2 of 13 videos have no room for a window elsewhere: it begins at least 3 frames" in caplog.text
    caplog.clear()
    sampler(frames={0: 12, 1: 40}, elsewhere=True)
    assert caplog.text == ""
    sampler(frames={0: 9, 1: 11})
    with pytest.raises(DataError, match="2 of 2 videos have no room") as caught:
        sampler(frames={0: 9, 1: 11}, elsewhere=True)
    assert "clip.frames" in caught.value.hint
