"""Answers that are right, whole groups in a bootstrap, stretches, and what needs no network."""

import numpy as np
import pytest

from kinema.core.errors import DataError, ShapeError
from kinema.evaluation.answer_floors import Tfidf, longest, options_only, tfidf_scores
from kinema.evaluation.answers import answer_figures, chosen, group_interval, hits, overlaps


def test_options_that_tie_share_wherever_they_stand():
    scores = np.array([[0.1, 0.9, 0.2], [0.4, 0.4, 0.1], [0.0, 0.0, 0.0], [0.5, 0.5 - 1e-9, 0.0]])
    assert hits(scores, np.array([1, 0, 2, 1])).tolist() == pytest.approx([1, 0.5, 1 / 3, 0])
    assert hits(scores[:, ::-1], np.array([1, 2, 0, 1])).tolist() == pytest.approx([1, 0.5, 1 / 3, 0])
    assert chosen(scores).sum(axis=1).tolist() == pytest.approx([1] * 4)
    for wrong in (np.array([1, 0, 3, 1]), np.array([1, 0, -1, 1]), np.array([1, 0])):
        with pytest.raises(ShapeError, match="from 0 to K - 1"):
            hits(scores, wrong)
    with pytest.raises(ShapeError, match="of 1 questions are not finite"):
        chosen(np.array([[0.1, np.nan], [0.1, 0.2]]))


def test_a_bootstrap_draws_whole_groups():
    right = np.repeat([1.0, 0.0], 200)
    alone = group_interval(right, [str(n) for n in range(400)])
    of_ten = group_interval(right, [str(n // 40) for n in range(400)])
    assert 0.44 < alone[0] < 0.46
    assert 0.54 < alone[1] < 0.56
    assert of_ten[1] - of_ten[0] > 4 * (alone[1] - alone[0]), "ten episodes are ten draws and not four hundred"
    assert of_ten == group_interval(right, [str(n // 40) for n in range(400)])
    # a mean over the questions that were drawn, and not over groups of unequal sizes
    low, high = group_interval(np.array([1.0] * 30 + [0.0]), ["a"] * 30 + ["b"])
    assert (low, high) == (0, 1) or low > 0.9
    assert np.isnan(group_interval(right, ["one"] * 400)).all()


def test_stretches_overlap_by_intersection_over_union():
    nan = np.nan
    spans = np.array([[0, 10], [5, 15], [20, 30], [nan, nan], [4, 4], [4, 4.5]], np.float32)
    known = np.array([[0, 10], [0, 10], [0, 10], [0, 10], [4, 4], [4, 5]], np.float32)
    assert overlaps(spans, known).tolist() == pytest.approx([1, 1 / 3, 0, 0, 1, 0.5])
    with pytest.raises(ShapeError, match=r"\[N, 2\]"):
        overlaps(spans, known[:2])


def test_figures_by_type_and_the_right_stretch():
    scores = np.eye(4)[[0, 1, 2, 3, 0, 0]]
    answer = np.array([0, 1, 2, 3, 1, 2])
    spans = np.array([[0, 2], [0, 9], [0, 2], [0, 2], [0, 2], [0, 2]], np.float32)
    known = np.array([[0, 2], [0, 2], [1, 2], [np.nan, np.nan], [0, 2], [8, 9]], np.float32)
    found = answer_figures(
        scores,
        answer,
        ["a", "a", "b", "b", "c", "c"],
        types=["why", "why", "how", "", "how", "why"],
        difficulties=["1", "1", "1", "2", "2", "2"],
        spans=spans,
        known=known,
    )
    assert found.right.accuracy == pytest.approx(4 / 6)
    assert (found.groups, found.tied, found.spans) == (3, 0, 5)
    assert {name: (round(x.accuracy, 3), x.questions) for name, x in found.types.items()} == {
        "how": (0.5, 2),
        "why": (0.667, 3),
    }
    assert {name: round(x.accuracy, 3) for name, x in found.difficulties.items()} == {"1": 1.0, "2": 0.333}
    assert found.temporal_miou == pytest.approx((1 + 2 / 9 + 0.5 + 1 + 0) / 5)
    assert found.asa == pytest.approx(2 / 5), "of those looked at rightly one is answered wrongly"
    assert found.place == pytest.approx((0.5, 1 / 6, 1 / 6, 1 / 6))
    without = answer_figures(scores, answer, ["a"] * 6, known=np.full((6, 2), np.nan))
    assert (without.temporal_miou, without.asa, without.spans, without.types) == (None, None, 0, {})
    with pytest.raises(DataError, match="no questions"):
        answer_figures(np.zeros((0, 4)), np.zeros(0, int), [])
    with pytest.raises(ShapeError, match="5 groups of 6"):
        answer_figures(scores, answer, ["a"] * 5)


def test_words_that_are_shared():
    options = [["a red ball", "the dog runs"], ["two cats", "three cats"], ["of the", "and so"]]
    clips = ["a dog runs on the grass", "there are three cats", "a dog runs on the grass"]
    tfidf = Tfidf([*(each for row in options for each in row), *clips])
    scores = tfidf_scores(tfidf, options, clips)
    assert scores.argmax(axis=1)[:2].tolist() == [1, 1], "numbers are no stop words: they answer 'how many'"
    assert scores[2].tolist() == [0, 0], "stop words alone are nothing"
    assert 0 < scores[0, 1] <= 1
    assert scores[0, 0] == 0
    assert tfidf_scores(Tfidf(["of the"]), [["of", "the"]], ["of the"]).tolist() == [[0, 0]]
    assert longest([["a b", "a-b", "a  b c"]]).tolist() == [[2, 1, 3]]
    with pytest.raises(ShapeError, match="2 or 3 options"):
        longest([["a", "b"], ["a", "b", "c"]])
    with pytest.raises(ShapeError, match="1 texts of 2 questions"):
        tfidf_scores(tfidf, options[:2], clips[:1])


def test_options_that_give_their_answers_away():
    rng = np.random.default_rng(0)
    words = ["cat", "dog", "ball", "tree", "house"]

    def drawn(count, *, told):
        answer = rng.integers(0, 4, count)
        options = [[f"the {words[k]} maybe" for k in rng.permutation(5)[:4]] for _ in answer]
        for row, true in zip(options, answer, strict=True):
            row[true] = row[true].replace("maybe", "certainly" if told else "maybe")
        return options, answer.tolist()

    for told, low, high in ((True, 1.0, 1.0), (False, 0.15, 0.35)):
        learnt, asked = drawn(200, told=told), drawn(200, told=told)
        right = hits(options_only(*learnt, asked[0]), np.array(asked[1])).mean()
        assert low <= right <= high
    assert options_only([["!", "?"]] * 4, [0, 1, 0, 1], [["!", "?"]]).tolist() == [[0, 0]]
    with pytest.raises(DataError, match="no questions to learn from"):
        options_only([], [], [["a", "b"]])
