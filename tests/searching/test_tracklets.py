"""A table of tracklets says what the crops say, and a tracklet finds those that plain numpy finds."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from searching_tables import rows_by_id, vectors_of

import kinema
from kinema.core.errors import DataError, UsageError
from kinema.data.tracklets.reading import read_tracklets
from kinema.searching import database
from kinema.searching.html import render_html
from kinema.searching.layout import DOCUMENTS, TRACKLETS, VIDEOS, layout_of
from kinema.searching.tracklets import embed as embedding
from kinema.searching.tracklets.embed import tracklet_changes

KILLED = Path(__file__).with_name("killed_tracklets.py")
PEOPLE = ("ann", "bob", "cid", "dot")


def write(root, people=PEOPLE, cameras=("1", "2"), frames=3):
    for person in people:
        colour = np.random.default_rng(list(person.encode())).integers(30, 220, 3)
        for camera in cameras:
            (root / person / camera).mkdir(parents=True, exist_ok=True)
            for frame in range(frames):
                noise = np.random.default_rng([frame, int(camera)]).integers(-20, 21, (24, 12, 3))
                crop = Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8))
                crop.save(root / person / camera / f"{frame:04d}.png")
    return root


@pytest.fixture
def crops(tmp_path):
    """Four people in two cameras: eight tracklets of three frames."""
    return write(tmp_path / "crops")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run: TRL for an epoch on eight tracklets."""
    folder = tmp_path_factory.mktemp("trained")
    settings = {"epochs": 1, "batch_size": 8, "height": 16, "width": 8, "held_out": 0.0}
    settings |= {"logger": "none", "device": "cpu"}
    kinema.pretrain("trl", write(folder / "crops"), folder / "run", cache=folder / "cache", **settings)
    return folder / "run"


@pytest.fixture(scope="module")
def reader(trained, lancedb):
    return kinema.load(trained)


@pytest.fixture
def embed(reader, tmp_path):
    def run(data, **settings):
        settings = {"out": tmp_path / "index", "device": "cpu", **settings}
        return kinema.embed(settings.pop("model", reader), data, **settings)

    return run


@pytest.fixture
def search(reader, tmp_path):
    def run(query, **settings):
        return kinema.search(settings.pop("model", reader), query, **{"table": tmp_path / "index", **settings})

    return run


@pytest.fixture
def table(tmp_path):
    return lambda: database.require_table(str(tmp_path / "index"))


@pytest.fixture
def encoded(monkeypatch):
    """The tracklets that are encoded, as they are."""
    seen, own = [], embedding._TrackletEmbedding._encoded
    monkeypatch.setattr(
        embedding._TrackletEmbedding,
        "_encoded",
        lambda self, rows: (seen.extend(map(self.name, rows)), own(self, rows))[1],
    )
    return seen


def listed(root, fps=True):
    """The same crops by a table: with frames a second, boxes, and an attribute of the name 'model'."""
    with (root / "tracklets.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["path", "identity", "camera", "tracklet", "frame", "left", "top", "width", "height", "model"]
            + ["fps"] * fps
        )
        for person in PEOPLE:
            for camera in "12":
                for frame in range(3):
                    where = f"{person}/{camera}/{frame:04d}.png"
                    box = (2, 4, 8, 16)
                    writer.writerow([where, person, camera, f"{person}{camera}", 50 + frame, *box, "walk"] + [25] * fps)
    return root / "tracklets.csv"


def test_rows_are_tracklets_with_their_vectors_and_what_is_known_of_them(embed, table, crops, reader):
    done = embed(listed(crops))
    assert (done.tracklets, done.added, done.failed, done.content) == (8, 8, {}, "8 tracklets")
    vectors, rows = vectors_of(table(), "kind = 'tracklet'")
    expected = reader.features(read_tracklets(crops / "tracklets.csv", held_out=0.0), device="cpu")
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    row = next(row for row in rows if row["tracklet"] == rows[0]["tracklet"])
    about = {name: row[name] for name in ("identity", "camera", "first", "last", "frames", "start", "end", "file")}
    assert about == {
        "identity": "ann",
        "camera": "1",
        "first": 50,
        "last": 52,
        "frames": 3,
        "start": 2.0,
        "end": pytest.approx(2.12),
        "file": "ann/1/0001.png",
    }
    assert [row[name] for name in ("left", "top", "width", "height", "frame", "type")] == [2, 4, 8, 16, 51, "person"]
    assert row["attribute_model"] == "walk"
    assert Image.open(io.BytesIO(row["thumbnail"])).size == (64, 128)
    assert {row["split"] for row in rows} == {None}, "nobody is held out of a search"


