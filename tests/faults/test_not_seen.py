"""What was not seen is not taken for what is not there: folders that cannot be listed, failures that pass, links."""

import dataclasses
import errno
import json
import os
import re
import shutil
import socket
import stat
from pathlib import Path

import pytest
from searching_tables import model_of

import kinema
from kinema.core.errors import DataError
from kinema.data.layouts.opening import scan_data
from kinema.data.video import files, probe, scanning
from kinema.data.video.files import claims_video, is_passing
from kinema.data.video.manifest import Manifest, Overlooked, Video
from kinema.data.walking import walk
from kinema.searching import database, engines
from kinema.searching.changes import REMOVED, check_removal, find_changes

ENDINGS = re.findall(
    r"\S+",
    ".m2t .MOD .insv .rm .rmvb .mxf .vob .dv .f4v .ogv .3g2 .divx .asf .wtv .tod .qt .LRV .ogm .mpe .m2p .nut .mp4v "
    ".mjpg .mjpeg .trp .dav .apng .mp4 .mkv .ts",
)


@pytest.fixture
def close(monkeypatch):
    """Makes folders that cannot be listed; an errno None opens them again."""
    scandir, closed = os.scandir, {}

    def listing(place="."):
        code = None if isinstance(place, int) else closed.get(os.path.realpath(place))
        if code is not None:
            raise OSError(code, os.strerror(code), place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", listing)

    def shut(folder, code=errno.EACCES):
        closed[os.path.realpath(folder)] = code

    return shut


@pytest.fixture
def footage(tmp_path, make_tiny_video):
    """Two folders of two videos."""
    root = tmp_path / "footage"
    for number, name in enumerate(("A/a0", "A/a1", "B/b0", "B/b1")):
        make_tiny_video(root / f"{name}.mp4", (2, 0), seed=number)
    return root


def paths(manifest):
    return [video.path for video in manifest.videos]


# Folders that cannot be listed


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_folder_that_cannot_be_listed_is_reported_and_the_others_are_read(call, close, footage, tmp_path, code):
    close(footage / "B", code)
    status, out, err = call("scan", footage, "--json", "--workers", 1, "-o", tmp_path / "m.parquet")
    found = json.loads(out)
    assert status == 1
    assert "Traceback" not in err
    assert (found["videos"], found["ok"]) == (2, 2)
    assert found["unlisted"] == [{"path": "B", "reason": os.strerror(code)}]
    kept = Manifest.read(tmp_path / "m.parquet")
    assert paths(kept) == ["A/a0.mp4", "A/a1.mp4"]
    assert kept.overlooked.unlisted == {"B": os.strerror(code)}
    status, out, _ = call("scan", footage, "--workers", 1, "-o", tmp_path / "m.json")
    assert status == 1
    assert "1 folder could not be listed" in " ".join(out.split())
    assert Manifest.read(tmp_path / "m.json").overlooked == kept.overlooked
    close(footage / "B", None)
    status, out, _ = call("scan", footage, "--json", "--workers", 1, "-o", tmp_path / "m.json")
    assert (status, json.loads(out)["videos"], json.loads(out)["unlisted"]) == (0, 4, [])


def test_the_folder_itself_that_cannot_be_listed_is_an_error(call, close, footage):
    close(footage)
    status, _, err = call("scan", footage, "--workers", 1)
    assert status == 1
    assert "could not be listed: Permission denied" in " ".join(err.split())


def test_a_listing_that_breaks_off_keeps_what_came_and_is_reported(footage, monkeypatch):
    scandir = os.scandir

    class Breaking:
        def __init__(self, place):
            self.entries = scandir(place)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.entries.close()

        def __iter__(self):
            yield next(self.entries)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "scandir", lambda place: Breaking(place) if str(place).endswith("B") else scandir(place))
    found = walk(footage)
    assert len(found.files) == 3
    assert found.unlisted == {"B": os.strerror(errno.EIO)}


def test_a_link_to_a_share_that_is_offline_is_reported(footage, tmp_path):
    (footage / "share").symlink_to(tmp_path / "not mounted", target_is_directory=True)
    manifest = scanning.scan(footage, workers=1)
    assert len(manifest) == 4
    assert list(manifest.overlooked.unlisted) == ["share"]
    assert manifest.overlooked.hides("share/c.mp4")


