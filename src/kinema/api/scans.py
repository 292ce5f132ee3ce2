"""Looks at a folder: what is there, what is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kinema.core.progress import Progress, Shown, shown
from kinema.data import Manifest
from kinema.data.documents import Documents, read_documents
from kinema.data.documents.kinds import kind_of
from kinema.data.layouts import scan_data
from kinema.data.pairs.reading import pairs_in, read_pairs
from kinema.data.pairs.table import Pairs
from kinema.data.questions.reading import questions_in, read_questions
from kinema.data.questions.table import Questions

Reads = Literal["videos", "documents", "pairs", "questions"]


def scan(
    videos: str | Path, *, out: str | Path | None = None, workers: int = 2, progress: Shown | Progress = None
) -> Manifest:
    """Looks at every file of a folder that claims to be video.

    Args:
        videos: the folder, or a known data set as NAME:PATH (see :mod:`kinema.data.layouts`).
        out: where to write the manifest (.parquet or .json), for later verbs to read instead of scanning again; one
            that is there already saves looking again at files that have not changed.
        workers: processes.
        progress: shown of itself on a terminal and in a notebook; False for silence; a function is tell
            (files done, files).

    Raises:
        DataError: there is no such folder, or no video in it.
    """
    previous = Manifest.read(Path(out)) if out is not None and Path(out).exists() else None
    journal = None if out is None else Path(out).with_name(f".{Path(out).name}.journal")
    with shown("scanning", progress) as tell:
        manifest = scan_data(videos, workers=workers, progress=tell, previous=previous, journal=journal)
    if out is not None:
        manifest.write(Path(out))
    if journal is not None:
        journal.unlink(missing_ok=True)
    return manifest


def scan_documents(
    place: str | Path,
    *,
    out: str | Path | None = None,
    encoding: str = "utf-8",
    min_words: int = 4,
    progress: Shown | Progress = None,
) -> Documents:
    """Looks at every document of a folder or file.

    Args:
        place: a folder of .txt, or a .jsonl, .csv or .parquet with a column 'text'.
        out: where to write the table (.parquet or .json), for later verbs to read instead of scanning again.
        encoding: of files without a byte-order mark.
        min_words: documents with fewer are too short.
        progress: see :func:`scan`; a function is called with (files done, files).

    Raises:
        DataError: there is nothing there that is a document.
    """
    with shown("reading", progress) as tell:
        table = read_documents(place, encoding=encoding, min_words=min_words, progress=tell)
    if out is not None:
        table.write(Path(out))
    return table


def scan_pairs(place: str | Path, *, out: str | Path | None = None, progress: Shown | Progress = None) -> Pairs:
    """Looks at every picture, text and stored vector of pairs; splits are those that the data say.

    Args:
        place: a table, a folder, or a known data set as NAME:PATH (see :func:`kinema.data.pairs.reading.read_pairs`).
        out: where to write the table (.parquet or .json), with the health of each. It is for looking at: verbs take
            the data themselves.
        progress: see :func:`scan`; a function is called with (files done, files).

    Raises:
        DataError: there is nothing there that is a pair.
        UsageError: there is no data set of that name.
    """
    with shown("reading", progress) as tell:
        table = read_pairs(place, held_out=0, progress=tell)
    if out is not None:
        table.write(Path(out))
    return table


def scan_questions(place: str | Path, *, out: str | Path | None = None, progress: Shown | Progress = None) -> Questions:
    """Looks at every question, and at the subtitles, objects, features and videos that belong to it.

    Args:
        place: a ``questions.jsonl``, a folder with one, or a known data set as NAME:PATH (see
            :func:`kinema.data.questions.reading.read_questions`); splits are those that the data say.
        out: where to write the table (.parquet or .json). It is for looking at: verbs take the data themselves.
        progress: see :func:`scan`; a function is called with (videos done, videos).

    Raises:
        DataError: there is nothing there that is a question, or something does not fit together.
        UsageError: there is no data set of that name.
    """
    with shown("reading", progress) as tell:
        table = read_questions(place, held_out=0, progress=tell)
    if out is not None:
        table.write(Path(out))
    return table


def what_feeds(place: str | Path, asked: Reads | None) -> tuple[Reads, str]:
    """What a place is scanned for, videos, documents, pairs or questions, and the sentence that says what else it has.

    Args:
        place: what a user names.
        asked: what was asked for; None to look.
    """
    if asked is not None:
        return asked, ""
    asking = questions_in(place)
    if asking:
        videos = kind_of(place).videos if Path(place).exists() else 0
        note = f"'{place}' holds {asking}, and videos too; the questions are scanned, and --reads videos scans those."
        return "questions", note if videos else ""
    says, form = pairs_in(place)
    if not Path(place).exists():
        return ("pairs" if says else "videos"), ""
    kinds = kind_of(place)
    if says:
        others = [name for name, count in (("videos", kinds.videos), ("documents", kinds.documents)) if count]
        ways = " or ".join(f"--reads {name}" for name in others)
        note = f"'{place}' holds {form}, and {' and '.join(others)} too; the pairs are scanned, and {ways} scans those."
        return "pairs", note if others else ""
    reads: Reads = "documents" if kinds.texts and not kinds.mixed else "videos"
    notes = []
    if kinds.mixed:
        notes.append(f"'{place}' holds {kinds}; the videos are scanned, and --reads documents scans the others.")
    if form:
        notes.append(f"'{place}' holds {form}; the {reads} are scanned, and --reads pairs scans what belongs together.")
    return reads, " ".join(notes)
