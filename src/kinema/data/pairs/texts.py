r"""Texts as networks take them: TF-IDF vectors of words, ids of words, tokens of a tokenizer, or stored vectors.

A word is what scikit-learn's vectorizers take for one: a run of letters, digits and underscores (``\b\w+\b``, of one
character too), in lower case, in Unicode's composed form. Tags may so have spaces, commas or semicolons between them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, RunError
from kinema.core.files import write_json
from kinema.core.reading import read_shape
from kinema.core.spans import Tokens
from kinema.core.splits import tidy

if TYPE_CHECKING:
    from kinema.data.documents.tokenizer import Tokenizer

WORDS, TOKENIZER = "words.json", "tokenizer.json"
"""What a run keeps to read new texts: its words, or its tokenizer."""

PADDING, UNKNOWN, SPECIAL = 0, 1, 2
"""The ids of no word and of a word that is not in the vocabulary; and how many such there are."""

_WORD = re.compile(r"\b\w+\b")


def words_of(text: str) -> list[str]:
    """The words of a text, in its order; see the module.

    Args:
        text: any; of a text without a letter or digit there are none.
    """
    return _WORD.findall(tidy(text).lower())


@dataclass(frozen=True)
class Vocabulary:
    """Words, and how rare each is.

    Args:
        words: sorted; V of them.
        idf: ln((1 + n) / (1 + df)) + 1 of each, df of the n texts holding it, as scikit-learn's TfidfVectorizer.
    """

    words: tuple[str, ...]
    idf: tuple[float, ...]

    @classmethod
    def learn(cls, texts: Iterable[str], most: int) -> Vocabulary:
        """The most frequent words of texts; of words as frequent the first of the alphabet.

        Args:
            texts: to learn from.
            most: how many words are kept.
        """
        counts: Counter[str] = Counter()
        holding: Counter[str] = Counter()
        total = 0
        for text in texts:
            found = words_of(text)
            counts.update(found)
            holding.update(set(found))
            total += 1
        kept = sorted(sorted(counts, key=lambda word: (-counts[word], word))[:most])
        return cls(tuple(kept), tuple(math.log((1 + total) / (1 + holding[word])) + 1 for word in kept))

    @classmethod
    def read(cls, run: Path) -> Vocabulary:
        """The words that a run keeps.

        Args:
            run: its folder.

        Raises:
            RunError: there are none, or they are damaged.
        """
        hint = "The run folder is damaged; train again."
        found = read_shape(run / WORDS, cls, error=RunError, hint=hint)
        bad = not all(math.isfinite(each) and each > 0 for each in found.idf) or len(set(found.words)) < len(found)
        if bad or len(found.words) != len(found.idf):
            raise RunError(f"'{run / WORDS}' holds no vocabulary: each word once, with a number above 0.", hint)
        return found

    def write(self, folder: Path) -> None:
        """Writes words.json; raises StorageError where it cannot."""
        write_json(folder / WORDS, {"words": list(self.words), "idf": list(self.idf)})

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each word's number among :attr:`words`."""
        return {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)


class Texts(Protocol):
    """The texts of several rows, as a network takes them."""

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Which of them hold no word that is known, bool [N]."""
        ...

    def batch(self, rows: NDArray[np.int64]) -> Tensor | Tokens:
        """Some of them: float32 [B, V], or B sequences of ids."""
        ...


@dataclass(frozen=True)
class Bags:
    """Vectors of words, of which only what is not 0 is held.

    Args:
        bounds: int64 [N + 1], where each text's words begin.
        columns: int64, the words' numbers.
        values: float32, what they weigh; a text's vector has unit length, or is 0 where no word is known.
        width: V.
    """

    bounds: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]
    width: int

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Which texts hold no word that is known, bool [N]."""
        return np.equal(np.diff(self.bounds), 0)

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """Some texts, float32 [B, V]."""
        found = torch.zeros(len(rows), self.width)
        for place, row in enumerate(rows.tolist()):
            one = slice(int(self.bounds[row]), int(self.bounds[row + 1]))
            found[place, torch.from_numpy(self.columns[one])] = torch.from_numpy(self.values[one])
        return found


@dataclass(frozen=True)
class Sequences:
    """Texts as ids.

    Args:
        bounds: int64 [N + 1], where each text's ids begin; each has one at least.
        ids: int64.
        padding: the id of no word.
        unknown: bool [N], which texts hold no word that is known.
    """

    bounds: NDArray[np.int64]
    ids: NDArray[np.int64]
    padding: int
    unknown: NDArray[np.bool_]

    def batch(self, rows: NDArray[np.int64]) -> Tokens:
        """Some texts, padded to the longest of them."""
        starts, lengths = self.bounds[rows], np.diff(self.bounds)[rows]
        places = np.arange(int(lengths.max(initial=1)))
        mask = places < lengths[:, None]
        ids = np.full(mask.shape, self.padding, np.int64)
        ids[mask] = self.ids[(starts[:, None] + places)[mask]]
        return Tokens(torch.from_numpy(ids), torch.from_numpy(mask))


