"""A table of documents says what the corpus says, and a text finds the passages that plain numpy finds."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from searching_tables import from_centre, rows_by_id, vectors_of
from searching_texts import nearest_passages, story
from tiny_texts import tokenizer, tower

import kinema
from kinema import cli
from kinema.core.errors import DataError, StorageError, UsageError
from kinema.data.documents import read_documents
from kinema.data.documents.reader import TextReader
from kinema.data.documents.table import Document, Documents
from kinema.data.video.manifest import Manifest
from kinema.searching import database
from kinema.searching.documents import encode
from kinema.searching.documents.embed import document_changes
from kinema.searching.documents.encode import parse_words
from kinema.searching.documents.schema import read_text_settings
from kinema.searching.html import render_html
from kinema.searching.index import has_index
from kinema.searching.lock import writing
from kinema.searching.schema import centre_of

KILLED = Path(__file__).with_name("killed_documents.py")


@pytest.fixture
def corpus(tmp_path):
    """Six documents in two classes, of 4 to 24 sentences."""
    root = tmp_path / "corpus"
    for number in range(6):
        path = root / ("even", "odd")[number % 2] / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(story(number, 4 + 4 * number))
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run: SimCSE for an epoch on eight documents."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "corpus").mkdir()
    for number in range(8):
        (folder / f"corpus/{number}.txt").write_text(story(100 + number, 12))
    settings = {"epochs": 1, "batch_size": 4, "collapse_rank": 0.0, "logger": "none", "device": "cpu"}
    kinema.pretrain("simcse", folder / "corpus", folder / "run", cache=folder / "cache", **settings)
    return folder / "run"


@pytest.fixture(scope="module")
def reader(trained, lancedb):
    return kinema.load(trained)


@pytest.fixture
def embed(reader, tmp_path):
    def run(data, **settings):
        settings = {"out": tmp_path / "index", "device": "cpu", "length": 10, **settings}
        return kinema.embed(settings.pop("model", reader), data, **settings)

    return run


@pytest.fixture
def search(reader, tmp_path):
    def run(text, **settings):
        return kinema.search(settings.pop("model", reader), text, **{"table": tmp_path / "index", **settings})

    return run


@pytest.fixture
def table(tmp_path):
    return lambda: database.require_table(str(tmp_path / "index"))


@pytest.fixture
def encoded(monkeypatch):
    """The documents that are encoded, as they are."""
    seen, passages = [], encode.TextEncoding.passages
    monkeypatch.setattr(
        encode.TextEncoding, "passages", lambda self, name, text: (seen.append(name), passages(self, name, text))[1]
    )
    return seen


def test_rows_are_passages_with_their_vectors_and_what_is_known_of_the_document(embed, table, corpus, reader):
    (corpus / "labels.csv").write_text("path,label,split,Start\nodd/1.txt,news,test,3\n")
    done = embed(corpus)
    assert (done.documents, done.added, done.failed) == (6, 6, {})
    vectors, rows = vectors_of(table(), "kind = 'passage'")
    assert len(rows) == done.passages == table().count_rows() - 6
    centre = centre_of(table())
    for vector, row in zip(vectors, rows, strict=True):
        text = (corpus / row["document"]).read_text()
        assert row["passage"] == text[row["start"] : row["end"]]
        assert row["words"] == len(row["passage"].split()) <= 10
        given = reader.encode_documents(row["passage"], normalize=False)
        np.testing.assert_allclose(vector, from_centre(given, centre), atol=1e-4)
    for name in {row["document"] for row in rows}:
        own = sorted((row for row in rows if row["document"] == name), key=lambda row: row["start"])
        assert [(row["start"], row["end"]) for row in own] == reader.passages((corpus / name).read_text(), 10)
    of_one = [row for row in rows if row["document"] == "odd/1.txt"]
    assert {(row["label"], row["split"], row["attribute_Start"]) for row in of_one} == {("news", "test", "3")}
    assert {row["label"] for row in rows if row["document"].startswith("even")} == {None}
    assert len({row["model"] for row in rows}) == len({row["settings"] for row in rows}) == 1


def test_a_whole_document_is_the_mean_of_its_passages_by_their_words(embed, table, corpus, reader):
    embed(corpus)
    wholes, documents = vectors_of(table(), "kind = 'document'")
    for vector, document in zip(wholes, documents, strict=True):
        text = (corpus / document["document"]).read_text()
        parts = [text[start:end] for start, end in reader.passages(text, 10)]
        given = reader.encode_documents(parts, normalize=False).astype(np.float64)
        mean = np.average(given, axis=0, weights=[len(part.split()) for part in parts])
        np.testing.assert_allclose(vector, from_centre(mean, centre_of(table())), atol=1e-4)
        assert (document["start"], document["end"], document["words"]) == (0, len(text), len(text.split()))


def test_only_what_changed_is_encoded_and_the_rest_keeps_its_bits(embed, table, corpus, encoded):
    embed(corpus)
    encoded.clear()
    again = embed(corpus)
    assert (again.unchanged, again.added, encoded) == (6, 0, [])
    before = rows_by_id(table(), "id", "vector")
    (corpus / "even/0.txt").write_text(story(50, 6))
    (corpus / "even/new.txt").write_text(story(51, 6))
    (corpus / "odd/3.txt").unlink()
    done = embed(corpus, remove=True)
    assert encoded == ["even/0.txt", "even/new.txt"]
    assert (done.added, done.changed, done.deleted, done.unchanged) == (1, 1, 1, 4)
    after = rows_by_id(table(), "id", "document", "vector")
    names = {"even/0.txt", "even/2.txt", "even/4.txt", "even/new.txt", "odd/1.txt", "odd/5.txt"}
    assert set(after["document"]) == names
    assert len(after["id"]) == len(set(after["id"])) == done.passages + done.documents
    old, new = (dict(zip(rows["id"], rows["vector"], strict=True)) for rows in (before, after))
    same = [name for name in new if name.startswith(("even/2", "even/4", "odd/"))]
    assert same
    assert all(new[name] == old[name] for name in same)


def test_vectors_do_not_depend_on_what_else_is_embedded(embed, table, corpus, tmp_path):
    """Fewer than 32 passages have no centre, so the tables can be compared bit for bit."""
    embed(corpus / "odd", length=50, out=tmp_path / "odd")
    (tmp_path / "alone").mkdir()
    shutil.copy(corpus / "odd/5.txt", tmp_path / "alone/5.txt")
    embed(tmp_path / "alone", length=50, out=tmp_path / "one")
    several, one = (database.require_table(str(tmp_path / name)) for name in ("odd", "one"))
    assert centre_of(several) is None
    rows = rows_by_id(several, "id", "vector")
    held = dict(zip(rows["id"], rows["vector"], strict=True))
    alone = rows_by_id(one, "id", "vector")
    assert len(alone["id"]) > 3
    assert all(held[name] == vector for name, vector in zip(alone["id"], alone["vector"], strict=True))


def test_new_labels_are_written_without_encoding(embed, table, corpus, encoded):
    embed(corpus)
    before = rows_by_id(table(), "id", "vector", "passage")
    encoded.clear()
    (corpus / "labels.csv").write_text("path,label,author\nodd/1.txt,news,smith\n")
    done = embed(corpus)
    assert (done.updated, done.added, done.changed, encoded) == (6, 0, 0, [])
    assert rows_by_id(table(), "id", "vector", "passage") == before
    assert table().count_rows("label = 'news' AND author = 'smith'") > 2
    (corpus / "labels.csv").unlink()
    embed(corpus)
    assert table().count_rows("author IS NOT NULL") == 0


def test_empty_documents_are_named_and_unreadable_ones_stay_as_they_were(embed, table, corpus):
    (corpus / "empty.txt").write_text(" \n")
    done = embed(corpus)
    assert done.failed == {"empty.txt": "there is no word in it"}
    (corpus / "even/0.txt").write_text("")
    (corpus / "odd/1.txt").write_bytes(b"caf\xe9 au lait, no UTF-8")
    done = embed(corpus, remove=True)
    assert sorted(done.failed) == ["empty.txt", "even/0.txt", "odd/1.txt"]
    assert (done.deleted, done.documents) == (1, 5)
    assert table().count_rows("document = 'odd/1.txt'") > 1
    (corpus / "only").mkdir()
    (corpus / "only/a.txt").write_text("")
    with pytest.raises(DataError, match=r"None of the 1 documents could be embedded: 'a\.txt' \(there is no word"):
        embed(corpus / "only", out=corpus / "other")


def test_short_documents_and_duplicates_are_found_too(embed, search, corpus):
    (corpus / "short.txt").write_text("Zebra")
    shutil.copy(corpus / "odd/5.txt", corpus / "copy.txt")
    assert embed(corpus).documents == 8
    assert search("Zebra", k=1).hits[0].document == "short.txt"


def test_what_vanished_is_taken_out_only_where_the_corpus_was_read():
    names = ("a.jsonl#1", "sub/b.txt", "c.txt", "d.jsonl#7")
    facts = {name: ("digest", "facts", name.partition("#")[0]) for name in names}
    rows = (
        Document("a.jsonl", "a.jsonl", health="unreadable", reason="Permission denied"),
        Document("sub", "sub", health="unreadable", reason="Permission denied"),
    )
    found = document_changes(Documents(Path(), rows), facts)
    assert found.deleted == ["c.txt", "d.jsonl#7"]
    assert sorted(found.failed) == ["a.jsonl", "sub"]
    assert document_changes(Documents(Path(), ()), facts, "c.txt").deleted == ["c.txt"]


def test_one_file_of_a_corpus_leaves_the_other_documents_alone(embed, table, tmp_path):
    root = tmp_path / "tables"
    root.mkdir()

    def write(name, seeds):
        lines = [json.dumps({"id": f"d{seed}", "text": story(seed, 5)}) for seed in seeds]
        (root / name).write_text("\n".join(lines))

    write("a.jsonl", [1, 2, 3])
    write("b.jsonl", [4, 5])
    assert embed(root).added == 5
    write("a.jsonl", [1, 3, 6])
    done = embed(root / "a.jsonl", remove=True)
    assert (done.added, done.deleted, done.unchanged, done.documents) == (1, 1, 2, 5)
    names = set(rows_by_id(table(), "document")["document"])
    assert names == {"a.jsonl#d1", "a.jsonl#d3", "a.jsonl#d6", "b.jsonl#d4", "b.jsonl#d5"}
    assert embed(root).unchanged == 5


def test_documents_that_changed_since_their_table_was_made_are_named(embed, table, tmp_path):
    lines = [json.dumps({"text": story(seed, 5)}) for seed in range(4)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    documents = read_documents(tmp_path / "a.jsonl")
    lines[1] = json.dumps({"text": "Another text stands here now."})
    (tmp_path / "a.jsonl").write_text("\n".join(lines[:3]))
    done = embed(documents)
    assert done.documents == 2
    assert sorted(done.failed) == ["a.jsonl#2", "a.jsonl#4"]
    assert "its text is another one" in done.failed["a.jsonl#2"]


@pytest.mark.parametrize("name", ["a'b.txt", "x\ny.txt", "a#3.txt", "café ☕.txt", "' OR '1'='1.txt"])
def test_names_that_are_no_sql_and_no_format(embed, search, tmp_path, name):
    root = tmp_path / "odd"
    root.mkdir()
    (root / name).write_text(story(1, 5))
    (root / "plain.txt").write_text(story(2, 5))
    embed(root)
    assert search(root / name, over="documents", k=1).hits[0].document == name
    assert [hit.document for hit in search(root / name, over="documents", others=True).hits] == ["plain.txt"]
    (root / name).unlink()
    assert (embed(root, remove=True).deleted, embed(root).documents) == (1, 1)


SLOWLY = [pytest.param(moment, marks=pytest.mark.slow) for moment in ("after a commit", "before tidying")]


@pytest.mark.parametrize("moment", ["between", *SLOWLY])
def test_killed_and_gone_on_with_the_table_equals_an_uninterrupted_one(trained, corpus, moment, tmp_path, lancedb):
    shutil.copytree(trained, tmp_path / "run")
    given = [sys.executable, KILLED, tmp_path / "run", corpus, moment]
    stop = subprocess.run(given, capture_output=True, text=True, timeout=240)
    assert stop.returncode == -signal.SIGKILL, stop.stderr
    held = database.require_table(str(tmp_path / "run/index")).count_rows("kind = 'document'")
    assert held == 6 if moment == "before tidying" else 2 <= held <= 3
    done = kinema.embed(tmp_path / "run", corpus, device="cpu")
    assert (done.unchanged, done.added) == (held, 6 - held)
    kinema.embed(tmp_path / "run", corpus, out=tmp_path / "whole", device="cpu")
    resumed, whole = (database.require_table(str(where)) for where in (tmp_path / "run/index", tmp_path / "whole"))
    assert rows_by_id(resumed) == rows_by_id(whole)
    assert resumed.schema.metadata == whole.schema.metadata


def test_the_nearest_are_those_of_plain_numpy(embed, search, table, corpus, reader):
    embed(corpus, length=6)
    vectors, rows = vectors_of(table(), "kind = 'passage'")
    some = [at for at, row in enumerate(rows) if row["label"] == "odd" and row["words"] > 4]
    assert 10 < len(some) < len(rows)
    for query in ("River stone light.", "a garden in winter", "paper river"):
        given = from_centre(reader.encode_documents(query, normalize=False), centre_of(table()))
        for where, mine in ((None, range(len(rows))), ("label = 'odd' AND words > 4", some)):
            expected, scores = nearest_passages(vectors[list(mine)], [rows[at] for at in mine], given, 5)
            found = search(query, k=5, where=where)
            assert found.exact
            assert [(hit.document, hit.start, hit.end, hit.passage) for hit in found.hits] == expected
            np.testing.assert_allclose(found.hits[0].score, scores.max(), atol=1e-5)
    passage = rows[7]["passage"]
    hit = search(passage, k=1).hits[0]
    assert hit.passage == passage
    assert hit.score == pytest.approx(1, abs=1e-5)
    assert hit.plain().keys() == {"document", "start", "end", "passage", "score"}


def test_whole_documents_are_compared_too_and_ones_own_can_be_left_out(embed, search, corpus):
    embed(corpus)
    file = corpus / "odd/5.txt"
    found = search(str(file), over="documents", k=3)
    assert found.query == str(file)
    assert found.hits[0].document == "odd/5.txt"
    assert found.hits[0].score == pytest.approx(1, abs=1e-5)
    assert found.hits[0].passage == ""
    assert "odd/5.txt" not in {hit.document for hit in search(file, others=True, k=20).hits}
    with pytest.raises(UsageError, match="words are of no document"):
        search("river", others=True)
    with pytest.raises(UsageError, match="nothing called 'windows'"):
        search("river", over="windows")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (" \n", "holds no word"),
        ("?!", "holds no word"),
        ("clip.mp4", "a video or a picture, and this run reads text"),
        ("clip.mp4@1-2", "a video or a picture"),
        ("still.png", "a video or a picture"),
        (Path("nowhere.txt"), r"the path 'nowhere\.txt'"),
        (7, "The query is a int"),
    ],
)
def test_queries_that_are_no_text(embed, search, corpus, query, said):
    embed(corpus)
    with pytest.raises(UsageError, match=said):
        search(query)


def test_words_about_a_video_are_words(embed, search, corpus):
    embed(corpus)
    assert search("what is in clip.mp4", k=1).hits
    assert search("a" * 5000, k=1).hits
    assert search("\udcff half a surrogate", k=1).hits


def test_another_encoder_and_other_words_are_refused(embed, search, table, corpus, reader):
    embed(corpus)
    other = TextReader(tower(), tokenizer(), name="other")
    with pytest.raises(DataError, match="made by another encoder: its encoder's weights are"):
        embed(corpus, model=other)
    with pytest.raises(DataError, match="another encoder"):
        search("river", model=other)
    with pytest.raises(DataError, match="same encoder under other settings: words is 10 there and 20 here"):
        embed(corpus, length=20)
    assert embed(corpus, length=None).unchanged == 6  # what is not said is as the table has it
    assert embed(corpus, length="20w", replace=True).added == 6
    assert read_text_settings(table(), "").words == 20
    assert parse_words(None) is None
    for wrong in ("2s", "0", -1, 1.5, "many"):
        with pytest.raises(UsageError, match="number of words"):
            embed(corpus, length=wrong)


def test_another_corpus_is_refused_and_a_moved_one_is_not(embed, search, table, corpus, tmp_path):
    embed(corpus)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.txt").write_text(story(70, 5))
    with pytest.raises(DataError, match="has 0 of its 6"):
        embed(tmp_path / "elsewhere")
    assert table().count_rows("kind = 'document'") == 6
    corpus.rename(tmp_path / "moved")
    done = embed(tmp_path / "moved")
    assert (done.unchanged, done.added, done.deleted) == (6, 0, 0)
    assert search("river").root == (tmp_path / "moved").resolve()


def test_two_at_once_are_kept_apart(embed, corpus, tmp_path):
    embed(corpus)
    with (
        writing(str(tmp_path / "index"), tmp_path / "index"),
        pytest.raises(StorageError, match=rf"Another process \(number {os.getpid()}\) is writing"),
    ):
        embed(corpus)


def test_an_index_finds_most_and_bad_conditions_name_the_columns(embed, search, table, corpus):
    for number in range(4):
        (corpus / f"long{number}.txt").write_text(story(200 + number, 160))
    done = embed(corpus, length=3, index="ivf-pq")
    assert (done.index.kind, has_index(table())) == ("ivf-pq", "ivf-pq")
    assert 0.5 < done.index.recall <= 1
    assert {tuple(each.columns) for each in table().list_indices()} == {("vector",), ("kind",), ("document",)}
    assert not search("river", k=3, exact=False).exact
    assert search("river", k=3, where="document = 'long1.txt'").hits[0].document == "long1.txt"
    with pytest.raises(UsageError, match="there is no column 'duration'") as error:
        search("river", where="duration > 2")
    assert "words, passage" in error.value.hint


def test_a_table_of_documents_is_clustered_and_not_served_or_deduped(embed, reader, corpus, tmp_path):
    embed(corpus)
    where = {"table": tmp_path / "index"}
    found = kinema.cluster(tmp_path, k=2, **where)
    assert sum(cluster.size for cluster in found.clusters) == 6
    shown = found.plain()["clusters"][0]["representatives"][0]
    assert shown.keys() == {"document", "start", "end"}
    kinema.cluster(tmp_path, names={0: "one"}, **where)
    passages = kinema.cluster(tmp_path, k=3, over="passages", **where)
    assert sum(cluster.size for cluster in passages.clusters) > 20
    with pytest.raises(UsageError, match="nothing called 'videos'"):
        kinema.cluster(tmp_path, k=2, over="videos", **where)
    with pytest.raises(DataError, match=r"needs a table of videos, and the one in .* holds documents"):
        kinema.dedupe(tmp_path, **where)
    serving = pytest.importorskip("kinema.serving")
    pytest.importorskip("fastapi", reason="the extra kinema[serve] is not installed")
    with pytest.raises(DataError, match="kinema serve needs a table of videos"):
        serving.app(reader, **where)


def test_each_modality_says_what_it_needs(embed, search, reader, model, corpus, videos, tmp_path):
    with pytest.raises(DataError, match=r"made reads videos, and .* holds 6 documents"):
        kinema.embed(model, corpus, out=tmp_path / "new")
    with pytest.raises(DataError, match="made reads videos"):
        kinema.embed(model, read_documents(corpus), out=tmp_path / "new")
    with pytest.raises(DataError, match=r"A method of text reads documents, and .* holds 6 videos\."):
        embed(videos)
    with pytest.raises(DataError, match="a Manifest was given"):
        embed(Manifest(videos, ()))
    assert not (tmp_path / "new/windows.lance").exists()
    embed(corpus)
    kinema.embed(model, videos, out=tmp_path / "seen", device="cpu")
    with pytest.raises(DataError, match="An encoder of video needs a table of videos"):
        kinema.search(model, videos / "left/l0.mp4", table=tmp_path / "index")
    with pytest.raises(DataError, match="An encoder of video needs a table of videos"):
        kinema.embed(model, videos, out=tmp_path / "index")
    with pytest.raises(DataError, match="An encoder of text needs a table of documents"):
        search("river", table=tmp_path / "seen")
    with pytest.raises(DataError, match="An encoder of text needs a table of documents"):
        embed(corpus, out=tmp_path / "seen")
    with pytest.raises(DataError, match="no 'a river in winter' to search with") as error:
        kinema.search(model, "a river in winter", table=tmp_path / "seen")
    assert "A run of text" in error.value.hint
    for name, value in {"stride": "2s", "space": "projection", "engine": "ray"}.items():
        with pytest.raises((UsageError, ImportError), match=rf"{name} is '{value}'|ray"):
            embed(corpus, **{name: value})


def test_a_folder_of_both_feeds_each_run_its_own(embed, model, corpus, videos, tmp_path):
    shutil.copytree(videos, corpus / "clips")
    done = embed(corpus)
    assert done.documents == 6
    assert "holds 6 videos and 6 documents; simcse reads the documents" in done.note
    assert kinema.embed(model, corpus, out=tmp_path / "seen", device="cpu").videos == 6


def test_the_page_escapes_passages(embed, search, corpus):
    (corpus / "odd.txt").write_text("Zebra <script>alert(1)</script> & zebra.")
    embed(corpus)
    page = render_html(search("Zebra <b>", k=2))
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; zebra." in page
    assert "<script>" not in page
    assert "Zebra &lt;b&gt;" in page
    assert "odd.txt, characters 0 to 40" in page


def test_the_verbs(trained, corpus, tmp_path, monkeypatch, capsys, lancedb):
    shutil.copytree(trained, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    (corpus / "empty.txt").write_text("")

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    status, out, err = call("embed", "run", "corpus", "--length", "12", "--json", "--device", "cpu")
    said = json.loads(out)
    assert status == 0
    assert said["failed"] == [{"path": "empty.txt", "reason": "there is no word in it"}]
    assert "1 document could not be embedded" in err
    keys = "table documents passages added changed updated deleted kept unlisted unchanged seconds failed index note"
    assert said.keys() == set(keys.split())
    status, out, _ = call("embed", "run", "corpus")
    assert "6 documents" in out
    assert "6 documents unchanged" in out
    status, out, err = call("search", "run", "a river in winter", "-k", "3", "--json", "-o", "page.html")
    said = json.loads(out)
    assert (status, err) == (0, "")
    assert said["query"] == "a river in winter"
    assert len(said["hits"]) == 3
    for hit in said["hits"]:
        assert hit.keys() == {"document", "start", "end", "passage", "score"}
        assert (corpus / hit["document"]).read_text()[hit["start"] : hit["end"]] == hit["passage"]
    assert "a river in winter" in (tmp_path / "page.html").read_text()
    status, out, _ = call("search", "run", "a river in winter", "-k", "2")
    assert "passage" in out
    status, out, _ = call("cluster", "run", "-k", "2")
    assert ".txt" in out
    status, out, err = call("search", "run", "clip.mp4", "--json")
    assert (status, json.loads(out)["error"]["kind"]) == (2, "usage")
    assert "Traceback" not in err
