"""``kinema scan`` of pairs: what is a place of pairs, what of it is there, and what is left out and why."""

import json

import pytest
from made_pairs import picture, save, write_pairs, write_table

from kinema.api.scans import what_feeds
from kinema.data.pairs.reading import read_pairs


def test_a_folder_of_pairs_is_counted_and_what_is_left_out_is_named(call, tmp_path):
    table = write_pairs(tmp_path / "set", splits=("train", "train", "query"))
    (tmp_path / "set" / "bad.png").write_text("no picture")
    more = ["bad.png,words,red,", "gone.png,words,red,", "images/red-square-0.png,words,,", ",words,odd,"]
    table.write_text(table.read_text() + "\n".join([*more, "images/red-square-0.png,words,odd,"]) + "\n")
    status, out, err = call("scan", tmp_path / "set", "--json", "-o", tmp_path / "looked.json")
    assert status == 0, err
    told = json.loads(out)
    assert told["seconds"] >= 0
    assert {name: told[name] for name in ("pairs", "pictures", "texts", "labelled", "unreadable", "usable")} == {
        "pairs": 17,
        "pictures": 14,
        "texts": 17,
        "labelled": 16,
        "unreadable": 2,
        "usable": 12,
    }
    assert told["labels"] == {"red": 6, "square": 6, "stripe": 6, "blue": 4, "green": 4, "odd": 2}
    assert told["splits"] == {"train": 8, "none": 5, "test": 4}
    assert (told["vectors"], told["rare_labels"]) == ({"image": 0, "text": 0}, {"odd": 1})
    assert {kind: each["count"] for kind, each in told["left_out"].items()} == {
        "a broken picture": 1,
        "a missing picture": 1,
        "no picture": 1,
        "no label": 1,
        "labels that are too rare only": 1,
    }
    first = told["left_out"]["a broken picture"]["first"]
    assert first == [{"name": "bad.png", "reason": "a broken picture: 'bad.png', it is no picture"}]
    assert told["digest"] == read_pairs(tmp_path / "set", held_out=0).digest
    assert len(json.loads((tmp_path / "looked.json").read_text())["pairs"]) == 17
    status, out, _ = call("scan", table)
    assert status == 0
    for said in (
        "17 pairs in",
        "red (6)",
        "train (8)",
        "12 by image, text and label",
        "Left out: 5 pairs",
        "gone.png",
    ):
        assert said in out, said
    status, out, _ = call("scan", table, "--quarantine", tmp_path / "q.csv", "--json")
    assert (status, json.loads(out)["error"]["message"]) == (2, "--quarantine is of videos, and these are pairs.")


def test_a_known_set_of_pairs_by_its_name(call, tmp_path):
    for number in (1, 2):
        save(tmp_path / f"im{number}.jpg", picture())
        (tmp_path / "meta/tags").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"meta/tags/tags{number}.txt").write_text("sea\nblue\n")
    (tmp_path / "sea.txt").write_text("1\n2\n")
    status, out, err = call("scan", f"mirflickr25k:{tmp_path}", "--json")
    assert status == 0, err
    told = json.loads(out)
    assert (told["pairs"], told["pictures"], told["labels"]) == (2, 2, {"sea": 2})


def test_pairs_of_texts_alone_lack_no_picture(call, tmp_path):
    write_table(tmp_path, ["words,x", "more,x", "again,y", "and again,y"], "text,labels")
    status, out, err = call("scan", tmp_path)
    assert status == 0, err
    assert "4 by text and label" in out
    assert "Left out" not in out


@pytest.mark.parametrize(
    ("name", "content", "reads"),
    [
        ("pairs.jsonl", '{"image": "a.png", "text": "x"}', "pairs"),
        ("any.jsonl", '{"image": "b.png", "text": "x"}', "pairs"),
        ("any.csv", 'text;"image"\n', "pairs"),
        ("any.csv", "text,label\n", "documents"),
        ("any.jsonl", "[1]", "videos"),
        ("image.txt", "image", "documents"),
    ],
)
def test_a_table_with_a_column_of_pictures_is_of_pairs(tmp_path, name, content, reads):
    (tmp_path / name).write_text(content)
    assert what_feeds(tmp_path / name, None) == (reads, "")


def test_what_else_a_place_holds_is_said(tmp_path, make_tiny_video):
    save(tmp_path / "a.png", picture())
    (tmp_path / "a.txt").write_text("words")
    reads, note = what_feeds(tmp_path, None)
    assert reads == "documents"
    assert "pictures with texts; the documents are scanned, and --reads pairs scans" in note
    make_tiny_video(tmp_path / "b.mp4", (1, 0), 0)
    write_table(tmp_path, ["a.png,words,x"])
    reads, note = what_feeds(tmp_path, None)
    assert reads == "pairs"
    assert "pairs.csv, and videos and documents too; the pairs are scanned, and --reads videos or" in note
    assert what_feeds(tmp_path, "videos") == ("videos", "")
