"""A trained model of text in a user's hands: what ``kinema.load`` gives of a run on documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kinema.core.comparing import Comparing
from kinema.core.errors import ConfigError, UsageError
from kinema.core.progress import Progress, Shown, shown
from kinema.data.documents.encoding import encode_documents, encode_sequences
from kinema.data.documents.splitting import passage_spans
from kinema.data.documents.table import Documents
from kinema.data.documents.tokenizer import Tokenizer
from kinema.data.video.files import claims_video

_LENGTH = 512
"""Most tokens of a sequence where the network has no limit."""

_TAKES = "A model of text takes a sentence, or a list of sentences: encode(['a sentence', 'another one'])."


class Tower(Protocol):
    """A tower of text: its encoder takes tokens [N, L] and gives float [N, dim]."""

    encoder: Any

    @property
    def positions(self) -> int:
        """Most tokens of a sequence, special ones included; 0 for no limit."""
        ...


class TextReader(Comparing):
    """An encoder of sentences and documents.

    Args:
        tower: the encoder and its heads, a ``torch.nn.Module``.
        tokenizer: the one that it was trained with.
        name: what made it, for instance 'declutr'.
        run: the run's folder, None where there is none.
        seed: the run's seed.
        max_length: most tokens of a sequence, special ones included; by default as many as the network has positions.
        origin: for a model that was exported, what its file says of where it came from.
        weights: gives the SHA-256 of the weights that the run keeps; by default there is none.
        encoding: of the files without a byte-order mark that it is to read.

    Raises:
        ConfigError: ``max_length`` leaves room for no token, or is more than the network has positions.
    """

    modality = "text"
    view, unit = "text", "documents"

    def __init__(
        self,
        tower: Any,
        tokenizer: Tokenizer,
        *,
        name: str,
        run: Path | None = None,
        seed: int = 0,
        max_length: int | None = None,
        origin: Mapping[str, Any] | None = None,
        weights: Callable[[], str] | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self.tower = tower.eval().requires_grad_(False)
        self.tokenizer, self.name, self.run, self.seed = tokenizer, name, run, seed
        self.origin = dict(origin or {})
        self._weights, self.encoding = weights, encoding
        positions = int(tower.positions)
        self.max_length = max_length or positions or _LENGTH
        if self.max_length <= tokenizer.around or (positions and self.max_length > positions):
            raise ConfigError(
                f"max_length is {self.max_length}; the network has {positions or 'any number of'} positions, and "
                f"{tokenizer.around} special tokens stand around each text."
            )

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return int(self.tower.encoder.dim)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights that the run keeps; empty without a run."""
        return self._weights() if self._weights is not None else str(self.origin.get("digest", ""))

    def __repr__(self) -> str:
        return f"TextReader({self.name!r}, dim={self.dim}, max_length={self.max_length})"

    def encode(
        self,
        items: str | Iterable[str],
        *,
        batch_size: int = 64,
        device: str | None = None,
        progress: Shown | Progress = None,
        normalize: bool = True,
    ) -> NDArray[np.float32]:
        """Embeddings of sentences: float32 [N, dim] of several, [dim] of one that is given by itself.

        A text longer than :attr:`max_length` tokens is cut at its end; :meth:`encode_documents` reads all of it.

        Args:
            items: sentences, one or any iterable of them.
            batch_size: sentences at a time.
            device: where to compute; a GPU where there is one, by default.
            progress: None shows a bar where a person sees it, on a terminal or in a notebook; True and False decide; a
                function is called with (sentences done, sentences).
            normalize: embeddings of unit length; otherwise what the encoder gives.

        Raises:
            UsageError: something is not a sentence; the message says what it is and what is taken.
        """
        sentences, alone = _listed(items)
        where = self._start(device, batch_size)
        room = self.max_length - self.tokenizer.around
        ids = [each[:room] for each in self.tokenizer.encode(sentences)]
        with shown("encoding", progress) as tell:
            found = encode_sequences(
                self.tower.encoder, self.tokenizer, ids, batch_size=batch_size, device=where, progress=tell
            )
        embeddings = _finished(found, normalize)
        return embeddings[0] if alone else embeddings

    def encode_documents(
        self,
        documents: str | Iterable[str] | Documents,
        *,
        batch_size: int = 64,
        device: str | None = None,
        progress: Shown | Progress = None,
        normalize: bool = True,
    ) -> NDArray[np.float32]:
        """Embeddings of whole documents of any length: float32 [N, dim] of several, [dim] of one by itself.

        What is longer than :attr:`max_length` tokens is read window by window; the embedding is the mean of theirs,
        weighted by their tokens. A text that fits one window has the embedding that :meth:`encode` gives it.

        Args:
            documents: texts, one or any iterable of them; or a table of documents, row by row.
            batch_size: windows at a time.
            device: where to compute; a GPU where there is one, by default.
            progress: None shows a bar where a person sees it, on a terminal or in a notebook; True and False decide; a
                function is called with (documents done, documents).
            normalize: embeddings of unit length; otherwise the mean itself.

        Raises:
            UsageError: something is not a text.
            DataError: a document of the table cannot be read.
        """
        texts: Iterable[str]
        if isinstance(documents, Documents):
            texts, alone, count = documents.texts(), False, len(documents)
        else:
            texts, alone = _listed(documents)
            count = len(texts)
        where = self._start(device, batch_size)
        with shown("encoding", progress) as tell:
            found = encode_documents(
                self.tower.encoder,
                self.tokenizer,
                self._tokens(texts),
                self.max_length - self.tokenizer.around,
                batch_size=batch_size,
                device=where,
                progress=lambda done: tell(done, count),
            )
        embeddings = _finished(found, normalize)
        return embeddings[0] if alone else embeddings

    def passages(self, text: str, words: int = 100) -> list[tuple[int, int]]:
        """Where the passages of a text begin and end, in characters: whole sentences, of at most so many words."""
        return passage_spans(text, words)

    def _tokens(self, texts: Iterable[str]) -> Iterator[list[int]]:
        coming = iter(texts)
        while some := list(islice(coming, 256)):
            yield from self.tokenizer.encode(some)

    def _start(self, device: str | None, batch_size: int) -> str:
        """Moves the tower to the device, whose name is returned."""
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1.")
        where = self._device_for(device)
        first = next(self.tower.parameters(), None)
        if first is None or first.device != torch.empty(0, device=where).device:
            self.tower.to(where)
        return where


