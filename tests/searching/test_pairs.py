"""A table of pairs says what pictures and texts say; words find what plain numpy finds, by vectors, codes or both."""

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from searching_pairs import COLOURS, HEAD, reader_of, write_colours
from searching_tables import rows_by_id, vectors_of

import kinema
from kinema.core.codes import hamming, pack, unpack
from kinema.core.errors import DataError, UsageError
from kinema.data.pairs.reading import read_pairs
from kinema.searching import database
from kinema.searching.html import render_html
from kinema.searching.layout import PAIRS, layout_of
from kinema.searching.pairs import embed as embedding
from kinema.searching.pairs import find as finding
from kinema.searching.pairs.codes import codes_in
from kinema.searching.pairs.embed import pair_changes

KEPT = ({}, {"codes": True}, {"codes": True, "vectors": True})


@pytest.fixture
def colours(tmp_path):
    """Twelve pairs: six colours in two shades."""
    return write_colours(tmp_path / "colours")


@pytest.fixture(scope="module")
def reader(tmp_path_factory, lancedb):
    return reader_of(tmp_path_factory.mktemp("run"))


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
    """The pairs that are encoded, as they are."""
    seen, own = [], embedding._PairEmbedding._encoded
    monkeypatch.setattr(
        embedding._PairEmbedding,
        "_encoded",
        lambda self, rows: (seen.extend(map(self.name, rows)), own(self, rows))[1],
    )
    return seen


@pytest.mark.parametrize("kept", KEPT)
def test_a_picture_and_a_text_have_a_row_each_with_what_is_known_of_the_pair(embed, table, colours, reader, kept):
    done = embed(colours, **kept)
    size = {0: 256, 1: 8, 2: 264}[len(kept)]
    assert (done.images, done.texts, done.bytes, done.added, done.failed) == (12, 12, size, 12, {})
    assert done.content == f"12 pictures, 12 texts, {size} bytes each"
    pairs = read_pairs(colours, held_out=0.0)
    held = table().to_arrow()
    assert ("vector" in held.schema.names, "code" in held.schema.names) == (kept != {"codes": True}, bool(kept))
    for view in ("image", "text"):
        rows = held.filter(np.array([kind == view for kind in held["kind"].to_pylist()]))
        at = {name: number for number, name in enumerate(rows["pair"].to_pylist())}
        order = [at[row.name] for row in pairs.rows]
        expected = reader.features(pairs, view, device="cpu")
        if "vector" in held.schema.names:
            vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(12, -1)[order]
            np.testing.assert_allclose(vectors, expected, atol=1e-6)
        if kept:
            np.testing.assert_array_equal(codes_in(rows.combine_chunks())[order], pack(expected))
    row = table().search().where("id = 'pictures/red1.png#image'").limit(1).to_list()[0]
    about = [row[name] for name in ("image", "text", "label", "source", "place", "video", "at", "file")]
    path = "pictures/red1.png"
    assert about == [path, "this is a dark red one", "red;square", "red", "shelf 1", None, None, path]
    assert row["split"] is None, "nothing is held out of a search"
    if kept == {"codes": True}:
        assert row["thumbnail"] is None, "a table of codes is small"
    else:
        assert Image.open(io.BytesIO(row["thumbnail"])).size == (32, 24)


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("where", [None, "place = 'shelf 1'"])
def test_words_find_the_pictures_that_plain_numpy_finds(embed, search, colours, reader, kept, where):
    embed(colours, **kept)
    pairs = read_pairs(colours, held_out=0.0)
    query = reader.encode("something red", view="text", device="cpu")
    vectors = reader.features(pairs, "image", device="cpu")
    mine = [at for at, row in enumerate(pairs.rows) if where is None or row.attributes["place"] == "shelf 1"]
    scores, bits = vectors @ query, hamming(pack(query[None]), pack(vectors))[0]
    by = 1 - bits / 64 if kept == {"codes": True} else scores
    found = search("something red", k=3, where=where)
    np.testing.assert_allclose(
        [hit.score for hit in found.hits], sorted((by[at] for at in mine), reverse=True)[:3], atol=1e-5
    )
    named = {row.name: at for at, row in enumerate(pairs.rows)}
    for hit in found.hits:
        assert (hit.kind, hit.distance) == ("image", int(bits[named[hit.name]]) if kept else None)
        assert hit.score == pytest.approx(by[named[hit.name]], abs=1e-5)
    assert found.hits[0].labels == ("red", "square")
    assert (found.exact, found.rows) == ("vectors" not in kept, 12)


