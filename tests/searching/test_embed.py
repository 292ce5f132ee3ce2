"""The table says what the videos say: whole, incremental, after a kill, under a lock, and never another encoder's."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from searching_tables import from_centre, model_of, rows_by_id, vectors_of, write_wide

import kinema
from kinema.api import searching as api_search
from kinema.core.errors import DataError, StorageError, UsageError
from kinema.data.video.decoding import decode
from kinema.data.video.manifest import Manifest, Video
from kinema.data.video.scanning import scan
from kinema.searching import centre as centring
from kinema.searching import database, engines
from kinema.searching.lock import writing
from kinema.searching.schema import centre_of
from kinema.searching.windows import WindowSpec

KILLED = Path(__file__).with_name("killed_embed.py")


@pytest.fixture
def embed(model, tmp_path, lancedb):
    def run(videos, **settings):
        settings = {"out": tmp_path / "index", "device": "cpu", **settings}
        return kinema.embed(settings.pop("model", model), videos, **settings)

    return run


@pytest.fixture
def table(tmp_path):
    return lambda: database.require_table(str(tmp_path / "index"))


def test_rows_are_what_encode_gives_and_what_the_manifest_says(embed, table, videos, model):
    (videos / "labels.csv").write_text("path,label,person,Start\nleft/l1.mp4,wave,jack,3\n")
    done = embed(videos)
    assert (done.videos, done.added, done.failed) == (6, 6, {})
    whole, rows = vectors_of(table(), "kind = 'video'")
    given = model.encode([videos / row["video"] for row in rows], normalize=False)
    np.testing.assert_allclose(whole, from_centre(given, centre_of(table())), atol=1e-5)
    windows, rows = vectors_of(table())
    assert len(rows) == done.windows == table().count_rows() - 6
    np.testing.assert_allclose(np.linalg.norm(windows, axis=1), 1, atol=1e-6)
    of_one = [row for row in rows if row["video"] == "left/l1.mp4"]
    assert sorted(row["frame"] for row in of_one) == list(range(21))
    assert all(row["start"] == pytest.approx(row["frame"] / 25) for row in of_one)
    assert all(row["end"] == pytest.approx((row["frame"] + 5) / 25) for row in of_one)
    assert {(row["label"], row["person"], row["attribute_Start"]) for row in of_one} == {("wave", "jack", "3")}
    assert {row["label"] for row in rows if row["video"].startswith("down")} == {None}
    assert all(row["thumbnail"][:2] == b"\xff\xd8" and len(row["thumbnail"]) < 4000 for row in rows)
    assert len({row["model"] for row in rows}) == len({row["settings"] for row in rows}) == 1


def test_longer_windows_are_means_of_their_clips(embed, table, videos, model):
    embed(videos, length="0.6s", stride="5f")
    windows, rows = vectors_of(table(), "video = 'left/l2.mp4' AND kind = 'window'")
    rows = sorted(zip((row["frame"] for row in rows), windows, rows, strict=True), key=lambda each: each[0])
    assert [frame for frame, _, _ in rows] == [0, 5, 10, 15]
    frames = decode(videos / "left/l2.mp4", short_side=16, motion=False).frames
    for frame, vector, row in rows:
        given = model.encode(frames[frame : frame + 15], normalize=False)
        np.testing.assert_allclose(vector, from_centre(given, centre_of(table())), atol=1e-5)
        assert row["end"] - row["start"] == pytest.approx(0.6)


def test_the_centre_is_the_mean_of_clips_and_stays(embed, table, videos, model, make_tiny_video, monkeypatch):
    """Where every clip of these six videos has a part in it; what comes later has none, until it is taken anew."""
    clips = [
        model.encode(decode(file, short_side=16, motion=False).frames[start : start + 5], normalize=False)
        for file in sorted(videos.rglob("*.mp4"))
        for start in range(len(decode(file, short_side=16, motion=False).frames) - 4)
    ]
    monkeypatch.setattr(centring, "MIN_CLIPS", len(clips))
    embed(videos)
    first = centre_of(table())
    np.testing.assert_allclose(first.numpy(), np.mean(clips, axis=0, dtype=np.float64), atol=1e-5)
    vectors, _ = vectors_of(table())
    assert abs(vectors.mean()) < 0.02
    make_tiny_video(videos / "new.mp4", (3, 0), seed=77)
    embed(videos)
    assert centre_of(table()).equal(first)
    embed(videos, replace=True)
    assert not centre_of(table()).equal(first)


def test_the_centre_is_the_same_for_any_number_of_workers_and_its_clips_go_together(videos, model, monkeypatch):
    """Videos of another size between the others, and a broken one: only clips of one size share a batch."""
    write_wide(videos / "down/d1b.mp4")
    (videos / "left/l0.mp4").write_bytes(b"no video any more")
    manifest = scan(videos)
    longer = [dataclasses.replace(v, frames=v.frames + 50) if "d2" in v.path else v for v in manifest.videos]
    manifest = Manifest(manifest.root, tuple(longer))
    told = {"device": "cpu", "progress": lambda done, total: None}
    batches, encode_clips = [], model.encode_clips
    with monkeypatch.context() as patch:
        patch.setattr(
            model,
            "encode_clips",
            lambda raw, **where: (batches.append(raw.frames.shape), encode_clips(raw, **where))[1],
        )
        found = [
            centring.find_centre(model, manifest, WindowSpec(), workers=workers, batch_size=16, **told)
            for workers in (1, 2, 5)
        ]
    assert found[0].equal(found[1])
    assert found[0].equal(found[2])
    sizes = [shape[1] for shape in batches[: len(batches) // 3]]
    widths = [shape[-2] for shape in batches[: len(batches) // 3]]
    assert set(sizes) > {16}
    assert max(sizes) == 16
    assert sorted(set(widths)) == [16, 32]
    assert widths.count(32) == 2, "the first clips, of which the broken video leaves too few, and then more"
    alone = centring.find_centre(model, manifest, WindowSpec(), workers=2, batch_size=1, **told)
    np.testing.assert_allclose(found[0].numpy(), alone.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("frames", "clips"),
    [
        pytest.param([104] * 10, 50, id="one in twenty"),
        pytest.param([24] * 10, 32, id="no fewer than 32"),
        pytest.param([404] * 30, 200, id="no more than 200"),
        pytest.param([4004, *[4] * 20], 200, id="one in twenty, though most videos have one clip"),
        pytest.param([44, *[4] * 20], 32, id="a long video makes up for the others"),
        pytest.param([24], 20, id="all that there are"),
        pytest.param([], 0, id="none"),
    ],
)
def test_how_many_clips_the_centre_is_the_mean_of(frames, clips, model):
    """The clips of this encoder span five frames; a window begins at every frame that leaves room for one."""
    videos = tuple(Video(path=f"{number}.mp4", frames=count, fps=25.0) for number, count in enumerate(frames))
    places = centring._places(model, Manifest(Path("videos"), videos), WindowSpec(), share=20)
    assert len(places) == len(set(places)) == clips
    assert places == sorted(places)
    assert {row for row, _ in places} == set(range(len(frames)))


def test_a_handful_of_clips_has_no_centre(embed, table, videos, model):
    (one, *others) = sorted(videos.rglob("*.mp4"))
    for file in others:
        file.unlink()
    embed(videos)
    assert 0 < len(vectors_of(table())[1]) < centring.MIN_CLIPS
    assert centre_of(table()) is None
    whole, _ = vectors_of(table(), "kind = 'video'")
    np.testing.assert_allclose(whole[0], model.encode(one), atol=1e-6)


def test_only_what_changed_is_encoded(embed, table, videos, monkeypatch, make_tiny_video):
    first = embed(videos)
    seen, encode = [], engines.encode_windows
    monkeypatch.setattr(
        engines, "encode_windows", lambda *a, **told: (seen.append(told["name"]), encode(*a, **told))[1]
    )
    again = embed(videos)
    assert (again.unchanged, again.added, seen) == (6, 0, [])
    before = rows_by_id(table(), "id", "vector")
    make_tiny_video(videos / "left/l0.mp4", (2, 0), seed=99, frames=31)
    make_tiny_video(videos / "left/new.mp4", (2, 0), seed=98)
    (videos / "down/d1.mp4").unlink()
    done = embed(videos, remove=True)
    assert seen == ["left/l0.mp4", "left/new.mp4"]
    assert (done.added, done.changed, done.deleted, done.unchanged) == (1, 1, 1, 4)
    after = rows_by_id(table(), "id", "vector")
    assert not [name for name in after["id"] if name.startswith("down/d1")]
    assert len(after["id"]) == len(set(after["id"])) == first.windows + 6 + (27 - 16) + 21 - 21
    old, new = (dict(zip(rows["id"], rows["vector"], strict=True)) for rows in (before, after))
    assert new["left/l0.mp4#0"] != old["left/l0.mp4#0"]
    same = [name for name in new if name.startswith(("down/", "left/l1", "left/l2"))]
    assert same
    assert all(new[name] == old[name] for name in same)


def test_new_labels_are_written_without_encoding(embed, table, videos, monkeypatch):
    embed(videos)
    before = rows_by_id(table(), "id", "vector", "thumbnail")
    monkeypatch.setattr(engines, "encode_windows", lambda *a, **told: pytest.fail("nothing is to be encoded"))
    (videos / "labels.csv").write_text("path,label,take\ndown/d1.mp4,fall,2\n")
    done = embed(videos)
    assert (done.updated, done.added, done.changed) == (6, 0, 0)
    assert rows_by_id(table(), "id", "vector", "thumbnail") == before
    assert table().count_rows("label = 'fall' AND take = '2'") == 21
    (videos / "labels.csv").unlink()
    embed(videos)
    assert table().count_rows("take IS NOT NULL") == 0
    assert table().count_rows("label = 'down'") == 63


def test_what_cannot_be_read_is_named_and_leaves_the_table(embed, table, videos):
    (videos / "broken.mp4").write_bytes(b"no video")
    done = embed(videos)
    assert list(done.failed) == ["broken.mp4"]
    assert done.videos == 6
    (videos / "left/l0.mp4").write_bytes(b"no video any more")
    done = embed(videos, remove=True)
    assert sorted(done.failed) == ["broken.mp4", "left/l0.mp4"]
    assert (done.deleted, done.videos) == (1, 5)
    with pytest.raises(DataError, match=r"None of the 1 videos could be embedded: 'broken\.mp4'"):
        embed(_only(videos, "broken.mp4"), out=videos / "other")


def _only(videos, name):
    folder = videos.parent / "only"
    folder.mkdir()
    shutil.copy(videos / name, folder / name)
    return folder


def test_a_video_that_fails_while_it_is_read_is_named_and_the_others_go_on(embed, table, videos):
    manifest = scan(videos)
    longer = [dataclasses.replace(v, frames=v.frames + 50) if "l1" in v.path else v for v in manifest.videos]
    done = embed(Manifest(manifest.root, tuple(longer)))
    assert list(done.failed) == ["left/l1.mp4"]
    assert "decodes only to frame" in done.failed["left/l1.mp4"]
    assert (done.videos, done.added) == (5, 5)


def test_files_that_are_not_as_the_manifest_says_are_named(embed, videos, make_tiny_video):
    manifest = scan(videos)
    (videos / "left/l0.mp4").unlink()
    make_tiny_video(videos / "left/l1.mp4", (2, 0), seed=77, frames=30)
    done = embed(manifest)
    assert sorted(done.failed) == ["left/l0.mp4", "left/l1.mp4"]
    assert "cannot be opened" in done.failed["left/l0.mp4"]
    assert "scan again" in done.failed["left/l1.mp4"]


def test_motion_is_asked_only_of_what_tells_it(embed, videos, tmp_path):
    import av

    with av.open(str(videos / "silent.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for shade in range(12):
            out.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), shade * 20, np.uint8), format="rgb24"))
            )
        out.mux(stream.encode(None))
    done = embed(videos, model=model_of("motion"))
    assert list(done.failed) == ["silent.mkv"]
    assert done.videos == 6


@pytest.mark.parametrize(
    "name", ["a'b.mp4", "x\ny.mp4", "100%.mp4", "a#3.mp4", "café ☕.mp4", "' OR '1'='1.mp4", "a@1-2.mp4"]
)
def test_names_that_are_no_sql_and_no_format(embed, table, tmp_path, name, make_tiny_video):
    folder = tmp_path / "odd"
    make_tiny_video(folder / name, (2, 0), seed=1)
    make_tiny_video(folder / "plain.mp4", (2, 0), seed=2)
    embed(folder)
    found = kinema.search(model_of(), folder / name, over="videos", k=2, table=tmp_path / "index", device="cpu")
    assert found.hits[0].video == name
    assert found.hits[0].score == pytest.approx(1, abs=1e-5)
    (folder / name).unlink()
    done = embed(folder, remove=True)
    assert (done.deleted, done.videos) == (1, 1)
    assert set(rows_by_id(table(), "video")["video"]) == {"plain.mp4"}


def test_a_name_that_is_not_utf8_is_named(embed, videos):
    try:
        shutil.copy(os.fsencode(videos / "left/l0.mp4"), os.fsencode(videos) + b"/\xff.mp4")
    except OSError:
        pytest.skip("this file system knows no such names")
    manifest = scan(videos)
    done = embed(manifest)
    assert done.videos == 6
    assert dict(done.unlisted) == {"\\xff.mp4": "its name is not UTF-8: rename it"}


def test_another_encoder_and_other_settings_are_refused(embed, table, videos):
    embed(videos, length="0.4s")
    before = rows_by_id(table())
    with pytest.raises(DataError, match="was made by another encoder: its encoder's weights are"):
        embed(videos, model=model_of(seed=1))
    with pytest.raises(DataError, match=r"same encoder under other settings: length is 0\.4s there and 0\.6s here"):
        embed(videos, length="0.6s")
    with pytest.raises(DataError, match="view is rgb there and residual here"):
        embed(videos, model=model_of("residual"))
    with pytest.raises(DataError, match="another encoder"):
        kinema.search(model_of(seed=1), videos / "left/l0.mp4", table=table().uri.rpartition("/")[0], device="cpu")
    assert embed(videos).unchanged == 6  # what is not said is as the table has it
    assert rows_by_id(table()) == before
    done = embed(videos, length="0.6s", replace=True)
    assert done.added == 6
    assert table().count_rows("kind = 'window' AND frames = 15") == done.windows


def test_another_folder_is_refused_and_a_moved_one_is_not(embed, table, videos, tmp_path, make_tiny_video):
    embed(videos)
    make_tiny_video(tmp_path / "elsewhere/left/l0.mp4", (2, 0), seed=50, frames=33)
    with pytest.raises(DataError, match="has 0 of its 6"):
        embed(tmp_path / "elsewhere")
    assert table().count_rows("kind = 'video'") == 6
    videos.rename(tmp_path / "moved")
    done = embed(tmp_path / "moved")
    assert (done.unchanged, done.added, done.deleted) == (6, 0, 0)
    found = kinema.search(model_of(), tmp_path / "moved/left/l0.mp4", table=tmp_path / "index", device="cpu")
    assert found.root == (tmp_path / "moved").resolve()


SLOWLY = [pytest.param(moment, marks=pytest.mark.slow) for moment in ("after a commit", "between", "before tidying")]


@pytest.mark.parametrize("moment", ["within a commit", *SLOWLY])
def test_killed_and_gone_on_with_the_table_equals_an_uninterrupted_one(run, videos, moment, lancedb, tmp_path):
    stop = subprocess.run([sys.executable, KILLED, run, videos, moment], capture_output=True, text=True, timeout=120)
    assert stop.returncode == -signal.SIGKILL, stop.stderr
    held = database.require_table(str(run / "index")).count_rows("kind = 'video'")
    assert held == 6 if moment == "before tidying" else 2 <= held <= 3
    assert held * 2 < database.require_table(str(run / "index")).count_rows()
    done = kinema.embed(run, videos, device="cpu")
    assert (done.unchanged, done.added) == (held, 6 - held)
    kinema.embed(run, videos, out=tmp_path / "whole", device="cpu")
    resumed, whole = (database.require_table(str(where)) for where in (run / "index", tmp_path / "whole"))
    assert rows_by_id(resumed) == rows_by_id(whole)
    assert resumed.schema.metadata == whole.schema.metadata


def test_names_outlive_a_replacement_that_was_killed(run, videos, lancedb):
    kinema.embed(run, videos, device="cpu")
    kinema.cluster(run, k=2)
    kinema.cluster(run, names={0: "one", 1: "two"})
    before = rows_by_id(database.require_table(str(run / "index")), "id", "cluster", "cluster_name")
    code = f"import sys; sys.argv[1:] = {[str(run), str(videos), 'between']!r}\n"
    code += KILLED.read_text().replace('replace=moment == "replacing"', "replace=True")
    stop = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert stop.returncode == -signal.SIGKILL, stop.stderr
    kinema.embed(run, videos, device="cpu")
    assert rows_by_id(database.require_table(str(run / "index")), "id", "cluster", "cluster_name") == before


def test_two_at_once_are_kept_apart(embed, table, videos, tmp_path, make_tiny_video):
    embed(videos)
    make_tiny_video(videos / "new.mp4", (2, 0), seed=98)
    with writing(str(tmp_path / "index"), tmp_path / "index"):
        with pytest.raises(StorageError, match=rf"Another process \(number {os.getpid()}\) is writing into"):
            embed(videos)
        with pytest.raises(StorageError, match="Another process"):
            kinema.cluster(tmp_path, table=tmp_path / "index", k=2)
        found = kinema.search(model_of(), videos / "left/l0.mp4", table=tmp_path / "index", device="cpu")
        assert found.hits
    assert table().count_rows("kind = 'video'") == 6
    assert embed(videos).added == 1


@pytest.mark.slow
def test_two_processes_at_once(run, videos, lancedb):
    code = "import sys, kinema\ntry:\n    kinema.embed(*sys.argv[1:], device='cpu')\nexcept kinema.KinemaError as e:\n"
    code += "    print(e.message)\n    sys.exit(3)"
    both = [
        subprocess.Popen([sys.executable, "-c", code, run, videos], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = [process.communicate(timeout=120)[0] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes
    assert set(codes) <= {0, 3}
    assert all("Another process" in said for said, left in zip(told, codes, strict=True) if left == 3)
    names = rows_by_id(database.require_table(str(run / "index")), "id", "kind")
    assert len(set(names["id"])) == len(names["id"])
    assert names["kind"].count("video") == 6


def test_the_uri_is_passed_on_as_it_is(videos, model, tmp_path, lancedb, monkeypatch):
    asked = []
    connect = lancedb.connect
    uri = f"file://{tmp_path}/by%20uri"
    done = kinema.embed(model, videos, out=uri, device="cpu")
    assert done.table == uri
    found = kinema.search(model, videos / "left/l0.mp4", table=uri, device="cpu", over="videos")
    assert found.hits[0].video == "left/l0.mp4"
    monkeypatch.setattr(lancedb, "connect", lambda told: (asked.append(told), connect(tmp_path / "bucket"))[1])
    kinema.embed(model, videos, out="s3://bucket/a%20b?x", device="cpu")
    assert set(asked) == {"s3://bucket/a%20b?x"}


@pytest.mark.parametrize("uri", ["db://mine", "memory://x"])
def test_places_that_keep_nothing_are_refused(videos, model, uri, lancedb):
    with pytest.raises(UsageError, match="is not a place that kinema keeps a table in"):
        kinema.embed(model, videos, out=uri)


def test_a_table_of_somebody_elses_is_refused(embed, videos, tmp_path, lancedb):
    lancedb.connect(str(tmp_path / "index")).create_table("windows", data=[{"a": 1}])
    with pytest.raises(StorageError, match="is not one that this kinema made"):
        embed(videos)
    with pytest.raises(StorageError, match="is not one that this kinema made"):
        kinema.search(model_of(), videos / "left/l0.mp4", table=tmp_path / "index")


def test_a_damaged_table_is_an_error_of_ours(embed, videos, tmp_path):
    embed(videos)
    for file in (tmp_path / "index/windows.lance/data").glob("*"):
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StorageError, match="is not what was written"):
        kinema.search(model_of(), videos / "left/l0.mp4", table=tmp_path / "index", device="cpu")
    (tmp_path / "index/checks.json").unlink()  # as an earlier version left it
    with pytest.raises(StorageError, match="could not be read or written"):
        kinema.search(model_of(), videos / "left/l0.mp4", table=tmp_path / "index", device="cpu")


def test_a_full_or_forbidden_place_is_an_error_of_ours(model, videos, tmp_path, lancedb):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="could not be written"):
        kinema.embed(model, videos, out=tmp_path / "file/index", device="cpu")


@pytest.mark.parametrize(("settings", "said"), [({"workers": 0}, "workers is 0"), ({"batch_size": 0}, "batch_size 0")])
def test_settings_that_cannot_be(embed, videos, settings, said):
    with pytest.raises(UsageError, match=said):
        embed(videos, **settings)


def test_a_model_without_a_run_needs_a_place(model, videos):
    with pytest.raises(UsageError, match="has no place of its own"):
        api_search.embed(model, videos)


def test_an_encoder_that_diverged_is_named(videos, tmp_path, lancedb):
    import torch

    model = model_of(seed=3)
    with torch.no_grad():
        next(model.tower.encoder.parameters()).fill_(float("nan"))
    with pytest.raises(DataError, match="zero or not finite"):
        kinema.embed(model, videos, out=tmp_path / "index", device="cpu")
