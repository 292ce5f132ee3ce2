"""``kinema embed``: arguments in, one call of :mod:`kinema.api.searching`, text or JSON out."""

from __future__ import annotations

import sys
from typing import Any

from kinema.cli.terminal import add_device, make_parser, parse, print_json, stderr_console, under
from kinema.core.plurals import counted

_TABLE = "where the table is: a folder, or s3://…, gs://…, az://…; RUN/index by default"


def run(given: list[str]) -> int:
    """The verb ``kinema embed RUN DATA``."""
    parser = make_parser("embed")
    parser.add_argument("run", type=str, help="the run's folder, or an exported one")
    parser.add_argument(
        "data", type=str, help="a folder of videos, a manifest, or NAME:PATH; or documents, tracklets or pairs"
    )
    parser.add_argument("-o", "--out", type=str | None, default=None, help=_TABLE)
    parser.add_argument(
        "--view",
        type=str | None,
        default=None,
        help="which view's encoder, or both: rgb+motion, usual where there are both",
    )
    parser.add_argument("--space", type=str | None, default=None, help="embedding (usual), or projection: across views")
    parser.add_argument("--length", type=str | None, default=None, help="of a window: 2s or 16f; of a passage: words")
    parser.add_argument("--stride", type=str | None, default=None, help="from window to window; half by default")
    parser.add_argument("--codes", action="store_true", help="keep codes, a bit a dimension, of a run of pairs (dcvh)")
    parser.add_argument(
        "--vectors", action="store_true", help="with --codes: keep vectors too, for an exact second look"
    )
    parser.add_argument("--replace", action="store_true", help="make a table anew that another encoder made")
    parser.add_argument("--remove", action="store_true", help="remove what is gone, even more than a tenth of a table")
    parser.add_argument("--index", type=str, default="auto", help="of large tables: auto, ivf-pq, hnsw or none")
    parser.add_argument("--engine", type=str, default="local", help="local, or ray: workers of a Ray cluster")
    parser.add_argument("--workers", type=int, default=2, help="what scans and decodes; on ray, encodes too")
    parser.add_argument("--threads", type=int | None, default=None, help="of an encoder; all processors by default")
    parser.add_argument("--batch_size", type=int, default=32, help="clips, passages or pairs at a time")
    add_device(parser)
    under(parser, "What is embedded", "run", "data", "view", "space", "length", "stride", "codes", "vectors")
    under(parser, "The table", "out", "replace", "remove", "index")
    args = parse(parser, given)
    from kinema.api import searching as api_search
    from kinema.searching.stored import write_copy

    names = ["out", "view", "space", "length", "stride", "replace", "remove", "index", "engine", "workers", "threads"]
    names += ["batch_size", "device", "codes", "vectors"]
    settings = {name: getattr(args, name) for name in names}
    done = api_search.embed(args.run, args.data, **settings, console=stderr_console())
    write_copy(done.table)
    if args.json:
        print_json(done.plain())
    else:
        _print_done(done)
    _print_left_out(done)
    return 1 if done.unlisted else 0


def _print_done(done: Any) -> None:
    """What the table holds now, and what was done for it."""
    print(f"{done.table}: {done.content} ({done.seconds:.0f} s)")
    told = {"new": done.added, "changed": done.changed}
    told |= {"with other labels or facts, not encoded again": done.updated}
    told |= {"gone and taken out": done.deleted, "unchanged": done.unchanged}
    told |= {"kept though not to be seen": done.kept}
    said = [f"{counted(count, done.noun)} {what}" for what, count in told.items() if count]
    print(", ".join(said) or f"no {done.noun}")
    if done.index is not None:
        print(f"index {done.index.kind}: recall@10 {done.index.recall:.3f} of {done.index.queries} queries")


def _print_left_out(done: Any) -> None:
    """What could not be embedded or looked into, on standard error."""
    if done.note:
        print(done.note, file=sys.stderr)
    if done.failed:
        print(f"{counted(len(done.failed), done.noun)} could not be embedded:", file=sys.stderr)
        for path, reason in done.failed.items():
            print(f"  {path}: {reason}", file=sys.stderr)
    if done.unlisted:
        count = len(done.unlisted)
        noun = "folder or name" if count == 1 else "folders or names"
        print(f"{count} {noun} could not be looked into; their rows stay as they were:", file=sys.stderr)
        for path, reason in done.unlisted.items():
            print(f"  {path}: {reason}", file=sys.stderr)