def test_only_what_changed_is_encoded_and_the_rest_keeps_its_bits(embed, table, crops, encoded):
    embed(crops)
    before = rows_by_id(table(), "tracklet", "vector")
    encoded.clear()
    again = embed(crops)
    assert (again.unchanged, again.added, encoded) == (8, 0, [])
    write(crops, ("eve",), ("1",))
    (crops / "bob/2/0002.png").unlink()
    shutil.rmtree(crops / "dot/1")
    done = embed(crops, remove=True)
    assert sorted(encoded) == ["bob/2", "eve/1"]
    assert (done.added, done.changed, done.deleted, done.unchanged, done.tracklets) == (1, 1, 1, 6, 8)
    after = rows_by_id(table(), "tracklet", "vector")
    old, new = (dict(zip(rows["tracklet"], rows["vector"], strict=True)) for rows in (before, after))
    same = new.keys() - {"bob/2", "eve/1"}
    assert len(same) == 6
    assert all(new[name] == old[name] for name in same)


def test_new_facts_are_written_without_encoding(embed, table, crops, encoded):
    embed(listed(crops, fps=False))
    assert table().count_rows("start IS NULL") == 8
    encoded.clear()
    done = embed(listed(crops))
    assert (done.updated, done.unchanged, encoded) == (8, 0, [])
    assert table().count_rows("start = 2.0 AND identity = 'ann'") == 2


def test_much_that_is_gone_is_not_taken_out_unasked_and_broken_tracklets_stay(embed, table, crops):
    embed(crops)
    shutil.rmtree(crops / "dot")
    with pytest.raises(DataError, match="2 of the 8 tracklets in the table"):
        embed(crops)
    for file in (crops / "ann/1").iterdir():
        file.write_bytes(b"no picture")
    done = embed(crops, remove=True)
    assert (done.deleted, done.kept, done.tracklets) == (2, 1, 6)
    assert "ann/1" in done.failed
    assert table().count_rows("tracklet = 'ann/1'") == 1


def test_tracklets_that_cannot_be_looked_at_are_not_gone(crops, monkeypatch):
    tracklets = read_tracklets(crops, held_out=0.0)
    known = {"old/1": ("digest", "facts", "old/1/0000.png"), "shut/1": ("digest", "facts", "shut/1/0000.png")}
    stat = Path.stat

    def shut(self, **options):
        if "shut" in self.parts:
            raise PermissionError(13, "Permission denied")
        return stat(self, **options)

    monkeypatch.setattr(Path, "stat", shut)
    found = tracklet_changes(tracklets, known)
    assert (found.deleted, found.kept, len(found.new)) == (["old/1"], ["shut/1"], 8)


def test_killed_and_gone_on_with_the_table_equals_an_uninterrupted_one(trained, crops, tmp_path, lancedb):
    shutil.copytree(trained, tmp_path / "run")
    stop = subprocess.run(
        [sys.executable, KILLED, tmp_path / "run", crops], capture_output=True, text=True, timeout=240
    )
    assert stop.returncode == -signal.SIGKILL, stop.stderr
    held = database.require_table(str(tmp_path / "run/index")).count_rows()
    assert held == 2
    done = kinema.embed(tmp_path / "run", crops, device="cpu")
    assert (done.unchanged, done.added, done.tracklets) == (2, 6, 8)
    kinema.embed(tmp_path / "run", crops, out=tmp_path / "whole", device="cpu")
    resumed, whole = (database.require_table(str(where)) for where in (tmp_path / "run/index", tmp_path / "whole"))
    facts = [name for name in whole.schema.names if name != "vector"]
    assert rows_by_id(resumed, *facts) == rows_by_id(whole, *facts)
    np.testing.assert_allclose(vectors_of(resumed, "id <> ''")[0], vectors_of(whole, "id <> ''")[0], atol=1e-5)