def _finished(found: Tensor, normalize: bool) -> NDArray[np.float32]:
    embeddings: NDArray[np.float32] = (functional.normalize(found, dim=1) if normalize else found).numpy()
    return embeddings


def _listed(items: Any) -> tuple[list[str], bool]:
    """The sentences as a list, and whether it was one by itself.

    Raises:
        UsageError: something is not a sentence.
    """
    if isinstance(items, str):
        return [_sentence(items, "The text")], True
    if isinstance(items, bytes | Mapping | Path) or not isinstance(items, Iterable):
        raise UsageError(f"{_described(items)} was given; a sentence was expected.", _TAKES)
    if isinstance(items, Tensor) or (isinstance(items, np.ndarray) and items.dtype.kind not in "UO"):
        raise UsageError(f"{_described(items)} was given; sentences were expected.", _TAKES)
    return [_sentence(item, f"Item {number}") for number, item in enumerate(items)], False


def _sentence(item: Any, which: str) -> str:
    if not isinstance(item, str):
        raise UsageError(f"{which} is {_described(item)}; a sentence was expected.", _TAKES)
    if claims_video(item) and len(item) < 4096 and "\0" not in item and Path(item).is_file():
        raise UsageError(f"{which} is the path of a video, '{item}'; a sentence was expected.", _TAKES)
    return str(item)


def _described(item: Any) -> str:
    if item is None:
        return "None"
    if isinstance(item, Path):
        return f"the path '{item}'"
    if isinstance(item, np.ndarray | Tensor):
        return f"an array {tuple(item.shape)} of {item.dtype}"
    return f"a value of type {type(item).__name__}"
