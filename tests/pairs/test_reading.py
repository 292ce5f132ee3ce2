"""What tables, folders and layouts of pairs say, and what of them cannot be read."""

import json
import logging

import numpy as np
import pytest
from made_pairs import picture, save, write_pairs, write_table, write_vectors
from PIL import Image

from kinema.core.errors import DataError, UsageError
from kinema.core.pairs import PairNeeds
from kinema.data.pairs.choosing import chosen, described
from kinema.data.pairs.config import PairsConfig
from kinema.data.pairs.reading import read_pairs
from kinema.data.pictures import read_picture

BOTH = [PairNeeds()]


def test_a_table_with_all_that_it_may_say(tmp_path):
    save(tmp_path / "a b.png", picture())
    absolute = save(tmp_path / "elsewhere" / "c.png", picture("blue"))
    write_table(
        tmp_path / "set",
        [
            '../a b.png,A red one,"square; red;;red ",Train,first,film,studio',
            f"{absolute},Ein blaues,blue,query,,,",
            "../a b.png,again,red,database,,,",
        ],
        "image,text,labels,split,name,source,author",
    )
    table = read_pairs(tmp_path / "set")
    first, second, third = table.rows
    assert first.labels == ("red", "square")
    assert (first.name, first.source, first.split, dict(first.attributes)) == (
        "first",
        "film",
        "train",
        {"author": "studio"},
    )
    assert (second.name, second.split, second.health) == (str(absolute), "test", "ok")
    assert (third.name, third.source, third.split) == ("../a b.png", "../a b.png", None)
    assert table.split_from == "data"
    assert table.reading.origin == "table"
    assert len({row.digest for row in table.rows}) == 3
    assert table.digest == read_pairs(tmp_path / "set" / "pairs.csv").digest


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8-sig", ","), ("utf-16", "\t"), ("utf-8", ";"), ("cp1252", ";")]
)
def test_as_spreadsheets_save(tmp_path, encoding, separator):
    save(tmp_path / "é.png", picture())
    rows = [separator.join(["é.png", '"Ein Café, rot"', '"red;café"']), separator.join(["", "nur Text", "red"])]
    write_table(tmp_path, ["", *rows], separator.join(["Image", "TEXT", " Labels "]), encoding=encoding)
    table = read_pairs(tmp_path, held_out=0)
    assert [row.labels for row in table.rows] == [("café", "red"), ("red",)]
    assert [row.name for row in table.rows] == ["é.png", "row 2"]
    assert {row.health for row in table.rows} == {"ok"}


def test_accents_in_another_form_are_the_same_file_text_and_label(tmp_path):
    save(tmp_path / "e\u0301.png", picture())
    write_table(tmp_path, ["\u00e9.png,cafe\u0301,caf\u00e9", "e\u0301.png,caf\u00e9,cafe\u0301"])
    one, two = read_pairs(tmp_path, held_out=0).rows
    assert one.health == two.health == "ok"
    assert (one.text, one.labels) == (two.text, two.labels) == ("caf\u00e9", ("caf\u00e9",))


def test_texts_may_be_long(tmp_path):
    save(tmp_path / "a.png", picture())
    write_table(tmp_path, ["a.png," + "word " * 100_000 + ",red"])
    assert len(read_pairs(tmp_path, held_out=0).rows[0].text) == 499_999


def test_records_of_json(tmp_path):
    save(tmp_path / "a.png", picture())
    lines = [
        {"image": "a.png", "text": "A red one", "labels": ["red", "x;y"]},
        {"text": 7, "labels": "a;b", "at": None},
    ]
    lines.append({"text": "two\u2028lines", "labels": "a"})
    (tmp_path / "pairs.jsonl").write_text("\r\n\n".join(json.dumps(x, ensure_ascii=False) for x in lines), "utf-8")
    one, two, three = read_pairs(tmp_path, held_out=0).rows
    assert (one.labels, two.labels, two.text) == (("red", "x;y"), ("a", "b"), "7")
    assert three.text == "two\u2028lines", "what ends a line of JSON is a line feed alone"
    for line, said in (("[1]", "line 1: it is a list"), ("{", "line 1: it is no JSON"), ('{"text": {}}', "a dict")):
        (tmp_path / "pairs.jsonl").write_text(line)
        with pytest.raises(DataError, match=said):
            read_pairs(tmp_path)


