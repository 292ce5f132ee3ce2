"""Searches are exact, hits are apart, and whatever is asked in whatever words is answered or refused in ours."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image
from searching_tables import from_centre, model_of, vectors_of

import kinema
from kinema.core.errors import DataError, KinemaError, UsageError
from kinema.data.video.decoding import decode
from kinema.searching import database
from kinema.searching import find as finding
from kinema.searching import index as indexing
from kinema.searching import query as query_room
from kinema.searching.filters import condition
from kinema.searching.hits import suppress_overlaps
from kinema.searching.html import render_html
from kinema.searching.index import compact, has_index, nearest, update_index
from kinema.searching.query import read_query
from kinema.searching.schema import centre_of


def oracle(vectors, names, query, k):
    """The best window of each stretch by plain numpy; here windows are apart, so every row is a stretch."""
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    return [(names[at], scores[at]) for at in np.argsort(-scores)[:k]]


@pytest.fixture(scope="module")
def synthetic(make_table, tmp_path_factory):
    draw = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("synthetic") / "index"
    vectors = draw.normal(size=(1200, 32))
    videos = [f"v{number // 4:03d}.mp4" for number in range(1200)]
    labels = ["walk" if int(name[1:4]) % 3 else "run" for name in videos]
    return make_table(folder, vectors, videos, labels)


def test_the_nearest_are_those_of_plain_numpy(synthetic):
    vectors, rows = vectors_of(synthetic)
    names = [row["id"] for row in rows]
    draw = np.random.default_rng(1)
    for _ in range(5):
        query = draw.normal(size=32).astype(np.float32)
        query /= np.linalg.norm(query)
        told = {"exact": True, "where": "kind = 'window'", "columns": ["id"]}
        found = nearest(synthetic, query, 20, **told).to_pydict()
        expected = oracle(vectors, names, query, 20)
        assert found["id"] == [name for name, _ in expected]
        np.testing.assert_allclose(1 - np.asarray(found["_distance"]), [score for _, score in expected], atol=1e-5)
        where = condition(synthetic, "label = 'run' AND start >= 2", "window")
        found = nearest(synthetic, query, 20, **(told | {"where": where})).to_pydict()
        kept = [at for at, row in enumerate(rows) if row["label"] == "run" and row["start"] >= 2]
        expected = oracle(vectors[kept], [names[at] for at in kept], query, 20)
        assert found["id"] == [name for name, _ in expected]


@pytest.fixture
def few_queries(monkeypatch):
    """The recall of an index is measured by a tenth of the usual queries, where it is not what is tested."""
    monkeypatch.setattr(indexing, "SAMPLE", 10)


@pytest.mark.parametrize("kind", ["ivf-pq", "hnsw"])
def test_an_index_finds_most_and_says_how_many(synthetic, kind, request):
    assert update_index(synthetic, "auto") is None
    made = update_index(synthetic, kind)
    assert (made.kind, has_index(synthetic), made.queries) == (kind, kind, 100)
    assert 0.5 < made.recall <= 1
    vectors, rows = vectors_of(synthetic)
    hits = 0
    for at in range(0, 1200, 40):
        told = {"where": "kind = 'window'", "columns": ["id"]}
        found = nearest(synthetic, vectors[at], 10, exact=False, **told)["id"].to_pylist()
        expected = [name for name, _ in oracle(vectors, [row["id"] for row in rows], vectors[at], 10)]
        hits += len(set(found) & set(expected))
    assert hits / 300 == pytest.approx(made.recall, abs=0.15)
    request.getfixturevalue("few_queries")
    assert update_index(synthetic, "auto", exact_rows=100).kind == kind
    assert update_index(synthetic, "auto", exact_rows=10**6) is None
    assert has_index(synthetic) == ""


@pytest.mark.usefixtures("few_queries")
def test_auto_begins_where_it_says(synthetic):
    assert update_index(synthetic, "auto", exact_rows=1501) is None
    assert update_index(synthetic, "auto", exact_rows=1500).kind == "ivf-pq"
    assert update_index(synthetic, "none") is None
    with pytest.raises(UsageError, match="no index 'best'"):
        update_index(synthetic, "best")


@pytest.mark.usefixtures("few_queries")
def test_conditions_hold_with_indexes_through_every_change_of_a_table(make_table, tmp_path):
    """Rows added, replaced, told anew and taken out since the indexes were made count as all others do."""
    draw = np.random.default_rng(3)
    videos = [f"v{number // 4:03d}.mp4" for number in range(1200)]
    table = make_table(tmp_path / "index", draw.normal(size=(1200, 16)), videos)

    def check():
        vectors, rows = vectors_of(table)
        query = vectors[7]
        for where in ("video = 'v001.mp4'", "video IN ('v001.mp4', 'v007.mp4', 'new.mp4')", "video > 'v290'"):
            asked = {"where": condition(table, where, "window"), "columns": ["id", "video"]}
            exact, quick = (nearest(table, query, 50, exact=way, **asked)["id"].to_pylist() for way in (True, False))
            assert set(exact) == set(quick)
            column = [row["video"] for row in rows]
            tests = {"=": lambda name: name == "v001.mp4", ">": lambda name: name > "v290"}
            keep = tests.get(where[6], lambda name: name in ("v001.mp4", "v007.mp4", "new.mp4"))
            kept = [at for at, name in enumerate(column) if keep(name)]
            assert 0 < len(kept) < 50
            assert len(exact) == len(kept)
            assert set(exact) == {rows[at]["id"] for at in kept}

    def merge(rows, old=None):
        merging = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        (merging if old is None else merging.when_not_matched_by_source_delete(old)).execute(rows)

    assert update_index(table, "ivf-pq").kind == "ivf-pq"
    assert {tuple(each.columns) for each in table.list_indices()} == {("vector",), ("kind",), ("video",)}
    check()
    for _ in range(2):
        held = table.to_arrow()
        some = held.filter(pc.is_in(held["video"], pa.array(["v001.mp4", "v299.mp4"])))
        label = some.schema.get_field_index("label")
        told = some.set_column(label, some.schema.field("label"), pa.array(["anew"] * len(some)))
        merge(told)
        assert table.count_rows("label = 'anew'") == len(some)
        check()
        merge(some.slice(1), "video IN ('v001.mp4')")
        table.delete("video = 'v007.mp4' AND start >= 2")
        new = some.set_column(0, some.schema.field(0), pa.array([f"new.mp4#{at}" for at in range(len(some))]))
        table.add(new.set_column(2, some.schema.field(2), pa.array(["new.mp4"] * len(some))))
        check()
        compact(table, None)
        assert update_index(table, "auto", exact_rows=100).kind == "ivf-pq"
        check()
        table.delete("video = 'new.mp4'")


@pytest.mark.usefixtures("few_queries")
def test_a_table_that_has_only_the_index_of_vectors_gets_the_others(synthetic):
    update_index(synthetic, "ivf-pq")
    for each in synthetic.list_indices():
        if list(each.columns) != ["vector"]:
            synthetic.drop_index(each.name)
    update_index(synthetic, "auto", exact_rows=100)
    assert {tuple(each.columns) for each in synthetic.list_indices()} == {("vector",), ("kind",), ("video",)}
    update_index(synthetic, "none")
    assert not synthetic.list_indices()


def window(video, start, end, vector=(1.0, 0.0)):
    return {"video": video, "start": start, "end": end, "vector": np.asarray(vector, np.float32)}


def test_overlapping_and_nearly_equal_windows_of_a_video_are_one_hit():
    side, near = (0.0, 1.0), (0.995, 0.0999)
    rows = [
        window("a", 2, 4),
        window("a", 3, 5, side),  # overlaps the first
        window("b", 3, 5, near),  # another video's
        window("a", 4, 6, side),  # begins where the first ends
        window("a", 9, 10, near),  # nearly equals the first
        window("a", 5, 7, (0.7071, 0.7071)),  # overlaps the third find
        window("b", 8, 9, (-1.0, 0.0)),
    ]
    chosen = suppress_overlaps(rows, 10)
    assert [rows.index(row) for row in chosen] == [0, 2, 3, 6]
    assert [rows.index(row) for row in suppress_overlaps(rows, 2)] == [0, 2]
    assert [rows.index(row) for row in suppress_overlaps(rows, 10, duplicate=1.1)] == [0, 2, 3, 4, 6]


def test_as_many_rows_are_looked_at_as_it_takes(make_table, tmp_path, monkeypatch):
    draw = np.random.default_rng(2)
    vectors = draw.normal(size=(400, 8))
    vectors[:300] = [1, 0, 0, 0, 0, 0, 0, 0]
    vectors[:300, 1] = np.linspace(0, 0.05, 300)
    names = ["long.mp4"] * 300 + [f"v{number}.mp4" for number in range(100)]
    table = make_table(tmp_path / "index", vectors, names)
    query = np.asarray([1, 0, 0, 0, 0, 0, 0, 0], np.float32)
    hits, all_seen = finding.distinct_hits(table, query, 5, "kind = 'window'", exact=True)
    assert hits[0].video == "long.mp4"
    assert len({hit.video for hit in hits}) == 5
    assert all_seen
    monkeypatch.setattr("kinema.searching.hits.MAX_HITS", 128)
    hits, all_seen = finding.distinct_hits(table, query, 5, "kind = 'window'", exact=True)
    assert (len(hits), all_seen) == (1, False)


@pytest.fixture(scope="module")
def ready(tmp_path_factory, tiny_folder, lancedb):
    """A table of the tiny videos."""
    folder = tmp_path_factory.mktemp("ready") / "index"
    kinema.embed(model_of(), tiny_folder, out=folder, device="cpu")
    return folder


@pytest.fixture
def search(ready, model):
    return lambda query, **settings: kinema.search(
        settings.pop("model", model), query, table=ready, device="cpu", **settings
    )


def test_a_search_is_what_numpy_says_of_the_table(search, ready, model, tiny_folder):
    file = tiny_folder / "left/left2.mp4"
    found = search(file, k=5)
    centre = centre_of(database.require_table(str(ready)))
    query = read_query(model, file, centre=centre, device="cpu").vector
    np.testing.assert_allclose(query, from_centre(model.encode(file, normalize=False), centre), atol=1e-5)
    vectors, rows = vectors_of(database.require_table(str(ready)))
    order = np.argsort(-(vectors @ query))
    ranked = [rows[at] | {"vector": vectors[at], "score": float(vectors[at] @ query)} for at in order]
    expected = suppress_overlaps(ranked, 5)
    assert [hit.score for hit in found.hits] == pytest.approx([row["score"] for row in expected], abs=1e-6)
    assert {hit.video for hit in found.hits} == {row["video"] for row in expected}
    assert found.exact
    assert found.rows == len(rows)


def test_a_stretch_finds_itself_and_others_leave_it_out(search, tiny_folder):
    file = tiny_folder / "down/down1.mp4"
    found = search(f"{file}@0.4-0.6")
    assert found.query == f"{file}@0.40-0.60"
    assert (found.hits[0].video, found.hits[0].start, found.hits[0].end) == ("down/down1.mp4", 0.4, pytest.approx(0.6))
    assert found.hits[0].score == pytest.approx(1, abs=1e-6)
    assert "down/down1.mp4" not in {hit.video for hit in search(f"{file}@0.4-0.6", others=True, k=50).hits}


def test_a_video_of_the_table_is_not_looked_at_again_unless_it_changed(
    search, tiny_folder, ready, tmp_path, monkeypatch
):
    file, copy = tiny_folder / "down/down1.mp4", tmp_path / "copy.mp4"
    copy.write_bytes(file.read_bytes())
    scans, scan = [], query_room.scan
    monkeypatch.setattr(query_room, "scan", lambda *a, **told: (scans.append(a), scan(*a, **told))[1])
    asked = [search(where, over="videos", k=3) for where in (file, copy)]
    assert len(scans) == 1
    assert [hit.plain() for hit in asked[0].hits] == [hit.plain() for hit in asked[1].hits]
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))
    search(file)
    os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**9))
    assert len(scans) == 2


def test_a_stretch_shorter_than_a_clip_is_widened_and_said(search, tiny_folder):
    found = search(f"{tiny_folder}/left/left0.mp4@0.4-0.44")
    assert found.query.endswith("@0.32-0.52")
    assert "shorter than a clip" in found.notes[0]
    assert search(f"{tiny_folder}/left/left0.mp4@0.9-99").query.endswith("@0.76-0.96")


def test_a_stretch_that_goes_on_after_the_video_is_said(search, tiny_folder):
    found = search(f"{tiny_folder}/left/left0.mp4@0.4-99")
    assert found.query.endswith("@0.40-0.96")
    assert found.notes[0] == "'left0.mp4' ends at 0.96 s, and so does the stretch."
    assert search(f"{tiny_folder}/left/left0.mp4@0.4-0.96", k=1).notes == ()


def test_what_is_unlike_the_query_is_no_hit(search, tiny_folder):
    found = search(tiny_folder / "left/left0.mp4", over="videos", k=50)
    assert min(hit.score for hit in found.hits) >= 0
    assert 0 < len(found.hits) < 12
    assert f"Only {len(found.hits)} of 50 are hits: all else has a score below 0" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("stretch", "said"),
    [
        ("2-1", "ends before it begins"),
        ("1-1", "ends before it begins"),
        ("5-6", r"is not in .*left0\.mp4', which lasts 0\.96 s"),
        ("-1-2", "is no stretch of"),
        ("nan-1", "is no stretch of"),
        ("0-inf", "is no stretch of"),
        ("", "is no stretch of"),
        ("1e9-1e10", "is no stretch of"),
        ("9999999999-99999999999", "is no stretch of"),
        ("0:01-0:02", "is no stretch of"),
    ],
)
def test_stretches_that_are_none(search, tiny_folder, stretch, said):
    with pytest.raises(UsageError, match=said):
        search(f"{tiny_folder}/left/left0.mp4@{stretch}")


@pytest.mark.parametrize("query", ["", "a\0b", "nowhere.mp4", "nowhere.mp4@1-2", "../../etc/passwd", "x" * 5000])
def test_queries_that_are_not_there(search, query):
    with pytest.raises(KinemaError):
        search(query)


def test_queries_that_are_no_video(search, tiny_folder, tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        search(tiny_folder)
    (tmp_path / "a.mp4").write_bytes(b"no video")
    (tmp_path / "a.png").write_bytes(b"no picture")
    for name in ("a.mp4", "a.png"):
        with pytest.raises(DataError, match=name):
            search(tmp_path / name)


def test_a_picture_asks_the_rgb_view_alone(search, tiny_folder, tmp_path, model):
    frames = decode(tiny_folder / "down/down1.mp4", short_side=None, motion=False).frames
    Image.fromarray(frames[12]).save(tmp_path / "a.png")
    found = search(tmp_path / "a.png", k=3)
    small = decode(tmp_path / "a.png", short_side=16, motion=False).frames
    query = read_query(model, tmp_path / "a.png", device="cpu").vector
    np.testing.assert_allclose(query, model.encode(np.repeat(small, 5, axis=0)), atol=1e-6)
    assert float(query @ model.encode(tiny_folder / "down/down1.mp4")) < 0.9999
    assert found.hits
    with pytest.raises(UsageError, match="has no stretch of time"):
        search(f"{tmp_path}/a.png@0-1")
    for view in ("residual", "motion"):
        with pytest.raises(UsageError, match=f"this encoder sees '{view}'"):
            read_query(model_of(view), tmp_path / "a.png")


@pytest.mark.parametrize(
    "where",
    [
        "label = ",
        "nosuch = 1",
        "label = 'left'; DROP TABLE windows",
        "label = 'left' -- x",
        "label = 'left' /* x */",
        "label = 'x') OR (1 = 1",
        ")",
        "(",
        "label = 'left",
        '"label = 1',
        "label IN (SELECT label FROM windows)",
        "label = 'left' LIMIT 1",
        "1 = 1 ORDER BY id",
        "1 = 1 UNION SELECT 1",
        "1",
        "label",
        "",
        " ",
        "\0",
        "\ud800",
        "sleep(10)",
        "regexp_like(label, '((')",
        "1/0 = 1",
        "(" * 60 + "1 = 1" + ")" * 60,
        "NOT " * 5000 + "true",
        "label = 'left' AND " * 600 + "true",
    ],
)
def test_wrong_and_hostile_conditions_are_refused(search, ready, tiny_folder, where):
    with pytest.raises(UsageError, match="--where"):
        search(tiny_folder / "left/left0.mp4", where=where)
    assert database.require_table(str(ready)).count_rows("kind = 'video'") == 12


def test_an_error_of_a_condition_names_the_columns(search, tiny_folder):
    with pytest.raises(UsageError) as caught:
        search(tiny_folder / "left/left0.mp4", where="lable = 'left'")
    assert "there is no column 'lable'" in caught.value.message
    assert "Did you mean 'label'?" in caught.value.hint
    assert "label, source, split" in caught.value.hint
    assert "vector" not in caught.value.hint


@pytest.mark.parametrize(
    ("where", "labels"),
    [
        ("label = 'down'", {"down"}),
        ("label=down", {"down"}),
        ({"label": "down", "width": "32", "": "duration < 1000"}, {"down"}),
        ("label IN ('down', 'right') AND video LIKE '%1.mp4'", {"down", "right"}),
        ("label = 'down'\nOR label = 'right'", {"down", "right"}),
        ("NOT (label = ')' OR label = ';--')", {"left", "right", "down"}),
        ("`label` = 'left' AND duration < 1e3 AND audio = false AND split IS NULL", {"left"}),
        ("label = 'nobody'", set()),
    ],
)
def test_conditions(search, tiny_folder, where, labels):
    found = search(tiny_folder / "left/left0.mp4", where=where, k=100)
    assert {hit.label for hit in found.hits} == labels


@pytest.mark.parametrize(
    ("settings", "said"), [({"k": 0}, "k is 0"), ({"k": 10**6}, "k is"), ({"over": "clips"}, "nothing called 'clips'")]
)
def test_settings_that_cannot_be(search, tiny_folder, settings, said):
    with pytest.raises(UsageError, match=said):
        search(tiny_folder / "left/left0.mp4", **settings)


def test_no_table(model, tmp_path, tiny_folder, lancedb):
    with pytest.raises(DataError, match="There is no table of embeddings"):
        kinema.search(model, tiny_folder / "left/left0.mp4", table=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_page_escapes_every_text(search, tiny_folder):
    from dataclasses import replace

    evil = "<script>alert('x')</script>&\"'"
    found = search(tiny_folder / "left/left0.mp4", k=2)
    hit = replace(found.hits[0], video=evil, label=evil, cluster_name=evil)
    text = render_html(replace(found, query=evil, hits=(hit, found.hits[1]), notes=(evil,)))
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&#34;&#39;") == 7
    assert text.count('src="data:image/jpeg;base64,/9j/') == 2
    assert "http" not in text.replace("http-equiv", "")


def test_two_videos_are_as_alike_as_a_search_says(run, videos):
    """From the table's centre, which cannot be subtracted from what is of unit length."""
    model = kinema.load(run)
    files = sorted(videos.rglob("*.mp4"))
    plain = model.similarity(files[0], files)
    np.testing.assert_allclose(plain, kinema.load(run).encode(files[:1]) @ model.encode(files).T, atol=1e-5)
    kinema.embed(run, videos)
    assert centre_of(database.require_table(str(run / "index"))) is not None
    found = kinema.search(run, files[0], k=6, over="videos")
    scores = {hit.video: hit.score for hit in found.hits}
    seen = model.similarity(files[0], files)[0]
    told = [scores[str(file.relative_to(videos))] for file in files if str(file.relative_to(videos)) in scores]
    there = [score for score, file in zip(seen, files, strict=True) if str(file.relative_to(videos)) in scores]
    assert len(told) > 1
    np.testing.assert_allclose(there, told, atol=0.1)
    assert min(plain[0]) > max(seen[1:])
    np.testing.assert_allclose(model.similarity(model.encode(files, normalize=False), files[0])[:, 0], seen, atol=1e-5)
    with pytest.raises(UsageError, match="of unit length") as caught:
        model.similarity(model.encode(files), files[0])
    assert "normalize=False" in caught.value.hint
