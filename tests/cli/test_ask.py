"""``kinema ask`` as a user meets it."""

import json
import shutil

import pytest
from answering import QUESTION
from made_questions import things_of


def test_a_table_of_shares_and_one_object_of_json(call, answering, monkeypatch, tmp_path, caplog):
    monkeypatch.chdir(answering)
    words = ["ask", "run", "data/videos/v3.mp4", QUESTION, "--options", "jump", "turn", "bow", "sit", "--device", "cpu"]
    status, out, err = call(*words, "--json")
    told = json.loads(out)
    assert status == 0, err
    assert told["options"] == ["jump", "turn", "bow", "sit"]
    assert len(told["shares"]) == 4
    assert (told["start"], told["end"], told["missing"]) == (2.0, 4.0, [])
    status, out, err = call(*words)
    assert status == 0, err
    rows = [line for line in out.splitlines() if any(f" {thing} " in line for thing in told["options"])]
    assert told["answer"] in rows[0]
    assert "It looked at 2.0 – 4.0 s most." in out
    assert things_of(3)[1] in out

    shutil.copy("data/videos/v3.mp4", tmp_path / "alone.mp4")
    status, out, err = call(*[tmp_path / "alone.mp4" if each.endswith(".mp4") else each for each in words], "--json")
    assert status == 0, err
    assert json.loads(out)["missing"] == ["subtitles"]
    assert "answered without" in caplog.text
    assert "--subtitles FILE" in err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["run", "data/videos/v3.mp4", QUESTION], 2, "no options"),
        (["run", "data/videos/v3.mp4", "", "--options", "jump", "sit"], 2, "no question"),
        (["run", "data/videos/v3.mp4", QUESTION, "--options", "jump", "jump"], 2, "'jump' stands twice"),
        (["run", "data/videos/none.mp4", QUESTION, "--options", "jump", "sit"], 1, "no video"),
        (["data", "data/videos/v3.mp4", QUESTION, "--options", "jump", "sit"], 1, "is not a run"),
        (["eyes", "data/videos/v3.mp4", QUESTION, "--options", "jump", "sit"], 2, "kinema pretrain video-qa"),
        (["run", "data/videos/v3.mp4", QUESTION, "--options", "a", "b", "--subtitles", "none.srt"], 1, "none.srt"),
    ],
)
def test_what_cannot_be_asked(call, answering, monkeypatch, words, status, said):
    monkeypatch.chdir(answering)
    left, out, err = call("ask", *words, "--device", "cpu")
    assert (left, out) == (status, "")
    assert said in err
