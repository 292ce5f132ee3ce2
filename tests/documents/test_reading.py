import json
import logging
import os

import pyarrow
import pytest
from pyarrow import parquet

from kinema.core.errors import ConfigError, DataError
from kinema.data.documents import Documents, read_documents

FOX = "The quick brown fox jumps over the lazy dog."
OWL = "An owl sleeps in the old barn by day."


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def reasons(table):
    return {row.id: (row.health, row.reason) for row in table.rows if row.health != "ok"}


def test_a_folder_of_texts_is_a_document_a_file(tmp_path):
    write(tmp_path / "b.txt", OWL)
    write(tmp_path / "deep" / "er" / "a.TXT", FOX)
    write(tmp_path / ".hidden" / "c.txt", "not to be read at all")
    write(tmp_path / "notes.md", "not to be read at all")
    table = read_documents(tmp_path)
    assert [row.id for row in table.rows] == ["b.txt", "deep/er/a.TXT"]
    assert list(table.texts()) == [OWL, FOX]
    assert table.rows[0].words == 9
    assert table.rows[0].characters == table.rows[0].size == len(OWL)
    assert table.labels() == (None, None)


def test_class_folders_are_labels_where_every_file_lies_in_one(tmp_path):
    write(tmp_path / "neg" / "0.txt", FOX)
    write(tmp_path / "pos" / "0.txt", OWL)
    table = read_documents(tmp_path)
    assert table.labels() == ("neg", "pos")
    assert table.label_ids() == (0, 1)
    write(tmp_path / "stray.txt", "this one lies beside the folders")
    assert read_documents(tmp_path).labels() == (None, None, None)


def test_labels_csv_says_what_the_files_are(tmp_path):
    write(tmp_path / "a.txt", FOX)
    write(tmp_path / "b.txt", OWL)
    write(
        tmp_path / "labels.csv", "path,label,source,split,author\na.txt,animal,book,train,Ann\nb.txt,bird,book,test,\n"
    )
    table = read_documents(tmp_path)
    assert table.labels() == ("animal", "bird")
    assert table.source_ids() == (0, 0)
    assert [row.id for row in table.select({"split": "test"}).rows] == ["b.txt"]
    assert [row.id for row in table.select({"author": "Ann", "label": "animal"}).rows] == ["a.txt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,label\na.txt,x\n", "there is no column 'path'"),
        ("path,label\nb.txt,x\n", "1 of 1 files are not there: 'b.txt' (line 2)"),
        ("path,label\na.txt,x\na.txt,y\n", "line 3, column 'path': 'a.txt' stands in line 2"),
        ("path,label\na.txt,x,y\n", "line 2: it has more columns"),
    ],
)
def test_a_labels_csv_that_does_not_fit_is_refused(tmp_path, content, message):
    write(tmp_path / "a.txt", FOX)
    write(tmp_path / "labels.csv", content)
    with pytest.raises(DataError, match=r"labels\.csv") as caught:
        read_documents(tmp_path)
    assert message in caught.value.message


ROWS = [
    {"id": "fox", "text": FOX, "label": "animal", "split": "train", "year": 1999},
    {"id": "owl", "text": OWL + '\nIt wakes, "hoots" and flies.', "label": None, "split": "test", "year": 2001},
]