def test_a_known_data_set_says_it_too(close, footage, tmp_path, caplog):
    root = tmp_path / "kinetics"
    for place in ("train/A/aaaaaaaaaaa", "train/B/bbbbbbbbbbb", "val/A/ccccccccccc"):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(footage / "A/a0.mp4", root / f"{place}_000001_000011.mp4")
    (root / "val/notes.xyz").touch()
    close(root / "train/B")
    manifest = scan_data(f"kinetics400:{root}", workers=1)
    assert manifest.overlooked.unlisted == {"train/B": "Permission denied"}
    assert manifest.overlooked.endings == {".xyz": 1}
    assert "could not be listed: 'train/B'" in caplog.text


@pytest.mark.parametrize(
    ("unlisted", "path", "hidden"),
    [
        ({}, "B/b.mp4", False),
        ({"B": "no"}, "B/b.mp4", True),
        ({"B": "no"}, "B/deep/b.mp4", True),
        ({"B": "no"}, "Bb/b.mp4", False),
        ({"B": "no"}, "b.mp4", False),
        ({"B/deep": "no"}, "B/b.mp4", False),
        ({".": "no"}, "b.mp4", True),
        ({"b.mp4": "no"}, "b.mp4", True),
    ],
)
def test_which_paths_may_be_there_unseen(unlisted, path, hidden):
    assert Overlooked(unlisted=unlisted).hides(path) is hidden


# Rows of a table


@pytest.fixture
def lancedb():
    return pytest.importorskip("lancedb", reason="the extra kinema[search] is not installed")


@pytest.fixture
def embed(tmp_path, lancedb):
    def run(videos, **settings):
        return kinema.embed(model_of(), videos, out=tmp_path / "index", device="cpu", workers=1, **settings)

    return run


@pytest.fixture
def held(tmp_path):
    """The videos of the table, and the name of the cluster of each."""

    def read():
        table = database.require_table(str(tmp_path / "index"))
        rows = table.search().where("kind = 'video'").select(["video", "cluster_name"]).to_arrow().to_pydict()
        return dict(sorted(zip(rows["video"], rows["cluster_name"], strict=True)))

    return read


@pytest.fixture
def named(embed, footage, tmp_path):
    """A table of the footage in one cluster, which a person called 'mine'."""
    embed(footage)
    kinema.cluster(tmp_path, k=1, table=tmp_path / "index")
    kinema.cluster(tmp_path, names={0: "mine"}, table=tmp_path / "index")


def test_rows_of_a_folder_that_cannot_be_listed_stay_with_their_names(embed, held, named, close, footage):
    close(footage / "B")
    done = embed(footage)
    assert (done.deleted, done.kept, done.unchanged, done.unlisted) == (0, 2, 2, {"B": "Permission denied"})
    assert held() == dict.fromkeys(["A/a0.mp4", "A/a1.mp4", "B/b0.mp4", "B/b1.mp4"], "mine")
    assert done.plain()["unlisted"] == [{"path": "B", "reason": "Permission denied"}]


def test_a_manifest_remembers_what_it_could_not_list(embed, held, named, close, footage, tmp_path):
    close(footage / "B")
    kinema.scan(footage, out=tmp_path / "m.parquet", workers=1)
    close(footage / "B", None)
    assert embed(tmp_path / "m.parquet").kept == 2
    assert len(held()) == 4


def test_much_is_removed_only_when_it_is_asked_for_and_names_come_back(embed, held, named, footage, tmp_path):
    (footage / "B").rename(tmp_path / "away")
    with pytest.raises(DataError, match=r"2 of the 4 videos .* would be removed.*'B/b0\.mp4'") as refused:
        embed(footage)
    assert "--remove" in refused.value.hint
    assert len(held()) == 4
    assert embed(footage, remove=True).deleted == 2
    assert list(held()) == ["A/a0.mp4", "A/a1.mp4"]
    embed(footage)
    (tmp_path / "away").rename(footage / "B")
    assert embed(footage).added == 2
    assert held() == dict.fromkeys(["A/a0.mp4", "A/a1.mp4", "B/b0.mp4", "B/b1.mp4"], "mine")
    assert "names" not in database.connect(str(tmp_path / "index")).list_tables().tables


