"""``kinema dedupe``: footage that is there twice, in a folder of videos or in a table of embeddings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinema.cli.terminal import make_parser, parse, print_json, stderr_console
from kinema.core.errors import UsageError
from kinema.core.plurals import counted

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from kinema.api.copies import Copies

_OF_RUNS = ("recipe.json", "model.json", "index/*.lance")
"""What a run, an exported model, or a run whose table alone is left has in its folder."""
_OF_TABLES = ("score", "table", "videos")


def run(given: list[str]) -> int:
    """The verb ``kinema dedupe VIDEOS``, or ``RUN``."""
    more = "VIDEOS are compared all with all, by their pictures; of a RUN's table only what the encoder finds alike is."
    parser = make_parser("dedupe", more)
    parser.add_argument("data", type=str, help="a folder of videos, a manifest, or NAME:PATH; or a run with a table")
    parser.add_argument(
        "--score",
        type=float | None,
        default=None,
        help="of a table: the cosine from which two windows are compared; .95",
    )
    parser.add_argument(
        "--table",
        type=str | None,
        default=None,
        help="the table: a folder, or s3://…, gs://…, az://…; RUN/index by default",
    )
    parser.add_argument(
        "--videos", type=str | None, default=None, help="of a table: the folder of the videos, where it has moved"
    )
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write the pairs here (.csv)")
    parser.add_argument("--workers", type=int, default=2, help="processes that read files")
    args = parse(parser, given)
    if args.table is not None or any(any(Path(args.data).glob(name)) for name in _OF_RUNS):
        return _table(args)
    wrong = next((name for name in _OF_TABLES if getattr(args, name) is not None), None)
    if wrong is not None:
        raise UsageError(
            f"--{wrong} is of a table, and '{args.data}' is no run; footage is compared picture by picture.",
            "Leave it out, or name a run that was embedded.",
        )
    return _footage(args)


def _footage(args: Namespace) -> int:
    """Compares all videos with all."""
    from kinema import api

    began = time.monotonic()
    found = api.duplicates(args.data, out=args.out, workers=args.workers, console=stderr_console())
    if args.json:
        print_json({"compared": "footage", **found.plain(time.monotonic() - began)})
        return 0
    _show(f"{verdict(found)}, of {counted(found.videos, 'videos')} in {found.root!s}.", found)
    return 0


def _table(args: Namespace) -> int:
    """Compares the videos whose embeddings are nearly the same."""
    from kinema.api import searching as api_search

    began = time.monotonic()
    settings = {name: getattr(args, name) for name in ("table", "workers", "videos")}
    score = 0.95 if args.score is None else args.score
    found = api_search.dedupe(args.data, score=score, **settings, console=stderr_console())
    if args.out is not None and found.copies is not None:
        found.copies.write(Path(args.out))
    if args.json:
        print_json({"compared": "table", **found.plain(time.monotonic() - began)})
        return 0
    alike = f"{counted(len(found.alike), 'pairs')} of the table's videos with a cosine of {score:g} or more"
    _show(f"{verdict(found.copies)}, of {alike}.", found.copies)
    rows = [(f"{p.score:.3f}", p.a, f"{p.start_a:.2f}", p.b, f"{p.start_b:.2f}") for p in found.alike[:20]]
    if rows:
        _print_table("cosine", "video", "from, s", "and", "from, s", rows=rows)
    return 0


def verdict(found: Copies | None) -> str:
    """What was found, as the beginning of a sentence."""
    if found is None or not found.pairs:
        return "No footage is there twice"
    across = sum(pair.across for pair in found.pairs)
    split = f", {across} of them across splits" if across else ""
    shares = "shares" if len(found.pairs) == 1 else "share"
    return f"{counted(len(found.pairs), 'pairs')} {shares} footage{split}"


def _show(sentence: str, found: Any) -> None:
    from kinema.core.printing import make_console
    from kinema.core.reading import legible

    print(legible(sentence))
    if found is not None:
        make_console().print(found.table())


def _print_table(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    from kinema.core.printing import Table, make_console

    table = Table(*columns, title="Nearly the same to the encoder", title_justify="left")
    for row in rows:
        table.add_row(*row)
    make_console().print(table)
