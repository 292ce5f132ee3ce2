"""A tokenizer learnt from a corpus: WordPiece (Schuster & Nakajima 2012; BERT) or byte-level BPE (GPT-2, RoBERTa).

The same texts in the same order give the same tokenizer, byte for byte, on any machine. The trainer of ``tokenizers``
does not promise that for WordPiece: it numbers the continuing characters (``##a``) in the order of a hash table that
is seeded anew in every process, and breaks ties between merges by those numbers. Here the alphabet is counted and
ordered first and given to the trainer; the continuing characters go in beside the special tokens and are plain tokens
afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from kinema.core.errors import ConfigError, DataError, MissingExtraError
from kinema.core.guesses import choose_from

PAD, UNK, CLS, SEP, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The special tokens of a learnt tokenizer, in the order of their ids, from 0."""

TokenizerKind = Literal["wordpiece", "bytes"]
LEAST = {"wordpiece": 64, "bytes": len(SPECIAL) + 256}
LONGEST_ALPHABET = 1000
CONTINUES = "##"


def learn_tokenizer(texts: Sequence[str], vocabulary: int, kind: TokenizerKind, lowercase: bool) -> Any:
    """A ``tokenizers.Tokenizer`` learnt from texts.

    Args:
        texts: the corpus.
        vocabulary: most tokens it may have, special ones included; a small corpus gives fewer.
        kind: 'wordpiece' or 'bytes'.
        lowercase: whether upper case is lowered; under 'wordpiece' accents are taken off too.

    Raises:
        ConfigError: the kind is unknown, or the vocabulary too small for its alphabet.
        DataError: the texts hold no word.
        MissingExtraError: without the extra kinema[text].
    """
    if kind not in LEAST:
        raise ConfigError(f"There is no tokenizer '{kind}'.", choose_from(kind, LEAST))
    if vocabulary < LEAST[kind]:
        raise ConfigError(
            f"vocabulary is {vocabulary}; a tokenizer of kind '{kind}' needs at least {LEAST[kind]} tokens.",
            "Give a larger vocabulary, for instance 8192.",
        )
    if not any(text.strip() for text in texts):
        raise DataError(
            f"A tokenizer cannot be learnt: {len(texts)} texts hold no word.", "Give a corpus of documents with text."
        )
    library = import_tokenizers()
    learn = _learn_wordpiece if kind == "wordpiece" else _learn_bytes
    found = learn(library, texts, vocabulary, lowercase)
    found.post_processor = library.processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(name, SPECIAL.index(name)) for name in (CLS, SEP)],
    )
    return found


def import_tokenizers() -> Any:
    """The library ``tokenizers``; raises MissingExtraError where it is not installed."""
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.normalizers
        import tokenizers.pre_tokenizers
        import tokenizers.processors
        import tokenizers.trainers
    except ImportError as error:
        raise MissingExtraError("tokenizers", "text") from error
    return tokenizers


def _learn_wordpiece(library: Any, texts: Sequence[str], vocabulary: int, lowercase: bool) -> Any:
    normalizer = library.normalizers.BertNormalizer(lowercase=lowercase)
    words = library.pre_tokenizers.BertPreTokenizer()
    most = min(LONGEST_ALPHABET, (vocabulary - len(SPECIAL)) // 4)
    alphabet = _alphabet(normalizer, texts, most)
    inner = [CONTINUES + letter for letter in alphabet if len(words.pre_tokenize_str("a" + letter)) == 1]
    trainee = library.Tokenizer(library.models.WordPiece(unk_token=UNK))
    trainee.normalizer, trainee.pre_tokenizer = normalizer, words
    trainer = library.trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[*SPECIAL, *inner],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix=CONTINUES,
        show_progress=False,
    )
    trainee.train_from_iterator(texts, trainer)
    vocab = dict(sorted(trainee.get_vocab().items(), key=lambda item: item[1]))
    model = library.models.WordPiece(vocab, unk_token=UNK, continuing_subword_prefix=CONTINUES)
    found = library.Tokenizer(model)
    found.normalizer, found.pre_tokenizer = normalizer, words
    found.decoder = library.decoders.WordPiece(prefix=CONTINUES)
    found.add_special_tokens(list(SPECIAL))
    return found


def _alphabet(normalizer: Any, texts: Sequence[str], most: int) -> list[str]:
    """The commonest characters of the texts, in the order of their code points."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalizer.normalize_str(text))
    letters = [letter for letter in counts if not letter.isspace()]
    return sorted(sorted(letters, key=lambda letter: (-counts[letter], letter))[:most])


def _learn_bytes(library: Any, texts: Sequence[str], vocabulary: int, lowercase: bool) -> Any:
    found = library.Tokenizer(library.models.BPE())
    steps = [library.normalizers.NFC(), *([library.normalizers.Lowercase()] if lowercase else [])]
    found.normalizer = library.normalizers.Sequence(steps)
    found.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=True)
    found.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    found.train_from_iterator(texts, trainer)
    return found
