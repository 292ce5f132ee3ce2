"""Mocap-QA: that answers are true, that words alone do not tell them; sides; determinism, resuming, refusing."""

import csv
import json
import logging
import re
import shutil
from collections import Counter, defaultdict

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import kinema
from kinema.core.errors import ConfigError, DataError
from kinema.data.mocap.qa import TYPES, MocapQAConfig, write_mocap_qa
from kinema.data.mocap.qa.plan import plan_films
from kinema.data.mocap.qa.questions import questions_of
from kinema.data.mocap.qa.wordings import DOES, FACTS, THINGS, TIMES
from kinema.data.questions.config import QuestionsConfig
from kinema.data.subtitles import read_subtitles

TINY = {"videos": 4, "people": 2, "test": 0.5, "val": 0.0, "size": 32, "fps": 10}
TINY |= {"seconds_min": 0.5, "seconds_max": 0.8, "transition": 0.2}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("qa") / "set"
    told = []
    config = MocapQAConfig(**TINY)
    summary = write_mocap_qa(out, config, workers=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 4) for n in range(1, 5)]
    return summary


@pytest.fixture(scope="module")
def planned():
    """The usual set, before it is drawn: its videos, and the questions about each."""
    config = MocapQAConfig()
    films = plan_films(config)
    return films, [questions_of(film, config.seed) for film in films]


