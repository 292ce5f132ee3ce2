"""Damaged files, hundreds of them: no crash, no hang, no silence."""

import multiprocessing
import shutil
import time
from concurrent.futures import ProcessPoolExecutor

import pytest
from fuzzed_files import FRAMES, KINDS, SPEC, WAYS, Damage, read_everything, write
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kinema.data import ClipStore, scan

BATCH, BATCHES, HANGS = 50, 12, 120.0

DAMAGE = st.builds(
    Damage,
    way=st.sampled_from(WAYS),
    at=st.one_of(st.floats(0, 1), st.floats(0, 0.03), st.floats(0.97, 1)),
    long=st.one_of(st.floats(0, 0.01), st.floats(0, 0.3)),
    seed=st.integers(0, 2**32 - 1),
)
CASE = st.tuples(st.sampled_from(sorted(KINDS)), st.lists(DAMAGE, min_size=1, max_size=3))


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    return {kind: write(folder / kind, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def reader():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def complaints(folder, cases, reader):
    """Everything about the files of ``folder`` that a user would have reason to complain of."""
    began, found = time.monotonic(), []
    manifest = scan(folder)
    if time.monotonic() - began > HANGS:
        found.append(f"the scan took {time.monotonic() - began:.0f} s")
    assert sorted(video.path for video in manifest.videos) == sorted(cases), "a file has no row"
    readable = [row for row, video in enumerate(manifest.videos) if video.health != "unreadable"]
    manifest.write(folder / "manifest.parquet")
    store = ClipStore(manifest, SPEC, motion=False, cache=folder / "cache", short_videos="repeat") if readable else None
    for row, video in enumerate(manifest.videos):
        case = (video.path, cases[video.path], video.health, video.reason)
        if (video.health == "ok") != (video.reason == ""):
            found.append(("no reason, or one too many", case))
        if "ended early" in video.reason or "no progress" in video.reason:
            found.append(("the process that scanned it did not survive", case))
        if video.health == "unreadable":
            continue
        if row in store.failures:
            found.append(("it was called readable and could not be stored", store.failures[row], case))
            continue
        stored = store._stored.entries[row].frames
        if stored != video.frames:
            found.append((f"{video.frames} frames scanned, {stored} decoded", case))
        asked = time.monotonic()
        told = reader.submit(read_everything, folder / "manifest.parquet", row).result(timeout=HANGS)
        if time.monotonic() - asked > HANGS / 4:
            found.append((f"reading took {time.monotonic() - asked:.0f} s", case))
        if "clip" not in told:
            found.append(("no clip could be read", told, case))
    return found


def test_what_is_whole_is_called_whole(originals, reader, tmp_path):
    for kind, path in originals.items():
        shutil.copy(path, tmp_path / kind)
    assert complaints(tmp_path, dict.fromkeys(KINDS, ()), reader) == []
    assert {(video.health, video.frames) for video in scan(tmp_path).videos} == {("ok", FRAMES)}


@pytest.mark.parametrize("kind", ["front.mp4", "h264.mkv", "part2.avi", "pictures.mov"])
def test_a_container_that_says_how_long_it_is_is_missed_when_cut(originals, kind, tmp_path):
    data = originals[kind].read_bytes()
    for tenth in range(1, 10):
        (tmp_path / f"{tenth}-{kind}").write_bytes(data[: len(data) * tenth // 10])
    assert {video.health for video in scan(tmp_path).videos} <= {"partial", "unreadable"}


ONCE = {
    "an index that leads past the frame was followed for ever": [
        ("part2.avi", Damage("noise", 0.1007012080683658, 0.13280800774390233, 2239196826)),
        ("vp9.webm", Damage("noise", 0.9731591919237683, 0.2224281186876079, 1196640594)),
    ],
    "a container that cannot be sought in": [
        ("part2.avi", Damage("zeros", 0.9899688896439526, 0.1742880406706088, 2105401845)),
    ],
    "a video of an unknown codec": [
        ("part2.avi", Damage("bits flipped", 0.0016041849268690145, 0.07415888762946281, 1732327213)),
    ],
    "a sound of an unknown codec": [
        ("back.mp4", Damage("cut out", 0.975676357167635, 0.19150517884687013, 2322370077)),
        ("back.mp4", Damage("noise", 0.9969563216769651, 0.09455670981276194, 2689590402)),
        ("back.mp4", Damage("twice", 0.9819903700344096, 0.004217531651506011, 398062542)),
    ],
    "a jump of the clock made a short file last for hours": [
        ("h264.ts", Damage("bits flipped", 0.002722635309863983, 0.008834330069471564, 2465860811)),
        ("h264.ts", Damage("bits flipped", 0.023397605528939738, 0.007528652947718887, 3714610036)),
    ],
}
"""Damage that once got through: every file of a group for itself, and the last one with all of the group's damage."""


@pytest.mark.parametrize("story", ONCE)
def test_what_once_got_through(story, originals, reader, tmp_path):
    named = {}
    for number, (kind, damage) in enumerate(ONCE[story]):
        data = originals[kind].read_bytes()
        (tmp_path / f"{number}-{kind}").write_bytes(damage.done_to(data))
        named[f"{number}-{kind}"] = damage
    kind = ONCE[story][-1][0]
    data = originals[kind].read_bytes()
    for same, damage in ONCE[story]:
        data = damage.done_to(data) if same == kind else data
    (tmp_path / f"all-{kind}").write_bytes(data)
    named[f"all-{kind}"] = story
    assert complaints(tmp_path, named, reader) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_hundreds_of_damaged_files(originals, reader, tmp_path):
    seen = []

    @settings(
        max_examples=BATCHES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(CASE, min_size=BATCH, max_size=BATCH))
    def batch(cases):
        folder = tmp_path / str(len(seen))
        folder.mkdir()
        named = {f"{number:02d}-{kind}": damage for number, (kind, damage) in enumerate(cases)}
        for name, damage in named.items():
            data = originals[name.split("-", 1)[1]].read_bytes()
            for one in damage:
                data = one.done_to(data) if data else data
            (folder / name).write_bytes(data)
        seen.append(len(named))
        found = complaints(folder, named, reader)
        shutil.rmtree(folder)
        assert found == []

    batch()
    assert sum(seen) >= BATCH * BATCHES
