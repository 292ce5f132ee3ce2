import json
import logging

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from kinema.core.errors import DataError
from kinema.data.clips.dataset import Clip, ClipDataset, collate
from kinema.data.clips.sampler import NO_ROOM, ClipRequest, ClipSampler
from kinema.data.clips.store import ClipStore, Windows
from kinema.data.video.scanning import scan


def windows(height, width, h, w, value):
    return Windows(
        frames=np.full((2, 5, height, width, 3), value, dtype=np.uint8),
        motion=np.full((2, 4, h, w, 2), value / 100, dtype=np.float32),
        motion_valid=np.ones((2, 4, h, w), dtype=bool),
    )


def test_collate_pads_at_the_bottom_and_right():
    raw = collate([Clip(windows(6, 9, 2, 3, 7), 4, 1, -1), Clip(windows(8, 5, 3, 2, 9), 2, 0, 3)])
    assert raw.frames.shape == (2, 2, 5, 8, 9, 3)
    assert raw.frames.dtype == torch.uint8
    assert raw.extent.tolist() == [[6, 9], [8, 5]]
    assert raw.motion.extent.tolist() == [[2, 3], [3, 2]]
    assert (raw.frames[0, :, :, :6] == 7).all()
    assert (raw.frames[0, :, :, 6:] == 0).all()
    assert (raw.frames[1, :, :, :, :5] == 9).all()
    assert (raw.frames[1, :, :, :, 5:] == 0).all()
    assert raw.motion.values.shape == (2, 2, 4, 3, 3, 2)
    assert raw.motion.valid.dtype == torch.bool
    assert raw.motion.valid.sum(dim=(1, 2, 3, 4)).tolist() == [2 * 4 * 6, 2 * 4 * 6]
    assert (raw.index.tolist(), raw.source.tolist(), raw.label.tolist()) == ([4, 2], [1, 0], [-1, 3])


def test_collate_without_motion():
    whole = windows(6, 9, 2, 3, 7)
    raw = collate([Clip(Windows(whole.frames, None, None), 0, 0, 0)])
    assert (raw.motion, raw.sound, raw.companions) == (None, None, None)


@pytest.mark.parametrize("processes", [0, 2])
def test_batches_through_a_loader(class_folder, spec, tmp_path, processes):
    manifest = scan(class_folder)
    data = ClipDataset(ClipStore(manifest, spec, motion=True, cache=tmp_path))
    sampler = ClipSampler(data.store.frames, spec, batch_size=4, seed=0, temporal=0.5)
    requests = list(sampler.batches(0))
    # A fork of a test process, which has threads, may hang.
    how = {"num_workers": processes, "multiprocessing_context": "forkserver"} if processes else {}
    batches = list(DataLoader(data, batch_sampler=requests, collate_fn=collate, **how))
    assert len(batches) == 2
    for raw, asked in zip(batches, requests, strict=True):
        assert raw.index.tolist() == [request.video for request in asked]
        assert raw.label.tolist() == [manifest.label_ids()[request.video] for request in asked]
        assert raw.source.tolist() == [manifest.source_ids()[request.video] for request in asked]
        for row, request in enumerate(asked):
            h, w = raw.extent[row].tolist()
            expected = data.store.read(request.video, request.starts).frames
            np.testing.assert_array_equal(raw.frames[row, :, :, :h, :w].numpy(), expected)


@pytest.fixture
def breaking(make_video, spec, tmp_path):
    """A store of four files of which two went bad after the scan."""
    for name in "abcd":
        make_video(tmp_path / f"{name}.mp4", frames=30 if name == "b" else 24)
    manifest = scan(tmp_path)
    for name in "bc":
        (tmp_path / f"{name}.mp4").write_bytes(b"gone bad")
    return ClipStore(manifest, spec, motion=False, cache=None)


def test_broken_videos_are_replaced_and_named_once(breaking, caplog):
    data = ClipDataset(breaking, failures_allowed=0.5)
    with caplog.at_level(logging.WARNING):
        clips = [data[ClipRequest(row, (start,))] for row, start in ((0, 3), (1, 21), (2, 15), (1, 0))]
    assert [clip.index for clip in clips] == [0, 3, 3, 3]
    np.testing.assert_array_equal(clips[1].windows.frames, breaking.read(3, (15,)).frames)
    assert set(data.failures) == {1, 2}
    told = [record.message for record in caplog.records if record.name.startswith("kinema")]
    assert [name in message for name, message in zip(("b.mp4", "c.mp4"), told, strict=True)] == [True] * 2


