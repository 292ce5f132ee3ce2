"""Published sets of questions: small copies of their forms, and the real files where they are there."""

import json
import zipfile
from pathlib import Path

import pytest

from kinema.core.errors import DataError
from kinema.core.questions import QuestionNeeds
from kinema.data.questions.config import QuestionsConfig
from kinema.data.questions.reading import read_questions
from kinema.data.questions.table import TimedLine

SHARED = Path(__file__).parents[3] / "shared" / "data"


def shared(*parts):
    place = SHARED.joinpath(*parts)
    if not place.exists():
        pytest.skip(f"the shared data {'/'.join(parts)} is not there")
    return place


def write(folder, name, value):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def tvqa_row(**changes):
    options = {f"a{place}": f"option {place}" for place in range(5)}
    row = {"qid": 7, "q": "What?", "ts": "1.21-8.49", "vid_name": "met_s06e22_seg01_clip_02", "answer_idx": 4}
    return {**row, **options, **changes}


def test_tvqa_as_published(tmp_path):
    train = lines(tvqa_row(), tvqa_row(qid=8, ts="nan-nan", vid_name="s01e02_seg02_clip_12", show_name="TBBT"))
    write(tmp_path, "tvqa_qa_release/tvqa_train.jsonl", train)
    test = tvqa_row(qid=9, vid_name="castle_s01e01_seg01_clip_00")
    del test["answer_idx"]
    write(tmp_path, "tvqa_qa_release/tvqa_test_public.jsonl", lines(test))
    cue = "1\n00:00:01,000 --> 00:00:08,500\n(Robin:)Hello.\n"
    write(tmp_path, "tvqa_subtitles/met_s06e22_seg01_clip_02.srt", cue)
    table = read_questions(f"tvqa:{tmp_path}")
    first, second, third = table.rows
    assert (first.id, first.answer, first.start, first.end, first.split) == ("7", 4, 1.21, 8.49, "train")
    assert (first.group, first.show) == ("met_s06e22", "How I Met You Mother")
    assert (second.group, second.show, second.timed) == ("s01e02", "TBBT", False)
    assert (third.answer, third.split) == (-1, "test")
    assert table.lines(first.video) == (TimedLine(1.0, 8.5, "(Robin:)Hello."),)
    said = {
        "vid_name": first.video,
        "sub": [{"text": "Hi .", "start": 0.5, "end": 7}, {"text": "", "start": 1, "end": 2}],
    }
    write(tmp_path, "tvqa_preprocessed_subtitles.jsonl", lines(said, {"vid_name": "other", "sub": []}))
    assert read_questions(f"tvqa:{tmp_path}").lines(first.video) == (TimedLine(0.5, 7.0, "Hi ."),)
    write(tmp_path, "tvqa_qa_release/tvqa_train.jsonl", lines(tvqa_row(ts="soon")))
    with pytest.raises(DataError, match=r"'tvqa_train\.jsonl', line 1: 'ts' is 'soon'"):
        read_questions(f"tvqa:{tmp_path}")


def test_tvqa_plus_has_sentences_by_their_beginnings_and_its_boxes_are_not_read(tmp_path):
    box = {"img_id": 1, "label": "secret", "top": 0, "left": 0, "width": 9, "height": 9}
    row = tvqa_row(answer_idx="3", ts=[0.0, 5.4], bbox={"1": [box]})
    write(tmp_path, "tvqa_plus_val.json", [row])
    said = {"sub_text": "Hi . <eos> You ? <eos> Yes .", "sub_time": [0.5, 2, 4.25]}
    write(tmp_path, "tvqa_plus_subtitles.json", {row["vid_name"]: said})
    table = read_questions(f"tvqa+:{tmp_path}")
    assert (table.rows[0].answer, table.rows[0].split, table.layout) == (3, "val", "tvqa+")
    assert table.lines(row["vid_name"]) == (
        TimedLine(0.5, 2.0, "Hi ."),
        TimedLine(2.0, 4.25, "You ?"),
        TimedLine(4.25, 7.25, "Yes ."),
    )
    write(tmp_path, "tvqa_plus_subtitles.json", {row["vid_name"]: said | {"sub_time": [0.5]}})
    with pytest.raises(DataError, match="3 sentences and 1 times"):
        read_questions(f"tvqa+:{tmp_path}")


def drama_row(**changes):
    row = {"qid": 1, "vid": "AnotherMissOh01_002_0000", "videoType": "scene", "que": "Why?", "correct_idx": 0}
    row |= {"answers": list("abcde"), "q_level_mem": 3, "q_level_logic": 4, "shot_contained": [32, 33]}
    return row | changes


def test_dramaqa_as_published(tmp_path):
    shot = drama_row(qid=2, vid="AnotherMissOh01_002_0033", videoType="shot", q_level_mem=2, q_level_logic=2)
    write(tmp_path, "AnotherMissOhQA_val_set.json", [drama_row(), shot])
    said = {"speaker": "Dokyung", "st": "103.5", "et": "105.0", "utter": "Hello."}
    late = {"speaker": "None", "st": "109", "et": "111", "utter": "Bye."}
    script = {
        "AnotherMissOh01_002_0031": {"st": "100.0", "et": "103.0", "contained_subs": []},
        "AnotherMissOh01_002_0032": {"st": "103.0", "et": "104.0", "contained_subs": [said]},
        "AnotherMissOh01_002_0033": {"st": "104.0", "et": "111.0", "contained_subs": [said, late]},
    }
    write(tmp_path, "AnotherMissOh_script.json", script)
    table = read_questions(f"dramaqa:{tmp_path}")
    scene, alone = table.rows
    assert (scene.difficulty, scene.type, scene.group, scene.split) == ("3-4", "scene", "AnotherMissOh01", "val")
    assert (scene.start, scene.end) == (3.0, 11.0)
    assert (alone.difficulty, alone.type, alone.timed) == ("2", "shot", False)
    assert table.lines(scene.video) == (TimedLine(3.5, 5.0, "Dokyung: Hello."), TimedLine(9.0, 11.0, "Bye."))
    assert table.lines(alone.video) == (TimedLine(0.0, 1.0, "Dokyung: Hello."), TimedLine(5.0, 7.0, "Bye."))
    assert (table.duration(scene.video), table.duration(alone.video)) == (11.0, 7.0)