@pytest.mark.parametrize(
    ("head", "rows", "said"),
    [
        ("image,text,labels", [], "no row below its head"),
        ("picture,words", ["a,b"], "neither a column 'image' nor a column 'text' among: picture, words"),
        ("image,text,Image", ["a,b,c"], "two columns 'image'"),
        ("image,text,labels,label", ["a,b,c,d"], "a column 'labels' and a column 'label'"),
        ("image,text,name", [",b,x", ",c,x"], "line 2, column 'name': 'x' stands in line 3 too"),
        ("image,text,at", ["a.mp4,b,soon"], "line 2, column 'at': 'soon' is no number of seconds"),
        ("image,text,labels", ["a,b,c,d"], "line 2: it has more columns"),
        ("image,text,labels", ["no.png,,red"], "None of the 1 pairs .* a missing picture: 'no.png' is not there"),
    ],
)
def test_tables_that_are_none(tmp_path, head, rows, said):
    write_table(tmp_path, rows, head)
    with pytest.raises(DataError, match=said) as error:
        read_pairs(tmp_path)
    assert error.value.hint


def test_what_cannot_be_read_is_counted_and_named(tmp_path, caplog):
    write_pairs(tmp_path)
    (tmp_path / "broken.png").write_bytes((tmp_path / "images/red-square-0.png").read_bytes()[:60])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "film.mp4").write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    rows = (tmp_path / "pairs.csv").read_text().splitlines()
    rows += ["gone.png,words,red", "broken.png,words,red", "empty.png,words,red", "film.mp4,words,red"]
    rows += ["folder.png,words,red", ",words,red", "images/red-square-0.png,,red", "images/red-square-1.png,?!,red"]
    rows += ["images/red-stripe-0.png,words,", "images/red-stripe-1.png,words,odd"]
    write_table(tmp_path, rows[1:], rows[0])
    table = read_pairs(tmp_path, held_out=0)
    ours = [each.message for each in caplog.records if each.name.startswith("kinema")]
    assert not ours, "they are named where they are left out"
    config = PairsConfig()
    kept, left = config.usable(table, BOTH)
    assert len(kept) == 12
    assert kept.classes() == ("blue", "green", "red", "square", "stripe")
    assert (
        "1 labels are left out, for they occur in fewer than 2 pairs to learn from, 1 of them once: 'odd'."
        in caplog.text
    )
    said = config.left_out(left, len(table))
    assert said.startswith("10 of 22 pairs are left out: ")
    for part in (
        "1 with a missing picture: 'gone.png'",
        "3 with a broken picture",
        "1 with a broken video: 'film.mp4'",
        "1 with no picture: 'row 18'",
        "1 with an empty text: 'images/red-square-0.png (2)'",
        "1 with a text without a word",
        "1 with no label: ",
        "1 with labels that are too rare only: 'images/red-stripe-1.png (2)' (odd)",
    ):
        assert part in said, part
    again, same = config.usable(table.usable(), BOTH)
    assert (again, same) == (kept, left), "whether those that cannot be read are there still or were taken out"
    only_images, left = config.usable(table, [PairNeeds(("image",))])
    assert len(only_images) == 14


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        ([",one,red", ",two,blue", "{0},,red"], """--method.views '["text"]'"""),
        (["{0},,red", "{1},,red", "{2},a,"], """--method.views '["image"]'"""),
        (["gone/{0},a,red", "gone/{1},b,red", "{2},c,"], "relative to the folder of the table"),
    ],
)
def test_the_hint_is_of_what_most_pairs_lack(tmp_path, rows, hint):
    files = [save(tmp_path / f"{number}.png", picture()).name for number in range(3)]
    write_table(tmp_path, [row.format(*files) for row in rows])
    with pytest.raises(DataError, match="0 of 3 pairs can be learnt from") as error:
        PairsConfig(held_out=0).usable(read_pairs(tmp_path, held_out=0), BOTH)
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["{0},a,red", "{1},b,red", "{2},c,"], "labels of all 2 pairs to learn from are of one class only, 'red'"),
        (["{0},a,red;big", "{1},b,big;red"], "are the same, big, red"),
        (["{0},a,red", "{1},b,blue"], "0 of 2 pairs can be learnt from.* labels that are too rare only"),
        (["{0},a,", "{1},b,"], "0 of 2 pairs can be learnt from.* no label"),
    ],
)
def test_labels_of_which_nothing_can_be_learnt(tmp_path, rows, said):
    files = [save(tmp_path / f"{number}.png", picture()).name for number in range(3)]
    write_table(tmp_path, [row.format(*files) for row in rows])
    with pytest.raises(DataError, match=said) as error:
        PairsConfig(held_out=0).usable(read_pairs(tmp_path, held_out=0), BOTH)
    assert "labels" in error.value.hint


def test_words_become_labels(tmp_path):
    write_pairs(tmp_path)
    config = PairsConfig(labels="words", held_out=0)
    table, left = config.usable(config.open(tmp_path), BOTH)
    assert table.classes() == ("blue", "green", "red", "square", "stripe"), "'a', 'on', 'grey' are in all"
    assert not left
    again = config.labelled(read_pairs(tmp_path), ("blue", "on"))
    assert {row.labels for row in again.rows} == {("blue", "on"), ("on",)}


