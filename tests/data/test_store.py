import errno
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinema.core.clips import ClipSpec
from kinema.core.errors import ConfigError, DataError, StorageError, VideoError
from kinema.core.seeds import generator_at
from kinema.data import ClipDataset
from kinema.data.clips import store_files
from kinema.data.clips.store import ClipStore
from kinema.data.video.manifest import Manifest, Video
from kinema.data.video.scanning import scan
from kinema.evolving.candidate import subset_of


@pytest.fixture(scope="module")
def manifest(class_folder):
    return scan(class_folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def stored(manifest, spec, cache):
    return ClipStore(manifest, spec, motion=True, cache=cache)


def test_the_cache_and_the_files_give_the_same(manifest, spec, stored):
    direct = ClipStore(manifest, spec, motion=True, cache=None)
    assert (stored.cached, direct.cached) == (True, False)
    assert stored.frames == direct.frames == {n: v.frames for n, v in enumerate(manifest.videos)}
    for row, frames in stored.frames.items():
        starts = (0, frames - spec.span, 3)
        one, two = stored.read(row, starts), direct.read(row, starts)
        np.testing.assert_array_equal(one.frames, two.frames)
        np.testing.assert_array_equal(one.motion, two.motion)
        np.testing.assert_array_equal(one.motion_valid, two.motion_valid)


def test_windows_are_what_was_asked_for(manifest, spec, stored):
    row = next(n for n, v in enumerate(manifest.videos) if v.path == "wave/w0.mp4")  # moves by (2, 0) of 96x64
    windows = stored.read(row, (0, 5))
    assert windows.frames.shape == (2, 5, 40, 60, 3)
    assert windows.frames.dtype == np.uint8
    assert windows.motion.shape == (2, 4, 16, 24, 2)
    told = windows.motion[windows.motion_valid]
    np.testing.assert_allclose(np.median(told, axis=0), (2 * spec.stride / 96, 0), atol=1e-3)
    everything = stored.read(row, tuple(range(20 - spec.span + 1)))
    np.testing.assert_array_equal(everything.frames[5], windows.frames[1])
    np.testing.assert_array_equal(everything.frames[1, 0], _whole(stored, row)[1])
    np.testing.assert_array_equal(everything.frames[1, 3], _whole(stored, row)[7])


def _whole(store, row):
    return store._stored.rgb(store._stored.entries[row])


def test_without_motion(manifest, spec):
    assert ClipStore(manifest, spec, motion=False, cache=None).read(0, (0,)).motion is None


def test_a_second_run_reads_the_first_ones_cache(manifest, spec, cache, stored, monkeypatch):
    def refuse(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(store_files, "run_jobs", refuse)
    again = ClipStore(manifest, spec, motion=True, cache=cache)
    np.testing.assert_array_equal(again.read(1, (2,)).frames, stored.read(1, (2,)).frames)
    copy = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(copy.read(1, (2,)).motion, stored.read(1, (2,)).motion)
    with pytest.raises(AssertionError, match="decoded again"):
        ClipStore(manifest, replace(spec, short_side=41), motion=True, cache=cache)


def test_above_the_limit_it_reads_from_the_files(manifest, spec, tmp_path):
    store = ClipStore(manifest, spec, motion=True, cache=tmp_path, cache_bytes=1000)
    assert not store.cached
    assert not list(tmp_path.iterdir())
    assert store.bytes > 1000


BUILD = """
import sys
from pathlib import Path
from kinema.core.clips import ClipSpec
from kinema.data.video.manifest import Manifest
from kinema.core.seeds import generator_at
from kinema.data.clips.store import ClipStore
told = []
print("ready", flush=True)
sys.stdin.readline()
store = ClipStore(Manifest.read(Path(sys.argv[1])), ClipSpec(4, 2, 32, 40), motion=True, cache=Path(sys.argv[2]),
                  workers=1, progress=lambda done, _: told.append(done))
print(len(told), int(store.read(0, (0,)).frames.sum()))
"""


def test_two_processes_make_it_once(manifest, spec, tmp_path):
    manifest.write(tmp_path / "m.json")
    command, told = [sys.executable, "-c", BUILD, str(tmp_path / "m.json"), str(tmp_path / "cache")], []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "ready\n"
        print(file=other.stdin, flush=True)
        settings = {"motion": True, "cache": tmp_path / "cache", "workers": 1}
        ours = ClipStore(manifest, spec, progress=lambda done, _: told.append(done), **settings)
        said = other.communicate(timeout=100)[0].split()
    assert sorted((len(told), int(said[0]))) == [0, len(manifest)]
    assert int(said[1]) == int(ours.read(0, (0,)).frames.sum())
    (folder,) = [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert not folder.name.startswith(".")


def test_a_full_disk_leaves_nothing_half_made(manifest, spec, tmp_path, monkeypatch):
    monkeypatch.setattr(store_files, "run_jobs", lambda *_: iter([(0, {"row": 0, "errno": errno.ENOSPC})]))
    with pytest.raises(StorageError, match="disk is full"):
        ClipStore(manifest, spec, motion=False, cache=tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_short_videos(manifest):
    spec = ClipSpec(frames=11, stride=2, size=32, short_side=40)  # spans 23; the files have 20, 21, 22 and 26 frames
    with pytest.raises(DataError, match=r"3 of 6 videos are shorter .* 23 frames .*'wave/w0\.mp4' \(20 frames\)"):
        ClipStore(manifest, spec, motion=True, cache=None, short_videos="error")
    assert len(ClipStore(manifest, spec, motion=True, cache=None, short_videos="skip").frames) == 3
    repeat = ClipStore(manifest, spec, motion=True, cache=None, short_videos="repeat")
    row = next(n for n, v in enumerate(manifest.videos) if v.path == "wave/w0.mp4")
    windows = repeat.read(row, (0,))
    np.testing.assert_array_equal(windows.frames[0, 11], windows.frames[0, 10])  # frame 19 held for frames 20 and 22
    assert (windows.motion[0, 10] == 0).all()
    assert windows.motion_valid[0, 10].all()
    assert (windows.frames[0, 9] != windows.frames[0, 8]).any()
    with pytest.raises(DataError, match="6 of 6"):
        ClipStore(manifest, replace(spec, frames=50), motion=True, cache=None, short_videos="skip")


def test_bad_requests(stored, manifest, spec):
    with pytest.raises(ConfigError, match="Row 77"):
        stored.read(77, (0,))
    for starts in ((-1,), (9999,), ()):
        with pytest.raises(ConfigError, match="do not fit"):
            stored.read(0, starts)
    with pytest.raises(ConfigError, match="'sometimes'"):
        ClipStore(manifest, spec, motion=True, cache=None, short_videos="sometimes")


def test_what_cannot_be_decoded(make_video, spec, tmp_path):
    make_video(tmp_path / "v" / "a.mp4")
    make_video(tmp_path / "v" / "b.mp4")
    before = scan(tmp_path / "v")
    (tmp_path / "v" / "b.mp4").write_bytes(b"gone bad")
    store = ClipStore(before, spec, motion=False, cache=tmp_path / "cache")
    assert set(store.failures) == {1}
    for broken in (store, ClipStore(before, spec, motion=False, cache=None)):
        assert broken.read(0, (0,)).frames.shape[0] == 1
        with pytest.raises(VideoError, match=r"b\.mp4"):
            broken.read(1, (0,))
    longer = Manifest(before.root, (replace(before.videos[0], frames=99),))
    with pytest.raises(VideoError, match="99 frames by the manifest, but decodes only to frame 24"):
        ClipStore(longer, spec, motion=False, cache=None).read(0, (20,))
    with pytest.raises(DataError, match="None of the 1 videos could be decoded"):
        ClipStore(Manifest(before.root, before.videos[1:]), spec, motion=False, cache=tmp_path / "cache")
    with pytest.raises(DataError, match="None of the 1 videos can be decoded"):
        ClipStore(Manifest(Path("/"), (Video("x", health="unreadable"),)), spec, motion=False, cache=None)


def test_motion_of_a_codec_that_tells_none(spec):
    videos = tuple(Video(f"{n}.mkv", codec="av1", frames=99, width=64, height=64) for n in range(3))
    with pytest.raises(DataError, match=r"3 of 3 videos tell no motion.*av1") as error:
        ClipStore(Manifest(Path("/"), videos), spec, motion=True, cache=None)
    assert "libx264" in error.value.hint


def test_some_rows_are_selected(stored, manifest):
    before = dict(stored.frames)
    part = stored.select([3, 1])
    assert part.frames == {row: before[row] for row in (1, 3)}
    assert 0 < part.bytes < stored.bytes
    assert stored.frames == before
    np.testing.assert_array_equal(part.read(3, (2,)).motion, stored.read(3, (2,)).motion)
    with pytest.raises(ConfigError, match="Row 0 of the manifest cannot be read; 2 rows can"):
        part.read(0, (0,))
    with pytest.raises(ConfigError, match="Row 0 of the manifest cannot be read; 2 rows can"):
        part.select([0])
    with pytest.raises(ConfigError, match="No row is selected"):
        part.select([])


def test_what_cannot_be_decoded_outside_a_selection_does_not_count(make_video, spec, tmp_path):
    make_video(tmp_path / "v" / "a.mp4")
    make_video(tmp_path / "v" / "b.mp4")
    manifest = scan(tmp_path / "v")
    (tmp_path / "v" / "b.mp4").write_bytes(b"gone bad")
    store = ClipStore(manifest, spec, motion=False, cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"b\.mp4"):
        ClipDataset(store, failures_allowed=0.0)
    assert len(ClipDataset(subset_of(store, 1, seed=FIRST), failures_allowed=0.0)) == 1


FIRST = next(seed for seed in range(99) if torch.randperm(2, generator=generator_at(seed, "evolve", "subset"))[0] == 0)
"""A seed by which the first of two videos is drawn."""


def test_a_subset_is_drawn_by_its_seed(stored):
    drawn = [sorted(subset_of(stored, 3, seed).frames) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len({tuple(rows) for rows in drawn}) > 1
    assert all(len(rows) == 3 for rows in drawn)
    assert subset_of(stored, 6, 0) is stored