@pytest.mark.parametrize("where", [None, "camera = '2'"])
def test_the_nearest_are_those_of_plain_numpy(embed, search, table, crops, where):
    embed(crops)
    vectors, rows = vectors_of(table(), "kind = 'tracklet'")
    names = [row["tracklet"] for row in rows]
    scores = vectors @ vectors[names.index("ann/1")]
    mine = [at for at, row in enumerate(rows) if where is None or row["camera"] == "2"]
    expected = sorted(mine, key=lambda at: -scores[at])[:5]
    found = search("ann/1", k=5, where=where)
    assert [hit.tracklet for hit in found.hits] == [names[at] for at in expected]
    np.testing.assert_allclose([hit.score for hit in found.hits], scores[expected], atol=1e-5)
    assert found.hits[0].plain().keys() == {
        *("tracklet", "identity", "camera", "start", "end", "first", "last", "frames", "score"),
    }
    assert [hit.tracklet for hit in search("ann/1", k=5, where=where, others=True).hits] == [
        names[at] for at in sorted(mine, key=lambda at: -scores[at]) if names[at] != "ann/1"
    ][:5]


def test_folders_and_pictures_ask_too(embed, search, crops, tmp_path):
    embed(crops)
    folder = search(crops / "bob/1", k=3)
    assert (folder.hits[0].tracklet, folder.hits[0].score) == ("bob/1", pytest.approx(1, abs=1e-5))
    assert "bob/1" not in {hit.tracklet for hit in search(crops / "bob/1", k=8, others=True).hits}
    for picture in ("0001.png", "0002.png"):
        found = search(crops / "bob/1" / picture, k=8, others=True)
        assert (len(found.hits), found.notes) == (7, ())
        assert "bob/1" not in {hit.tracklet for hit in found.hits}
    shutil.copytree(crops / "cid/2", tmp_path / "elsewhere")
    outside = search(tmp_path / "elsewhere", k=1, others=True)
    assert outside.hits[0].tracklet == "cid/2"
    assert "none was left out" in outside.notes[0]
    crops.rename(tmp_path / "moved")
    assert search("ann/1", k=1).hits[0].tracklet == "ann/1", "a name needs no file"
    moved = search("ann/1", k=1, videos=tmp_path / "moved")
    assert moved.root == (tmp_path / "moved").resolve()


def test_what_is_no_query_is_refused_with_what_there_is(embed, search, crops, tmp_path):
    embed(crops)
    (tmp_path / "note.txt").write_text("who?")
    (tmp_path / "empty").mkdir()
    for query, error, words in (
        ("ann/3", UsageError, "There is no tracklet 'ann/3' in the table"),
        (tmp_path / "note.txt", UsageError, "neither a picture nor an array"),
        (tmp_path / "empty", DataError, "There is no picture in"),
        (7, UsageError, "The query is a int"),
        ("x" * 5000, UsageError, "There is no tracklet"),
        ("ann\0", UsageError, "There is no tracklet"),
    ):
        with pytest.raises(error, match=words):
            search(query)
    with pytest.raises(UsageError) as caught:
        search("ann/3")
    assert "ann/1" in caught.value.hint
    with pytest.raises(UsageError, match="nothing called 'windows'") as caught:
        search("ann/1", over="windows")
    assert caught.value.hint == "Choose tracklets."
    with pytest.raises(UsageError, match="there is no column 'duration'") as caught:
        search("ann/1", where="duration > 2")
    assert "identity, camera" in caught.value.hint


def test_settings_of_other_tables_and_other_encoders_are_refused(embed, search, crops, model, reader, tmp_path):
    embed(crops)
    for name, value in (("length", "2s"), ("stride", 1), ("space", "projection"), ("engine", "ray")):
        with pytest.raises(UsageError, match=f"{name} is '{value}'; a table of tracklets"):
            embed(crops, **{name: value})
    other = kinema.load(reader.run, untrained=True)
    with pytest.raises(DataError, match="made by another encoder: its encoder's weights are"):
        embed(crops, model=other)
    with pytest.raises(DataError, match="made by another encoder"):
        search("ann/1", model=other)
    assert embed(crops, model=other, replace=True).added == 8
    with pytest.raises(DataError, match=r"An encoder of video needs a table of videos, and the one .* holds tracklets"):
        search("ann/1", model=model)
    write(tmp_path / "else", ("xan", "yan"))
    with pytest.raises(DataError, match="has 0 of its 8"):
        embed(tmp_path / "else", model=other)