def test_stored_vectors(tmp_path):
    array = write_vectors(tmp_path, "clip.npy", 6, 4)
    write_vectors(tmp_path, "words.npy", 6, 3)
    write_table(tmp_path, [f"clip.npy[{row}],words.npy[{row}],{'ab'[row % 2]}" for row in range(6)])
    table = read_pairs(tmp_path, held_out=0)
    assert [row.health for row in table.rows] == ["ok"] * 6
    assert PairsConfig().fitted(table) == PairsConfig(text="vectors")
    config = PairsConfig(text="vectors")
    assert (config.image_width(table), config.text_width(table)) == (4, (3, 0))
    loaded = config.load(table, BOTH)
    assert (loaded.image_features, loaded.text_features, loaded.text_vocabulary) == (4, 3, 0)
    assert np.array_equal(loaded.pictures.read(np.array([4, 1])), array[[4, 1]])
    with pytest.raises(DataError, match=r"stored vectors of 3 numbers, and text is 'bag'") as error:
        PairsConfig().load(table, BOTH)
    assert "vectors" in error.value.hint


def test_stored_vectors_that_cannot_be_used(tmp_path):
    def spoil(array):
        array[1, 2], array[2, 0] = np.nan, np.inf

    write_vectors(tmp_path, "clip.npy", 4, 4, spoil)
    write_vectors(tmp_path, "wide.npy", 4, 5)
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    (tmp_path / "text.npy").write_text("no array")
    save(tmp_path / "a.png", picture())
    cells = [*(f"clip.npy[{row}]" for row in (0, 1, 2, 3, 4)), "gone.npy[0]", "cube.npy[0]", "text.npy[0]"]
    write_table(tmp_path, [f"{cell},words,x" for cell in cells])
    table = read_pairs(tmp_path, held_out=0)
    assert [row.health == "ok" for row in table.rows] == [True, False, False, True, *[False] * 4]
    why = "; ".join(row.reason for row in table.rows)
    for said in (
        "row 1 holds what is no finite",
        "the file has 4 rows",
        "a missing vector: 'gone.npy[0]'",
        "(2, 2, 2)",
    ):
        assert said in why
    for other, said in (("a.png", "is a stored vector.*'a.png'"), ("wide.npy[0]", "several widths: 4 .*5")):
        write_table(tmp_path, ["clip.npy[0],words,x", f"{other},words,x"])
        with pytest.raises(DataError, match=said):
            PairsConfig().image_width(read_pairs(tmp_path, held_out=0))


@pytest.mark.parametrize("view", ["image", "text"])
def test_a_view_alone_is_learnt_from_where_the_other_is_broken(tmp_path, view):
    """Whatever is wrong with the side that is not needed; and both reasons are kept."""
    write_vectors(tmp_path, rows=2)
    save(tmp_path / "a.png", picture())
    (tmp_path / "bad.png").write_text("no picture")
    cells = {"image": ("a.png", "bad.png", "gone.png", ""), "text": ("clip.npy[0]", "clip.npy[9]", "gone.npy[0]", "")}
    other = "text" if view == "image" else "image"
    sides = [(cells[view][0], each) for each in cells[other]] + [(cells[view][1], cells[other][1])]
    pairs = [(mine, its) if view == "image" else (its, mine) for mine, its in sides]
    write_table(tmp_path, [f"{image},{text},{'xy'[row % 2]};z" for row, (image, text) in enumerate(pairs)])
    table = read_pairs(tmp_path, held_out=0)
    assert [row.health for row in table.rows] == ["ok", "unreadable", "unreadable", "ok", "unreadable"]
    assert set(table.rows[4].broken) == {"image", "text"}
    needs, config = [PairNeeds((view,))], PairsConfig(text="vectors")
    kept, left = config.usable(table, needs)
    assert (len(kept), list(left.values())) == (4, [table.rows[4].broken[view]])
    again = config.usable(table.usable(), needs)
    assert again == (kept, left), "as where rows were chosen by --where"
    assert [row.name for row in chosen(table, BOTH, PairsConfig(text="vectors", min_count=1)).table.rows] == ["a.png"]
    data = config.load(kept, needs)
    raw = next(iter(data.module(needs[0], batch_size=4, seed=0).loader(0)))
    assert len(raw.images if view == "image" else raw.texts) == 4


