"""Texts as vectors and as ids, and the words that a run keeps."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from kinema.core.errors import DataError, RunError
from kinema.data.pairs.texts import BagCoder, TokenCoder, Vocabulary, WordCoder, check_known, words_of

TEXTS = ["A red square", "a RED stripe, a stripe", "blue_ish;x 42", "Caf\u00e9 na\u00efve a"]


@given(st.lists(st.text("ab\u00c4\u00e9 ,;_-7", max_size=20), min_size=1, max_size=8))
def test_bags_are_those_of_scikit_learn(texts):
    theirs = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", dtype=np.float64)
    known = Vocabulary.learn(texts, 10_000)
    if not known.words:
        return
    expected = theirs.fit_transform(texts)
    assert known.words == tuple(theirs.get_feature_names_out())
    coded = BagCoder(known).coded(texts)
    found = coded.batch(np.arange(len(texts)))
    np.testing.assert_allclose(found.numpy(), expected.toarray(), atol=1e-6)
    assert coded.unknown.tolist() == (expected.getnnz(axis=1) == 0).tolist()


def test_the_most_frequent_words_are_kept_and_of_equal_ones_the_first():
    assert Vocabulary.learn(TEXTS, 3).words == ("a", "red", "stripe")
    assert Vocabulary.learn(TEXTS, 4).words == ("42", "a", "red", "stripe")
    assert words_of("Cafe\u0301, NEW-YORK;b_1\ufeff !") == ["caf\u00e9", "new", "york", "b_1"]


def test_ids_of_words():
    coder = WordCoder(Vocabulary.learn(TEXTS, 4), max_length=3)
    assert (coder.features, coder.vocabulary) == (0, 6)
    coded = coder.coded(["a red a red", "Stripe zebra", "zebra", "..."])
    found = coded.batch(np.array([1, 0, 3]))
    assert found.ids.tolist() == [[5, 1, 0], [3, 4, 3], [1, 0, 0]]
    assert found.mask.tolist() == [[True, True, False], [True] * 3, [True, False, False]]
    assert coded.unknown.tolist() == [False, False, True, True]
    assert torch.equal(coded.batch(np.array([2])).ids, torch.tensor([[1]]))


def test_tokens_of_a_tokenizer():
    pytest.importorskip("tokenizers", reason="the extra kinema[text] is not installed")
    from kinema.data.documents.tokenizer import Tokenizer

    tokenizer = Tokenizer.learn(["a red square", "a blue stripe"], 64)
    coder = TokenCoder(tokenizer, max_length=5)
    coded = coder.coded(["a red square a red", "blue", "\u4e16"])
    found = coded.batch(np.arange(3))
    assert found.ids.shape[1] <= 5
    assert torch.equal(coded.batch(np.array([1])).ids, tokenizer.tokens(["blue"], 5).ids)
    assert found.mask.sum(dim=1).tolist()[0] == 5
    assert coder.vocabulary == tokenizer.size
    assert coded.unknown.tolist() == [False, False, True]


def test_a_question_of_no_known_word():
    coder = BagCoder(Vocabulary.learn(TEXTS, 100))
    check_known(["a zebra"], coder.coded(["a zebra"]))
    for text, said in (("Zebra GNU", "none of the words 'zebra', 'gnu'"), ("?!", "'\\?!' holds no word")):
        with pytest.raises(DataError, match=said) as error:
            check_known(["red", text], coder.coded(["red", text]))
        assert "words" in error.value.hint


def test_a_run_keeps_its_words(tmp_path):
    known = Vocabulary.learn(TEXTS, 100)
    BagCoder(known).save(tmp_path)
    assert Vocabulary.read(tmp_path) == known
    plain = json.loads((tmp_path / "words.json").read_text())
    for change in (
        {"idf": plain["idf"][1:]},
        {"words": 3},
        {"words": ["a"] * len(known)},
        {"idf": [-1.0] * len(known)},
    ):
        (tmp_path / "words.json").write_text(json.dumps(plain | change))
        with pytest.raises(RunError, match=r"words\.json"):
            Vocabulary.read(tmp_path)
