"""``kinema scan``: arguments in, one call, text or JSON out."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from kinema.cli.terminal import make_parser, parse, print_json, stderr_console
from kinema.core.errors import UsageError

if TYPE_CHECKING:
    from jsonargparse import Namespace


def run(given: list[str]) -> int:
    """The verb ``kinema scan``."""
    parser = make_parser("scan")
    parser.add_argument("videos", type=str, help="videos, documents, pairs or questions: a folder, a table, NAME:PATH")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write the table here (.parquet, .json)")
    parser.add_argument(
        "--quarantine", type=str | None, default=None, help="write the videos that are not whole here (.csv)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that read files")
    parser.add_argument(
        "--reads", type=str | None, default=None, help="videos, documents, pairs or questions, where there are more"
    )
    parser.add_argument("--encoding", type=str, default="utf-8", help="of documents without a byte-order mark")
    args = parse(parser, given)
    if args.reads not in (None, "videos", "documents", "pairs", "questions"):
        raise UsageError(f"--reads is '{args.reads}'.", "Choose videos, documents, pairs or questions.")
    from kinema.api.scans import what_feeds

    reads, note = what_feeds(args.videos, args.reads)
    if note:
        print(note, file=sys.stderr)
    if reads != "videos" and args.quarantine is not None:
        raise UsageError(f"--quarantine is of videos, and these are {reads}.", "Leave it out.")
    found = {"documents": _documents, "pairs": _pairs, "questions": _questions, "videos": _videos}
    return found[reads](args)


def _videos(args: Namespace) -> int:
    from pathlib import Path

    from kinema import api
    from kinema.data.video.summary import not_looked_at, scan_json, scan_table, write_quarantine

    began = time.monotonic()
    with api.Steps("scanning", stderr_console()) as progress:
        manifest = api.scan(args.videos, out=args.out, workers=args.workers, progress=progress)
    if args.quarantine is not None:
        write_quarantine(manifest, Path(args.quarantine))
    _show(scan_json(manifest, time.monotonic() - began) if args.json else scan_table(manifest), args.json)
    usable = any(video.health != "unreadable" for video in manifest.videos)
    return 0 if usable and not not_looked_at(manifest) else 1


def _documents(args: Namespace) -> int:
    from kinema.api.scans import scan_documents
    from kinema.core.progress import Steps
    from kinema.data.documents.summary import documents_json, documents_table

    began = time.monotonic()
    with Steps("reading", stderr_console()) as progress:
        table = scan_documents(args.videos, out=args.out, encoding=args.encoding, progress=progress)
    _show(documents_json(table, time.monotonic() - began) if args.json else documents_table(table), args.json)
    return 0 if len(table.usable()) else 1


def _pairs(args: Namespace) -> int:
    from kinema.api.scans import scan_pairs
    from kinema.core.progress import Steps
    from kinema.data.pairs.summary import PairsSummary

    began = time.monotonic()
    with Steps("reading", stderr_console()) as progress:
        table = scan_pairs(args.videos, out=args.out, progress=progress)
    found = PairsSummary.of(table)
    _show(found.plain(time.monotonic() - began) if args.json else found.shown(), args.json)
    return 0 if len(table.usable()) else 1


def _questions(args: Namespace) -> int:
    from kinema.api.scans import scan_questions
    from kinema.core.progress import Steps
    from kinema.data.questions.summary import QuestionsSummary

    began = time.monotonic()
    with Steps("reading", stderr_console()) as progress:
        table = scan_questions(args.videos, out=args.out, progress=progress)
    found = QuestionsSummary.of(table)
    _show(found.plain(time.monotonic() - began) if args.json else found.shown(), args.json)
    return 0


def _show(found: Any, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    from kinema.core.printing import make_console

    make_console().print(found)