def files(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_on_the_disk_is_what_was_planned(whole):
    films = plan_films(MocapQAConfig(**TINY))
    asked = [json.loads(line) for line in (whole.out / "questions.jsonl").read_text().splitlines()]
    assert asked == [question for film in films for question in questions_of(film, 0)]
    steps, manifest = table(whole.out / "segments.csv"), kinema.scan(whole.out)
    assert [(video.path, video.split, video.source) for video in manifest.videos] == [
        (film.path, film.split, f"p{film.person + 1:03d}") for film in films
    ]
    for film, video in zip(films, manifest.videos, strict=True):
        assert video.frames == film.frames
        cues = read_subtitles(whole.out / "subtitles" / f"{film.name}.srt")
        assert [(cue.start, cue.end, cue.text) for cue in cues] == [
            (line.start, line.end, line.text) for line in film.lines
        ]
        mine = [row for row in steps if row["video"] == film.path]
        assert [row["step"] for row in mine] == [segment.label for segment in film.segments]
        for line in film.lines:  # exactly over one motion, without the transitions
            assert float(mine[line.segment]["start"]) + 0.1 == pytest.approx(line.start, abs=1e-3)
            assert float(mine[line.segment]["end"]) - 0.1 == pytest.approx(line.end, abs=1e-3)
    card = json.loads((whole.out / "dataset.json").read_text())
    assert (card["name"], card["edition"], card["state"]) == ("mocap-qa", 1, "complete")
    assert card["settings"] == MocapQAConfig(**TINY).record()
    assert card["counts"]["questions"] == {"train": whole.train, "val": 0, "test": whole.test}
    assert (whole.videos, whole.questions, whole.train, whole.digest) == (4, len(asked), 20, card["digest"])


def test_the_reader_of_questions_reads_all_of_it_without_a_warning(whole, caplog):
    with caplog.at_level(logging.WARNING):
        table = QuestionsConfig().open(whole.out)
    assert not caplog.records
    assert len(table) == whole.questions
    for film in plan_films(MocapQAConfig(**TINY)):
        assert [(line.start, line.end, line.text) for line in table.lines(film.name)] == [
            (line.start, line.end, line.text) for line in film.lines
        ]
    person = {row.video: row.group for row in table.rows}
    assert set(person.values()) == {"p001", "p002"}


def test_same_seed_same_files_and_a_partial_set_is_completed_to_the_same(whole, tmp_path):
    out = tmp_path / "partial"
    shutil.copytree(whole.out, out)
    for name in ("questions.jsonl", "labels.csv", "subtitles/v0001.srt", "videos/v0001.mp4"):
        (out / name).unlink()
    (out / "videos" / "v0002.mp4").write_bytes(b"cut off")
    (out / "videos" / ".half.mp4.abc.part").write_bytes(b"half")
    before = (out / "videos" / "v0003.mp4").stat().st_mtime_ns
    assert write_mocap_qa(out, MocapQAConfig(**TINY), workers=1).digest == whole.digest
    assert files(out) == files(whole.out)
    assert (out / "videos" / "v0003.mp4").stat().st_mtime_ns == before
    other = plan_films(MocapQAConfig(**TINY | {"seed": 1}))
    assert [film.segments for film in other] != [film.segments for film in plan_films(MocapQAConfig(**TINY))]
    with pytest.raises(DataError, match=r"other settings: silent 0\.1 instead of 0\.5"):
        write_mocap_qa(whole.out, MocapQAConfig(**TINY | {"silent": 0.5}))
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty and holds no Mocap-QA"):
        write_mocap_qa(tmp_path, MocapQAConfig(**TINY))


def test_no_person_is_on_two_sides_and_more_videos_leave_the_earlier_as_they_were(planned):
    films, asked = planned
    people = defaultdict(set)
    for film in films:
        people[film.split].add(film.person)
    assert {split: len(some) for split, some in people.items()} == {"train": 72, "val": 18, "test": 30}
    assert len(set.union(*people.values())) == 120
    few = plan_films(MocapQAConfig(videos=30))
    assert few == films[:30]
    assert [questions_of(film, 0) for film in few] == asked[:30]
    kinds = Counter(question["type"] for some in asked for question in some)
    assert kinds.keys() == set(TYPES)
    assert min(kinds.values()) >= 470  # of 480; 'said' needs two facts of a kind
    assert {len(film.segments) for film in films} == {5, 6, 7}


def test_every_answer_is_true_and_every_other_option_is_false(planned):
    named = {does: motion for motion, does in DOES.items()}
    for film, some in zip(*planned, strict=True):
        labels = [segment.label for segment in film.segments]
        over = {line.text: labels[line.segment] for line in film.lines}
        for question in some:
            assert len(set(question["options"])) == 4
            right = question["options"][question["answer"]]
            wrong = [option for option in question["options"] if option != right]
            words, about = question["question"], None
            if question["type"] != "said":
                found = [motion for motion, does in DOES.items() if re.search(rf"\b{does}\b", words)]
                about = found[0] if found else None
            if question["type"] == "said":
                (line,) = [line for line in film.lines if re.search(rf"\b{line.thing}\b", words)]
                assert right == line.value
                assert right in line.text
                assert not any(option in line.text for option in wrong)
            elif question["type"] == "which":
                assert named[right] in labels
                assert not {named[option] for option in wrong} & set(labels)
            elif question["type"] == "after":
                assert labels.count(about) == 1
                assert named[right] == labels[labels.index(about) + 1]
                assert {named[option] for option in wrong} < set(labels) - {about}
            elif question["type"] == "often":
                assert right == TIMES[labels.count(about)]
            else:
                (quoted,) = [text for text in over if f'"{text}"' in words]
                assert named[right] == over[quoted]
                assert {named[option] for option in question["options"]} <= set(over.values())


def test_spans_hold_what_is_asked_for_and_lines_cover_most_motions(planned):
    said, motions = 0, 0
    for film, some in zip(*planned, strict=True):
        seconds = film.frames / film.fps
        said, motions = said + len(film.lines), motions + len(film.segments)
        for question in some:
            if question["type"] == "often":
                assert "start" not in question
            elif "start" in question:
                assert 0 <= question["start"] < question["end"] <= seconds + 1e-3
                inside = [
                    segment.label
                    for segment in film.segments
                    if segment.start / film.fps < question["end"] - 1e-3
                    and segment.stop / film.fps > question["start"] + 1e-3
                ]
                assert len(inside) == (2 if question["type"] == "after" else 1)
                if question["type"] in ("which", "while"):
                    assert DOES[inside[0]] == question["options"][question["answer"]]
    assert 0.85 < said / motions < 0.97


def test_shifted_by_a_motion_subtitles_lie_over_other_motions(planned):
    films, _ = planned
    same = []
    for film in films:
        for line in film.lines:
            middle = 0.5 * (line.start + line.end) + 2.0
            now = [segment.label for segment in film.segments if segment.start <= middle * film.fps < segment.stop]
            same += [label == film.segments[line.segment].label for label in now]
    assert np.mean(same) < 0.03


def test_no_word_of_a_subtitle_is_one_of_a_motion(planned):
    films, _ = planned
    words = {word for film in films for line in film.lines for word in re.findall(r"[a-z]+", line.text.lower())}
    moves = {word for text in (*DOES, *DOES.values()) for word in re.findall(r"[a-z]{3,}", text)} - {"the"}
    stems = {re.sub(r"(e?s|ing)$", "", word) for word in moves}
    shared = {word for word in words if word in moves or re.sub(r"(e?s|ing)$", "", word) in stems}
    assert not shared
    assert len(set(THINGS)) == len(THINGS)
    assert {len(set(fact.values)) for fact in FACTS.values()} == {12}


def test_words_alone_do_not_tell_the_answer():
    # Of each option: is it right? Learnt from its words, and from pairs of a word of the question and the option.
    config = MocapQAConfig(videos=600, people=300)
    every = [question for film in plan_films(config) for question in questions_of(film, config.seed)]
    places = Counter(question["answer"] for question in every)
    assert max(places.values()) / len(every) < 0.27
    for kind in TYPES:
        some = [question for question in every if question["type"] == kind]
        texts = [known_words(question["question"], option) for question in some for option in question["options"]]
        truth = np.array([place == question["answer"] for question in some for place in range(4)])
        test = np.repeat([question["split"] == "test" for question in some], 4)
        counted = CountVectorizer(analyzer=list, binary=True)
        learnt = counted.fit_transform([text for text, mine in zip(texts, test, strict=True) if not mine])
        model = LogisticRegression(C=0.1, solver="liblinear").fit(learnt, truth[~test])
        tested = counted.transform([text for text, mine in zip(texts, test, strict=True) if mine])
        chosen = model.decision_function(tested).reshape(-1, 4).argmax(axis=1)
        right = np.mean(chosen == truth[test].reshape(-1, 4).argmax(axis=1))
        assert right < 0.25 + 3.5 * np.sqrt(0.25 * 0.75 / len(chosen)), (kind, right)


def known_words(question, option):
    """The words of an option, the whole of it, and each word of the question with it."""
    asked = re.findall(r"[a-z]+", question.lower())
    return [*option.split(), option, *(f"{word}+{option}" for word in asked)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"videos": 0}, "mocap_qa.videos is 0; it must be between 1 and 9999"),
        ({"people": 0}, "mocap_qa.people is 0"),
        ({"test": 0.9, "val": 0.1}, r"mocap_qa.val is 0.1, mocap_qa.test 0.9: none of 120 people is 'train'"),
        ({"people": 1, "test": 0.6}, "none of 1 people is 'train'"),
        ({"motions": 9}, "mocap_qa.motions is 9; it must be between 10 and 13"),
        ({"silent": float("nan")}, "mocap_qa.silent is nan"),
        ({"seconds_min": 3.0}, r"mocap_qa.seconds_max is 2.4; it must be between 3.0 and 10.0"),
        ({"transition": 0.9}, r"mocap_qa.transition is 0.9; it must be between 0.0 and 0.8"),
        ({"size": 16}, "size is 16"),
        ({"joint_noise": 99.0}, "joint_noise is 99.0"),
    ],
)
def test_settings_that_no_set_could_have_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        MocapQAConfig(**settings)


def test_the_command_writes_a_set_and_refuses_what_it_cannot(call, tmp_path):
    asked = ("--videos", "1", "--people", "1", "--size", "32", "--fps", "10", "--workers", "1")
    status, out, _ = call("dataset", "mocap-qa", tmp_path / "set", *asked, "--json")
    assert status == 0
    told = json.loads(out)
    assert told.keys() == {"data", "videos", "questions", "train", "val", "test", "digest", "seconds"}
    assert (told["data"], told["videos"], told["questions"]) == (str(tmp_path / "set"), 1, 10)
    status, out, _ = call("dataset", "mocap-qa", tmp_path / "other", "--motions", "5", "--json")
    assert status == 2
    assert "motions is 5" in json.loads(out)["error"]["message"]
    assert not (tmp_path / "other").exists()
