"""``kinema scan`` of questions: what is a place of questions, what of it is there, and what is left out."""

import json

import pytest
from made_questions import made_row, write_objects, write_questions, write_rows

from kinema.api.scans import what_feeds


def test_a_folder_of_questions_is_counted_and_what_is_left_out_is_named(call, tmp_path):
    folder = write_questions(tmp_path / "set", videos=4)
    write_objects(folder, "v1", [{"time": 2, "labels": ["cat"]}])
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    rows += [
        made_row(0, 0, id="twice", options=["a", "A", "b", "c"]),
        made_row(0, 1, id="open", answer=None, start=None, end=None),
    ]
    write_rows(folder, rows)
    status, out, err = call("scan", folder, "--json", "-o", tmp_path / "looked.json")
    assert status == 0, err
    told = json.loads(out)
    assert (told["questions"], told["answered"], told["timed"], told["left_out"], told["options"]) == (17, 16, 16, 1, 4)
    assert told["clips"] == {"clips": 4, "subtitles": 4, "objects": 1, "features": 4, "duration": 4}
    assert told["types"] == {"said": 9, "seen": 8}
    assert told["splits"] == {"train": 12, "test": 4, "none": 1}
    assert told["frames"] == {"features": 6, "frames_a_second": 2.0}
    assert told["first_left_out"] == [{"name": "twice", "reason": "an option that stands twice: 'a'"}]
    written = json.loads((tmp_path / "looked.json").read_text())["questions"]
    assert (written[16]["id"], written[16]["start"], written[0]["options"]) == ("open", None, rows[0]["options"])
    status, out, err = call("scan", folder, "-o", tmp_path / "looked.parquet")
    assert status == 0, err
    assert "17 questions in" in out
    assert "an option that stands twice: 'a'" in " ".join(out.split())
    (folder / "subtitles" / "v1.srt").write_text("")
    status, _, err = call("scan", folder)
    assert status == 1
    assert "The clip 'v1' has no subtitles that can be used" in " ".join(err.split())


def test_questions_are_told_from_pairs_and_videos(tmp_path):
    folder = write_questions(tmp_path, videos=2)
    assert what_feeds(folder, None) == ("questions", "")
    assert what_feeds("pororoqa:nowhere", None) == ("questions", "")
    assert what_feeds(folder, "videos") == ("videos", "")
    (folder / "questions.jsonl").unlink()
    assert what_feeds(folder, None)[0] != "questions"


@pytest.mark.parametrize("name", ["parquet", "json"])
def test_digests_of_what_was_learnt_from_can_be_read_back(tmp_path, name):
    from kinema.data.listing import trained_digests
    from kinema.data.questions.reading import read_questions

    table = read_questions(write_questions(tmp_path, videos=2))
    table.write(tmp_path / f"list.{name}")
    if name == "parquet":
        found = trained_digests(tmp_path / "list.parquet", "questions")
        assert found == {row.digest for row in table.rows}
    assert len({row.digest for row in table.rows}) == len(table)
