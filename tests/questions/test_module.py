"""Batches of questions: what is in an input, which lines are kept, and questions as candidates of one another."""

import dataclasses
import logging

import numpy as np
import pytest
import torch
from made_questions import made_features, made_lines, made_row, place_of, things_of, write_lines, write_questions
from made_questions import write_rows as write

from kinema.core.errors import ConfigError, DataError, UsageError
from kinema.core.questions import Part, QuestionNeeds
from kinema.core.spans import SpanNeeds
from kinema.data.questions.choosing import kept_lines
from kinema.data.questions.config import QuestionsConfig
from kinema.data.questions.encoding import evenly
from kinema.data.questions.tokens import Room, room_for

ANSWER, MATCH = QuestionNeeds(masked=0.3), QuestionNeeds("question", 3, labels=False)


def loaded(folder, needs=(ANSWER,), **settings):
    config = QuestionsConfig(**settings)
    table, _ = config.usable(config.open(folder).select({"split": "train"}), list(needs))
    return config.load(table, list(needs))


def batch_of(data, needs, *, size=4, epoch=0, seed=0):
    module = data.module(needs, batch_size=size, seed=seed)
    raw = next(iter(module.loader(epoch)))
    return module.batch(raw, torch.Generator().manual_seed(0), labels=needs.labels)


def text_of(data, batch, row, part):
    ids = batch.options.tokens.ids[row][batch.options.part[row] == int(part)]
    return data.tokenizer.decode(ids.tolist())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_questions(tmp_path_factory.mktemp("questions"))


@pytest.fixture(scope="module")
def data(folder):
    return loaded(folder, (ANSWER, MATCH))


def test_an_input_is_question_option_and_lines_with_their_times(data):
    batch = batch_of(data, ANSWER)
    assert (len(batch), batch.count) == (4, 4)
    for place, index in enumerate(batch.index.tolist()):
        row = data.table.rows[index]
        for option, text in enumerate(row.options):
            at = place * 4 + option
            assert text_of(data, batch, at, Part.QUESTION) == row.question.lower()
            assert text_of(data, batch, at, Part.OPTION) == text
            ids, line = batch.options.tokens.ids[at], batch.options.line[at]
            said = [data.tokenizer.decode(ids[line == number].tolist()) for number in range(4)]
            assert said == [text for _, _, text in made_lines(int(row.video[1:]))]
            mask = batch.options.tokens.mask[at]
            special = torch.isin(ids, torch.tensor(data.tokenizer.special_ids)) & mask
            assert int(special.sum()) == 4
            assert (batch.options.part[at] == Part.OTHER).equal(special | ~mask)
        assert batch.lines[place].tolist() == [[2.0 * each, 2.0 * each + 2] for each in range(4)]
        assert (int(batch.answer[place]), batch.span[place].tolist()) == (row.answer, [row.start, row.end])
        want = made_features(int(row.video[1:]))
        np.testing.assert_array_equal(batch.frames.features[place].numpy(), want)
        assert batch.frames.times[place].tolist() == [(frame + 0.5) / 2 for frame in range(16)]


def test_the_true_input_has_a_share_of_its_words_hidden_and_no_special_token(data):
    batch = batch_of(data, ANSWER)
    for place, answer in enumerate(batch.answer.tolist()):
        at = place * 4 + answer
        true, shown = batch.options.tokens.ids[at], batch.masked.tokens.ids[place]
        words = batch.options.part[at] != Part.OTHER
        hidden = shown == data.tokenizer.mask_id
        assert int(hidden.sum()) == round(0.3 * int(words.sum()))
        assert not (hidden & ~words).any()
        assert shown[~hidden].equal(true[~hidden])


def test_an_epoch_shows_every_question_once_and_goes_on_anywhere(data):
    module = data.module(MATCH, batch_size=5, seed=3)
    whole = list(module.loader(1))
    assert len(whole) == module.batches == 5
    seen = torch.cat([raw.index for raw in whole])[: len(data.table)]
    assert sorted(seen.tolist()) == data.rows
    later = list(module.loader(1, first=3))
    for one, other in zip(whole[3:], later, strict=True):
        assert one.options.tokens.ids.equal(other.options.tokens.ids)
        assert one.answer.equal(other.answer)
    assert not torch.cat([raw.index for raw in module.loader(2)])[: len(data.table)].equal(seen)
    assert len(whole[0].first(2)) == 2
    assert len(whole[0].first(2).options) == 6


