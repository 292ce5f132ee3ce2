"""Projections: one space for the views of a run, and for nothing else."""

import json

import numpy as np
import pytest
from searching_tables import vectors_of
from sounding_runs import TONES, make_run, write_tones

import kinema
from kinema import api
from kinema.core.errors import DataError, UsageError
from kinema.core.weights import read_weights, write_weights
from kinema.data import ClipStore
from kinema.data.video.scanning import scan
from kinema.evaluation import retrieve_across
from kinema.searching import database
from kinema.searching.schema import read_settings

VIEWS = ("rgb", "sound")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("tones") / "videos")


@pytest.fixture(scope="module")
def run(videos, lancedb):
    return make_run(videos.parent / "run", videos)


@pytest.fixture(scope="module")
def tables(run, videos):
    """A table of projections for each view."""
    made = {view: run.parent / f"projections-{view}" for view in VIEWS}
    for view, out in made.items():
        kinema.embed(run, videos, view=view, space="projection", out=out, workers=1, device="cpu")
    return made


def first(run, videos, view, table, **told):
    """The best video for each video that asks."""
    settings = {"view": view, "table": table, "k": 1, "device": "cpu", **told}
    return [kinema.search(run, videos / name, **settings).hits[0].video for name in TONES]


@pytest.mark.parametrize(("asks", "held"), [("sound", "rgb"), ("rgb", "sound"), ("rgb", "rgb")])
@pytest.mark.parametrize("over", ["windows", "videos"])
def test_what_is_seen_and_heard_of_a_video_find_one_another(run, videos, tables, asks, held, over):
    assert first(run, videos, asks, tables[held], over=over) == list(TONES)


def test_towers_that_do_not_agree_find_others(videos, tables, tmp_path):
    apart = make_run(tmp_path / "apart", videos, order=(1, 2, 3, 0))
    kinema.embed(apart, videos, space="projection", out=tmp_path / "index", workers=1, device="cpu")
    found = first(apart, videos, "sound", tmp_path / "index", over="videos")
    assert found == ["b.mkv", "c.mkv", "d.mkv", "a.mkv"]


def test_rows_are_the_projections_of_an_evaluation(run, videos, tables):
    """So the figures of cross-modal retrieval speak of this search: no centre, the mean of unit vectors."""
    kept = {}
    for view in VIEWS:
        model, table = api.load(run, view=view), database.require_table(str(tables[view]))
        store = ClipStore(scan(videos, workers=1), model.clip, motion=False, cache=None, sound=model.sound_spec)
        kept[view], rows = vectors_of(table, "kind = 'video'")
        assert [row["video"] for row in rows] == list(TONES)
        np.testing.assert_allclose(kept[view], model.features(store, device="cpu").projected, atol=1e-6)
        made = read_settings(table, "here")
        assert (made.space, made.view, made.dim, made.together) == ("projection", view, 4, model.run_digest)
    assert retrieve_across(kept["sound"], kept["rgb"])[0].metrics["r@1"] == 1


def test_exported_towers_know_their_run(run, videos, tables, tmp_path):
    for view, other in (VIEWS, VIEWS[::-1]):
        out = kinema.export(run, tmp_path / view, view=view, licence="CC0").path
        assert api.load(out).run_digest == api.load(run, view=other).run_digest
        assert first(out, videos, view, tables[other], over="videos") == list(TONES)


def test_who_may_not_ask(run, videos, tables, tmp_path):
    kinema.embed(run, videos, out=tmp_path / "seen", workers=1, device="cpu")
    ask = {"view": "sound", "device": "cpu"}
    with pytest.raises(DataError, match="holds embeddings of the view 'rgb', and the encoder that asks is of 'sound'"):
        kinema.search(run, videos / "a.mkv", table=tmp_path / "seen", **ask)
    other = make_run(tmp_path / "other", videos, order=(1, 2, 3, 0))
    with pytest.raises(DataError, match="the encoder of 'sound' that asks is of another run"):
        kinema.search(other, videos / "a.mkv", table=tables["rgb"], **ask)
    loose = api.load(run, view="sound", untrained=True)
    assert loose.run_digest == ""
    with pytest.raises(DataError, match="of another run"):
        kinema.search(loose, videos / "a.mkv", table=tables["rgb"], device="cpu")


def test_a_table_stays_in_its_space(run, videos, tables, tmp_path):
    again = kinema.embed(run, videos, view="sound", out=tables["sound"], workers=1, device="cpu")
    assert (again.unchanged, again.added) == (4, 0), "without a word it goes on as it is"
    with pytest.raises(
        DataError, match=r"the same encoder under other settings: dim is .*space is projection there and"
    ):
        kinema.embed(run, videos, view="sound", space="embedding", out=tables["sound"], device="cpu")
    with pytest.raises(UsageError, match=r"(?s)no space 'heads'.*embedding, projection"):
        kinema.embed(run, videos, space="heads", out=tmp_path / "none", device="cpu")
    kinema.embed(run, videos, out=tmp_path / "seen", workers=1, device="cpu")
    table = database.require_table(str(tmp_path / "seen"))
    told = json.loads(table.schema.metadata[b"kinema"])
    assert not {"space", "head", "together"} & told.keys(), "a table of embeddings says what it said before"
    assert read_settings(table, "here").space == "embedding"


def test_more_training_makes_another_run(videos, tmp_path):
    run = make_run(tmp_path / "run", videos)
    before = api.load(run, view="rgb").run_digest
    (weights,) = (run / "phases").rglob("tower-sound.safetensors")
    trained = read_weights(weights, "")
    write_weights(weights, {name: value + 1 for name, value in trained.items()})
    assert len(before) == 64
    assert before != api.load(run, view="rgb").run_digest == api.load(run, view="sound").run_digest