def test_what_a_table_of_tracklets_cannot_do_is_said(embed, reader, trained, crops, tmp_path):
    embed(crops)
    where = {"table": tmp_path / "index"}
    with pytest.raises(DataError, match=r"kinema cluster needs a table of videos or documents, .* holds tracklets"):
        kinema.cluster(tmp_path, k=2, **where)
    with pytest.raises(DataError, match=r"needs a table of videos, and the one in .* holds tracklets"):
        kinema.dedupe(tmp_path, **where)
    with pytest.raises(UsageError, match="reads tracklets, and only encoders of video and text are exported"):
        kinema.export(trained, tmp_path / "export")
    with pytest.raises(UsageError, match="reads tracklets, and footage is read by an encoder of clips"):
        kinema.segment(trained, crops, steps=3)
    serving = pytest.importorskip("kinema.serving")
    pytest.importorskip("fastapi", reason="the extra kinema[serve] is not installed")
    with pytest.raises(DataError, match="kinema serve needs a table of videos"):
        serving.app(reader, **where)


def test_the_kind_of_a_table_is_not_told_by_an_attribute_of_its_name(embed, table, crops):
    embed(crops)
    assert layout_of(table()) == TRACKLETS
    text = listed(crops).read_text("utf-8").replace(",model", ",document")
    (crops / "tracklets.csv").write_text(text, "utf-8")
    embed(crops / "tracklets.csv", replace=True, remove=True)
    assert "document" in table().schema.names
    assert layout_of(table()) == TRACKLETS not in (VIDEOS, DOCUMENTS)


def test_the_command_line_answers_with_camera_and_time(call, trained, crops, tmp_path, lancedb):
    index = tmp_path / "index"
    status, out, _ = call("embed", trained, listed(crops), "-o", index, "--device", "cpu", "--json")
    assert (status, json.loads(out)["tracklets"]) == (0, 8)
    given = ("search", trained, "ann/1/ann1", "--table", index, "--others", "--where", "camera = '2'", "-k", "2")
    status, out, _ = call(*given, "--over", "tracklets", "--json")
    hits = json.loads(out)["hits"]
    assert (status, len(hits), {hit["camera"] for hit in hits}) == (0, 2, {"2"})
    assert (hits[0]["start"], hits[0]["end"]) == (2.0, pytest.approx(2.12))
    status, out, _ = call(*given, "-o", tmp_path / "hits.html")
    assert status == 0
    assert "2.00 to 2.12 s" in out
    page = (tmp_path / "hits.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "camera 2" in page


def test_a_page_escapes_names(embed, search, tmp_path):
    write(tmp_path / "odd", ("<b>ann", "bob'; --"))
    embed(tmp_path / "odd")
    page = render_html(search("bob'; --/1"))
    assert "&lt;b&gt;ann" in page
    assert "<b>" not in page


def test_a_picture_is_known_by_its_tracklet_in_a_flat_folder_too(embed, search, tmp_path):
    (tmp_path / "flat").mkdir()
    for person in (1, 2):
        for camera in (1, 2):
            for frame in (1, 9, 17):
                crop = np.random.default_rng([person, camera, frame]).integers(0, 256, (24, 12, 3), dtype=np.uint8)
                Image.fromarray(crop).save(tmp_path / f"flat/{person:04d}_c{camera}s1_{frame:06d}_01.jpg")
    embed(f"market1501:{tmp_path / 'flat'}")
    found = search(tmp_path / "flat/0001_c1s1_000017_01.jpg", others=True)
    assert len(found.hits) == 3
    assert "0001_c1s1_000001_01" not in {hit.tracklet for hit in found.hits}
    assert found.hits[0].plain()["start"] == pytest.approx(1 / 25)
    several = search(tmp_path / "flat", others=True)
    assert len(several.hits) == 4
    assert "of several" in several.notes[0]