def test_a_name_whose_rows_are_all_away_outlives_a_new_clustering(embed, held, footage, tmp_path):
    index = {"table": tmp_path / "index"}
    embed(footage)
    kinema.cluster(tmp_path, k=4, **index)
    number = next(each.number for each in kinema.cluster(tmp_path, k=4, **index).clusters
                  if each.representatives[0].video == "B/b0.mp4")  # fmt: skip
    kinema.cluster(tmp_path, names={number: "the one"}, **index)
    (footage / "B/b0.mp4").rename(tmp_path / "b0.mp4")
    embed(footage, remove=True)
    kinema.cluster(tmp_path, k=2, **index)
    (tmp_path / "b0.mp4").rename(footage / "B/b0.mp4")
    embed(footage)
    assert held()["B/b0.mp4"] == "the one"
    table = database.require_table(str(tmp_path / "index"))
    rows = table.search().where("cluster_name = 'the one' AND kind = 'video'").to_arrow().to_pydict()
    assert rows["cluster"] == [2], "a cluster of its own, beside the two new ones"


def test_a_name_that_is_changed_while_rows_are_away_is_changed_for_them_too(embed, held, named, footage, tmp_path):
    (footage / "B/b0.mp4").rename(tmp_path / "b0.mp4")
    embed(footage, remove=True)
    kinema.cluster(tmp_path, names={0: "ours"}, table=tmp_path / "index")
    (tmp_path / "b0.mp4").rename(footage / "B/b0.mp4")
    embed(footage)
    assert set(held().values()) == {"ours"}


def test_a_table_that_is_replaced_loses_nothing_unasked(embed, held, named, close, footage):
    close(footage / "B")
    with pytest.raises(DataError, match="2 of the 4 videos"):
        embed(footage, replace=True)
    assert len(held()) == 4
    close(footage / "B", None)
    embed(footage, replace=True)
    assert set(held().values()) == {"mine"}


@pytest.mark.parametrize(("gone", "total", "refused"), [(0, 0, False), (1, 10, False), (2, 19, True), (1, 9, True)])
def test_a_tenth_may_go(gone, total, refused):
    assert REMOVED == 0.1
    names = [f"{number}.mp4" for number in range(gone)]
    if not refused:
        check_removal(names, total, "index", "videos")
        return
    with pytest.raises(DataError, match=f"{gone} of the {total} videos"):
        check_removal(names, total, "index", "videos")


def test_the_command_tells_of_folders_and_takes_the_flag(call, close, footage, tmp_path, lancedb):
    kinema.export(model_of(), tmp_path / "run", licence="CC0")
    embedding = ["embed", tmp_path / "run", footage, "--device", "cpu", "--workers", 1]
    assert call(*embedding)[0] == 0
    close(footage / "B")
    status, out, err = call(*embedding)
    assert status == 1
    assert "2 videos kept though not to be seen" in out
    assert "1 folder or name could not be looked into" in err
    close(footage / "B", None)
    shutil.rmtree(footage / "B")
    status, _, err = call(*embedding)
    assert (status, "--remove" in err, "Traceback" in err) == (1, True, False)
    assert call(*embedding, "--remove")[0] == 0


def test_a_file_that_cannot_be_read_now_keeps_its_rows(embed, held, named, footage, monkeypatch):
    manifest = scanning.scan(footage, workers=1)
    status_of = files.status

    def failing(path):
        if path.name == "b0.mp4":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return status_of(path)

    monkeypatch.setattr("kinema.searching.changes.status", failing)
    done = embed(manifest)
    assert list(done.failed) == ["B/b0.mp4"]
    assert (done.deleted, done.kept) == (0, 1)
    assert held()["B/b0.mp4"] == "mine"


def test_a_changed_file_that_fails_while_it_is_encoded_keeps_its_old_rows(
    embed, held, named, footage, make_tiny_video, monkeypatch
):
    make_tiny_video(footage / "B/b0.mp4", (2, 0), seed=40, frames=30)
    monkeypatch.setattr(engines.Encoding, "embed", lambda *given: (list(given[-1]), "Input/output error")[1])
    failing = OSError(errno.EIO, os.strerror(errno.EIO))
    with monkeypatch.context() as patch:
        patch.setattr("kinema.searching.embed.reading_error", lambda path: failing)
        assert list(embed(footage).failed) == ["B/b0.mp4"]
    assert held()["B/b0.mp4"] == "mine"


