"""Pairs of fingerprints that show the same: found where they do, not where only scene or act is the same."""

import numpy as np
import pytest
from oracles import duplicates as oracle

from kinema.core.errors import ShapeError
from kinema.evaluation.duplicates import MOVES, THRESHOLD, find_duplicates, groups, needed

YX = np.mgrid[:8, :8].astype(float)


def scene(seed):
    return np.random.default_rng(seed).uniform(60, 180, (8, 8))


def take(scene_seed, walk_seed, pictures=40, light=80.0):
    """Somebody walks about in a scene, by a path of their own."""
    rng = np.random.default_rng(walk_seed)
    path = np.cumsum(np.cumsum(rng.normal(scale=0.12, size=(pictures, 2)), axis=0), axis=0)
    path = 3.5 + 3 * np.sin(path + rng.uniform(0, 6, 2))
    blobs = np.exp(-((YX[None] - path[:, :, None, None]) ** 2).sum(1) / 2)
    return (scene(scene_seed) + light * blobs).clip(0, 255)


def found(*videos):
    return find_duplicates(dict(enumerate(videos)))


def test_a_part_of_a_video_is_found_where_it_lies():
    whole = take(1, 2)
    pair = found(whole, whole[7:33]).pairs[0]
    assert (pair.a, pair.b, pair.offset, pair.overlap, pair.mirrored) == (0, 1, 7.0, 26, False)
    assert pair.score == pytest.approx(1.0, abs=1e-4)
    pair = found(whole[7:33], whole).pairs[0]
    assert (pair.offset, pair.overlap) == (-7.0, 26)
    assert found(whole[:25], whole[15:]).pairs == ()  # ten of 25 are less than half


def test_half_a_picture_is_an_offset_too():
    video = take(1, 2)
    early, late = video[:-1], (video[:-1] + video[1:]) / 2  # late is half a picture ahead of early
    pair = found(early, late).pairs[0]
    assert (pair.offset, pair.overlap) == (0.5, 38)
    assert pair.score > 0.98


def test_light_and_contrast_change_nothing():
    video = take(1, 2, light=60)
    flashes = np.random.default_rng(0).uniform(-20, 20, (40, 1, 1))
    for other in (0.5 * video + 40, video + flashes):
        assert found(video, other).pairs[0].score == pytest.approx(1.0, abs=1e-3)
    assert found(video, 255 - video).pairs == ()


def test_a_mirror_image_is_found_and_named():
    video = take(1, 2)
    pair = found(video, video[5:, :, ::-1]).pairs[0]
    assert pair.mirrored
    assert pair.offset == 5.0
    assert found(video, video[:, ::-1]).pairs == ()  # upside down is not


def test_one_scene_with_several_takes_and_one_act_in_several_scenes_are_no_copies():
    takes = [take(1, walk) for walk in range(12)]
    assert found(*takes).pairs == ()
    acts = [take(place, 3) for place in range(12)]
    assert found(*acts).pairs == ()


def test_what_does_not_move_matches_nothing():
    rng = np.random.default_rng(0)
    black, room = np.zeros((30, 8, 8)), np.repeat(scene(1)[None], 30, axis=0)
    noisy = [room + rng.normal(scale=0.3, size=room.shape) for _ in range(2)]
    short = take(1, 2, 4)
    result = found(black, black, room, room, *noisy, short, short)
    assert result.pairs == ()
    assert result.still == tuple(range(8))
    assert result.moments == 0


def test_a_torn_beginning_alone_is_no_footage_in_common():
    """Grey until the first whole picture: the greatest change of both, and the same in both."""
    rng = np.random.default_rng(0)
    videos = [take(1, walk, light=6) + rng.normal(scale=0.2, size=(40, 8, 8)) for walk in (1, 2)]
    for video in videos:
        video[:4] = 128
    assert found(*videos).pairs == ()
    again = videos[0] + rng.normal(scale=0.2, size=videos[0].shape)
    assert [(pair.a, pair.b) for pair in found(*videos, again).pairs] == [(0, 2)]


@pytest.mark.parametrize("seed", range(4))
def test_the_score_is_that_of_the_best_of_all_offsets(seed):
    rng = np.random.default_rng(seed)
    one = take(1, seed, 26)
    other = one[seed : seed + 20] + rng.normal(scale=1.5, size=(20, 8, 8))
    pair = found(one, other).pairs[0]
    lists = [video.astype(np.float32).reshape(len(video), -1).astype(float).tolist() for video in (one, other)]
    score, offset = oracle.best(*lists, MOVES)
    assert pair.score == pytest.approx(score, abs=1e-4)
    assert pair.offset == offset


def test_numbers_and_order_do_not_matter():
    videos = [take(1, 2), take(2, 3), take(1, 2)[4:], take(2, 5)]
    plain = found(*videos).pairs
    turned = find_duplicates({10 * i: videos[i] for i in (3, 1, 2, 0)}).pairs
    assert [(10 * p.a, 10 * p.b, p.score, p.offset) for p in plain] == [(p.a, p.b, p.score, p.offset) for p in turned]
    assert [(p.a, p.b) for p in plain] == [(0, 2)]


def test_what_is_short_must_be_surer():
    assert needed(11) > needed(12) == THRESHOLD


def test_what_hangs_together():
    a, b = take(1, 2), take(2, 3)
    pairs = found(a, b, a[3:], b, a[:30], take(3, 4)).pairs
    assert groups(pairs) == [(0, 2, 4), (1, 3)]
    assert groups(()) == []


def test_blocks_leave_nothing_out(monkeypatch):
    videos = [take(number, number) for number in range(8)]
    videos += [video[5:] for video in videos]
    whole = found(*videos).pairs
    assert {(p.a, p.b) for p in whole} == {(number, number + 8) for number in range(8)}
    monkeypatch.setattr("kinema.evaluation.duplicates._BLOCK", 2)
    told = []
    result = find_duplicates(dict(enumerate(videos)), progress=lambda done, total: told.append((done, total)))
    assert result.pairs == whole
    assert told[-1] == (result.moments, result.moments)


def test_bad_fingerprints_are_refused():
    with pytest.raises(ShapeError, match="one h and w"):
        found(take(1, 2), take(1, 2)[:, :4])
    with pytest.raises(ShapeError, match="1 of 2 fingerprints are not finite, the first that of 1"):
        found(take(1, 2), take(1, 2) * np.nan)
    assert find_duplicates({}).pairs == ()
