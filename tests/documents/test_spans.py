from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import spans as oracle

from kinema.core.spans import SpanNeeds
from kinema.data.documents.spans import draw_sentences, draw_spans, is_scaled, span_lengths


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


needs_strategy = st.builds(
    lambda anchors, positives, shortest, more, sampling: SpanNeeds(
        anchors, positives, min_length=shortest, max_length=shortest + more, sampling=sampling
    ),
    st.integers(1, 5),
    st.integers(0, 3),
    st.integers(1, 20),
    st.integers(0, 40),
    st.sampled_from(["any", "subsuming", "adjacent"]),
)


@given(needs_strategy, st.integers(1, 2000), st.integers(0, 99))
def test_spans_lie_in_the_document_and_are_as_long_as_they_may_be(needs, tokens, seed):
    spans = draw_spans(tokens, needs, generator(seed))
    shortest, longest = span_lengths(tokens, needs)
    assert len(spans.anchors) == needs.anchors
    assert len(spans.positives) == needs.anchors * needs.positives
    assert 1 <= shortest <= longest <= needs.max_length
    for begin, end in spans.anchors:
        assert 0 <= begin < end <= tokens
        assert shortest <= end - begin <= longest
    for begin, end in spans.positives:
        assert 0 <= begin < end <= tokens
        assert end - begin <= longest
        assert needs.sampling == "adjacent" or end - begin >= shortest


@given(needs_strategy, st.integers(1, 2000), st.integers(0, 99))
def test_anchors_lie_in_slots_with_a_free_one_between_them(needs, tokens, seed):
    tokens = max(tokens, 2 * needs.anchors)
    spans = draw_spans(tokens, needs, generator(seed))
    longest = span_lengths(tokens, needs)[1]
    slots = sorted(begin // longest for begin, _ in spans.anchors)
    assert all((end - 1) // longest == begin // longest for begin, end in spans.anchors)
    assert all(later - earlier >= 2 for earlier, later in pairwise(slots))


@given(needs_strategy, st.integers(2, 2000), st.integers(0, 99))
def test_positives_lie_where_the_sampling_says(needs, tokens, seed):
    spans = draw_spans(tokens, needs, generator(seed))
    for number, (begin, end) in enumerate(spans.positives):
        first, last = spans.anchors[number // needs.positives]
        if needs.sampling == "subsuming":
            assert first <= begin
            assert end <= last
        elif needs.sampling == "adjacent":
            assert end == first or begin == last
        else:
            assert end >= first
            assert begin <= last


@pytest.mark.parametrize(("anchors", "sampling"), [(2, "any"), (2, "subsuming"), (2, "adjacent"), (3, "any")])
def test_spans_are_distributed_as_those_of_the_oracle(anchors, sampling):
    """Means and deviations of lengths and places, within five standard errors; of three anchors, slots become few."""
    tokens, draws = 50 * anchors, 3000
    needs = SpanNeeds(anchors, 1, min_length=4, max_length=25, sampling=sampling)
    ours, theirs = generator(1), generator(2)
    drawn = [draw_spans(tokens, needs, ours) for _ in range(draws)]
    fast = np.array([np.ravel((spans.anchors, spans.positives)) for spans in drawn])
    slowly = [oracle.draw(tokens, anchors, 1, 4, 25, sampling, theirs) for _ in range(draws)]
    slow = np.array([np.ravel((own, [each[0] for each in beside])) for own, beside in slowly])
    for found, expected in ((fast, slow), (fast[:, 1::2] - fast[:, ::2], slow[:, 1::2] - slow[:, ::2])):
        error = np.sqrt((found.var(axis=0) + expected.var(axis=0)) / draws) + 1e-9
        assert (np.abs(found.mean(axis=0) - expected.mean(axis=0)) / error < 5).all()
        np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.1)


def test_lengths_have_the_means_of_their_beta_distributions():
    needs = SpanNeeds(2, 2, min_length=32, max_length=512)
    drawn = [draw_spans(5000, needs, generator(seed)) for seed in range(1500)]
    anchors = np.array([end - begin for s in drawn for begin, end in s.anchors])
    positives = np.array([end - begin for s in drawn for begin, end in s.positives])
    assert anchors.mean() == pytest.approx(32 + 480 * 2 / 3 - 0.5, abs=6)  # Beta(4, 2) has the mean 2/3
    assert positives.mean() == pytest.approx(32 + 480 / 3 - 0.5, abs=5)  # Beta(2, 4) has the mean 1/3


def test_anchors_reach_the_beginning_and_the_end_of_a_document():
    needs = SpanNeeds(1, 0, min_length=2, max_length=10)
    spans = [draw_spans(40, needs, generator(seed)).anchors[0] for seed in range(2000)]
    assert min(begin for begin, _ in spans) == 0
    assert max(end for _, end in spans) == 40


def test_a_short_document_scales_both_lengths_in_proportion():
    needs = SpanNeeds(2, 2, min_length=32, max_length=512)
    assert span_lengths(2048, needs) == (32, 512)
    assert span_lengths(1024, needs) == (16, 256)
    assert span_lengths(2047, needs) == (31, 511)
    assert span_lengths(4, needs) == (1, 1)
    assert span_lengths(1, needs) == (1, 1)
    assert not is_scaled(2048, needs)
    assert is_scaled(2047, needs)


def test_equal_states_give_equal_spans():
    needs = SpanNeeds(2, 2, min_length=8, max_length=32)
    assert draw_spans(500, needs, generator(3)) == draw_spans(500, needs, generator(3))
    assert draw_spans(500, needs, generator(3)) != draw_spans(500, needs, generator(4))


def test_anchors_that_are_sentences_are_different_ones_and_long_enough():
    needs = SpanNeeds(2, cut="sentences", min_length=5, max_length=50)
    lengths = np.array([2, 9, 3, 7, 30])
    drawn = {draw_sentences(lengths, needs, generator(seed)) for seed in range(200)}
    assert {place for pair in drawn for place in pair} == {1, 3, 4}
    assert all(first != second for first, second in drawn)
    assert {len(draw_sentences(np.array([2, 3]), needs, generator(seed))) for seed in range(9)} == {2}
    assert draw_sentences(np.array([2]), needs, generator()) == (0, 0)


def test_positives_overlap_touch_and_lie_within_their_anchors():
    needs = SpanNeeds(1, 1, min_length=2, max_length=6)
    drawn = [draw_spans(60, needs, generator(seed)) for seed in range(1500)]
    seen = set()
    for (first, last), (begin, end) in ((spans.anchors[0], spans.positives[0]) for spans in drawn):
        seen |= {"before"} if end == first else set()
        seen |= {"behind"} if begin == last else set()
        seen |= {"within"} if first <= begin and end <= last else set()
        seen |= {"over the beginning"} if begin < first < end < last else set()
        seen |= {"over the end"} if first < begin < last < end else set()
    assert seen == {"before", "behind", "within", "over the beginning", "over the end"}
