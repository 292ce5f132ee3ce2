"""The reader: answers in the table's order, by what the network is shown, and one question asked by itself."""

import shutil

import numpy as np
import pytest
import torch
from made_questions import made_features, made_lines, write_questions
from torch import nn

from kinema.core.errors import DataError, RunError, UsageError
from kinema.core.questions import Part, QuestionNeeds, QuestionScores
from kinema.data.questions.config import QuestionsConfig
from kinema.data.questions.reader import QuestionReader
from kinema.data.questions.table import TimedLine


class Lookup(nn.Module):
    """Takes the option whose words stand in the most lines, and looks at the first line that has one of them."""

    dim, features = 1, 6

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, options, lines, frames):
        self.seen.append((options, lines, frames))
        rows, count = len(lines), len(options) // len(lines)
        ids, part, line = options.tokens.ids, options.part, options.line
        logits, place = torch.zeros(rows * count), torch.full((rows * count, lines.shape[1]), -1e4)
        for at in range(rows * count):
            words = ids[at][part[at] == int(Part.OPTION)]
            hit = torch.isin(ids[at], words) & (part[at] == int(Part.LINE))
            logits[at] = hit.sum() * 3.0
            place[at, line[at][hit].unique()] = 0.0
        shape = (rows, count)
        return QuestionScores(logits.reshape(shape), logits.reshape(*shape, 1), place.reshape(*shape, -1), lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_questions(tmp_path_factory.mktemp("questions"))


@pytest.fixture
def reader(folder, tmp_path):
    config = QuestionsConfig()
    table, _ = config.usable(config.open(folder), [QuestionNeeds()])
    config.load(table, [QuestionNeeds()]).save(tmp_path)
    return config.reader(Lookup(), "question", name="video-qa", run=tmp_path)


def test_answers_are_shares_and_stretches_in_the_tables_order(reader, folder):
    table = reader.open(folder)
    told = []
    found = reader.answers(table, context="stretch", progress=lambda done, total: told.append((done, total)))
    assert told == [(16, 32), (32, 32)]
    np.testing.assert_allclose(found.shares.sum(axis=1), 1, atol=1e-6)
    assert found.shares.argmax(axis=1).tolist() == [row.answer for row in table.rows]
    assert found.spans.tolist() == [[row.start, row.end] for row in table.rows]
    backwards = reader.answers(table.of(range(31, -1, -1)), context="stretch", batch_size=5)
    np.testing.assert_allclose(backwards.shares[::-1], found.shares)
    assert reader.answers(table.of([])).shares.shape == (0, 0)


def test_what_the_network_is_shown_can_be_changed(reader, folder):
    table, tower = reader.open(folder).of(range(8)), reader.tower
    plain = reader.answers(table)
    shifted = reader.answers(table, shift=3.0)
    (first, lines, frames), (second, later, _) = tower.seen
    assert first.tokens.ids.equal(second.tokens.ids)
    assert (later - lines).unique().tolist() == [3.0]
    assert frames.features.shape == (8, 16, 6)
    np.testing.assert_allclose(shifted.shares, plain.shares)
    nothing = reader.answers(table, without=["subtitles"])
    assert tower.seen[-1][1].shape == (8, 0, 2)
    np.testing.assert_allclose(nothing.shares, 0.25)
    assert np.isnan(nothing.spans).all()
    reader.answers(table, without=["frames", "objects"])
    assert tower.seen[-1][2] is None
    with pytest.raises(UsageError, match="'sound' cannot be left out"):
        reader.answers(table, without=["sound"])


def test_a_question_is_asked_by_itself(reader):
    lines = [TimedLine(*each) for each in made_lines(0)]
    found = reader.ask("What do they do?", ["sit", "bow"], lines=lines[::-1], frames=made_features(0))
    assert found.shares.shape == (1, 2)
    assert found.shares[0].argmax() == 1
    assert found.spans.tolist() == [[4.0, 6.0]]
    assert reader.tower.seen[-1][2].times[0, :2].tolist() == [0.5, 1.5]
    reader.ask("What now, Zebulon?", ["sit", "bow"], frames=made_features(0), times=np.arange(16) * 2.0)
    assert reader.tower.seen[-1][2].times[0, 1] == 2.0
    assert reader.ask("Alone?", ["sit", "bow"]).shares.shape == (1, 2)
    for asked, words in (
        ({"options": ["sit", "sit"]}, "an option that stands twice: 'sit'"),
        ({"options": ["sit"]}, "at least 2 are needed"),
        ({"question": " "}, "'question' is empty"),
        ({"frames": made_features(0)[:, :3]}, "takes 6 features a frame, and the data have 3"),
        ({"frames": np.full((2, 6), np.nan)}, "finite features"),
        ({"frames": made_features(0), "times": np.arange(3)}, "16 frames"),
    ):
        with pytest.raises(DataError) as failure:
            reader.ask(**{"question": "What?", "options": ["sit", "bow"], **asked})
        assert words in str(failure.value)


def test_a_question_has_no_embedding_and_a_model_without_a_run_no_tokenizer(reader, folder):
    with pytest.raises(UsageError, match=r"model\.ask"):
        reader.encode("What?")
    bare = QuestionReader(Lookup(), "question", QuestionsConfig(), name="video-qa")
    assert (bare.dim, bare.digest, bare.unit, bare.modality) == (1, "", "questions", "question")
    with pytest.raises(RunError, match="tokenizer"):
        bare.answers(bare.open(folder))


def test_what_the_run_learnt_with_and_data_lack_is_said(reader, folder, tmp_path, caplog):
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("features"))
    reader.answers(reader.open(folder).of(range(2)))
    reader.answers(reader.open(bare).of(range(2)), without=["frames"])
    assert "learnt with" not in caplog.text
    reader.answers(reader.open(bare).of(range(2)))
    assert "learnt with frames, and the data have none" in caplog.text
    shutil.rmtree(bare / "subtitles")
    reader.answers(reader.open(bare).of(range(2)))
    assert "learnt with frames and subtitles, and the data have none" in caplog.text