def test_a_table_of_both_gives_what_vectors_alone_give_however_few_rows_codes_propose(
    embed, search, colours, tmp_path, monkeypatch
):
    embed(colours)
    embed(colours, out=tmp_path / "both", codes=True, vectors=True)
    monkeypatch.setattr(finding, "SECOND_LOOK", 4)
    for words in ("red", "dark blue", "a cyan square"):
        alone, both = search(words, k=4), search(words, k=4, table=tmp_path / "both")
        exact = search(words, k=4, table=tmp_path / "both", exact=True)
        assert exact.exact
        assert not both.exact
        assert [hit.name for hit in exact.hits] == [hit.name for hit in alone.hits]
        assert both.hits[0].name == alone.hits[0].name
        assert [hit.score for hit in both.hits] == sorted((hit.score for hit in both.hits), reverse=True)


def test_a_picture_asks_too_and_texts_can_be_asked_for(embed, search, colours, reader, tmp_path):
    embed(colours, codes=True)
    picture = colours / "pictures/blue0.png"
    found = search(picture, k=2)
    assert next((hit.image, hit.distance) for hit in found.hits) == ("pictures/blue0.png", 0)
    assert "pictures/blue0.png" not in {hit.image for hit in search(str(picture), k=12, others=True).hits}
    texts = search(picture, k=1, over="texts").hits
    assert (texts[0].kind, texts[0].text) == ("text", "a blue square")
    (tmp_path / "asked.txt").write_text("a green square\n", "utf-8")
    assert search(tmp_path / "asked.txt", k=1).hits[0].labels == ("green", "square")
    own = search(tmp_path / "asked.txt", k=12, others=True, over="texts")
    assert "a green square" not in {hit.text for hit in own.hits}
    shutil.copy(picture, tmp_path / "elsewhere.png")
    outside = search(tmp_path / "elsewhere.png", k=1, others=True)
    assert (outside.hits[0].image, "none was left out" in outside.notes[0]) == ("pictures/blue0.png", True)


def test_a_picture_with_several_texts_is_one_hit_and_equal_texts_are_one(embed, search, colours):
    more = [f"pictures/red0.png,a red square number {number},red,red,x" for number in range(80)]
    more += [f"pictures/blue{number % 2}.png,a blue square,blue,blue,y" for number in range(80)]
    lines = [HEAD + ",name", *(f"{line},extra {number}" for number, line in enumerate(more))]
    (colours / "pairs.csv").write_text("\n".join(lines), "utf-8")
    for number, kept in enumerate(KEPT):
        embed(colours, replace=True, remove=True, **kept)
        hits = search("red", k=3).hits
        assert len({hit.image for hit in hits}) == len(hits) == 3, number
        texts = search("blue", k=40, over="texts").hits
        assert len({hit.text for hit in texts}) == len(texts) == 40


def test_what_is_no_query_is_refused_and_words_are_words(embed, search, colours, tmp_path):
    embed(colours)
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for query, error, words in (
        ("missing.png", UsageError, "There is no file 'missing.png'"),
        ("a red square.jpg", UsageError, "There is no file"),
        ("words.txt", UsageError, "There is no file"),
        ("clip.mp4", UsageError, "is a video"),
        (tmp_path / "folder", UsageError, "neither a picture nor"),
        (tmp_path / "broken.png", DataError, "cannot be read"),
        ("", UsageError, "holds no word"),
        (7, UsageError, "The query is a int"),
        ("xylophone", DataError, "xylophone"),
        ("vectors.npy[3]", DataError, "vectors.npy"),
    ):
        with pytest.raises(error, match=words):
            search(query)
    assert search("a red square.jpg", view="text").hits[0].labels == ("red", "square")
    assert search("red " * 5000, k=1).hits[0].labels == ("red", "square")
    for settings, words in (
        ({"others": True}, "words are of no pair"),
        ({"over": "windows"}, "nothing called 'windows'"),
        ({"view": "sound"}, "no view 'sound'"),
        ({"view": "image"}, "is no image"),
        ({"where": "camera = 2"}, "there is no column 'camera'"),
        ({"k": 0}, "k is 0"),
    ):
        with pytest.raises(UsageError, match=words):
            search("red", **settings)