def test_candidates_are_questions_of_other_clips_and_never_one_of_the_clip_itself(tmp_path):
    asked = ("How many dogs are there?", "Who sings", "What is blue?", "Where is it?", "Why so late?")
    rows = []
    for video in range(5):
        for place in range(4):
            words = asked[(video + place) % 5] if place else asked[video]
            spelt = words.upper() if video % 2 else words
            rows.append(made_row(video, place, question=spelt if place < 3 else f"What of {video}?", split="train"))
        write_lines(tmp_path, f"v{video}", made_lines(video))
    write(tmp_path, rows)
    needs = QuestionNeeds("question", 3, labels=False)
    data = loaded(tmp_path, [needs])
    own = {}
    for row in data.table.rows:
        own.setdefault(row.video, set()).add(row.question.lower().rstrip("?"))
    places = []
    for epoch in range(6):
        batch = batch_of(data, needs, size=20, epoch=epoch)
        assert batch.span is None
        for place, index in enumerate(batch.index.tolist()):
            row = data.table.rows[index]
            shown = [text_of(data, batch, place * 3 + each, Part.OPTION).rstrip("? ") for each in range(3)]
            true = int(batch.answer[place])
            places.append(true)
            assert shown.pop(true) == row.question.lower().rstrip("?")
            assert len(set(shown)) == 2
            assert not set(shown) & own[row.video]
            assert not (batch.options.part[place * 3] == Part.QUESTION).any()
    assert min(places.count(each) for each in range(3)) > 20
    with pytest.raises(DataError, match="8 are needed to match questions with clips"):
        data.module(QuestionNeeds("question", 9, labels=False), batch_size=2, seed=0)


def test_candidates_are_of_the_same_show_where_it_has_enough(tmp_path):
    rows = [
        made_row(
            video, place, question=f"Which {video} of {place} is {'north' if video % 2 else 'south'}?", split="train"
        )
        | {"show": "north" if video % 2 else "south"}
        for video in range(6)
        for place in range(4)
    ]
    for video in range(6):
        write_lines(tmp_path, f"v{video}", made_lines(video))
    write(tmp_path, rows)
    data = loaded(tmp_path, [MATCH])
    batch = batch_of(data, MATCH, size=24)
    for place, index in enumerate(batch.index.tolist()):
        show = data.table.rows[index].show
        assert all(show in text_of(data, batch, place * 3 + each, Part.OPTION) for each in range(3))


def test_what_is_left_out_by_name_is_not_shown(folder):
    for settings in ({"context": "none"}, {"subtitles": False, "frames": False}):
        batch = batch_of(loaded(folder, **settings), ANSWER)
        assert batch.frames is None
        assert batch.lines.shape == (4, 0, 2)
        assert not (batch.options.part == Part.LINE).any()
        assert loaded(folder, **settings).features == 0
        with pytest.raises(ConfigError, match="nothing of a clip is shown"):
            QuestionsConfig(**{"objects": False, **settings}).check(MATCH)
    stretch = loaded(folder, context="stretch")
    batch = batch_of(stretch, ANSWER)
    for place, index in enumerate(batch.index.tolist()):
        row = stretch.table.rows[index]
        number = int(row.id.partition("-")[2])
        video = int(row.video[1:])
        shown = f"in the {place_of(video, number)} they {things_of(video)[number]}"
        assert text_of(stretch, batch, place * 4, Part.LINE) == shown
        assert batch.lines[place].tolist() == [[row.start, row.end]]
        times = batch.frames.times[place]
        assert ((times > row.start) & (times < row.end)).all()
        assert len(times) == 4
    few = batch_of(loaded(folder, frame_limit=4), ANSWER)
    assert few.frames.times[0].tolist() == [1.25, 3.25, 5.25, 7.25]


