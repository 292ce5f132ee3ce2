"""Pairs of sentences with the similarity that people gave them.

``read_pairs`` reads what it is given by its form, which the first line or the folder tells:

    a table       a header with sentence1, sentence2 and score (or SICK's sentence_A, sentence_B and
                  relatedness_score), the columns in any order, further ones ignored. Separated by tabs where the
                  header is, else by commas. In a comma-separated table quotes are special, as everywhere; in a
                  tab-separated one they are characters, as in all published ones.
    STS benchmark no header; genre, file, year, id, score, sentence 1, sentence 2 separated by tabs (Cer et al. 2017);
                  quotes are characters
    a folder      ``STS.input.NAME.txt`` (two sentences a line, separated by a tab) beside ``STS.gs.NAME.txt`` (a score
                  a line): one year of STS12-16, NAME a subset. A line without a score was not part of the test; it is
                  left out and counted.
    years         a folder of such folders
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from kinema.core.errors import DataError
from kinema.data.sentences.lines import read_lines, read_text, score_of, sentence_of

FIRST, SECOND, SCORE = ("sentence1", "sentence_a"), ("sentence2", "sentence_b"), ("score", "relatedness_score")
"""Names of a table's columns, in small letters: ours and those of SICK."""

FORMS = (
    "Give a table with the columns sentence1, sentence2 and score, a file of the STS benchmark, or a folder with "
    "STS.input.NAME.txt beside STS.gs.NAME.txt."
)

_INPUT = re.compile(r"STS\.input\.(.+)\.txt")


@dataclass(frozen=True)
class SentencePairs:
    """N pairs of sentences and their gold scores.

    Args:
        name: the file's name without its ending, or the folder's.
        first: N sentences.
        second: N sentences.
        scores: N numbers, higher for more alike; the scale is the data's own.
        subsets: N names, the subset of a year that a pair belongs to; one name for all of a file.
        skipped: pairs without a score, which are left out.

    Raises:
        DataError: there is no pair, or the columns are of different length.
    """

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    scores: tuple[float, ...]
    subsets: tuple[str, ...]
    skipped: int = 0

    def __post_init__(self) -> None:
        lengths = {len(self.first), len(self.second), len(self.scores), len(self.subsets)}
        if lengths == {0}:
            raise DataError(f"'{self.name}' holds no pair of sentences with a score.", FORMS)
        if len(lengths) > 1:
            raise DataError(f"The columns of '{self.name}' are of different length: {sorted(lengths)}.")

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def digest(self) -> str:
        """Sha256 of the pairs, their scores and subsets, in order: all that a figure depends on."""
        rows = list(zip(self.subsets, self.first, self.second, self.scores, strict=True))
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def read_pairs(place: str | Path) -> tuple[SentencePairs, ...]:
    """The pairs of a file or of a year, or those of each year of a folder of years in the order of their names.

    Args:
        place: a file or a folder; ``sts:FOLDER`` is the folder.

    Raises:
        DataError: nothing is there, or it is of no form that is known; a sentence is empty, a score is no number or a
            line has the wrong number of columns (named with file and line); a year lacks a file.
    """
    path = Path(place.removeprefix("sts:")) if isinstance(place, str) else place
    if not path.is_dir():
        return (_read_file(path),)
    if _is_year(path):
        return (_read_year(path),)
    years = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and _is_year(folder)]
    if not years:
        raise DataError(f"The folder '{path}' holds no STS.input.NAME.txt, nor does a folder in it.", FORMS)
    return tuple(_read_year(year) for year in years)


@dataclass(frozen=True)
class _Form:
    """Where a file's sentences and scores stand.

    Args:
        names: of its columns.
        first: the column of the first sentence.
        second: the column of the second.
        score: the column of the score.
        header: whether the first line is the header; then no line may have more columns.
    """

    names: Sequence[str]
    first: int
    second: int
    score: int
    header: bool

    def check(self, row: Sequence[str], where: str) -> None:
        """DataError where a line has the wrong number of columns."""
        expected = len(self.names)
        if len(row) < expected or (self.header and len(row) > expected):
            least = ", as the header has" if self.header else " at least"
            raise DataError(f"{where}: {len(row)} columns; expected {expected}{least}.", "Quote sentences with commas.")


