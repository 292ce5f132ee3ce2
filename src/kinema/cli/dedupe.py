"""``kinema dedupe``: arguments in, one call of :mod:`kinema.api.searching`, text or JSON out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
from kinema.cli.terminal import make_parser, parse, print_json, stderr_console

_TABLE = "where the table is: a folder, or s3://…, gs://…, az://…; RUN/index by default"


def run(given: list[str]) -> int:
    """The verb ``kinema dedupe RUN``."""
    parser = make_parser("dedupe")
    import time

    parser.add_argument("run", type=str, help="the run's folder")
    parser.add_argument("--score", type=float, default=0.95, help="the cosine from which two windows are compared")
    parser.add_argument("--table", type=str | None, default=None, help=_TABLE)
    parser.add_argument("--videos", type=str | None, default=None, help="the folder of the videos, where it has moved")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write the pairs here (.csv)")
    parser.add_argument("--workers", type=int, default=2, help="processes that read files")
    args = parse(parser, given)
    from kinema.api import searching as api_search

    began = time.monotonic()
    console = stderr_console()
    settings = {name: getattr(args, name) for name in ("score", "table", "workers", "videos")}
    found = api_search.dedupe(args.run, **settings, console=console)
    if args.out is not None and found.copies is not None:
        found.copies.write(Path(args.out))
    if args.json:
        print_json(found.plain(time.monotonic() - began))
        return 0
    rows = [(f"{p.score:.3f}", p.a, f"{p.start_a:.2f}", p.b, f"{p.start_b:.2f}") for p in found.alike[:20]]
    _print_table("cosine", "video", "from, s", "and", "from, s", rows=rows)
    print(f"{len(found.alike)} pairs of videos are nearly the same to the encoder.")
    if found.copies is not None:
        from kinema.core.printing import make_console

        make_console().print(found.copies.table())
    return 0


def _print_table(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    from kinema.core.printing import Table, make_console

    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    make_console().print(table)
