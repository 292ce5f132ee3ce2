"""The tokenizer: from texts to token ids and to padded batches of them; learnt from a corpus, or read.

It is a tokenizer of the library ``tokenizers`` and no more than its JSON (tokenizer.json), by which it is compared,
pickled and written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinema.core.errors import ConfigError, DataError, MissingExtraError, UsageError
from kinema.core.files import write_text
from kinema.core.spans import Tokens
from kinema.data.documents.vocabulary import TokenizerKind, import_tokenizers, learn_tokenizer

FILE = "tokenizer.json"
FILES = (FILE, "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
DESCRIPTIONS = ("tokenizer_config.json", "config.json")
NAMES: Mapping[str, tuple[str, ...]] = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
}
"""What the special tokens are called by BERT and by RoBERTa, and by the models that follow one of them."""


class Tokenizer:
    """Texts to token ids.

    Args:
        text: the JSON of a tokenizer, as tokenizer.json holds it. Truncation and padding that it asks for are left out.
        where: what it was read from, for messages.

    Attributes:
        text: the JSON.
        size: rows that an embedding of its tokens needs, the largest id + 1.
        pad_id, mask_id: the ids of these special tokens; ``unk_id`` is -1 where there is none.
        special_tokens: the names of its special tokens by role: 'pad', 'mask', and as far as it has them 'unk', 'cls'
            and 'sep'.
        special_ids: the ids of all special tokens, ascending.
        prefix, suffix: the ids that stand before and behind every sequence, as [CLS] and [SEP] do.

    Raises:
        DataError: it is not a tokenizer, has no token for padding or masking, or puts nothing around a sequence.
        MissingExtraError: without the extra kinema[text].
    """

    def __init__(self, text: str, where: str = "the tokenizer") -> None:
        library = import_tokenizers()
        try:
            backend = library.Tokenizer.from_str(text)
        except Exception as error:  # the library raises no class of its own
            raise DataError(
                f"{where} is not a tokenizer: {_first_line(error)}.", "Give a tokenizer.json, whole and undamaged."
            ) from error
        backend.no_truncation()
        backend.no_padding()
        self.text, self._backend = text, backend
        self.size: int = max(backend.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        added = backend.get_added_tokens_decoder().items()
        special = {token.content: number for number, token in added if token.special}
        self.special_ids: tuple[int, ...] = tuple(sorted(special.values()))
        found = {role: next((special[n] for n in names if n in special), -1) for role, names in NAMES.items()}
        for role in ("pad", "mask"):
            if found[role] < 0:
                raise DataError(
                    f"{where} has no special token for {'padding' if role == 'pad' else 'masking'}; "
                    f"it would be called {' or '.join(NAMES[role])}.",
                    "Use the tokenizer of a masked language model, such as BERT or RoBERTa.",
                )
        self.pad_id, self.unk_id, self.mask_id = found["pad"], found["unk"], found["mask"]
        self.special_tokens = {role: str(backend.id_to_token(number)) for role, number in found.items() if number >= 0}
        self.prefix, self.suffix = _around(backend)
        if not self.prefix and not self.suffix:
            raise DataError(
                f"{where} puts no special token around a text, so that an empty one would have no token at all.",
                "Use the tokenizer of a masked language model, such as BERT or RoBERTa.",
            )

    @classmethod
    def learn(
        cls, texts: Iterable[str], vocabulary: int = 8192, *, kind: TokenizerKind = "wordpiece", lowercase: bool = True
    ) -> Tokenizer:
        """A tokenizer learnt from a corpus; the same texts in the same order give the same one.

        Its special tokens are [PAD], [UNK], [CLS], [SEP] and [MASK], in this order from 0.

        Args:
            texts: the documents.
            vocabulary: most tokens it may have, special ones included; a small corpus gives fewer.
            kind: 'wordpiece' (BERT), or 'bytes' for byte-level BPE (RoBERTa), which has a token for every byte and
                so never an unknown word.
            lowercase: whether upper case is lowered; under 'wordpiece' accents are taken off too.

        Raises:
            ConfigError: the kind is unknown, or the vocabulary too small for its alphabet.
            DataError: the texts hold no word.
            MissingExtraError: without the extra kinema[text].
        """
        corpus = [_clean(text) for text in _texts(texts)]
        return cls(learn_tokenizer(corpus, vocabulary, kind, lowercase).to_str())

    @classmethod
    def read(cls, path: str | Path) -> Tokenizer:
        """A tokenizer from a tokenizer.json, or from a folder as transformers and sentence-transformers write it.

        A folder is read by ``transformers`` from local files alone, and no code in it is run.

        Raises:
            DataError: there is no tokenizer, it is damaged, or it is none of a masked language model.
            MissingExtraError: without the extra kinema[text].
        """
        path = Path(path)
        if path.is_dir():
            alone = (path / FILE).is_file() and not any((path / name).is_file() for name in DESCRIPTIONS)
            if not alone:
                return cls._read_folder(path)
            path = path / FILE
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise DataError(
                f"The tokenizer '{path}' cannot be read: {_first_line(error)}.",
                "Give a tokenizer.json, or a folder with one.",
            ) from error
        return cls(text, where=f"'{path}'")

    @classmethod
    def _read_folder(cls, path: Path) -> Tokenizer:
        folder = next((f for f in (path, path / "0_Transformer") if any((f / n).is_file() for n in FILES)), None)
        if folder is None:
            raise DataError(f"The folder '{path}' holds no tokenizer.", f"It needs one of: {', '.join(FILES)}.")
        try:
            from transformers import AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("transformers", "text") from error
        try:
            theirs = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        except Exception as error:  # damaged files raise whatever the reader of their format raises
            raise DataError(
                f"The tokenizer in '{folder}' cannot be read: {_first_line(error)}.", "Copy the whole folder again."
            ) from error
        backend = getattr(theirs, "backend_tokenizer", None)
        if backend is None:
            raise DataError(
                f"The tokenizer in '{folder}' is a program ({type(theirs).__name__}), not a table.",
                f"Give a folder with a {FILE}.",
            )
        backend.no_truncation()
        backend.no_padding()
        found = cls(backend.to_str(), where=f"The tokenizer in '{folder}'")
        for role in ("pad", "mask"):
            expected = getattr(theirs, f"{role}_token_id", None)
            if expected not in (None, getattr(found, f"{role}_id")):
                raise DataError(
                    f"The tokenizer in '{folder}' calls its token for {role} {getattr(theirs, f'{role}_token', None)!r}"
                    f" with id {expected}; {' or '.join(NAMES[role])} was expected.",
                    "Use the tokenizer of a masked language model, such as BERT or RoBERTa.",
                )
        return found

    def write(self, path: str | Path) -> None:
        """Writes tokenizer.json, whole or not at all; raises StorageError where it cannot be written."""
        write_text(Path(path), self.text)

    @cached_property
    def digest(self) -> str:
        """The sha256 of its JSON."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    @cached_property
    def ordinary_ids(self) -> Tensor:
        """Int64 [R], ascending: the ids of all tokens that are not special."""
        vocabulary = self._backend.get_vocab(with_added_tokens=True).values()
        return torch.tensor(sorted(set(vocabulary) - set(self.special_ids)), dtype=torch.int64)

    @property
    def around(self) -> int:
        """How many special tokens :meth:`with_special` adds."""
        return len(self.prefix) + len(self.suffix)

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """The ids of each text, without special tokens and of any length; of an empty text none.

        Raises:
            UsageError: one text in place of several, or something that is not a text; the message says which.
        """
        cleaned = [_clean(text) for text in _texts(texts)]
        return [encoding.ids for encoding in self._backend.encode_batch(cleaned, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens; the case and spaces of the original are not all known."""
        text: str = self._backend.decode(list(ids), skip_special_tokens=True)
        return text

    def with_special(self, ids: Sequence[int], max_length: int | None = None) -> list[int]:
        """``[CLS] ids [SEP]``.

        Args:
            ids: of one text, as :meth:`encode` gives them.
            max_length: most tokens of the result, special ones included; what is longer is cut at its end.

        Raises:
            ConfigError: ``max_length`` leaves room for no token.
        """
        if max_length is not None:
            if max_length <= self.around:
                raise ConfigError(
                    f"max_length is {max_length}, and {self.around} special tokens stand around each text.",
                    f"Give at least {self.around + 1}.",
                )
            ids = ids[: max_length - self.around]
        return [*self.prefix, *ids, *self.suffix]

    def collate(self, rows: Sequence[Sequence[int]]) -> tuple[Tokens, Tensor]:
        """Sequences as one batch, padded on the right to the longest.

        Args:
            rows: N lists of ids, with their special tokens.

        Returns:
            The tokens [N, L], and bool [N, L], where a token is special (padding is).
        """
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        longest = int(lengths.max(initial=0))
        mask = torch.from_numpy(np.arange(longest) < lengths[:, None])
        ids = torch.full((len(rows), longest), self.pad_id, dtype=torch.int64)
        ids[mask] = torch.from_numpy(np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum())))
        return Tokens(ids, mask), torch.isin(ids, torch.tensor(self.special_ids, dtype=torch.int64)) | ~mask

    def tokens(self, texts: Iterable[str], max_length: int | None = None) -> Tokens:
        """Texts as one batch [N, L], each with its special tokens and cut to ``max_length``."""
        return self.collate([self.with_special(ids, max_length) for ids in self.encode(texts)])[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Tokenizer(size={self.size}, digest='{self.digest[:12]}')"

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[str]]:
        return Tokenizer, (self.text,)


def _around(backend: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that the tokenizer puts before and behind a sequence."""
    encoding = backend.encode("a", add_special_tokens=True)
    special = list(encoding.special_tokens_mask)
    if 0 not in special:
        return (), ()
    first, last = special.index(0), len(special) - special[::-1].index(0)
    return tuple(encoding.ids[:first]), tuple(encoding.ids[last:])


def _texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise UsageError("One text was given where several are expected.", "Give a list: [text].")
    found = list(texts)
    for number, text in enumerate(found):
        if not isinstance(text, str):
            raise UsageError(f"Text {number} is a {type(text).__name__}; a str was expected.", "Give a list of texts.")
    return found


def _clean(text: str) -> str:
    """The text with what UTF-8 cannot say (a lone surrogate) replaced by '?'."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
