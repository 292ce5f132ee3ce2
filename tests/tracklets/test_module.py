"""Which tracklets make up a batch, and which of their frames."""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinema.core.errors import ConfigError
from kinema.core.tracklets import TrackletNeeds
from kinema.data.tracklets.config import LoadedTracklets, TrackletsConfig
from kinema.data.tracklets.module import TrackletModule, window
from kinema.data.tracklets.store import StoredFrames, starts_of
from kinema.data.tracklets.table import Tracklet, Tracklets

NEEDS = TrackletNeeds(frames=4, instances=4)


def loaded(people=6, cameras=(1, 3), frames=lambda number: 1 + number % 9, features=True):
    """People with one tracklet in the first camera and three in the second; the features are row and frame."""
    rows = []
    for person in range(people):
        for camera, count in enumerate(cameras):
            for number in range(count):
                length = frames(len(rows))
                name = f"{person}/{camera}/{number}"
                rows.append(Tracklet(name, f"p{person}", f"c{camera}", (name,), tuple(range(length))))
    table = Tracklets(Path(), tuple(rows))
    starts = starts_of(table)
    index = np.repeat(np.arange(len(rows)), np.diff(starts))
    place = np.arange(starts[-1]) - starts[index]
    array = np.stack([index, place], 1).astype(np.float32)
    if not features:
        array = np.broadcast_to(array[:, :1, None, None], (len(array), 3, 8, 4)).astype(np.uint8)
    return LoadedTracklets(TrackletsConfig(), table, StoredFrames(array, starts))


def module(data=None, needs=NEEDS, batch_size=8, seed=0):
    return TrackletModule(data or loaded(), needs, batch_size=batch_size, seed=seed)


def test_a_batch_holds_k_tracklets_of_each_of_its_people_from_both_cameras():
    data = loaded()
    cameras = [row.camera for row in data.table.rows]
    for raw in module(data).loader(0):
        people = raw.labels.view(-1, 4)
        assert (people == people[:, :1]).all()
        assert len(set(people[:, 0].tolist())) == 2
        for rows in raw.index.view(-1, 4).tolist():
            assert len(set(rows)) == 4
            assert {cameras[row] for row in rows} == {"c0", "c1"}
        assert (raw.frames[..., 0][raw.mask] == raw.index[:, None].expand_as(raw.mask)[raw.mask]).all()


@pytest.mark.parametrize("cameras", [(1,), (2, 2), (1, 7), (5, 5, 6)])
@pytest.mark.parametrize("people", [3, 7, 12])
def test_an_epoch_shows_everybody_and_about_as_many_tracklets_as_there_are(people, cameras):
    data = loaded(people, cameras)
    each = module(data, batch_size=12)
    raws = list(each.loader(3))
    assert len(raws) == each.batches
    shown = Counter(label for raw in raws for label in raw.labels.tolist())
    assert set(shown) == set(range(people))
    assert max(shown.values()) - min(shown.values()) <= 8, "nobody much more often than another"
    total = sum(shown.values())
    assert total >= min(len(data.table), 4 * people) * 0.6
    assert total <= max(len(data.table) * 1.5, 4 * people) + 12
    assert all(len(set(raw.labels.tolist())) == 3 for raw in raws), "nobody twice in a batch"


def test_a_person_of_few_tracklets_is_shown_with_them_again_but_other_frames():
    data = loaded(2, (1,), frames=lambda number: 40)
    (raw,) = module(data).loader(0)
    starts = raw.frames[:, 0, 1].view(2, 4)
    assert len(set(raw.index.tolist())) == 2
    assert all(len(set(row)) > 1 for row in starts.tolist())


def test_fewer_people_than_places_are_told_of(caplog):
    with caplog.at_level(logging.WARNING):
        raws = list(module(loaded(3), batch_size=32).loader(0))
    assert "room for 8 people, and there are 3" in caplog.text
    assert all(Counter(raw.labels.tolist()).most_common()[-1][1] >= 8 for raw in raws)


def test_batches_are_a_pure_function_of_seed_and_epoch_and_resume_anywhere():
    whole = list(module().loader(2))
    for first in range(len(whole)):
        for one, two in zip(whole[first:], module().loader(2, first), strict=True):
            assert torch.equal(one.frames, two.frames)
            assert torch.equal(one.index, two.index)
    for other in (list(module().loader(3)), list(module(seed=1).loader(2))):
        assert any(not torch.equal(one.index, two.index) for one, two in zip(whole, other, strict=True))


@pytest.mark.parametrize("people", [8, 3])
def test_ranks_share_a_batch(people, monkeypatch):
    data = loaded(people)
    alone = list(module(data, batch_size=16).loader(0))
    monkeypatch.setattr("kinema.data.tracklets.module.world_size", lambda: 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(
            "kinema.data.tracklets.module.rank_slice", lambda rows, rank=rank: slice(rank * rows, (rank + 1) * rows)
        )
        parts.append(list(module(data, batch_size=8).loader(0)))
    assert len(parts[0]) == len(parts[1]) == len(alone)
    for one, two, both in zip(*parts, alone, strict=True):
        assert torch.equal(torch.cat([one.index, two.index]), both.index)
        assert len({*one.labels.tolist(), *two.labels.tolist()}) == min(people, 4)


def test_without_instances_every_tracklet_is_shown_in_any_order():
    each = module(needs=replace(NEEDS, instances=0), batch_size=5)
    shown = torch.cat([raw.index for raw in each.loader(0)])
    assert (each.batches, len(shown)) == (5, 25)
    assert set(shown.tolist()) == set(range(24))


def test_a_batch_that_cannot_hold_its_instances():
    with pytest.raises(ConfigError, match="batch_size is 10, and 4 tracklets") as error:
        module(batch_size=10)
    assert "for instance 8" in error.value.hint


@pytest.mark.parametrize(
    ("length", "frames", "stride", "expected"),
    [(1, 4, 2, {(0,)}), (3, 4, 2, {(0, 1, 2)}), (5, 4, 2, {(0, 1, 2, 3), (1, 2, 3, 4)}), (7, 4, 2, {(0, 2, 4, 6)})],
)
def test_windows_of_frames(length, frames, stride, expected):
    needs = TrackletNeeds(frames=frames, stride=stride)
    draws = np.random.default_rng(0)
    assert {tuple(window(length, needs, draws).tolist()) for _ in range(40)} == expected
    one = {int(window(9, TrackletNeeds(frames=1, stride=3), draws)[0]) for _ in range(200)}
    assert one == set(range(9))


def test_what_a_method_sees():
    each = module(loaded(features=False))
    raw = next(iter(each.loader(0)))
    batch = each.batch(raw, torch.Generator().manual_seed(0), labels=True)
    assert batch.frames.shape == (*raw.mask.shape, 3, 8, 4)
    assert not batch.frames[~raw.mask].any()
    assert torch.equal(batch.labels, raw.labels)
    assert each.batch(raw, torch.Generator()).labels is None
    assert len(raw.first(2)) == len(raw.to("cpu").first(2).labels) == 2
    again, seconds = each.sample()
    assert torch.equal(again.index, raw.index)
    assert seconds >= 0
