"""The settings of documents as data, and what they load: from a place on disk to batches of spans."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from kinema.core.cost import CacheEstimate
from kinema.core.errors import ConfigError, DataError, RunError
from kinema.core.spans import SpanNeeds
from kinema.data.documents.files import check_encoding
from kinema.data.documents.kinds import kind_of
from kinema.data.documents.reading import MIN_WORDS, read_documents
from kinema.data.documents.table import Document, Documents

if TYPE_CHECKING:
    from kinema.data.documents.corpus import TokenCorpus
    from kinema.data.documents.example import SpanExample
    from kinema.data.documents.module import SpanModule
    from kinema.data.documents.reader import TextReader
    from kinema.data.documents.tokenizer import Tokenizer

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class DocumentsConfig:
    """How documents are read and cut into tokens.

    Args:
        tokenizer: a tokenizer.json, or a local folder with one; empty to learn one on the corpus.
        vocabulary: most tokens of one that is learnt, special ones included.
        kind: of one that is learnt: 'wordpiece' as BERT's, or 'bytes' as RoBERTa's, which knows every character.
        lowercase: whether one that is learnt takes capitals for small letters.
        min_words: documents with fewer are left out.
        encoding: of files without a byte-order mark.
        repeats: how often an epoch shows each document, every time with other spans.
    """

    unit: ClassVar[str] = "documents"
    rows: ClassVar[str] = "documents"
    least: ClassVar[int] = 2
    scan: ClassVar[str] = (
        "`kinema scan DIR` names every document that cannot be used, and why; one long text can be cut into several."
    )
    takes: ClassVar[str] = "a folder of .txt, or a .jsonl, .csv or .parquet with a column 'text'"
    loading: ClassVar[str] = "tokenizing"
    left_out_file: ClassVar[str] = "left_out.json"
    identity: ClassVar[tuple[str, ...]] = ("vocabulary", "kind", "lowercase", "repeats")
    changeable: ClassVar[tuple[str, ...]] = ()

    tokenizer: str = ""
    vocabulary: int = 8192
    kind: Literal["wordpiece", "bytes"] = "wordpiece"
    lowercase: bool = True
    min_words: int = MIN_WORDS
    encoding: str = "utf-8"
    repeats: int = 1

    def __post_init__(self) -> None:
        for name, value in (("min_words", self.min_words), ("repeats", self.repeats), ("vocabulary", self.vocabulary)):
            if value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1.")
        check_encoding(self.encoding)

    def open(self, data: str | Path | Documents, progress: Progress | None = None) -> Documents:
        """The documents of a folder or a file; a table that is there already is taken as it is.

        Args:
            data: as :func:`read_documents` takes it.
            progress: is called with (files done, files).

        Raises:
            DataError: there are no documents; the message says what is there instead.
        """
        if isinstance(data, Documents):
            return data
        if not isinstance(data, str | Path):
            raise DataError(
                f"Documents are read from a folder, a file or a table of documents; a {type(data).__name__} was given.",
                "A method of video reads videos, for instance cpr; `kinema pretrain --list` names all.",
            )
        if Path(data).exists():
            kinds = kind_of(data)
            kinds.check("A method of text", self.unit)
            if kinds.mixed:
                log.warning("%s", kinds.which("the method", self.unit))
        return read_documents(data, encoding=self.encoding, min_words=self.min_words, progress=progress)

    def usable(self, table: Documents, needs: SpanNeeds | Sequence[SpanNeeds]) -> tuple[Documents, dict[str, str]]:
        """The documents that can be learnt from, and why not the others, by id.

        Raises:
            ConfigError: the needs are none of documents, see :meth:`check`.
            DataError: fewer than two are left.
        """
        each = _several(needs)
        self.check(each)
        least = max(self.min_words, *(2 * one.anchors for one in each if one.cut == "spans"), 1)
        left_out = {row.id: reason for row in table.rows if (reason := _unfit(row, least))}
        rows = tuple(row for row in table.rows if row.id not in left_out)
        usable = replace(table, rows=rows)
        check_enough(usable, left_out)
        return usable, left_out

    def check(self, needs: Any) -> None:
        """Refuses what documents cannot give.

        Raises:
            ConfigError: the needs are of another modality, or ask for positives of sentences.
        """
        for one in _several(needs):
            if not isinstance(one, SpanNeeds):
                raise ConfigError(
                    f"The method learns from other data than documents: it needs {type(one).__name__}.",
                    "Choose a method of text, for instance declutr.",
                )
            if one.cut == "sentences" and one.positives:
                raise ConfigError(
                    f"positives is {one.positives} and cut 'sentences'; whole sentences have no positives around them.",
                    "Give cut='spans', or no positives.",
                )

    def load(
        self,
        table: Documents,
        needs: SpanNeeds | Sequence[SpanNeeds],
        *,
        folder: Path | None = None,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> LoadedDocuments:
        """The documents as tokens.

        Args:
            table: usable documents.
            needs: of every phase.
            folder: of a run. Where it holds a tokenizer.json that is read, and neither learnt nor taken from elsewhere.
            cache: a folder for tokens and a learnt tokenizer that later runs can use; None to hold them in memory.
            progress: is called with (documents done, documents), for each way to cut them.

        Raises:
            DataError: a document or the tokenizer cannot be read, or fewer than two documents have a token.
            MissingExtraError: without the extra kinema[text].
        """
        from kinema.data.documents.corpus import tokenize

        self.check(needs)
        tokenizer = self._tokenizer(table, folder, cache)
        cuts = sorted({one.cut for one in _several(needs)})
        corpora = {cut: tokenize(table, tokenizer, cut, cache=cache, progress=progress) for cut in cuts}
        return LoadedDocuments(self, table, tokenizer, corpora)

    def reports_left_out(self, needs: Sequence[SpanNeeds]) -> bool:  # noqa: ARG002 - the contract
        """Documents can always be left out."""
        return True

    def left_out(self, reasons: Mapping[str, str], rows: int) -> str:
        """What a person reads of the documents that :meth:`usable` left out."""
        named = ", ".join(f"'{name}' ({reason})" for name, reason in list(reasons.items())[:5])
        more = f" and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        return f"{len(reasons)} of {rows} documents are left out: {named}{more}."

    def with_weights(self, weights: str) -> DocumentsConfig:
        """The settings with the tokenizer that lies beside weights, where none is named."""
        folder = Path(weights) if weights else None
        if self.tokenizer or folder is None or not folder.is_dir():
            return self
        return replace(self, tokenizer=weights)

    def reader(self, tower: Any, view: str, **about: Any) -> TextReader:  # noqa: ARG002 - there is one view
        """A trained tower with the tokenizer of its run.

        Args:
            tower: a ``kinema.networks.text.TextTower``.
            view: 'text'.
            **about: name, run, seed and more; see :class:`kinema.data.documents.reader.TextReader`.

        Raises:
            RunError: the run's folder holds no tokenizer.
        """
        from kinema.data.documents.reader import TextReader
        from kinema.data.documents.tokenizer import Tokenizer

        run: Path = about["run"]
        if not (run / TOKENIZER).is_file():
            raise RunError(f"The run '{run}' has no {TOKENIZER}.", "The run folder is damaged; train again.")
        tokenizer, weights = Tokenizer.read(run / TOKENIZER), about.pop("run_digest", None)
        return TextReader(tower, tokenizer, weights=weights, encoding=self.encoding, **about)

    def example(self) -> SpanExample:
        """Made-up spans for trying a method; nothing is read."""
        from kinema.data.documents.example import SpanExample

        return SpanExample(self.vocabulary)

    def _tokenizer(self, table: Documents, folder: Path | None, cache: Path | None) -> Tokenizer:
        from kinema.data.documents.tokenizer import Tokenizer

        if folder is not None and (folder / TOKENIZER).is_file():
            return Tokenizer.read(folder / TOKENIZER)
        if self.tokenizer:
            return Tokenizer.read(Path(self.tokenizer))
        stored = None if cache is None else cache / f"tokenizer-{self._key(table)}.json"
        if stored is not None and stored.is_file():
            return Tokenizer.read(stored)
        learnt = Tokenizer.learn(table.texts(), self.vocabulary, kind=self.kind, lowercase=self.lowercase)
        if stored is not None:
            learnt.write(stored)
        return learnt

    def _key(self, table: Documents) -> str:
        """Says of which texts, in which order, and how a tokenizer is learnt."""
        parts = ["1", str(self.vocabulary), self.kind, str(self.lowercase), *(row.digest for row in table.rows)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


@dataclass(frozen=True)
class LoadedDocuments:
    """Documents as tokens, from which every phase takes its batches.

    Args:
        config: the settings.
        table: the documents.
        tokenizer: that made the tokens.
        corpora: the tokens, for each way to cut them.
    """

    config: DocumentsConfig
    table: Documents
    tokenizer: Tokenizer
    corpora: Mapping[str, TokenCorpus]

    @property
    def rows(self) -> list[int]:
        """The rows that have a token in every cut."""
        empty = {row for corpus in self.corpora.values() for row in np.flatnonzero(corpus.lengths() == 0).tolist()}
        return [row for row in range(len(self.table)) if row not in empty]

    @property
    def readable(self) -> int:
        """How many rows that are."""
        return len(self.rows)

    def cost(self, cache: Path) -> CacheEstimate:
        """What the tokens take; they are made in seconds.

        Args:
            cache: the folder of all caches.
        """
        size = sum(corpus.ids.nbytes + corpus.bounds.nbytes for corpus in self.corpora.values())
        return CacheEstimate(cache, size, size, False, 0.0)

    def module(
        self,
        needs: SpanNeeds,
        *,
        batch_size: int,
        seed: int,
        ledger: Path | None = None,  # noqa: ARG002 - documents are all read by now, and none can turn out broken
    ) -> SpanModule:
        """The batches of one phase.

        Args:
            needs: what its method needs; of a cut that :meth:`DocumentsConfig.load` was given.
            batch_size: documents of a batch on each rank.
            seed: of the run.
            ledger: where broken rows would be listed.
        """
        from kinema.data.documents.module import SpanModule

        corpus = self.corpora[needs.cut]
        repeats = self.config.repeats
        return SpanModule(corpus, self.table, self.tokenizer, needs, batch_size=batch_size, seed=seed, repeats=repeats)

    def save(self, folder: Path) -> None:
        """Writes tokenizer.json, which a run needs to read new texts; raises StorageError where it cannot."""
        self.tokenizer.write(folder / TOKENIZER)


def check_enough(table: Documents, left_out: Mapping[str, str] | None = None) -> None:
    """Refuses a corpus of fewer than two documents.

    Args:
        table: the usable documents.
        left_out: why the others are not, by id.

    Raises:
        DataError: there is nothing to tell apart.
    """
    if len(table) >= 2:
        return
    others = list((left_out or {}).items())
    named = "; ".join(f"'{name}': {reason}" for name, reason in others[:5])
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    raise DataError(
        f"There {'is 1 document' if len(table) else 'are 0 documents'} to learn from; telling documents apart needs at "
        "least 2." + (f" {len(others)} cannot be used: {named}{more}." if others else ""),
        "Add documents, or cut the one that there is into several: a file each, or a row each of a table.",
    )


def _unfit(row: Document, least: int) -> str:
    """Why a document cannot be learnt from; empty where it can."""
    if row.health not in ("ok", "short"):
        return row.reason or row.health
    if row.words < least:
        return f"{row.words} word{'s' * (row.words != 1)}; at least {least} are needed"
    return ""


def _several(needs: Any) -> list[Any]:
    return list(needs) if isinstance(needs, list | tuple) else [needs]