def test_only_what_changed_is_encoded_and_the_rest_keeps_its_bits(embed, table, colours, encoded):
    embed(colours, codes=True)
    before = rows_by_id(table(), "id", "code")
    encoded.clear()
    again = embed(colours)
    assert (again.unchanged, again.added, encoded) == (12, 0, []), "what the table keeps need not be said again"
    Image.new("RGB", (20, 20), (1, 2, 250)).save(colours / "pictures/red0.png")
    lines = (colours / "pairs.csv").read_text("utf-8").splitlines()
    lines = [line for line in lines if "cyan1" not in line]
    lines[3] = lines[3].replace("green;square", "green;box")
    (colours / "pairs.csv").write_text(
        "\n".join([*lines, "pictures/cyan0.png,,cyan,cyan,new"]).replace(
            "\npictures/cyan0.png,,", "\npictures/cyan1.png,,"
        ),
        "utf-8",
    )
    done = embed(colours)
    assert sorted(encoded) == ["pictures/cyan1.png", "pictures/red0.png"]
    assert (done.changed, done.updated, done.unchanged, done.images, done.texts) == (2, 1, 9, 12, 11)
    assert table().count_rows("label = 'box;green'") == 2
    after = rows_by_id(table(), "id", "code")
    old, new = (dict(zip(rows["id"], rows["code"], strict=True)) for rows in (before, after))
    assert "pictures/cyan1.png#text" not in new, "a text that is gone has no row"
    same = new.keys() - {"pictures/cyan1.png#image", "pictures/red0.png#image"}
    assert all(new[name] == old[name] for name in same)
    assert new["pictures/red0.png#image"] != old["pictures/red0.png#image"]


def test_much_that_is_gone_is_not_taken_out_unasked_and_broken_pictures_stay(embed, table, colours):
    embed(colours)
    lines = (colours / "pairs.csv").read_text("utf-8").splitlines()
    (colours / "pairs.csv").write_text("\n".join(lines[:-2]), "utf-8")
    with pytest.raises(DataError, match="2 of the 12 pairs in the table"):
        embed(colours)
    (colours / "pictures/red0.png").write_bytes(b"no picture")
    done = embed(colours, remove=True)
    assert (done.deleted, done.kept, done.images) == (2, 1, 10)
    assert "pictures/red0.png" in done.failed
    assert table().count_rows("pair = 'pictures/red0.png'") == 2


def test_of_a_run_of_texts_alone_broken_pictures_are_no_failures(colours):
    (colours / "pictures/red0.png").write_bytes(b"no picture")
    pairs = read_pairs(colours, held_out=0.0)
    assert list(pair_changes(pairs, ("image", "text"), {}).failed) == ["pictures/red0.png"]
    found = pair_changes(pairs, ("text",), {})
    assert (len(found.new), found.failed) == (12, {})


def test_pairs_that_cannot_be_looked_at_are_not_gone(colours, monkeypatch):
    from pathlib import Path

    pairs = read_pairs(colours, held_out=0.0)
    known = {"old": ("digest", "facts", "old.png"), "shut": ("digest", "facts", "shut/one.png")}
    stat = Path.stat

    def shut(self, **options):
        if "shut" in self.parts:
            raise PermissionError(13, "Permission denied")
        return stat(self, **options)

    monkeypatch.setattr(Path, "stat", shut)
    found = pair_changes(pairs, ("image", "text"), known)
    assert (found.deleted, found.kept, len(found.new)) == (["old"], ["shut"], 12)


def test_texts_of_no_known_word_are_counted_and_cannot_be_found(embed, table, colours):
    with (colours / "pairs.csv").open("a", encoding="utf-8") as file:
        file.write("pictures/red0.png,xylophone zither,red,red,x,\n,gamelan,red,red,x\n".replace("x,\n", "x\n"))
    lines = (colours / "pairs.csv").read_text("utf-8").splitlines()
    names = ["name", *(f"pair {number}" for number in range(len(lines) - 1))]
    (colours / "pairs.csv").write_text("\n".join(f"{a},{b}" for a, b in zip(lines, names, strict=True)), "utf-8")
    done = embed(colours)
    assert (done.images, done.texts, list(done.failed)) == (13, 12, ["pair 13"])
    assert "no word that the run knows" in done.failed["pair 13"]
    assert "1 texts hold no word that the run knows" in done.note
    assert "'pair 12'" in done.note


