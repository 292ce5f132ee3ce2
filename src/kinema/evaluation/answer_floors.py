"""What answers a question without a network: words that are shared, the longest option, and the options by themselves.

    tfidf_scores    cosine of an option and a text by TF-IDF: the question, all that is said, or what is said then.
    longest         words of an option: whoever writes options makes the true one longer.
    options_only    which option is true by the words of the options alone, learnt from other questions (a shortcut).

Each gives scores [N, K]; :func:`kinema.evaluation.answers.hits` reads them, where options that tie share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError, ShapeError

Scores = NDArray[np.float64]
Options = Sequence[Sequence[str]]

WORD = r"(?u)\b\w\w+\b|\b[^\W_a-zA-Z]\b"
"""What a word is; figures by themselves are some, single Latin letters ("it's") none."""

NUMBERS = frozenset(
    ("one", "two", "three", "four", "five", "six", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty"),
).union(("forty", "fifty", "sixty", "hundred"))
"""In scikit-learn's list of English stop words, and answers to 'how many'."""


class Tfidf:
    """TF-IDF of words (Salton and Buckley 1988): logarithms of counts, without stop words, of unit length.

    Stop words are scikit-learn's English ones but for the numbers, which are what 'how many' is answered by.

    Args:
        texts: of which words and their frequencies are learnt; each is a document.
        stop_words: leaves them out.
    """

    def __init__(self, texts: Iterable[str], *, stop_words: bool = True) -> None:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

        left = sorted(ENGLISH_STOP_WORDS - NUMBERS) if stop_words else None
        self._vectors = TfidfVectorizer(sublinear_tf=True, token_pattern=WORD, stop_words=left)
        counter = self._vectors.build_analyzer()
        kept = [text for text in texts if counter(text)]
        self._empty = not kept  # no word at all: every cosine is 0
        if kept:
            self._vectors.fit(kept)

    def __call__(self, texts: Sequence[str]) -> Any:
        """A sparse matrix [texts, words], rows of unit length, or 0 where no word is known."""
        if self._empty:
            from scipy.sparse import csr_matrix

            return csr_matrix((len(texts), 1))
        return self._vectors.transform(texts)


def tfidf_scores(tfidf: Callable[[Sequence[str]], Any], options: Options, against: Sequence[str]) -> Scores:
    """The cosine of each option and the text of its question, float64 [N, K].

    Args:
        tfidf: makes vectors, as :class:`Tfidf` does.
        options: K of each question.
        against: a text a question, for instance all that is said in its clip; equal ones are read once.

    Raises:
        ShapeError: there is not a text a question, or questions differ in how many options they have.
    """
    count = _count(options)
    if len(against) != len(options):
        raise ShapeError(f"There are {len(against)} texts of {len(options)} questions.")
    place = {text: number for number, text in enumerate(dict.fromkeys(against))}
    texts = tfidf(list(place))
    found = np.zeros((len(options), count))
    for start in range(0, len(options), 1000):
        part = options[start : start + 1000]
        own = tfidf([each for row in part for each in row])
        rows = np.repeat([place[text] for text in against[start : start + 1000]], count)
        found[start : start + 1000] = np.asarray(own.multiply(texts[rows]).sum(axis=1)).reshape(len(part), count)
    return found


def longest(options: Options) -> Scores:
    """Words of each option, float64 [N, K].

    Args:
        options: K of each question.

    Raises:
        ShapeError: questions differ in how many options they have.
    """
    _count(options)
    return np.array([[len(each.split()) for each in row] for row in options], np.float64)


def options_only(options: Options, answer: Sequence[int], others: Options) -> Scores:
    """How much each option of other questions looks like a true one, float64 [N, K]: logits.

    A logistic regression (C .1) on which words and pairs of words an option has, with the true options as one class and
    all others as the other. It sees neither the question nor the clip: where it is right more often than by chance, the
    options give their answers away.

    Args:
        options: K of each question that is learnt from.
        answer: their true options.
        others: those of the questions that are answered.

    Raises:
        DataError: there is nothing to learn from.
        ShapeError: questions differ in how many options they have, or there is not an answer a question.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if not options:
        raise DataError("There are no questions to learn from.")
    count, asked = _count(options), _count(others)
    if len(answer) != len(options):
        raise ShapeError(f"There are {len(answer)} answers of {len(options)} questions.")
    texts = [each for row in options for each in row]
    true = (np.arange(count)[None] == np.asarray(answer)[:, None]).ravel()
    if not any(re.search(WORD, text) for text in texts):
        return np.zeros((len(others), asked))
    words = CountVectorizer(binary=True, ngram_range=(1, 2), token_pattern=WORD)
    model = make_pipeline(words, LogisticRegression(C=0.1, max_iter=1000)).fit(texts, true)
    told = model.decision_function([each for row in others for each in row])
    return np.asarray(told, np.float64).reshape(-1, asked)


def _count(options: Options) -> int:
    counts = sorted({len(row) for row in options})
    if len(counts) != 1:
        raise ShapeError(f"Questions have {' or '.join(map(str, counts)) or 'no'} options; expected one number.")
    return counts[0]