_BENCHMARK = _Form(("genre", "file", "year", "id", "score", "sentence1", "sentence2"), 5, 6, 4, header=False)
"""The STS benchmark; some lines have licences in further columns."""


def _form_of(path: Path, head: str) -> _Form:
    """What the first line says; DataError where it says nothing."""
    titles = head.split("\t") if "\t" in head else next(csv.reader([head]), [])
    names = [title.strip().lower() for title in titles]
    first, second, score = (
        next((names.index(name) for name in column if name in names), -1) for column in (FIRST, SECOND, SCORE)
    )
    if min(first, second, score) >= 0:
        return _Form(names, first, second, score, header=True)
    cells = head.split("\t")
    if len(cells) < len(_BENCHMARK.names):
        raise DataError(f"'{path}', line 1: neither the header of a table of pairs nor a pair: '{head[:80]}'.", FORMS)
    return _BENCHMARK


def _read_file(path: Path) -> SentencePairs:
    text = read_text(path)
    head = text.partition("\n")[0].removesuffix("\r")
    form = _form_of(path, head)
    first, second, scores = [], [], []
    for line, row in islice(_rows(path, text, tabs="\t" in head), int(form.header), None):
        where = f"'{path}', line {line}"
        form.check(row, where)
        first.append(sentence_of(row[form.first], where, form.names[form.first]))
        second.append(sentence_of(row[form.second], where, form.names[form.second]))
        scores.append(score_of(row[form.score], where, form.names[form.score]))
    return SentencePairs(path.stem, tuple(first), tuple(second), tuple(scores), (path.stem,) * len(scores))


def _rows(path: Path, text: str, tabs: bool) -> Iterator[tuple[int, Sequence[str]]]:
    """The cells of each line that is not blank, with the number of the line that it begins on."""
    if tabs:
        lines = enumerate(text.split("\n"), start=1)
        yield from ((number, line.removesuffix("\r").split("\t")) for number, line in lines if line.strip())
        return
    reader, line = csv.reader(io.StringIO(text, newline=""), strict=True), 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"'{path}', line {line}: {error}.", "Put sentences with commas or quotes in quotes.") from error


def _is_year(folder: Path) -> bool:
    return any(_INPUT.fullmatch(file.name) for file in folder.iterdir())


def _read_year(folder: Path) -> SentencePairs:
    """A year of STS12-16; the file ALL, which repeats the others, is not a subset."""
    names = sorted(match[1] for file in folder.iterdir() if (match := _INPUT.fullmatch(file.name)))
    names = [name for name in names if name != "ALL"] or names
    first, second, scores, subsets, skipped = [], [], [], [], 0
    for name in names:
        sentences, gold = folder / f"STS.input.{name}.txt", folder / f"STS.gs.{name}.txt"
        lines, golds = read_lines(sentences), read_lines(gold)
        if len(lines) != len(golds):
            raise DataError(
                f"'{sentences}' has {len(lines)} lines and '{gold.name}' {len(golds)}; the pairs cannot be matched.",
                "Take both files from the same release.",
            )
        for number, (line, score) in enumerate(zip(lines, golds, strict=True), start=1):
            if not score.strip():
                skipped += 1
                continue
            where, cells = f"'{sentences}', line {number}", line.split("\t")
            if len(cells) < 2:
                raise DataError(f"{where}: {len(cells)} column; expected two sentences separated by a tab.")
            first.append(sentence_of(cells[0], where, "the first sentence"))
            second.append(sentence_of(cells[1], where, "the second sentence"))
            scores.append(score_of(score, f"'{gold}', line {number}"))
            subsets.append(name)
    return SentencePairs(folder.resolve().name, tuple(first), tuple(second), tuple(scores), tuple(subsets), skipped)
