"""Embeddings of a document's passages; each document is encoded by itself.

A batch holds passages of one document only, so its vectors do not depend on other documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.errors import DataError, UsageError
from kinema.core.progress import Progress
from kinema.data.documents.reader import TextReader
from kinema.data.documents.splitting import count_words
from kinema.data.documents.table import Documents
from kinema.searching.centre import MIN_CLIPS, sample_evenly, sample_size, spread
from kinema.searching.encode import unit_vectors

WORDS = 100
"""Words of the longest passage by default."""


@dataclass(frozen=True)
class Passage:
    """One passage of a document, or the whole of it.

    Args:
        start: its first character.
        end: the character after its last.
        words: in it.
        text: the passage; empty for a whole document.
        vector: float32 [d], of unit length.
    """

    start: int
    end: int
    words: int
    text: str
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class Passages:
    """The embeddings of a document: of its passages, and their mean, weighted by words.

    Args:
        parts: in the order of the text.
        whole: the whole document.
    """

    parts: tuple[Passage, ...]
    whole: Passage


@dataclass(frozen=True)
class TextEncoding:
    """Encodes documents, with all settings of a table.

    Args:
        model: the encoder.
        words: of the longest passage.
        batch_size: passages at a time.
        device: where to compute.
        centre: the table's, float64 [d]; None for none.
    """

    model: TextReader
    words: int
    batch_size: int
    device: str | None
    centre: Tensor | None = None

    def features(self, texts: Sequence[str]) -> Tensor:
        """Features of the passages of one document, float64 [N, d]; long passages are not truncated."""
        found = self.model.encode_documents(texts, batch_size=self.batch_size, device=self.device, normalize=False)
        return torch.from_numpy(found).double()

    def passages(self, name: str, text: str) -> Passages | str:
        """The embeddings of a document, or the reason why there are none.

        Args:
            name: its id, for messages.
            text: of the document.
        """
        spans = self.model.passages(text, self.words)
        if not spans:
            return "there is no word in it"
        texts = [text[start:end] for start, end in spans]
        words = [count_words(each) for each in texts]
        features = self.features(texts)
        weights = torch.tensor(words, dtype=torch.float64)[:, None]
        whole = (features * weights).sum(0, keepdim=True) / weights.sum()
        try:
            vectors = unit_vectors(torch.cat([features, whole]), name, self.centre, DataError)
        except DataError as error:
            return error.message.rstrip(".")
        parts = (Passage(*each) for each in zip(*zip(*spans, strict=True), words, texts, vectors[:-1], strict=True))
        return Passages(tuple(parts), Passage(0, len(text), sum(words), "", vectors[-1]))


def find_text_centre(
    encoding: TextEncoding, documents: Documents, rows: Sequence[int], progress: Progress
) -> Tensor | None:
    """The mean feature of a sample of passages, spread over all documents and within each.

    Args:
        encoding: the encoder; its own centre is not used.
        documents: the table.
        rows: the rows that can be read.
        progress: is called with (documents done, documents).

    Returns:
        Float64 [d]; None where there are fewer than ``MIN_CLIPS`` passages.
    """
    most = sample_size(sum(-(-documents.rows[row].words // encoding.words) for row in rows))
    sample = spread(rows, most)
    progress(0, len(sample))
    texts: dict[int, list[str]] = {}
    for done, (row, text) in enumerate(zip(sample, documents.answers(sample), strict=True), 1):
        if isinstance(text, str):
            texts[row] = [text[start:end] for start, end in encoding.model.passages(text, encoding.words)]
        progress(done, len(sample))
    places = sample_evenly({row: range(len(each)) for row, each in texts.items()}, most)
    if len(places) < MIN_CLIPS:
        return None
    centre = encoding.features([texts[row][at] for row, at in places]).mean(0)
    return centre if bool(torch.isfinite(centre).all()) else None


def parse_words(length: str | float | None) -> int | None:
    """'50' or '50w' is fifty words; None for None.

    Raises:
        UsageError: it is no number of words.
    """
    if length is None:
        return None
    text = str(length).strip().removesuffix("w").strip()
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise UsageError(
            f"length is '{length}'; of documents it is the number of words of the longest passage.", "For instance 50."
        )
    return int(text)