def test_nextqa_reads_captions_of_a_zip_and_of_a_folder(tmp_path):
    head = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
    write(tmp_path, "nextqa/val.csv", head + '10,30,4,3,"why, then",1,6,CW,a,b,c,d,e\n11,30,4,3,how,0,6,CH,a,b,c,d,e\n')
    write(tmp_path, "nextqa/train.csv", head + "12,30,4,3,who,2,1,DL,a,b,c,d,e\n")
    write(tmp_path, "captions/11_cap.json", {"1": "two", "0": "one"})
    with zipfile.ZipFile(tmp_path / "captions.zip", "w") as archive:
        archive.writestr("all/10_cap.json", json.dumps({"0": "a  cat"}))
        archive.writestr("all/99_cap.json", json.dumps({"0": "of no question"}))
    table = read_questions(f"nextqa:{tmp_path}")
    assert [(row.id, row.split, row.type, row.answer) for row in table.rows] == [
        ("12_1", "train", "DL", 2),
        ("10_6", "val", "CW", 1),
        ("11_6", "val", "CH", 0),
    ]
    assert table.rows[1].question == "why, then"
    assert table.lines("10") == (TimedLine(0, 1, "a cat"),)
    assert table.lines("11") == (TimedLine(0, 1, "one"), TimedLine(1, 2, "two"))
    (tmp_path / "captions.zip").write_bytes(b"PK no archive")
    with pytest.raises(DataError, match=r"captions\.zip' cannot be read"):
        read_questions(f"nextqa:{tmp_path}")


def test_pororoqa_takes_scenes_for_times(tmp_path):
    row = {"qid": 0, "question": "Who?", "correct_idx": 1, "video_name": "ep1,", "supporting_num": "2"}
    row |= {f"answer{place}": f"{place}." for place in range(5)}
    write(tmp_path, "qa.json", {"PororoQA": [row]})
    write(tmp_path, "descriptions.csv", 'ep1,1,"Snow, and ice."\nep1,2,Poby.\n"ep1,",2,Loopy.\n')
    table = read_questions(f"pororoqa:{tmp_path}")
    assert (table.rows[0].video, table.rows[0].start, table.rows[0].end) == ("ep1", 2, 3)
    assert [(line.start, line.text) for line in table.lines("ep1")] == [
        (1, "Snow, and ice."),
        (2, "Poby."),
        (2, "Loopy."),
    ]
    write(tmp_path, "descriptions.csv", "ep1,one,Snow.\n")
    with pytest.raises(DataError, match=r"descriptions\.csv', line 1"):
        read_questions(f"pororoqa:{tmp_path}")


@pytest.mark.parametrize("name", ["pororoqa", "nextqa", "tvqa", "tvqa+", "dramaqa"])
def test_a_folder_without_the_set_says_how_it_must_look(tmp_path, name):
    with pytest.raises(DataError, match="There is no ") as failure:
        read_questions(f"{name}:{tmp_path}")
    assert "is a folder with" in str(failure.value)


def test_the_real_pororoqa():
    table = read_questions(f"pororoqa:{shared('video-qa', 'pororoqa')}", folds=5)
    assert (len(table) + len(table.lost), len(table.lost), len(table.videos), table.count) == (8835, 28, 166, 5)
    assert all(row.timed and row.answer >= 0 for row in table.rows)
    assert all(table.lines(video) for video in table.videos)
    assert sum(row.split == "test" for row in table.rows) == pytest.approx(len(table) / 5, rel=0.05)


def test_the_real_nextqa_with_captions_from_the_zip(tmp_path):
    (tmp_path / "val.csv").symlink_to(shared("videoqa", "nextqa", "val.csv"))
    archive = shared("video-qa", "nextqa_captions", "nextqa_allcaps_1fps.zip")
    (tmp_path / archive.name).symlink_to(archive)
    config = QuestionsConfig(folds=5)
    table = config.open(f"nextqa:{tmp_path}")
    assert (len(table) + len(table.lost), len(table.lost), len(table.videos)) == (4996, 3, 570)
    assert {row.type for row in table.rows} == {"CH", "CW", "DC", "DL", "DO", "TC", "TN", "TP"}
    assert all(10 <= len(table.lines(video)) <= 181 for video in table.videos)
    few = table.select({"split": "train"}).of(range(12))
    data = config.load(few, [QuestionNeeds()])
    raw = next(iter(data.module(QuestionNeeds(), batch_size=8, seed=0).loader(0)))
    assert raw.options.tokens.ids.shape[1] <= 256


def test_the_real_questions_of_tvqa():
    plus = read_questions(f"tvqa+:{shared('videoqa', 'tvqa_plus')}")
    assert (len(plus) + len(plus.lost), len(plus.lost)) == (3017, 8)
    assert all(row.timed and row.answer >= 0 and row.split == "val" for row in plus.rows)
    test = read_questions(f"tvqa:{shared('videoqa', 'tvqa')}")
    assert (len(test) + len(test.lost), len(test.lost)) == (7623, 16)
    assert {(row.answer, row.split) for row in test.rows} == {(-1, "test")}
    assert len({row.show for row in test.rows}) == 6