def test_settings_of_other_tables_and_other_runs_are_refused(embed, search, colours, model, reader, tmp_path):
    embed(colours, codes=True)
    for name, value in (("length", "2s"), ("stride", 1), ("space", "projection"), ("engine", "ray"), ("view", "text")):
        with pytest.raises(UsageError, match=f"{name} is '{value}'; a table of pairs"):
            embed(colours, **{name: value})
    other = reader_of(tmp_path / "other", seed=1)
    for call in (lambda: embed(colours, model=other), lambda: search("red", model=other)):
        with pytest.raises(DataError, match="made by another encoder: its encoders' weights are"):
            call()
    with pytest.raises(DataError, match="under other settings: kept is codes there and codes and vectors here"):
        embed(colours, codes=True, vectors=True)
    with pytest.raises(UsageError, match="has no index 'hnsw'") as caught:
        embed(colours, index="hnsw")
    assert "--index" in caught.value.hint
    assert embed(colours, model=other, replace=True, vectors=True).bytes == 256
    with pytest.raises(DataError, match=r"An encoder of video needs a table of videos, and the one .* holds pairs"):
        search("red", model=model)
    with pytest.raises(UsageError, match="makes no codes, only vectors") as caught:
        embed(colours, model=model, codes=True, out=tmp_path / "none")
    assert "--codes" in caught.value.hint
    write_colours(tmp_path / "else", ("red", "green"))
    (tmp_path / "else/pictures/red0.png").write_bytes((colours / "pictures/cyan0.png").read_bytes())
    lines = (tmp_path / "else/pairs.csv").read_text("utf-8").replace("square", "circle").replace("dark", "one")
    (tmp_path / "else/pairs.csv").write_text(lines, "utf-8")
    with pytest.raises(DataError, match="has 0 of its 12"):
        embed(tmp_path / "else", model=other)


def test_a_run_of_one_view_has_rows_of_that_view(embed, search, colours, tmp_path):
    alone = reader_of(tmp_path / "alone", views=("text",))
    done = embed(colours, model=alone)
    assert (done.images, done.texts) == (0, 12)
    assert search("red", model=alone, k=1).hits[0].kind == "text"
    with pytest.raises(UsageError, match="is a picture, and this run knows only the view 'text'"):
        search(colours / "pictures/red0.png", model=alone)


def test_a_folder_of_pictures_alone_is_an_archive_that_is_asked_in_words(embed, search, colours):
    (colours / "pairs.csv").unlink()
    (colours / "notes.txt").write_text("of no picture", "utf-8")
    (colours / "pictures/broken.png").write_bytes(b"no picture")
    done = embed(colours, codes=True)
    assert (done.images, done.texts, list(done.failed)) == (12, 0, ["pictures/broken.png"])
    assert search("a cyan one", k=1).hits[0].image == "pictures/cyan0.png"


def test_an_attribute_may_be_called_as_a_column_and_codes_are_told_from_it(embed, table, colours):
    text = (colours / "pairs.csv").read_text("utf-8").replace("source,place", "source,code")
    (colours / "pairs.csv").write_text(text, "utf-8")
    embed(colours, codes=True)
    assert layout_of(table()) == PAIRS
    assert table().count_rows("attribute_code = 'shelf 1'") == 12


def test_the_command_line_and_the_page(call, search, embed, colours, reader, tmp_path, monkeypatch):
    for module in ("searching", "table_views"):
        monkeypatch.setattr(f"kinema.api.{module}.load", lambda run, view=None: reader)
    index = tmp_path / "index"
    status, out, _ = call("embed", "RUN", colours, "-o", index, "--codes", "--device", "cpu", "--json")
    assert (status, json.loads(out)["images"], json.loads(out)["bytes"]) == (0, 12, 8)
    status, out, _ = call("search", "RUN", "a red square", "--table", index, "-k", "2", "--json")
    assert status == 0, out
    hits = json.loads(out)["hits"]
    assert (status, [hit["labels"] for hit in hits]) == (0, [["red", "square"]] * 2)
    assert hits[0].keys() == {
        *("name", "kind", "image", "video", "at", "start", "end", "text", "labels", "score", "distance"),
    }
    status, out, _ = call("search", "RUN", "a red square", "--table", index, "-k", "2", "-o", tmp_path / "hits.html")
    assert status == 0
    assert "pictures/red0.png" in out
    page = (tmp_path / "hits.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 2, "the pictures are read from their files"
    assert "a red square" in page
    shutil.rmtree(colours / "pictures")
    found = search("red", k=2)
    evil = replace(found.hits[0], text="<b>red", image="<i>.png")
    page = render_html(replace(found, query="<script>", hits=(evil, found.hits[1])))
    assert "data:image" not in page
    assert "<b>" not in page
    assert "&lt;b&gt;red" in page


def test_codes_are_a_thirty_second_of_the_vectors(embed, table, colours):
    embed(colours)
    vectors, _ = vectors_of(table(), "true")
    embed(colours, replace=True, codes=True)
    codes = codes_in(table().to_arrow().sort_by("id").combine_chunks())
    assert codes.nbytes * 32 == vectors.nbytes
    np.testing.assert_array_equal(unpack(codes), vectors > 0)
    assert set(COLOURS) <= {label for row in table().to_arrow()["label"].to_pylist() for label in row.split(";")}
