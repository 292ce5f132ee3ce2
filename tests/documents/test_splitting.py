from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinema.core.errors import ConfigError
from kinema.data.documents import count_words, passage_spans, sentence_spans, sentences

TEXTS = st.text(st.sampled_from(list("ab Cd.!?… \n\t\"')猫。é1,")), max_size=80)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said "Stop." Then (he ran.) And fell.', ['He said "Stop."', "Then (he ran.)", "And fell."]),
        ("Mr. J. Smith of the U.S. Army came at 3.30 p.m. on Monday.", None),
        ("It rose, e.g. by 3.5 per cent, etc. and fell.", None),
        ("Wait... there is more. Really?! Yes.", ["Wait... there is more.", "Really?!", "Yes."]),
        ("A title\n\nThe first\nline goes on. Next.", ["A title", "The first line goes on.", "Next."]),
        ("they get into an accident . one dies ! ! ! what's the deal ?", 3),
        ("all small letters. but two sentences.", ["all small letters.", "but two sentences."]),
        ("吾輩は猫である。名前はまだ無い。", ["吾輩は猫である。", "名前はまだ無い。"]),
        (" \n\n ... \n\n", []),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text, expected):
    found = sentences(text)
    if isinstance(expected, int):
        assert len(found) == expected
    else:
        assert found == ([text] if expected is None else expected)


@given(TEXTS)
def test_sentences_hold_every_word_once_and_in_order(text):
    spans = sentence_spans(text)
    held = "".join(text[begin:end] for begin, end in spans)
    kept = [c for c in held if c.isalnum()]
    assert kept == [c for c in text if c.isalnum()]
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))
    assert all(text[begin:end] == text[begin:end].strip() and begin < end for begin, end in spans)


@given(TEXTS, st.integers(1, 6))
def test_passages_hold_every_word_and_no_more_than_they_may(text, words):
    spans = passage_spans(text, words)
    assert [c for begin, end in spans for c in text[begin:end] if c.isalnum()] == [c for c in text if c.isalnum()]
    assert all(1 <= count_words(text[begin:end]) <= words for begin, end in spans)


def test_passages_are_whole_sentences_where_those_are_short_enough():
    text = "One two three. Four five six. Seven eight. " + "Long " * 12 + "end."
    found = [text[begin:end] for begin, end in passage_spans(text, 6)]
    assert found[:2] == ["One two three. Four five six.", "Seven eight."]
    assert [count_words(piece) for piece in found] == [6, 2, 6, 6, 1]
    with pytest.raises(ConfigError, match="0 words"):
        passage_spans(text, 0)


def test_words_are_counted_without_spaces_too():
    assert count_words("  two\nwords ") == 2
    assert count_words("吾輩は猫である") == 7
    assert count_words("") == 0
