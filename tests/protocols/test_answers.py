"""The protocol of answers: who is asked, what the run was trained on, and what stands beside the figures."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kinema.core.errors import DataError
from kinema.core.questions import Answers
from kinema.data.questions.reading import read_questions
from kinema.protocols.answers import ANSWERS, MOST_TYPES
from kinema.protocols.request import Request

THINGS = ("ball", "cup", "hat", "key", "map", "pen")


class Model:
    """Answers by a rule: the thing of a question's own stretch, or always the first option."""

    modality, unit, name, view, seed, dim = "question", "questions", "video-qa", "question", 0, 8

    def __init__(self, run=None, *, blind=False):
        self.run, self.blind, self.asked = run, blind, []

    def open(self, source):
        return read_questions(source, held_out=0.0)

    def answers(self, table, *, without=(), shift=0.0, context=None, device=None, progress=None):
        self.asked.append((context, [row.id for row in table.rows]))
        shares = np.full((len(table), table.count), 0.1, np.float32)
        for number, row in enumerate(table.rows):
            said = " ".join(line.text for line in table.lines(row.video) if line.start == row.start)
            right = [place for place, option in enumerate(row.options) if option.split()[-1] in said]
            shares[number, 0 if self.blind or not right else right[0]] = 0.7
        spans = np.array([[row.start, row.end + 2 * self.blind] for row in table.rows], np.float32)
        return Answers(shares, spans)


