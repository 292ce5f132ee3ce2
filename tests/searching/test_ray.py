"""A table that the workers of a Ray cluster made is the one that this process makes; and what becomes of failures."""

import contextlib
import dataclasses
import os
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import frail_models
import numpy as np
import pytest
from frail_models import Frail
from searching_tables import rows_by_id, write_wide

import kinema
from kinema.core import cluster
from kinema.core.errors import ClusterError, DataError, MissingExtraError, UsageError, VideoError
from kinema.data.video.manifest import Manifest
from kinema.data.video.scanning import scan
from kinema.searching import by_ray, database, embed
from kinema.searching.encode import VideoEmbeddings
from kinema.searching.engines import Encoding
from kinema.searching.windows import WindowSpec

slow = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def ray():
    """A cluster of two processors for all tests; kinema joins it, since this process is on it."""
    ray = pytest.importorskip("ray", reason="Ray needs the extra kinema[ray]")
    pytest.importorskip("ray.data", reason="Ray Data needs the extra kinema[ray]")
    with pytest.MonkeyPatch.context() as patch:
        here = str(Path(frail_models.__file__).parent)  # workers are given no more than the environment
        patch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
        with cluster.joined(2):
            yield ray


@pytest.fixture
def embedded(model, videos, tmp_path, lancedb):
    def run(out, videos=videos, **settings):
        settings = {"model": model, "device": "cpu", "threads": 1, **settings}
        return kinema.embed(settings.pop("model"), videos, out=tmp_path / out, **settings)

    return run


@pytest.fixture
def table(tmp_path):
    return lambda name: database.require_table(str(tmp_path / name))


class TestOnACluster:
    pytestmark = slow

    def test_the_table_is_the_local_one_bit_for_bit(self, ray, embedded, table, videos, monkeypatch):
        (videos / "broken.mp4").write_bytes(b"no video")
        manifest = scan(videos)
        longer = [dataclasses.replace(v, frames=v.frames + 50) if "l1" in v.path else v for v in manifest.videos]
        manifest = Manifest(manifest.root, tuple(longer))
        here = embedded("here", manifest)
        monkeypatch.setattr(by_ray, "SLICE", 4)
        there = embedded("there", manifest, engine="ray")
        assert set(there.failed) == {"broken.mp4", "left/l1.mp4"}
        assert there.failed == here.failed
        assert (there.added, there.videos, there.windows) == (here.added, here.videos, here.windows)
        assert rows_by_id(table("there")) == rows_by_id(table("here"))
        assert table("there").schema.equals(table("here").schema, check_metadata=True)

    def test_a_video_at_which_workers_die_is_named_and_the_others_go_on(self, ray, embedded, table, videos):
        write_wide(videos / "down/wide.mp4")
        done = embedded("there", engine="ray", model=Frail("dies"))
        assert dict(done.failed) == {"down/wide.mp4": "the worker that read it died, twice"}
        assert (done.videos, done.added) == (6, 6)
        embedded("there", model=Frail("dies"))  # here it does not die, and the table lacks only this video
        embedded("here", model=Frail("dies"))
        assert rows_by_id(table("there")) == rows_by_id(table("here"))

    def test_an_error_of_a_worker_is_raised_and_another_call_goes_on(self, ray, embedded, table, videos, monkeypatch):
        monkeypatch.setattr(embed, "ROWS", 1)
        write_wide(videos / "wide.mp4")  # the last one, so that some are done before
        with pytest.raises(ZeroDivisionError, match="a clip too wide"):
            embedded("there", engine="ray", workers=1, model=Frail("raises"))
        held = table("there").count_rows("kind = 'video'")
        assert 0 < held < 7
        done = embedded("there", engine="ray")
        assert (done.unchanged, done.added) == (held, 7 - held)
        embedded("here")
        assert rows_by_id(table("there")) == rows_by_id(table("here"))

    def test_an_interrupt_leaves_a_table_that_another_call_goes_on_with(
        self, ray, embedded, table, videos, monkeypatch
    ):
        commit, commits = embed._Embedding._commit, []

        def interrupted(self, rows, replaced):
            commits.append(rows)
            if len(commits) == 3:
                raise KeyboardInterrupt
            commit(self, rows, replaced)

        with monkeypatch.context() as patch:
            patch.setattr(embed, "ROWS", 1)
            patch.setattr(embed._Embedding, "_commit", interrupted)
            with pytest.raises(KeyboardInterrupt):
                embedded("there", engine="ray")
        done = embedded("there", engine="ray")
        assert (done.unchanged, done.added) == (2, 4)
        embedded("here")
        assert rows_by_id(table("there")) == rows_by_id(table("here"))

    def test_workers_that_no_machine_has_room_for_are_refused_before_anything_is_written(self, ray, embedded, table):
        embedded("there")
        before = rows_by_id(table("there"))
        for settings in ({"threads": 64}, {"device": "cuda"}):
            with pytest.raises(ClusterError, match="no machine of the Ray cluster has both: 2 CPUs, 0 GPUs"):
                embedded("there", engine="ray", replace=True, **settings)
        assert rows_by_id(table("there")) == before


def test_an_engine_that_there_is_not_and_threads_that_cannot_be(embedded):
    with pytest.raises(UsageError, match="no engine 'spark'") as refused:
        embedded("there", engine="spark")
    assert "local, ray" in refused.value.hint
    with pytest.raises(UsageError, match="threads is 0"):
        embedded("there", threads=0)


@pytest.mark.parametrize("missing", ["ray", "ray.data"])
def test_without_ray_the_extra_is_named(embedded, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match="'ray'") as refused:
        embedded("there", engine="ray")
    assert "kinema[ray]" in refused.value.hint