def write_rows(path, rows):
    kind = path.suffix
    if kind == ".jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in rows))
    elif kind == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        comma = "," if kind == ".csv" else "\t"
        quoted = [['"' + str("" if v is None else v).replace('"', '""') + '"' for v in row.values()] for row in rows]
        write(path, "\r\n".join(comma.join(line) for line in [list(rows[0]), *quoted]) + "\r\n")
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_a_table_is_a_document_a_row(tmp_path, kind):
    table = read_documents(write_rows(tmp_path / f"corpus.{kind}", ROWS))
    assert [row.id for row in table.rows] == [f"corpus.{kind}#fox", f"corpus.{kind}#owl"]
    assert list(table.texts()) == [row["text"] for row in ROWS]
    assert list(table.texts([1, 0, 1])) == [ROWS[1]["text"], ROWS[0]["text"], ROWS[1]["text"]]
    assert table.text(1) == ROWS[1]["text"]
    assert table.labels() == ("animal", None)
    assert table.select({"year": "1999"}).rows == table.rows[:1]
    assert [row.split for row in table.rows] == ["train", "test"]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_table_without_a_column_text_is_refused_and_its_columns_are_named(tmp_path, kind):
    path = write_rows(tmp_path / f"corpus.{kind}", [{"body": FOX, "title": "fox"}])
    for place in (path, tmp_path):
        with pytest.raises(DataError, match="has no column 'text'; it has: body, title"):
            read_documents(place)


def test_a_table_of_something_else_in_a_folder_of_texts_is_passed_over(tmp_path, caplog):
    write(tmp_path / "a.txt", FOX)
    write(tmp_path / "prices.csv", "item,price\nbook,3\n")
    with caplog.at_level(logging.WARNING):
        assert [row.id for row in read_documents(tmp_path).rows] == ["a.txt"]
    assert "has no column 'text'; it has: item, price" in caplog.text


def test_bad_lines_of_json_are_named_and_the_rest_is_read(tmp_path):
    lines = [
        json.dumps({"text": FOX}),
        "",
        '{"text": "cut off',
        "[1, 2]",
        '{"body": "no text here"}',
        '{"text": 7}',
        '{"text": null}',
        '{"text": "half a pair \\ud800 of words"}',
        "[" * 100_000,
        json.dumps({"text": OWL}),
    ]
    table = read_documents(
        write(tmp_path / "corpus.jsonl", "\n".join(lines).encode() + b'\n{"text": "caf\xe9 au lait"}')
    )
    assert [row.id for row in table.usable().rows] == ["corpus.jsonl#1", "corpus.jsonl#10"]
    assert list(table.usable().texts()) == [FOX, OWL]
    found = reasons(table)
    assert "line 3 is not JSON: Unterminated string" in found["corpus.jsonl#3"][1]
    assert found["corpus.jsonl#4"] == ("unreadable", "line 4 is a list; expected an object")
    assert found["corpus.jsonl#5"] == ("unreadable", "line 5 has no 'text'; it has: body")
    assert found["corpus.jsonl#6"] == ("unreadable", "line 6: 'text' is a int; expected a string")
    assert found["corpus.jsonl#7"][0] == "empty"
    assert "half of a surrogate pair, U+D800" in found["corpus.jsonl#8"][1]
    assert found["corpus.jsonl#9"][1] == "line 9 is nested too deeply"
    assert "line 11: byte 0xe9 is not UTF-8" in found["corpus.jsonl#11"][1]


def test_bad_lines_of_csv_are_named_and_the_rest_is_read(tmp_path):
    content = b'text,label\n"' + FOX.encode() + b'",a\n\nonly one column\nna\xefve words of an owl,b\n'
    content += OWL.encode() + b',b\n"never closed,c\n'
    table = read_documents(write(tmp_path / "corpus.csv", content))
    assert list(table.usable().texts()) == [FOX, OWL]
    assert table.usable().labels() == ("a", "b")
    assert reasons(table) == {
        "corpus.csv#2": ("unreadable", "line 4 has 1 columns, the head 2"),
        "corpus.csv#3": (
            "unreadable",
            "line 5: byte 0xef is not UTF-8; save it as UTF-8, or name its encoding, for instance encoding='latin-1'",
        ),
        "corpus.csv#5": ("unreadable", "line 7 is not CSV: unexpected end of data"),
    }
    assert read_documents(tmp_path / "corpus.csv", encoding="latin-1").text(2) == "naïve words of an owl"