@pytest.mark.parametrize("health", ["unreadable", "partial"])
def test_what_failed_for_a_while_is_neither_embedded_nor_removed(footage, health):
    manifest = scanning.scan(footage, workers=1)
    known = {video.path: (video.size, video.mtime_ns, "facts") for video in manifest.videos}
    first = dataclasses.replace(manifest.videos[0], health=health, reason="Input/output error", transient=True)
    found = find_changes(dataclasses.replace(manifest, videos=(first, *manifest.videos[1:])), known)
    assert (found.kept, found.gone, list(found.failed)) == ([first.path], [], [first.path])


# Failures that pass


def in_process(monkeypatch):
    """Probes in this process, where failures can be made."""

    def run_jobs(module, arguments, jobs, crashed):
        yield from ((number, probe.probe(Path(job["file"]))) for number, job in enumerate(jobs))

    monkeypatch.setattr(scanning, "run_jobs", run_jobs)


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EACCES, errno.ENOENT])
def test_a_failure_of_the_system_is_tried_again_though_size_and_time_are_equal(footage, monkeypatch, code, tmp_path):
    in_process(monkeypatch)
    file = footage / "A/a0.mp4"
    error = OSError(code, os.strerror(code), str(file))
    with monkeypatch.context() as patch:
        patch.setattr(probe, "packet_table", lambda path: (_ for _ in ()).throw(kinema_error(path, error)))
        patch.setattr(probe, "reading_error", lambda path: error)
        first = scanning.scan(footage)
    assert all((v.health, v.transient, os.strerror(code) in v.reason) == ("unreadable", True, True)
               for v in first.videos)  # fmt: skip
    for name in ("m.json", "m.parquet"):
        first.write(tmp_path / name)
        again = scanning.scan(footage, previous=Manifest.read(tmp_path / name))
        assert {(v.health, v.transient) for v in again.videos} == {("ok", False)}


def kinema_error(path, error):
    from kinema.core.errors import VideoError

    return VideoError(f"'{path}' could not be opened: {error.strerror}.")


def test_a_failure_that_has_passed_already_is_looked_at_once_more(footage, monkeypatch):
    file, calls, table_of = footage / "A/a0.mp4", [], probe.packet_table

    def once(path):
        calls.append(path)
        if len(calls) == 1:
            raise kinema_error(path, OSError(errno.EIO, os.strerror(errno.EIO)))
        return table_of(path)

    monkeypatch.setattr(probe, "packet_table", once)
    assert probe.probe(file)["health"] == "ok"
    assert len(calls) == 2


def test_a_file_that_the_system_cannot_read_is_not_damaged():
    place = Path("/proc/self/mem")
    if not place.exists():
        pytest.skip("this system has no file that always fails to be read")
    found = probe.probe(place)
    assert (found["health"], found["transient"]) == ("unreadable", True)
    assert "could not be read" in found["reason"]


def test_damage_is_remembered(footage, monkeypatch):
    (footage / "A/a0.mp4").write_bytes(b"no video")
    first = scanning.scan(footage, workers=1)
    assert (first.videos[0].health, first.videos[0].transient) == ("unreadable", False)
    monkeypatch.setattr(
        scanning, "run_jobs", lambda module, arguments, jobs, crashed: iter(jobs and pytest.fail("read"))
    )
    monkeypatch.setattr(scanning, "run_jobs", lambda *given: pytest.fail("read again") if given[2] else iter(()))
    assert scanning.scan(footage, previous=first) == first


@pytest.mark.parametrize(("code", "passing"), [(errno.ENOENT, False), (errno.EIO, True), (errno.EACCES, True)])
def test_what_may_pass(tmp_path, code, passing):
    error = OSError(code, os.strerror(code))
    assert is_passing(error, tmp_path / "a.mp4") is passing
    assert is_passing(error, tmp_path / "gone" / "a.mp4"), "its folder is not there either"


@pytest.mark.parametrize(
    ("reason", "transient"),
    [
        ("the process that read it ended early: SIGKILL", True),
        ("reading it took longer than 600 s", True),
        ("the process that read it ended early: SIGSEGV", False),
    ],
)
def test_want_of_memory_and_time_may_pass_and_a_crash_does_not(reason, transient):
    assert scanning._crashed({}, reason)["transient"] is transient


