"""Reading questions: what a folder gives, what is mended and said, and what is refused with the place that is wrong."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_questions import (
    made_features,
    made_lines,
    made_row,
    write_features,
    write_lines,
    write_objects,
    write_questions,
    write_rows,
)

from kinema.core.errors import ConfigError, DataError, UsageError
from kinema.data.questions.config import QuestionsConfig
from kinema.data.questions.reading import questions_in, read_questions
from kinema.data.questions.table import Question, TimedLine

VIDEO = Path(__file__).parents[1] / "golden" / "videos" / "right" / "right0.mp4"


@pytest.mark.parametrize("form", ["srt", "vtt", "json"])
def test_a_folder_gives_questions_lines_and_frames(tmp_path, form):
    write_questions(tmp_path, form=form)
    table = read_questions(tmp_path)
    assert (len(table), table.count, table.rate, table.frame_width, table.split_from) == (32, 4, 2.0, 6, "data")
    row = table.rows[1]
    assert row == Question(
        id="v0-1",
        video="v0",
        question="What do they do in the red garden?",
        options=("jump", "turn", "bow", "kick"),
        answer=1,
        start=2.0,
        end=4.0,
        split="train",
        type="said",
        difficulty="1",
        where="'questions.jsonl', line 2",
    )
    assert (row.path, row.label, row.source, row.group) == ("v0-1", None, "v0", "v0")
    assert table.lines("v0")[1] == TimedLine(2.0, 4.0, "in the red garden they turn")
    assert table.frames("v0") == tmp_path / "features" / "v0.npy"
    assert table.duration("v0") == 8.0
    assert {row.split for row in table.select({"video": "v3"}).rows} == {"test"}
    with pytest.raises(DataError, match="said, seen"):
        table.select({"type": "none"})


def test_objects_are_lines_and_neighbours_with_the_same_labels_are_one(tmp_path):
    write_questions(tmp_path, videos=2)
    write_objects(
        tmp_path,
        "v0",
        [
            {"start": 0, "end": 1, "labels": ["cat", "old dog", "cat"]},
            {"start": 1, "end": 3, "labels": ["cat", "old dog"]},
            {"time": 0.25, "labels": ["tree"]},
            {"time": 6, "labels": []},
        ],
    )
    table = read_questions(tmp_path)
    found = [line for line in table.lines("v0") if line.kind == "object"]
    assert found == [TimedLine(0, 0.75, "tree", "object"), TimedLine(0, 3, "cat old dog", "object")]
    assert [line.start for line in table.lines("v0")] == sorted(line.start for line in table.lines("v0"))


def test_what_is_mended_left_out_or_missing_is_counted_and_named(tmp_path, caplog):
    rows = [made_row(video, place) for video in range(3) for place in range(4)]
    rows[0]["video"] = "v0, "
    rows[1]["options"] = ["turn", "bow", " Turn ", "sit"]
    rows[2]["video"] = "v0.mp4"
    rows[3] |= {"answer": None, "anwser": 1}
    write_rows(tmp_path, rows)
    for video in range(2):
        write_lines(tmp_path, f"v{video}", made_lines(video))
    write_features(tmp_path, "v1", made_features(1), rate=None)
    with caplog.at_level(logging.WARNING):
        table = read_questions(tmp_path)
    said = caplog.text
    assert len(table) == 11
    assert table.videos == ("v0", "v1", "v2")
    assert [(row.id, why) for row, why in table.lost] == [("v0-1", "an option that stands twice: 'turn'")]
    assert table.rows[2].answer == -1
    for words in (
        "1 names of videos had commas or spaces around them, which were taken off: 'v0, '",
        "1 questions are left out, because an option of theirs stands twice: 'v0-1' ('questions.jsonl', line 2)",
        "Keys of '",
        "'anwser' (line 4)",
        "1 of 3 clips have no subtitles, and 4 questions are about them: 'v2'",
        "2 of 3 clips have no features of frames, and 7 questions are about them: 'v0', 'v2'",
        "how many frames of",
    ):
        assert words in said, said
    assert table.rate == 1.0


def _change(key, value):
    return lambda rows: rows[5].update({key: value})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_change("answer", 4), "line 6: 'answer' is 4, and the 4 options are numbered from 0 to 3"),
        (_change("answer", "1"), "line 6: 'answer' is '1'"),
        (_change("options", ["a", "b", "c", "d", "e"]), "'v0-0' has 4 options ('questions.jsonl', line 1), and 'v1-1'"),
        (_change("options", ["a"]), "line 6: it has 1 options"),
        (_change("options", ["a", "b", "c", " "]), "line 6: 'option 3' is empty"),
        (_change("options", "a, b"), "line 6: 'options' is no list"),
        (_change("id", "v0-0"), "Two questions are called 'v0-0': 'questions.jsonl', line 1, and"),
        (_change("question", 3), "line 6: 'question' is a number"),
        (_change("video", None), "line 6: 'video' is missing"),
        (_change("end", None), "line 6: only one of 'start' and 'end'"),
        (_change("start", 5), "line 6: the stretch from 5 to 4 s"),
        (_change("end", 90), "The clip 'v1' has 8.00 s, and the stretch of 'v1-1' is from 2.00 to 90.00 s"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(tmp_path, change, words):
    folder = write_questions(tmp_path, videos=2)
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    change(rows)
    write_rows(folder, rows)
    with pytest.raises(DataError) as failure:
        read_questions(folder)
    assert words in str(failure.value)


def test_subtitles_that_are_empty_or_do_not_cover_their_clip_are_refused_by_its_name(tmp_path):
    folder = write_questions(tmp_path, videos=2)
    file = folder / "subtitles" / "v1.srt"
    for lines, words in (
        ([], "The clip 'v1' has no subtitles that can be used"),
        ([(0, 0.3, "hello")], "The subtitles of the clip 'v1' end at 0.30 s, and the clip has 8.00 s"),
        ([(8.5, 8.9, "hello")], "The subtitles of the clip 'v1' do not overlap its 8.00 s"),
        ([*made_lines(1), (99, 100, "late")], "The clip 'v1' has 8.00 s, and a line of it begins at 99.00 s: 'late'"),
    ):
        write_lines(folder, "v1", lines)
        with pytest.raises(DataError) as failure:
            read_questions(folder)
        assert words in str(failure.value), lines
    file.unlink()
    (folder / "features" / "v1.npy").unlink()
    write_lines(folder, "v1", [], "json")
    with pytest.raises(DataError, match=r"The clip 'v1' has no subtitles that can be used.*v1\.json' is empty"):
        read_questions(folder)
    write_lines(folder, "v1", [(0, 0.3, "hello")], "json")
    with pytest.raises(DataError, match=r"end at 0\.30 s, and the clip has 8\.00 s"):  # known by the stretches alone
        read_questions(folder)
    write_lines(folder, "v1", made_lines(1), "vtt")
    with pytest.raises(DataError, match="'v1' has 2 files"):
        read_questions(folder)


def test_features_that_cannot_be_used_are_refused_by_their_file(tmp_path):
    folder = write_questions(tmp_path, videos=2)
    whole = made_features(1)
    holed = whole.copy()
    holed[3, 2] = np.nan
    for array, words in (
        (holed, "no finite number, in row 3"),
        (whole[:, :4], "'v1.npy' have 4 numbers a frame, and those in 'v0.npy' 6"),
        (whole[:0], "at least one frame"),
        (whole[0], "v1.npy"),
    ):
        write_features(folder, "v1", array)
        with pytest.raises(DataError) as failure:
            read_questions(folder)
        if array.ndim > 1:
            assert words in str(failure.value)
    (folder / "features" / "v1.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match=r"v1\.npy' cannot be read"):
        read_questions(folder)
    write_features(folder, "v1", whole, rate=-1)
    with pytest.raises(DataError, match="'frames_a_second' is -1"):
        read_questions(folder)
    for path in (folder / "features").glob("v*.npy"):
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(DataError, match="is named as one of the 2 videos"):
        read_questions(folder)


def test_the_rate_of_frames_is_the_folders_else_the_settings(tmp_path, caplog):
    folder = write_questions(tmp_path, videos=2, splits=())
    assert QuestionsConfig(rate=5.0).open(folder).rate == 2.0
    assert "5; features.json counts" in caplog.text
    (folder / "features" / "features.json").unlink()
    assert QuestionsConfig(rate=1.6).open(folder).rate == 1.6
    with pytest.raises(DataError, match="16 frames at 10 a second"):
        QuestionsConfig(rate=10.0).open(folder)


def test_folds_and_draws_keep_groups_together_and_every_group_is_measured_once(tmp_path):
    folder = write_questions(tmp_path, videos=7, splits=())
    tests = []
    for fold in range(3):
        table = QuestionsConfig(folds=3, fold=fold).open(folder)
        assert table.split_from == "folds"
        by = {row.video: set() for row in table.rows}
        for row in table.rows:
            by[row.video].add(row.split)
        assert all(len(each) == 1 for each in by.values())
        tests.append({video for video, splits in by.items() if splits == {"test"}})
    assert set.union(*tests) == {f"v{video}" for video in range(7)}
    assert sum(map(len, tests)) == 7
    again = QuestionsConfig(folds=3, split=1).open(folder)
    assert {row.video for row in again.rows if row.split == "test"} != tests[0]
    drawn = QuestionsConfig(held_out=0.3).open(folder)
    assert (drawn.split_from, sum(row.split == "test" for row in drawn.rows)) == ("drawn", 8)
    with pytest.raises(DataError, match="7 groups of questions, and 9 folds"):
        QuestionsConfig(folds=9).open(folder)


def test_the_digest_covers_what_learning_depends_on(tmp_path):
    folder = write_questions(tmp_path, videos=3)
    before = read_questions(folder).digest
    assert read_questions(folder).digest == before
    write_lines(folder, "v1", [*made_lines(1)[:3], (6.5, 8, made_lines(1)[3][2])])
    moved = read_questions(folder).digest
    write_features(folder, "v1", made_features(2))
    assert len({before, moved, read_questions(folder).digest}) == 3


def test_what_is_no_set_of_questions_is_said(tmp_path):
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(DataError, match=r"no questions\.jsonl in .*it holds other\.txt"):
        read_questions(tmp_path)
    with pytest.raises(UsageError, match="no layout 'none' of questions"):
        read_questions("none:place")
    (tmp_path / "questions.jsonl").write_text("{no json\n")
    with pytest.raises(DataError, match="line 1: it is no JSON"):
        read_questions(tmp_path)
    (tmp_path / "questions.jsonl").write_text("\n")
    with pytest.raises(DataError, match="There is no question"):
        read_questions(tmp_path)
    assert questions_in(tmp_path) == "questions.jsonl"
    assert questions_in("tvqa+:place") == "tvqa+"
    assert questions_in(tmp_path / "other.txt") == ""


@pytest.mark.parametrize(
    "settings",
    [
        {"context": "half"},
        {"choose": "last"},
        {"folds": 1},
        {"folds": 3, "fold": 3},
        {"labelled": 0.0},
        {"max_length": 8},
        {"frame_limit": 0},
        {"rate": -1.0},
        {"held_out": 1.0},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match=next(reversed(settings))):
        QuestionsConfig(**settings)


def test_a_clip_is_as_long_as_its_video_where_that_is_there(tmp_path):
    folder = write_questions(tmp_path, videos=2, width=0)
    assert read_questions(folder).duration("v0") is None
    (folder / "videos").mkdir()
    shutil.copyfile(VIDEO, folder / "videos" / "v0.mp4")
    with pytest.raises(DataError, match=r"The clip 'v0' has 0\.96 s, and a line of it begins at 2\.00 s"):
        read_questions(folder)
    write_lines(folder, "v0", [(0, 0.9, "hello")])
    rows = [made_row(0, start=0, end=0.9), *(made_row(1, place) for place in range(4))]
    write_rows(folder, rows)
    assert read_questions(folder).duration("v0") == pytest.approx(0.96)
