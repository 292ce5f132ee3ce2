"""A corpus as token ids: one flat array, and where the documents and their sentences begin in it.

It is made once from the texts. In a cache folder it is a folder of its own that later runs map into memory; its name
says of which texts, by which tokenizer and in which pieces it was made.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import StorageError
from kinema.core.files import write_folder, write_new
from kinema.core.spans import Cut
from kinema.data.documents.splitting import sentences
from kinema.data.documents.table import Documents
from kinema.data.documents.tokenizer import Tokenizer

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
_FORMAT = 1
_AT_A_TIME = 256


@dataclass(frozen=True)
class TokenCorpus:
    """The tokens of N documents, in P pieces: the sentences, or one piece a document.

    Args:
        ids: int32 [T], all of them without special tokens.
        bounds: int64 [P + 1], where each piece begins in ``ids``, and where the last one ends.
        pieces: int64 [N + 1], where each document begins in ``bounds``, and where the last one ends.
    """

    ids: NDArray[np.int32]
    bounds: NDArray[np.int64]
    pieces: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pieces) - 1

    def document(self, row: int) -> NDArray[np.int32]:
        """All tokens of one document."""
        return self.ids[self.bounds[self.pieces[row]] : self.bounds[self.pieces[row + 1]]]

    def lengths(self) -> NDArray[np.int64]:
        """Int64 [N], tokens of each document."""
        return np.diff(self.bounds[self.pieces])

    def sentence_lengths(self, row: int) -> NDArray[np.int64]:
        """Int64 [S], tokens of each piece of one document."""
        return np.diff(self.bounds[self.pieces[row] : self.pieces[row + 1] + 1])

    def sentence(self, row: int, number: int) -> NDArray[np.int32]:
        """The tokens of one piece of a document."""
        place = self.pieces[row] + number
        return self.ids[self.bounds[place] : self.bounds[place + 1]]


def tokenize(
    table: Documents, tokenizer: Tokenizer, cut: Cut, *, cache: Path | None = None, progress: Progress | None = None
) -> TokenCorpus:
    """The tokens of every document of a table, in the order of its rows.

    Args:
        table: documents that can be read.
        tokenizer: makes the tokens.
        cut: 'spans' for documents as they are, 'sentences' for each sentence by itself; sentences without a token are
            left out.
        cache: a folder to find it in, or to write it to; None to hold it in memory.
        progress: is called with (documents done, documents).

    Raises:
        DataError: a document cannot be read any more.
        StorageError: the cache could not be written.
    """
    if cache is None:
        found = list(_encoded(table, tokenizer, cut, progress))
        return TokenCorpus(_flat([ids for ids, _ in found]), *_bounds(lengths for _, lengths in found))
    folder = cache / f"documents-{_key(table, tokenizer, cut)}"
    corpus = _opened(folder)
    if corpus is None:
        try:
            write_folder(folder, lambda place: _write(place, _encoded(table, tokenizer, cut, progress)))
        except StorageError:
            if not folder.is_dir():  # otherwise another process wrote the same one meanwhile
                raise
        corpus = _opened(folder)
        assert corpus is not None, "it was written just now"
    if progress is not None:
        progress(len(table), len(table))
    return corpus


def _key(table: Documents, tokenizer: Tokenizer, cut: Cut) -> str:
    parts = [str(_FORMAT), tokenizer.digest, cut, *(row.digest for row in table.rows)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


def _encoded(
    table: Documents, tokenizer: Tokenizer, cut: Cut, progress: Progress | None
) -> Iterator[tuple[NDArray[np.int32], list[int]]]:
    """For each document its ids and the lengths of its pieces."""
    texts, done = table.texts(), 0
    while some := list(islice(texts, _AT_A_TIME)):
        pieces = [[text] if cut == "spans" else sentences(text) for text in some]
        encoded = iter(tokenizer.encode([piece for document in pieces for piece in document]))
        for document in pieces:
            parts = [ids for ids in islice(encoded, len(document)) if ids or cut == "spans"]
            yield _flat([np.array(ids, dtype=np.int32) for ids in parts]), [len(ids) for ids in parts]
        done += len(some)
        if progress is not None:
            progress(done, len(table))


def _flat(arrays: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int32)


def _bounds(lengths: Iterable[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """From the lengths of each document's pieces to ``bounds`` and ``pieces``."""
    each = list(lengths)
    bounds = np.cumsum([0, *(length for document in each for length in document)], dtype=np.int64)
    return bounds, np.cumsum([0, *(len(document) for document in each)], dtype=np.int64)


def _write(folder: Path, encoded: Iterator[tuple[NDArray[np.int32], list[int]]]) -> None:
    lengths = []

    def write_ids(file: BinaryIO) -> None:
        for ids, each in encoded:
            file.write(ids.astype("<i4").tobytes())
            lengths.append(each)

    write_new(folder / "ids", write_ids)
    bounds, pieces = _bounds(lengths)
    write_new(folder / "bounds.npy", lambda file: np.save(file, bounds))
    write_new(folder / "pieces.npy", lambda file: np.save(file, pieces))


def _opened(folder: Path) -> TokenCorpus | None:
    """What was written there; None where nothing was, and where it is damaged, after it was taken away."""
    if not folder.is_dir():
        return None
    try:
        bounds, pieces = np.load(folder / "bounds.npy"), np.load(folder / "pieces.npy")
        size = (folder / "ids").stat().st_size // 4
        for each in (bounds, pieces):
            if each.ndim != 1 or each.dtype != np.int64 or len(each) < 1 or each[0] != 0 or (np.diff(each) < 0).any():
                raise ValueError("its bounds do not rise")
        if size != bounds[-1] or len(bounds) != pieces[-1] + 1:
            raise ValueError("its parts do not fit one another")
        ids = np.memmap(folder / "ids", dtype="<i4", mode="r") if size else np.zeros(0, dtype=np.int32)
        return TokenCorpus(ids, bounds, pieces)
    except (OSError, ValueError, IndexError, EOFError) as error:
        log.warning("'%s' is damaged (%s) and is made anew.", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        return None
