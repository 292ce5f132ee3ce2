"""``kinema.ask``: a share for each option, the stretch, what lies beside a video, and what is missing said."""

import json
import logging
import shutil

import numpy as np
import pytest
from answering import QUESTION, features_of
from made_questions import THINGS, made_lines, things_of, write_lines, write_objects

import kinema
from kinema.api.asking import Asker, TooLongError
from kinema.core.errors import DataError, RunError, UsageError
from kinema.data.questions.beside import beside


@pytest.fixture(scope="module")
def asker(answering):
    return Asker(answering / "run", device="cpu")


@pytest.fixture
def video(answering, tmp_path):
    """A video of a folder of its own, with nothing beside it."""
    return shutil.copy(answering / "data/videos/v3.mp4", tmp_path / "clip.mp4")


def test_each_option_has_a_share_and_the_stretch_is_where_it_is_said(answering):
    video, options = answering / "data/videos/v3.mp4", list(THINGS)
    asked = kinema.ask(answering / "run", video, QUESTION, options, device="cpu")
    assert asked.answer == things_of(3)[1]
    assert len(asked.shares) == len(THINGS) == 6, "the run learnt with four options"
    assert sum(asked.shares) == pytest.approx(1, abs=1e-5)
    assert (asked.start, asked.end) == (2.0, 4.0)
    assert [line.text for line in asked.said] == [made_lines(3)[1][2]]
    assert (asked.missing, asked.notes) == ((), ())
    assert asked.frames == str(answering / "data/features/v3.npy")
    assert asked.subtitles == str(answering / "data/subtitles/v3.srt")
    plain = json.loads(json.dumps(asked.plain()))
    assert (plain["answer"], plain["options"][plain["chosen"]]) == (asked.answer, asked.answer)
    assert plain["said"][0] == {"start": 2.0, "end": 4.0, "text": made_lines(3)[1][2], "kind": "subtitle"}


def test_what_the_run_learnt_with_and_a_video_lacks_is_said(answering, asker, video, caplog):
    blind = Asker(answering / "run", device="cpu")
    blind._learnt_on = {}
    with caplog.at_level(logging.WARNING):
        asked = blind.ask(video, QUESTION, ["jump", "sit"])
    assert asked.missing == ("subtitles", "frames")
    assert (asked.start, asked.end, asked.frames, asked.subtitles) == (None, None, None, None)
    assert "lies beside it" in caplog.text
    assert "nothing says which run made the features" in caplog.text
    assert asked.notes[0] in caplog.text
    gone = Asker(answering / "run", device="cpu")
    gone._learnt_on = {"run": "/nowhere/eyes"}
    assert "'/nowhere/eyes'" in gone.ask(video, QUESTION, ["jump", "sit"]).notes[1]
    assert asker.ask(video, QUESTION, ["jump", "sit"]).missing == ("subtitles",), "features were made"


def test_features_are_made_by_the_run_that_made_those_of_the_training_and_once(answering, asker, video, monkeypatch):
    asked = asker.ask(video, QUESTION, ["jump", "sit"])
    assert asked.frames == str(answering / "eyes")
    assert 0 <= asked.start < asked.end <= 8
    monkeypatch.setattr("kinema.api.asking.made_frames", None)
    assert asker.ask(video, "Who?", ["jump", "sit"]).frames == asked.frames
    own = kinema.load(answering / "eyes")
    other = Asker(answering / "run", features_run=own, device="cpu")
    with pytest.raises(TooLongError, match=r"has 8 s, and features are made of 5 s at most"):
        other.ask(video, QUESTION, ["jump", "sit"], longest=5.0)
    with pytest.raises(RunError, match="nowhere"):
        Asker(answering / "run", features_run="nowhere", device="cpu").ask(video, QUESTION, ["jump", "sit"])