def test_of_pictures_with_several_frames_the_first_is_taken_and_that_is_said(tmp_path, caplog):
    first, *more = [Image.fromarray(picture(colour)) for colour in ("red", "green", "blue")]
    names = ["b.webp", "c.png", "d.tiff"]
    for name in names:
        first.save(tmp_path / name, save_all=True, append_images=more, **({"lossless": True} if "w" in name else {}))
    first.save(tmp_path / "e.png")
    write_table(tmp_path, [f"{name},words,red" for name in [*names, "b.webp", "e.png"]])
    table = read_pairs(tmp_path, held_out=0)
    assert [row.health for row in table.rows] == ["ok"] * 5
    named = ", ".join(f"'{name}' (3)" for name in names)
    assert caplog.messages == [f"3 pictures have several frames or pages, of which the first is taken: {named}."]
    for name in names:
        assert np.abs(read_picture(tmp_path / name).astype(int) - picture("red")).max() < 8


def test_pictures_with_texts_of_the_same_name(tmp_path, caplog):
    for number, colour in enumerate(("red", "blue")):
        for copy in range(2):
            save(tmp_path / colour / f"{copy}.png", picture(colour))
            (tmp_path / colour / f"{copy}.txt").write_text(f"Number {number}\nin {colour}", "utf-8")
    save(tmp_path / "red" / "silent.png", picture())
    (tmp_path / "blue" / "alone.txt").write_text("no picture")
    (tmp_path / "blue" / "1.txt").write_bytes(b"a\0b")
    table = read_pairs(tmp_path, held_out=0)
    assert [(row.name, row.labels, row.health) for row in table.rows] == [
        ("blue/0.png", ("blue",), "ok"),
        ("blue/1.png", ("blue",), "unreadable"),
        ("blue/alone.txt", (), "ok"),
        ("red/0.png", ("red",), "ok"),
        ("red/1.png", ("red",), "ok"),
        ("red/silent.png", ("red",), "ok"),
    ]
    assert "1 with a broken text: 'blue/1.png'" in described({row.name: row.reason for row in table.rows if row.broken})
    assert len(table.usable(["image"])) == 5
    (tmp_path / "labels.csv").write_text("path,label,split\nred/0.png,red; warm,test\n")
    first = next(row for row in read_pairs(tmp_path).rows if row.name == "red/0.png")
    assert (first.labels, first.split) == (("red", "warm"), "test")
    save(tmp_path / "red" / "0.jpg", picture())
    with pytest.raises(DataError, match=r"More than one picture or text .* 'red/0'"):
        read_pairs(tmp_path)


def test_folders_of_several_forms_and_of_none(tmp_path, caplog):
    write_pairs(tmp_path)
    (tmp_path / "images" / "red-square-0.txt").write_text("a text")
    assert len(read_pairs(tmp_path)) == 12
    assert "pairs.csv and pictures with texts; the pairs are read from pairs.csv" in caplog.text
    for place, said in (
        (tmp_path / "images" / "red-square-0.png", "no table of pairs"),
        (tmp_path / "gone", "not there"),
    ):
        with pytest.raises(DataError, match=said):
            read_pairs(place)
    (tmp_path / "pairs.csv").unlink()
    (tmp_path / "images" / "red-square-0.txt").rename(tmp_path / "other.txt")
    with pytest.raises(DataError, match="12 pictures, 1 texts, and none has another of the same name"):
        read_pairs(tmp_path)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="it is empty"):
        read_pairs(tmp_path / "bare")
    for data, said in (("nowhere:folder", "no layout 'nowhere'"), ("coco:", "names no folder")):
        with pytest.raises(UsageError, match=said):
            read_pairs(data)
    with pytest.raises(DataError, match="not there"):
        read_pairs(f"coco:{tmp_path}/gone")


def test_sources_are_held_out_whole(tmp_path, caplog):
    names = [save(tmp_path / f"{number}.png", picture()).name for number in range(8)]
    write_table(tmp_path, [f"{name},caption {number},x" for name in names for number in range(3)])
    with caplog.at_level(logging.INFO, "kinema"):
        table = read_pairs(tmp_path)
    assert (
        "2 of 8 sources are held out for measurement (draw 0): 18 pairs to learn from, 6 to measure on" in caplog.text
    )
    PairsConfig().usable(table.select({"split": "train"}), [PairNeeds(labels=False)])
    assert "18 pairs are learnt from, and the others are held out" in caplog.text
    sides = {name: {row.split for row in table.rows if row.image == name} for name in names}
    assert all(len(side) == 1 for side in sides.values())
    assert table.split_from == "drawn"
    assert {row.name for row in table.rows} >= {"0.png", "0.png (2)", "0.png (3)"}
    other = read_pairs(tmp_path, split=1)
    assert [row.split for row in other.rows] != [row.split for row in table.rows]
    assert {row.split for row in read_pairs(tmp_path, held_out=0).rows} == {None}