def test_manifests_of_earlier_versions_are_read(footage, tmp_path):
    import pyarrow.parquet

    manifest = scanning.scan(footage, workers=1)
    manifest.write(tmp_path / "m.json")
    content = json.loads((tmp_path / "m.json").read_text())
    del content["overlooked"]
    for row in content["videos"]:
        del row["transient"]
    (tmp_path / "m.json").write_text(json.dumps(content))
    manifest.write(tmp_path / "m.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "m.parquet").drop_columns(["transient"])
    metadata = {key: value for key, value in table.schema.metadata.items() if key != b"overlooked"}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "m.parquet")
    for name in ("m.json", "m.parquet"):
        assert Manifest.read(tmp_path / name) == dataclasses.replace(manifest, overlooked=Overlooked())


# Links, pipes and endings


def test_a_link_to_a_folder_above_ends_and_is_counted(call, footage):
    (footage / "A/up").symlink_to("..", target_is_directory=True)
    (footage / "again.mp4").symlink_to("A/a0.mp4")
    status, out, _ = call("scan", footage, "--json", "--workers", 1)
    found = json.loads(out)
    assert (status, found["videos"], found["links_passed_over"]) == (0, 4, 2)
    assert "2 links whose targets are there already" in " ".join(call("scan", footage, "--workers", 1)[1].split())


def test_folders_that_link_to_one_another_end(tmp_path):
    for number in range(12):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "v.mp4").touch()
        for other in range(12):
            (folder / f"to{other}").symlink_to(tmp_path / str(other), target_is_directory=True)
    found = walk(tmp_path)
    assert found.files == tuple(sorted(f"{number}/v.mp4" for number in range(12)))
    assert found.links == 144


def test_real_places_come_before_links_and_what_lies_outside_is_followed_once(tmp_path):
    for name in ("root/z/v.mp4", "outside/deep/w.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "root/a").symlink_to("z", target_is_directory=True)
    (tmp_path / "root/b").symlink_to(tmp_path / "outside/deep", target_is_directory=True)
    (tmp_path / "root/c").symlink_to(tmp_path / "outside", target_is_directory=True)
    (tmp_path / "root/d").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "root/e.mp4").symlink_to("z/v.mp4")
    os.link(tmp_path / "root/z/v.mp4", tmp_path / "root/f.mp4")
    found = walk(tmp_path / "root")
    assert found.files == ("b/w.mp4", "f.mp4", "z/v.mp4"), "a hard link is a file of its own"
    assert found.links == 5


def test_pipes_and_sockets_are_counted_and_never_opened(call, footage):
    os.mkfifo(footage / "A/pipe.mp4")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.path.relpath(footage / "s.mp4"))
        (footage / "B/zero.mp4").symlink_to("/dev/zero")
        status, out, _ = call("scan", footage, "--json", "--workers", 1)
    found = json.loads(out)
    assert (status, found["videos"], found["ok"]) == (0, 4, 4)
    assert found["special_files"] == {"device": 1, "pipe": 1, "socket": 1}
    assert stat.S_ISFIFO((footage / "A/pipe.mp4").stat().st_mode)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ffmpeg_opens_is_a_video_by_its_ending(ending):
    assert claims_video(f"clip{ending}")


def test_files_that_are_passed_over_are_counted_by_ending(call, footage):
    for name in ("a.txt", "A/b.TXT", "A/c.xyz", "noending", ".hidden.txt"):
        (footage / name).touch()
    (footage / "labels.csv").write_text("path,label\nA/a0.mp4,x\n")
    shutil.copy(footage / "A/a0.mp4", footage / "A/camera.MOD")
    status, out, _ = call("scan", footage, "--json", "--workers", 1)
    found = json.loads(out)
    assert (status, found["videos"], found["ok"]) == (0, 5, 5)
    assert found["passed_over"] == {".txt": 2, "": 1, ".xyz": 1}
    words = " ".join(call("scan", footage, "--workers", 1)[1].replace("│", " ").split())
    assert "4 files passed over: .txt 2, without ending 1, .xyz 1" in words


def test_where_there_are_no_videos_it_is_said_what_there_is(tmp_path):
    for name in ("a.txt", "b.xyz"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"no videos .*2 files passed over: \.txt 1, \.xyz 1"):
        scanning.scan(tmp_path)


def test_a_video_that_is_no_file_has_a_reason_and_may_come_back(footage, tmp_path):
    (footage / "B/link.mp4").symlink_to(tmp_path / "offline/c.mp4")
    manifest = scanning.scan(footage, workers=1)
    assert manifest.videos[-1] == Video(
        "B/link.mp4", health="unreadable", reason=os.strerror(errno.ENOENT), label="B", transient=True
    )
