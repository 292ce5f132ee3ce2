"""A table in memory, or as a copy beside it, answers as the table does; and only as long as it is the table's."""

import json
import subprocess
import sys

import numpy as np
import pytest
from searching_tables import model_of

import kinema
from kinema.searching import database, in_memory, stored, vectors
from kinema.training.checkpoints import write_tower

WINDOW = "kind = 'window'"


def drawn(rows, seed, dim=32):
    """Unit vectors about fifty directions."""
    centres = np.random.default_rng(0).normal(size=(50, dim))
    draw = np.random.default_rng(seed)
    found = centres[draw.integers(0, 50, rows)] + 0.5 * draw.normal(size=(rows, dim))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("listed", [False, True])
def test_the_nearest_are_those_of_a_product_with_all(monkeypatch, listed):
    pytest.importorskip("faiss", reason="the extra kinema[faiss] is not installed")
    rows, queries = drawn(6000, 1), drawn(40, 2)
    if listed:
        sample = np.arange(0, 6000, 10)
        held = vectors.Lists(vectors.trained(rows[sample], 64, 1), rows[sample], sample)
        for begin in range(0, 6000, 1000):
            held.add(rows[begin : begin + 1000])
        held.finish()
        assert held.recall >= 0.99
        assert held.compared < 3000
    else:
        held = vectors.All(rows)
    few, many = (vectors.Chosen(np.arange(0, 6000, step), 6000) for step in (300, 2))
    found = {"all": 0, "many": 0}
    for query in queries:
        scores = rows @ query
        for name, chosen in (("all", None), ("many", many)):
            near = held.nearest(query, 10, chosen)
            counted = scores if chosen is None else np.where(np.arange(6000) % 2 == 0, scores, -2)
            found[name] += len(set(near.rows.tolist()) & set(np.argsort(-counted)[:10].tolist()))
            np.testing.assert_allclose(near.scores, scores[near.rows], atol=1e-5)
            assert near.exact is not listed
        near = held.nearest(query, 10, few)
        assert near.rows.tolist() == (300 * np.argsort(-scores[::300])[:10]).tolist(), "few are all compared"
        assert near.exact
    assert min(found.values()) >= 0.99 * 400
    nothing = vectors.Chosen(np.zeros(0, np.int64), 6000)
    assert len(held.nearest(queries[0], 10, nothing).rows) == 0
    np.testing.assert_array_equal(held.take(np.array([7, 5999])), rows[[7, 5999]])


@pytest.fixture
def embedded(model, run, videos, tmp_path, lancedb):
    """A table, and a run's folder as far as a copy looks at it."""
    kinema.embed(model, videos, out=run / "index", device="cpu")
    (run / "recipe.json").write_text("{}")
    (run / "phases/01-made").mkdir(parents=True)
    write_tower(run / "phases/01-made/tower-rgb.safetensors", model.tower)
    return run


def test_a_version_in_memory_tells_what_the_table_holds(embedded):
    uri = str(embedded / "index")
    table = database.require_table(uri)
    held = in_memory.hold(uri, table.version, threads=1)
    rows = table.search().where(WINDOW).with_row_id(True).to_arrow().to_pylist()
    query = np.array(rows[3]["vector"], np.float32)
    near = held.nearest(query, 5, "window", None, None)
    told = held.kinds["window"].rows(near)
    first = next(row for row in rows if (row["video"], row["frame"]) == (told[0]["video"], told[0]["frame"]))
    assert {name: told[0][name] for name in in_memory.TOLD} == {name: first[name] for name in in_memory.TOLD}
    assert held.thumbnail("window", first["video"], first["frame"]) == first["thumbnail"]
    assert held.thumbnail("window", first["video"], 10**6) is None
    others = held.nearest(query, 500, "window", None, first["video"])
    named = {row["video"] for row in held.kinds["window"].rows(others)}
    assert named == {row["video"] for row in rows} - {first["video"]}
    where = f"{WINDOW} AND label = '{first['label']}'"
    chosen = held.kinds["window"].rows(held.nearest(query, 500, "window", where, None))
    assert {row["label"] for row in chosen} == {first["label"]}
    assert len(chosen) == sum(row["label"] == first["label"] for row in rows)


LOADED = """
import json, sys
from pathlib import Path
from kinema.searching.stored import find_stored
found = find_stored(Path(sys.argv[1]), sys.argv[2], sys.argv[3], k=4, over=None, others=False)
heavy = {"torch", "lancedb", "pyarrow", "scipy"} & sys.modules.keys()
print(json.dumps({"hits": found and found.plain()["hits"], "heavy": sorted(heavy)}))
"""


def test_a_copy_answers_as_the_table_without_torch_and_lancedb(embedded, model, videos):
    uri, query = str(embedded / "index"), sorted(videos.rglob("*.mp4"))[0]
    assert stored.write_copy(uri)
    command = [sys.executable, "-c", LOADED, str(embedded), uri, str(query)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ours = kinema.search(model, query, table=uri, k=4, device="cpu").plain()["hits"]
    assert told["heavy"] == []
    assert [(hit["video"], hit["start"]) for hit in told["hits"]] == [(hit["video"], hit["start"]) for hit in ours]
    np.testing.assert_allclose([hit["score"] for hit in told["hits"]], [hit["score"] for hit in ours], atol=1e-5)


def test_a_copy_is_used_for_its_own_state_and_encoder_alone(embedded, model, videos, tmp_path):
    uri, query = str(embedded / "index"), str(sorted(videos.rglob("*.mp4"))[0])
    stored.write_copy(uri)

    def found():
        return stored.find_stored(embedded, uri, query, k=4, over="videos", others=True)

    assert query not in {str(videos / hit.video) for hit in found().hits}
    assert stored.find_stored(embedded, uri, f"{query}@0-1", k=4, over=None, others=False) is None
    tower = embedded / "phases/01-made/tower-rgb.safetensors"
    right = tower.read_bytes()
    write_tower(tower, model_of(seed=1).tower)
    assert found() is None, "another encoder's weights"
    tower.write_bytes(right)
    assert found() is not None
    copy = embedded / "index" / stored.COPY
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2] + b"\0\1\2" + whole[len(whole) // 2 + 3 :])
    assert found() is None, "it is damaged"
    copy.write_bytes(whole)
    kinema.cluster(embedded, table=uri, k=2)
    assert found() is None, "the table has changed"
    assert stored.write_copy(uri)
    assert {hit.cluster for hit in found().hits} <= {0, 1}
    query_file = videos / found().hits[0].video
    query_file.write_bytes(query_file.read_bytes() + b"\0")
    assert stored.find_stored(embedded, uri, str(query_file), k=4, over=None, others=False) is None, "a changed video"