def test_a_field_of_csv_may_be_long(tmp_path):
    table = read_documents(write(tmp_path / "corpus.csv", "text\n" + "word " * 50_000 + "\n"))
    assert table.rows[0].words == 50_000
    assert table.text(0) == "word " * 50_000


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_are_honoured(tmp_path, codec):
    text = "Über den Wölfen 雨 fällt der Regen."
    write(tmp_path / "a.txt", text.encode(codec))
    write(tmp_path / "b.jsonl", (json.dumps({"text": text + " 1"}, ensure_ascii=False) + "\n").encode(codec))
    write(tmp_path / "c.csv", f"text,label\n{text} 2,x\n".encode(codec))
    table = read_documents(tmp_path)
    assert list(table.texts()) == [text, text + " 1", text + " 2"]


def test_what_is_not_of_the_encoding_is_named_and_never_replaced(tmp_path):
    write(tmp_path / "latin.txt", "a café on the corner".encode("latin-1"))
    write(tmp_path / "marked.txt", "a café on the other corner".encode())
    write(tmp_path / "naked.txt", "UTF-16 without a mark".encode("utf-16-le"))
    found = reasons(read_documents(tmp_path))
    assert found["latin.txt"] == (
        "unreadable",
        "byte 0xe9 at offset 5 is not UTF-8; save it as UTF-8, or name its encoding, for instance encoding='latin-1'",
    )
    assert "null characters" in found["naked.txt"][1]
    assert "marked.txt" not in found
    table = read_documents(tmp_path, encoding="latin-1")
    assert table.text(0) == "a café on the corner"
    with pytest.raises(ConfigError, match="There is no encoding 'klingon'"):
        read_documents(tmp_path, encoding="klingon")


def test_empty_short_and_repeated_documents_are_named(tmp_path):
    for name, text in {
        "a": FOX,
        "b": " \n\t ",
        "c": "two words",
        "d": FOX.replace(" ", "\n  ") + "\n",
        "e": OWL,
    }.items():
        write(tmp_path / f"{name}.txt", text)
    table = read_documents(tmp_path)
    assert reasons(table) == {
        "b.txt": ("empty", "there is no word in it"),
        "c.txt": ("short", "2 words; at least 4 are needed"),
        "d.txt": ("duplicate", "the same text as 'a.txt'"),
    }
    assert list(table.usable().texts()) == [FOX, OWL]
    assert "c.txt" not in reasons(read_documents(tmp_path, min_words=2))


def test_japanese_is_not_short_for_want_of_spaces(tmp_path):
    write(tmp_path / "a.txt", "吾輩は猫である。")
    assert read_documents(tmp_path).rows[0].health == "ok"