def test_a_file_is_found_by_the_videos_name(asker, video):
    folder = video.parent
    assert beside(video).there == ()
    write_lines(folder, "clip", made_lines(3))
    below = beside(video).subtitles
    loose = shutil.copy(below, folder / "clip.SRT")
    assert beside(video).subtitles == loose
    np.save(folder / "clip.npy", features_of(3))
    write_objects(folder, "clip", [{"time": 1.0, "labels": ["a cat"]}])
    assert beside(video).there == ("subtitles", "objects")
    shutil.copy(loose, folder / "clip.vtt")
    with pytest.raises(DataError, match="has 2 files of subtitles"):
        beside(video)
    deep, place = folder / "set/videos/show/bare.mp4", folder / "set/subtitles/show/bare.srt"
    assert beside(deep).there == ()
    place.parent.mkdir(parents=True)
    shutil.copy(loose, place)
    assert beside(deep).subtitles == place
    named = asker.ask(video, QUESTION, THINGS, subtitles=place)
    assert (named.answer, named.subtitles) == (things_of(3)[1], str(place))


@pytest.mark.parametrize(
    ("question", "options", "said"),
    [
        ("  ", ["jump", "sit"], "no question"),
        (QUESTION, [], "no options"),
        (QUESTION, ["jump"], "1 option"),
        (QUESTION, ["jump", "sit", " Jump "], "'Jump' stands twice, as number 1 and 3"),
        (QUESTION, ["jump", "\n"], "Option 2 is empty"),
        (QUESTION, "jump", "one text"),
        (QUESTION, [str(n) for n in range(101)], "101 options"),
    ],
)
def test_what_is_no_question_is_refused_before_anything_is_read(question, options, said):
    with pytest.raises(UsageError, match=said):
        kinema.ask("nowhere", "nothing.mp4", question, options)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "no subtitles that can be used"),
        ([(20.0, 22.0, "much later")], "a line of it begins at 20.00 s"),
        ([(0.0, 0.3, "hello")], "do not cover it"),
    ],
)
def test_subtitles_of_another_clip_are_an_error_with_its_name(asker, video, lines, said):
    write_lines(video.parent, "clip", lines)
    with pytest.raises(DataError, match=said) as caught:
        asker.ask(video, QUESTION, ["jump", "sit"])
    assert "clip" in caught.value.message


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (np.ones((16, 3), np.float32), "have 3 numbers a frame"),
        (features_of(3)[:6], "are of 3.0 s"),
        (np.full((16, features_of(3).shape[1]), np.nan, np.float32), "no finite number"),
    ],
)
def test_features_that_are_not_of_this_video_are_an_error(asker, video, features, said):
    (video.parent / "features").mkdir()
    np.save(video.parent / "features/clip.npy", features)
    with pytest.raises(DataError, match=said):
        asker.ask(video, QUESTION, ["jump", "sit"])


def test_features_of_another_encoder_are_an_error(answering, video):
    other = Asker(answering / "run", device="cpu")
    other._learnt_on = {"frames_a_second": 2.0, "weights": "one"}
    (video.parent / "features").mkdir()
    np.save(video.parent / "features/clip.npy", features_of(3))
    (video.parent / "features/features.json").write_text('{"frames_a_second": 2.0, "weights": "another"}')
    with pytest.raises(DataError, match="made by another encoder"):
        other.ask(video, QUESTION, ["jump", "sit"])


def test_what_is_no_video_and_what_is_no_run_of_questions(answering, asker, tmp_path):
    with pytest.raises(DataError, match="no video"):
        asker.ask(tmp_path / "nothing.mp4", QUESTION, ["jump", "sit"])
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    with pytest.raises(DataError, match="cannot be read as video"):
        asker.ask(tmp_path / "broken.mp4", QUESTION, ["jump", "sit"])
    with pytest.raises(UsageError, match="reads clips") as caught:
        Asker(answering / "eyes")
    assert "kinema ask answers questions" in caught.value.hint
    with pytest.raises(RunError, match="is not a run"):
        Asker(tmp_path)


def test_a_run_of_questions_makes_no_table_and_no_export(answering, tmp_path):
    with pytest.raises(UsageError, match="reads questions, and tables are of") as caught:
        kinema.embed(answering / "run", tmp_path, out=tmp_path / "table")
    assert "kinema ask RUN VIDEO" in caught.value.hint
    with pytest.raises(UsageError, match="reads questions, and only encoders of video and text are exported"):
        kinema.export(answering / "run", tmp_path / "model")