def write(root, splits, *, timed=True, answers=None, kinds=("what", "when")):
    """A question a video: what is seen in its second half. Both halves are said, so that words do not tell the half."""
    (root / "subtitles").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, split in enumerate(splits):
        things = [THINGS[(number + k) % len(THINGS)] for k in range(3)]
        lines = [{"start": 2.0 * k, "end": 2.0 * k + 2, "text": f"she takes the {things[k]}"} for k in range(2)]
        (root / "subtitles" / f"v{number}.json").write_text(json.dumps(lines))
        answer = (number * 7) % 3
        options = [f"the {things[k]}" for k in (0, 2)]
        options.insert(answer, f"her {things[1]}")
        row = {"id": f"q{number}", "video": f"v{number}", "question": "what does she take then?", "options": options}
        row |= {"answer": answer if answers is None else answers[number], "type": kinds[number % len(kinds)]}
        row |= {"difficulty": str(1 + number % 2)} | ({"split": split} if split else {})
        rows.append(row | ({"start": 2.0, "end": 4.0} if timed else {}))
    (root / "questions.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return root


def measured(model, folder, preset="as-trained", **options):
    return ANSWERS.measure(Request((model,), str(folder), "set", (preset,), None, None, device="cpu", **options))[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("questions"), ["train"] * 18 + ["val"] * 6 + ["test"] * 12)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A run that was trained on the split 'train': the list of its questions."""
    run = tmp_path_factory.mktemp("run")
    read_questions(folder).select({"split": "train"}).write(run / "manifest.parquet")
    return run


def test_the_test_is_asked_and_floors_stand_beside_it(folder, trained, caplog):
    model = Model(trained)
    found = measured(model, folder)
    assert model.asked == [(None, [f"q{n}" for n in range(24, 36)])]
    assert found.metrics["accuracy"] == 1
    assert (found.queries, found.gallery) == (12, 0)
    assert found.metrics["accuracy_question_only"] == pytest.approx(1 / 3), "no option shares a word with it"
    assert found.metrics["accuracy_tfidf_stretch"] == 1 > found.metrics["accuracy_tfidf"]
    assert found.metrics["accuracy_options_only"] == 1, "'her' gives the answer away"
    assert found.metrics["accuracy_longest_option"] == pytest.approx(1 / 3)
    named = {"accuracy_what", "accuracy_when", "accuracy_difficulty_1", "accuracy_difficulty_2"}
    assert named | {"temporal_miou", "asa"} < set(found.metrics)
    assert (found.metrics["temporal_miou"], found.metrics["asa"]) == (1, 1)
    details = found.details
    assert (details["chance"], details["groups"], details["options_only_learnt_from"]) == (1 / 3, 12, 18)
    assert details["trained_on"] == {"left_out": 0, "all": False}
    assert details["floors"]["accuracy_tfidf"]["per_type"].keys() == {"what", "when"}
    assert "is not above what needs no video: the options’ words alone 1.000" in caplog.text
    json.dumps(details, allow_nan=False)
    titles = [ANSWERS.metric(name).title for name in found.metrics]
    assert "of what" in titles
    assert "difficulty 2" in titles
    places = [ANSWERS.place(name) for name in found.metrics]
    assert places == sorted(places), "columns are in the order of the figures"


def test_a_blind_model_has_chance_and_the_wrong_stretch(folder, trained):
    found = measured(Model(trained, blind=True), folder)
    assert found.metrics["accuracy"] == pytest.approx(1 / 3)
    assert (found.metrics["temporal_miou"], found.metrics["asa"]) == (0.5, pytest.approx(1 / 3))
    assert found.details["places"]["chosen"] == [1, 0, 0]


def test_what_was_trained_on_is_not_asked(folder, trained, caplog):
    whole = measured(Model(trained), folder, query={"difficulty": "1"})
    assert (whole.queries, whole.details["trained_on"]) == (9, {"left_out": 9, "all": False})
    assert "9 of 18 questions are not asked, since the run was trained on them." in caplog.text
    assert whole.digest != measured(Model(trained), folder).digest
    own = measured(Model(trained), folder, query={"split": "train"})
    assert (own.queries, own.details["trained_on"]["all"]) == (18, True)
    assert "TRAINED ON ALL 18 questions" in caplog.text
    assert "accuracy_options_only" not in own.metrics, "they would be learnt from what is asked"


def test_of_which_part_answers_are_known(tmp_path, caplog):
    splits = ["train"] * 6 + ["val"] * 6 + ["test"] * 6
    held = write(tmp_path / "held", splits, answers=[None if split == "test" else 0 for split in splits])
    model = Model()
    assert measured(model, held).queries == 6
    assert model.asked[0][1] == [f"q{n}" for n in range(6, 12)]
    few = write(tmp_path / "few", splits, answers=[0] * 12 + [1, 1, None, None, 1, 1])
    assert measured(model, few).queries == 4
    assert "2 of 6 questions are not asked: their answers are not known." in caplog.text
    with pytest.raises(DataError, match="Of none of the 6 questions"):
        measured(model, held, query={"split": "test"})
    with pytest.raises(DataError, match="none is left to ask"):
        measured(model, write(tmp_path / "all", ["train"] * 4))
    assert measured(model, write(tmp_path / "none", [None] * 4)).queries == 4


def test_presets_say_what_is_shown(folder, trained, tmp_path, caplog):
    model = Model(trained)
    for preset, context in (("whole", "whole"), ("stretch", "stretch")):
        measured(model, folder, preset)
        assert model.asked[-1][0] == context
    untimed = write(tmp_path / "untimed", ["test"] * 4, timed=False)
    with pytest.raises(DataError, match="None of the 4 questions says which stretch"):
        measured(Model(), untimed, "stretch")
    found = measured(Model(), untimed)
    assert {"temporal_miou", "asa", "accuracy_tfidf_stretch"}.isdisjoint(found.metrics)


def test_types_that_are_called_like_a_figure_or_are_none(tmp_path, caplog):
    found = measured(Model(), write(tmp_path / "clash", ["test"] * 4, kinds=("tfidf", "why so")))
    assert {"accuracy_tfidf", "accuracy_type_tfidf", "accuracy_why_so"} < set(found.metrics)
    assert ANSWERS.metric("accuracy_why_so").title == "of why_so"
    many = write(tmp_path / "many", ["test"] * 40, kinds=[f"kind{n}" for n in range(MOST_TYPES + 1)])
    assert not any("kind" in name for name in measured(Model(), many).metrics)
    assert "31 types of questions" in caplog.text


def test_a_group_alone_has_no_interval(folder):
    class One(Model):
        def open(self, source):
            table = super().open(source)
            return replace(table, rows=tuple(replace(row, group="one") for row in table.rows))

    assert "interval" not in measured(One(), folder).details
    low, high = measured(Model(blind=True), folder).details["interval"]
    assert low < 1 / 3 < high