def test_links_pipes_and_names_that_are_not_utf8_do_no_harm(tmp_path):
    write(tmp_path / "in" / "a.txt", FOX)
    (tmp_path / "in" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "in" / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    (tmp_path / "in" / "self.txt").symlink_to(tmp_path / "in" / "self.txt")
    os.mkfifo(tmp_path / "in" / "pipe.txt")
    write(tmp_path / "in" / os.fsdecode(b"caf\xe9.txt"), OWL)
    table = read_documents(tmp_path / "in")
    found = reasons(table)
    assert "pipe" in found["pipe.txt"][1]
    assert "link" in found["gone.txt"][1]
    assert found["self.txt"][0] == "unreadable"
    assert found["caf\\xe9.txt"] == ("unreadable", "the file's name is not UTF-8; rename it")
    assert [row.id for row in table.usable().rows] == ["a.txt"]
    table.write(tmp_path / "table.parquet")


def test_a_broken_table_in_a_folder_is_named_and_alone_is_refused(tmp_path):
    write(tmp_path / "a.txt", FOX)
    write(tmp_path / "b.parquet", b"PAR1 and nothing more")
    assert reasons(read_documents(tmp_path))["b.parquet"][0] == "unreadable"
    with pytest.raises(DataError, match="could not be read"):
        read_documents(tmp_path / "b.parquet")


def test_where_there_is_nothing_the_message_says_what_is_read(tmp_path):
    with pytest.raises(DataError, match="There are no documents") as caught:
        read_documents(tmp_path)
    assert ".jsonl" in caught.value.hint
    with pytest.raises(DataError, match="There is no folder or file"):
        read_documents(tmp_path / "nowhere")
    with pytest.raises(DataError, match="does not end like a file of documents"):
        read_documents(write(tmp_path / "film.mp4", b"0"))


@pytest.mark.parametrize("name", ["table.parquet", "table.json"])
def test_a_table_is_written_and_read_back(tmp_path, name):
    write(tmp_path / "corpus" / "a.txt", FOX.encode("latin-1"))
    write_rows(tmp_path / "corpus" / "b.jsonl", ROWS[1:])
    table = read_documents(tmp_path / "corpus", encoding="latin-1")
    table.write(tmp_path / name)
    again = read_documents(tmp_path / name)
    assert again == table
    assert again.digest == table.digest
    texts = list(table.texts())
    assert list(again.texts()) == texts
    os.rename(tmp_path / "corpus", tmp_path / "moved")
    assert list(Documents.read(tmp_path / name, tmp_path / "moved").texts()) == texts
    os.rename(tmp_path / name, tmp_path / "moved" / name)
    assert list(read_documents(tmp_path / "moved" / name).texts()) == texts


def test_what_is_no_table_is_refused(tmp_path):
    for path in (write(tmp_path / "a.json", "{}"), write_rows(tmp_path / "b.parquet", ROWS), tmp_path / "c.parquet"):
        with pytest.raises(DataError, match="table of documents"):
            Documents.read(path)


def test_a_document_that_changed_is_refused_when_it_is_read(tmp_path):
    path = write_rows(tmp_path / "corpus.jsonl", ROWS)
    table = read_documents(path)
    write_rows(path, [ROWS[0], {**ROWS[1], "text": "something else altogether here"}])
    texts = table.texts()
    assert next(texts) == FOX
    with pytest.raises(DataError, match=r"corpus\.jsonl#owl' is not what it was"):
        next(texts)
    write_rows(path, ROWS[:1])
    with pytest.raises(DataError, match="it is not there"):
        table.text(1)
    answers = list(table.answers([1, 0]))
    assert isinstance(answers[0], DataError)
    assert answers[1] == FOX
    path.unlink()
    assert all(isinstance(answer, DataError) for answer in table.answers())


def test_the_digest_is_that_of_what_learning_depends_on(tmp_path):
    write(tmp_path / "a" / "x.txt", FOX)
    write(tmp_path / "b" / "x.txt", FOX)
    one, other = read_documents(tmp_path / "a"), read_documents(tmp_path / "b")
    assert one.digest == other.digest
    write(tmp_path / "b" / "x.txt", OWL)
    assert read_documents(tmp_path / "b").digest != one.digest


def test_select_names_what_there_is(tmp_path):
    table = read_documents(write_rows(tmp_path / "corpus.jsonl", ROWS))
    with pytest.raises(DataError, match="No document has 'colour'") as caught:
        table.select({"colour": "red"})
    assert caught.value.hint == "Select by one of: label, source, split, health, id, year."
    with pytest.raises(DataError, match="No document has split=valid among the 2") as caught:
        table.select({"split": "valid"})
    assert caught.value.hint == "The values of split are: test, train."


def test_ids_that_repeat_give_way_to_rows(tmp_path, caplog):
    table = read_documents(write_rows(tmp_path / "corpus.jsonl", [ROWS[0], {**ROWS[1], "id": "fox"}]))
    assert [row.id for row in table.rows] == ["corpus.jsonl#1", "corpus.jsonl#2"]
    assert "'fox' more than once" in caplog.text
    assert table.rows[1].attributes["id"] == "fox"