def test_where_an_input_is_full_the_nearest_lines_are_kept_in_the_order_of_time(folder, caplog):
    with caplog.at_level(logging.INFO):
        near = loaded(folder, max_length=30)
    assert "24 of 24 questions lose lines" in caplog.text
    batch = batch_of(near, ANSWER)
    for place, index in enumerate(batch.index.tolist()):
        row = near.table.rows[index]
        shown = text_of(near, batch, place * 4, Part.LINE)
        number = int(row.id.partition("-")[2])
        assert f"in the {place_of(int(row.video[1:]), number)} they" in shown
        starts = batch.lines[place, :, 0]
        starts = starts[~starts.isnan()].tolist()
        assert starts == sorted(starts)
        assert len(starts) < 4
    assert batch.options.tokens.ids.shape[1] <= 30
    first = batch_of(loaded(folder, max_length=30, choose="first"), ANSWER)
    assert (first.lines[:, 0, 0] == 0).all()


def test_what_does_not_fit_is_cut_alike_for_all_options():
    assert room_for(5, [2, 4, 3], 4, 20) == Room(5, 4, 7, cut=False)
    assert room_for(30, [2, 4, 3], 4, 20) == Room(12, 4, 0, cut=True)
    assert room_for(30, [2, 40, 3], 4, 20) == Room(8, 8, 0, cut=True)
    assert room_for(2, [2, 40, 3], 4, 20) == Room(2, 14, 0, cut=True)
    lengths = np.asarray([9, 3, 4, 2])
    assert kept_lines(lengths, 7, np.asarray([2, 0, 1, 3])) == [(1, 3), (2, 4)]
    assert kept_lines(lengths, 6, np.asarray([0, 1, 2, 3])) == [(0, 6)]
    assert kept_lines(lengths, 3, np.asarray([0, 1, 2, 3])) == [(1, 3)]
    assert evenly(np.arange(10, 20), 5).tolist() == [11, 13, 15, 17, 19]


def test_a_share_of_the_answers_is_used_and_all_of_the_questions(folder):
    half = loaded(folder, (ANSWER, MATCH), labelled=0.5)
    tenth = loaded(folder, (ANSWER, MATCH), labelled=0.1)
    assert (len(half.answered), len(tenth.answered)) == (12, 3)
    assert set(tenth.answered) < set(half.answered)
    raw = list(tenth.module(ANSWER, batch_size=2, seed=0).loader(0))
    assert set(torch.cat([each.index for each in raw]).tolist()) == set(tenth.answered)
    assert tenth.module(MATCH, batch_size=2, seed=0).batches == 12


def test_questions_without_an_answer_serve_the_matching_alone(tmp_path):
    rows = [
        made_row(video, place, answer=None if place else 0, split="train") for video in range(3) for place in range(4)
    ]
    write(tmp_path, rows)
    for video in range(3):
        write_lines(tmp_path, f"v{video}", made_lines(video))
    config = QuestionsConfig()
    table = config.open(tmp_path)
    kept, left_out = config.usable(table, [ANSWER])
    assert (len(kept), set(left_out.values())) == (3, {"no answer"})
    assert "9 of 12 questions are left out: 9 with no answer" in config.left_out(left_out, 12)
    both, none = config.usable(table, [QuestionNeeds("question", 2, labels=False), ANSWER])
    assert (len(both), none) == (12, {})
    assert config.load(both, [ANSWER]).answered == [0, 4, 8]
    bare = dataclasses.replace(table, rows=tuple(row for row in table.rows if row.answer < 0))
    with pytest.raises(DataError, match="9 questions"):
        config.usable(bare, [ANSWER])
    with pytest.raises(ConfigError, match="questions about videos"):
        config.check(SpanNeeds())
    with pytest.raises(UsageError, match="questions have none"):
        config.load(both, [ANSWER]).module(ANSWER, batch_size=2, seed=0).features(None)


def test_the_tokenizer_knows_training_texts_alone_and_is_kept_with_the_run(folder, tmp_path):
    config = QuestionsConfig()
    whole = config.open(folder)
    train = whole.select({"split": "train"})
    odd = dataclasses.replace(whole.rows[-1], question="Zanzibar?", split="test")
    data = config.load(config.usable(train, [ANSWER])[0], [ANSWER])
    assert data.text_vocabulary == config.token_rows(train, [ANSWER]) == data.tokenizer.size
    data.save(tmp_path)
    assert (tmp_path / "features.json").is_file()
    again = config.load(dataclasses.replace(whole, rows=(odd,)), [ANSWER], folder=tmp_path)
    assert again.tokenizer == data.tokenizer
    assert again.coder.known == data.coder.known