class Coder(Protocol):
    """What makes texts into what a network takes."""

    @property
    def features(self) -> int:
        """V of a vector; 0 of ids."""
        ...

    @property
    def vocabulary(self) -> int:
        """Rows that an embedding of the ids needs; 0 of vectors."""
        ...

    def coded(self, texts: Sequence[str]) -> Texts:
        """Texts as a network takes them."""
        ...

    def save(self, folder: Path) -> None:
        """Writes what a run needs to read new texts; raises StorageError where it cannot."""
        ...


@dataclass(frozen=True)
class BagCoder:
    """TF-IDF vectors of unit length, as scikit-learn's TfidfVectorizer makes them.

    Args:
        known: the words.
    """

    known: Vocabulary

    @property
    def features(self) -> int:
        """V."""
        return len(self.known)

    @property
    def vocabulary(self) -> int:
        """None are ids."""
        return 0

    def coded(self, texts: Sequence[str]) -> Bags:
        """The vectors of texts."""
        numbers, idf = self.known.numbers, self.known.idf
        bounds, columns, values = [0], [], []
        for text in texts:
            counts = Counter(numbers[word] for word in words_of(text) if word in numbers)
            weights = {column: count * idf[column] for column, count in sorted(counts.items())}
            length = math.sqrt(sum(weight * weight for weight in weights.values()))
            columns += list(weights)
            values += [weight / length for weight in weights.values()]
            bounds.append(len(columns))
        return Bags(
            np.asarray(bounds, np.int64), np.asarray(columns, np.int64), np.asarray(values, np.float32), self.features
        )

    def save(self, folder: Path) -> None:
        """Writes words.json; raises StorageError where it cannot."""
        self.known.write(folder)


@dataclass(frozen=True)
class WordCoder:
    """Ids of words: 0 pads, 1 is a word that is not known, and others follow in the alphabet's order.

    Args:
        known: the words.
        max_length: words of a text; what is longer is cut at its end.
    """

    known: Vocabulary
    max_length: int

    @property
    def features(self) -> int:
        """None are vectors."""
        return 0

    @property
    def vocabulary(self) -> int:
        """All words, the padding, and the word that is not known."""
        return len(self.known) + SPECIAL

    def coded(self, texts: Sequence[str]) -> Sequences:
        """The ids of texts; a text without a word has the one of the word that is not known."""
        numbers = self.known.numbers
        ids = [
            [numbers.get(word, UNKNOWN - SPECIAL) + SPECIAL for word in words_of(text)[: self.max_length]] or [UNKNOWN]
            for text in texts
        ]
        return _sequences(ids, PADDING, {PADDING, UNKNOWN})

    def save(self, folder: Path) -> None:
        """Writes words.json; raises StorageError where it cannot."""
        self.known.write(folder)


@dataclass(frozen=True)
class TokenCoder:
    """Tokens of a tokenizer, with its special tokens around.

    Args:
        tokenizer: of the text run that the network starts from.
        max_length: tokens of a text, special ones included.
    """

    tokenizer: Tokenizer
    max_length: int

    @property
    def features(self) -> int:
        """None are vectors."""
        return 0

    @property
    def vocabulary(self) -> int:
        """Rows that an embedding of the tokens needs."""
        return self.tokenizer.size

    def coded(self, texts: Sequence[str]) -> Sequences:
        """The tokens of texts."""
        ids = [self.tokenizer.with_special(each, self.max_length) for each in self.tokenizer.encode(map(tidy, texts))]
        return _sequences(ids, self.tokenizer.pad_id, set(self.tokenizer.special_ids))

    def save(self, folder: Path) -> None:
        """Writes tokenizer.json; raises StorageError where it cannot."""
        self.tokenizer.write(folder / TOKENIZER)


def _sequences(ids: Sequence[Sequence[int]], padding: int, nothing: set[int]) -> Sequences:
    bounds = np.cumsum([0, *map(len, ids)], dtype=np.int64)
    unknown = np.asarray([nothing.issuperset(each) for each in ids], np.bool_)
    flat = np.asarray([each for text in ids for each in text], np.int64)
    return Sequences(bounds, flat, padding, unknown)


def check_known(texts: Sequence[str], coded: Texts) -> None:
    """Refuses a question of which the run knows no word.

    Args:
        texts: as they were given.
        coded: the same.

    Raises:
        DataError: names the first such text and its words.
    """
    if not coded.unknown.any():
        return
    text = texts[int(np.flatnonzero(coded.unknown)[0])]
    words = words_of(text)
    if not words:
        raise DataError(f"The text '{text}' holds no word.", "Ask in words.")
    named = ", ".join(f"'{word}'" for word in words[:8])
    raise DataError(
        f"The run knows none of the words {named}{' …' if len(words) > 8 else ''} of '{text[:80]}'.",
        "Ask in words that occur in the texts it learnt from; words.json in its folder lists them.",
    )