def a_ray(monkeypatch, begin=lambda **told: None, nodes=()):
    """A stand-in for the package; tells what was done with it."""
    done = []
    stand_in = SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda **told: (done.append(told), begin(**told)),
        shutdown=lambda: done.append("shut down"),
        nodes=lambda: list(nodes),
    )
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    return stand_in, done


def test_a_cluster_is_joined_or_started_and_left(monkeypatch, capsys):
    _, done = a_ray(monkeypatch)
    for address in ("10.0.0.1:6379", None):
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        if address:
            monkeypatch.setenv("RAY_ADDRESS", address)
        with cluster.joined(3):
            print("of a worker")
        print("of ours")
        told, end = done
        assert (told.get("num_cpus"), told["include_dashboard"], end) == (None if address else 3, False, "shut down")
        out, err = capsys.readouterr()
        assert (out, err) == ("of ours\n", "of a worker\n")
        done.clear()


def test_a_cluster_that_is_not_there_is_an_error_of_ours(monkeypatch):
    def begin(**told):
        raise ConnectionError("nobody\nanswers")

    _, done = a_ray(monkeypatch, begin)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with pytest.raises(ClusterError, match=r"'10\.0\.0\.1:6379' \(RAY_ADDRESS\) cannot be joined: nobody answers"):
        cluster.joined(2).__enter__()
    monkeypatch.delenv("RAY_ADDRESS")
    with pytest.raises(ClusterError, match="did not start on this machine: nobody answers"):
        cluster.joined(2).__enter__()
    assert done.count("shut down") == 2


def test_one_machine_must_have_room_and_be_there(monkeypatch):
    node = lambda alive, **has: {"Alive": alive, "Resources": has}  # noqa: E731
    ray, _ = a_ray(monkeypatch, nodes=[node(True, CPU=4.0), node(True, CPU=1.0, GPU=2.0), node(False, CPU=64.0)])
    cluster.check_room(ray, 4, 0)
    cluster.check_room(ray, 1, 1)
    for cpus, gpus in ((5, 0), (2, 1)):
        with pytest.raises(ClusterError, match="4 CPUs, 0 GPUs; 1 CPUs, 2 GPUs"):
            cluster.check_room(ray, cpus, gpus)


def test_a_worker_answers_with_embeddings_a_reason_or_what_was_raised(model, videos, monkeypatch):
    monkeypatch.setattr(by_ray, "ray_package", lambda: SimpleNamespace(get=lambda ref: ref))
    manifest = scan(videos)
    encoding = Encoding(model, WindowSpec(), None, 3, "cpu")
    worker = by_ray._Worker(encoding, by_ray.torch.get_num_threads())
    ask = lambda video: pickle.loads(worker({"at": 5, "work": pickle.dumps((manifest.file(0), video))})["answer"])  # noqa: E731
    found, work = ask(manifest.videos[0]), (manifest.file(0), manifest.videos[0])
    ours = encoding.embed(*work, encoding.read(*work))
    assert isinstance(found, VideoEmbeddings)
    np.testing.assert_array_equal(found.whole.vector, ours.whole.vector)
    assert [shot.thumbnail for shot in found.windows] == [shot.thumbnail for shot in ours.windows]
    assert "decodes only to frame" in ask(dataclasses.replace(manifest.videos[0], frames=99))
    assert isinstance(ask(None), AttributeError)


@pytest.fixture
def dying(monkeypatch, model):
    """Pipelines in which workers die at some videos and drop the next one too; tells what each was given."""
    given = []

    def answers(ray, rows, kept, workers, pool):
        given.append([row["at"] for row in rows])
        dropped = False
        for row in rows:
            if row["at"] % 5 == 1:
                dropped = True
            elif dropped:
                dropped = False
            else:
                yield row["at"], f"done {row['at']}"

    monkeypatch.setattr(by_ray, "_answers", answers)
    monkeypatch.setattr(by_ray, "ray_package", lambda *parts: None)
    monkeypatch.setattr(by_ray, "_quietly", contextlib.nullcontext)
    stand_in = SimpleNamespace(put=lambda value: value, nodes=lambda: [{"Alive": True, "Resources": {"CPU": 2}}])
    monkeypatch.setattr(by_ray, "joined", lambda cpus: contextlib.nullcontext(stand_in))
    encoding = Encoding(model, WindowSpec(), None, 3, "cpu")
    return given, lambda count: dict(by_ray.by_ray(encoding, [(None, None)] * count, workers=2, threads=1))


def test_only_the_videos_at_which_workers_die_are_blamed(dying, monkeypatch):
    given, ask = dying
    monkeypatch.setattr(by_ray, "SLICE", 8)
    died = "the worker that read it died, twice"
    assert ask(12) == {at: died if at % 5 == 1 else f"done {at}" for at in range(12)}
    assert given == [list(range(8)), [1], [2], [6], [7], list(range(8, 12)), [11]]


def test_workers_that_die_everywhere_are_an_error(dying, monkeypatch):
    monkeypatch.setattr(by_ray, "LOST", 3)
    with pytest.raises(ClusterError, match="died at 4 videos"):
        dying[1](8)


def test_errors_keep_what_they_say_on_their_way():
    for error in (DataError("what", "hint"), VideoError("what"), MissingExtraError("lancedb", "search")):
        found = pickle.loads(by_ray._packed(error))
        assert error.message in str(found)
    assert pickle.loads(by_ray._packed(DataError("what", "hint"))).hint == "hint"
