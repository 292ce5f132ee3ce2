"""Where sentences and passages of a text begin and end, by rules alone.

A sentence ends behind '.', '!', '?' or '…' with the quotes and brackets that close after it, where white space follows;
behind the full stops of Chinese and Japanese; and at an empty line. None ends where the next word begins with a small
letter, unless the text has no capitals or the mark stands by itself, as in text that was cut into tokens; nor behind a
single letter ('J. Smith', 'e.g.'), a common title or abbreviation. What holds no letter or digit belongs to the
sentence before it. The rules know English best; in other languages they err at abbreviations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kinema.core.errors import ConfigError

_END = re.compile(r"[.!?…]+(?:[ \t]+[.!?…]+)*[\"'”’»)\]]*(?=\s)|[。！？]+[”’」』）]*|\n[ \t\r]*\n\s*")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]|"
    r"mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|cf|fig|figs|eq|eqs|no|vol|pp|al|inc|ltd|co|corp|gen|col|sgt|capt|lt|gov|sen|rep|"
    r"jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)\.$",
    re.IGNORECASE,
)
_HAS_WORD = re.compile(r"\w")
_CHARACTERS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CHINESE_OR_JAPANESE = re.compile(f"[{_CHARACTERS}]")
_WORD = re.compile(rf"[{_CHARACTERS}]|[^\s{_CHARACTERS}]+")


def count_words(text: str) -> int:
    """Words between white space; of Chinese and Japanese, which have none, each character is one."""
    if text.isascii() or not _CHINESE_OR_JAPANESE.search(text):
        return len(text.split())
    return sum(1 for _ in _WORD.finditer(text))


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text begin and end, in characters, without the white space around them."""
    cased = text != text.lower()
    spans: list[tuple[int, int]] = []
    begin = 0
    for end in [*(found.end() for found in _END.finditer(text) if _ends(text, found, cased)), len(text)]:
        first, last = _trimmed(text, begin, end)
        if _HAS_WORD.search(text, first, last):
            spans.append((first, last))
        elif spans and first < last:
            spans[-1] = (spans[-1][0], last)
        begin = end
    return spans


def sentences(text: str) -> list[str]:
    """The sentences of a text, with every run of white space as one space."""
    return [" ".join(text[begin:end].split()) for begin, end in sentence_spans(text)]


def passage_spans(text: str, words: int = 100) -> list[tuple[int, int]]:
    """Where the passages of a text begin and end, in characters: whole sentences, of at most ``words`` words together.

    A sentence that is longer by itself is cut between words.

    Args:
        text: any text; one without words has no passages.
        words: of the longest passage, at least 1.

    Raises:
        ConfigError: ``words`` is below 1.
    """
    if words < 1:
        raise ConfigError(f"A passage of {words} words holds nothing; it needs at least 1.")
    spans: list[tuple[int, int]] = []
    held = 0
    for begin, end in sentence_spans(text):
        pieces = list(_cut(text, begin, end, words))
        for first, last in pieces:
            count = count_words(text[first:last])
            if spans and held + count <= words and len(pieces) == 1:
                spans[-1] = (spans[-1][0], last)
                held += count
            else:
                spans.append((first, last))
                held = count
    return spans


def _ends(text: str, found: re.Match[str], cased: bool) -> bool:
    """Whether a mark ends a sentence."""
    mark, begin, end = found[0], found.start(), found.end()
    if mark[0] in "\n。！？":
        return True
    alone = mark in (".", "!", "?") and text[begin - 1 : begin].isspace()
    if alone:
        return True
    if (cased or mark[0] == "…" or mark.startswith("..")) and text[end : end + 64].lstrip()[:1].islower():
        return False
    return not (mark == "." and _ABBREVIATION.search(text, max(0, begin - 24), end))


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    piece = text[begin:end]
    return begin + len(piece) - len(piece.lstrip()), begin + len(piece.rstrip())


def _cut(text: str, begin: int, end: int, words: int) -> Iterator[tuple[int, int]]:
    """A span in pieces of at most ``words`` words."""
    if count_words(text[begin:end]) <= words:
        yield begin, end
        return
    first, last, held = begin, begin, 0
    for found in _WORD.finditer(text[begin:end]):
        if held == words:
            yield first, last
            first, held = begin + found.start(), 0
        last, held = begin + found.end(), held + 1
    yield first, last