def test_too_many_broken_videos_end_the_job(breaking):
    data = ClipDataset(breaking)
    with pytest.raises(DataError, match=r"1 of 4 videos could not be read; 0 are allowed.*b\.mp4"):
        data[ClipRequest(1, (0,))]
    data = ClipDataset(breaking, failures_allowed=0.25)
    with pytest.raises(DataError, match=r"2 of 4 .*; 1 are allowed"):
        data[ClipRequest(1, (0,))]


def test_a_window_elsewhere_comes_last_and_says_whether_it_is_one(breaking):
    """Where the video has no room, or another video took its place, the clip's own window holds the place."""
    data = ClipDataset(breaking, failures_allowed=0.5)
    there, roomless, replaced = (data[ClipRequest(row, (3, 5), at)] for row, at in ((0, 12), (0, NO_ROOM), (1, 12)))
    assert [clip.elsewhere for clip in (there, roomless, replaced)] == [True, False, False]
    np.testing.assert_array_equal(there.windows.frames, breaking.read(0, (3, 5, 12)).frames)
    np.testing.assert_array_equal(roomless.windows.frames, breaking.read(0, (3, 5, 3)).frames)
    np.testing.assert_array_equal(replaced.windows.frames, breaking.read(3, (3, 5, 3)).frames)
    raw = collate([there, roomless])
    assert raw.frames.shape[1] == 3
    assert raw.elsewhere.tolist() == [True, False]
    assert collate([data[ClipRequest(0, (3,))]]).elsewhere is None


@pytest.mark.timeout(30)
def test_where_every_video_breaks_no_budget_helps(breaking):
    for name in "ad":
        (breaking.manifest.root / f"{name}.mp4").write_bytes(b"gone bad")
    data = ClipDataset(breaking, failures_allowed=1.0)
    with pytest.raises(DataError, match="4 of 4 videos could not be read, so none is left"):
        data[ClipRequest(0, (0,))]


def test_processes_that_load_share_one_list_of_broken_videos(breaking, tmp_path, caplog):
    ledger = tmp_path / "run/failures.jsonl"
    data = ClipDataset(breaking, failures_allowed=0.5, ledger=ledger)
    requests = [[ClipRequest(row, (0,))] for row in (0, 1, 3, 2, 1, 2)]
    loader = DataLoader(data, batch_sampler=requests, collate_fn=collate, num_workers=2)
    assert [int(raw.index[0]) for raw in loader] == [0, 3, 3, 3, 3, 3]
    told = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert {(line["row"], line["path"]) for line in told} == {(1, "b.mp4"), (2, "c.mp4")}
    assert all(line["reason"] for line in told)
    with ledger.open("a") as file:
        file.write('{"row": 0, "pa')  # a process was killed here
    before = ledger.read_text()
    with caplog.at_level(logging.WARNING):
        again = ClipDataset(breaking, failures_allowed=0.5, ledger=ledger)
        assert again[ClipRequest(1, (0,))].index == 3
    assert set(again.failures) == {1, 2}
    assert not caplog.records
    assert ledger.read_text() == before


def test_the_budget_counts_what_other_processes_found(breaking, tmp_path):
    ledger = tmp_path / "failures.jsonl"
    first, second = (ClipDataset(breaking, failures_allowed=0.25, ledger=ledger) for _ in range(2))
    with pytest.raises(DataError, match=r"2 of 4 .*; 1 are allowed.*failures\.jsonl' lists them"):
        first[ClipRequest(1, (0,))]
    ledger.write_text(ledger.read_text().splitlines()[0] + "\n")
    with pytest.raises(DataError, match="2 of 4"):
        second[ClipRequest(2, (0,))]


def test_a_ledger_of_other_videos_does_not_count(breaking, tmp_path):
    ledger = tmp_path / "failures.jsonl"
    ledger.write_text(json.dumps({"row": 0, "path": "other.mp4", "reason": "gone"}) + "\n")
    assert ClipDataset(breaking, ledger=ledger).failures == {}
